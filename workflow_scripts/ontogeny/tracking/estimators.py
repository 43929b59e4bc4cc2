"""Effective dimensionality of an activation matrix, from its singular values.

All metrics are functions of the singular values alone, so one eigenvalue problem serves them all. The Gram
matrix of the shorter side is formed in float64. Against a float64 SVD the metrics of float32 activations agree to
about 1e-14; where the matrix has not full rank but for rounding, those that sum singular values agree to 4e-7.

To add a metric, write one function of the singular values and give it one name: `register_metric`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ontogeny.arguments import checks_arguments, plain
from ontogeny.errors import OntogenyError, check_word, expect, first_line, shown, unknown
from ontogeny.tracking.settings import DEFAULTS

Metric = Callable[[np.ndarray], Any]

Failed = Callable[[str, OntogenyError], None]
"""What is called with a metric that fails, and its error."""

TOGETHER = 2**24
"""Entries of a matrix up to which all of it is turned into float64 at once (128 MB)."""

CACHED = 2**17
"""Entries of the matrices of one shape that are turned into float64 at once (1 MB, so that they stay in the cache)."""

LAYOUTS = ("auto", "samples", "positions", "pooled")


def stable_rank(sigma: np.ndarray) -> Any:
    """Squared Frobenius norm over squared spectral norm: sum(sigma^2) / max(sigma)^2.

    Rudelson and Vershynin (2007), "Sampling from large matrices", J. ACM 54(4).
    """
    return _energy(sigma) / sigma[..., 0] ** 2


def participation_ratio(sigma: np.ndarray) -> Any:
    """(sum sigma)^2 / sum(sigma^2): the participation ratio of the *singular values*.

    This is what published Phase 1 records call participation ratio. The standard one, of the covariance
    spectrum, is `participation_ratio_covariance`.
    """
    return np.add.reduce(sigma, -1) ** 2 / _energy(sigma)


def participation_ratio_covariance(sigma: np.ndarray) -> Any:
    """(sum lambda)^2 / sum(lambda^2) with lambda = sigma^2: the participation ratio of the covariance spectrum.

    Gao et al. (2017), "A theory of multineuronal dimensionality, dynamics and measurement", eq. 3. The spectrum
    is that of a covariance only if the columns were centred.
    """
    energy = sigma * sigma
    return np.add.reduce(energy, -1) ** 2 / _energy(energy)


def cumulative_90(sigma: np.ndarray) -> Any:
    """The smallest number of components that hold at least 90 % of the energy, sum(sigma^2).

    Ties within 1e-9 of the threshold count as reached, so that rounding cannot add a component.
    """
    cumulative = np.add.accumulate(sigma * sigma, -1)
    return np.add.reduce(cumulative < 0.9 * cumulative[..., -1:] * (1 - 1e-9), -1) + 1.0


def nuclear_norm_ratio(sigma: np.ndarray) -> Any:
    """Nuclear norm over spectral norm: sum(sigma) / max(sigma)."""
    return np.add.reduce(sigma, -1) / sigma[..., 0]


def _energy(sigma: np.ndarray) -> Any:
    """The sum of squares along the last axis, as a dot product rounds it."""
    return (sigma[..., None, :] @ sigma[..., :, None])[..., 0, 0]


METRICS: dict[str, Metric] = {
    "stable_rank": stable_rank,
    "participation_ratio": participation_ratio,
    "participation_ratio_covariance": participation_ratio_covariance,
    "cumulative_90": cumulative_90,
    "nuclear_norm_ratio": nuclear_norm_ratio,
}

_ALONG_LAST = dict(METRICS)
"""Metrics that take many spectra at once, along the last axis."""


@checks_arguments
def register_metric(name: str, function: Metric) -> None:
    """Add a metric to `METRICS`, so that `measure` and every tracker made from then on report it.

    `function` takes the singular values (float64, descending, at least one, the first greater than zero) and
    returns a number. Raises OntogenyError if the name is taken by another function.
    """
    if METRICS.get(name, function) is not function:
        raise OntogenyError(f"there is already a metric named '{name}': choose another name")
    METRICS[name] = function


def choose_metrics(metrics: Iterable[str] | None) -> dict[str, Metric]:
    """The named metrics (all, if None) with their functions. Raises OntogenyError for an unknown name."""
    if metrics is None:
        return dict(METRICS)
    expect(metrics, Iterable, "a list of metrics")
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    for name in names:
        check_word(name, "metric", METRICS)
    return {name: METRICS[name] for name in names}


def _as_array(values: Any) -> np.ndarray:
    """A NumPy view of an array or tensor; a tensor in a number format that NumPy lacks is widened to float32."""
    values = plain(values)
    try:
        return values.numpy() if hasattr(values, "detach") else np.asarray(values)
    except ValueError as error:
        raise OntogenyError(f"the activations are {shown(values)}: give an array or a tensor, samples first") from error


def to_rows(activation: Any, layout: str = "auto", feature_axis: int | None = None) -> Any:
    """An activation tensor as a matrix of rows by features; NumPy in, NumPy out; tensor in, tensor out.

    The first axis holds the samples. `feature_axis` holds the features of one position: channels, or embedding
    dimensions; by default axis 1 for 4 and more axes (n, c, h, w) and the last for 3 axes (n, t, d). A tensor in
    PyTorch's channels-last memory format still has the shape (n, c, h, w) and needs nothing; one whose *shape*
    is (n, h, w, c) needs `feature_axis=-1`, and a 1-d convolution's (n, c, t) needs `feature_axis=1`.

    - "samples": one row per sample, all positions side by side: (n, c*h*w), (n, t*d).
    - "positions": one row per position of a sample: (n*h*w, c), (n*t, d).
    - "pooled": one row per sample, the mean over its positions in float64: (n, c), (n, d).
    - "auto": "positions" for 3 axes and "samples" otherwise, as the published tracker does it. Where the layer is
      known to be a convolution, trackers take "samples" for 3 axes too (see `rows_of_layer`).

    A matrix is returned as it is in every layout. Raises OntogenyError for fewer than two axes.
    """
    if not hasattr(activation, "detach"):
        activation = plain(activation)
    if not hasattr(activation, "ndim"):
        raise OntogenyError(f"the activation is {shown(activation)}: give an array or a tensor, samples first")
    axes = activation.ndim
    if layout not in LAYOUTS:
        raise unknown("layout", layout, LAYOUTS)
    if axes < 2:
        raise OntogenyError(
            f"an activation of shape {tuple(activation.shape)} has no rows and features: give at least two axes, "
            "samples first"
        )
    if axes == 2:
        return activation
    layout = resolve_layout(layout, axes)
    samples = activation.shape[0]
    axis = (-1 if axes == 3 else 1) if feature_axis is None else feature_axis
    if not -axes < axis < axes or axis == 0:
        raise OntogenyError(f"feature_axis {feature_axis} is not a feature axis of the shape {tuple(activation.shape)}")
    if layout == "samples":
        return activation.reshape(samples, math.prod(activation.shape[1:]))
    last = _move_to_end(activation, axis)
    features = last.shape[-1]
    if layout == "positions":
        return last.reshape(math.prod(last.shape[:-1]), features)
    sides = last.reshape(samples, math.prod(last.shape[1:-1]), features)
    return sides.double().mean(1) if hasattr(sides, "double") else sides.mean(1, dtype=np.float64)


def resolve_layout(layout: str, axes: int) -> str:
    """The layout that "auto" stands for with an activation of that many axes; any other layout unchanged."""
    if layout != "auto":
        return layout
    return "positions" if axes == 3 else "samples"


def _move_to_end(activation: Any, axis: int) -> Any:
    if hasattr(activation, "movedim"):
        return activation.movedim(axis, -1)
    return np.moveaxis(activation, axis, -1)


def singular_values(activations: Any, centre: bool = DEFAULTS.centre, method: str = "gram") -> np.ndarray:
    """The singular values of a matrix (rows by features), float64, descending, in units of the activations.

    `centre` subtracts each column's mean first. `method` "gram" takes the roots of the eigenvalues of the
    smaller Gram matrix, formed in float64; singular values below about 1e-7 of the largest are lost in rounding
    and are set to zero. "svd" is a float64 SVD: slower, and exact to 1e-16 of the largest.

    The matrix is divided by its largest magnitude before anything is squared, so no scale over- or underflows.
    If any entry is NaN or infinite, all the values are NaN. Raises OntogenyError for anything but a matrix of
    real numbers with at least one row and column.
    """
    if method not in ("gram", "svd"):
        raise unknown("method", method, ("gram", "svd"))
    values = activations if _on_accelerator(activations) and method == "gram" else _as_array(activations)
    if values.ndim != 2 or 0 in values.shape:
        raise OntogenyError(
            f"a matrix of rows by features is expected, not an array of shape {tuple(values.shape)}: see to_rows"
        )
    if method == "gram" and isinstance(values, np.ndarray) and values.dtype.kind == "f" and values.size > TOGETHER:
        gram, scale = _gram_in_parts(values, centre)
        return scale * _roots(gram)
    matrix, narrow = _as_float64(values)
    scale = 1.0
    if not narrow:  # squares of float32 numbers fit float64 as they are
        scale = float(abs(matrix).max())
        if scale > 0 and math.isfinite(scale):
            matrix = matrix / scale
    if centre:
        constant = (matrix == matrix[0]).all(0)
        matrix = matrix - matrix.mean(0)
        matrix[:, constant] = 0.0
    if method == "svd":
        if not np.isfinite(matrix).all():
            return np.full(min(matrix.shape), np.nan)
        return scale * np.linalg.svd(matrix, compute_uv=False)
    rows, features = matrix.shape
    return scale * _roots(_as_array(matrix @ matrix.T if rows <= features else matrix.T @ matrix))


def _roots(gram: np.ndarray) -> np.ndarray:
    """The roots of the eigenvalues of a Gram matrix, descending; NaN where it is not finite."""
    if not math.isfinite(float(gram.trace())):
        return np.full(len(gram), np.nan)
    return _roots_of(np.linalg.eigvalsh(gram))


def _roots_of(ascending: np.ndarray) -> np.ndarray:
    """The roots of eigenvalues, along the last axis, descending; 0 for those that are lost in rounding."""
    eigenvalues = ascending[..., ::-1]
    floor = eigenvalues[..., :1] * eigenvalues.shape[-1] * np.finfo(np.float64).eps
    return np.sqrt(np.where(eigenvalues > floor, eigenvalues, 0.0))


def _gram_in_parts(values: np.ndarray, centre: bool) -> tuple[np.ndarray, float]:
    """The smaller Gram matrix of a large matrix over its scale, and the scale; never all of the matrix in float64."""
    scale = 1.0 if values.dtype.itemsize <= 4 else float(np.abs(values).max()) or 1.0
    rows, features = values.shape
    shorter = min(rows, features)
    size = max(1, TOGETHER // (8 * shorter))
    gram, mean = np.zeros((shorter, shorter)), np.zeros(features)
    if centre:
        mean = np.where((values == values[0]).all(0), values[0], values.mean(0, dtype=np.float64))
    for begin in range(0, max(rows, features), size):
        here = slice(begin, begin + size)
        if rows <= features:
            part = _scaled(values[:, here], mean[here], scale)
            gram += part @ part.T
        else:
            part = _scaled(values[here], mean, scale)
            gram += part.T @ part
    return gram, scale


def _scaled(values: np.ndarray, mean: np.ndarray, scale: float) -> np.ndarray:
    """Numbers less their mean, over their scale, in one float64 array of their own."""
    part = values.astype(np.float64)
    part -= mean
    part /= scale
    return part


def _on_accelerator(values: Any) -> bool:
    """Whether `values` is a tensor on a device that has float64 and is not the CPU."""
    return hasattr(values, "detach") and values.device.type in ("cuda", "xpu")


def _as_float64(values: Any) -> tuple[Any, bool]:
    """`values` in float64, and whether they were narrow enough for their squares to be exact in range."""
    if hasattr(values, "detach"):
        return values.detach().double(), values.dtype.itemsize <= 4
    if values.dtype.kind not in "fiub" and not np.can_cast(values.dtype, np.float64):  # as those of ml_dtypes can be
        raise OntogenyError(f"activations are of type {values.dtype}; real numbers are expected")
    return values.astype(np.float64), values.dtype.itemsize <= 4


def measure(
    activations: Any, metrics: Iterable[str] | None = None, centre: bool = DEFAULTS.centre, method: str = "gram"
) -> dict[str, float]:
    """Dimensionality metrics of a matrix of activations, rows by features; all without unit.

    `metrics` names entries of `METRICS` (all, if None). `centre` subtracts the column means first: the published
    records were made without. A matrix of zeros measures 0 in every metric, one with a NaN or an infinity NaN.
    No metric depends on the scale of the matrix. Raises OntogenyError for an unknown metric, one that fails or
    returns no number, and for anything that is not a matrix of real numbers.

    >>> measure(np.eye(4), ["stable_rank", "cumulative_90"])
    {'stable_rank': 4.0, 'cumulative_90': 4.0}
    """
    return measure_singular_values(singular_values(activations, centre, method), choose_metrics(metrics))


def measure_together(
    matrices: Sequence[Any],
    metrics: dict[str, Metric],
    centre: bool = DEFAULTS.centre,
    failed: Failed | None = None,
) -> list[dict[str, float]]:
    """`measure` of many matrices: those of one shape in single precision share one call of each routine."""
    found: list[dict[str, float] | None] = [None] * len(matrices)
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, matrix in enumerate(matrices):
        alike = not centre and _is_single(matrix) and 0 < math.prod(matrix.shape) <= CACHED
        groups.setdefault(tuple(matrix.shape) if alike else (-1, index), []).append(index)
    for indices in groups.values():
        if len(indices) == 1:
            found[indices[0]] = measure_singular_values(singular_values(matrices[indices[0]], centre), metrics, failed)
            continue
        spectra = _spectra([matrices[index].numpy() for index in indices])
        for index, values in zip(indices, _measure_spectra(spectra, metrics, failed), strict=True):
            found[index] = values
    return [values for values in found if values is not None]


def _is_single(matrix: Any) -> bool:
    """Whether it is a matrix in the processor's memory, as a tensor of single precision."""
    return (
        hasattr(matrix, "detach") and matrix.ndim == 2 and str(matrix.dtype) == "torch.float32" and not matrix.is_cuda
    )


def _spectra(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """The singular values of matrices of one shape, (matrices, values), as `singular_values` gives them."""
    rows, features = matrices[0].shape
    size, some = min(rows, features), max(1, CACHED // (rows * features))
    grams = np.empty((len(matrices), size, size))
    wide = np.empty((min(some, len(matrices)), rows, features))
    for begin in range(0, len(matrices), some):
        part = matrices[begin : begin + some]
        here = wide[: len(part)]
        for place, matrix in zip(here, part, strict=True):
            place[...] = matrix
        turned = here.swapaxes(1, 2)
        np.matmul(*((here, turned) if rows <= features else (turned, here)), out=grams[begin : begin + len(part)])
    finite = np.isfinite(np.trace(grams, axis1=1, axis2=2))
    spectra = np.full((len(matrices), size), np.nan)
    spectra[finite] = _roots_of(np.linalg.eigvalsh(grams[finite]))
    return spectra


def measure_singular_values(
    sigma: np.ndarray, metrics: dict[str, Metric], failed: Failed | None = None
) -> dict[str, float]:
    """`metrics` of descending singular values: 0 where all are zero, NaN where they are NaN.

    Raises OntogenyError for a metric that fails or returns no number; where `failed` is given, it is called with the
    metric and that error instead, and the value is NaN.
    """
    return _measure_spectra(sigma[None], metrics, failed)[0]


def _value(name: str, function: Metric, sigma: np.ndarray, failed: Failed | None) -> float:
    try:
        try:
            value = function(sigma)
        except Exception as error:
            raise OntogenyError(f"metric '{name}' failed ({type(error).__name__}: {first_line(error)})") from error
        shape = tuple(getattr(value, "shape", ()))
        if isinstance(value, str | bytes) or shape or not hasattr(type(value), "__float__"):
            size = f", shape {shape}" if shape else ""
            raise OntogenyError(
                f"metric '{name}' should return one real number, but what it returned is {shown(value)}{size}"
            )
        return float(value)
    except OntogenyError as error:
        if failed is None:
            raise
        failed(name, error)
        return math.nan


def _measure_spectra(
    spectra: np.ndarray, metrics: dict[str, Metric], failed: Failed | None = None
) -> list[dict[str, float]]:
    """`measure_singular_values` of each row."""
    if not metrics:
        return [{} for _ in spectra]
    largest = spectra[:, 0]
    usual = largest > 0
    scaled = spectra[usual] / largest[usual, None]
    columns = {}
    for name, function in metrics.items():
        columns[name] = column = np.where(usual, 0.0, largest)
        column[usual] = (
            function(scaled)
            if _ALONG_LAST.get(name) is function
            else [_value(name, function, each, failed) for each in scaled]
        )
    return [dict(zip(columns, values, strict=True)) for values in zip(*(each.tolist() for each in columns.values()))]
