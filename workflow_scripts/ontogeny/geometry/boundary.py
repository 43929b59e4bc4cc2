"""The decision boundary of a classifier: how far samples are from it, and how it runs through planes of the inputs.

A classifier is any `model(x) -> logits` in PyTorch, with inputs of any shape, used in eval mode and left as it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import Classes, Reals, checks_arguments, plain
from ontogeny.errors import OntogenyError
from ontogeny.files import atomic, check_archive, read_errors
from ontogeny.geometry.components import pca
from ontogeny.geometry.settings import BoundarySettings
from ontogeny.statistics import percentile_interval, student_interval
from ontogeny.words import counted


def logits_of(model: Callable[..., Any], inputs: Any, chunk: int = 1024) -> np.ndarray:
    """Logits of `inputs` (samples, ...), float64 (samples, classes), computed `chunk` samples at a time.

    Raises OntogenyError unless the model gives two or more finite logits per sample.
    """
    import torch

    from ontogeny.models.trace import scores_in

    with _still(model) as (device, kind), torch.no_grad():
        parts = []
        for offset in range(0, len(inputs), chunk):
            block = torch.as_tensor(_array(inputs[offset : offset + chunk])).to(device, kind)
            parts.append(scores_in(model(block)).detach().cpu().double().numpy())
    found = np.concatenate(parts) if parts else np.zeros((0, 2))
    if found.ndim != 2 or found.shape[1] < 2:
        raise OntogenyError(f"the model gives an array {found.shape}: two or more logits for each sample are expected")
    if not np.isfinite(found).all():
        raise OntogenyError("the model gives logits that are not finite: it has no boundary to draw")
    return found


def _array(values: Any, kind: type | None = None) -> np.ndarray:
    return np.asarray(plain(values), kind)


@checks_arguments
def margins(logits: Reals, labels: Classes) -> np.ndarray:
    """Logit margin of each sample, float64 (samples,): logit of its label minus the largest other; wrong is below 0.

    Raises OntogenyError unless there is a class of the logits for each sample.

    Source: Crammer and Singer (2001), "On the algorithmic implementation of multiclass kernel-based vector machines".
    """
    values, labels = np.asarray(logits, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or labels.shape != values.shape[:1] or not len(labels):
        raise OntogenyError(
            f"logits of shape {values.shape}, labels of shape {labels.shape}: one label per sample expected"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= values.shape[1]:
        raise OntogenyError(f"labels are class numbers from 0 to {values.shape[1] - 1}, as whole numbers")
    rows = np.arange(len(values))
    own = values[rows, labels].copy()
    others = values.copy()
    others[rows, labels] = -np.inf
    return own - others.max(axis=1)


@checks_arguments
def distance_on_lines(
    model: Callable[..., Any], inputs: Reals, targets: Any | None = None, bisections: int = 24
) -> tuple[np.ndarray, np.ndarray]:
    """Distance of each input to a boundary point on the line to the nearest input of another predicted class.

    inputs: (samples, ...); the nearest of `targets` (`inputs` themselves, if None) is taken in the Euclidean norm.
    Bisection finds a point where the predicted class stops being the sample's own. Returns the distance, float64
    (samples,), in units of the inputs, and the index of the target. It is an upper bound on the distance to the
    boundary, to within the length of the line times 2**-bisections. Without any target of another class it is
    infinite, and the index -1.
    """
    values = _array(inputs)
    aims = values if targets is None else _array(targets)
    own = logits_of(model, values).argmax(axis=1)
    other = own if targets is None else logits_of(model, aims).argmax(axis=1)
    here, there = (rows.reshape(len(rows), -1).astype(np.float64) for rows in (values, aims))
    squares = (here**2).sum(1)[:, None] + (there**2).sum(1)[None] - 2 * here @ there.T
    squares[own[:, None] == other[None]] = np.inf
    nearest = squares.argmin(axis=1)
    reachable = np.isfinite(squares[np.arange(len(here)), nearest])
    if not reachable.any():
        return np.full(len(here), np.inf), np.full(len(here), -1)
    start, way = here[reachable], there[nearest[reachable]] - here[reachable]
    low, high = np.zeros(len(start)), np.ones(len(start))
    for _ in range(bisections):
        middle = (low + high) / 2
        points = (start + middle[:, None] * way).reshape(-1, *values.shape[1:]).astype(values.dtype)
        same = logits_of(model, points).argmax(axis=1) == own[reachable]
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    distance = np.full(len(here), np.inf)
    distance[reachable] = (low + high) / 2 * np.linalg.norm(way, axis=1)
    return distance, np.where(reachable, nearest, -1)


@checks_arguments
def distance_linearised(model: Callable[..., Any], inputs: Reals, chunk: int = 256) -> np.ndarray:
    """Distance of each input to the boundary of the classifier made linear there, float64 (samples,).

    min over classes k other than the predicted c of (f_c - f_k) / ||grad f_c - grad f_k||_2, in units of the inputs:
    exact for a linear classifier, a first-order estimate for others. Source: Moosavi-Dezfooli, Fawzi and Frossard
    (2016), "DeepFool", section 3.1 (one step of it).
    """
    import torch

    from ontogeny.models.trace import scores_in

    values = _array(inputs)
    found = []
    with _still(model) as (device, kind), torch.enable_grad():
        for offset in range(0, len(values), chunk):
            x = torch.as_tensor(values[offset : offset + chunk]).to(device, kind).detach().requires_grad_(True)
            logits = scores_in(model(x))
            classes = logits.shape[1]
            slopes = torch.stack(
                [torch.autograd.grad(logits[:, k].sum(), x, retain_graph=k + 1 < classes)[0] for k in range(classes)], 1
            )
            f = logits.detach().cpu().double().numpy()
            g = slopes.detach().reshape(len(x), classes, -1).cpu().double().numpy()
            rows, own = np.arange(len(f)), f.argmax(axis=1)
            gap = f[rows, own][:, None] - f
            steep = np.linalg.norm(g[rows, own][:, None] - g, axis=2)
            with np.errstate(divide="ignore", invalid="ignore"):
                distance = np.where(steep > 0, gap / steep, np.inf)
            distance[rows, own] = np.inf
            found.append(distance.min(axis=1))
    return np.concatenate(found) if found else np.zeros(0)


@dataclass(frozen=True)
class Plane:
    """A rectangle of a plane through the space of inputs.

    origin: (d,), a point of the plane, with coordinates (0, 0); axes: (2, d), orthonormal rows, so that lengths in the
    plane are lengths in the space of inputs; low, high: (2,), the corners of the rectangle; marks: (m, 2), coordinates
    of inputs to mark; shape: of one input.
    """

    origin: np.ndarray
    axes: np.ndarray
    low: np.ndarray
    high: np.ndarray
    marks: np.ndarray
    shape: tuple[int, ...]

    def grid(self, resolution: int) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates along both axes, each (resolution,), ends included."""
        across, up = (np.linspace(low, high, resolution) for low, high in zip(self.low, self.high))
        return across, up

    def points(self, coordinates: Any) -> np.ndarray:
        """Inputs, float64 (n, *shape), at coordinates (n, 2)."""
        flat = self.origin + np.asarray(coordinates, dtype=np.float64) @ self.axes
        return flat.reshape(-1, *self.shape)

    @property
    def area(self) -> float:
        """Area of the rectangle, in squared units of the inputs."""
        return float(np.prod(self.high - self.low))


@checks_arguments
def plane_of_three(inputs: Reals, margin: float = 0.35) -> Plane:
    """The plane through three inputs (3, ...): its rectangle holds them, with `margin` of its sides around.

    The first is at (0, 0), the second on the first axis. Source: Somepalli et al. (2022), "Can neural nets learn the
    same model twice?", section 3.1. Raises OntogenyError if there are not three, or they lie on a line.
    """
    values = _array(inputs, np.float64)
    if len(values) != 3:
        raise OntogenyError(f"{counted(len(values), 'input')} given: a plane is set by three")
    flat = values.reshape(3, -1)
    one, two = flat[1] - flat[0], flat[2] - flat[0]
    length = np.linalg.norm(one)
    first = one / max(length, 1e-300)
    rest = two - (two @ first) * first
    if length == 0 or np.linalg.norm(rest) <= 1e-9 * max(length, np.linalg.norm(two)):
        raise OntogenyError("the three inputs lie on one line: choose others, they set no plane")
    axes = np.stack([first, rest / np.linalg.norm(rest)])
    return _plane(flat[0], axes, (flat - flat[0]) @ axes.T, values.shape[1:], margin)


@checks_arguments
def plane_of_components(inputs: Reals, margin: float = 0.1) -> Plane:
    """The plane of the first two principal components of inputs (n, ...), through their mean; it marks all of them.

    Marks are projections: an input itself lies off the plane. Raises OntogenyError if the inputs span no plane.
    """
    values = _array(inputs, np.float64)
    found = pca([values.reshape(len(values), -1)], 2)
    if found.n_components < 2:
        raise OntogenyError("the inputs span no plane: two principal components with variance are expected")
    return _plane(found.mean, found.components, found.projections[0], values.shape[1:], margin)


def _plane(origin: np.ndarray, axes: np.ndarray, marks: np.ndarray, shape: tuple[int, ...], margin: float) -> Plane:
    low, high = marks.min(axis=0), marks.max(axis=0)
    around = margin * (high - low)
    return Plane(origin, axes, low - around, high + around, marks, tuple(shape))


@dataclass(frozen=True)
class Regions:
    """What a classifier predicts on a grid of a plane.

    classes: (resolution, resolution), int64, rows along the second axis; gap: the same shape, the largest logit minus
    the second. shares: (classes,), of the area. length: of the boundary within the rectangle, in units of the inputs.
    """

    classes: np.ndarray
    gap: np.ndarray
    shares: np.ndarray
    length: float


@checks_arguments
def regions(model: Callable[..., Any], plane: Plane, resolution: int = BoundarySettings().resolution) -> Regions:
    """The decision regions of `model` on `plane`, on a grid of `resolution` squared points.

    The length is that of the zero lines of f_k minus the largest other logit, over all classes k, halved since each
    piece bounds two classes; the lines are straight between grid points, so for a linear classifier it is right but for
    rounding, except within a cell where three classes meet.

    Raises OntogenyError for a resolution below 3.
    """
    import contourpy

    if resolution < 3:
        raise OntogenyError(f"resolution is {resolution}: a grid of at least 3 points per side is expected")
    across, up = plane.grid(resolution)
    coordinates = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    logits = logits_of(model, plane.points(coordinates))
    classes = logits.argmax(axis=1)
    top = np.sort(logits, axis=1)
    shares = np.bincount(classes, minlength=logits.shape[1]) / len(classes)
    length = 0.0
    for k in np.flatnonzero(shares):
        others = np.delete(logits, k, axis=1).max(axis=1)
        lead = (logits[:, k] - others).reshape(resolution, resolution)
        for line in contourpy.contour_generator(across, up, lead).lines(0.0):
            length += float(np.linalg.norm(np.diff(np.asarray(line), axis=0), axis=1).sum()) / 2
    grid = (resolution, resolution)
    return Regions(classes.reshape(grid), (top[:, -1] - top[:, -2]).reshape(grid), shares, length)


@checks_arguments
def share_changed(before: Regions, after: Regions) -> float:
    """Share of the plane whose predicted class differs between two moments.

    Raises OntogenyError for moments of different resolutions.
    """
    if before.classes.shape != after.classes.shape:
        raise OntogenyError("the two moments were drawn at different resolutions: draw both on one grid")
    return float((before.classes != after.classes).mean())


def planes_of_triples(inputs: Any, labels: Any, count: int, seed: int = 0) -> tuple[list[Plane], np.ndarray]:
    """Planes through `count` triples of inputs of three classes each, drawn at random, and their indices (count, 3).

    With fewer than three classes the triples hold as many as there are.

    Raises OntogenyError if a class has too few inputs.
    """
    inputs, labels = _array(inputs), _array(labels)
    present = np.unique(labels)
    generator = np.random.default_rng(seed)
    planes, chosen = [], []
    for _ in range(count):
        kinds = generator.permutation(present)[:3]
        kinds = np.resize(kinds, 3)
        triple: list[int] = []
        for kind in kinds:
            free = np.setdiff1d(np.flatnonzero(labels == kind), triple)
            if not len(free):
                raise OntogenyError(f"class {kind} has too few inputs to draw a triple: give more samples")
            triple.append(int(generator.choice(free)))
        planes.append(plane_of_three(inputs[triple]))
        chosen.append(triple)
    return planes, np.array(chosen)


def _measured(model: Any, inputs: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, float]:
    """Accuracy, margin and both distances of a network, medians with their intervals."""
    logits = logits_of(model, inputs)
    row = {"accuracy": float((logits.argmax(1) == labels).mean())}
    for name, values in (
        ("margin", margins(logits, labels)),
        ("distance_on_lines", distance_on_lines(model, inputs)[0]),
        ("distance_linearised", distance_linearised(model, inputs)),
    ):
        row[name], row[f"{name}_low"], row[f"{name}_high"] = _median(values, seed)
    return row


@checks_arguments
def boundary_of_moments(
    networks: Iterable[tuple[int, Any]],
    pairs: Sequence[dict[str, Any]],
    inputs: Reals,
    labels: Any,
    settings: BoundarySettings | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, np.ndarray]]:
    """The boundary at several steps of training.

    networks: (step, model) in order of step. pairs: moments to compare, each with kind, step, before and after, whose
    steps are among the networks'. inputs, labels: held-out samples, of which the first `settings.samples` are used.
    Lengths and shares are measured on `settings.planes` planes of three inputs and on that of the principal components,
    all on grids of `settings.resolution`.

    Returns four things: one row per step (margin and distances as medians with 95 % bootstrap intervals over samples;
    accuracy); one row per step, plane and class (share of the area, length of the boundary a unit of area's square
    root); one row per pair (share of the planes that changed from before to after, with the interval over the planes of
    three inputs); and arrays to draw from: `steps`, `pca_classes`, `pca_gap`, `triple_classes`, `triple_gap` (steps, r,
    r), the corners and marks of both planes, and the labels of the marks.
    """
    settings = settings or BoundarySettings()
    seed = settings.seed
    inputs, labels = _array(inputs)[: settings.samples], _array(labels)[: settings.samples]
    triples, chosen = planes_of_triples(inputs, labels, settings.planes, seed)
    drawn = {f"triple {index + 1}": plane for index, plane in enumerate(triples)} | {
        "components": plane_of_components(inputs)
    }
    steps, by_step, by_plane, found = [], [], [], {}
    for step, model in networks:
        by_step.append({"step": step, "samples": len(inputs)} | _measured(model, inputs, labels, seed))
        steps.append(step)
        for name, plane in drawn.items():
            region = found[step, name] = regions(model, plane, settings.resolution)
            for k, share in enumerate(region.shares):
                by_plane.append(
                    {"step": step, "plane": name, "class": k, "share": share, "length": region.length}
                    | {"relative_length": region.length / plane.area**0.5}
                )
    changes = []
    for pair in pairs:
        shares = {name: share_changed(found[pair["before"], name], found[pair["after"], name]) for name in drawn}
        of_triples = np.array([value for name, value in shares.items() if name != "components"])
        changes.append(
            {**pair, "planes": len(of_triples)} | _mean(of_triples) | {"changed_components": shares["components"]}
        )
    arrays: dict[str, np.ndarray] = {"steps": np.array(steps)}
    for key, name in (("pca", "components"), ("triple", "triple 1")):
        plane = drawn[name]
        arrays[f"{key}_classes"] = np.stack([found[step, name].classes for step in steps]).astype(np.int16)
        arrays[f"{key}_gap"] = np.stack([found[step, name].gap for step in steps]).astype(np.float32)
        arrays[f"{key}_corners"] = np.stack([plane.low, plane.high])
        arrays[f"{key}_marks"] = plane.marks
    arrays |= {"pca_labels": labels.astype(np.int64), "triple_labels": labels[chosen[0]].astype(np.int64)}
    columns = [
        "kind",
        "step",
        "before",
        "after",
        "planes",
        "changed",
        "changed_low",
        "changed_high",
        "changed_components",
    ]
    return pd.DataFrame(by_step), pd.DataFrame(by_plane), pd.DataFrame(changes, columns=columns), arrays


def write_regions(path: str | os.PathLike, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays of `boundary_of_moments` as one `.npz`; the same arrays, the same bytes."""
    with atomic(path) as part:
        np.savez_compressed(part, allow_pickle=False, **arrays)


def read_regions(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays that `write_regions` wrote. Raises OntogenyError if the file is none."""
    with read_errors(path, "an archive of regions"):
        check_archive(path)
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if not all(isinstance(array, np.ndarray) for array in arrays.values()):
            raise OntogenyError(f"{path} holds something other than arrays: draw the boundary again")
        return arrays


def _median(values: np.ndarray, seed: int, n_resamples: int = 399) -> tuple[float, float, float]:
    draws = np.random.default_rng(seed).integers(len(values), size=(n_resamples, len(values)))
    low, high = percentile_interval(np.median(values[draws], axis=1), method="nearest")
    return float(np.median(values)), float(low), float(high)


def _mean(values: np.ndarray) -> dict[str, float]:
    """The mean with its 95 % interval by Student's t over planes, held to [0, 1]."""
    mean, low, high = student_interval(values)
    return {"changed": float(mean), "changed_low": max(float(low), 0.0), "changed_high": min(float(high), 1.0)}


class _still:
    """The model in eval mode inside the block, with its device and its floating type."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __enter__(self) -> tuple[Any, Any]:
        import torch

        self.training = getattr(self.model, "training", False)
        if self.training:
            self.model.eval()
        weights = next(iter(self.model.parameters()), None) if hasattr(self.model, "parameters") else None
        return (torch.device("cpu"), torch.float32) if weights is None else (weights.device, weights.dtype)

    def __exit__(self, *error: object) -> None:
        if self.training:
            self.model.train()
