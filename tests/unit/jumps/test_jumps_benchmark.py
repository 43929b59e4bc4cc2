"""Speed of the detectors, in processor time, with room for a slow machine."""

import time

import numpy as np
import pytest

from ontogeny.jumps import detect_jumps, z_score_flags


def cpu(work):
    work()
    begun = time.process_time()
    work()
    return time.process_time() - begun


@pytest.mark.benchmark
def test_many_series():
    x = np.random.default_rng(0).standard_normal((1600, 400))
    assert cpu(lambda: z_score_flags(x)) < 0.15 * 3
    assert cpu(lambda: [detect_jumps(row) for row in x]) < 1.5 * 2.5


@pytest.mark.benchmark
def test_a_long_series():
    x = np.random.default_rng(0).standard_normal(100_000)
    assert cpu(lambda: detect_jumps(x)) < 0.2 * 3
