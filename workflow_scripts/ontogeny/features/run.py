"""What the networks of a run look at and for, at its captured moments: one file of pictures, and tidy tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import h5py
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ontogeny.activations.networks import (
    Place,
    networks_at,
    places,
    probe_of,
    spread_over_classes,
    untrained_networks,
)
from ontogeny.errors import OntogenyError
from ontogeny.features.attention import attention_maps, attention_rollout, head_statistics
from ontogeny.features.attribution import METHODS, cascade, cascading_control
from ontogeny.features.filters import filter_evolution, first_layer_filters, preferred_input, top_inputs
from ontogeny.features.settings import FeatureSettings
from ontogeny.files import write_hdf5
from ontogeny.jumps.plan import Moment
from ontogeny.models import detect_architecture
from ontogeny.neurons.importance_run import hidden_layers
from ontogeny.neurons.scores import scores_of
from ontogeny.neurons.sites import unit_activations
from ontogeny.progress import Progress
from ontogeny.statistics import bootstrap_mean, bootstrap_weights
from ontogeny.trajectory import Trajectory

logger = logging.getLogger("ontogeny")

FORMAT = "ontogeny-features/1"
TOP = 8
"""Inputs kept for every unit."""
HEADS = [
    "moment", "kind", "role", "step", "jump", "control", "layer", "head", "samples", "tokens", "entropy",
    "entropy_low", "entropy_high", "relative_entropy", "relative_entropy_low", "relative_entropy_high",
    "specialisation", "specialisation_low", "specialisation_high", "peak", "peak_low", "peak_high",
]  # fmt: skip


def features_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    path: str | os.PathLike,
    settings: FeatureSettings | None = None,
) -> dict[str, pd.DataFrame]:
    """Write what the networks of a run look at, at start, jumps and end, to the HDF5 file `path`; return the tables.

    The file: `inputs`, `labels` (the explained samples); a group a moment with `attribution/{method}` (samples,
    channels, height, width), `filters` (filters, channels, height, width), and, where there is attention,
    `attention/{number}` (the probe's mean: heads, queries, keys), `rollout` (samples, queries, tokens) and
    `rollout_picture` (samples, 1, height, width) where tokens are pieces of the image; `preferred/{layer}/{unit}`, the
    inputs made at the end; `shown`, the inputs that `top_inputs` names, by its column `picture`.

    Tables: `attributions` (one row per moment, method and sample: class, score, prediction, and baseline and delta of
    Integrated Gradients); `attribution_control` (`cascading_control` at the end); `heads` (`head_statistics` at every
    moment and of an untrained network); `filters` (`filter_evolution`); `top_inputs` (of the units of each layer that
    vary most over the probe); `top_inputs_control` (share of a unit's top inputs that are of one class: in the network,
    an untrained one, and under shuffled labels); `preferred_inputs`; `left_out` (what this network does not allow, and
    why). Tables without rows have their columns.

    Raises OntogenyError if captum is missing, or a method that was named is not possible.
    """
    if find_spec("captum") is None:
        raise OntogenyError("attribution needs captum, which is not installed: pip install 'ontogeny[explain]'")
    settings = settings or FeatureSettings()
    seed = settings.seed
    inputs, labels = probe_of(trajectory)
    chosen = spread_over_classes(labels, settings.samples)
    explained = _Explained(inputs[chosen], labels[chosen], chosen)
    shown = places(moments)
    networks = networks_at(trajectory, [place.step for place in shown])
    end = networks[shown[-1].step]
    fresh = untrained_networks(trajectory, 1, seed)[0]
    left_out: list[dict[str, str]] = []
    methods = _possible(end, explained, settings, left_out)
    attributions: list[pd.DataFrame] = []
    attended: list[pd.DataFrame] = []
    progress = Progress(len(shown) + 3, f"features of {trajectory.run}")
    by_name = {place.name: networks[place.step] for place in shown}
    with write_hdf5(path) as file:
        file.attrs["format"] = FORMAT
        file.attrs["run"] = trajectory.run
        file.attrs["identity"] = trajectory.config["identity"]
        _keep(file, "inputs", explained.inputs.numpy())
        _keep(file, "labels", explained.labels.numpy())
        for done, place in enumerate(shown, start=1):
            group = file.create_group(place.name)
            group.attrs["step"] = place.step
            attributions += _attributions(group, networks[place.step], place, explained, methods)
            attended += _attention(group, networks[place.step], inputs, chosen, place, seed, left_out)
            progress.update(done, place.name)
        heads = _joined(attended)
        if len(heads):
            idle = head_statistics(attention_maps(fresh, inputs), seed=seed).assign(control="untrained")
            heads = pd.concat([heads, idle], ignore_index=True)[HEADS]
        rolled = "rollout" in file[shown[-1].name]
        filters = _filters(file, by_name, tuple(inputs.shape[1:]), left_out)
        tops, control, preferred = _inputs(file, end, fresh, inputs, labels, trajectory.layers, settings)
        progress.update(len(shown) + 1, "preferred inputs")
    cascades = _cascades(end, fresh, explained, methods, rolled, seed)
    progress.update(progress.total, "controls")
    steps = {place.name: place.step for place in shown}
    return {
        "attributions": _joined(attributions),
        "attribution_control": cascades,
        "heads": heads if len(heads) else pd.DataFrame(columns=HEADS),
        "filters": filters.assign(step=filters["moment"].map(steps)) if len(filters) else filters,
        "top_inputs": tops,
        "top_inputs_control": control,
        "preferred_inputs": preferred,
        "left_out": pd.DataFrame(left_out, columns=["analysis", "reason"]).drop_duplicates("analysis"),
    }


class _Explained(NamedTuple):
    """The samples that are explained: inputs (n, channels, height, width), labels (n,), places in the probe (n,)."""

    inputs: Tensor
    labels: Tensor
    places: Tensor


def _possible(
    network: nn.Module, explained: _Explained, settings: FeatureSettings, left_out: list[dict[str, str]]
) -> dict[str, dict[str, Any]]:
    """The methods that this network allows, with their settings; a method that was named must be among them."""
    known: dict[str, dict[str, Any]] = {
        "saliency": {},
        "smoothgrad": {"noisy_copies": settings.noisy_copies, "seed": settings.seed},
        "integrated_gradients": {"baseline": settings.baseline, "steps": settings.integrated_steps},
        "grad_cam": {},
    }
    found = {}
    for method in METHODS if settings.methods is None else settings.methods:
        try:
            METHODS[method](network, explained.inputs[:1], explained.labels[:1], **known[method])
        except OntogenyError as error:
            if settings.methods is not None:
                raise OntogenyError(f"features.methods names {method}: {error}") from None
            left_out.append({"analysis": method, "reason": str(error)})
            continue
        found[method] = known[method]
    return found


def _attributions(
    group: h5py.Group, network: nn.Module, place: Place, explained: _Explained, methods: Mapping[str, dict[str, Any]]
) -> Iterator[pd.DataFrame]:
    """Keep the pictures of every method in `group`, and yield its rows, one for each sample."""
    predicted = scores_of(network, explained.inputs).argmax(1).numpy()
    for method, settings in methods.items():
        found = METHODS[method](network, explained.inputs, explained.labels, **settings)
        _keep(group, f"attribution/{method}", found.values.astype(np.float32))
        yield pd.DataFrame(
            {**place.columns(), "method": method, "sample": explained.places.numpy(),
             "label": explained.labels.numpy(), "predicted": predicted, "score": found.scores,
             "baseline": found.baseline, "delta": np.nan if found.delta is None else found.delta}
        )  # fmt: skip


def _cascades(
    network: nn.Module,
    fresh: nn.Module,
    explained: _Explained,
    methods: Mapping[str, dict[str, Any]],
    rolled: bool,
    seed: int,
) -> pd.DataFrame:
    """`cascading_control` of every method, and of attention rollout if it was `rolled`."""
    parts = []
    for method, settings in methods.items():
        if method == "smoothgrad":
            settings = {"noisy_copies": min(settings["noisy_copies"], 8)}
        parts.append(
            cascading_control(method, network, fresh, explained.inputs, explained.labels, seed=seed, **settings)
        )
    if rolled:
        of_rollout = cascade(
            lambda network: attention_rollout(attention_maps(network, explained.inputs)), network, fresh, seed=seed
        )
        parts.append(of_rollout.assign(method="attention_rollout"))
    return _joined(parts)


def _keep(group: h5py.Group, name: str, values: np.ndarray) -> None:
    group.create_dataset(name, data=values, compression="gzip", compression_opts=4, shuffle=True)


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _attention(
    group: h5py.Group,
    network: nn.Module,
    inputs: Tensor,
    chosen: Tensor,
    place: Place,
    seed: int,
    left_out: list[dict[str, str]],
) -> list[pd.DataFrame]:
    try:
        maps = attention_maps(network, inputs)
    except OntogenyError as error:
        left_out.append({"analysis": "attention", "reason": str(error)})
        return []
    for number, (layer, weights) in enumerate(maps.items()):
        _keep(group, f"attention/{number}", weights.mean(0))
        group[f"attention/{number}"].attrs["layer"] = layer
    try:
        rolled = attention_rollout({layer: weights[chosen.numpy()] for layer, weights in maps.items()})
        _keep(group, "rollout", rolled.astype(np.float32))
        picture = rollout_picture(network, rolled, tuple(inputs.shape[1:]))
        if picture is not None:
            _keep(group, "rollout_picture", picture.astype(np.float32))
    except OntogenyError as error:
        left_out.append({"analysis": "rollout", "reason": str(error)})
    return [head_statistics(maps, seed=seed).assign(**place.columns(), control="none")]


def rollout_picture(network: nn.Module, rolled: np.ndarray, shape: Sequence[int]) -> np.ndarray | None:
    """Rollout on the plane of the image, (samples, 1, height, width); None where tokens are not pieces of it.

    rolled: (samples, queries, tokens). A ViT shows what its class token rests on; a Transformer over rows or equal
    pieces of the image shows the mean over queries, which is what is read out. A piece's weight is spread evenly.
    """
    samples, _, tokens = rolled.shape
    _, height, width = shape
    if detect_architecture(network) == "vit":
        rows = round(((tokens - 1) * height / width) ** 0.5)
        if rows == 0 or (tokens - 1) % rows or height % rows or width % ((tokens - 1) // rows):
            return None
        columns = (tokens - 1) // rows
        grid = rolled[:, 0, 1:].reshape(samples, 1, rows, columns)
        return grid.repeat(height // rows, axis=2).repeat(width // columns, axis=3)
    pieces = rolled.mean(1)
    if tokens == height:
        return np.repeat(pieces[:, None, :, None], width, axis=3)
    if shape[0] == 1 and (height * width) % tokens == 0:
        return pieces.repeat(height * width // tokens, axis=1).reshape(samples, 1, height, width)
    return None


def _filters(
    file: h5py.File, by_name: Mapping[str, nn.Module], shape: Sequence[int], left_out: list[dict[str, str]]
) -> pd.DataFrame:
    try:
        for name, network in by_name.items():
            _keep(file[name], "filters", first_layer_filters(network, shape).astype(np.float32))
        return filter_evolution(by_name, shape)
    except OntogenyError as error:
        left_out.append({"analysis": "filters", "reason": str(error)})
        return pd.DataFrame(columns=["moment", "filter", "norm", "cosine_first", "cosine_previous", "cosine_last"])


def _inputs(
    file: h5py.File,
    network: nn.Module,
    fresh: nn.Module,
    inputs: Tensor,
    labels: Tensor,
    monitored: Iterable[str],
    settings: FeatureSettings,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Top inputs of chosen units, their purity beside its controls, and inputs made for these units."""
    tops, control, made, seed = [], [], [], settings.seed
    count = min(TOP, len(inputs))
    shuffled = labels[torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))]
    for layer in hidden_layers(network, monitored, None, inputs):
        spread = unit_activations(network, inputs, layer, pool="max").double().std(0)
        chosen = sorted(torch.argsort(spread, descending=True, stable=True)[: settings.units].tolist())
        table = top_inputs(network, inputs, layer, count, labels)
        idle = top_inputs(fresh, inputs, layer, count, labels)
        mixed = table.assign(label=shuffled.numpy()[table["index"]])
        for name, each in (("none", table), ("untrained", idle), ("shuffled labels", mixed)):
            control.append({"layer": layer, "control": name, **_purity(each, count, seed)})
        tops.append(table[table["unit"].isin(chosen)])
        for unit in chosen:
            try:
                best = preferred_input(network, layer, unit, inputs.shape[1:], steps=settings.ascent_steps, seed=seed)
            except OntogenyError as error:
                logger.info("no preferred input: %s", error)
                continue
            _keep(file, f"preferred/{layer}/{unit}", best.image)
            natural = float(table.loc[table["unit"] == unit, "activation"].max())
            made.append(
                {"layer": layer, "unit": unit, "activation": best.activation, "start": best.start,
                 "best_natural": natural, "norm": best.norm, "steps": settings.ascent_steps}
            )  # fmt: skip
    joined = pd.concat(tops, ignore_index=True)
    indices = sorted(set(joined["index"]))
    _keep(file, "shown", inputs[indices].numpy())
    joined = joined.assign(picture=joined["index"].map({index: place for place, index in enumerate(indices)}))
    columns = ["layer", "unit", "activation", "start", "best_natural", "norm", "steps"]
    return joined, pd.DataFrame(control), pd.DataFrame(made, columns=columns)


def _purity(table: pd.DataFrame, count: int, seed: int) -> dict[str, Any]:
    """Mean over active units of the largest share of one class among the top inputs, with its interval."""
    active = table.groupby("unit")["activation"].transform("max") > 0
    shares = table[active].groupby("unit")["label"].agg(lambda labels: labels.value_counts().iloc[0] / count)
    row: dict[str, Any] = {"units": len(shares), "inputs": count}
    if not len(shares):
        return row | dict.fromkeys(("purity", "purity_low", "purity_high"), np.nan)
    mean, low, high = bootstrap_mean(shares.to_numpy(), bootstrap_weights(len(shares), 1000, seed), 0.95)
    return row | {"purity": float(mean), "purity_low": float(low), "purity_high": float(high)}
