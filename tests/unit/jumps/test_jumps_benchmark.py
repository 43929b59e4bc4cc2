"""Speed of the detectors, in processor time, as ratios to the plain loop of rolling z-scores."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from ontogeny.jumps import detect_many, detect_transitions, find_jumps, z_score_flags
from ontogeny.jumps.detection import as_series, jumps_in_each
from ontogeny.jumps.series import planted


def cpu(work, repeats=3):
    """The least of some runs, after one that compiles."""
    work()
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def plain_loop(x, window=50, threshold=3.0, least=20):
    for values in x:
        for i in range(least, len(values)):
            past = values[max(0, i - window) : i]
            spread = np.std(past)
            if spread > 0:
                abs(values[i] - np.mean(past)) / spread > threshold  # noqa: B015


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(0)
    changes = [planted(name, rng, 50, 400, 8, 20, margin=40)[0] for name in ("white", "ar1_0.9", "exponential_drift")]
    return np.concatenate([rng.standard_normal((50, 400)), *changes])


@pytest.mark.benchmark
def test_many_series(series):
    loop = cpu(lambda: plain_loop(series), 1)
    assert cpu(lambda: z_score_flags(series)) < loop / 20
    assert cpu(lambda: jumps_in_each([as_series(row) for row in series])) < loop / 8
    assert cpu(lambda: detect_many(series)) < loop / 3


@pytest.mark.benchmark
def test_whole_records_of_which_an_eighth_of_the_series_jump():
    few = np.random.default_rng(2).standard_normal((400, 400))
    few[:50] += 8 * (np.arange(400) >= 210)
    index = pd.MultiIndex.from_product(
        [["r"], [f"layer{i}" for i in range(200)], ["stable_rank", "loss"], range(400)],
        names=["run", "layer", "metric", "step"],
    )
    record = pd.DataFrame({"value": few.ravel()}, index=index).reset_index()
    assert cpu(lambda: find_jumps(record)) < cpu(lambda: plain_loop(few), 1) / 5


@pytest.mark.benchmark
def test_whole_records_of_which_half_the_series_jump():
    jumping = np.random.default_rng(1).standard_normal((200, 400)) + 10 * (np.arange(400) >= 210)
    jumping[100:] -= 10 * (np.arange(400) >= 210)
    index = pd.MultiIndex.from_product(
        [["r"], [f"layer{i}" for i in range(100)], ["stable_rank", "loss"], range(400)],
        names=["run", "layer", "metric", "step"],
    )
    record = pd.DataFrame({"value": jumping.ravel()}, index=index).reset_index()
    assert cpu(lambda: find_jumps(record)) < cpu(lambda: plain_loop(jumping), 1) / 2.3


@pytest.mark.benchmark
def test_a_long_series_takes_no_longer_than_many_short_ones():
    x = np.random.default_rng(0).standard_normal(80_000)
    assert cpu(lambda: detect_transitions(x), 1) < 3 * cpu(lambda: detect_many(x.reshape(200, 400)), 1)


def test_a_long_series_of_coarse_values_is_searched_in_little_memory():
    n = 60_000
    x = np.random.default_rng(0).standard_normal(n) + 20 * np.searchsorted([18_000, 30_000, 48_000], np.arange(n))
    detect_transitions(x[:1000])
    tracemalloc.start()
    found = detect_transitions(np.round(x, 1))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 3
    assert most < 470 * n
