"""What of an activity is trained on, what is held out, and how its derivative came about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ontogeny.connectome.simulate import Activity

_FEW = 5
_CLUSTERS = 24

_SAME, _FINE = 1e-6, 1e-9
"""How far slopes may be off the rule by which they came about, as a share of their size: less where exact slopes of
frames that are near each other are hardly different."""

_LEVELS, _FEW_GAPS = 2000, 8
_FINEST, _ON_GRID = 1e-5, 0.05
"""Smallest step of a grid, as a share of the range, and how far from it, in steps, values may be."""


@dataclass(frozen=True)
class Split:
    """Which frames (trajectories, frames) are trained on and which are held out; the frames between are neither.

    With five trajectories or more, whole ones are held out; of fewer, a block in the middle and one at the end of each.
    """

    train: np.ndarray
    held: np.ndarray
    whole: bool


def split_frames(trajectories: int, frames: int, seed: int = 0) -> Split:
    """Hold out an eighth of the trajectories, or blocks of the frames with a guard between them and the rest."""
    held = np.zeros((trajectories, frames), bool)
    if trajectories >= _FEW:
        rng = np.random.Generator(np.random.PCG64([seed, 1]))
        held[rng.permutation(trajectories)[: max(1, trajectories // 8)]] = True
        return Split(~held, held, True)
    train = np.ones_like(held)
    length = max(1, frames // 10)
    guard = min(frames // 50, 50)
    middle = (frames // 2, frames // 2 + length)
    spans = [(frames - 2 * length, frames)] if frames < 100 else [(frames - length, frames), middle]
    for first, end in spans:
        held[:, first:end] = True
        train[:, max(0, first - guard) : end + guard] = False
    return Split(train, held, False)


def derived_by(activity: Activity) -> str | None:
    """By which rule `du` comes from `u`, to the precision of single numbers, or None: "central", "forward" or
    "backward" differences, "five-point" ones (a cubic through five frames, as of Savitzky and Golay, has the same
    slope), or a cubic "spline" through all frames, of which neighbouring slopes tell each other."""
    u, du, dt = activity.u, activity.du, activity.delta_t
    if u.shape[1] < 4:
        return None
    runs = slice(None, None, max(1, len(u) // 20))
    part, slope = u[runs, :400].astype(np.float64), du[runs, :400].astype(np.float64)
    size = float(np.sqrt(np.mean(slope**2)))
    precision = 4 * np.finfo(np.result_type(u.dtype, np.float32)).eps * float(np.abs(part).max()) / dt
    central = (part[:, 2:] - part[:, :-2]) / (2 * dt)
    steps = np.diff(part, axis=1) / dt
    gaps = {
        "forward": steps - slope[:, :-1],
        "central": central - slope[:, 1:-1],
        "backward": steps - slope[:, 1:],
        "spline": central - (slope[:, :-2] + 4 * slope[:, 1:-1] + slope[:, 2:]) / 6,
    }
    if u.shape[1] > 4:
        wide = (part[:, 4:] - part[:, :-4]) / (4 * dt)
        gaps["five-point"] = (4 * central[:, 1:-1] - wide) / 3 - slope[:, 2:-2]
    for name, gap in gaps.items():
        if float(np.sqrt(np.mean(gap**2))) < max(
            precision, (_FINE if name in ("spline", "five-point") else _SAME) * size
        ):
            return name
    return None


@dataclass(frozen=True)
class Rows:
    """Frames as rows, block by block: states and slopes (rows, N), and the block (rows,) that each belongs to.

    A block is a run of consecutive frames of one trajectory; `trajectory` and `frame` say where each row comes from.
    """

    u: np.ndarray
    slope: np.ndarray
    block: np.ndarray
    trajectory: np.ndarray
    frame: np.ndarray

    def __len__(self) -> int:
        return len(self.u)

    @property
    def stretches(self) -> np.ndarray:
        """The run (rows,) of equally spaced frames of one trajectory that each row belongs to."""
        gaps = np.diff(self.frame)
        usual = int(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1
        return np.cumsum(np.r_[0, (np.diff(self.trajectory) != 0) | (gaps != usual)])

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """Two masks (rows,): every other block, from the first in one trajectory and from the second in the next, so
        that both halves have beginnings and ends of trajectories."""
        starts = np.flatnonzero(np.r_[True, np.diff(self.block) != 0])
        run = self.trajectory[starts]
        turn = np.cumsum(np.r_[0, np.diff(run) != 0])
        within = np.arange(len(starts)) - np.searchsorted(turn, turn)
        first = np.repeat((turn + within) % 2 == 0, np.diff(np.r_[starts, len(self)]))
        return first, ~first

    def only(self, chosen: np.ndarray) -> Rows:
        """The rows `chosen`, a mask or indices in rising order."""
        return Rows(*(getattr(self, name)[chosen] for name in ("u", "slope", "block", "trajectory", "frame")))


def rows_of(activity: Activity, chosen: np.ndarray, most: int, differences: bool) -> Rows:
    """The frames `chosen` (trajectories, frames) as rows, in blocks, of which about `most` are kept, of every
    block: neighbours where they are `differences`, else one in so many.

    The slope is `du` less the known input, or, with `differences`, the step to the next frame over `delta_t` (frames
    without a next one that is chosen too are left out). Blocks number 24 or more where the frames allow it.
    """
    usable = chosen.copy()
    if differences:
        usable[:, :-1] &= chosen[:, 1:]
        usable[:, -1] = False
    run, frame = np.nonzero(usable)
    starts = np.r_[0, np.flatnonzero((np.diff(run) != 0) | (np.diff(frame) != 1)) + 1]
    stretch = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(run)]))
    lengths = np.diff(np.r_[starts, len(run)])
    pieces = np.maximum(1, np.round(lengths / max(10, len(run) / _CLUSTERS)).astype(int))
    place = (np.arange(len(run)) - starts[stretch]) * pieces[stretch] // lengths[stretch]
    block = np.cumsum(np.r_[0, (np.diff(stretch) != 0) | (np.diff(place) != 0)])
    if len(run) > most and differences:
        sizes = np.bincount(block)
        within = np.arange(len(run)) - (np.cumsum(sizes) - sizes)[block]
        inside = within < np.maximum(2, np.ceil(sizes * (most / len(run))))[block]
        run, frame, block = run[inside], frame[inside], block[inside]
    elif len(run) > most:
        thin = slice(None, None, len(run) // most)
        run, frame, block = run[thin], frame[thin], block[thin]
    u = activity.u[run, frame].astype(np.float64)
    if differences:
        slope = (activity.u[run, frame + 1].astype(np.float64) - u) / activity.delta_t
    else:
        slope = activity.du[run, frame].astype(np.float64)
    if activity.input is not None:
        slope = slope - activity.input[frame]
    return Rows(u, slope, block, run, frame)


def rounding_share(rows: Rows) -> float:
    """The share of the variance of what changes between frames that rounding of the states makes, over all neurons.

    Values that lie on a grid of step q are off by up to q/2, which adds q^2 / 6 to the mean square of their changes.
    A neuron that lies on no grid in all rows may do so within each trajectory, as where trials were scaled one by one.
    """
    starts = np.flatnonzero(np.r_[True, np.diff(rows.trajectory) != 0])
    trajectory = np.cumsum(np.r_[0, np.diff(rows.trajectory) != 0])
    steps = np.zeros((len(starts), rows.u.shape[1]))
    for k, column in enumerate(rows.u.T):
        steps[:, k] = _grid_step(column)
        if len(starts) > 1 and not steps[0, k]:
            steps[:, k] = [_grid_step(part) for part in np.split(column, starts[1:])]
    within = np.diff(rows.block) == 0
    if not steps.any() or not within.any():
        return 0.0
    counts = np.bincount(trajectory[1:][within], minlength=len(starts))
    made = counts @ steps**2 / 6 / counts.sum()
    power = np.mean(np.diff(rows.u, axis=0)[within] ** 2, axis=0)
    return float(np.mean(np.minimum(made / np.where(power > 0, power, np.inf), 1.0)))


def _grid_step(values: np.ndarray) -> float:
    """The step of the grid that `values` (rows,) lie on, 0 for none."""
    levels = np.unique(values[:: max(1, len(values) // _LEVELS)])
    gaps = np.diff(levels)
    gaps = gaps[gaps > _FINEST * float(np.ptp(levels))]
    if not len(gaps) or (len(gaps) < _FEW_GAPS and len(levels) > len(values) // 4):
        return 0.0
    counts = np.round(gaps / gaps.min())
    step = float(gaps.sum() / counts.sum())
    return step if float(np.abs(gaps - counts * step).max()) < _ON_GRID * step else 0.0


__all__ = ["Rows", "Split", "derived_by", "rounding_share", "rows_of", "split_frames"]
