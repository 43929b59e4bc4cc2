"""Populations of neurons with known wiring: simulation, and what their activity tells before anything is trained.

The state of neuron i follows (model PDE_N2 of Allier et al., arXiv 2602.13325)

    du_i/dt = -c_i u_i + s_i tanh(u_i) + g_i sum_j W_ij tanh(u_j) + input_i(t)

where a neuron's type sets (g, s, c). The same family is often written with a leak -u/tau: c = 1 and 2 are tau = 1
and 0.5. `W[i, j]` weighs the message from j to i.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.connectome.celegans import celegans_wiring
from ontogeny.connectome.settings import ActivitySettings, SimulationSettings
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.errors import OntogenyError, first_line
from ontogeny.files import check_archive
from ontogeny.settings import complete
from ontogeny.words import counted, joined

_LARGEST = 1e6
_AT_REST = 1e-3


@dataclass(frozen=True)
class Activity:
    """Activity of a population, with the truth behind it where that is known.

    `u` and `du` have shape (trajectories, frames, neurons): state, and its time derivative at that state (1 / unit of
    `delta_t`). `input` has shape (frames, neurons), or is None. `W` is (neurons, neurons), row = receiver; `types` is
    (neurons,) in 0..n_types-1; `params` is (n_types, 3): g, s, c. `mask` (neurons, neurons) is 0 where anatomy rules a
    connection out.
    """

    u: np.ndarray
    du: np.ndarray
    W: np.ndarray | None = None
    types: np.ndarray | None = None
    params: np.ndarray | None = None
    input: np.ndarray | None = None
    delta_t: float = 0.01
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int | None = None
    mask: np.ndarray | None = None

    def __repr__(self) -> str:
        known = [name for name in ("W", "types", "params", "input", "mask") if getattr(self, name) is not None]
        about = f"u of shape {np.shape(self.u)}, delta_t={self.delta_t}"
        return f"Activity({about}, with {joined(known)})" if known else f"Activity({about})"

    @property
    def n_neurons(self) -> int:
        """How many neurons there are."""
        return self.u.shape[2]

    def phi(self, u: np.ndarray) -> np.ndarray:
        """The true update function of every neuron at points `u` (points,): (points, neurons), without input."""
        _, s, c = self.constants.T
        return -np.outer(u, c) + np.outer(np.tanh(u), s)

    def psi(self, u: np.ndarray) -> np.ndarray:
        """The true transfer function at points `u` of any shape."""
        return np.tanh(u)

    @property
    def weights(self) -> np.ndarray:
        """g_i W_ij: what multiplies tanh(u_j) in neuron i, which is what a network can learn as its W.

        W itself, where the parameters are not known. Raises OntogenyError where W is not known either.
        """
        if self.W is None:
            raise OntogenyError("the true W of this activity is not known")
        return self.W if self.params is None else self.constants[:, 0][:, None] * self.W

    @property
    def constants(self) -> np.ndarray:
        """Gain g, self-excitation s and leak c of every neuron, (neurons, 3). Raises OntogenyError if not known."""
        if self.params is None or self.types is None:
            raise OntogenyError("the true functions of this activity are not known")
        return self.params[self.types]


def read_connectivity(path: str | os.PathLike) -> np.ndarray:
    """The square matrix in a CSV, npy or npz file, (N, N) float64. Raises OntogenyError if there is none."""
    path = Path(path)
    if not path.is_file():
        raise OntogenyError(f"connectivity_file {path} does not exist")
    try:
        if path.suffix == ".npy":
            matrix = np.load(path, allow_pickle=False)
        elif path.suffix == ".npz":
            check_archive(path)
            with np.load(path, allow_pickle=False) as archive:
                names = list(archive)
                name = "W" if "W" in names else names[0] if len(names) == 1 else None
                if name is None:
                    raise OntogenyError(
                        f"connectivity_file {path} holds {', '.join(names) or 'nothing'}: name the matrix 'W'"
                    )
                matrix = archive[name]
        else:
            matrix = np.loadtxt(path, delimiter=",", ndmin=2, encoding="utf-8-sig")
        if matrix.dtype.kind in "cMm":
            raise OntogenyError(f"connectivity_file {path} is {matrix.dtype.name}: expected real numbers")
        matrix = np.asarray(matrix, dtype=np.float64)
    except OntogenyError:
        raise
    except Exception as error:
        raise OntogenyError(f"connectivity_file {path} is not a matrix of numbers: {first_line(error)}") from None
    return check_connectivity(matrix, f"connectivity_file {path}")


def check_connectivity(matrix: np.ndarray, what: str = "W") -> np.ndarray:
    """`matrix` as float64 if it is square and finite. Raises OntogenyError that names `what` otherwise."""
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        shape = " x ".join(map(str, matrix.shape))
        raise OntogenyError(f"{what} has shape {shape}: expected a square matrix (neurons x neurons)")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise OntogenyError(f"{what} is not finite at row {row + 1}, column {column + 1}")
    return matrix


def lorentz_exponent(n_neurons: int) -> float:
    """The power of the number of neurons that divides `lorentz` weights, as in the published code."""
    return 0.67 if n_neurons >= 4000 else 0.675 if n_neurons >= 2000 else 0.7


def draw_connectivity(settings: ActivitySettings, rng: np.random.Generator) -> np.ndarray:
    """A connectivity matrix (N, N) float64 as `settings` describe it, row = receiver, zero diagonal.

    Raises OntogenyError for a file that cannot be read, or wires another number of neurons.
    """
    n = settings.n_neurons
    if settings.connectivity_type == "lorentz":
        W = rng.standard_cauchy((n, n))
        W[np.abs(W) > 25] = 0
        W /= n ** lorentz_exponent(n)
    elif settings.connectivity_type == "gaussian":
        W = rng.standard_normal((n, n)) / math.sqrt(n)
    elif settings.connectivity_type == "low_rank":
        r = settings.connectivity_rank
        W = rng.standard_normal((n, r)) @ rng.standard_normal((r, n)) / math.sqrt(r * n)
    elif settings.connectivity_type == "c_elegans":
        W, _ = celegans_wiring()
    else:
        W = read_connectivity(str(settings.connectivity_file))
        if len(W) != n:
            raise OntogenyError(
                f"connectivity_file {settings.connectivity_file} wires {counted(len(W), 'neuron')}, but "
                f"n_neurons is {n}: "
                "make them equal"
            )
    if settings.dale_law:
        W = np.abs(W) * rng.choice([-1.0, 1.0], size=n)
    if settings.connectivity_filling_factor < 1:
        W = np.where(rng.random((n, n)) < settings.connectivity_filling_factor, W, 0.0)
    W = W.copy()
    np.fill_diagonal(W, 0)
    return W


@checks_arguments
def simulate_activity(
    settings: SimulationSettings | Mapping[str, Any] | None = None, seed: int = 0, W: Reals | None = None
) -> Activity:
    """Simulate a population: see `ActivitySettings` for the model and its settings.

    A matrix given as `W` (N, N) replaces the drawn one (n_neurons then follows it). The derivative stored beside each
    state is the right-hand side evaluated at that very state in float64, and is what the integrator used.
    The same settings and seed give the same numbers. Raises OntogenyError on settings out of range, when every
    weight that was drawn or read is 0, and when the activity blows up or is at rest in every frame.
    """
    settings = complete(ActivitySettings, settings, "simulation")
    if W is not None:
        W = check_connectivity(W)
        settings = settings.model_copy(update={"n_neurons": len(W)})
    params = np.asarray(settings.params, dtype=np.float64)
    n, runs, frames = settings.n_neurons, settings.n_trajectories, settings.n_frames
    wiring, typing, start, noise_stream, phases = (
        np.random.Generator(np.random.PCG64(s)) for s in np.random.SeedSequence(seed).spawn(5)
    )
    drawn = W is None
    W = draw_connectivity(settings, wiring) if W is None else W.copy()
    np.fill_diagonal(W, 0)
    types = np.arange(n) * len(params) // n
    if settings.shuffle_types:
        types = typing.permutation(types)
    g, s, c = params[types].T
    input_ = None
    if settings.input_amplitude > 0:
        time = settings.delta_t * np.arange(-settings.warm_up_frames, frames)[:, None]
        drive = settings.input_amplitude * np.cos(2 * np.pi * (settings.input_frequency * time + phases.random(n)))
        input_ = drive[settings.warm_up_frames :]
    dtype = np.dtype(settings.precision)
    u = np.empty((runs, frames, n), dtype)
    du = np.empty((runs, frames, n), dtype)
    state = settings.initial_scale * np.asarray(start.standard_normal((runs, n)))
    state = state.astype(dtype).astype(np.float64)
    gain = np.ascontiguousarray((g[:, None] * W).T)
    if drawn and not gain.any():
        raise OntogenyError(
            "no neuron hears another, every g_i W_ij is 0: make the gains g in params, or the filling factor (it is "
            f"{settings.connectivity_filling_factor:g}) larger"
        )
    for frame in range(-settings.warm_up_frames, frames):
        fired = np.tanh(state)
        slope = fired @ gain
        fired *= s
        slope += fired
        slope -= c * state
        if input_ is not None:
            slope += drive[frame + settings.warm_up_frames]
        if frame >= 0:
            u[:, frame] = state
            du[:, frame] = slope
        slope *= settings.delta_t
        state = state + slope
        if settings.noise_level:
            state += settings.noise_level * noise_stream.standard_normal(state.shape)
        if dtype == np.float32:
            state = state.astype(np.float32).astype(np.float64)
        if frame % 100 == 0 and not np.abs(state).max() < _LARGEST:
            raise OntogenyError(
                f"the activity blows up at frame {frame} (|u| beyond {_LARGEST:g}): "
                "make delta_t or the gains g smaller, or the leaks c larger"
            )
    if not du.any():
        raise OntogenyError(
            f"the population is at rest in every frame: make initial_scale (it is {settings.initial_scale:g}) or "
            f"input_amplitude (it is {settings.input_amplitude:g}) larger than 0"
        )
    if not np.isfinite(u[:, -1]).all():
        raise OntogenyError("the activity blows up: make delta_t or the gains g smaller, or the leaks c larger")
    if settings.measurement_noise:
        u += (settings.measurement_noise * np.asarray(noise_stream.standard_normal(u.shape))).astype(dtype)
    return Activity(
        u=u,
        du=du,
        W=W,
        types=types,
        params=params,
        input=input_,
        delta_t=settings.delta_t,
        settings=settings.model_dump(mode="json"),
        seed=seed,
    )


def as_activity(
    activity: Activity | np.ndarray | list[np.ndarray], derivative: np.ndarray | list[np.ndarray] | None = None
) -> Activity:
    """Arrays (frames, neurons) or (trajectories, frames, neurons) as an Activity, checked.

    Raises OntogenyError if the shapes differ or a value is not finite, naming where.
    """
    if isinstance(activity, Activity):
        result = activity if derivative is None else dataclasses.replace(activity, du=np.asarray(derivative))
    else:
        if isinstance(activity, str | os.PathLike):
            raise OntogenyError(f"the activity is the name {os.fspath(activity)!r}: read the file with read_activity")
        if derivative is None:
            raise OntogenyError("the derivative of the activity is missing: give an array shaped like the activity")
        result = Activity(*_even(activity, derivative))
    u, du = (array[None] if array.ndim == 2 else array for array in (result.u, result.du))
    if u.dtype.kind not in "fiub" or du.dtype.kind not in "fiub":
        raise OntogenyError(
            f"the activity is of {u.dtype.name} and its derivative of {du.dtype.name}: give real numbers"
        )
    if u.ndim != 3 or min(u.shape) < 1:
        raise OntogenyError(f"activity has shape {u.shape}: expected (trajectories, frames, neurons)")
    if u.shape != du.shape:
        raise OntogenyError(f"activity has shape {u.shape} but its derivative {du.shape}: they must agree")
    for name, array in (("activity", u), ("derivative", du)):
        if not math.isfinite(float(np.abs(array).max(initial=0))):
            trajectory, frame, neuron = np.argwhere(~np.isfinite(array))[0]
            value = array[trajectory, frame, neuron]
            raise OntogenyError(
                f"{name} holds {value} at trajectory {trajectory}, frame {frame}, neuron {neuron}: "
                "every value must be finite"
            )
    return dataclasses.replace(result, u=u, du=du)


def _even(activity: Any, derivative: Any) -> tuple[np.ndarray, np.ndarray]:
    """Trajectories as two arrays. Of unequal ones, a list of (frames, neurons), pieces of one length: the length that
    keeps most frames; what is left over of each is dropped."""
    if not isinstance(activity, list | tuple):
        return np.asarray(activity), np.asarray(derivative)
    us, slopes = [np.asarray(part) for part in activity], [np.asarray(part) for part in derivative]
    if [part.shape for part in us] != [part.shape for part in slopes]:
        raise OntogenyError("the trajectories and their derivatives must agree in number and shape")
    if not us or any(part.ndim != 2 or part.shape[1:] != us[0].shape[1:] for part in us):
        raise OntogenyError("trajectories should be arrays (frames, neurons) with the same neurons")
    lengths = [len(part) for part in us]
    length = max(sorted(set(lengths)), key=lambda size: sum(size * (one // size) for one in lengths))

    def cut(parts: list[np.ndarray]) -> np.ndarray:
        return np.stack([part[k : k + length] for part in parts for k in range(0, len(part) - length + 1, length)])

    return cut(us), cut(slopes)


def check_activity(activity: Activity) -> list[str]:
    """What in the activity will keep a fit from working, one sentence each; an empty list if nothing."""
    notes = []
    u, du = activity.u, activity.du
    frames = u.shape[1]
    if np.abs(u).max() > _LARGEST:
        notes.append(f"the activity reaches {np.abs(u).max():.3g}: it blows up, so no function of it can be learned")
    with np.errstate(over="ignore"):
        speed = np.sqrt(np.mean(np.square(du[:, :: max(1, frames // 1000)], dtype=np.float64), axis=(0, 2)))
    if not speed.max() > 0:
        notes.append("the activity is at rest in every frame: there is nothing to learn from")
    elif speed[-max(1, len(speed) // 10) :].max() < _AT_REST * speed.max():
        rest = int(np.flatnonzero(speed >= _AT_REST * speed.max())[-1] + 1) * max(1, frames // 1000)
        notes.append(
            f"the activity dies out: from frame {rest} of {frames} on its speed is below {_AT_REST:g} of its "
            "peak; use more and shorter trajectories, or stronger wiring"
        )
    if u.shape[0] * frames < u.shape[2]:
        notes.append(
            f"there are {u.shape[0] * frames} frames of {counted(u.shape[2], 'neuron')}: with fewer frames than "
            "neurons many "
            "wirings explain the same activity"
            + (" (transpose it if rows are neurons: they should be frames)" if u.shape[0] == 1 else "")
        )
    still = np.flatnonzero(np.ptp(u.reshape(-1, u.shape[2])[:: max(1, u[..., 0].size // 5000)], axis=0) == 0)
    if len(still) and speed.max() > 0:
        notes.append(
            f"{counted(len(still), 'neuron')} never change{'s' if len(still) == 1 else ''} (the first is "
            f"{still[0]}): outgoing weights of what is still cannot be learned"
        )
    return notes


def spectral_radius(W: np.ndarray) -> float:
    """The largest absolute eigenvalue of `W` (N, N)."""
    return float(np.abs(np.linalg.eigvals(np.asarray(W, dtype=np.float64))).max())


def components(
    activity: Activity, shares: Sequence[float] = (0.9, 0.99), max_frames: int = 20_000, standardise: bool = False
) -> dict[float, int]:
    """How many principal components of tanh(u) hold each share of its variance (frames thinned to `max_frames`).

    `standardise` first centres u and divides it by its standard deviation: for activity in a unit of its own.
    """
    u = _thin(activity.u, max_frames).astype(np.float64)
    fired = np.tanh((u - u.mean(0)) / (u.std() or 1.0) if standardise else u)
    variances = np.linalg.eigvalsh(np.cov(fired, rowvar=False))[::-1].clip(min=0)
    held = np.cumsum(variances) / variances.sum()
    return {share: int(np.searchsorted(held, share) + 1) for share in shares}


def _thin(values: np.ndarray, max_frames: int) -> np.ndarray:
    flat = values.reshape(-1, values.shape[-1])
    return flat[:: max(1, -(-len(flat) // max_frames))]


def lyapunov_exponent(activity: Activity, frames: int = 4000, blocks: int = 10) -> tuple[float, float]:
    """The largest Lyapunov exponent (1 / time) and its standard error over `blocks` equal pieces.

    A tangent vector is carried along the last `frames` stored frames of the first trajectory by the derivative of the
    Euler map and normalised at each step (Benettin et al. 1980). The first tenth aligns it and is not counted.
    """
    path = activity.u[0, -frames:].astype(np.float64)
    _, s, c = activity.constants.T
    gain = activity.weights
    vector = np.asarray(np.random.Generator(np.random.PCG64(0)).standard_normal(path.shape[1]))
    vector = vector / np.linalg.norm(vector)
    growth = np.empty(len(path))
    for frame, u in enumerate(path):
        slope = 1 - np.tanh(u) ** 2
        vector = vector + activity.delta_t * (-c * vector + slope * s * vector + gain @ (slope * vector))
        size = float(np.linalg.norm(vector))
        growth[frame] = math.log(size) / activity.delta_t
        vector /= size
    growth = growth[len(growth) // 10 :]
    pieces = np.array([piece.mean() for piece in np.array_split(growth, min(blocks, len(growth)))])
    return float(growth.mean()), float(pieces.std(ddof=1) / math.sqrt(len(pieces))) if len(pieces) > 1 else math.nan


def oracle(activity: Activity, ridge: float = 1e-12, max_frames: int = 50_000) -> np.ndarray:
    """The weights (N, N) that ridge regression finds, in float64, given the true functions and the leak.

    What the oracle cannot find is not in the data. `ridge` is relative to the mean variance of tanh(u).
    """
    u = _thin(activity.u, max_frames).astype(np.float64)
    fired = np.tanh(u)
    _, s, c = activity.constants.T
    drive = _thin(activity.du, max_frames).astype(np.float64) + c * u - s * fired
    if activity.input is not None:
        drive -= _thin(np.broadcast_to(activity.input, activity.u.shape), max_frames)
    gram = fired.T @ fired
    gram[np.diag_indices_from(gram)] += ridge * np.trace(gram) / len(gram)
    inverse = np.linalg.inv(gram)
    weights = inverse @ (fired.T @ drive)
    weights -= inverse * (np.diag(weights) / np.diag(inverse))
    return weights.T


@checks_arguments
def activity_report(activity: Activity) -> dict[str, Any]:
    """What the activity can tell before any training.

    Keys: `spectral_radius` (of W; None without truth), `lyapunov_exponent` and `lyapunov_se`, `components_90` and
    `components_99` (of tanh(u), u standardised where it was recorded), `oracle_R2` (see `oracle`), `filling_factor`,
    `range` of u, `notes` (sentences of `check_activity`) and `verdict` (one sentence).
    """
    activity = as_activity(activity)
    notes = check_activity(activity)
    held = components(activity, standardise=activity.params is None)
    report: dict[str, Any] = {
        "n_neurons": activity.n_neurons,
        "n_trajectories": activity.u.shape[0],
        "n_frames": activity.u.shape[1],
        "range": [float(activity.u.min()), float(activity.u.max())],
        "components_90": held[0.9],
        "components_99": held[0.99],
        "spectral_radius": None,
        "filling_factor": None,
        "lyapunov_exponent": None,
        "lyapunov_se": None,
        "oracle_R2": None,
    }
    if activity.W is not None:
        report.update(spectral_radius=spectral_radius(activity.W), filling_factor=filling_factor(activity.W))
    if activity.W is not None and activity.params is not None:
        exponent, error = lyapunov_exponent(activity)
        report.update(
            lyapunov_exponent=exponent,
            lyapunov_se=error,
            oracle_R2=connectivity_r2(oracle(activity), activity.weights)["connectivity_R2"],
        )
    report["notes"] = notes
    report["verdict"] = "; ".join(notes) if notes else _verdict(report)
    return report


def _verdict(report: Mapping[str, Any]) -> str:
    exponent, found = report["lyapunov_exponent"], report["oracle_R2"]
    if exponent is None:
        return (
            f"the activity is alive; {report['components_99']} components hold 99% of its variance, for "
            f"{report['n_neurons']} neurons"
        )
    kind = "chaotic" if exponent > 2 * report["lyapunov_se"] and exponent > 0 else "not chaotic"
    there = (
        "the wiring is there to be found" if found > 0.99 else "even the true functions do not give the whole wiring"
    )
    return (
        f"the activity is alive and {kind} (exponent {exponent:.2f} +- {report['lyapunov_se']:.2f}); "
        f"{there} (oracle R2 {found:.4f})"
    )


def filling_factor(W: np.ndarray) -> float:
    """The share of off-diagonal entries of `W` that are not zero."""
    n = len(W)
    return float((np.count_nonzero(W) - np.count_nonzero(np.diag(W))) / (n * (n - 1)))
