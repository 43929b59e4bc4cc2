"""Shows, setting by setting, that what `config.yaml` may say reaches the results.

A subject's test file declares `WALKS`, a list of `Walk`. `tests/unit/config/test_every_setting.py` demands that the
walks together cover every field of every model of the configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ontogeny.settings import Settings


@dataclass(frozen=True)
class Walk:
    """How the settings of one model are shown to act.

    `run` takes a `base` with one field changed and gives anything comparable with `==` (a digest, a list, a string).
    `changes` has another value for each field that must change it; where a field acts only beside others, a mapping
    `{field: value, other: value}`, whose others are also set in the base that it is compared with. `cannot` says of
    the other fields why no result can change with them.
    """

    model: type[Settings]
    run: Callable[[Any], Any]
    changes: Mapping[str, Any]
    cannot: Mapping[str, str] = field(default_factory=dict)
    base: Mapping[str, Any] = field(default_factory=dict)
    _seen: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def check(self, name: str) -> None:
        """Assert that the result changes with the field `name`."""
        change = self.changes[name]
        beside = isinstance(change, Mapping) and name in change
        changed = dict(change) if beside else {name: change}
        others = {key: value for key, value in changed.items() if key != name}
        after = self.run(self.model(**{**self.base, **changed}))
        assert self._before(others) != after, f"{self.model.__name__}.{name} changes nothing"

    def _before(self, others: Mapping[str, Any]) -> Any:
        """The result that a change is compared with: run twice for the first field that asks for it."""
        settings = self.model(**{**self.base, **others})
        told = settings.model_dump_json()
        if told not in self._seen:
            self._seen[told] = self.run(settings)
            assert self._seen[told] == self.run(settings), "the result is not reproducible"
        return self._seen[told]


def cases(walks: list[Walk]) -> list[Any]:
    """The parameters of a test: every walk with every field that it changes."""
    import pytest

    return [pytest.param(walk, name, id=f"{walk.model.__name__}.{name}") for walk in walks for name in walk.changes]
