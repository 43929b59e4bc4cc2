"""Records of a search: what one iteration tried and found, its reward, and the files that hold it."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, expect, unknown
from ontogeny.files import json_text, read_json, write_json

if TYPE_CHECKING:
    from ontogeny.connectome.search.declaration import Search

R2_WEIGHT, CLUSTER_WEIGHT = 0.6, 0.4

SUCCESS = 0.9
"""Both metrics at or above this count as a success."""

STRATEGIES = ("exploit", "failure-probe", "explore", "robustness-test")

WRITTEN = "ontogeny-search/1"

OUTCOMES = ("CONVERGED", "partial-W", "partial-E", "partial", "failed")


@dataclass(frozen=True)
class Record:
    """One iteration of a search, as it is stored.

    `node` is the iteration's number over all blocks, and `parent` a node of the same block (None: root). `mutation`
    holds `setting, old, new, law`, or only `law` where no single setting changed. `evaluation` names what was
    computed (see `ontogeny.connectome.search.evaluation_key`). `principles` are those that a person had added to the
    memory when it was proposed.
    """

    block: int
    iteration: int
    node: int
    parent: int | None
    filling_factor: float
    settings: Mapping[str, Any]
    mutation: Mapping[str, Any]
    strategy: str
    rule: str
    metrics: Mapping[str, Any]
    seed: int
    evaluation: str = ""
    principles: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """The reward 0.6 R2 + 0.4 cluster of this record."""
        return reward(self.metrics)

    @property
    def outcome(self) -> str:
        """The study's classification of this record."""
        return classify(self.metrics)

    def to_json(self) -> dict[str, Any]:
        """The record as JSON types."""
        return asdict(self)


_KINDS: dict[str, tuple[type, ...]] = {
    "block": (int,),
    "iteration": (int,),
    "node": (int,),
    "parent": (int, type(None)),
    "filling_factor": (int, float),
    "settings": (dict,),
    "mutation": (dict,),
    "strategy": (str,),
    "rule": (str,),
    "metrics": (dict,),
    "seed": (int,),
    "evaluation": (str,),
    "principles": (list, tuple),
}


def record_from_json(value: Any, where: str = "record") -> Record:
    """The record in parsed JSON. Raises OntogenyError that names a key that is missing, unknown or of a wrong type."""
    if not isinstance(value, dict):
        raise OntogenyError(f"{where} holds {type(value).__name__}; expected an object with the keys of one iteration")
    names = [f.name for f in fields(Record)]
    for key in value:
        if key not in names:
            raise unknown("key", key, names, where)
    value = {"principles": (), **value}
    for key in names:
        if key not in value:
            raise OntogenyError(f"{where} lacks the key '{key}'")
        if not isinstance(value[key], _KINDS[key]) or (isinstance(value[key], bool) and bool not in _KINDS[key]):
            kinds = " or ".join("null" if k is type(None) else k.__name__ for k in _KINDS[key])
            raise OntogenyError(f"{where}: '{key}' is {value[key]!r}; expected {kinds}")
    return Record(**{**value, "principles": tuple(value["principles"])})


def metric_value(metrics: Mapping[str, Any], name: str) -> float:
    """A metric between 0 and 1; 0 if it is missing or not finite."""
    value = metrics.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0.0
    return min(max(float(value), 0.0), 1.0)


def reward(metrics: Mapping[str, Any]) -> float:
    """0.6 connectivity_R2 + 0.4 cluster_accuracy, each held within [0, 1]; a missing or undefined metric counts 0."""
    return R2_WEIGHT * metric_value(metrics, "connectivity_R2") + CLUSTER_WEIGHT * metric_value(
        metrics, "cluster_accuracy"
    )


def success(metrics: Mapping[str, Any]) -> bool:
    """Whether both metrics are at least 0.9."""
    return min(metric_value(metrics, "connectivity_R2"), metric_value(metrics, "cluster_accuracy")) >= SUCCESS


@checks_arguments
def classify(metrics: Mapping[str, Any]) -> str:
    """CONVERGED, partial-W, partial-E, partial or failed, by the study's table (thresholds 0.9 and 0.1).

    Raises OntogenyError for what is no mapping of names of metrics to their values.
    """
    expect(metrics, Mapping, "a mapping of metrics to values, as recovery_metrics gives,")
    r2, cluster = metric_value(metrics, "connectivity_R2"), metric_value(metrics, "cluster_accuracy")
    if r2 > 0.9:
        return "CONVERGED" if cluster > 0.9 else "partial-W"
    if cluster > 0.9:
        return "partial-E"
    return "failed" if r2 < 0.1 and cluster < 0.1 else "partial"


COST = ("training_time_min",)
"""Metrics that tell of the machine: kept in the files of cost, away from the data."""


def record_path(folder: str | os.PathLike, block: int, iteration: int) -> Path:
    """Where an iteration's record lies: `records/block_01/iter_001.json`."""
    return Path(folder) / "records" / f"block_{block:02d}" / f"iter_{iteration:03d}.json"


@checks_arguments
def read_records(folder: str | os.PathLike, search: Search | None = None) -> list[Record]:
    """The records in `folder`, block by block; each block up to the first iteration that is missing.

    With `search`, only its blocks and iterations.

    Raises:
        OntogenyError: a file that is not a record, or whose numbers are not those of its name.
    """
    found = []
    for path in sorted((Path(folder) / "records").glob("block_*/iter_*.json")):
        try:
            block, iteration = int(path.parent.name[6:]), int(path.stem[5:])
        except ValueError:
            continue
        if search is not None and (block > len(search.blocks) or iteration > search.n_iter_block):
            continue
        record = record_from_json(read_json(path), str(path))
        if (record.block, record.iteration) != (block, iteration):
            raise OntogenyError(
                f"{path} holds block {record.block}, iteration {record.iteration}: put it where it belongs"
            )
        found.append(record)
    found.sort(key=lambda record: (record.block, record.iteration))
    whole: list[Record] = []
    for _, group in itertools.groupby(found, key=lambda record: record.block):
        for place, record in enumerate(group, start=1):
            if record.iteration != place:
                break
            whole.append(record)
    return whole


def write_records(path: str | os.PathLike, records: Sequence[Record]) -> None:
    """Write the records of a whole search into one file, for `read_written`."""
    write_json(path, {"format": WRITTEN, "records": [record.to_json() for record in records]})


def read_written(path: str | os.PathLike) -> list[Record]:
    """The records that `write_records` wrote. Raises OntogenyError if `path` is no such file."""
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != WRITTEN:
        raise OntogenyError(f"{path} holds no records of a search ({WRITTEN}); make it again")
    return [record_from_json(each, f"{path}, record {number}") for number, each in enumerate(value["records"], 1)]


def evaluation_key(settings: Mapping[str, Any], filling_factor: float, seed: int, identity: Any = None) -> str:
    """The name of an evaluation: a digest of all that determines it; 8 and 8.0 are one value."""
    numbers = {
        k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in sorted(settings.items())
    }
    text = json_text([numbers, float(filling_factor), int(seed), identity], indent=None)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def cost_path(folder: str | os.PathLike, key: str) -> Path:
    """Where a search in `folder` keeps what the evaluation `key` took; times differ from one making to the next."""
    return Path(folder) / "cost" / f"{key}.json"


def training_minutes(folder: str | os.PathLike, records: Sequence[Record]) -> dict[str, float]:
    """CPU minutes of training of each record's evaluation, by its key, as far as the files of cost know them.

    What a person reads about; nothing is decided by it.
    """
    found = {}
    for record in records:
        try:
            value = read_json(cost_path(folder, record.evaluation)).get("training_time_min")
        except (OntogenyError, AttributeError):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[record.evaluation] = float(value)
    return found
