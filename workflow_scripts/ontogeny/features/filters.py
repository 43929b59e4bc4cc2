"""What the first layer looks for, which inputs a unit likes best, and an input made to please it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError, check_number
from ontogeny.features.settings import FeatureSettings
from ontogeny.models import get_handler, without_fast_path
from ontogeny.neurons.scores import checked_data, working_copy
from ontogeny.neurons.sites import by_unit, chosen_units, find_site, replaced_at, site_values
from ontogeny.words import counted


@checks_arguments
def first_layer_filters(model: nn.Module, input_shape: Sequence[int]) -> np.ndarray:
    """The weights of the first layer as pictures: float64 (filters, channels, height, width).

    A convolution's kernels as they are; a linear layer on the flattened input in the input's shape; a linear layer on
    rows or pieces of the input as pictures of one row, (filters, 1, 1, width). input_shape: (channels, height, width).

    Raises OntogenyError for a first layer of another kind, or a shape that does not fit.
    """
    first = get_handler(model).layers[0]
    weight = getattr(first.module, "weight", None)
    if not isinstance(weight, Tensor) or first.kind not in ("conv", "linear"):
        raise OntogenyError(f"the first layer, {first.name} ({type(first.module).__name__}), has no filters to show")
    values = weight.detach().double().cpu().numpy()
    if first.kind == "conv":
        return values if values.ndim == 4 else values.reshape(*values.shape[:2], *([1] * (4 - values.ndim)), -1)
    size = math.prod(input_shape)
    if values.shape[1] == size and len(input_shape) == 3:
        return values.reshape(-1, *input_shape)
    if size % values.shape[1]:
        raise OntogenyError(
            f"{first.name} takes {counted(values.shape[1], 'value')}: inputs of {tuple(input_shape)} do not fit it"
        )
    return values.reshape(len(values), 1, 1, -1)


@checks_arguments
def filter_evolution(models: Mapping[str, nn.Module], input_shape: Sequence[int]) -> pd.DataFrame:
    """How the first layer's filters change over `models` (moment to network, in order).

    One row per moment and filter: moment, filter, norm (Euclidean), cosine_first, cosine_previous, cosine_last (cosine
    of the angle to the same filter at those moments; NaN of a filter of zeros), movement (distance from the filter at
    the previous moment over its norm there; NaN at the first).

    Raises OntogenyError if there are no networks, or their first layers differ in shape.
    """
    if not models:
        raise OntogenyError("no networks: give at least one moment")
    filters = {name: first_layer_filters(model, input_shape) for name, model in models.items()}
    flat = {name: values.reshape(len(values), -1) for name, values in filters.items()}
    shapes = {name: values.shape for name, values in flat.items()}
    if len(set(shapes.values())) > 1:
        raise OntogenyError(f"first layers of {shapes}: give moments of one network")
    names = list(flat)
    tables = []
    for place, name in enumerate(names):
        here, before = flat[name], flat[names[max(place - 1, 0)]]
        with np.errstate(divide="ignore", invalid="ignore"):
            movement = np.linalg.norm(here - before, axis=1) / np.linalg.norm(before, axis=1)
        tables.append(
            pd.DataFrame(
                {
                    "moment": name,
                    "filter": np.arange(len(here)),
                    "norm": np.linalg.norm(here, axis=1),
                    "cosine_first": _cosine(here, flat[names[0]]),
                    "cosine_previous": _cosine(here, before),
                    "cosine_last": _cosine(here, flat[names[-1]]),
                    "movement": movement if place else np.nan,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def _cosine(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip((one * two).sum(1) / (np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)), -1, 1)


@checks_arguments
def top_inputs(
    model: nn.Module, inputs: Reals, layer: str, k: int = 9, labels: Classes = None, chunk: int = 512
) -> pd.DataFrame:
    """The `k` inputs that activate each unit of `layer` most, after its nonlinearity.

    One row per unit and rank: layer, unit, rank (from 0), index (into inputs), activation (the maximum over positions),
    position (where it is, in the flattened plane or sequence; 0 without positions), and label where labels are given.
    Ties go to the earlier input; a dead unit has activations of 0.

    Raises OntogenyError if `k` is below 1 or above the number of inputs.
    """
    inputs, labels = checked_data(inputs, labels)
    if not 1 <= k <= len(inputs):
        raise OntogenyError(f"k is {k}: give 1 to {len(inputs)}, the number of inputs")
    twin = working_copy(model)
    site = find_site(twin, layer, inputs)
    best, where = [], []
    for part in inputs.split(chunk):
        peak, position = by_unit(site_values(twin, site, part, chunk), site).max(1)
        best.append(peak)
        where.append(position)
    values, positions = torch.cat(best).numpy(), torch.cat(where).numpy()
    order = np.argsort(-values, axis=0, kind="stable")[:k]
    unit = np.repeat(np.arange(site.units), k)
    index = order.T.ravel()
    table = pd.DataFrame(
        {
            "layer": site.layer,
            "unit": unit,
            "rank": np.tile(np.arange(k), site.units),
            "index": index,
            "activation": values[index, unit],
            "position": positions[index, unit],
        }
    )
    return table if labels is None else table.assign(label=labels.numpy()[index])


@dataclass(frozen=True)
class PreferredInput:
    """An input made to activate a unit.

    image: float32, the shape of one input. activation: the unit's mean activation over positions on it. start: the
    same of the noise from which it was made. history: float64 (steps,), on the way. norm: the image's Euclidean norm.
    """

    layer: str
    unit: int
    image: np.ndarray
    activation: float
    start: float
    history: np.ndarray
    norm: float


@checks_arguments
def preferred_input(
    model: nn.Module,
    layer: str,
    unit: int,
    input_shape: Sequence[int],
    *,
    norm: float | None = None,
    bounds: tuple[float, float] | None = None,
    steps: int = FeatureSettings().ascent_steps,
    rate: float = 0.05,
    smoothness: float = 0.03,
    jitter: int | None = None,
    before_nonlinearity: bool = True,
    seed: int = 0,
) -> PreferredInput:
    """Feature visualisation: gradient ascent on an input so that a unit's mean activation over positions is largest.

    The input starts as noise and keeps a Euclidean norm of at most `norm` (default: the square root of its size, the
    norm of a standardised image), within `bounds` if given. A step has the length `rate` times the norm, shrinking to
    0. `smoothness` weighs a penalty on the squared differences of neighbouring pixels, and each step sees the input
    moved by up to `jitter` pixels, by default a sixteenth of its side (regularisers of Olah et al. 2017, Distill,
    doi:10.23915/distill.00007). `before_nonlinearity` climbs the layer's own output, so that a unit that starts silent
    has a gradient. For a linear unit without smoothness and jitter the result is its weight vector at that norm.

    Raises OntogenyError for a unit that does not exist or does not depend on the input.
    """
    for size in input_shape:
        check_number(size, "a size of input_shape", "whole numbers of 1 or more, as (1, 28, 28)", 1, whole=True)
    twin = working_copy(model)
    generator = torch.Generator().manual_seed(seed)
    shape = tuple(input_shape)
    radius = math.sqrt(math.prod(shape)) if norm is None else float(norm)
    if radius <= 0 or steps < 1 or (bounds is not None and bounds[0] >= bounds[1]):
        raise OntogenyError(
            f"norm {radius}, steps {steps}, bounds {bounds}: positive, positive, and (low, high) expected"
        )
    dtype = next((p.dtype for p in twin.parameters() if p.is_floating_point()), torch.float32)
    image = torch.randn(1, *shape, generator=generator, dtype=dtype) * 0.1
    site = find_site(twin, layer, image.expand(2, *shape), after_nonlinearity=not before_nonlinearity)
    chosen_units(site, [unit])
    kept: list[Tensor] = []

    def tap(value: Tensor) -> Tensor:
        kept.append(value)
        return value

    def activation(x: Tensor) -> Tensor:
        kept.clear()
        twin(x)
        return by_unit(kept[0], site)[0, :, unit].mean()

    def projected(x: Tensor) -> Tensor:
        if bounds is not None:
            x = x.clamp(*bounds)
        length = float(x.norm())
        return x * (radius / length) if length > radius else x

    spatial = len(shape) == 3 and min(shape[1:]) > 1
    jitter = (min(shape[1:]) // 16 if spatial else 0) if jitter is None else jitter
    history = []
    with without_fast_path(), replaced_at(twin, site, tap), torch.enable_grad():
        start = float(activation(image))
        for step in range(steps):
            shift = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
            leaf = image.detach().requires_grad_()
            value = activation(torch.roll(leaf, shift, (2, 3)) if spatial and jitter else leaf)
            if not value.requires_grad:
                raise OntogenyError(f"unit {unit} of '{layer}' does not depend on the input: name a later layer")
            (gradient,) = torch.autograd.grad(value, leaf)
            direction = gradient / gradient.norm().clamp_min(1e-30)
            if spatial and smoothness:
                roughness = (leaf.diff(dim=2) ** 2).sum() + (leaf.diff(dim=3) ** 2).sum()
                (rough,) = torch.autograd.grad(roughness, leaf)
                direction = direction - smoothness * rough / radius
            history.append(float(value.detach()))
            image = projected(image.detach() + rate * radius * (1 - step / steps) * direction)
        final = float(activation(image))
    return PreferredInput(
        site.layer, unit, image[0].float().numpy(), final, start, np.array(history), float(image.norm())
    )
