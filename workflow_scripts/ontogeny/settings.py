"""Building blocks of `config.yaml`: names, seeds, settings that refuse unknown keys, defaults, sweeps."""

from __future__ import annotations

import builtins
import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ontogeny.errors import OntogenyError, shown, unknown

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}$")]
"""A name that is safe as a folder name: letters, digits and `_ . + -`, starting with a letter or digit, at most 80."""

Positive = Annotated[int, Field(ge=1)]
MOST_SEEDS = 1_000_000
LARGEST_WHOLE = 2**31 - 1
"""The largest whole number that a setting can be: none counts anything of which there are more."""


def _seeds(value: Any) -> Any:
    """The seeds 0 to N-1 for a number N, which may be given as text; the seeds from A to B for "A-B"."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, str) and (ends := re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", value)):
        first, last = int(ends[1]), int(ends[2])
        if first > last:
            raise ValueError(f"seeds from {first} to {last} are none: give the smaller first")
        if last - first >= MOST_SEEDS:
            raise ValueError(f"{last - first + 1} seeds exceed the maximum of {MOST_SEEDS} per run")
        return list(range(first, last + 1))
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 1:
            raise ValueError(f"{value} stands for no seed: give 1 or more, or a list of seeds")
        if value > MOST_SEEDS:
            raise ValueError(f"{value} seeds exceed the maximum of {MOST_SEEDS} per run")
        return list(range(value))
    return value


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) != len(seeds):
        raise ValueError("a seed appears twice; give every seed once")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]],
    BeforeValidator(_seeds, json_schema_input_type=int | list[int] | str),
    AfterValidator(_distinct),
    Field(min_length=1, description="Seeds; a number N stands for 0 to N-1, the text A-B for A to B."),
]
Line = Annotated[str, AfterValidator(lambda text: " ".join(text.split()))]
"""Text on one line: line breaks, as YAML's block texts end with, count as spaces."""
Label = Annotated[Line | None, Field(description="Name in figures; default: the run's key.")]
Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
"""A share that is neither nothing nor all."""


if TYPE_CHECKING:
    _Told = type  # a checker that looked for the real one would lose the names of all settings
else:

    class _Told(type(BaseModel)):
        """The class of classes of settings: a call of one that is refused ends in a sentence."""

        def __call__(cls, *positional: Any, **values: Any) -> Any:
            try:
                return super().__call__(*positional, **values)
            except ValidationError as error:
                raise _refused(cls, error, cls.__name__) from None


class Settings(BaseModel, metaclass=_Told):
    """A block of settings that refuses unknown keys. A call that is refused raises OntogenyError."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `on` as true, which would otherwise count as the number 1."""
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation in [int, float]:
            raise ValueError(f"'{str(value).lower()}' is not a number")
        return value

    @field_validator("*")
    @classmethod
    def _countable(cls, value: Any) -> Any:
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise ValueError(f"{value} is too large; whole numbers here are at most {LARGEST_WHOLE:,}")
        return value


S = TypeVar("S", bound=Settings)


def checked(model: type[S], values: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None) -> S:
    """`values` as settings of the kind `model`, for functions that are called with keys by hand.

    Raises OntogenyError, which begins with `where`, for a key or a value that the model refuses.
    """
    try:
        return model.model_validate(dict(values), context=dict(context or {}))
    except ValidationError as error:
        raise _refused(model, error, where) from None


def _refused(model: type[Settings], error: ValidationError, where: str) -> OntogenyError:
    items = error.errors(include_url=False)
    # Of a value that may be a number or a word, the reading as a number says what is wrong with a number.
    item = max(items, key=lambda item: (item["loc"][:1] == items[0]["loc"][:1], item["type"] != "literal_error"))
    if item["type"] == "missing":  # perhaps because its name is misspelt
        item = next((other for other in items if other["type"] == "extra_forbidden"), item)
    if item["type"] == "extra_forbidden":
        return unknown("setting", str(item["loc"][-1]), model.model_fields, where)
    kinds = re.compile(r".*[\[-].*|float|int|str|bool|none")
    key = ".".join(str(part) for part in item["loc"] if not kinds.fullmatch(str(part)))
    if item["type"] == "missing":
        return OntogenyError(f"{where}: {key} is missing; it is required")
    if item["type"] == "value_error":
        return OntogenyError(": ".join(filter(None, (where, key, str(item["ctx"]["error"])))))
    if item["type"] == "literal_error" and len(item["loc"]) == 1 and isinstance(item["input"], str):
        return unknown(key, item["input"], map(str, choices(model, key)), where)
    return OntogenyError(f"{where}: {key} is {shown(item['input'])}; it should {expected(item['msg'])}")


_IN_PLAIN_WORDS = {
    r"^\w+ should ": "",
    r" after validation": "",
    r", unable to .*": "",
    r"a valid integer.*": "a whole number",
    r"a valid number": "a number",
    r"a valid boolean": "true or false",
    r"a valid string": "text",
    r"a valid (list|tuple)": "a list",
    r"a valid dictionary( or instance of \w+)?": "a mapping of keys to values",
}


def expected(message: str) -> str:
    """What pydantic's `message` says that a value should be, as "be a whole number", in plain words."""
    if message.endswith("exceeded maximum size"):
        return f"be at most {LARGEST_WHOLE:,}"
    for theirs, ours in _IN_PLAIN_WORDS.items():
        message = re.sub(theirs, ours, message)
    return message


def complete(model: type[S], given: Settings | Mapping[str, Any] | None, what: str, where: str | None = None) -> S:
    """`given` (None, a mapping of names to values, or settings) as settings of the kind `model`, with its defaults.

    Raises OntogenyError as `checked` does; its sentence begins with `where`, if given, else with "`what` settings".
    """
    if isinstance(given, model):
        return given
    if isinstance(given, Settings):
        given = given.model_dump(exclude_unset=True)
    if given is not None and not isinstance(given, Mapping):
        raise OntogenyError(f"{what} settings should be a mapping of names to values, not {type(given).__name__}")
    values = {
        str(key): value.item() if hasattr(value, "dtype") and not value.ndim else value
        for key, value in (given or {}).items()
    }
    return checked(model, values, where or f"{what} settings")


def choices(kind: type[Settings], name: str) -> tuple[Any, ...]:
    """The values that the setting `name` of `kind` may have, of one that is a choice (also beside a number)."""
    found: list[Any] = []
    pending = [kind.model_fields[name].annotation]
    while pending:
        arguments = get_args(pending.pop())
        found += [value for value in arguments if isinstance(value, str | int | float | bool)]
        pending += [value for value in arguments if get_args(value)]
    return tuple(found)


class StudySettings(Settings):
    """Settings common to studies of every kind. `SHORT` names the key that a bare task or model abbreviates."""

    SHORT: ClassVar[dict[str, str]] = {"task": "name", "model": "name"}

    title: Line | None = Field(default=None, description="Title in figures and report; default: the study's key.")
    defaults: dict[str, Any] = Field(default={}, description="Settings shared by every run of this study.")
    analyses: dict[str, Any] = Field(
        default={}, description="Analysis settings of this study; they override the top level."
    )

    @model_validator(mode="before")
    @classmethod
    def _apply_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("runs"), dict) and isinstance(data.get("defaults"), dict):
            shared = cls.spelt_out(data["defaults"])
            runs = {
                name: merge(shared, cls.spelt_out(run or {}))
                for name, run in data["runs"].items()
                if isinstance(run, dict | None)
            }
            data = {**data, "runs": {**data["runs"], **runs}}
        return data

    @classmethod
    def spelt_out(cls, run: dict[str, Any]) -> dict[str, Any]:
        """`run` with bare names of tasks and models expanded to mappings."""
        spelt = {key: {cls.SHORT[key]: item} for key, item in run.items() if key in cls.SHORT and isinstance(item, str)}
        return {**run, **spelt}


def merge(base: Any, over: Any) -> Any:
    """`base` updated with `over`, recursively.

    A different model or task replaces the one in `base` completely, because the settings of one network make no sense
    for another.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        under = merged.get(key)
        named = isinstance(value, dict) and isinstance(under, dict) and "name" in value and "name" in under
        other = named and value["name"] != (under or {})["name"]
        merged[key] = value if other else merge(under, value)
    return merged


MOST = 100_000
"""Maximum number of runs in one sweep."""


Values = dict[str, Annotated[list[Any], Field(min_length=1)]]


Points = list[Annotated[dict[str, Any], Field(min_length=1)]]


_NOT_SWEPT = {"seeds": "give the run several seeds instead", "label": "labels are built from the values", "sweep": ""}


class Sweep(Settings):
    """Many runs from one, one per choice of values. Keys are settings of the run, with dots: `training.steps`.

    If several of `grid`, `zip` and `list` are given, all their choices are combined.
    """

    grid: Values = Field(default={}, description="Lists of values by setting; every combination is a run.")
    zip: Values = Field(
        default={}, description="Lists of values by setting, all of the same length; one run per position."
    )
    list: Points = Field(default=[], description="Explicit choices, each a mapping from settings to values.")

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        lengths = {key: len(values) for key, values in self.zip.items()}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise ValueError(f"zip needs lists of equal length, but {listed}")
        if not (self.grid or self.zip or self.list):
            raise ValueError("the sweep is empty; give grid, zip or list")
        count = self.count()
        if count > MOST:
            raise ValueError(f"this would be {count:,} runs; a sweep can have at most {MOST:,}")
        keys = [*self.grid, *self.zip, *dict.fromkeys(key for point in self.list for key in point)]
        twice = [key for key, times in Counter(keys).items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]} is swept twice; keep one")
        for key in keys:
            if not all(key.split(".")):
                raise ValueError(f"{key!r} is not a setting; write its keys with dots, like training.learning_rate")
            if key.split(".")[0] in _NOT_SWEPT:
                raise ValueError(f"{key} cannot be swept; {_NOT_SWEPT[key.split('.')[0]] or 'sweeps do not nest'}")
        return self

    def count(self) -> int:
        """The number of runs."""
        zipped = len(next(iter(self.zip.values()))) if self.zip else 1
        return math.prod(map(len, self.grid.values())) * zipped * (len(self.list) or 1)

    def choices(self) -> builtins.list[builtins.list[tuple[str, Any, tuple[Any, ...]]]]:
        """The runs as lists of (setting, value, location in the sweep)."""
        grid = [[(key, value, ("grid", key, i)) for i, value in enumerate(self.grid[key])] for key in self.grid]
        rows = range(len(next(iter(self.zip.values())))) if self.zip else ()
        zipped = [[(key, self.zip[key][i], ("zip", key, i)) for key in self.zip] for i in rows]
        listed = [[(key, value, ("list", i, key)) for key, value in point.items()] for i, point in enumerate(self.list)]
        axes: builtins.list[Any] = [[[choice] for choice in axis] for axis in grid]
        axes += [axis for axis in (zipped, listed) if axis]
        return [[entry for part in parts for entry in part] for parts in itertools.product(*axes)]


RunSweep = Annotated[Sweep | None, Field(description="Creates many runs from this one.")]


StudySweep = Annotated[Sweep | None, Field(description="Creates many runs from each run that has no sweep of its own.")]
