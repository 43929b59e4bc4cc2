"""Interventions in one network at a time: ablation, pruning, noise in activations or weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from ontogeny.errors import OntogenyError
from ontogeny.interventions._common import Bench, table
from ontogeny.interventions.settings import Ablate, NoiseActivations, NoiseWeights, Prune
from ontogeny.models import monitored_layers
from ontogeny.neurons.importance import ablation_importance
from ontogeny.neurons.scores import working_copy
from ontogeny.neurons.sites import chosen_units, find_site, replaced_at, site_values


def ablate(bench: Bench, settings: Ablate) -> pd.DataFrame:
    """Units of a layer set to zero, to their mean, or to their values for other inputs, after the nonlinearity.

    units: `all` together (does the layer matter?), a list of units together, `each` alone (the column `unit`), or an
    empty list, which changes nothing. mode: zero, mean or resample.

    Raises OntogenyError for units one by one in a network that does not classify, and for layers and units that do not
    exist.
    """
    units, mode = settings.units, settings.mode
    rows: list[dict[str, Any]] = []
    for moment in bench.moments(settings.moments):
        for layer in bench.layers(moment, settings.layers):
            if isinstance(units, str) and units == "each":
                if bench.labels.ndim > 1:
                    raise OntogenyError("units: each is for networks that classify: give all, or a list of units")
                rows += _each(bench, moment, layer, mode)
                continue
            model = working_copy(bench.models[moment])
            site = find_site(model, layer, bench.inputs)
            chosen = chosen_units(site, None if isinstance(units, str) else units)
            values = site_values(model, site, bench.inputs, bench.settings.chunk)
            replacement = _replacements(values, mode, bench)
            measured = _with_values(bench, model, site, values, replacement, chosen)
            rows += bench.rows(moment, [measured], layer=site.layer, setting=mode, level=len(chosen) / site.units)
    return table("ablate", rows)


def _each(bench: Bench, moment: str, layer: str, mode: str) -> list[dict[str, Any]]:
    found = ablation_importance(
        bench.models[moment], bench.inputs, bench.labels, layer, mode,
        n_resamples=bench.settings.n_resamples, confidence=bench.settings.confidence, seed=bench.seed,
        chunk=bench.settings.chunk,
    )  # fmt: skip
    loss, right = bench.intact(moment)
    rows = []
    for metric, intact in (("loss", loss.mean()), ("accuracy", right.mean())):
        for unit, change, low, high in zip(
            found["unit"], found[f"{metric}_change"], found[f"{metric}_low"], found[f"{metric}_high"]
        ):
            rows.append(
                {"moment": moment, "layer": layer, "setting": mode, "level": 1 / len(found), "metric": metric,
                 "value": intact + change, "low": intact + low, "high": intact + high, "change": change,
                 "change_low": low, "change_high": high, "intact": intact, "samples": len(bench.inputs),
                 "repeats": 1, "unit": unit}
            )  # fmt: skip
    return rows


def _replacements(values: Tensor, mode: str, bench: Bench) -> Tensor:
    if mode == "zero":
        return torch.zeros_like(values[:1]).expand_as(values)
    if mode == "mean":
        return values.double().mean(0, keepdim=True).to(values.dtype).expand_as(values)
    order = torch.randperm(len(values), generator=bench.generator(1))
    source = torch.empty_like(order)
    source[order] = order.roll(1)
    return values[source]


def _with_values(
    bench: Bench, model: nn.Module, site: Any, values: Tensor, replacement: Tensor, units: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    changed = values.clone()
    if units:
        changed.movedim(site.axis, -1)[..., units] = replacement.movedim(site.axis, -1)[..., units]
    return measure_with(bench, model, site, changed)


def measure_with(bench: Bench, model: nn.Module, site: Any, values: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Loss and correctness of every sample with `values`, (samples, ...), in place of those at the site."""
    place = iter(values.split(bench.settings.chunk))
    with replaced_at(model, site, lambda _: next(place)):
        return bench.measure(model)


def prune_weights(bench: Bench, settings: Prune) -> pd.DataFrame:
    """The accuracy / sparsity curve under pruning by `torch.nn.utils.prune`, without training on.

    method: `magnitude` (smallest |weight|, Han et al. 2015, arXiv:1506.02626); `structured` (whole output units of
    smallest Euclidean norm, Li et al. 2017, arXiv:1608.08710, within each layer); their controls `random` and
    `random_structured`, with `repeats` draws. scope: `global` ranks the weights of all layers together, `layer` within
    each (structured pruning is always within layers). amounts: shares to remove. The column `sparsity` is the share of
    weights that are zero afterwards, as counted; biases stay. The last layer is pruned too, unless `layers` leaves it
    out.
    """
    method, layers = settings.method, settings.layers
    draws = settings.repeats if method.startswith("random") else 1
    rows: list[dict[str, Any]] = []
    for moment in bench.moments(settings.moments):
        chosen = bench.layers(moment, layers)
        for amount in settings.amounts:
            measured, sparsity = [], []
            for draw in range(draws):
                model = working_copy(bench.models[moment])
                targets = _prunable(model, chosen)
                _prune(targets, method, amount, settings.scope, bench, draw)
                zeros = sum(int((getattr(module, name) == 0).sum()) for module, name in targets)
                sparsity.append(zeros / sum(getattr(module, name).numel() for module, name in targets))
                measured.append(bench.measure(model))
            rows += bench.rows(
                moment, measured, layer=",".join(chosen) if layers is not None else "all", setting=method, level=amount,
                sparsity=float(np.mean(sparsity)),
            )  # fmt: skip
    return table("prune", rows)


def _prunable(model: nn.Module, layers: list[str]) -> list[tuple[nn.Module, str]]:
    targets = []
    for layer in monitored_layers(model, layers):
        for module in layer.module.modules():
            targets += [(module, name) for name, value in module.named_parameters(recurse=False) if value.ndim >= 2]
    if not targets:
        raise OntogenyError(f"the layers {', '.join(layers)} hold no weight matrix to prune: name others")
    return targets


def _prune(
    targets: list[tuple[nn.Module, str]], method: str, amount: float, scope: str, bench: Bench, draw: int
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(bench.generator(2, draw).initial_seed() % 2**63)
        if method in ("magnitude", "random") and scope == "global":
            kind = prune.L1Unstructured if method == "magnitude" else prune.RandomUnstructured
            prune.global_unstructured(targets, pruning_method=kind, amount=amount)
        for module, name in targets:
            if method == "structured":
                prune.ln_structured(module, name, amount=amount, n=2, dim=0)
            elif method == "random_structured":
                prune.random_structured(module, name, amount=amount, dim=0)
            elif scope == "layer":
                (prune.l1_unstructured if method == "magnitude" else prune.random_unstructured)(module, name, amount)
            prune.remove(module, name)


def noise_activations(bench: Bench, settings: NoiseActivations) -> pd.DataFrame:
    """The loss as Gaussian noise is added to a layer's activations, after the nonlinearity, one layer at a time.

    levels: standard deviation of the noise in units of the layer's own (root mean square over units of their standard
    deviations over samples and positions). Intervals are over samples and `repeats` draws of noise.
    """
    rows: list[dict[str, Any]] = []
    for moment in bench.moments(settings.moments):
        for place, layer in enumerate(bench.layers(moment, settings.layers)):
            model = working_copy(bench.models[moment])
            site = find_site(model, layer, bench.inputs)
            values = site_values(model, site, bench.inputs, bench.settings.chunk)
            by_unit = values.movedim(site.axis, -1).reshape(-1, site.units).double()
            scale = float(by_unit.var(0, unbiased=False).mean().sqrt())
            for level in settings.levels:
                measured = []
                for draw in range(settings.repeats if level else 1):
                    noise = torch.randn(values.shape, generator=bench.generator(3, place, draw), dtype=values.dtype)
                    measured.append(measure_with(bench, model, site, values + level * scale * noise))
                rows += bench.rows(moment, measured, layer=site.layer, setting="gaussian", level=level)
    return table("noise_activations", rows)


def noise_weights(bench: Bench, settings: NoiseWeights) -> pd.DataFrame:
    """The loss as Gaussian noise is added to the weights (parameters of two or more axes; not biases, not norms).

    levels: standard deviation of the noise in units of each tensor's root mean square. together: noise in all layers at
    once, or else in one layer at a time. Intervals are over samples and `repeats` draws of noise.
    """
    together, layers = settings.together, settings.layers
    rows: list[dict[str, Any]] = []
    for moment in bench.moments(settings.moments):
        chosen = bench.layers(moment, layers)
        groups = [chosen] if together else [[layer] for layer in chosen]
        for place, group in enumerate(groups):
            for level in settings.levels:
                measured = []
                for draw in range(settings.repeats if level else 1):
                    model = working_copy(bench.models[moment])
                    generator = bench.generator(4, place, draw)
                    for module, name in _prunable(model, group):
                        weight = getattr(module, name)
                        noise = torch.randn(weight.shape, generator=generator, dtype=weight.dtype)
                        size = weight.detach().double().square().mean().sqrt().to(weight.dtype)
                        weight.data.add_(noise * (level * size))
                    measured.append(bench.measure(model))
                name = "all" if together and layers is None else ",".join(group)
                rows += bench.rows(moment, measured, layer=name, setting="gaussian", level=level)
    return table("noise_weights", rows)
