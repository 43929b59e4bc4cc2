"""Which parts of an input a class score rests on: saliency, SmoothGrad, Integrated Gradients, Grad-CAM (captum's)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.stats
import torch
from torch import Tensor, nn

from ontogeny.arguments import Classes, Reals, checks_arguments
from ontogeny.errors import OntogenyError, unknown
from ontogeny.features.settings import FeatureSettings
from ontogeny.models import detect_architecture, get_handler, monitored_layers, trace_layers, without_fast_path
from ontogeny.neurons.scores import checked_data, logits_of, scores_of, working_copy
from ontogeny.neurons.sites import find_site, replaced_at, site_values
from ontogeny.statistics import bootstrap_mean, bootstrap_weights
from ontogeny.words import counted

DEFAULTS = FeatureSettings()


@dataclass(frozen=True)
class Attribution:
    """What a method says of every input.

    values: float64, the shape of the inputs (for Grad-CAM (samples, 1, height, width)). method: its name.
    targets: int64 (samples,), the class asked about. scores: float64 (samples,), the network's score of it.
    baseline: a description, and delta: float64 (samples,), sum of values minus (score - score of the baseline); both
    for Integrated Gradients alone. layer: for Grad-CAM alone.
    """

    values: np.ndarray
    method: str
    targets: np.ndarray
    scores: np.ndarray
    baseline: str | None = None
    delta: np.ndarray | None = None
    layer: str | None = None


def _prepared(model: nn.Module, inputs: Any, targets: Any, what: str) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    twin = working_copy(model)
    inputs, _ = checked_data(inputs)
    if not inputs.is_floating_point():
        raise OntogenyError(f"inputs are {inputs.dtype}: {what} needs the gradient at real-valued inputs")
    scores = scores_of(twin, inputs)
    if targets is None:
        targets = scores.argmax(1)
    _, targets = checked_data(inputs, targets)
    if int(targets.max()) >= scores.shape[1]:
        raise OntogenyError(
            f"target {int(targets.max())} does not exist: the model has {counted(scores.shape[1], 'class')}"
        )
    return twin, inputs, targets, scores.gather(1, targets[:, None])[:, 0].double()


def _by_chunk(function: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, targets: Tensor, chunk: int) -> np.ndarray:
    with without_fast_path(), torch.enable_grad():
        parts = [function(x, t).detach().double() for x, t in zip(inputs.split(chunk), targets.split(chunk))]
    return torch.cat(parts).numpy()


@checks_arguments
def saliency(
    model: nn.Module, inputs: Reals, targets: Classes = None, *, absolute: bool = True, chunk: int = 256
) -> Attribution:
    """Gradient of the class score by the input (Simonyan et al. 2014, arXiv:1312.6034, sec. 3), by default its size.

    targets: the class of each sample; None takes the one that the network predicts. The model is not changed.
    """
    from captum.attr import Saliency

    twin, inputs, targets, scores = _prepared(model, inputs, targets, "saliency")
    method = Saliency(lambda x: logits_of(twin(x)))
    values = _by_chunk(
        lambda x, t: method.attribute(x.clone().requires_grad_(), target=t, abs=absolute), inputs, targets, chunk
    )
    return Attribution(values, "saliency", targets.numpy(), scores.numpy())


@checks_arguments
def smoothgrad(
    model: nn.Module,
    inputs: Reals,
    targets: Classes = None,
    *,
    noisy_copies: int = DEFAULTS.noisy_copies,
    noise: float = 0.15,
    seed: int = 0,
    absolute: bool = True,
    chunk: int = 32,
) -> Attribution:
    """Saliency averaged over `noisy_copies` of the input of the input (Smilkov et al. 2017, arXiv:1706.03825, eq. 3).

    noise: standard deviation of the noise as a share of the range of the inputs, as in the paper. Each copy's
    gradient is taken by size first unless `absolute` is false. The noise depends on `seed` and `chunk` alone.

    Raises OntogenyError for fewer than one copy, negative noise, and as `saliency` does.
    """
    from captum.attr import NoiseTunnel, Saliency

    if noisy_copies < 1 or noise < 0:
        raise OntogenyError(
            f"noisy_copies is {noisy_copies} and noise {noise}; at least 1 copy, and noise of 0 or more, is needed"
        )
    twin, inputs, targets, scores = _prepared(model, inputs, targets, "SmoothGrad")
    method = NoiseTunnel(Saliency(lambda x: logits_of(twin(x.to(inputs.dtype)))))  # noise is added in single precision
    deviation = noise * float(inputs.max() - inputs.min())

    def one(x: Tensor, t: Tensor) -> Tensor:
        return method.attribute(
            x.clone().requires_grad_(), nt_type="smoothgrad", nt_samples=noisy_copies, stdevs=deviation, target=t,
            abs=absolute,
        )  # fmt: skip

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        values = _by_chunk(one, inputs, targets, chunk)
    return Attribution(values, "smoothgrad", targets.numpy(), scores.numpy())


@checks_arguments
def integrated_gradients(
    model: nn.Module,
    inputs: Reals,
    targets: Classes = None,
    *,
    baseline: str | float | Any = DEFAULTS.baseline,
    steps: int = DEFAULTS.integrated_steps,
    chunk: int = 32,
) -> Attribution:
    """Integrated Gradients from a baseline to the input (Sundararajan et al. 2017, arXiv:1703.01365, eq. 1).

    baseline: `zero`, `mean` (of the inputs), `least` (their smallest value everywhere), a number, or one input.
    `.delta` is the convergence error: what the values add up to, minus the difference of the scores; more steps make
    it smaller. A standardised image's zero is the mean grey, not black: `least` is black.

    Raises OntogenyError for fewer than two steps, a baseline of another shape, and as `saliency` does.
    """
    from captum.attr import IntegratedGradients

    twin, inputs, targets, scores = _prepared(model, inputs, targets, "Integrated Gradients")
    if steps < 2:
        raise OntogenyError(f"steps is {steps}: at least 2 are expected")
    start, name = _baseline(inputs, baseline)
    method = IntegratedGradients(lambda x: logits_of(twin(x)))
    values = _by_chunk(
        lambda x, t: method.attribute(
            x, baselines=start.expand_as(x).contiguous(), target=t, n_steps=steps, internal_batch_size=max(len(x), 1024)
        ),
        inputs,
        targets,
        chunk,
    )
    from_baseline = scores_of(twin, start.expand(1, *inputs.shape[1:]))[0][targets].double()
    delta = values.reshape(len(values), -1).sum(1) - (scores - from_baseline).numpy()
    return Attribution(values, "integrated_gradients", targets.numpy(), scores.numpy(), name, delta)


def _baseline(inputs: Tensor, baseline: Any) -> tuple[Tensor, str]:
    if isinstance(baseline, str):
        known = {
            "zero": lambda: torch.zeros_like(inputs[:1]),
            "mean": lambda: inputs.mean(0, keepdim=True),
            "least": lambda: inputs.min().expand(1, *inputs.shape[1:]),
        }
        if baseline not in known:
            raise unknown("baseline", baseline, known)
        return known[baseline](), baseline
    value = torch.as_tensor(baseline, dtype=inputs.dtype)
    if value.ndim == 0:
        return value.expand(1, *inputs.shape[1:]), f"constant {float(value):g}"
    if value.shape != inputs.shape[1:]:
        raise OntogenyError(f"a baseline of shape {tuple(value.shape)}: {tuple(inputs.shape[1:])}, one input, expected")
    return value[None], "given"


@checks_arguments
def grad_cam(
    model: nn.Module,
    inputs: Reals,
    targets: Classes = None,
    *,
    layer: str | None = None,
    resize: bool = True,
    chunk: int = 128,
) -> Attribution:
    """Grad-CAM at the last convolution of a CNN that runs once (Selvaraju et al. 2017, arXiv:1610.02391, eq. 1 and 2).

    The layer's channels, after their nonlinearity, weighted by their mean gradient, and cut at zero. layer: another
    convolution by name. resize: bilinearly to the size of the input; otherwise the layer's own resolution.

    Raises OntogenyError for networks without a convolution that keeps a map (for a Transformer, see
    `attention_rollout`).
    """
    from captum.attr import LayerGradCam

    twin, inputs, targets, scores = _prepared(model, inputs, targets, "Grad-CAM")
    architecture = detect_architecture(twin) if layer is None else None
    if layer is None:
        convolutions = [
            each for each in get_handler(twin).layers if each.kind == "conv" and "shortcut" not in each.path
        ]
        if architecture in ("transformer", "vit"):
            raise OntogenyError(f"Grad-CAM is for a CNN, not a {architecture}: use attention_rollout, or name a layer")
        if not convolutions or inputs.ndim != 4:
            raise OntogenyError(
                f"this {type(model).__name__} has no layer that keeps an image's plane, which Grad-CAM needs: "
                "use saliency or integrated_gradients"
            )
        followed = trace_layers(twin, inputs[:2], convolutions)
        once = [each.name for each in convolutions if followed[each.name].calls == 1]
        layer = (once or [convolutions[-1].name])[-1]
    site = find_site(twin, layer, inputs)
    shape = site_values(twin, site, inputs[:1]).shape
    if len(shape) != 4 or shape[2] * shape[3] < 2:
        raise OntogenyError(
            f"layer '{layer}' returns {tuple(shape[1:])} per sample: Grad-CAM needs channels of a plane"
        )
    tap = nn.Identity()
    method = LayerGradCam(lambda x: logits_of(twin(x)), tap)
    with replaced_at(twin, site, tap):
        values = _by_chunk(
            lambda x, t: method.attribute(x.clone().requires_grad_(), target=t, relu_attributions=True),
            inputs,
            targets,
            chunk,
        )
    if resize:
        size = inputs.shape[-2:]
        values = nn.functional.interpolate(torch.from_numpy(values), size, mode="bilinear", align_corners=False).numpy()
    return Attribution(values, "grad_cam", targets.numpy(), scores.numpy(), layer=site.layer)


METHODS: dict[str, Callable[..., Attribution]] = {
    "saliency": saliency,
    "smoothgrad": smoothgrad,
    "integrated_gradients": integrated_gradients,
    "grad_cam": grad_cam,
}
"""Attribution methods by name, each called with (model, inputs, targets, **settings)."""


@checks_arguments
def attribution_control(
    method: str,
    model: nn.Module,
    untrained: nn.Module,
    inputs: Reals,
    targets: Classes | None,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """How like the map of the trained network is to that of an untrained one (Adebayo et al. 2018, arXiv:1810.03292).

    One row: method, samples, spearman (mean over samples of the rank correlation of the two maps) with spearman_low
    and spearman_high (percentile bootstrap over samples), maps (how many samples have two maps that vary). A method
    whose maps stay as they were shows the input, not what was learned.

    Raises OntogenyError for an unknown method, and as the method does.
    """
    if method not in METHODS:
        raise unknown("attribution method", method, METHODS)
    one, two = (METHODS[method](network, inputs, targets, **settings).values for network in (model, untrained))
    return pd.DataFrame([{"method": method, **_likeness(one, two, n_resamples, confidence, seed)}])


def _likeness(one: np.ndarray, two: np.ndarray, n_resamples: int, confidence: float, seed: int) -> dict[str, Any]:
    """Mean rank correlation of two sets of maps with its interval over samples."""
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(one, two)]
    likeness = np.array([scipy.stats.spearmanr(a, b).statistic for a, b in pairs if np.ptp(a) > 0 and np.ptp(b) > 0])
    row: dict[str, Any] = {"samples": len(one), "maps": len(likeness)}
    if not len(likeness):
        return row | dict.fromkeys(("spearman", "spearman_low", "spearman_high"), np.nan)
    mean, low, high = bootstrap_mean(likeness, bootstrap_weights(len(likeness), n_resamples, seed), confidence)
    return row | {"spearman": float(mean), "spearman_low": float(low), "spearman_high": float(high)}


@checks_arguments
def cascading_control(
    method: str,
    model: nn.Module,
    untrained: nn.Module,
    inputs: Reals,
    targets: Classes | None,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
    **settings: Any,
) -> pd.DataFrame:
    """How like its maps stay as layers lose what they learned, from last to first (Adebayo et al. 2018, sec. 3).

    Layer by layer, weights are replaced by those of `untrained`, a network of the same architecture with fresh weights;
    the last row is that network itself. Columns: method, randomised (layers so far), layer (the latest; `all` in the
    last row), and those of `attribution_control`. The first row, of no layer, is the network against itself.

    Raises OntogenyError for an unknown method, and as the method does.
    """
    if method not in METHODS:
        raise unknown("attribution method", method, METHODS)

    def maps_of(network: nn.Module) -> np.ndarray:
        return METHODS[method](network, inputs, targets, **settings).values

    found = cascade(maps_of, model, untrained, n_resamples=n_resamples, confidence=confidence, seed=seed)
    return found.assign(method=method)[["method", *found]]


def cascade(
    maps_of: Callable[[nn.Module], np.ndarray],
    model: nn.Module,
    untrained: nn.Module,
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """`cascading_control` of any maps: `maps_of` gives those of a network, (samples, ...). No column `method`."""
    own = maps_of(model)
    network, fresh = working_copy(model), working_copy(untrained)
    layers = [layer.name for layer in get_handler(network).layers][::-1]
    rows = [{"randomised": 0, "layer": "", **_likeness(own, own, n_resamples, confidence, seed)}]
    for done, name in enumerate([*layers, "all"], start=1):
        if name == "all":
            network = fresh
        else:
            mine, theirs = (monitored_layers(each, [name])[0].module for each in (network, fresh))
            mine.load_state_dict(theirs.state_dict())
        likeness = _likeness(own, maps_of(network), n_resamples, confidence, seed)
        rows.append({"randomised": done, "layer": name, **likeness})
    return pd.DataFrame(rows)
