"""How far detectors agree on the same series, beyond what chance gives."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ontogeny.arguments import checks_arguments, plain
from ontogeny.errors import OntogenyError, check_number, shown
from ontogeny.jumps.comparison import need_columns
from ontogeny.statistics import adjust, percentile_interval, resampling_p_value


def match_events(a: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray:
    """Pairs (i, j) of events of `a` and `b` (positions, any order) at most `tolerance` apart, each used once.

    As many pairs as are possible: taking, from the left, the earliest event of `b` in reach of the earliest of `a` is
    optimal for intervals of one length. Shape (pairs, 2), indices into `a` and `b`.

    Raises OntogenyError for positions that are no numbers, and a tolerance below 0.
    """
    check_number(tolerance, "tolerance", "a distance of 0 or more", 0)
    a, b = _positions(a, "a"), _positions(b, "b")
    first, second = np.argsort(a, kind="stable"), np.argsort(b, kind="stable")
    pairs, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        gap = b[second[j]] - a[first[i]]
        if abs(gap) <= tolerance:
            pairs.append((first[i], second[j]))
            i, j = i + 1, j + 1
        elif gap > 0:
            i += 1
        else:
            j += 1
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _positions(events: ArrayLike, name: str) -> np.ndarray:
    try:
        places = np.asarray(plain(events), float)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        places = np.array(np.nan)
    if places.ndim != 1 or np.isnan(places).any():
        raise OntogenyError(f"{name} is {shown(events)}: give the positions of events, an array (events,)")
    return places


@checks_arguments
def detector_agreement(
    jumps: dict[str, pd.DataFrame],
    series: pd.DataFrame,
    tolerance: int = 3,
    shuffles: int = 499,
    n_resamples: int = 1999,
    seed: int = 0,
) -> pd.DataFrame:
    """Agreement of every pair of detectors over all series: one row per pair.

    `jumps` gives, for each detector, a table with run, layer, metric, index. `series` lists all series searched (run,
    layer, metric, points; see `searched_series`). Events match if their indices differ by at most `tolerance` points.

    Agreement is Dice's coefficient 2m / (n_a + n_b) of matched events. Chance is its mean when the events of the
    second detector are moved around each series by one random circular shift, which keeps their number and spacing.
    `corrected` = (dice - chance) / (1 - chance), as Cohen's kappa corrects (Cohen 1960), is 0 at chance and 1 at full
    agreement. Its interval resamples runs. Columns: a, b, jumps_a, jumps_b, matched, dice, chance, corrected, low,
    high, offset (median index of b minus a, matched pairs), p_value (one-sided, against the shifts), p_holm. Where
    neither detector finds anything, there is nothing to agree on and the coefficients are NaN.
    """
    keys = ["run", "layer", "metric"]
    need_columns(series, [*keys, "measurements"], "series")
    for name, table in jumps.items():
        need_columns(table, [*keys, "index"], f"the jumps of {name!r}")
    places = {key: i for i, key in enumerate(zip(*(series[key] for key in keys)))}
    points = series["measurements"].to_numpy()
    run_of = pd.factorize(series["run"])[0]
    events = {name: _by_series(table, keys, places, name) for name, table in jumps.items()}
    rng = np.random.default_rng(seed)
    rows = []
    for a, b in combinations(jumps, 2):
        rows.append(
            {"a": a, "b": b} | _pair(events[a], events[b], points, run_of, tolerance, shuffles, n_resamples, rng)
        )
    columns = [
        "a",
        "b",
        "jumps_a",
        "jumps_b",
        "matched",
        "dice",
        "chance",
        "corrected",
        "low",
        "high",
        "offset",
        "p_value",
    ]
    found = pd.DataFrame(rows, columns=columns)
    return found.assign(p_holm=adjust(found["p_value"]).p_values)


def _by_series(table: pd.DataFrame, keys: list[str], places: dict, name: str) -> dict[int, np.ndarray]:
    found: dict[int, list[int]] = {}
    for *key, index in zip(*(table[key] for key in keys), table["index"]):
        place = places.get(tuple(key))
        if place is None:
            raise OntogenyError(f"detector {name!r} has a jump in the series {tuple(key)}, which is not among `series`")
        found.setdefault(place, []).append(int(index))
    return {place: np.sort(np.array(index)) for place, index in found.items()}


def _pair(
    a: dict[int, np.ndarray],
    b: dict[int, np.ndarray],
    points: np.ndarray,
    run_of: np.ndarray,
    tolerance: int,
    shuffles: int,
    n_resamples: int,
    rng: np.random.Generator,
) -> dict[str, float]:
    runs = int(run_of.max()) + 1 if len(run_of) else 0
    counts = np.zeros((runs, 2))
    matched = np.zeros(runs)
    expected = np.zeros(runs)
    null = np.zeros(shuffles)
    offsets = []
    for events, side in ((a, 0), (b, 1)):
        for place, found in events.items():
            counts[run_of[place], side] += len(found)
    for place in sorted(set(a) & set(b)):
        x, y, n, run = a[place], b[place], int(points[place]), run_of[place]
        pairs = match_events(x, y, tolerance)
        matched[run] += len(pairs)
        offsets += (y[pairs[:, 1]] - x[pairs[:, 0]]).tolist()
        by_shift = _matches_by_shift(x, y, n, tolerance)
        expected[run] += by_shift.mean()
        null += by_shift[rng.integers(0, n, shuffles)]
    total = counts.sum()
    row: dict[str, float] = {
        "jumps_a": int(counts[:, 0].sum()),
        "jumps_b": int(counts[:, 1].sum()),
        "matched": int(matched.sum()),
    }
    if total == 0:
        return row
    found, by_chance = 2 * matched.sum() / total, 2 * expected.sum() / total
    row |= {"dice": float(found), "chance": float(by_chance), "corrected": float(_corrected(found, by_chance))}
    row["p_value"] = resampling_p_value(matched.sum(), null)
    row["offset"] = float(np.median(offsets)) if offsets else np.nan
    if runs > 1:
        drawn = rng.integers(0, runs, (n_resamples, runs))
        totals = counts.sum(axis=1)[drawn].sum(axis=1)
        used = totals > 0
        dice = 2 * matched[drawn].sum(axis=1)[used] / totals[used]
        chance = 2 * expected[drawn].sum(axis=1)[used] / totals[used]
        low, high = percentile_interval(_corrected(dice, chance))
        row |= {"low": float(low), "high": float(high)}
    return row


def _matches_by_shift(x: np.ndarray, y: np.ndarray, n: int, tolerance: int) -> np.ndarray:
    """Number of matches for each of the n circular shifts of `y`; only shifts that bring a pair together are tried."""
    counts = np.zeros(n)
    meeting = x[:, None, None] - y[None, :, None] + np.arange(-tolerance, tolerance + 1)
    for shift in np.unique(meeting % n):
        counts[shift] = len(match_events(x, (y + shift) % n, tolerance))
    return counts


def _corrected(dice: np.ndarray, chance: np.ndarray) -> np.ndarray:
    return (dice - chance) / np.maximum(1 - chance, 1e-12)
