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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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


def read_record(path: str | os.PathLike) -> dict[str, Any]:
    """The record in a file. Raises OntogenyError if it is none."""
    record = read_json(path)
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise OntogenyError(f"{path} has format {found!r}; this version reads {FORMAT!r}: trace the mechanism again")
    return record


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


def evolution(records: list[dict[str, Any]]) -> pd.DataFrame:
    """All measures on one time axis: columns epoch, step, topic, measure, value, low, high (NaN where there is none).

    Topics: behaviour (auc, accuracy, loss, decoy_accuracy), tokens (deletion_gap, like_untrained, like_pretrained,
    like_before: rank correlation of the samples' attributions with the epoch before), layers (best_probe, last_probe,
    untrained_probe, pretrained_probe: the best in the controls; depth: first layer whose probe reaches half of the way
    from 0.5 to the best), patching (difference; moved: first layer at which patching the token that is read restores
    half), neurons (found, responding, ablation: what ablating takes off the margin, less what random neurons take off),
    circuit (size as a share of all edges, faithfulness at a tenth of the edges, random: the same for random subgraphs,
    same_edges: overlap of the strongest edges with the epoch before, Jaccard).
    """
    rows: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for record in records:

        def add(topic: str, measure: str, value: Any, low: Any = None, high: Any = None, record: Any = record) -> None:
            number = {name: np.nan if x is None else float(x) for name, x in
                      (("value", value), ("low", low), ("high", high))}  # fmt: skip
            rows.append({"epoch": record["epoch"], "step": record["step"], "topic": topic, "measure": measure} | number)

        metrics = record["metrics"]
        for name in ("auc", "accuracy", "loss"):
            add("behaviour", name, metrics[name], metrics[f"{name}_low"], metrics[f"{name}_high"])
        add("behaviour", "decoy_accuracy", *(metrics[f"decoy_accuracy{end}"] for end in ("", "_low", "_high")))
        tokens = record["attribution"]
        add("tokens", "deletion_gap", tokens["gap"], tokens["gap_low"], tokens["gap_high"])
        for control in CONTROLS:
            add("tokens", f"like_{control}", *(tokens[f"like_{control}{end}"] for end in ("", "_low", "_high")))
        if before is not None:
            pairs = zip(record["samples"], before["samples"])
            alike = [
                _alike(one["attribution"], two["attribution"])
                for one, two in pairs
                if one["converged"] and two["converged"]
            ]
            add("tokens", "like_before", np.mean(alike) if alike else None)
        probes = [row["auc"] for row in record["probes"]]
        best = int(np.argmax(probes))
        add("layers", "best_probe", probes[best], record["probes"][best]["auc_low"], record["probes"][best]["auc_high"])
        add("layers", "last_probe", probes[-1], record["probes"][-1]["auc_low"], record["probes"][-1]["auc_high"])
        for control in CONTROLS:
            add("layers", f"{control}_probe", max(row[control] for row in record["probes"]))
        add("layers", "depth", next(i for i, auc in enumerate(probes) if auc - 0.5 >= (probes[best] - 0.5) / 2))
        if measured(record, "patching"):
            patching = record["patching"]
            add(
                "patching",
                "difference",
                patching["difference"],
                patching["difference_low"],
                patching["difference_high"],
            )
            last = [row[patching["roles"].index("read")] for row in patching["restored"]]
            moved = (layer for layer, share in enumerate(last) if share is not None and share >= 0.5)
            add("patching", "moved", next(moved, None))
        if measured(record, "neurons"):
            neurons = record["neurons"]
            add("neurons", "found", neurons["found"])
            add("neurons", "responding", neurons["responding"])
            ablation = neurons["ablation"]
            add(
                "neurons",
                "ablation",
                None if ablation is None else float(np.mean(ablation["random"])) - ablation["ablated"],
            )
        if measured(record, "circuit"):
            circuit = record["circuit"]
            size = circuit["size"]
            add("circuit", "size", None if size is None else size / circuit["edges"])
            tenth = int(np.argmin(np.abs(np.array(circuit["sizes"]) / circuit["edges"] - 0.1)))
            add("circuit", "faithfulness", circuit["restored"][tenth], circuit["restored_low"][tenth],
                circuit["restored_high"][tenth])  # fmt: skip
            add(
                "circuit",
                "random",
                circuit["random"][tenth],
                circuit["random_low"][tenth],
                circuit["random_high"][tenth],
            )
            if before is not None and measured(before, "circuit"):
                one, two = ({(u, v) for u, v, *_ in each["circuit"]["strongest"]} for each in (record, before))
                add("circuit", "same_edges", len(one & two) / max(1, len(one | two)))
        before = record
    return pd.DataFrame(rows, columns=["epoch", "step", "topic", "measure", "value", "low", "high"])


def _alike(one: list[float], two: list[float]) -> float:
    ranks = [pd.Series(values, dtype=float).rank().to_numpy() for values in (one, two)]
    if len(one) != len(two) or any(np.ptp(rank) == 0 for rank in ranks):
        return float("nan")
    return float(np.corrcoef(*ranks)[0, 1])
