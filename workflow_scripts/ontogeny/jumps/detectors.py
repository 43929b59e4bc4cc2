"""The registry of detectors.

To add a detector: write a function that takes a finite float64 series (n,) and its settings as keyword
arguments with defaults, and returns events; add one entry to `DETECTORS`. An event is an index (the first
point of the new level), or (index, score), or (index, score, size), or anything with an `index` attribute.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontogeny.arguments import plain
from ontogeny.errors import OntogenyError, check_number, check_share, check_word, is_number, shown, unknown
from ontogeny.jumps.events import level_change
from ontogeny.jumps.surrogates import phase_randomised
from ontogeny.words import counted

Events = Iterable[Any]


@dataclass(frozen=True, eq=False)
class Detector:
    """An entry of the registry: the function, what it does in a line, and the least length that it judges.

    many: optional, the events of each row of (series, n), for many series at once. highest: optional, the highest
    score in each row of (series, n), for p-values of many surrogates at once; of a guarded detector it is also given
    `least`, a number or (series,), and scores below that may be 0. Both are called with the completed settings.
    guarded: repeated values,
    saturation and spikes that recover are looked at first (`ontogeny.jumps.guards`), as the calibration of the
    detector assumes.
    """

    function: Callable[..., Events]
    summary: str
    shortest: int = 3
    highest: Callable[..., np.ndarray] | None = None
    guarded: bool = False
    many: Callable[..., list[list[Any]]] | None = None

    @functools.cached_property
    def settings(self) -> dict[str, Any] | None:
        """The function's settings and their defaults; None when it takes whatever it is given."""
        try:
            parameters = list(inspect.signature(self.function).parameters.values())[1:]
        except (TypeError, ValueError):
            return None
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return None
        return {p.name: p.default for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}


def z_score_flags(values: Any, window: int = 50, threshold: float = 3.0, min_samples: int = 20) -> np.ndarray:
    """Signed rolling z-scores of those points that exceed `threshold`, 0 elsewhere; (n,) or (series, n) alike.

    A point i >= min_samples is compared with the mean and the population standard deviation of the up to
    `window` points before it. Where the running sums leave a decision in doubt, it is taken again with the
    plain two-pass formula, so decisions are those of the plain definition. A window without spread decides nothing.

    Raises OntogenyError for values of more than two dimensions, or that are no numbers, and for windows without points.
    """
    try:
        series = np.asarray(plain(values), dtype=np.float64)
    except (TypeError, ValueError):
        raise OntogenyError("values must be numbers, one for each logged step") from None
    _whole(window=window)
    check_number(min_samples, "min_samples", "a whole number of measurements", whole=True)
    check_number(threshold, "threshold", "a number of standard deviations")
    if series.ndim not in (1, 2):
        raise OntogenyError(f"values has shape {series.shape}: give one series (n,) or a batch (series, n)")
    x = np.ascontiguousarray(np.atleast_2d(series))
    flags = np.zeros_like(x)
    n = x.shape[1]
    first = max(int(min_samples), 1)
    if n <= first or not x.shape[0]:
        return flags.reshape(series.shape)
    centred = x - x.mean(axis=1, keepdims=True)
    sums = np.zeros((x.shape[0], n + 1))
    squares = np.zeros_like(sums)
    np.cumsum(centred, axis=1, out=sums[:, 1:])
    np.cumsum(centred * centred, axis=1, out=squares[:, 1:])
    at = np.arange(first, n)
    start = np.maximum(at - window, 0)
    count = (at - start).astype(np.float64)
    mean = (sums[:, first:n] - sums[:, start]) / count
    variance = (squares[:, first:n] - squares[:, start]) / count - mean * mean
    spread = squares[:, -1:] + 1e-300
    away = centred[:, first:] - mean
    np.subtract(away * away, threshold * threshold * variance, out=mean)
    doubt = 1e-9 * (np.abs(variance) * threshold**2 + away * away) + 1e-12 * spread * threshold**2
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(mean > doubt, away / np.sqrt(np.maximum(variance, 0)), 0.0)
    flags[:, first:] = np.where(np.isfinite(found), found, 0.0)
    rows, columns = np.nonzero(~(np.abs(mean) > doubt))
    for block in range(0, rows.size, 65536):
        _decide_plainly(
            x, flags, rows[block : block + 65536], columns[block : block + 65536] + first, window, threshold
        )
    return flags.reshape(series.shape)


def _decide_plainly(
    x: np.ndarray, flags: np.ndarray, rows: np.ndarray, at: np.ndarray, window: int, threshold: float
) -> None:
    full = at >= window
    if full.any():
        windows = np.lib.stride_tricks.sliding_window_view(x, window, axis=1)[rows[full], at[full] - window]
        _judge(x, flags, rows[full], at[full], windows.mean(axis=1), windows.std(axis=1), threshold)
    for row, i in zip(rows[~full], at[~full]):
        past = x[row, :i]
        _judge(x, flags, [row], [i], past.mean(), past.std(), threshold)


def _judge(
    x: np.ndarray,
    flags: np.ndarray,
    rows: Sequence[int] | np.ndarray,
    at: np.ndarray | Sequence[int],
    mean: np.ndarray,
    std: np.ndarray,
    threshold: float,
) -> None:
    away = x[rows, at] - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(std > 1e-12 * np.abs(mean), away / std, 0.0)
    flags[rows, at] = np.where(np.abs(z) > threshold, z, 0.0)


def z_score(series: np.ndarray, window: int = 50, threshold: float = 3.0, min_samples: int = 20) -> Events:
    """Rolling z-score over a trailing window (`z_score_flags`); a run of flagged points is one event."""
    _positive(threshold=threshold)
    _whole(window=window, min_samples=min_samples)
    flags = z_score_flags(series, window, threshold, min_samples)
    events = []
    for run in _runs(flags):
        i = run[int(np.argmax(np.abs(flags[run])))]
        events.append((i, abs(flags[i]), series[i] - series[max(i - window, 0) : i].mean()))
    return events


def gradient(series: np.ndarray, threshold: float = 3.0) -> Events:
    """|gradient| (central differences) above `threshold` times the gradient's standard deviation over the series."""
    _positive(threshold=threshold)
    slope = np.gradient(series)
    spread = slope.std()
    if not spread > 0:
        return []
    flags = np.where(np.abs(slope) > threshold * spread, slope / spread, 0.0)
    events = []
    for run in _runs(flags, gap=1):
        peak = run[int(np.argmax(np.abs(flags[run])))]
        left, right = max(peak - 1, 0), min(peak + 1, series.size - 1)
        i = peak if abs(series[peak] - series[left]) >= abs(series[right] - series[peak]) else right
        events.append((max(i, 1), abs(flags[peak]), series[right] - series[left]))
    return events


def _runs(flags: np.ndarray, gap: int = 8) -> list[np.ndarray]:
    """Indices of flagged points of one sign, split where more than `gap` points lie between two of them."""
    runs = []
    for sign in (1, -1):
        at = np.flatnonzero(np.sign(flags) == sign)
        if at.size:
            runs += np.split(at, np.flatnonzero(np.diff(at) > gap) + 1)
    return sorted(runs, key=lambda run: int(run[0]))


def pelt(series: np.ndarray, penalty: float = 10.0, min_size: int = 5) -> Events:
    """Optimal segmentation into constant stretches (PELT, Killick et al. 2012, by the library ruptures).

    The noise level is taken from the differences (median magnitude), the cost of a change is `penalty` times
    log(n) noise variances. The score is the change over its standard error from the up to 50 points on each side.
    """
    import ruptures

    _positive(penalty=penalty)
    _whole(min_size=min_size)
    change = np.abs(np.diff(series))
    noise = 1.4826 * np.median(change) / np.sqrt(2)
    if not noise > 0:
        noise = change.std()
    if not noise > 0 or series.size < 2 * min_size:
        return []
    model = ruptures.KernelCPD(kernel="linear", min_size=int(min_size)).fit((series - series.mean())[:, None] / noise)
    bounds = [0, *model.predict(pen=penalty * np.log(series.size))]
    events = []
    for low, i, high in zip(bounds, bounds[1:-1], bounds[2:]):
        before, after = series[max(low, i - 50) : i], series[i : min(high, i + 50)]
        size = after.mean() - before.mean()
        events.append((i, abs(size) / (noise * np.sqrt(1 / before.size + 1 / after.size)), size))
    return events


def likelihood_ratio(
    series: np.ndarray, window: int = 20, alpha: float = 0.01, surrogates: int = 199, seed: int = 0
) -> Events:
    """Two-window likelihood ratio for a change of mean, judged against phase-randomised surrogates.

    The score at a split is the log likelihood ratio of two Gaussian means against one, over the `window` points on
    either side. A split fires when it is the highest within `window` and exceeds the 1 - `alpha` quantile of the
    highest score in `surrogates` of the linearly detrended series (Theiler et al. 1992).

    Raises OntogenyError for an alpha that is no share.
    """
    check_share(alpha, "alpha")
    _whole(window=window, surrogates=surrogates)
    n = series.size
    if n < 2 * window:
        return []
    trend = np.polynomial.Polynomial.fit(np.arange(n), series, 1)(np.arange(n))
    score = _likelihood_ratio(series[None, :], window)[0]
    drawn = phase_randomised(series - trend, int(surrogates), np.random.default_rng(seed))
    limit = np.quantile(_likelihood_ratio(drawn, window).max(axis=1), 1 - alpha, method="higher")
    events = []
    for i in np.flatnonzero(score > limit):
        if score[i] == score[max(i - window, 0) : i + window + 1].max():
            events.append((i, score[i], series[i : i + window].mean() - series[i - window : i].mean()))
    return events


def _likelihood_ratio(x: np.ndarray, window: int) -> np.ndarray:
    """Log likelihood ratio at every split of every row, (series, n); 0 where a window does not fit."""
    n = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    sums = np.cumsum(np.pad(centred, ((0, 0), (1, 0))), axis=1)
    squares = np.cumsum(np.pad(centred * centred, ((0, 0), (1, 0))), axis=1)
    before = (sums[:, window : n - window + 1] - sums[:, : n - 2 * window + 1]) / window
    after = (sums[:, 2 * window :] - sums[:, window : n - window + 1]) / window
    total = (squares[:, 2 * window :] - squares[:, : n - 2 * window + 1]) / (2 * window) - ((before + after) / 2) ** 2
    within = np.maximum(total - (after - before) ** 2 / 4, 1e-12 * np.abs(total) + 1e-300)
    out = np.zeros(x.shape)
    inside = slice(window, min(n - window + 1, n))
    out[:, inside] = (window * np.log(np.maximum(total, within) / within))[:, : inside.stop - inside.start]
    return out


def step(series: np.ndarray, threshold: float = 5.5) -> Events:
    """Multi-scale self-normalised step test (see `ontogeny.jumps.multiscale`)."""
    return _steps(series[None], threshold)[0]


def _steps(x: np.ndarray, threshold: float) -> list[list[Any]]:
    from ontogeny.jumps.multiscale import step_events

    _positive(threshold=threshold)
    return step_events(x, threshold)


def _highest_step(x: np.ndarray, least: float | np.ndarray = 0.0, **settings: Any) -> np.ndarray:
    from ontogeny.jumps.multiscale import highest_scores

    return highest_scores(x, least)


def _highest_z(x: np.ndarray, window: int, min_samples: int, **settings: Any) -> np.ndarray:
    return np.abs(z_score_flags(x, window, 1e-9, min_samples)).max(axis=1)


def _highest_gradient(x: np.ndarray, **settings: Any) -> np.ndarray:
    slope = np.gradient(x, axis=1)
    spread = slope.std(axis=1)
    return np.abs(slope).max(axis=1) / np.where(spread > 0, spread, np.inf)


DETECTORS: dict[str, Detector] = {
    "step": Detector(
        step, "multi-scale step test, normalised by its own neighbourhood", 100, _highest_step, True, _steps
    ),
    "z_score": Detector(z_score, "rolling z-score over a trailing window", 21, _highest_z),
    "gradient": Detector(gradient, "gradient above a multiple of its standard deviation", 3, _highest_gradient),
    "pelt": Detector(pelt, "optimal segmentation into constant stretches (PELT)", 10),
    "likelihood_ratio": Detector(likelihood_ratio, "two-window likelihood ratio against surrogates", 40),
}
"""The detectors, by name."""


def resolve_detector(detector: str | Callable[..., Events] | Detector) -> tuple[str, Detector]:
    """Name and registry entry of a detector given by name, as a function, or as an entry.

    Raises OntogenyError for an unknown name.
    """
    if isinstance(detector, Detector):
        return detector.function.__name__, detector
    if callable(detector):
        name = getattr(detector, "__name__", type(detector).__name__)
        return name, Detector(detector, "a user's own")
    check_word(detector, "detector", DETECTORS)
    return detector, DETECTORS[detector]


def check_settings(name: str, entry: Detector, settings: dict[str, Any]) -> dict[str, Any]:
    """The detector's settings, completed with its defaults; OntogenyError for one that it does not have."""
    known = entry.settings
    if known is None:
        return dict(settings)
    for given in settings:
        if given not in known:
            raise unknown("setting", given, known or ["(none)"], f"detector {name}")
    completed = {**known, **settings}
    for needed, value in completed.items():
        if value is inspect.Parameter.empty:
            raise OntogenyError(f"detector {name} needs a value for its setting '{needed}'")
    return completed


def abstention(finite: np.ndarray, entry: Detector) -> str | None:
    """Why `entry` gives no judgement on this series, or None."""
    if finite.size < entry.shortest:
        return f"{counted(finite.size, 'finite value')}, and this detector needs {entry.shortest}"
    return None


def normal_events(events: Events, series: np.ndarray, name: str) -> list[tuple[int, float, float]]:
    """Events in any of the accepted forms as (index, score, size), in order, one for each index.

    Raises OntogenyError for events in another form, or outside the series.
    """
    found: dict[int, tuple[float, float | None]] = {}
    if not isinstance(events, Iterable):
        raise OntogenyError(
            f"detector {name} gave {events!r}: a list of events is expected, empty where there are none"
        )
    for event in events:
        index, score, size = _parts(event, name)
        if not 0 <= index < series.size:
            raise OntogenyError(f"detector {name} gave index {index} for a series of {counted(series.size, 'value')}")
        if index > 0 and (index not in found or score > found[index][0]):
            found[index] = (score, size)
    order = sorted(found)
    sizes = []
    for k, i in enumerate(order):
        score, size = found[i]
        if size is None:
            low = order[k - 1] if k else 0
            high = order[k + 1] if k + 1 < len(order) else series.size
            size = level_change(series, i, low, high)
            score = abs(size) if math.isnan(score) else score
        sizes.append((i, score, size))
    return sizes


def _parts(event: Any, name: str) -> tuple[int, float, float | None]:
    try:
        if hasattr(event, "index") and not isinstance(event, list | tuple):
            size = getattr(event, "size", None)
            return int(event.index), float(getattr(event, "score", math.nan)), None if size is None else float(size)
        parts = list(event) if isinstance(event, list | tuple | np.ndarray) else [event]
        index = int(parts[0])
        score = float(parts[1]) if len(parts) > 1 else math.nan
        size = float(parts[2]) if len(parts) > 2 else None
        return index, score, size
    except (TypeError, ValueError, IndexError):
        raise OntogenyError(
            f"detector {name} gave {event!r}: an event is an index, (index, score) or (index, score, size)"
        ) from None


def _positive(**settings: float) -> None:
    for name, value in settings.items():
        if not is_number(value) or not value > 0:
            raise OntogenyError(f"{name} is {shown(value)}: give a positive number")


def _whole(**settings: int) -> None:
    for name, value in settings.items():
        check_number(value, name, "a whole number of 1 or more", 1, whole=True)
