"""Neurons that tell unsafe from safe: ranked, tested, replicated on other prompts, held against a control, ablated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.judge.network import difference, frozen, hooked, lengths, neuron_outputs
from ontogeny.judge.settings import DEFAULTS
from ontogeny.statistics import adjust


def neuron_activations(model: nn.Module, tokens: Tensor, chunk: int = 256) -> np.ndarray:
    """Activations of all MLP neurons at the last real token, float32 (prompts, layers, neurons)."""
    parts: list[Tensor] = []
    places = neuron_outputs(model)
    with frozen(model), torch.no_grad():
        for part in tokens.split(chunk):
            size = lengths(part)
            part = part[:, : int(size.max())]
            kept: list[Tensor] = []
            with hooked(*(place.register_forward_pre_hook(_keep_at(size - 1, kept)) for place in places)):
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

    One row a neuron: layer, from 1; neuron; auroc; p_value, two-sided, by `permutations` of the labels, each counted
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
                f"the {what} are {sorted(set(given.tolist()))}: both 0 (safe) and 1 (unsafe) are wanted"
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


def ablate_neurons(
    model: nn.Module,
    tokens: Tensor,
    labels: np.ndarray,
    neurons: pd.DataFrame,
    repeats: int = DEFAULTS.ablations,
    seed: int = DEFAULTS.seed,
    chunk: int = 256,
) -> dict[str, Any]:
    """Set `neurons` (columns layer, neuron) to their mean, everywhere, and compare with as many random ones.

    The mean is over all tokens of these prompts. Random sets have as many neurons in each layer, none of them among
    `neurons` where the layer has enough others. Measured is the margin: the logit difference towards the true label,
    averaged over prompts. Returns count, margin (intact), ablated, random (one value a repeat), accuracy,
    accuracy_ablated, accuracy_random, and p_value: the share of random sets, the ablated one included, that lower the
    margin as much.
    """
    places = neuron_outputs(model)
    sign = torch.from_numpy(np.where(np.asarray(labels) == 1, 1.0, -1.0))
    rng = np.random.default_rng(seed)
    own = [np.sort(neurons.loc[neurons["layer"] == layer + 1, "neuron"].to_numpy(int)) for layer in range(len(places))]

    def margins(chosen: list[np.ndarray], means: list[Tensor]) -> tuple[float, float]:
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
        drawn = []
        for _ in range(repeats):
            chosen = []
            for units, mean in zip(own, means):
                others = np.setdiff1d(np.arange(len(mean)), units)
                pool = others if len(others) >= len(units) else np.arange(len(mean))
                chosen.append(np.sort(rng.choice(pool, len(units), replace=False)))
            drawn.append(margins(chosen, means))
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


def _means(model: nn.Module, tokens: Tensor, places: list[nn.Module], chunk: int) -> list[Tensor]:
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
