"""HTML pages, made from Jinja templates in which every value is escaped."""

from __future__ import annotations

from importlib import resources

from jinja2 import Environment, StrictUndefined, Template


def template(package: str, name: str) -> Template:
    """The template `name` that lies in `package`, such as `ontogeny.changes`. Values that are missing are an error."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    return environment.from_string(resources.files(package).joinpath(name).read_text(encoding="utf-8"))
