"""Critical periods: times at which layers jump together, and what the loss does around jumps, against shuffled jumps.

Two nulls. Circular shifts move each layer's jumps around the whole training by one random amount: number and spacing
stay, the time goes. They answer whether jumps of different layers meet more often than by chance, and so also fire
where every layer is simply busy early in training. Dithered jumps are moved one by one, in the logarithm of the time
since the beginning, so that the rate of jumps stays however steeply it falls early in training (jitter of spikes, as
reviewed by Gruen 2009, J. Neurophysiol. 101, on a time axis on which early training is no longer steep), and by no more
than a few tolerances, so that a time at which all layers are busy stays too. They answer whether jumps are coordinated
beyond that common trend. In one run, coordination is claimed only against both; and where jumps are so few or so close
together that layers with all their jumps in common would not exceed either null, there is no p-value.

Over several runs with the same layers a third null needs no model of the trend: layers are exchanged between runs, with
the times of their jumps. Whatever is common to all runs stays, early bursts included, and what the layers of one run
share goes. Over all runs together it replaces the other two.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.jumps.comparison import need_columns
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.statistics import adjust, percentile_interval, resampling_p_value

ANY = "(any)"
"""The metric name under which jumps of all metrics of a layer are counted once."""

DITHER = 0.4
"""Standard deviation of a dithered jump, in natural logarithms of time."""

FARTHEST = 3.0
"""Largest standard deviation of a dithered jump, in tolerances."""

SURROUNDINGS = 12
CROWDED = 0.2
"""Share of jumps among the measurements within `SURROUNDINGS` of a jump from which one run cannot relate them to the
loss."""

ORIGIN = 2.0
"""Time, in tolerances, that is added before logarithms are taken: dithers at the very beginning are of that order."""


RUNS = 4
"""Runs with the same layers and as many measurements from which layers are exchanged between runs."""


@dataclass(frozen=True)
class CriticalPeriods:
    """Tables: `coordination`, one row per (run, metric), and `periods`, the windows in which layers jump together."""

    coordination: pd.DataFrame
    periods: pd.DataFrame


@checks_arguments
def find_critical_periods(
    jumps: pd.DataFrame, record: Phase1 | pd.DataFrame, tolerance: int = 3, shuffles: int | None = None, seed: int = 0
) -> CriticalPeriods:
    """Whether the layers of a run jump together, and when.

    `jumps` has run, layer, metric, step. For every run, every metric, and all metrics together (`ANY`; a layer's jumps
    in several metrics within the tolerance count once): two jumps of different layers coincide if they are at most
    `tolerance` measurements apart.

    `shuffles` is by default enough for Holm's correction over the runs: 999, or 40 a run if that is more.

    `coordination`: run, metric, layers (that jump), jumps, coincidences, expected, low, high (mean and 95% range under
    the null that decides), ratio, p_circular, p_local (one-sided), p_exchange (of all runs together, if each in which
    layers jump has its layers and number of measurements in common with `RUNS` or more), p_value (p_exchange, or else
    the larger of the other two; NaN where it cannot be told), p_holm (over runs, a metric at a time), verdict:
    'coordinated', 'not shown', 'cannot be told' (all jumps in common would not exceed 95% of either null) or 'nothing
    to coordinate' (fewer than two layers jump). A last row per metric, run '(all)', adds up the runs.

    `periods`: jumps within whose tolerance more layers jump than in 95% of shuffled runs at their busiest, for both
    nulls, neighbours joined: run, metric, start, end (steps), layers (most around one jump), names, p_value (over the
    whole of that run and metric).
    """
    need_columns(jumps, ["run", "layer", "metric", "step"], "the jumps")
    record = record if isinstance(record, Phase1) else Phase1(record)
    rng = np.random.default_rng(seed)
    grids = _grids(record)
    shuffles = max(999, 40 * len(grids)) if shuffles is None else shuffles
    rows, periods = [], []
    for metric in [*dict.fromkeys(jumps["metric"]), ANY]:
        chosen = jumps if metric == ANY else jumps[jumps["metric"] == metric]
        chosen = chosen[chosen["layer"] != RUN_LEVEL]
        part, totals, most = [], [], []
        by_layers: dict[tuple[str, ...], list[dict[str, np.ndarray]]] = {}
        for run in record.runs:
            trains = _trains(chosen[chosen["run"] == run], grids[run], tolerance)
            row: dict[str, Any] = {
                "run": run,
                "metric": metric,
                "layers": len(trains),
                "jumps": sum(map(len, trains.values())),
            }
            by_layers.setdefault((*record.layers_of(run), str(len(grids[run]))), []).append(trains)
            if len(trains) > 1:
                numbers, windows = _coordination(trains, grids[run], tolerance, shuffles, rng)
                most.append(_most_coincidences(trains))
                row |= _summary(*numbers, most[-1])
                totals.append(numbers)
                periods += [{"run": run, "metric": metric, **window} for window in windows]
            part.append(row)
        for row, p in zip(part, adjust([row.get("p_value", np.nan) for row in part]).p_values):
            row["p_holm"] = p
        total: dict[str, Any] = {
            "run": "(all)",
            "metric": metric,
            **{k: sum(row[k] for row in part) for k in ("layers", "jumps")},
        }
        if totals:
            each, *nulls = zip(*totals)
            circular, local = (np.sum(null, axis=0) for null in nulls)
            total |= _summary(sum(each), circular, local, sum(most))
            groups = [runs for runs in by_layers.values() if len(runs) >= RUNS]
            exchanged = _exchanged(groups, tolerance, shuffles, rng)
            if exchanged is not None and sum(len(trains) > 1 for runs in groups for trains in runs) == len(totals):
                total["p_value"] = total["p_exchange"] = resampling_p_value(*exchanged)
                total |= _beside_chance(*exchanged)
            total["p_holm"] = total["p_value"]
        rows += [*part, total]
    for row in rows:
        p = row.get("p_holm", np.nan)
        if np.isnan(p):
            row["verdict"] = "nothing to coordinate" if np.isnan(row.get("coincidences", np.nan)) else "cannot be told"
        else:
            row["verdict"] = "coordinated" if p <= 0.05 else "not shown"
    columns = ["run", "metric", "layers", "jumps", "coincidences", "expected", "low", "high", "ratio"]
    columns += ["p_circular", "p_local", "p_exchange", "p_value", "p_holm", "verdict"]
    named = ["run", "metric", "start", "end", "layers", "names", "p_value"]
    return CriticalPeriods(pd.DataFrame(rows, columns=columns), pd.DataFrame(periods, columns=named))


def _grids(record: Phase1) -> dict[str, np.ndarray]:
    """Steps at which each run was measured."""
    found: dict[str, list[np.ndarray]] = {}
    for run, layer, _, steps, _ in record.each_series():
        if layer != RUN_LEVEL and not any(np.array_equal(steps, known) for known in found.get(run, [])):
            found.setdefault(run, []).append(steps)
    return {run: np.unique(np.concatenate(found[run])) if run in found else np.arange(2) for run in record.runs}


def _trains(jumps: pd.DataFrame, grid: np.ndarray, tolerance: int) -> dict[str, np.ndarray]:
    """For every layer that jumps the measurement numbers of its jumps, those within the tolerance merged."""
    trains = {}
    for layer, part in jumps.groupby("layer", sort=False, observed=True):
        at = np.unique(np.searchsorted(grid, part["step"].to_numpy()).clip(max=len(grid) - 1))
        trains[layer] = at[np.concatenate([[True], np.diff(at) > tolerance])]
    return trains


def _coordination(
    trains: dict[str, np.ndarray], grid: np.ndarray, tolerance: int, shuffles: int, rng: np.random.Generator
) -> tuple[tuple[float, np.ndarray, np.ndarray], list[dict]]:
    n = len(grid)
    at = np.concatenate(list(trains.values()))
    layer = np.repeat(np.arange(len(trains)), [len(train) for train in trains.values()])
    moved = {
        "circular": (at + rng.integers(0, n, (shuffles, len(trains)))[:, layer]) % n,
        "local": _dithered(at, n, tolerance, shuffles, rng),
    }
    null = {kind: _meetings(places, layer, tolerance) for kind, places in moved.items()}
    pairs, around = _meetings(at[None], layer, tolerance)
    numbers = (float(pairs[0]), null["circular"][0], null["local"][0])
    busiest = [around_null.max(axis=1) for _, around_null in null.values()]
    limit = max(2.0, *(np.quantile(most, 0.95) + 1e-9 for most in busiest))
    windows, names = [], list(trains)
    for group in _groups(at[around[0] > limit], tolerance):
        start, end = max(group[0] - tolerance, 0), min(group[-1] + tolerance, n - 1)
        inside = sorted(set(layer[(at >= start) & (at <= end)].tolist()))
        peak = int(around[0][np.isin(at, group)].max())
        p = max((1 + int((most >= peak).sum())) / (1 + shuffles) for most in busiest)
        place = {"start": int(grid[start]), "end": int(grid[end])}
        windows.append({**place, "layers": peak, "names": ", ".join(names[i] for i in inside), "p_value": p})
    return numbers, windows


def _exchanged(
    groups: list[list[dict[str, np.ndarray]]], tolerance: int, shuffles: int, rng: np.random.Generator
) -> tuple[float, np.ndarray] | None:
    """Coincidences within the runs of all groups (a group: jumps by layer of each run), and the same with every layer's
    jumps permuted among the runs of its group, (shuffles,); None without groups.

    The meetings of every layer of every run with every other are counted once.
    """
    observed, null = 0.0, np.zeros(shuffles)
    for runs in groups:
        layers = sorted({layer for trains in runs for layer in trains})
        nothing = np.zeros(0, int)
        trains = [[run.get(layer, nothing) for run in runs] for layer in layers]
        orders = rng.permuted(np.tile(np.arange(len(runs)), (len(layers), shuffles, 1)), axis=2)
        for a, b in combinations(range(len(layers)), 2):
            met = np.array([[_pairs(x, y, tolerance) for y in trains[b]] for x in trains[a]])
            observed += float(np.trace(met))
            null += met[orders[a], orders[b]].sum(axis=1)
    return (observed, null) if groups else None


def _pairs(x: np.ndarray, y: np.ndarray, tolerance: int) -> int:
    """Pairs of positions, one of each, within the tolerance."""
    return int(np.count_nonzero(np.abs(x[:, None] - y[None]) <= tolerance))


def _groups(at: np.ndarray, tolerance: int) -> list[np.ndarray]:
    """Positions in order, split where two are further apart than a window."""
    at = np.unique(at)
    return np.split(at, np.flatnonzero(np.diff(at) > 2 * tolerance + 1) + 1) if len(at) else []


def _dithered(at: np.ndarray, n: int, tolerance: int, shuffles: int, rng: np.random.Generator) -> np.ndarray:
    """Positions (shuffles, jumps), each moved by itself in the logarithm of time, reflected at both ends."""
    origin = ORIGIN * max(tolerance, 1)
    spread = np.minimum(DITHER, FARTHEST * max(tolerance, 1) / (at + origin))
    low, high = np.log(origin - 0.5), np.log(n - 0.5 + origin)
    places = np.log(at + rng.uniform(-0.5, 0.5, (shuffles, at.size)) + origin) + spread * rng.standard_normal(
        (shuffles, at.size)
    )
    places = np.where(places < low, 2 * low - places, places)
    places = np.where(places > high, 2 * high - places, places)
    return np.rint(np.exp(places) - origin).astype(int).clip(0, n - 1)


def _meetings(at: np.ndarray, layer: np.ndarray, tolerance: int) -> tuple[np.ndarray, np.ndarray]:
    """For rows of jump places (rows, jumps): pairs of jumps of different layers within the tolerance (rows,), and for
    each jump the number of layers, its own included, that jump within the tolerance of it (rows, jumps)."""
    rows, jumps = at.shape
    own = np.zeros((jumps, int(layer.max()) + 1), np.float32)
    own[np.arange(jumps), layer] = 1
    other = layer[:, None] != layer
    pairs, around = np.zeros(rows), np.zeros((rows, jumps), np.float32)
    step = max(1, 4_000_000 // (jumps * jumps))
    for first in range(0, rows, step):
        part = at[first : first + step].astype(np.int32)
        near = np.abs(part[:, :, None] - part[:, None, :]) <= tolerance
        pairs[first : first + step] = np.count_nonzero(near & other, axis=(1, 2)) / 2
        around[first : first + step] = ((near.astype(np.float32) @ own) > 0).sum(axis=2)
    return pairs, around


def _most_coincidences(trains: dict[str, np.ndarray]) -> int:
    """Coincidences if every two layers had all their jumps in common, as far as they have as many."""
    return sum(min(len(a), len(b)) for a, b in combinations(trains.values(), 2))


def _summary(observed: float, circular: np.ndarray, local: np.ndarray, most: int) -> dict[str, float]:
    nulls = circular, local
    p = [resampling_p_value(observed, null) for null in nulls]
    told = all(most > np.quantile(null, 0.95) for null in nulls) or max(p) <= 0.05
    p_value = max(p) if told else np.nan
    return _beside_chance(observed, nulls[int(np.argmax(p))]) | {
        "p_circular": p[0],
        "p_local": p[1],
        "p_value": p_value,
    }


def _beside_chance(observed: float, null: np.ndarray) -> dict[str, float]:
    low, high = percentile_interval(null)
    expected = float(null.mean())
    ratio = observed / expected if expected > 0 else np.nan
    return {"coincidences": observed, "expected": expected, "low": float(low), "high": float(high), "ratio": ratio}


@dataclass(frozen=True)
class LossRelation:
    """What the loss does around jumps.

    `table`: lag (measurements; positive: after the jump), mean, expected, null_low, null_high (95% under the null that
    explains more), low, high (95%, runs resampled; NaN with fewer than 3), p_value (over all lags at once).
    `peak_lag`, `peak_low`, `peak_high`: lag of the largest departure and the 95% interval of it over resampled runs,
    NaN unless it is significant. `p_value`: of the peak. `jumps`, `runs`: how many went in. `sentence`: the finding
    in words.
    """

    table: pd.DataFrame
    peak_lag: float
    peak_low: float
    peak_high: float
    p_value: float
    jumps: int
    runs: int
    sentence: str


@checks_arguments
def loss_relation(
    jumps: pd.DataFrame,
    record: Phase1 | pd.DataFrame,
    loss: str = "loss",
    most_lag: int = 20,
    shuffles: int = 999,
    seed: int = 0,
) -> LossRelation:
    """Whether the loss falls faster or more slowly around jumps, and with what lead or lag; all runs together.

    The fall of the smoothed log loss from one measurement to the next is taken relative to its surroundings (minus
    the running median, over the running median absolute deviation, of 51 measurements; its arsinh, so that no single
    fall decides). Its mean over all jumps is given at lags of -`most_lag` .. `most_lag` measurements; positive values
    mean that the loss falls faster than usual. Under the nulls all jumps of a run move around it together, by one
    random circular shift, too far for a relation to stay at any lag, or each is dithered (see the module). A relation
    has to stand against both, so that jumps and falls that are merely both frequent early make none. p-values compare
    each lag with the largest departure over all lags, each standardised by its null spread, in every shuffle, and so
    hold for all lags at once.
    Jumps of several layers or metrics at the same step count once; runs with less than 4 * `most_lag` losses are left
    out. In one run whose jumps are so close together that their surroundings consist of jumps, a relation cannot be
    told from the trend: the sentence says so, and p-values are NaN.
    """
    need_columns(jumps, ["run", "step"], "the jumps")
    record = record if isinstance(record, Phase1) else Phase1(record)
    rng = np.random.default_rng(seed)
    lags = np.arange(-most_lag, most_lag + 1)
    sums, uses, count, crowding = [], [], 0, 0.0
    held = {(run, layer, metric): (s, v) for run, layer, metric, s, v in record.each_series()}
    for run in record.runs:
        steps, values = held.get((run, RUN_LEVEL, loss), (np.zeros(0), np.zeros(0)))
        at = np.unique(np.searchsorted(steps, np.unique(jumps.loc[jumps["run"] == run, "step"].to_numpy())))
        at = at[at < len(steps)]
        if len(steps) < 4 * most_lag or not len(at):
            continue
        total, used = _around(at, _local_fall(values), lags, shuffles, rng)
        sums.append(total)
        uses.append(used)
        count += len(at)
        crowding = _crowding(at, len(values))
    if not sums:
        nothing = "there is no loss, or no jump, to relate"
        empty = pd.DataFrame(columns=_LOSS_COLUMNS)
        return LossRelation(empty, np.nan, np.nan, np.nan, np.nan, 0, 0, nothing)
    total, used = np.array(sums), np.array(uses)
    mean = total.sum(axis=0) / np.maximum(used.sum(axis=0), 1)
    observed = mean[0]
    against = [_against(observed, null) for null in (mean[1 : 1 + shuffles], mean[1 + shuffles :])]
    p = np.maximum(against[0][0], against[1][0])
    crowded = len(sums) == 1 and crowding > CROWDED
    p = np.full(len(lags), np.nan) if crowded else p
    weaker = np.abs(against[1][1]) < np.abs(against[0][1])
    departure, centre, spread = (np.where(weaker, against[1][i], against[0][i]) for i in (1, 2, 3))
    best = int(np.abs(departure).argmax())
    low = high = np.full(len(lags), np.nan)
    peak = (np.nan, np.nan)
    if len(sums) > 2:
        drawn = rng.integers(0, len(sums), (1999, len(sums)))
        boot = total[drawn, 0].sum(axis=1) / np.maximum(used[drawn, 0].sum(axis=1), 1)
        low, high = percentile_interval(boot)
        peaks = lags[(np.sign(departure[best]) * (boot - centre) / spread).argmax(axis=1)]
        peak_low, peak_high = percentile_interval(peaks)
        peak = float(peak_low), float(peak_high)
    null_low, null_high = centre - 1.96 * spread, centre + 1.96 * spread
    columns = [lags, observed, centre, null_low, null_high, low, high, p]
    found = p[best] <= 0.05
    sentence = _TOO_CROWDED if crowded else _in_words(float(departure[best]), int(lags[best]), peak, float(p[best]))
    return LossRelation(
        pd.DataFrame(dict(zip(_LOSS_COLUMNS, columns))),
        float(lags[best]) if found else np.nan,
        *(peak if found else (np.nan, np.nan)),
        float(p[best]),
        count,
        len(sums),
        sentence,
    )


def _around(
    at: np.ndarray, fall: np.ndarray, lags: np.ndarray, shuffles: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the falls at every lag from jumps at `at`, and how many there are; each (1 + 2 * shuffles, lags).

    The first row is of the jumps themselves, then come shifts around the run, then dithers.
    """
    n = len(fall)
    least = min(2 * lags[-1], n // 4)
    shifts = rng.integers(least, n - least + 1, shuffles)
    rows = [at[None], (at + shifts[:, None]) % n, _dithered(at, n, 3, shuffles, rng)]
    total, used = np.zeros((1 + 2 * shuffles, len(lags))), np.zeros((1 + 2 * shuffles, len(lags)))
    for event in np.concatenate(rows).T:
        where = event[:, None] + lags
        inside = (where >= 0) & (where < n)
        total += np.where(inside, fall[where.clip(0, n - 1)], 0)
        used += inside
    return total, used


def _crowding(at: np.ndarray, n: int) -> float:
    """Mean share of jumps among the measurements within `SURROUNDINGS` of each jump."""
    near = np.abs(at[:, None] - at) <= SURROUNDINGS
    inside = np.minimum(at + SURROUNDINGS, n - 1) - np.maximum(at - SURROUNDINGS, 0) + 1
    return float((near.sum(axis=1) / inside).mean())


def _against(observed: np.ndarray, null: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """For every lag: p-value over all lags, standardised departure, centre and spread of the null."""
    centre, spread = null.mean(axis=0), np.maximum(null.std(axis=0), 1e-12)
    departure = (observed - centre) / spread
    largest = np.abs((null - centre) / spread).max(axis=1)
    p = (1 + (largest[:, None] >= np.abs(departure)).sum(axis=0)) / (1 + len(null))
    return p, departure, centre, spread


_TOO_CROWDED = "jumps are too close together to tell their relation to the loss from the trend of one run"
_LOSS_COLUMNS = ["lag", "mean", "expected", "null_low", "null_high", "low", "high", "p_value"]


def _in_words(departure: float, lag: int, peak: tuple[float, float], p: float) -> str:
    if p > 0.05:
        return f"no relation between jumps and the loss is shown (least p = {p:.2g} over all lags)"
    fast = "faster" if departure > 0 else "more slowly"
    when = "at jumps" if lag == 0 else f"{abs(lag)} measurements {'after' if lag > 0 else 'before'} jumps"
    within = f"; 95% interval of the lag {peak[0]:+.0f} to {peak[1]:+.0f}" if np.isfinite(peak[0]) else ""
    side = ", with no certain lead or lag" if peak[0] <= 0 <= peak[1] and lag else ""
    return f"the loss falls {fast} than in its surroundings {when}{side} (p = {p:.2g} over all lags{within})"


def _local_fall(values: np.ndarray, window: int = 51) -> np.ndarray:
    """Fall of the log loss per measurement, in robust standard deviations of its surroundings, its arsinh: one spike
    must not decide."""
    from scipy.ndimage import convolve1d, median_filter

    smooth = convolve1d(np.log(values) if values.min() > 0 else values, [0.25, 0.5, 0.25], mode="nearest")
    fall = -np.diff(smooth, prepend=2 * smooth[0] - smooth[1])
    around = median_filter(fall, window, mode="reflect")
    spread = 1.4826 * median_filter(np.abs(fall - around), window, mode="reflect")
    return np.arcsinh((fall - around) / np.maximum(spread, 1e-12 + 1e-9 * np.abs(fall).max()))
