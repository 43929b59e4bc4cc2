"""All measures of a judge's mechanism at one moment, as one record of plain numbers (see `ontogeny.judge.record`)."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.files import write_json
from ontogeny.judge.attribution import (
    TokenAttribution,
    attribute_tokens,
    batched,
    deletion_curve,
    mean_embedding,
    occlude_tokens,
)
from ontogeny.judge.circuits import circuit_graph, edge_scores, faithfulness
from ontogeny.judge.layers import last_residuals, layer_activations, layer_probes, performance
from ontogeny.judge.network import frozen, untrained_like
from ontogeny.judge.neurons import ablate_neurons, neuron_activations, neuron_map
from ontogeny.judge.pairs import ROLES, minimal_pairs
from ontogeny.judge.patching import patch_pairs, share_restored
from ontogeny.judge.record import FORMAT, QUANTILES, compact
from ontogeny.judge.settings import DEFAULTS, JudgeAnalysisSettings
from ontogeny.models.judge import LABELS, MAX_LENGTH, PAD, Judge, PromptTokenizer, trim
from ontogeny.progress import Progress
from ontogeny.statistics import bootstrap_mean, bootstrap_weights
from ontogeny.trajectory.prompts import judge_data
from ontogeny.trajectory.replay import Trajectory

STRONGEST = 40
"""Neurons and edges listed one by one in a record."""

ABLATED = 96
"""Held-out prompts on which neurons are ablated."""

SEPARATELY_SEEDED = {"discovery": 1, "held_out": 2, "pairs": 3, "halves": 4, "labels": 5, "untrained": 6}


class MechanismBench:
    """The fixed prompts, pairs and controls on which a judge is measured again and again.

    >>> bench = MechanismBench(judge, tokenizer, prompts)          # doctest: +SKIP
    >>> record = bench.measure(judge, epoch=3)                     # doctest: +SKIP

    prompts: columns prompt, label (0 safe, 1 unsafe), group, pair, decoy, split. Probes are trained, neurons chosen and
    the baseline of attributions is taken on prompts of the split `train`; everything is judged on `validation`, whose
    groups are others. The control is a judge with newly drawn weights, measured once, on first use; `model` serves for
    its shape alone.

    Raises OntogenyError if a split lacks safe or unsafe prompts, or matched pairs are fewer than four.
    """

    def __init__(
        self,
        model: Judge,
        tokenizer: PromptTokenizer,
        prompts: pd.DataFrame,
        settings: JudgeAnalysisSettings | None = None,
        *,
        max_length: int = MAX_LENGTH,
    ) -> None:
        self.shape_of, self.tokenizer = model, tokenizer
        self.settings = settings = settings or DEFAULTS
        train = _balanced(prompts, "train", settings.discovery, self._seed("discovery"))
        validation = prompts[prompts["split"] == "validation"].reset_index(drop=True)
        self.held_out = _balanced(prompts, "validation", settings.held_out, self._seed("held_out"))

        def encoded(frame: pd.DataFrame) -> Tensor:
            return trim(tokenizer.encode(frame["prompt"].tolist(), max_length))

        self.train_tokens, self.train_labels = encoded(train), train["label"].to_numpy(int)
        self.tokens, self.labels = encoded(self.held_out), self.held_out["label"].to_numpy(int)
        self.groups = pd.factorize(self.held_out["group"])[0]
        self.fixed = _marks(self.train_tokens)
        self.shown = _shown(self.labels, max(settings.attributed, 2 * settings.samples))
        self.pairs = None
        if settings.run_advanced:
            self.pairs = minimal_pairs(validation, encoded(validation), settings.pairs, self._seed("pairs"))
        self._control: dict[str, Any] | None = None

    def _seed(self, what: str) -> int:
        return int(np.random.SeedSequence([self.settings.seed, SEPARATELY_SEEDED[what]]).generate_state(1)[0])

    @property
    def control(self) -> dict[str, Any]:
        """The same measures of the untrained judge."""
        if self._control is None:
            twin = untrained_like(_on_cpu(self.shape_of), self._seed("untrained"))
            self._control = self._measures(twin, None)
        return self._control

    def measure(self, model: nn.Module, epoch: int, step: int | None = None, run: str = "") -> dict[str, Any]:
        """The record of `model` at an epoch (`ontogeny.judge.record` says what is in it).

        The model is not changed; one that is on another device is copied to the CPU.
        """
        control = self.control
        model = _on_cpu(model)
        found = self._measures(model, control)
        graph = circuit_graph(model)
        head = {
            "format": FORMAT,
            "run": run,
            "epoch": int(epoch),
            "step": None if step is None else int(step),
            "layers": len(model.blocks),
            "heads": None if graph is None else graph.heads,
            "frozen_layers": int(model.n_frozen),
            "prompts": {"train": len(self.train_tokens), "validation": len(self.tokens)},
        }
        return compact(head | {key: value for key, value in found.items() if not key.startswith("_")})

    def _measures(self, model: nn.Module, control: dict[str, Any] | None) -> dict[str, Any]:
        metrics = self._metrics(model)
        if control is not None:
            metrics["untrained"] = {key: control["metrics"][key] for key in ("accuracy", "auc", "loss")}
        shown = self._shown(model, control)
        found = {"metrics": metrics, **shown, "probes": self._probes(model, control)}
        if self.settings.run_advanced:
            found |= {
                "patching": self._patching(model, control),
                "neurons": self._neurons(model, control),
                "circuit": self._circuit(model, control),
            }
        return found

    def _metrics(self, model: nn.Module) -> dict[str, Any]:
        with frozen(model), torch.no_grad():
            logits = batched(model, [row[row != PAD] for row in self.tokens]).double().numpy()
        result = performance(logits, self.labels, self.groups, seed=self.settings.seed)
        decoy = self.held_out["decoy"].fillna(False).to_numpy(bool)
        right = (logits[:, 1] > logits[:, 0]) == (self.labels == 1)
        return result | {
            "decoys": int(decoy.sum()),
            "decoy_accuracy": float(right[decoy].mean()) if decoy.any() else float("nan"),
        }

    def _shown(self, model: nn.Module, control: dict[str, Any] | None) -> dict[str, Any]:
        rows = self.shown
        tokens = trim(self.tokens[torch.from_numpy(rows)])
        keep = (tokens[..., None] == torch.tensor(self.fixed or [PAD - 1])).any(-1)
        baseline = mean_embedding(model, self.train_tokens)
        found = attribute_tokens(
            model, tokens, baseline, keep=keep, steps=self.settings.integration_steps, tolerance=0.05
        )
        curves = deletion_curve(model, tokens, found.values, keep=keep, orders=5, seed=self.settings.seed)
        gaps = np.array([curve.gap for curve in curves])
        whole = {"prompts": len(rows), **_interval("gap", gaps, self.settings.seed)}
        first = np.concatenate(
            [np.flatnonzero(self.labels[rows] == label)[: self.settings.samples] for label in (0, 1)]
        )
        occluded = np.zeros_like(found.values)
        occluded[first] = occlude_tokens(model, tokens[first], baseline, keep=keep[first])
        if control is not None:
            other: TokenAttribution = control["_attribution"]
            alike = np.array([_rank_correlation(*pair) for pair in zip(found.values, other.values)])
            whole |= _interval("like_untrained", alike[np.isfinite(alike)], self.settings.seed)
            whole["untrained_gap"] = control["attribution"]["gap"]
        norms, lens = layer_activations(model, tokens[first])
        samples = []
        for place, index in enumerate(first):
            size = int((tokens[index] != PAD).sum())
            label = int(self.labels[rows[index]])
            curve = curves[index]
            error = 1.96 * curve.by_chance.std(0, ddof=1) / np.sqrt(len(curve.by_chance))
            samples.append(
                {
                    "name": f"sample_{place}_{LABELS[label]}",
                    "label": label,
                    "prompt": str(self.held_out["prompt"].iloc[rows[index]]),
                    "tokens": self.tokenizer.pieces(tokens[index]),
                    "score": found.score[index],
                    "baseline_score": found.baseline_score[index],
                    "delta": found.delta[index],
                    "attribution": found.values[index, :size],
                    "occlusion": occluded[index, :size],
                    "untrained": None if control is None else control["_attribution"].values[index, :size],
                    "like_untrained": None if control is None else alike[index],
                    "deletion": {
                        "removed": curve.removed,
                        "by_attribution": curve.by_attribution,
                        "by_chance": curve.by_chance.mean(0),
                        "by_chance_low": curve.by_chance.mean(0) - error,
                        "by_chance_high": curve.by_chance.mean(0) + error,
                        "gap": curve.gap,
                        "gap_low": curve.gap_low,
                        "gap_high": curve.gap_high,
                        "untrained_gap": None if control is None else control["samples"][place]["deletion"]["gap"],
                    },
                    "norms": norms[place, :, :size],
                    "lens": lens[place, :, :size],
                }
            )
        return {"samples": samples, "attribution": whole, "_attribution": found}

    def _probes(self, model: nn.Module, control: dict[str, Any] | None) -> list[dict[str, Any]]:
        train, other = last_residuals(model, self.train_tokens), last_residuals(model, self.tokens)
        probes = layer_probes(
            train, self.train_labels, other, self.labels, self.groups, self.settings.shuffles, seed=self.settings.seed
        )
        if control is not None:
            for row, untrained in zip(probes, control["probes"]):
                row["untrained"] = untrained["auc"]
        return probes

    def _patching(self, model: nn.Module, control: dict[str, Any] | None) -> dict[str, Any]:
        patching = patch_pairs(model, self.pairs)
        table = share_restored(patching, seed=self.settings.seed)
        result = {"pairs": len(self.pairs), "roles": list(ROLES), **table}
        swapped = self.pairs.relabelled(self._seed("labels"))
        sign = np.where((swapped.unsafe == self.pairs.unsafe).all(1).numpy(), 1.0, -1.0)
        shuffled = _interval("difference", sign * patching.difference, self.settings.seed)
        result["shuffled_labels"] = shuffled
        if control is not None:
            names = ("difference", "difference_low", "difference_high", "restored", "distance")
            result["untrained"] = {name: control["patching"][name] for name in names}
        return result

    def _neurons(self, model: nn.Module, control: dict[str, Any] | None) -> dict[str, Any]:
        train, other = neuron_activations(model, self.train_tokens), neuron_activations(model, self.tokens)
        rng = np.random.default_rng(self._seed("labels"))
        shuffled = rng.permutation(self.train_labels), rng.permutation(self.labels)

        def mapped(labels: np.ndarray, others: np.ndarray, against: np.ndarray | None) -> pd.DataFrame:
            return neuron_map(
                train,
                labels,
                other,
                others,
                control=against,
                permutations=self.settings.permutations,
                alpha=self.settings.alpha,
                seed=self.settings.seed,
            )

        against = None if control is None else control["neurons"]["_activations"]
        table = mapped(self.train_labels, self.labels, against)
        null = mapped(*shuffled, None)
        strongest = table.assign(size=(table["auroc"] - 0.5).abs()).sort_values(
            ["found", "size"], ascending=False, kind="stable"
        )
        held_out = table["held_out_auroc"].to_numpy().reshape(train.shape[1], -1)
        result: dict[str, Any] = {
            "tested": len(table),
            "selective": int((table["p_adjusted"] <= self.settings.alpha).sum()),
            "replicated": int(table["replicated"].sum()),
            "found": int(table["found"].sum()),
            "found_by_layer": table.groupby("layer")["found"].sum().astype(int).tolist(),
            "alpha": self.settings.alpha,
            "quantiles": np.quantile(held_out, QUANTILES, axis=1).T,
            "strongest": strongest.head(STRONGEST).drop(columns="size").to_dict("records"),
            "shuffled_labels": int(null["found"].sum()),
            "ablation": None,
        }
        if control is None:
            return result | {"_limit": np.abs(held_out - 0.5).max(), "_activations": other}
        before = control["neurons"]
        result["untrained"] = {
            "replicated": before["replicated"],
            "random_labels": before["shuffled_labels"],
            "limit": before["_limit"],
            "quantiles": before["quantiles"],
        }
        chosen = strongest[strongest["found"]].groupby("layer").head(train.shape[2] // 2)
        if len(chosen):
            rows = _shown(self.labels, ABLATED)
            result["ablation"] = ablate_neurons(
                model, self.tokens[rows], self.labels[rows], chosen, self.settings.ablations, seed=self.settings.seed
            )
        return result

    def _circuit(self, model: nn.Module, control: dict[str, Any] | None) -> dict[str, Any]:
        graph = circuit_graph(model)
        if graph is None:
            return {"reason": "this architecture does not add heads and MLPs into one residual stream", "size": None}
        result = self._one_circuit(model, graph, self.pairs)
        if control is None:
            null = self._one_circuit(model, graph, self.pairs.relabelled(self._seed("labels")))
            return result | {"random_labels": null}
        wanted = ("size", "reason", "difference", "difference_low", "difference_high", "restored", "random")
        result["untrained"] = {name: control["circuit"].get(name) for name in wanted}
        result["untrained_random_labels"] = {name: control["circuit"]["random_labels"].get(name) for name in wanted}
        return result

    def _one_circuit(self, model: nn.Module, graph: Any, pairs: Any) -> dict[str, Any]:
        scoring, judging = pairs.halves(self._seed("halves"))
        by_pair = edge_scores(model, scoring, self.settings.edge_steps)
        scores = by_pair.mean(0)
        error = by_pair.std(0, ddof=1) / np.sqrt(len(by_pair)) if len(by_pair) > 1 else np.full_like(scores, np.nan)
        result = faithfulness(
            model,
            judging,
            scores,
            draws=self.settings.random_subgraphs,
            wanted=self.settings.faithfulness,
            alpha=self.settings.alpha,
            seed=self.settings.seed,
        )
        order = np.argsort(-np.abs(scores), kind="stable")[:STRONGEST]
        return {
            "edges": len(scores),
            "pairs": {"scoring": len(scoring), "judging": len(judging)},
            "sizes": result.sizes,
            "restored": result.restored,
            "restored_low": result.restored_low,
            "restored_high": result.restored_high,
            "random": result.random.mean(1),
            "random_low": result.random.min(1),
            "random_high": result.random.max(1),
            "p_value": result.p_value,
            "difference": result.difference,
            "difference_low": result.difference_low,
            "difference_high": result.difference_high,
            "difference_p": result.difference_p,
            "wanted": self.settings.faithfulness,
            "size": result.size,
            "reason": result.reason,
            "strongest": [
                [graph.senders[graph.edges[e, 0]], graph.receivers[graph.edges[e, 1]], scores[e], 1.96 * error[e]]
                for e in order
            ],
        }


def _on_cpu(model: nn.Module) -> nn.Module:
    return model if {p.device.type for p in model.parameters()} == {"cpu"} else copy.deepcopy(model).cpu()


def _interval(name: str, values: np.ndarray, seed: int) -> dict[str, float]:
    """Mean of some values with a 95 % bootstrap interval, by name."""
    if not len(values):
        return {name: float("nan"), f"{name}_low": float("nan"), f"{name}_high": float("nan")}
    mean, low, high = bootstrap_mean(values, bootstrap_weights(len(values), 1000, seed), 0.95)
    return {name: float(mean), f"{name}_low": float(low), f"{name}_high": float(high)}


def _rank_correlation(one: np.ndarray, two: np.ndarray) -> float:
    there = (one != 0) | (two != 0)
    one, two = one[there], two[there]
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(two) == 0:
        return float("nan")
    return float(scipy.stats.spearmanr(one, two).statistic)


def _balanced(prompts: pd.DataFrame, split: str, count: int, seed: int) -> pd.DataFrame:
    """Up to `count` prompts of a split, half of them of each label where there are enough, in the order of the file."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero((prompts["split"] == split).to_numpy())
    labels = prompts["label"].to_numpy()[rows]
    sides = [rng.permutation(rows[labels == label]) for label in (0, 1)]
    for name, side in zip(LABELS, sides):
        if len(side) < 4:
            raise OntogenyError(f"the {split} prompts hold {len(side)} {name} ones: at least 4 are wanted")
    take = min(count // 2, *map(len, sides))
    chosen = np.sort(np.concatenate([side[:take] for side in sides]))
    return prompts.iloc[chosen].reset_index(drop=True)


def _marks(tokens: Tensor) -> list[int]:
    """The tokens that all prompts start or end with: marks of the tokenizer, not words."""
    size = (tokens != PAD).sum(1)
    ends = {"start": tokens[:, 0], "end": tokens[torch.arange(len(tokens)), size - 1]}
    return sorted({int(column[0]) for column in ends.values() if len(column) > 1 and bool((column == column[0]).all())})


def _shown(labels: np.ndarray, count: int) -> np.ndarray:
    """As many safe as unsafe prompts, alternating through the list, about `count` of them."""
    each = [np.flatnonzero(labels == label) for label in (0, 1)]
    picked = [side[np.linspace(0, len(side) - 1, min(-(-count // 2), len(side))).astype(int)] for side in each]
    return np.concatenate(picked)


def epochs_looked_at(last: int, interval: int) -> list[int]:
    """Epoch 0 (before fine-tuning), every `interval`-th one, and the last."""
    return sorted({0, *range(0, last + 1, interval), last})


def trace_mechanism(
    trajectory: Trajectory, folder: str | os.PathLike, settings: JudgeAnalysisSettings | None = None
) -> list[Path]:
    """Measure a finished run at its epochs, in one walk along its trajectory, into `folder`/epoch_{N}.json.

    `settings.visualization_interval` epochs lie between records; the first and the last are always measured. Returns
    the paths.
    """
    settings = settings or DEFAULTS
    data = judge_data(trajectory.config["settings"], trajectory.folder)
    per_epoch = trajectory.config["data"]["steps_per_epoch"]
    epochs = epochs_looked_at(trajectory.last_step // per_epoch, settings.visualization_interval)
    progress = Progress(len(epochs), f"mechanism of {trajectory.run}")
    bench: MechanismBench | None = None
    written = []
    for epoch, (step, learner) in zip(epochs, trajectory.walk(epoch * per_epoch for epoch in epochs)):
        if bench is None:
            bench = MechanismBench(learner.model, data.tokenizer, data.prompts, settings, max_length=data.max_length)
        path = Path(folder) / f"epoch_{epoch}.json"
        write_json(path, bench.measure(learner.model, epoch, step, trajectory.run), indent=None)
        written.append(path)
        progress.update(len(written), f"epoch {epoch}")
    return written
