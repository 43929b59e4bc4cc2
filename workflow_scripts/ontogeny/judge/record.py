"""What is in the record of a judge's mechanism at one epoch, and how records are read together. No PyTorch here.

`results/runs/{run}/mechanism/epoch_{N}.json` holds (L layers, T tokens; layer 0 is the embedding, layer l the residual
stream after block l; logit differences are unsafe minus safe; `_low` and `_high` are 95 % intervals; null where there
is no number):

- format, run, epoch, step, layers, heads (null where there is no circuit), frozen_layers, reads
  (first or last: the token that is read), prompts {train, balanced,
  validation, unsafe}, notes (sentences on the prompts). Two controls go through every part: `untrained`, a judge with
  newly drawn weights, and `pretrained`, the judge before it was fine-tuned. A part that could not be measured is
  {reason}.
- metrics: loss, accuracy, f1, auc, decoy_accuracy, each with _low and _high, over all validation prompts; decoys (their
  number); untrained and pretrained {accuracy, auc, loss}.
- samples: a list of {name (`sample_{i}_{safe|unsafe}`), label, prompt, tokens [T], score, baseline_score, delta, steps,
  converged, attribution [T], occlusion [T], untrained [T] and pretrained [T] (their attributions), like_untrained and
  like_pretrained (rank correlations), deletion {removed, by_attribution, by_chance, by_chance_low, by_chance_high, gap,
  gap_low, gap_high}, norms [L+1][T], lens [L+1][T]}.
- attribution: prompts, converged (number of them), scale (largest attribution of the samples), largest_change, gap
  (deletion gap, mean over prompts, in logits), like_untrained, like_pretrained, each with _low and _high,
  untrained_gap, pretrained_gap.
- probes: a list, by layer from 0, of {layer, auc, auc_low, auc_high, accuracy, shuffled_mean, shuffled_high,
  untrained, pretrained}.
- patching: pairs, automatic, roles [R], difference (mean over pairs), restored [L+1][R] and distance [L+1][R], all with
  _low and _high; shuffled_labels {difference ...}; untrained and pretrained {difference ..., restored, distance}.
- neurons (absent without the advanced set): tested, selective, least_p, replicated, responding (further from 0.5 than
  every neuron of the controls), limit (of those), quantiles [L][21] of the held-out AUROC; candidates, found (by single
  ablation), found_by_layer [L], alpha, prompts, random_effects, strongest (a list of rows of `causal_neurons`),
  shuffled_labels (number found under them), untrained and pretrained {replicated, found, shuffled_labels, quantiles},
  ablation (null, or as `ablate_neurons` returns it).
- circuit (absent without the advanced set): edges (number of all), nodes (names, but for embedding and output), pairs
  {scoring, judging, automatic}, sizes [K],
  restored [K] and _low, _high, random [K] and _low, _high (least and greatest), p_value [K], difference ...,
  difference_p, needed, size (edges of the circuit, or null), reason (why there is none), strongest (a list of [sender,
  receiver, score, half the width of its 95 % interval]), untrained, pretrained and untrained_random_labels {size,
  reason, difference ..., restored, random}.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json

FORMAT = "ontogeny-mechanism/3"
QUANTILES = np.linspace(0, 1, 21)
CONTROLS = ("untrained", "pretrained")


def measured(record: dict[str, Any], part: str) -> bool:
    """Whether a record holds this part, and not just the reason why it could not be measured."""
    found = record.get(part) or {}
    return bool(found) and set(found) != {"reason"}


def compact(value: Any, digits: int = 4) -> Any:
    """`value` as JSON types, numbers to `digits` significant digits, not finite ones as None."""
    if isinstance(value, dict):
        return {str(key): compact(item, digits) for key, item in value.items() if not str(key).startswith("_")}
    if isinstance(value, list | tuple):
        return [compact(item, digits) for item in value]
    if isinstance(value, np.ndarray):
        return compact(value.tolist(), digits)
    if isinstance(value, np.generic):
        return compact(value.item(), digits)
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return value


@checks_arguments
def read_record(path: str | os.PathLike) -> dict[str, Any]:
    """The record in a file. Raises OntogenyError if it is none."""
    record = read_json(path)
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise OntogenyError(f"{path} has format {found!r}; this version reads {FORMAT!r}: trace the mechanism again")
    return record


@checks_arguments
def read_records(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """All records in a folder, by epoch. Raises OntogenyError if there is none."""
    found = {
        int(match[1]): path
        for path in Path(folder).glob("epoch_*.json")
        if (match := re.fullmatch(r"epoch_(\d+)\.json", path.name))
    }
    if not found:
        raise OntogenyError(f"{folder} holds no epoch_{{N}}.json: measure the mechanism of the run first")
    return [read_record(found[epoch]) for epoch in sorted(found)]


_Interval = tuple[Any, Any, Any]
"""A value and the ends of its interval; None where there is no number."""
_Measure = tuple[str, Any, Any, Any]
"""The name of a measure, its value, and the ends of its interval."""


@checks_arguments
def evolution(records: list[dict[str, Any]]) -> pd.DataFrame:
    """All measures on one time axis: columns epoch, step, topic, measure, value, low, high (NaN where there is none).

    Topics: behaviour (auc, accuracy, loss, decoy_accuracy), tokens (deletion_gap, like_untrained, like_pretrained,
    like_before: rank correlation of the samples' attributions with the epoch before), layers (best_probe, last_probe,
    untrained_probe, pretrained_probe: the best in the controls; depth: first layer whose probe reaches half of the way
    from 0.5 to the best), patching (difference; moved: first layer at which patching the token that is read restores
    half), neurons (found, responding, ablation: what ablating takes off the margin, less what random neurons take off),
    circuit (size as a share of all edges, faithfulness at a tenth of the edges, random: the same for random subgraphs,
    same_edges: overlap of the strongest edges with the epoch before, Jaccard). Raises OntogenyError for a dict that is
    no record.
    """
    for record in records:
        if "metrics" not in record:
            raise OntogenyError("a record lacks 'metrics': give records as read_records returns them")
    rows: list[dict[str, Any]] = []
    for before, record in zip([None, *records], records):
        for topic, measures in (
            ("behaviour", _behaviour(record)),
            ("tokens", _tokens(record, before)),
            ("layers", _layers(record)),
            ("patching", _patching(record)),
            ("neurons", _neurons(record)),
            ("circuit", _circuit(record, before)),
        ):
            for measure, *numbers in measures:
                value, low, high = (np.nan if number is None else float(number) for number in numbers)
                rows.append(
                    {"epoch": record["epoch"], "step": record["step"], "topic": topic, "measure": measure,
                     "value": value, "low": low, "high": high}
                )  # fmt: skip
    return pd.DataFrame(rows, columns=["epoch", "step", "topic", "measure", "value", "low", "high"])


def _interval(part: dict[str, Any], name: str) -> _Interval:
    return part[name], part[f"{name}_low"], part[f"{name}_high"]


def _behaviour(record: dict[str, Any]) -> Iterator[_Measure]:
    for name in ("auc", "accuracy", "loss", "decoy_accuracy"):
        yield name, *_interval(record["metrics"], name)


def _tokens(record: dict[str, Any], before: dict[str, Any] | None) -> Iterator[_Measure]:
    tokens = record["attribution"]
    yield "deletion_gap", *_interval(tokens, "gap")
    for control in CONTROLS:
        yield f"like_{control}", *_interval(tokens, f"like_{control}")
    if before is not None:
        alike = [
            _alike(one["attribution"], two["attribution"])
            for one, two in zip(record["samples"], before["samples"])
            if one["converged"] and two["converged"]
        ]
        yield "like_before", np.mean(alike) if alike else None, None, None


def _layers(record: dict[str, Any]) -> Iterator[_Measure]:
    probes = record["probes"]
    aucs = [row["auc"] for row in probes]
    best = int(np.argmax(aucs))
    yield "best_probe", *_interval(probes[best], "auc")
    yield "last_probe", *_interval(probes[-1], "auc")
    for control in CONTROLS:
        yield f"{control}_probe", max(row[control] for row in probes), None, None
    yield "depth", next(i for i, auc in enumerate(aucs) if auc - 0.5 >= (aucs[best] - 0.5) / 2), None, None


def _patching(record: dict[str, Any]) -> Iterator[_Measure]:
    if measured(record, "patching"):
        patching = record["patching"]
        yield "difference", *_interval(patching, "difference")
        read = patching["roles"].index("read")
        moved = (layer for layer, row in enumerate(patching["restored"]) if row[read] is not None and row[read] >= 0.5)
        yield "moved", next(moved, None), None, None


def _neurons(record: dict[str, Any]) -> Iterator[_Measure]:
    if measured(record, "neurons"):
        neurons = record["neurons"]
        yield "found", neurons["found"], None, None
        yield "responding", neurons["responding"], None, None
        ablation = neurons["ablation"]
        yield "ablation", None if ablation is None else np.mean(ablation["random"]) - ablation["ablated"], None, None


def _circuit(record: dict[str, Any], before: dict[str, Any] | None) -> Iterator[_Measure]:
    if measured(record, "circuit"):
        circuit = record["circuit"]
        edges, size = circuit["edges"], circuit["size"]
        yield "size", None if size is None else size / edges, None, None
        tenth = int(np.argmin(np.abs(np.array(circuit["sizes"]) / edges - 0.1)))
        for measure, shares in (("faithfulness", "restored"), ("random", "random")):
            yield measure, *(each[tenth] for each in _interval(circuit, shares))
        if before is not None and measured(before, "circuit"):
            one, two = ({(u, v) for u, v, *_ in each["circuit"]["strongest"]} for each in (record, before))
            yield "same_edges", len(one & two) / max(1, len(one | two)), None, None


def _alike(one: list[float], two: list[float]) -> float:
    ranks = [pd.Series(values, dtype=float).rank().to_numpy() for values in (one, two)]
    if len(one) != len(two) or any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])
