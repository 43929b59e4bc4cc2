"""What the blocks of `config.yaml` are made of: names, seeds, settings that refuse unknown keys, defaults."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

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

from ontogeny.errors import OntogenyError, unknown

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,79}$")]
"""A name that is safe as a folder: letters, digits, `_ . + -`, not starting with a sign, at most 80 characters."""

Positive = Annotated[int, Field(ge=1)]
MOST_SEEDS = 1_000_000


def _seeds(value: Any) -> Any:
    """A number N, also as text, as the seeds 0 to N-1."""
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if value > MOST_SEEDS:
            raise ValueError(f"{value} seeds are more than the {MOST_SEEDS} that a run may have")
        return list(range(value))
    return value


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) != len(seeds):
        raise ValueError("the same seed is there twice; give every seed once")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=2**31)]],
    BeforeValidator(_seeds, json_schema_input_type=int | list[int]),
    AfterValidator(_distinct),
    Field(min_length=1, description="Seeds; a number N stands for 0 to N-1."),
]
Label = Annotated[str | None, Field(description="Name in figures; the run's key, if not given.")]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseModel):
    """A block of settings that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML reads `yes` and `on` as true, which would pass for the number 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name].annotation in (int, float):
            raise ValueError(f"{str(value).lower()} is no number")
        return value


S = TypeVar("S", bound=Settings)


def checked(model: type[S], values: Mapping[str, Any], where: str, context: Mapping[str, Any] | None = None) -> S:
    """`values` as settings of the kind `model`, for functions that are called with keys by hand.

    Raises OntogenyError, which begins with `where`, for a key or a value that the model refuses.
    """
    try:
        return model.model_validate(dict(values), context=dict(context or {}))
    except ValidationError as error:
        item = error.errors(include_url=False)[0]
    if item["type"] == "extra_forbidden":
        raise unknown("setting", str(item["loc"][-1]), model.model_fields, where)
    key = ".".join(map(str, item["loc"]))
    if item["type"] == "missing":
        raise OntogenyError(f"{where}: {key} is missing; it is required")
    if item["type"] == "value_error":
        raise OntogenyError(f"{where}: {key}: {item['ctx']['error']}")
    message = item["msg"].replace("Input should", "it should").replace("List should", "it should")
    raise OntogenyError(f"{where}: {key} is {item['input']!r}; {message}")


class StudySettings(Settings):
    """What studies of every kind may say. `SHORT` names the key that a bare task or model stands for."""

    SHORT: ClassVar[dict[str, str]] = {"task": "name", "model": "name"}

    title: str | None = Field(None, description="Title in figures and report; the study's key, if not given.")
    defaults: dict[str, Any] = Field({}, description="Settings that every run of this study starts from.")
    analyses: dict[str, Any] = Field({}, description="Analysis settings of this study, over those at the top.")

    @model_validator(mode="before")
    @classmethod
    def _apply_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("runs"), dict) and isinstance(data.get("defaults"), dict):
            shared = cls._spelt_out(data["defaults"])
            runs = {
                name: merge(shared, cls._spelt_out(run or {}))
                for name, run in data["runs"].items()
                if isinstance(run, dict | None)
            }
            data = {**data, "runs": {**data["runs"], **runs}}
        return data

    @classmethod
    def _spelt_out(cls, run: dict[str, Any]) -> dict[str, Any]:
        """`run` with bare names of tasks and models as the mappings that they stand for."""
        spelt = {key: {cls.SHORT[key]: item} for key, item in run.items() if key in cls.SHORT and isinstance(item, str)}
        return {**run, **spelt}


def merge(base: Any, over: Any) -> Any:
    """`over` laid over `base`, mapping by mapping.

    Another model or task than the one below replaces it whole, since the settings of one network make no sense for
    another.
    """
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    merged = dict(base)
    for key, value in over.items():
        under = merged.get(key)
        named = isinstance(value, dict) and isinstance(under, dict) and "name" in value and "name" in under
        merged[key] = value if named and value["name"] != under["name"] else merge(under, value)
    return merged


MOST = 100_000
"""Runs of one sweep."""


Values = dict[str, Annotated[list[Any], Field(min_length=1)]]


Points = list[Annotated[dict[str, Any], Field(min_length=1)]]


_NOT_SWEPT = {"seeds": "give the run several seeds instead", "label": "labels are made from the values", "sweep": ""}


class Sweep(Settings):
    """One run as many, one for every choice of values. Keys are settings of the run, with dots: `training.steps`.

    Where several of `grid`, `zip` and `list` are given, each choice of one meets each of the others.
    """

    grid: Values = Field({}, description="Lists of values by setting; every combination is a run.")
    zip: Values = Field({}, description="Lists of values by setting, equally long; the first of all, the second, ...")
    list: Points = Field([], description="The choices one by one, each a mapping from settings to values.")

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        lengths = {key: len(values) for key, values in self.zip.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise ValueError(f"zip needs lists of one length, but {told}")
        if not (self.grid or self.zip or self.list):
            raise ValueError("nothing is swept; give grid, zip or list")
        count = self.count()
        if count > MOST:
            raise ValueError(f"this makes {count:,} runs; a sweep can make {MOST:,}")
        keys = [*self.grid, *self.zip, *dict.fromkeys(key for point in self.list for key in point)]
        twice = [key for key, times in Counter(keys).items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]} is swept in two ways; keep one")
        for key in keys:
            if not all(key.split(".")):
                raise ValueError(f"{key!r} is not a setting; write its keys with dots, as training.learning_rate")
            if key.split(".")[0] in _NOT_SWEPT:
                raise ValueError(f"{key} cannot be swept; {_NOT_SWEPT[key.split('.')[0]] or 'sweeps do not nest'}")
        return self

    def count(self) -> int:
        """The number of runs."""
        zipped = len(next(iter(self.zip.values()))) if self.zip else 1
        return math.prod(map(len, self.grid.values())) * zipped * (len(self.list) or 1)

    def choices(self) -> list[list[tuple[str, Any, tuple[Any, ...]]]]:
        """The runs as lists of (setting, value, where it stands in the sweep)."""
        grid = [[(key, value, ("grid", key, i)) for i, value in enumerate(self.grid[key])] for key in self.grid]
        rows = range(len(next(iter(self.zip.values())))) if self.zip else ()
        zipped = [[(key, self.zip[key][i], ("zip", key, i)) for key in self.zip] for i in rows]
        listed = [[(key, value, ("list", i, key)) for key, value in point.items()] for i, point in enumerate(self.list)]
        axes = [[[choice] for choice in axis] for axis in grid] + [axis for axis in (zipped, listed) if axis]
        return [[entry for part in parts for entry in part] for parts in itertools.product(*axes)]


RunSweep = Annotated[Sweep | None, Field(description="Many runs made from this one.")]


StudySweep = Annotated[Sweep | None, Field(description="Makes many runs of each run that has no sweep of its own.")]
