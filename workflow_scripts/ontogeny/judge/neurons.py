"""Neurons that a judgement depends on, by ablation, and those that tell unsafe from safe, each beside its controls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.judge.network import difference, frozen, hooked, neuron_outputs, read_at, run, run_on
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge, trim
from ontogeny.statistics import adjust, bootstrap_mean, bootstrap_weights, sign_flip_test


def neuron_activations(model: Judge, tokens: Tensor, chunk: int = 256) -> np.ndarray:
    """Activations of all MLP neurons at the last real token, float32 (prompts, layers, neurons)."""
    parts: list[Tensor] = []
    places = neuron_outputs(model)
    with frozen(model), torch.no_grad():
        for part in tokens.split(chunk):
            part = trim(part)
            kept: list[Tensor] = []
            with hooked(*(place.register_forward_pre_hook(_keep_at(read_at(model, part), kept)) for place in places)):
                model(part)
            parts.append(torch.stack(kept, 1).float())
    return torch.cat(parts).numpy()


def _keep_at(last: Tensor, kept: list[Tensor]) -> Any:
    rows = torch.arange(len(last), device=last.device)
    return lambda _, args: kept.append(args[0][rows, last])


def auroc(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of every column of values (prompts, columns) for label 1 against 0; ties count half."""
    ranks = scipy.stats.rankdata(values, axis=0)
    positive = np.asarray(labels) == 1
    up, down = int(positive.sum()), int((~positive).sum())
    return (ranks[positive].sum(0) - up * (up + 1) / 2) / (up * down)


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
    """
    labels, held_out_labels = np.asarray(labels), np.asarray(held_out_labels)
    for what, given in (("labels", labels), ("held-out labels", held_out_labels)):
        if set(np.unique(given)) != {0, 1}:
            raise OntogenyError(
                f"the {what} are {sorted(set(given.tolist()))}: both 0 (safe) and 1 (unsafe) are needed"
            )
    if permutations < 19:
        raise OntogenyError(f"{permutations} permutations are too few: ask for at least 19")
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
                ((value.detach() - mean.to(value)) * slope * real).sum(1).float()
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
    its layer.
    """
    places = neuron_outputs(model)
    result = np.empty((len(neurons), len(tokens)))
    layers = neurons["layer"].to_numpy() - 1
    units = neurons["neuron"].to_numpy()
    with frozen(model), torch.no_grad():
        past = run(model, tokens)
        intact = difference(past.logits).numpy()
        for layer in np.unique(layers):
            rows = np.flatnonzero(layers == layer)
            for some in np.array_split(rows, max(1, -(-len(rows) * len(tokens) // chunk))):
                own = torch.from_numpy(units[some]).repeat(len(tokens))
                hook = places[layer].register_forward_pre_hook(_one_each(own, means[layer]))
                with hooked(hook):
                    copies = past.residuals[layer].repeat_interleave(len(some), 0)
                    found = difference(run_on(model, past, int(layer), copies)).numpy()
                result[some] = intact - found.reshape(len(tokens), len(some)).T
    return result


def _one_each(units: Tensor, means: Tensor) -> Any:
    """Set one neuron in each row of a batch to its mean."""

    def hook(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        changed = args[0].clone()
        if changed.ndim == 2:
            changed = changed.unflatten(0, (len(units), -1))
        changed[torch.arange(len(units)), :, units] = means[units].to(changed.dtype)[:, None]
        return (changed.reshape(args[0].shape), *args[1:])

    return hook


def causal_neurons(
    model: Judge,
    tokens: Tensor,
    labels: np.ndarray,
    held_out: Tensor,
    held_out_labels: np.ndarray,
    *,
    candidates: int = DEFAULTS.candidates,
    alpha: float = DEFAULTS.alpha,
    seed: int = DEFAULTS.seed,
) -> tuple[pd.DataFrame, np.ndarray]:
    """The neurons that the right judgement depends on, one by one, and what neurons drawn at random do.

    All are ranked by their estimated effect on the margin, the logit difference towards the label, over `tokens`. The
    first `candidates` are ablated singly on `held_out`, and as many drawn at random from all. One row per candidate:
    layer (from 1), neuron, estimate, effect (mean fall of the margin, in logits), effect_low, effect_high (95 %
    bootstrap over prompts), p_value (one-sided sign-flip test over prompts), p_adjusted (Benjamini and Hochberg), and
    found: p_adjusted <= alpha, and a greater effect than each of the random ones. Then the effects of the random ones.
    """
    means = mean_activations(model, tokens)
    sign = np.where(np.asarray(labels) == 1, 1.0, -1.0)
    estimate = np.tensordot(sign, estimated_effects(model, tokens, means), 1) / len(sign)
    flat = estimate.ravel()
    count = min(candidates, len(flat))
    first = np.argsort(-flat, kind="stable")[:count]
    drawn = np.random.default_rng(seed).choice(len(flat), count, replace=False)
    width = estimate.shape[1]
    places = np.concatenate([first, drawn])
    table = pd.DataFrame({"layer": places // width + 1, "neuron": places % width, "estimate": flat[places]})
    towards = np.where(np.asarray(held_out_labels) == 1, 1.0, -1.0)
    effects = single_effects(model, held_out, table, means) * towards
    mean, low, high = bootstrap_mean(effects, bootstrap_weights(effects.shape[1], 1000, seed), 0.95)
    p_value = sign_flip_test(effects[:count], "greater", 4999, seed)
    table = table.assign(effect=mean, effect_low=low, effect_high=high).iloc[:count]
    corrected = adjust(p_value, "bh").p_values
    found = (corrected <= alpha) & (mean[:count] > mean[count:].max())
    table = table.assign(p_value=p_value, p_adjusted=corrected, found=found)
    return table.sort_values("effect", ascending=False, kind="stable").reset_index(drop=True), mean[count:]


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
            margin = sign * torch.cat([difference(model(part)) for part in tokens.split(chunk)])
        return float(margin.mean()), float((margin > 0).double().mean())

    with frozen(model), torch.no_grad():
        means = _means(model, tokens, places, chunk)
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
                totals[index] = totals[index] + args[0][real].double().sum(0)

            return hook

        with hooked(*(place.register_forward_pre_hook(adder(index)) for index, place in enumerate(places))):
            model(part)
    return [total / int((tokens >= 0).sum()) for total in totals]
