"""The JSON schema and the reference page of `config.yaml`, both made from the models."""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ontogeny.config.models import Config
from ontogeny.files import json_text


def schema_json() -> str:
    """The JSON schema (draft 2020-12) of `config.yaml`, as text."""
    return json_text({"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()})


def reference_page() -> str:
    """The reference page of `config.yaml`, as Markdown: a table for each block of settings."""
    lines = [
        "# Configuration reference",
        "",
        "Made by `ontogeny config reference` from the models in `workflow_scripts/ontogeny/config`; do not edit.",
        "`config.schema.json` beside this page lets an editor check a file while you type.",
    ]
    seen: set[type] = set()
    queue: list[tuple[str, type[BaseModel]]] = [("", Config)]
    while queue:
        place, model = queue.pop(0)
        if model in seen:
            continue
        seen.add(model)
        summary = " ".join((model.__doc__ or "").split())
        lines += ["", f"## {f'`{place}`' if place else 'Top level'}", "", summary, ""]
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            cells = (f"`{name}`", _type(field), _default(field), field.description or "")
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
            for suffix, inner in _blocks(field.annotation):
                queue.append((f"{place}.{name}{suffix}".lstrip("."), inner))
    return "\n".join(lines) + "\n"


def _blocks(kind: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        tag = kind.model_fields.get("kind")
        yield (f" (kind: {tag.default})" if tag is not None else ""), kind
        return
    for arg in typing.get_args(kind):
        inner = ".<name>" if typing.get_origin(kind) is dict else ""
        for suffix, model in _blocks(arg):
            yield inner + suffix, model


def _type(field: FieldInfo) -> str:
    limits = [_limit(entry) for entry in field.metadata]
    return " ".join([_named(field.annotation), *[limit for limit in limits if limit]])


def _limit(entry: Any) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥"}
    return ", ".join(
        f"{sign} {getattr(entry, key):g}" for key, sign in signs.items() if getattr(entry, key, None) is not None
    )


def _named(kind: Any) -> str:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return "one of " + ", ".join(f"`{arg}`" for arg in args)
    if origin is typing.Annotated:
        inner = [_limit(entry) for arg in args[1:] for entry in getattr(arg, "metadata", [arg])]
        return " ".join([_named(args[0]), *[limit for limit in inner if limit]])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(_named(arg) for arg in args if arg is not type(None)))
    if origin is list:
        return f"list of {_named(args[0])}"
    if origin is dict:
        return "mapping"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "block"
    return {int: "integer", float: "number", str: "text", bool: "true or false"}.get(
        kind, getattr(kind, "__name__", str(kind))
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return ""
    if isinstance(value, list) and value and all(isinstance(item, BaseModel) for item in value):
        return ", ".join(f"`{item.kind}`" for item in value)
    return f"`{json.dumps(value)}`" if value is not None else "none"
