"""Intervals, resampling tests and the adjustment of p-values, each under one name, over scipy and statsmodels.

`confidence` is the coverage of an interval, such as 0.95. `n_resamples` counts random draws, of bootstrap samples, of
signs or of orders. `seed` is a number, a sequence of numbers, or a generator, which goes on where it stands. What
cannot be computed from too few values is NaN; values that are no numbers, or have no axis that is needed, raise
OntogenyError. The libraries are imported on use, so importing this module is free.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.arguments import plain
from ontogeny.errors import OntogenyError, check_share, shown, unknown
from ontogeny.words import counted

Floats = NDArray[np.float64]
Seed = int | Sequence[int] | np.random.Generator
Alternative = Literal["two-sided", "greater", "less"]

CORRECTIONS = {"holm": "Holm", "bh": "Benjamini-Hochberg", "by": "Benjamini-Yekutieli"}
"""Adjustments of p-values, as `adjust` takes them, and their names."""

MOST_WAYS = 20_000
"""Up to so many ways, tests go through all of them and are exact."""

NORMAL_95 = 1.959963984540054
"""Standard deviations from the mean of a normal distribution to either end of its central 95 %."""

_LEAST_RESAMPLES = 100
_FEW = 32
"""Values up to which Python sorts more quickly than NumPy is called."""

_TIE = 1e-12


def median(values: NDArray[Any]) -> float:
    """Median of finite values (n,), one or more: that of NumPy in a fifth of the time, as it looks for no NaN."""
    half = values.size // 2
    if values.size <= _FEW:
        ordered = sorted(values.tolist())
        return float(ordered[half]) if values.size % 2 else 0.5 * (ordered[half - 1] + ordered[half])
    parted = values.copy()
    if values.size % 2:
        parted.partition(half)
        return float(parted[half])
    parted.partition((half - 1, half))
    low, high = parted[half - 1 : half + 1].tolist()
    return 0.5 * (low + high)


class MeanInterval(NamedTuple):
    """A mean and the ends of its interval, arrays of one shape."""

    mean: Floats
    low: Floats
    high: Floats


def student_interval(values: ArrayLike, confidence: float = 0.95, axis: int = 0) -> MeanInterval:
    """Mean along `axis` with Student's interval; the ends are NaN for fewer than two values. Source: Student (1908)."""
    check_share(confidence, "confidence")
    from scipy.stats import t

    data = _numbers(values, "values", axis)
    count = data.shape[axis]
    if not count:
        nothing = np.full(np.delete(data.shape, axis), np.nan)[()]
        return MeanInterval(nothing, nothing, nothing)
    mean = data.mean(axis=axis)
    if count < 2:
        return MeanInterval(mean, mean * np.nan, mean * np.nan)
    half = t.ppf(0.5 + confidence / 2, count - 1) * data.std(axis=axis, ddof=1) / np.sqrt(count)
    return MeanInterval(mean, mean - half, mean + half)


def proportion_interval(
    hits: ArrayLike, total: ArrayLike, confidence: float = 0.95, method: Literal["wilson", "exact"] = "wilson"
) -> tuple[Floats, Floats]:
    """Interval of a share, `hits` of `total`, elementwise; from 0 to 1 where nothing was seen.

    method: "wilson", the score interval (Wilson 1927, J. Am. Stat. Assoc. 22), or "exact" (Clopper and Pearson 1934,
    Biometrika 26), which covers at least `confidence` and is wider.

    Raises OntogenyError for an unknown method, and hits that are no part of the total.
    """
    check_share(confidence, "confidence")
    if method not in ("wilson", "exact"):
        raise unknown("method", method, ["wilson", "exact"])
    from scipy.special import betaincinv, ndtri

    successes, trials = _numbers(hits, "hits", None), _numbers(total, "total", None)
    try:
        successes, trials = np.broadcast_arrays(successes, trials)
    except ValueError:
        raise OntogenyError(
            f"hits of shape {successes.shape} and a total of shape {trials.shape}: give one total for each, or one"
        ) from None
    if ((successes < 0) | (successes > trials)).any():
        raise OntogenyError("a share is of more hits than trials, or of fewer than none: give 0 <= hits <= total")
    count = np.maximum(trials, 1)
    if method == "exact":
        tail = (1 - confidence) / 2
        low = np.where(successes > 0, betaincinv(np.maximum(successes, 1), count - successes + 1, tail), 0.0)
        high = np.where(successes < count, betaincinv(successes + 1, np.maximum(count - successes, 1), 1 - tail), 1.0)
    else:
        share, z = successes / count, ndtri(0.5 + confidence / 2)
        middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
        low, high = middle - half, middle + half
    seen = trials > 0
    return np.where(seen, np.maximum(low, 0.0), 0.0)[()], np.where(seen, np.minimum(high, 1.0), 1.0)[()]


def percentile_interval(
    drawn: ArrayLike, confidence: float = 0.95, axis: int = 0, method: Literal["linear", "nearest"] = "linear"
) -> tuple[Floats, Floats]:
    """Ends of the middle `confidence` of resampled statistics along `axis` (Efron and Tibshirani 1993, ch. 13).

    method: how ends that fall between two draws are found; "nearest" takes one of them, as where some are infinite.
    Raises OntogenyError for an unknown method.
    """
    check_share(confidence, "confidence")
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    if method not in ("linear", "nearest"):
        raise unknown("method", method, ["linear", "nearest"])
    data = _numbers(drawn, "drawn", axis)
    if not data.shape[axis]:
        nothing = np.full(np.delete(data.shape, axis), np.nan)[()]
        return nothing, nothing
    low, high = np.quantile(data, ends, axis=axis, method=method)
    return low, high


def bootstrap_interval(
    values: ArrayLike,
    statistic: Callable[..., Any] = np.mean,
    confidence: float = 0.95,
    n_resamples: int = 9999,
    seed: Seed = 0,
) -> tuple[float, float]:
    """Percentile bootstrap interval of a statistic of `values`, (n,); NaN for fewer than two.

    `statistic` takes resamples, (n_resamples, n), and `axis`, as NumPy's do.
    """
    data = _numbers(values, "values", one=True)
    if len(data) < 2:
        return math.nan, math.nan
    rows = np.random.default_rng(seed).integers(len(data), size=(n_resamples, len(data)))
    low, high = percentile_interval(statistic(data[rows], axis=-1), confidence)
    return float(low), float(high)


def bootstrap_weights(samples: int, n_resamples: int, seed: Seed = 0) -> Floats:
    """Weights of `n_resamples` bootstrap samples, (n_resamples, samples); every row sums to 1.

    Raises OntogenyError for too few samples for an interval.
    """
    if n_resamples < _LEAST_RESAMPLES:
        raise OntogenyError(
            f"{counted(n_resamples, 'bootstrap sample')} cannot give an interval: ask for at least {_LEAST_RESAMPLES}"
        )
    drawn = np.random.default_rng(seed).integers(samples, size=(n_resamples, samples))
    drawn += samples * np.arange(n_resamples)[:, None]
    counts = np.bincount(drawn.ravel(), minlength=n_resamples * samples).reshape(n_resamples, samples)
    return counts / samples


def bootstrap_mean(values: ArrayLike, weights: Floats, confidence: float = 0.95) -> MeanInterval:
    """Means over the last axis with percentile bootstrap intervals, all from the same resamples.

    values (..., samples); weights (n_resamples, samples) of `bootstrap_weights`. Equal values have an interval of no
    width. Raises OntogenyError for weights of another number of samples.
    """
    check_share(confidence, "confidence")
    data, weights = _numbers(values, "values"), _numbers(weights, "weights")
    if weights.ndim != 2 or not len(weights) or weights.shape[1] != data.shape[-1]:
        raise OntogenyError(
            f"weights of shape {weights.shape} for {counted(data.shape[-1], 'sample')}: give those of "
            f"bootstrap_weights({data.shape[-1]}, ...)"
        )
    mean = data.mean(-1)
    constant = data.max(-1) == data.min(-1)
    drawn = np.sort((data - mean[..., None]) @ weights.T, axis=-1)
    low, high = (_quantile_of_sorted(drawn, share) for share in ((1 - confidence) / 2, (1 + confidence) / 2))
    mean = np.where(constant, data[..., 0], mean)
    return MeanInterval(*(np.where(constant, mean, end)[()] for end in (mean, mean + low, mean + high)))


def resampling_p_value(observed: float, null: ArrayLike, alternative: Alternative = "greater") -> float:
    """p-value of `observed` among draws under the null hypothesis, itself counted as one, so never 0.

    "two-sided" compares sizes: the null must lie around 0. Source: Phipson and Smyth (2010), Stat. Appl. Genet. Mol.
    Biol. 9(1).
    """
    drawn = _numbers(null, "null", None)
    if np.isnan(observed) or not drawn.size:
        return math.nan
    drawn, observed = _turned(drawn, np.float64(observed), alternative)
    slack = _TIE * max(abs(float(observed)), float(np.abs(drawn).max()))
    return (1 + int((drawn >= observed - slack).sum())) / (1 + drawn.size)


def sign_flip_test(
    differences: ArrayLike,
    alternative: Alternative = "two-sided",
    n_resamples: int = 9999,
    seed: Seed = 0,
    signs: NDArray[Any] | None = None,
) -> Any:
    """p-value of the mean of paired differences, (..., n), under the null that the sign of each is a coin.

    All 2^n ways are gone through up to 14 pairs, and the p-value is exact; beyond, `n_resamples` are drawn, the same
    for every row. It cannot be below 2^(1-n) (two-sided). NaN where there are no differences or one is not finite.
    signs: ways to go through instead, drawn by the caller, (ways, n). Source: Edgington and Onghena (2007),
    Randomization Tests, ch. 5.
    """
    data = _numbers(differences, "differences", keep=np.float32)
    count = data.shape[-1]
    if not count:
        return np.full(data.shape[:-1], np.nan)[()]
    exact = signs is None and 2**count <= MOST_WAYS
    if exact:
        signs = np.array(list(product((1.0, -1.0), repeat=count)))
    elif signs is None:
        signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_resamples, count))
    sums, observed = _turned(data @ signs.T, data.sum(axis=-1), alternative)
    slack = (_TIE if data.dtype == np.float64 else 1e-6) * np.abs(data).sum(axis=-1)
    reached = (sums >= (observed - slack)[..., None]).sum(axis=-1)
    p_value = reached / len(signs) if exact else (1 + reached) / (1 + len(signs))
    return np.where(np.isfinite(data).all(axis=-1), p_value, np.nan)[()]


class PermutationTest(NamedTuple):
    """p-value of a permutation test, and the smallest that it could have given."""

    p_value: float
    least: float


def permutation_test(
    first: ArrayLike,
    second: ArrayLike,
    statistic: Callable[[Floats, NDArray[np.bool_]], Floats] | None = None,
    n_resamples: int = 9999,
    seed: Seed = 0,
) -> PermutationTest:
    """Two-sided test that two groups of values, (n,) and (m,), differ, by exchanging members between them.

    All ways are gone through where there are at most 20,000, and the p-value is exact; otherwise `n_resamples` are
    drawn. `statistic(values, chosen)` gives one number for every row of `chosen`, (ways, n + m), which marks the first
    group; None is Welch's t. Source: Janssen (1997), Stat. Probab. Lett. 36(1), for Welch's t.
    """
    one, two = _numbers(first, "first", one=True), _numbers(second, "second", one=True)
    if min(len(one), len(two)) < 2:
        return PermutationTest(math.nan, math.nan)
    compare = welch_t if statistic is None else statistic
    both, n = np.concatenate([one, two]), len(one)
    observed = abs(float(compare(both, (np.arange(len(both)) < n)[None])[0])) * (1 - 1e-9)
    ways = math.comb(len(both), n)
    if ways <= MOST_WAYS:
        chosen = np.zeros((ways, len(both)), bool)
        for row, index in zip(chosen, combinations(range(len(both)), n), strict=True):
            row[list(index)] = True
        reached = float((np.abs(compare(both, chosen)) >= observed).mean())
        return PermutationTest(reached, (2 if len(one) == len(two) else 1) / ways)
    order = np.random.default_rng(seed).permuted(np.tile(np.arange(len(both)), (n_resamples, 1)), axis=1)
    null = np.abs(compare(both, order < n))
    return PermutationTest((1 + int((null >= observed).sum())) / (1 + n_resamples), 1 / (1 + n_resamples))


def auroc(values: ArrayLike, labels: ArrayLike) -> Any:
    """Area under the ROC curve of each column of values (samples, columns), or of values (samples,); ties count half.

    labels (samples,): 1 for the samples that should have the larger values. From ranks (Mann and Whitney 1947).
    """
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0)
    positive = np.asarray(labels) == 1
    up, down = int(positive.sum()), int((~positive).sum())
    return (ranks[positive].sum(0) - up * (up + 1) / 2) / (up * down)


def welch_t(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Welch's t for every row of `chosen`, which marks the first group; 0 where nothing varies and means agree."""
    n = chosen.sum(axis=1)
    m = chosen.shape[1] - n
    centred = values - values.mean()
    sum_a, square_a = chosen @ centred, chosen @ centred**2
    sum_b, square_b = -sum_a + centred.sum(), (centred**2).sum() - square_a
    spread_a = np.maximum(square_a - sum_a**2 / n, 0) / (n - 1) / n
    spread_b = np.maximum(square_b - sum_b**2 / m, 0) / (m - 1) / m
    floor = 1e-12 * max(float(centred.std()), 1e-300)
    return (sum_a / n - sum_b / m) / np.maximum(np.sqrt(spread_a + spread_b), floor)


@dataclass(frozen=True)
class Adjustment:
    """Adjusted p-values, NaN where there was nothing to test; how many tests counted, and how many could not be made.

    `str()` says it in words, for a caption or a note.
    """

    p_values: Floats
    tests: int
    untestable: int
    method: str

    def __str__(self) -> str:
        words = f"{CORRECTIONS[self.method]} over {counted(self.tests, 'test')}"
        return f"{words}; {self.untestable} could not be tested and were left out" if self.untestable else words


def adjust(
    p_values: Iterable[float], method: Literal["holm", "bh", "by"] = "holm", tests: int | None = None
) -> Adjustment:
    """p-values adjusted for their number.

    A NaN stands for a test that could not be made: it stays NaN, is not counted among the tests, and is counted as
    untestable. (statsmodels' `multipletests` counts it as a test under Holm, and under Benjamini and Hochberg makes
    every p-value NaN.)

    method: "holm", which keeps the chance of any false rejection (Holm 1979, Scand. J. Stat. 6); "bh", the false
    discovery rate of tests that are independent or positively dependent (Benjamini and Hochberg 1995, J. R. Stat. Soc.
    B 57); "by", that rate under any dependence (Benjamini and Yekutieli 2001, Ann. Stat. 29).
    tests: number of tests made, if more than are given; those left out count as p = 1.

    Raises OntogenyError for numbers outside 0 to 1.
    """
    if method not in CORRECTIONS:
        raise unknown("method", method, CORRECTIONS)
    if isinstance(p_values, Iterable) and not hasattr(p_values, "__array__"):
        p_values = list(p_values)
    values = _numbers(p_values, "p_values")
    known = ~np.isnan(values)
    found = values[known]
    if ((found < 0) | (found > 1)).any():
        wrong = found[(found < 0) | (found > 1)][0]
        raise OntogenyError(f"{wrong} is not a p-value: they lie between 0 and 1, and NaN stands for one not tested")
    more = max((tests or 0) - len(found), 0)
    adjusted = np.full(values.shape, np.nan)
    if len(found):
        adjusted[known] = _adjusted(np.concatenate([found, np.ones(more)]), method)[: len(found)]
    return Adjustment(adjusted, len(found) + more, int((~known).sum()), method)


def _adjusted(p_values: Floats, method: str) -> Floats:
    # scipy.stats takes half a second to import, and statsmodels' multipletests collects all garbage at each call.
    order, count = np.argsort(p_values), len(p_values)
    place = np.arange(1, count + 1)
    if method == "holm":
        stepped = np.maximum.accumulate(p_values[order] * place[::-1])
    else:
        dependence = float((1 / place).sum()) if method == "by" else 1.0
        stepped = np.minimum.accumulate((p_values[order] * count / place * dependence)[::-1])[::-1]
    adjusted = np.empty_like(p_values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def generator(seed: Seed) -> np.random.Generator:
    """The random numbers of a seed. Raises OntogenyError for something that is no seed."""
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        raise OntogenyError(
            f"the seed is {shown(seed)}: give a whole number of 0 or more, or a NumPy generator"
        ) from None


def _turned(drawn: NDArray[Any], observed: Any, alternative: Alternative) -> tuple[NDArray[Any], Any]:
    """Both so that "as extreme" is "at least as large"."""
    if alternative == "two-sided":
        return np.abs(drawn), np.abs(observed)
    if alternative not in ("greater", "less"):
        raise unknown("alternative", alternative, ["two-sided", "greater", "less"])
    return (drawn, observed) if alternative == "greater" else (-drawn, -observed)


def _numbers(values: Any, name: str, axis: int | None = -1, *, one: bool = False, keep: Any = None) -> NDArray[Any]:
    """Values as float64, or as they are if of the type `keep`; they have `axis`, and no further one where `one`."""
    data = plain(values)
    try:
        data = np.asarray(data)
    except ValueError:
        data = np.asarray(None)
    if data.dtype.kind not in "fiub":
        raise OntogenyError(f"{name} is {shown(values)}: give real numbers, as an array or a tensor")
    if (one and data.ndim != 1) or not (axis is None or -data.ndim <= axis < data.ndim):
        wanted = "give one dimension" if one or not data.ndim else f"it has no axis {axis}"
        raise OntogenyError(f"{name} has the shape {data.shape}: {wanted}")
    return data if data.dtype == keep else data.astype(np.float64, copy=False)


def _quantile_of_sorted(values: Floats, share: float) -> Floats:
    place = share * (values.shape[-1] - 1)
    below = int(place)
    above = min(below + 1, values.shape[-1] - 1)
    return np.asarray(values[..., below] + (place - below) * (values[..., above] - values[..., below]))


__all__ = [
    "CORRECTIONS",
    "MOST_WAYS",
    "Adjustment",
    "MeanInterval",
    "PermutationTest",
    "adjust",
    "bootstrap_interval",
    "bootstrap_mean",
    "bootstrap_weights",
    "generator",
    "percentile_interval",
    "permutation_test",
    "proportion_interval",
    "resampling_p_value",
    "sign_flip_test",
    "student_interval",
    "welch_t",
]
