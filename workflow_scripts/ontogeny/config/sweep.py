"""Sweeps: one entry of a study's runs that expands to many runs, one per choice of settings.

A swept run is named `{run}_{key}{value}...`, with one part per swept key in the order of the sweep. `key` is the last
word of the setting, or its initials if it has several words (`training.learning_rate` is `lr`, `model.hidden` is
`hidden`), or the full setting if two would be alike. Names do not depend on the other values of a sweep, so adding a
value renames and retrains nothing.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ontogeny.errors import OntogenyError
from ontogeny.settings import Sweep, merge

LONGEST = 60
"""Maximum length of a swept run's name; longer names are truncated and end in a digest."""


@dataclass(frozen=True)
class Swept:
    """The origin of a run: the key that was swept, the values of this run, and the location of each in the file."""

    key: str
    values: dict[str, Any]
    places: dict[str, tuple[Any, ...]]


def expand(
    key: str,
    run: dict[str, Any],
    sweep: Sweep,
    at: tuple[Any, ...],
    spell: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> dict[str, tuple[dict[str, Any], Swept]]:
    """The runs that `sweep`, at `at` in the configuration, creates from `run`: name to settings and origin.

    `spell` expands bare names of tasks and models. Raises OntogenyError, without the place, if two runs would be
    identical.
    """
    choices = sweep.choices()
    short = _short_keys(dict.fromkeys(setting for choice in choices for setting, _, _ in choice))
    parts = [[(short[setting], _text(value)) for setting, value, _ in choice] for choice in choices]
    names = _names(key, choices, parts)
    labels = [", ".join([str(run.get("label") or key), *(f"{word} {text}" for word, text in words)]) for words in parts]
    counts = Counter(labels)
    made: dict[str, tuple[dict[str, Any], Swept]] = {}
    for name, choice, label in zip(names, choices, labels):
        values = {setting: value for setting, value, _ in choice}
        if name in made:
            listed = ", ".join(f"{setting} {json.dumps(value)}" for setting, value in values.items())
            raise OntogenyError(f"{listed} appears twice; keep one")
        settings = spell(run)
        for setting, value in values.items():
            settings = merge(settings, spell(_nested(setting.split("."), value)))
        if counts[label] > 1:
            label = f"{label} ({_digest(choice)})"
        swept = Swept(key, values, {setting: (*at, *place) for setting, _, place in choice})
        made[name] = ({**settings, "label": label}, swept)
    return made


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    return {keys[0]: value if len(keys) == 1 else _nested(keys[1:], value)}


def _short_keys(settings: Any) -> dict[str, str]:
    """A short, distinct word for every setting."""
    last = {setting: setting.split(".")[-1] for setting in settings}
    initials = {s: "".join(word[0] for word in re.split(r"[_-]+", k) if word) for s, k in last.items()}
    words = {s: initials[s] if re.search(r"[^_-][_-]+[^_-]", k) else k for s, k in last.items()}
    for wider in (last, {setting: setting for setting in settings}):
        counts = Counter(word.lower() for word in words.values())
        words = {s: wider[s] if counts[word.lower()] > 1 else word for s, word in words.items()}
    return words


def _text(value: Any) -> str:
    """A value as part of a name: numbers as they are, lists joined by `-`, mappings by their values."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        named = [_text(value["name"])] if "name" in value else []
        rest = {key: item for key, item in value.items() if key != "name"}
        return "-".join([*named, *(f"{word}{_text(rest[key])}" for key, word in _short_keys(rest).items())])
    if isinstance(value, list | tuple):
        return "-".join(map(_text, value))
    return re.sub(r"[^A-Za-z0-9_.+-]+", "-", str(value))


def _names(key: str, choices: list[Any], parts: list[list[tuple[str, str]]]) -> list[str]:
    """Names that are safe as folder names and distinct even if case is ignored."""
    plain = ["_".join([key, *(word + text for word, text in words)]) for words in parts]
    plain = [re.sub(r"[^A-Za-z0-9_.+-]+", "-", name) for name in plain]
    counts = Counter(name.lower() for name in plain)
    return [
        name if len(name) <= LONGEST and counts[name.lower()] == 1 else f"{name[: LONGEST - 9]}_{_digest(choice)}"
        for name, choice in zip(plain, choices)
    ]


def _digest(choice: Any) -> str:
    values = {setting: value for setting, value, _ in choice}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:8]
