"""Recovery of wiring, cell types and functions from activity, by a graph network.

The network (`ontogeny.connectome.network`) is trained on frames of the activity, and its W, psi and phi are then
refined in double precision (`ontogeny.connectome.refine`) and judged (`ontogeny.connectome.verdict`).

Two ambiguities of the network are fixed after training: psi(0) = 0 (a constant in psi moves into phi; where 0 lies
outside the states that were seen, psi is 0 at the nearest of them), and psi has root mean square 1 over the data (its
scale trades against that of W). `recovery_metrics` fits the one scale that is left.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ontogeny.arguments import checks_arguments, usable_device
from ontogeny.connectome.hidden import SHARED_LEAST, without_hidden
from ontogeny.connectome.network import ConnectomeNetwork
from ontogeny.connectome.observe import Rows, Split, derived_by, rows_of, split_frames
from ontogeny.connectome.outcome import Kind, Outcome
from ontogeny.connectome.recover import MANY, Recovered, again, derivative_of, recover, step
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.simulate import Activity, as_activity, check_activity
from ontogeny.connectome.training import Frames, Training, frames_of, network_for
from ontogeny.connectome.verdict import Verdict, assess, unrefined
from ontogeny.errors import OntogenyError, check_number, expect, shown
from ontogeny.settings import complete
from ontogeny.words import counted

_MOST_FRAMES = 6000


@dataclass(frozen=True)
class Fit(Outcome):
    """What a fit found.

    `W` (N, N) float64, row = receiver; `embedding` (N, d); `psi(u)` at points of any shape; `phi(u)` of every neuron
    at points (points,): (points, N). In all of them psi(0) = 0 (at the state nearest to 0 that was seen), psi has root
    mean square 1 over the data and rises.
    `history` has lists `step`, `loss` (all terms), `error` (mean square error over the variance of du/dt), `l1`,
    `phi_zero`.
    `snapshots` has `step` (S,), `W` (S, N, N), `embedding` (S, N, d), `loss` (S,): training as a trajectory.
    `network_W` is W before the refinement, `standard_errors` (N, N) those of W after it (None without).
    `validation` is the error on frames that were not trained on, held out in blocks, `before` and `after` the
    refinement, over their variance. `verdict` says whether W can be trusted (see `ontogeny.connectome.verdict`).
    """

    W: np.ndarray
    embedding: np.ndarray
    psi: Callable[[np.ndarray], np.ndarray]
    phi: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    history: dict[str, list[float]]
    snapshots: dict[str, np.ndarray]
    settings: dict[str, Any]
    seed: int
    network_W: np.ndarray
    validation: dict[str, float]
    standard_errors: np.ndarray | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    refinement: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


@checks_arguments
def resolved_settings(settings: FitSettings, n_neurons: int, filling_factor: float) -> FitSettings:
    """`settings` with each value "recommended" replaced by what serves so many neurons and so full a matrix.

    L1 helps where W is sparse, the more the larger it is, and costs precision where W is full.
    """
    l1 = 0.0
    if filling_factor <= 0.15:
        l1 = 0.3 if n_neurons < 200 else 1.0 if n_neurons < 600 else 3.0 if filling_factor > 0.07 else 10.0
    served = {"coeff_W_L1": l1, "learning_rate_W_start": 5e-3 if n_neurons < 200 else 3e-3}
    chosen = {key: value for key, value in served.items() if getattr(settings, key) == "recommended"}
    return settings.model_copy(update=chosen)


def memory_needed(n_neurons: int, n_frames: int) -> int:
    """About how many bytes the refinement takes, beside the activity itself (measured: 0.53 GB for 150 neurons)."""
    rows = min(n_frames, max(_MOST_FRAMES, 8 * n_neurons))
    compared = min(n_frames, 16 * n_neurons) if n_neurons > MANY else 0
    whole = 14 * (rows * (7 * n_neurons + 3000) + 6 * n_neurons**2 + 48**2 * n_neurons)
    return whole + 16 * compared * n_neurons + 2**28


def check_memory(n_neurons: int, n_frames: int, available: int | None = None) -> None:
    """Raise OntogenyError if the refinement needs more than the `available` bytes (this machine's memory, if None)."""
    if available is None:
        try:
            available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError, AttributeError):
            return
    needed = memory_needed(n_neurons, n_frames)
    if needed <= available:
        return
    fits = next(
        (n for n in range(n_neurons, 0, -max(1, n_neurons // 100)) if memory_needed(n, n_frames) <= available), 1
    )
    raise OntogenyError(
        f"refining {counted(n_neurons, 'neuron')} needs about {needed / 2**30:.1f} GB of memory, but there are "
        f"{available / 2**30:.1f} GB, enough for about {fits} neurons: use fewer, or set refine to false"
    )


def edge_mask(activity: Activity, edges: str | np.ndarray) -> np.ndarray:
    """Where W may be learned, (N, N) bool, never on the diagonal; see `FitSettings.edges`.

    Raises OntogenyError for a matrix of another shape, and where the true W is needed and not known.
    """
    n = activity.n_neurons
    mask = ~np.eye(n, dtype=bool)
    if activity.mask is not None:
        mask &= activity.mask != 0
    if isinstance(edges, np.ndarray):
        if edges.shape != mask.shape:
            raise OntogenyError(f"edges has shape {edges.shape}: expected ({n}, {n})")
        return mask & (edges != 0)
    if edges == "all":
        return mask
    if activity.W is None:
        raise OntogenyError(
            f'edges is "{edges}", which needs the true W, but the activity comes without one: use "all"'
        )
    if activity.settings.get("connectivity_filling_factor") == 1.0:
        return mask
    return mask & ((activity.W if edges == "true" else activity.W.T) != 0)


def fit_connectome(
    activity: Activity | np.ndarray | list[np.ndarray],
    derivative: np.ndarray | list[np.ndarray] | None = None,
    settings: FitSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    edges: str | np.ndarray | None = None,
    progress: Callable[[dict[str, float]], None] | None = None,
    checkpoint: Callable[[dict[str, np.ndarray]], None] | None = None,
    resume: Mapping[str, np.ndarray] | None = None,
    device: str | torch.device | None = None,
) -> Fit:
    """Recover wiring, types and functions from activity and its time derivative.

    `activity`: an `Activity`, or an array (trajectories, frames, neurons) or (frames, neurons) with `derivative` shaped
    alike; trajectories of unequal length are lists of arrays (frames, neurons). `settings`: see `FitSettings`; `edges`
    overrides `settings.edges` and may be a boolean matrix (N, N).
    `progress` is called with the latest record of the history. `checkpoint` is called with the full state (flat dict
    of arrays) every `checkpoint_every` steps; given back as `resume`, training goes on from there and ends in the very
    same numbers. `device`: e.g. "cuda"; the CPU if None. The result follows from the arguments, on the CPU bit by bit.

    Raises OntogenyError on bad settings and arguments, on values that are not finite, on fewer than 5 frames, and on
    activity that is at rest or blows up.
    """
    _check_call(seed, {"progress": progress, "checkpoint": checkpoint}, resume)
    device = usable_device("cpu" if device is None else device)
    settings = complete(FitSettings, settings, "fit")
    if isinstance(edges, str):
        settings = complete(FitSettings, {**settings.model_dump(), "edges": edges}, "fit")
    activity, settings, notes = _prepared(as_activity(activity, derivative), settings)
    mask = edge_mask(activity, settings.edges if edges is None else edges)
    n = activity.n_neurons
    if settings.refine:
        check_memory(n, activity.u.shape[0] * activity.u.shape[1])
    started = time.process_time()
    split = split_frames(activity.u.shape[0], activity.u.shape[1], seed)
    frames = frames_of(activity, split)
    training = Training(network_for(frames, settings, mask, seed).to(device), frames, settings, seed)
    if resume is not None:
        training.resume(resume)
    training.run(progress, checkpoint)
    trained = time.process_time()

    network, u = training.network.cpu(), frames.u
    error = _held_out_error(frames, training.variance)
    ended = _concluded(_from_network(network, u), error, activity, split, frames, mask, seed, settings)
    return Fit(
        history=training.history,
        snapshots=training.stacked_snapshots(),
        settings=settings.model_dump(),
        seed=seed,
        network_W=_gauged(network, u)[0],
        validation=ended.validation,
        verdict=ended.verdict.to_json(),
        seconds={"training": trained - started, "refinement": time.process_time() - trained},
        notes=notes + ended.notes,
        **ended.result,
        **ended.uncertainty,
    )


def _check_call(seed: int, calls: Mapping[str, Any], resume: Any) -> None:
    check_number(seed, "seed", "a whole number, 0 or more", 0, whole=True)
    for name, call in calls.items():
        if call is not None and not callable(call):
            raise OntogenyError(f"{name} is {shown(call)}: give a function")
    expect(resume, (Mapping, type(None)), "a state that checkpoint was called with, as resume,")


def _held_out_error(frames: Frames, otherwise: float) -> Callable[[dict[str, Any]], float]:
    """A function: the error of a result on the frames held out, over their variance, or `otherwise` where that is 0."""
    seen, slopes = frames.u[frames.held], frames.slopes(frames.held)
    spread = float(np.var(slopes)) or otherwise

    def error(result: dict[str, Any]) -> float:
        return float(np.mean((result["derivative"](seen) - slopes) ** 2, dtype=np.float64)) / spread

    return error


def _error_in_steps(result: dict[str, Any], found: Recovered, held: Rows, delta_t: float) -> float:
    """The error of a result on steps to the next frame, over their variance.

    Where noise moves the neurons, a difference around a frame holds noise that came before it and that its state
    knows: the true model foretells such a difference worse than 0 does, and only what comes after judges it.
    """
    made = (step(result["derivative"], held.u, delta_t, found.substeps) - held.u) / delta_t
    return float(np.mean((made - held.slope) ** 2)) / (float(np.var(held.slope)) or 1.0)


@dataclass(frozen=True)
class _Ended:
    """What a fit comes to: W and functions as `result`, errors of W and residuals as `uncertainty`, and the rest."""

    result: dict[str, Any]
    validation: dict[str, float]
    verdict: Verdict
    notes: list[str]
    uncertainty: dict[str, Any] = field(default_factory=dict)


def _concluded(
    result: dict[str, Any],
    error: Callable[[dict[str, Any]], float],
    activity: Activity,
    split: Split,
    frames: Frames,
    mask: np.ndarray,
    seed: int,
    settings: FitSettings,
) -> _Ended:
    """The network's `result` refined and judged, or as it is where it cannot be refined or that does not help."""
    n = activity.n_neurons
    validation = {"before": error(result)}
    if not settings.refine:
        alone = "the wiring is the network's own, without a refinement and so without standard errors"
        return _Ended(result, validation, unrefined(alone), [])
    allowed = None if mask.sum() == n * (n - 1) else mask
    least = n if allowed is None else int(mask.sum(1).max())
    if len(frames.train) < least:
        what = f"{n} neurons" if allowed is None else f"the {least} weights of a neuron"
        few = f"no refinement: {len(frames.train)} training frames are fewer than {what}"
        return _Ended(result, validation, unrefined(few), [few])
    differences = derived_by(activity)
    improved, found, held = _refine(result, activity, split, allowed, differences, seed, settings)
    validation["after"] = error(improved)
    verdict = assess(found, held, allowed, activity.delta_t, seed)
    if validation["after"] >= validation["before"] and differences is not None:
        in_steps = [_error_in_steps(each, found, held, activity.delta_t) for each in (result, improved)]
        if in_steps[1] < in_steps[0]:
            validation = dict(zip(("before", "after"), in_steps))
    if validation["after"] < validation["before"]:
        uncertainty = {"standard_errors": found.refined.standard_errors, "refinement": found.refined.residuals}
        return _Ended(improved, validation, verdict, _about(found, verdict), uncertainty)
    dropped = (
        f"the refinement was dropped: its error on held-out frames is {validation['after']:.3g}, without it "
        f"{validation['before']:.3g}"
    )
    kind: Kind = "wrong" if verdict.verdict == "wrong" else "undetermined"
    verdict = dataclasses.replace(verdict, verdict=kind, reason=f"{dropped}; {verdict.reason}")
    return _Ended(result, validation, verdict, [dropped])


def _prepared(activity: Activity, settings: FitSettings) -> tuple[Activity, FitSettings, list[str]]:
    """The trajectories to fit, settings without `recommended`, and what a person should know of the activity."""
    level = activity.settings.get("connectivity_filling_factor", 1.0)
    settings = resolved_settings(settings, activity.n_neurons, level)
    if settings.n_trajectories > activity.u.shape[0]:
        raise OntogenyError(
            f"fit setting n_trajectories is {settings.n_trajectories}, but the activity has {activity.u.shape[0]}"
        )
    if settings.n_trajectories:
        part = slice(settings.n_trajectories)
        activity = dataclasses.replace(activity, u=activity.u[part], du=activity.du[part])
    count = activity.u.shape[0] * activity.u.shape[1]
    if count < 5:
        raise OntogenyError(
            f"the activity has {counted(count, 'frame')} in all: a fit needs at least 5, of which it holds out one"
        )
    notes = check_activity(activity)
    if any("at rest" in note or "blows up" in note for note in notes):
        raise OntogenyError(notes[0])
    return activity, settings, notes


@torch.no_grad()
def _gauged(network: ConnectomeNetwork, u: np.ndarray) -> tuple[np.ndarray, float, float]:
    """W in the gauge of `Fit`, the factor by which it was multiplied, and psi(0) before."""
    sample = torch.from_numpy(u[:: max(1, len(u) // 500)])
    constant = float(network.psi_at(torch.zeros(1).clamp(float(u.min()), float(u.max()))))
    sent = network.psi_at(sample).double() - constant
    size = float(sent.square().mean().sqrt()) or 1.0
    rising = float(((sample - sample.mean()) * (sent - sent.mean())).sum())
    factor = -size if rising < 0 else size
    return network.W.numpy().astype(np.float64) * factor, factor, constant


def _from_network(network: ConnectomeNetwork, u: np.ndarray) -> dict[str, Any]:
    W, factor, constant = _gauged(network, u)
    offset = W.sum(1) / factor * constant

    @torch.no_grad()
    def psi(points: np.ndarray) -> np.ndarray:
        values = network.psi_at(torch.as_tensor(np.asarray(points), dtype=torch.float32))
        return (values.numpy().astype(np.float64) - constant) / factor

    @torch.no_grad()
    def phi(points: np.ndarray) -> np.ndarray:
        values = network.phi_at(torch.as_tensor(np.asarray(points), dtype=torch.float32)).numpy()
        return values.T.astype(np.float64) + offset

    @torch.no_grad()
    def derivative(state: np.ndarray) -> np.ndarray:
        rows = torch.as_tensor(np.asarray(state), dtype=torch.float32)
        pieces = [network(rows[k : k + 64])[0].numpy() for k in range(0, len(rows), 64)]
        return np.concatenate(pieces).astype(np.float64)

    return {
        "W": W,
        "embedding": network.embedding.detach().numpy().astype(np.float64),
        "psi": psi,
        "phi": phi,
        "derivative": derivative,
    }


def _refine(
    result: dict[str, Any],
    activity: Activity,
    split: Split,
    allowed: np.ndarray | None,
    differences: str | None,
    seed: int,
    settings: FitSettings,
) -> tuple[dict[str, Any], Recovered, Rows]:
    n = activity.n_neurons
    rows = rows_of(activity, split.train, max(_MOST_FRAMES, 8 * n), differences is not None)
    more = rows_of(activity, split.train, 16 * n, differences is not None) if n > MANY else None
    held = rows_of(activity, split.held, max(_MOST_FRAMES, 4 * n), differences is not None)
    points = np.linspace(rows.u.min(), rows.u.max(), 4001)
    found = recover(rows, (points, result["psi"](points)), allowed, activity.delta_t, differences, seed, more)
    record = found.refined
    if allowed is None and settings.hidden_inputs and found.share > SHARED_LEAST:
        cleared = without_hidden(found, settings.hidden_inputs, seed, again)
        if cleared is not None:
            record, common = cleared
            found = dataclasses.replace(found, common=common)
    spline = record.spline

    def psi(points: np.ndarray) -> np.ndarray:
        return spline.lines(record.psi, points)

    def phi(points: np.ndarray) -> np.ndarray:
        return spline.lines(record.phi, points)

    inside = derivative_of(record)
    ends = np.array([spline.breaks[0], spline.breaks[-1]])
    part = 0.05 * (ends[1] - ends[0])
    places = np.array([ends[0], ends[0] + part, ends[1] - part, ends[1]])
    first, second, third, last = spline.values(record.phi, places)
    slopes = np.stack([second - first, last - third]) / part

    def derivative(state: np.ndarray) -> np.ndarray:
        state = np.asarray(state, np.float64)
        beyond = state - spline.within(state)
        if not beyond.any():
            return inside(state)
        more = psi(state) - spline.values(record.psi, spline.within(state))
        return inside(state) + beyond * np.where(beyond < 0, slopes[0], slopes[1]) + more @ record.W.T

    span = np.linspace(max(spline.breaks[0], -3.0), min(spline.breaks[-1], 3.0), 61)
    embedding = functions_embedding(phi(span), settings.embedding_dim)
    improved = {"W": record.W, "embedding": embedding, "psi": psi, "phi": phi}
    return {**improved, "derivative": derivative}, found, held


def _about(found: Recovered, verdict: Verdict) -> list[str]:
    """What a person should know of how the wiring was found."""
    notes = []
    if found.substeps != 1:
        how = "as a continuous flow" if not found.substeps else f"in {found.substeps} Euler steps per frame"
        notes.append(f"differences between frames were corrected for what the model does between them, {how}")
    if found.windows is not None:
        notes.append(
            "the model was fitted in its integral form, which suffers less from noise of the states and long "
            "frames than differences between frames do"
        )
    if found.common is not None:
        notes.append(
            f"W was cleared of {counted(found.common.shape[1], 'input')} that neurons share and none of them carries"
        )
    return notes + ([] if verdict.verdict == "trusted" else [f"{verdict.verdict}: {verdict.reason}"])


def functions_embedding(functions: np.ndarray, dimensions: int) -> np.ndarray:
    """The leading principal components (N, dimensions) of functions (points, N), in units of the first one's spread.

    Each component's sign is such that its largest entry is positive; components beyond the functions' rank are 0.
    """
    centred = (functions - functions[len(functions) // 2]).T
    centred = centred - centred.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    scores = np.zeros((len(left), dimensions))
    kept = min(dimensions, len(size))
    scores[:, :kept] = left[:, :kept] * size[:kept]
    signs = np.sign(scores[np.abs(scores).argmax(0), np.arange(dimensions)])
    return scores * signs / max(scores[:, 0].std(), 1e-300)
