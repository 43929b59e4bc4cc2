"""Neurons that a judgement depends on, by ablation, and those that tell unsafe from safe, each beside its controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.network import (
    by_prompt,
    difference,
    first,
    frozen,
    hooked,
    neuron_outputs,
    parts_of,
    run,
    run_on,
    tensor_of,
)
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge, trim
from ontogeny.statistics import adjust, auroc, bootstrap_mean, bootstrap_weights, sign_flip_test


@checks_arguments
def neuron_map(
    activations: np.ndarray,
    labels: np.ndarray,
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    *,
    control: np.ndarray | None = None,
    permutations: int = DEFAULTS.permutations,
    alpha: float = DEFAULTS.alpha,
    seed: int = DEFAULTS.seed,
) -> pd.DataFrame:
    """Every MLP neuron's AUROC for unsafe against safe, and whether it is one that can be called so.

    activations (prompts, layers, neurons) as from `neuron_activations`, labels 0 or 1; held_out the same for prompts
    of other templates; control: held-out activations of an untrained judge (same shape as held_out).

    One row per neuron: layer, from 1; neuron; auroc; p_value, two-sided, by `permutations` of the labels, each counted
    for all neurons together: standardised for ties, the rank sum of every neuron has the same distribution under random
    labels, so that p-values go down to 1 / (permutations x neurons); p_adjusted, Benjamini and Hochberg (1995);
    held_out_auroc; replicated: p_adjusted <= alpha, the same direction held out, and the held-out p-values of these
    neurons, corrected likewise, <= alpha; found: replicated and, with a control, further from 0.5 on the held-out
    prompts than every neuron of the untrained judge. Features drawn at random answer to words too, which is why the
    label test alone does not do.

    Raises OntogenyError for fewer than 19 permutations, and labels of one kind alone.
    """
    labels, held_out_labels = np.asarray(labels), np.asarray(held_out_labels)
    for what, given in (("labels", labels), ("held-out labels", held_out_labels)):
        if set(np.unique(given)) != {0, 1}:
            raise OntogenyError(
                f"the {what} are {sorted(set(given.tolist()))}: both 0 (safe) and 1 (unsafe) are needed"
            )
    if permutations < 19:
        raise OntogenyError(f"{permutations} permutations are too few: ask for at least 19")
    for values, given in ((activations, labels), (held_out, held_out_labels)):
        if values.ndim != 3 or len(values) != len(given):
            raise OntogenyError(
                f"activations of shape {values.shape} and labels of shape {given.shape}: give (prompts, layers, "
                "width), and a label for each prompt"
            )
    _, layers, width = activations.shape
    rng = np.random.default_rng(seed)
    area, p_value = _tested(activations.reshape(len(labels), -1), labels, permutations, rng)
    other, other_p = _tested(held_out.reshape(len(held_out_labels), -1), held_out_labels, permutations, rng)
    corrected = adjust(p_value, "bh").p_values
    chosen = corrected <= alpha
    again = adjust(np.where(chosen, other_p, np.nan), "bh").p_values
    replicated = chosen & (again <= alpha) & (np.sign(area - 0.5) == np.sign(other - 0.5))
    found = replicated
    if control is not None:
        limit = np.abs(auroc(control.reshape(len(held_out_labels), -1), held_out_labels) - 0.5).max()
        found = replicated & (np.abs(other - 0.5) > limit)
    return pd.DataFrame(
        {
            "layer": np.repeat(np.arange(1, layers + 1), width),
            "neuron": np.tile(np.arange(width), layers),
            "auroc": area,
            "p_value": p_value,
            "p_adjusted": corrected,
            "held_out_auroc": other,
            "held_out_p_adjusted": again,
            "replicated": replicated,
            "found": found,
        }
    )


def _tested(
    values: np.ndarray, labels: np.ndarray, permutations: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and two-sided permutation p-value of every column."""
    ranks = scipy.stats.rankdata(values, axis=0).astype(np.float32)
    count, up = len(labels), int((labels == 1).sum())
    centred = ranks - np.float32((count + 1) / 2)
    spread = np.sqrt(up * (count - up) / (count * (count - 1)) * (centred.astype(np.float64) ** 2).sum(0))
    varies = spread > 0
    observed = (labels == 1).astype(np.float64) @ centred
    area = 0.5 + observed / (up * (count - up))
    score = np.abs(np.divide(observed, spread, out=np.zeros_like(spread), where=varies))
    drawn = np.stack([rng.permutation(labels == 1) for _ in range(permutations)]).astype(np.float32)
    null = np.abs((drawn @ centred[:, varies]) / spread[varies].astype(np.float32)).ravel()
    null.sort()
    at_least = len(null) - np.searchsorted(null, (score * (1 - 1e-6)).astype(np.float32), side="left")
    return area, np.where(varies, (1 + at_least) / (1 + len(null)), np.nan)


Means = list[Tensor]


def mean_activations(model: Judge, tokens: Tensor, chunk: int = 256) -> Means:
    """The mean activation of every MLP neuron over all tokens of these prompts, one tensor (neurons,) per layer."""
    places = neuron_outputs(model)
    with frozen(model), torch.no_grad():
        return _means(model, tokens, places, chunk)


def estimated_effects(model: Judge, tokens: Tensor, means: Means, chunk: int = 64) -> np.ndarray:
    """How much the logit difference falls when one neuron is set to its mean everywhere, estimated for all at once.

    Float32 (prompts, layers, neurons): the gradient at the activation times what would be taken from it, summed over
    tokens, which is attribution patching (Syed et al. 2023, arXiv:2310.10348, sec. 2).
    """
    places = neuron_outputs(model)
    parts = []
    with frozen(model):
        for part in tokens.split(chunk):
            part = trim(part)
            kept: list[Tensor] = []
            hooks = [place.register_forward_pre_hook(_watched(kept)) for place in places]
            with hooked(*hooks), torch.enable_grad():
                embeddings = model.embedding(part.clamp_min(0)).detach().requires_grad_()
                total = difference(model.forward_embedded(embeddings, part != PAD)).sum()
            slopes = torch.autograd.grad(total, kept)
            real = (part != PAD)[..., None]
            layers = [
                (by_prompt((value.detach() - mean.to(value)) * slope, len(part)) * real).sum(1).float()
                for value, slope, mean in zip(kept, slopes, means)
            ]
            parts.append(torch.stack(layers, 1))
    return torch.cat(parts).numpy()


def _watched(kept: list[Tensor]) -> Any:
    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        kept.append(args[0])

    return hook


def single_effects(model: Judge, tokens: Tensor, neurons: pd.DataFrame, means: Means, chunk: int = 256) -> np.ndarray:
    """How much the logit difference falls when one neuron is set to its mean everywhere, float64 (neurons, prompts).

    `neurons` has the columns layer (from 1) and neuron. Exact: each is ablated by itself, and the judge goes on from
    its layer, or, where a block is the sum of its parts, from the one after it.
    """
    result = np.empty((len(neurons), len(tokens)))
    layers = neurons["layer"].to_numpy() - 1
    units = neurons["neuron"].to_numpy()
    with frozen(model), torch.no_grad():
        past = _Sums(model, tokens)
        intact = difference(past.run.logits).numpy()
        for layer in np.unique(layers):
            rows = np.flatnonzero(layers == layer)
            for some in np.array_split(rows, max(1, -(-len(rows) * len(tokens) // chunk))):
                found = difference(past.without(int(layer), torch.from_numpy(units[some]), means[layer])).numpy()
                result[some] = intact - found.reshape(len(tokens), len(some)).T
    return result


class _Sums:
    """A run over prompts from which single neurons can be taken out."""

    def __init__(self, model: Judge, tokens: Tensor) -> None:
        self.model, self.places, self.parts = model, neuron_outputs(model), parts_of(model)
        self.active: list[Tensor] = []
        self.sums: list[Tensor] = []
        wrote: list[Tensor] = []
        put_out: list[Tensor] = []
        hooks = [place.register_forward_pre_hook(_watched(self.active)) for place in self.places]
        hooks += [place.register_forward_hook(_put_out(wrote)) for place in self.places]
        hooks += [part.mlp_writes.register_forward_hook(_put_out(put_out)) for part in self.parts or ()]
        hooks += [part.after_mlp.register_forward_pre_hook(_watched(self.sums)) for part in self.parts or ()]
        with hooked(*hooks):
            self.run = run(model, tokens)
        self.active = [by_prompt(active, len(tokens)) for active in self.active]
        if len(put_out) != len(wrote) or not all(map(torch.equal, wrote, put_out)):
            self.parts = None

    def without(self, layer: int, units: Tensor, means: Tensor) -> Tensor:
        """Logits with each of `units` of a layer set to its mean, for every prompt in turn, (prompts x units, 2)."""
        place, known, run_before = self.places[layer], self.parts, self.run
        prompts = len(run_before.last)
        if known is None:
            hook = place.register_forward_pre_hook(_one_each(units.repeat(prompts), means))
            with hooked(hook):
                copies = run_before.residuals[layer].repeat_interleave(len(units), 0)
                return run_on(self.model, run_before, layer, copies)
        weight = tensor_of(place, "weight")
        out = weight[:, units].T if isinstance(place, nn.Linear) else weight[units]
        active = self.active[layer][..., units]
        change = (means[units].to(active) - active).transpose(1, 2)[..., None] * out[:, None]
        normed = known[layer].order == "normed"
        before = self.sums[layer] if normed else run_before.residuals[layer + 1]
        after = (before[:, None] + change).flatten(0, 1)
        return run_on(self.model, run_before, layer + 1, known[layer].after_mlp(after) if normed else after)


def _put_out(kept: list[Tensor]) -> Any:
    """Copies, since some blocks add to an MLP's output in place (Falcon)."""
    return lambda _, __, output: kept.append(first(output).clone())


def _one_each(units: Tensor, means: Tensor) -> Any:
    """Set one neuron in each row of a batch to its mean."""

    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        changed = by_prompt(args[0].clone(), len(units))
        changed[torch.arange(len(units)), :, units] = means[units].to(changed.dtype)[:, None]
        return (changed.reshape(args[0].shape), *args[1:])

    return hook


class NeuronEffects:
    """What single neurons of a judge do to the logit difference, each ablated once, whatever labels are asked about.

    estimates: `estimated_effects` over `tokens`. Exact effects are measured on `held_out`.
    """

    def __init__(self, model: Judge, tokens: Tensor, held_out: Tensor) -> None:
        self.model, self.held_out = model, held_out
        self.means = mean_activations(model, tokens)
        self.estimates = estimated_effects(model, tokens, self.means)
        self._known: dict[tuple[int, int], np.ndarray] = {}

    def exact(self, neurons: pd.DataFrame) -> np.ndarray:
        """`single_effects` of these neurons, (neurons, prompts)."""
        names = list(zip(neurons["layer"].astype(int), neurons["neuron"].astype(int)))
        new = sorted(set(names) - self._known.keys())
        if new:
            table = pd.DataFrame(new, columns=["layer", "neuron"])
            self._known |= dict(zip(new, single_effects(self.model, self.held_out, table, self.means)))
        return np.stack([self._known[name] for name in names])


@checks_arguments
def causal_neurons(
    effects: NeuronEffects,
    labels: np.ndarray,
    held_out_labels: np.ndarray,
    *,
    candidates: int = DEFAULTS.candidates,
    alpha: float = DEFAULTS.alpha,
    seed: int = DEFAULTS.seed,
) -> tuple[pd.DataFrame, np.ndarray]:
    """The neurons that the right judgement depends on, one by one, and what neurons drawn at random do.

    All are ranked by their estimated effect on the margin, the logit difference towards the label, over the prompts of
    `labels`. The first `candidates` are ablated singly on the held-out ones, and as many drawn at random from all. One
    row per candidate: layer (from 1), neuron, estimate, effect (mean fall of the margin, in logits), effect_low,
    effect_high (95 % bootstrap over prompts), p_value (one-sided sign-flip test over prompts), p_adjusted (Benjamini
    and Hochberg), and found: p_adjusted <= alpha, and a greater effect than each of the random ones. Then the effects
    of the random ones.
    """
    sign = np.where(np.asarray(labels) == 1, 1.0, -1.0)
    estimate = np.tensordot(sign, effects.estimates, 1) / len(sign)
    flat = estimate.ravel()
    count = min(candidates, len(flat))
    first_ones = np.argsort(-flat, kind="stable")[:count]
    drawn = np.random.default_rng(seed).choice(len(flat), count, replace=False)
    width = estimate.shape[1]
    places = np.concatenate([first_ones, drawn])
    table = pd.DataFrame({"layer": places // width + 1, "neuron": places % width, "estimate": flat[places]})
    towards = np.where(np.asarray(held_out_labels) == 1, 1.0, -1.0)
    found_effects = effects.exact(table) * towards
    mean, low, high = bootstrap_mean(found_effects, bootstrap_weights(found_effects.shape[1], 1000, seed), 0.95)
    p_value = sign_flip_test(found_effects[:count], "greater", 4999, seed)
    table = table.assign(effect=mean, effect_low=low, effect_high=high).iloc[:count]
    corrected = adjust(p_value, "bh").p_values
    found = (corrected <= alpha) & (mean[:count] > mean[count:].max())
    table = table.assign(p_value=p_value, p_adjusted=corrected, found=found)
    return table.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True), mean[count:]


@checks_arguments
def ablate_neurons(
    model: Judge,
    tokens: Tensor,
    labels: np.ndarray,
    neurons: pd.DataFrame,
    repeats: int = DEFAULTS.ablations,
    seed: int = DEFAULTS.seed,
    chunk: int = 256,
) -> dict[str, Any]:
    """Set `neurons` (columns layer, neuron) to their mean, everywhere, and compare with as many random ones.

    The mean is over all tokens of these prompts. A random set has as many neurons in each layer, drawn from all of that
    layer. Measured is the margin: the logit difference towards the true label, averaged over prompts. Returns count,
    margin (intact), ablated, random (one value per set), accuracy, accuracy_ablated, accuracy_random, and p_value: the
    share of random sets, the ablated one included, that lower the margin as much, which is at least 1 / (repeats + 1).
    """
    places = neuron_outputs(model)
    sign = torch.from_numpy(np.where(np.asarray(labels) == 1, 1.0, -1.0))
    rng = np.random.default_rng(seed)
    own = [np.sort(neurons.loc[neurons["layer"] == layer + 1, "neuron"].to_numpy(int)) for layer in range(len(places))]

    def margins(chosen: list[np.ndarray], means: Means) -> tuple[float, float]:
        def setter(units: Tensor, values: Tensor) -> Any:
            def hook(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
                changed = args[0].clone()
                changed[..., units] = values[units].to(changed.dtype)
                return (changed, *args[1:])

            return hook

        hooks = [
            place.register_forward_pre_hook(setter(torch.from_numpy(units), mean))
            for place, units, mean in zip(places, chosen, means)
            if len(units)
        ]
        with hooked(*hooks):
            margin = sign * torch.cat([difference(run_on(model, past, start, past.residuals[start])) for past in pasts])
        return float(margin.mean()), float((margin > 0).double().mean())

    with frozen(model), torch.no_grad():
        means = _means(model, tokens, places, chunk)
        pasts = [run(model, part) for part in tokens.split(chunk)]
        start = next((layer for layer, units in enumerate(own) if len(units)), len(own))
        intact = margins([], [])
        ablated = margins(own, means)
        drawn = [
            margins(
                [np.sort(rng.choice(len(mean), len(units), replace=False)) for units, mean in zip(own, means)], means
            )
            for _ in range(repeats)
        ]
    lower = sum(value[0] <= ablated[0] for value in drawn)
    return {
        "count": int(sum(map(len, own))),
        "margin": intact[0],
        "ablated": ablated[0],
        "random": [value[0] for value in drawn],
        "accuracy": intact[1],
        "accuracy_ablated": ablated[1],
        "accuracy_random": [value[1] for value in drawn],
        "p_value": (1 + lower) / (1 + repeats),
    }


def _means(model: Judge, tokens: Tensor, places: list[nn.Module], chunk: int) -> list[Tensor]:
    totals: list[Any] = [0.0] * len(places)
    for part in tokens.split(chunk):
        real = part >= 0

        def adder(index: int, real: Tensor = real) -> Any:
            def hook(_: nn.Module, args: tuple[Tensor, ...]) -> None:
                totals[index] = totals[index] + by_prompt(args[0], len(real))[real].double().sum(0)

            return hook

        with hooked(*(place.register_forward_pre_hook(adder(index)) for index, place in enumerate(places))):
            model(part)
    return [total / int((tokens >= 0).sum()) for total in totals]
