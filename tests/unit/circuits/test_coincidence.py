"""Circuits that appear at jumps are found; networks that only learn at their own speed are not."""

import numpy as np
import pytest

from ontogeny.circuits import appearances_at_jumps
from ontogeny.errors import OntogenyError


def test_appearances_at_jumps_are_found_and_chance_is_not():
    rng = np.random.default_rng(0)
    jumps = [np.sort(rng.choice(1000, 4, replace=False)) for _ in range(12)]
    spans = [(0, 999)] * 12
    together = [(np.repeat(j, 3) + rng.integers(-5, 6, 12)).clip(0, 999) for j in jumps]
    apart = [rng.integers(0, 1000, 12) for _ in jumps]
    found = appearances_at_jumps(together, jumps, spans, 10, n_resamples=999)
    assert found.p_value == found.p_nearby == 0.001
    assert found.near > found.high
    assert found.ratio > 4
    assert found.displaced < 0.2 < found.share == 1
    p_values = [
        appearances_at_jumps(
            [rng.integers(0, 1000, 12) for _ in jumps], jumps, spans, 10, n_resamples=199, seed=seed
        ).p_value
        for seed in range(20)
    ]
    assert 0.2 < np.mean(p_values) < 0.8
    found = appearances_at_jumps(apart, jumps, spans, 10, n_resamples=999)
    assert found.low <= found.near <= found.high
    assert found.appearances == 144
    assert found.jumps == 48
    assert found.runs == 12


def learning_speed(rng, runs=25, spread=0.5, jitter=0.1, last=400):
    """Appearances and jumps that depend on nothing but the time that each network takes to learn."""
    appearances, jumps, clocks = [], [], []
    for _ in range(runs):
        clock = 60 * np.exp(spread * rng.normal())
        jump, centre = np.clip(clock * (1 + jitter * rng.normal(size=2)), 1, last)
        appearances.append(np.clip(np.round(centre + rng.normal(0, 2, rng.integers(5, 90))), 0, last))
        jumps.append([round(jump)])
        clocks.append(clock)
    return appearances, jumps, [(0, last)] * runs, clocks


@pytest.mark.parametrize(("spread", "jitter"), [(0.0, 0.1), (0.5, 0.05), (0.5, 0.2), (0.5, 0.4)])
def test_learning_speed_alone_passes_for_nothing(spread, jitter):
    rejected, between = 0, []
    for seed in range(20):
        *world, clocks = learning_speed(np.random.default_rng(seed), spread=spread, jitter=jitter)
        found = appearances_at_jumps(*world, 3, clocks=clocks, n_resamples=199, seed=seed)
        rejected += found.p_nearby <= 0.05
        between.append(found.share - found.between_networks)
    assert rejected <= 2
    assert abs(np.mean(between)) < 0.1


def test_coincidence_on_top_of_learning_speed_is_found():
    found = 0
    for seed in range(10):
        appearances, jumps, spans, clocks = learning_speed(np.random.default_rng(seed), jitter=0.2)
        half = [np.where(np.arange(len(a)) % 2, a, j[0] + 1) for a, j in zip(appearances, jumps)]
        result = appearances_at_jumps(half, jumps, spans, 3, clocks=clocks, n_resamples=199, seed=seed)
        found += result.p_nearby <= 0.05
    assert found >= 9


def test_an_appearance_between_two_epochs_is_near_a_jump_if_it_may_be():
    spans, jumps = [(0, 400)] * 6, [[60], [100], [170], [200], [250], [311]]
    exact = [[j[0] - 1, 20] for j in jumps]
    coarse = [[(10 * (e // 10) + 1, 10 * (e // 10) + 10) for e in steps] for steps in exact]
    fine = appearances_at_jumps(exact, jumps, spans, 3, n_resamples=99)
    wide = appearances_at_jumps(coarse, jumps, spans, 3, numbers=[[3, 3]] * 6, n_resamples=99)
    assert fine.share == wide.share == 0.5
    assert wide.appearances == 36
    assert wide.near == 3 * fine.near
    assert wide.expected > 3 * fine.expected


def test_networks_need_clocks_to_be_compared():
    found = appearances_at_jumps([[5], [9]], [[5], [9]], [(0, 999)] * 2, 1, n_resamples=99)
    assert np.isnan(found.between_networks)
    assert np.isnan(appearances_at_jumps([[5]], [[5]], [(0, 999)], 1, clocks=[3], n_resamples=99).p_nearby)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"jumps": [[2000]]}, "outside its span"),
        ({"appearances": [[]]}, "nothing to compare"),
        ({"jumps": []}, "one of each"),
        ({"numbers": [[1, 2]]}, "give each of the 1 appearances"),
        ({"clocks": [0]}, "above 0"),
        ({"window": -1}, "window is -1: give a number of steps, 0 or more"),
    ],
)
def test_what_is_wrong_is_said(change, says):
    good = {"appearances": [[5]], "jumps": [[5]], "spans": [(0, 999)], "window": 10}
    with pytest.raises(OntogenyError, match=says):
        appearances_at_jumps(**{**good, **change})
