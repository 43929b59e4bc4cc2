"""All measures of a judge's mechanism at one moment, as one record of plain numbers (see `ontogeny.judge.record`)."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor

from ontogeny.errors import OntogenyError
from ontogeny.judge.attribution import (
    TOLERANCE,
    DeletionCurve,
    TokenAttribution,
    attribute_tokens,
    deletion_curve,
    occlude_tokens,
    reference_prompts,
)
from ontogeny.judge.circuits import circuit_graph, edge_scores, faithfulness
from ontogeny.judge.epochs import held_out_performance
from ontogeny.judge.layers import layer_activations, layer_probes
from ontogeny.judge.network import neuron_outputs, untrained_like
from ontogeny.judge.neurons import NeuronEffects, ablate_neurons, causal_neurons, neuron_map
from ontogeny.judge.pairs import ROLES, Pairs, minimal_pairs
from ontogeny.judge.patching import Patching, patch_pairs, share_restored
from ontogeny.judge.readings import Readings, read_prompts
from ontogeny.judge.record import FORMAT, QUANTILES, compact
from ontogeny.judge.settings import DEFAULTS, JudgeAnalysisSettings
from ontogeny.models.judge import LABELS, MAX_LENGTH, PAD, Judge, PromptTokenizer, trim
from ontogeny.statistics import bootstrap_mean, bootstrap_weights
from ontogeny.tasks.prompts import Report, automatic_pairs, describe_prompts
from ontogeny.trajectory.checkpoints import tensors_digest

STRONGEST = 40
"""Neurons and edges listed one by one in a record."""

ABLATED = 24
"""Held-out prompts on which neurons are ablated one by one."""

ABLATED_TOGETHER = 16
"""Those of them on which the neurons found are ablated together, and so are as many random sets as are asked for."""

SEPARATELY_SEEDED = {
    "discovery": 1,
    "held_out": 2,
    "pairs": 3,
    "halves": 4,
    "labels": 5,
    "untrained": 6,
    "baselines": 7,
}


Part = dict[str, Any]
"""A part of a record, or `{"reason": sentence}` where it could not be measured."""

Controls = dict[str, Part]
"""The measures of the control judges by name, as `MechanismBench` makes them."""


class MechanismBench:
    """The fixed prompts, pairs and controls on which a judge is measured again and again.

    >>> bench = MechanismBench(judge, tokenizer, prompts)          # doctest: +SKIP
    >>> record = bench.measure(judge, epoch=3)                     # doctest: +SKIP

    model: the judge before it is fine-tuned. It is measured at once, as the control `pretrained`, of what pretraining
    alone has put there; the other control, `untrained`, is a judge of its shape with newly drawn weights. prompts:
    columns prompt, label (0 safe, 1 unsafe), source, group, pair, decoy, split. Probes are trained, neurons chosen and
    attributions start on prompts of the split `train`; everything is judged on `validation`, whose groups are others:
    performance on all of it, the rest on as many safe as unsafe prompts. Where prompts bring no pairs, those that
    differ in one word are paired. report: what the prompts are like, as `describe_prompts` gives it, if it is known.

    A measure that cannot be made, for want of pairs or in an architecture that it does not know, leaves a part that
    gives the reason, and the others stand.

    Raises OntogenyError if a split lacks safe or unsafe prompts.
    """

    def __init__(
        self,
        model: Judge,
        tokenizer: PromptTokenizer,
        prompts: pd.DataFrame,
        settings: JudgeAnalysisSettings | None = None,
        *,
        max_length: int = MAX_LENGTH,
        report: Report | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.settings = settings = settings or DEFAULTS
        of_training = prompts[prompts["split"] == "train"].reset_index(drop=True)
        self.validation = prompts[prompts["split"] == "validation"].reset_index(drop=True)
        train = of_training.iloc[_balanced(of_training, "train", settings.discovery, self._seed("discovery"))]
        self.rows = _balanced(self.validation, "validation", settings.held_out, self._seed("held_out"))
        self.held_out = self.validation.iloc[self.rows].reset_index(drop=True)
        if report is None:
            report = describe_prompts(prompts, tokenizer.lengths(list(prompts["prompt"])), max_length)

        def encoded(frame: pd.DataFrame) -> Tensor:
            return trim(tokenizer.encode(frame["prompt"].tolist(), max_length))

        self.train_tokens, self.train_labels = encoded(train), train["label"].to_numpy(int)
        self.all_tokens = encoded(self.validation)
        self.tokens, self.labels = (
            trim(self.all_tokens[torch.from_numpy(self.rows)]),
            self.held_out["label"].to_numpy(int),
        )
        self.groups = pd.factorize(self.held_out["group"])[0]
        self.fixed = _marks(self.train_tokens)
        self.shown = _shown(self.labels, max(settings.attributed, 2 * settings.samples))
        self.shown_tokens = trim(self.tokens[torch.from_numpy(self.shown)])
        by_label = [np.flatnonzero(self.labels[self.shown] == label) for label in (0, 1)]
        self.first = np.concatenate([places[: settings.samples] for places in by_label])
        self.ablated = _shown(self.labels, ABLATED)
        self.pairs, self.why_no_pairs = self._pairs()
        self.notes = _notes(report, self.held_out, self.validation, self.automatic, max_length)
        model = _on_cpu(model)
        self.pretrained, self.weights = _Look(self, model), tensors_digest(model.state_dict())
        self.untrained = _Look(self, untrained_like(model, self._seed("untrained")))
        twins = {"untrained": self.untrained, "pretrained": self.pretrained}
        self.controls: Controls = {name: self._measures(twin, {}) for name, twin in twins.items()}

    def _seed(self, what: str) -> int:
        return int(np.random.SeedSequence([self.settings.seed, SEPARATELY_SEEDED[what]]).generate_state(1)[0])

    def _pairs(self) -> tuple[Pairs | None, str]:
        paired = automatic_pairs(self.validation)
        self.automatic = bool(paired["pair"].str.startswith("automatic").any())
        try:
            return minimal_pairs(paired, self.all_tokens, self.settings.pairs, self._seed("pairs")), ""
        except OntogenyError as error:
            return None, str(error)

    def measure(self, model: Judge, epoch: int, step: int | None = None, run: str = "") -> dict[str, Any]:
        """The record of `model` at an epoch (`ontogeny.judge.record` says what is in it).

        The model is not changed; one that is on another device is copied to the CPU.
        """
        model = _on_cpu(model)
        look = self.pretrained if tensors_digest(model.state_dict()) == self.weights else _Look(self, model)
        look.model = model
        found = self._measures(look, self.controls)
        graph = circuit_graph(model)
        head = {
            "format": FORMAT,
            "run": run,
            "epoch": int(epoch),
            "step": None if step is None else int(step),
            "layers": len(model.blocks),
            "heads": None if graph is None else graph.heads,
            "frozen_layers": int(model.n_frozen),
            "reads": model.reads,
            "prompts": {
                "train": len(self.train_tokens),
                "balanced": len(self.tokens),
                "validation": len(self.validation),
                "unsafe": int(self.validation["label"].sum()),
            },
            "notes": self.notes,
        }
        return compact(head | {key: value for key, value in found.items() if not key.startswith("_")})

    def _measures(self, look: _Look, controls: Controls) -> Part:
        found: Part = {"metrics": self._metrics(look.readings[1], controls)}
        found |= self._shown(look, controls)
        found["probes"] = self._probes(look, controls)
        parts = {"patching": lambda: self._patching(look, controls)}
        if self.settings.run_advanced:
            parts["neurons"] = lambda: self._neurons(look, controls)
            parts["circuit"] = lambda: self._circuit(look, controls)
        for name, measure in parts.items():
            try:
                found[name] = measure()
            except OntogenyError as error:
                found[name] = {"reason": str(error)}
        return found

    def _metrics(self, held_out: Readings, controls: Controls) -> Part:
        result: Part = held_out_performance(held_out.logits, self.validation)
        decoys = np.array(self.validation["decoy"].fillna(False), dtype=bool)
        some = held_out_performance(held_out.logits[decoys], self.validation[decoys])
        result |= {"decoys": int(decoys.sum())}
        result |= {f"decoy_accuracy{end}": some.get(f"accuracy{end}", float("nan")) for end in ("", "_low", "_high")}
        for name, control in controls.items():
            result[name] = {key: control["metrics"][key] for key in ("accuracy", "auc", "loss")}
        return result

    def _shown(self, look: _Look, controls: Controls) -> Part:
        rows, first, tokens = self.shown, self.first, self.shown_tokens
        found, curves = look.attribution, look.deletion
        sure = found.converged
        gaps = np.array([curve.gap for curve in curves])[sure]
        whole = {"prompts": len(rows), "converged": int(sure.sum()), **_interval("gap", gaps, self.settings.seed)}
        whole["scale"] = float(np.abs(found.values[first][sure[first]]).max(initial=0.0))
        whole["largest_change"] = float(np.abs(found.score - found.baseline_score)[first].max(initial=0.0))
        if not controls:
            return {"attribution": whole, "_attribution": found}
        alike: dict[str, np.ndarray] = {}
        for name, control in controls.items():
            other: TokenAttribution = control["_attribution"]
            both = sure & other.converged
            alike[name] = np.array([_rank_correlation(*pair) for pair in zip(found.values, other.values)])
            alike[name][~both] = np.nan
            whole |= _interval(f"like_{name}", alike[name][np.isfinite(alike[name])], self.settings.seed)
            whole[f"{name}_gap"] = control["attribution"]["gap"]
        norms, lens = look.layers
        samples = []
        for place, index in enumerate(first):
            size = int((tokens[index] != PAD).sum())
            label = int(self.labels[rows[index]])
            curve = curves[index]
            error = 1.96 * curve.by_chance.std(0, ddof=1) / np.sqrt(len(curve.by_chance))
            sample: Part = {
                "name": f"sample_{place}_{LABELS[label]}",
                "label": label,
                "prompt": str(self.held_out["prompt"].iloc[rows[index]]),
                "tokens": self.tokenizer.pieces(tokens[index]),
                "score": found.score[index],
                "baseline_score": found.baseline_score[index],
                "delta": found.delta[index],
                "steps": int(found.steps[index]),
                "converged": bool(sure[index]),
                "attribution": found.values[index, :size],
                "occlusion": look.occlusion[place, :size],
                "deletion": {
                    "removed": curve.removed,
                    "by_attribution": curve.by_attribution,
                    "by_chance": curve.by_chance.mean(0),
                    "by_chance_low": curve.by_chance.mean(0) - error,
                    "by_chance_high": curve.by_chance.mean(0) + error,
                    "gap": curve.gap,
                    "gap_low": curve.gap_low,
                    "gap_high": curve.gap_high,
                },
                "norms": norms[place, :, :size],
                "lens": lens[place, :, :size],
            }
            for name, control in controls.items():
                sample[name] = control["_attribution"].values[index, :size]
                sample[f"like_{name}"] = alike[name][index]
            samples.append(sample)
        return {"samples": samples, "attribution": whole, "_attribution": found}

    def _probes(self, look: _Look, controls: Controls) -> list[Part]:
        probes: list[Part] = [dict(row) for row in look.probes]
        for name, control in controls.items():
            for row, before in zip(probes, control["probes"]):
                row[name] = before["auc"]
        return probes

    def _patching(self, look: _Look, controls: Controls) -> Part:
        pairs = self._the_pairs()
        patching = look.patching
        table = share_restored(patching, seed=self.settings.seed)
        result: Part = {"pairs": len(pairs), "automatic": self.automatic, "roles": list(ROLES), **table}
        swapped = pairs.relabelled(self._seed("labels"))
        sign = np.where((swapped.unsafe == pairs.unsafe).all(1).numpy(), 1.0, -1.0)
        result["shuffled_labels"] = _interval("difference", sign * patching.difference, self.settings.seed)
        names = ("difference", "difference_low", "difference_high", "restored", "distance")
        for control, measures in controls.items():
            result[control] = {name: measures["patching"].get(name) for name in names}
        return result

    def _the_pairs(self) -> Pairs:
        if self.pairs is None:
            raise OntogenyError(self.why_no_pairs)
        return self.pairs

    def _neurons(self, look: _Look, controls: Controls) -> Part:
        settings = self.settings
        neuron_outputs(look.model)
        on_train, held_out = look.readings
        train, other = on_train.neurons, held_out.neurons
        assert train is not None
        assert other is not None
        beyond = [control["neurons"]["_activations"] for control in controls.values()]
        against = np.concatenate(beyond, -1) if beyond else None
        table = neuron_map(
            train,
            self.train_labels,
            other,
            self.labels,
            control=against,
            permutations=settings.permutations,
            alpha=settings.alpha,
            seed=settings.seed,
        )
        areas = table["held_out_auroc"].to_numpy().reshape(train.shape[1], -1)
        (causal, random), null = look.causes
        named = causal.merge(
            table[["layer", "neuron", "auroc", "held_out_auroc", "replicated"]], on=["layer", "neuron"]
        )
        found = named[named["found"]]
        result: Part = {
            "tested": len(table),
            "selective": int((table["p_adjusted"] <= settings.alpha).sum()),
            "least_p": float(table["p_value"].min()),
            "replicated": int(table["replicated"].sum()),
            "responding": int(table["found"].sum()),
            "candidates": len(causal),
            "found": len(found),
            "found_by_layer": [int((found["layer"] == layer).sum()) for layer in range(1, train.shape[1] + 1)],
            "alpha": settings.alpha,
            "prompts": len(self.ablated),
            "random_effects": random,
            "quantiles": np.quantile(areas, QUANTILES, axis=1).T,
            "strongest": named.to_dict("records"),
            "shuffled_labels": int(null["found"].sum()),
            "ablation": None,
            "limit": None,
            "_furthest": float(np.abs(areas - 0.5).max()),
            "_activations": other,
        }
        for name, control in controls.items():
            before = control["neurons"]
            result[name] = {key: before[key] for key in ("replicated", "found", "shuffled_labels", "quantiles")}
            result["limit"] = max(result["limit"] or 0.0, before["_furthest"])
        if controls and len(found):
            labels = self.labels[self.ablated]
            few = _shown(labels, ABLATED_TOGETHER)
            some = trim(self.tokens[torch.from_numpy(self.ablated[few])])
            result["ablation"] = ablate_neurons(
                look.model, some, labels[few], found, settings.ablations, seed=settings.seed
            )
        return result

    def _circuit(self, look: _Look, controls: Controls) -> Part:
        result = dict(look.circuit)
        if not controls:
            return result
        names = ("size", "reason", "difference", "difference_low", "difference_high", "restored", "random")
        for name, control in controls.items():
            result[name] = {key: control["circuit"].get(key) for key in names}
        null = self.untrained.circuit_of_random_labels
        result["untrained_random_labels"] = {key: null.get(key) for key in names}
        return result


class _Look:
    """What is measured of one judge, whatever it is compared with, each measure once and when it is asked for."""

    def __init__(self, bench: MechanismBench, model: Judge) -> None:
        self.bench, self.model = bench, model

    @cached_property
    def readings(self) -> tuple[Readings, Readings]:
        """What the training prompts show, and all validation prompts; layers and neurons of the balanced ones alone."""
        bench, neurons = self.bench, self.bench.settings.run_advanced
        try:
            neuron_outputs(self.model)
        except OntogenyError:
            neurons = False
        train = read_prompts(self.model, bench.train_tokens, neurons=neurons)
        return train, read_prompts(self.model, bench.all_tokens, bench.rows, neurons=neurons)

    @cached_property
    def keep(self) -> Tensor:
        """The tokens of the prompts shown that no attribution replaces."""
        return (self.bench.shown_tokens[..., None] == torch.tensor(self.bench.fixed or [PAD - 1])).any(-1)

    @cached_property
    def baseline(self) -> Tensor:
        """The embeddings from which attributions start, at least as long as the prompts shown."""
        bench, wide = self.bench, self.bench.shown_tokens.shape[1]
        found = reference_prompts(
            self.model, bench.train_tokens, bench.train_labels, bench.settings.baselines, bench._seed("baselines")
        )
        return found if found.shape[1] >= wide else found.repeat(1, -(-wide // found.shape[1]), 1)

    @cached_property
    def attribution(self) -> TokenAttribution:
        steps = self.bench.settings.integration_steps
        return attribute_tokens(
            self.model, self.bench.shown_tokens, self.baseline, keep=self.keep, steps=steps, tolerance=TOLERANCE
        )

    @cached_property
    def deletion(self) -> list[DeletionCurve]:
        return deletion_curve(
            self.model, self.bench.shown_tokens, self.attribution.values, keep=self.keep, orders=5,
            seed=self.bench.settings.seed,
        )  # fmt: skip

    @cached_property
    def occlusion(self) -> np.ndarray:
        """Of the prompts that get pages of their own."""
        first = self.bench.first
        return occlude_tokens(self.model, self.bench.shown_tokens[first], self.baseline, keep=self.keep[first])

    @cached_property
    def layers(self) -> tuple[np.ndarray, np.ndarray]:
        """Norms and logit lens of the prompts that get pages of their own."""
        return layer_activations(self.model, self.bench.shown_tokens[self.bench.first])

    @cached_property
    def probes(self) -> list[dict[str, float]]:
        bench, (train, held_out) = self.bench, self.readings
        return layer_probes(
            train.residuals, bench.train_labels, held_out.residuals, bench.labels, bench.groups,
            bench.settings.shuffles, seed=bench.settings.seed,
        )  # fmt: skip

    @cached_property
    def patching(self) -> Patching:
        return patch_pairs(self.model, self.bench._the_pairs())

    @cached_property
    def causes(self) -> tuple[tuple[pd.DataFrame, np.ndarray], pd.DataFrame]:
        """The causal neurons with the effects of random ones, and what is found where labels are shuffled."""
        bench, settings = self.bench, self.bench.settings
        chosen = _shown(bench.train_labels, 2 * ABLATED)
        discovery = trim(bench.train_tokens[torch.from_numpy(chosen)])
        effects = NeuronEffects(self.model, discovery, trim(bench.tokens[torch.from_numpy(bench.ablated)]))
        rng = np.random.default_rng(bench._seed("labels"))

        def causes(first: np.ndarray, second: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
            return causal_neurons(
                effects, first, second, candidates=settings.candidates, alpha=settings.alpha, seed=settings.seed
            )

        first, second = bench.train_labels[chosen], bench.labels[bench.ablated]
        return causes(first, second), causes(rng.permutation(first), rng.permutation(second))[0]

    @cached_property
    def circuit(self) -> Part:
        return self._circuit(self.bench._the_pairs())

    @cached_property
    def circuit_of_random_labels(self) -> Part:
        return self._circuit(self.bench._the_pairs().relabelled(self.bench._seed("labels")))

    def _circuit(self, pairs: Pairs) -> Part:
        model, settings, graph = self.model, self.bench.settings, circuit_graph(self.model)
        if graph is None:
            raise OntogenyError(
                f"circuits of {type(model.backbone).__name__} cannot be measured: its blocks are not known to be sums "
                "of heads and an MLP"
            )
        scoring, judging = pairs.halves(self.bench._seed("halves"))
        by_pair = edge_scores(model, scoring, settings.edge_steps)
        scores = by_pair.mean(0)
        error = by_pair.std(0, ddof=1) / np.sqrt(len(by_pair)) if len(by_pair) > 1 else np.full_like(scores, np.nan)
        result = faithfulness(
            model,
            judging,
            scores,
            draws=settings.random_subgraphs,
            needed=settings.faithfulness,
            alpha=settings.alpha,
            seed=settings.seed,
        )
        order = np.argsort(-np.abs(scores), kind="stable")[:STRONGEST]
        return {
            "edges": len(scores),
            "nodes": graph.senders[1:],
            "pairs": {"scoring": len(scoring), "judging": len(judging), "automatic": self.bench.automatic},
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
            "needed": settings.faithfulness,
            "size": result.size,
            "reason": result.reason,
            "strongest": [
                [graph.senders[graph.edges[e, 0]], graph.receivers[graph.edges[e, 1]], scores[e], 1.96 * error[e]]
                for e in order
            ],
        }


def _on_cpu(model: Judge) -> Judge:
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


def _balanced(prompts: pd.DataFrame, split: str, count: int, seed: int) -> np.ndarray:
    """Rows of up to `count` of these prompts of a split, half of each label where there are enough, in order."""
    rng = np.random.default_rng(seed)
    labels = prompts["label"].to_numpy()
    sides = [rng.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    for name, side in zip(LABELS, sides):
        if len(side) < 4:
            raise OntogenyError(f"the {split} prompts hold {len(side)} {name} ones; at least 4 are needed")
    take = min(count // 2, *map(len, sides))
    return np.sort(np.concatenate([side[:take] for side in sides]))


def _notes(
    report: Report, balanced: pd.DataFrame, validation: pd.DataFrame, automatic: bool, max_length: int
) -> list[str]:
    """What a reader of any page has to know of the prompts, in sentences."""
    unsafe = int(validation["label"].sum())
    one = report["validation"]
    notes = [
        f"Performance: all {len(validation)} validation prompts, {unsafe} unsafe and {len(validation) - unsafe} safe. "
        f"Probes and neurons: {len(balanced)} of them, half of each label."
    ]
    if len(balanced) < 40:
        notes.append(f"there are only {len(balanced)} prompts: what follows is rough.")
    if one["truncated"]:
        notes.append(
            f"{one['truncated']:.0%} of the validation prompts are longer than {max_length} tokens and are cut."
        )
    near, copied = one["near_duplicates"] or 0.0, one["near_training"] or 0.0
    if near or copied:
        notes.append(
            f"{near:.0%} of the validation prompts nearly repeat another of them, {copied:.0%} a training prompt."
        )
    if automatic:
        notes.append("Pairs were made automatically: a safe and an unsafe prompt of the data that differ in one word.")
    return notes


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
