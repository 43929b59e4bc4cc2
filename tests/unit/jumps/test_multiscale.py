"""The default detector's bars, with seeds of their own; what it leaves out to be quick."""

import numpy as np
import pytest
from scipy.signal import lfilter

from ontogeny.jumps import detect_jumps, multiscale
from ontogeny.jumps.series import BACKGROUNDS, FURTHER_NULLS, NULLS, planted

SMALL_CHANGES = {"sawtooth"}
"""Families that hold real, small falls, which the detector may report."""


@pytest.mark.parametrize("name", NULLS)
def test_false_alarms_keep_the_bar(name):
    for n, repeats, bar in ((1000, 40, 0.5), (200, 100, 1.5)):
        batch = NULLS[name](np.random.default_rng([7, n]), repeats, n)
        events = sum(len(detect_jumps(row)) for row in batch)
        assert 1000 * events / (n * repeats) <= bar


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({**NULLS, **FURTHER_NULLS}))
def test_false_alarms_in_all_families(name):
    n, repeats = 1000, 150
    batch = {**NULLS, **FURTHER_NULLS}[name](np.random.default_rng([8, n]), repeats, n)
    events = sum(len(detect_jumps(row)) for row in batch)
    assert 1000 * events / (n * repeats) <= (1.5 if name in SMALL_CHANGES else 0.9)


@pytest.mark.parametrize("name", ["bfloat16_loss", "mean_so_far", "warmed_rate"])
def test_what_begins_steeply_or_coarsely_is_no_jump(name):
    batch = FURTHER_NULLS[name](np.random.default_rng(9), 80, 200)
    assert sum(event.index < 12 for row in batch for event in detect_jumps(row)) <= 1


@pytest.mark.parametrize("slope", [0.3, 1, 2, 5])
def test_a_bend_is_no_jump(slope):
    """A line that turns from flat to steep changes its slope, not its level."""
    rng = np.random.default_rng(3)
    for n, repeats in ((200, 60), (1000, 20)):
        bends = [slope * np.maximum(np.arange(n) - n // 2, 0) + rng.standard_normal(n) for _ in range(repeats)]
        events = sum(len(detect_jumps(row)) for row in bends)
        assert events <= 0.1 * repeats


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_five_sigma_steps_are_found_once_and_in_place(background):
    batch, places = planted(background, np.random.default_rng(11), 80, 1000, 5, margin=100)
    found = extra = 0
    for row, place in zip(batch, places):
        near = [j for j in detect_jumps(row) if abs(j.index - place) <= 10]
        found += any(abs(j.index - place) <= 2 for j in near)
        extra += max(len(near) - 1, 0)
    assert found >= 0.9 * len(batch)
    assert extra <= 1


def test_several_changes_are_several_events():
    hits = 0
    for seed in range(10):
        x = np.random.default_rng(seed).normal(0, 0.3, 600)
        for at, level in ((150, 6.0), (350, -3.0), (450, 9.0)):
            x[at:] += level
        found = detect_jumps(x)
        assert all(min(abs(j.index - at) for at in (150, 350, 450)) <= 2 for j in found)
        hits += len(found)
        assert [j.direction for j in found] in (["up", "down", "up"], ["up", "down"], ["up", "up"], ["down", "up"])
    assert hits >= 28


def test_a_clean_step_between_constants_is_one_event():
    x = np.r_[np.full(150, 2.5), np.full(150, 3.25)]
    (jump,) = detect_jumps(x)
    assert jump.index == 150
    assert jump.size == 0.75
    assert [j.index for j in detect_jumps(np.r_[np.zeros(150), np.full(150, 5.0)])] == [150]
    assert detect_jumps(np.r_[np.full(150, 2.0), np.full(150, 3.0)]) == []
    assert detect_jumps(np.linspace(0, 1, 300)) == []
    assert detect_jumps(np.exp(-np.arange(400) / 30)) == []


def test_rounding_of_a_clean_drift_is_no_jump():
    t = np.arange(400)
    for slope in (0.01, 1 / 3, -0.07):
        assert detect_jumps(slope * t + 0.2) == []
        assert [(j.index, j.direction) for j in detect_jumps(slope * t + 0.9 * (t >= 200))] == [(200, "up")]


def test_whole_numbers_jump_only_by_more_than_two():
    rng = np.random.default_rng(0)
    stairs = np.round(np.linspace(3, 9, 400) + 0.1 * rng.standard_normal(400))
    assert detect_jumps(stairs) == []
    level = np.r_[np.full(200, 5.0), np.full(200, 12.0)] + rng.integers(0, 2, 400)
    assert [j.index for j in detect_jumps(level)] == [200]


def test_scores_that_are_needed_are_the_same_whatever_is_left_out():
    rows = []
    for k, make in enumerate({**NULLS, **FURTHER_NULLS}.values()):
        rows.append(make(np.random.default_rng([5, k]), 4, 300))
        rows[-1][:2, 140:] += 6 * np.std(np.diff(rows[-1]), axis=1, keepdims=True)[:2]
    x = np.concatenate(rows)
    every, sizes = multiscale.scores(x, 1e-9)
    least = np.where(np.arange(len(x)) % 2, 5.5, 2.5)
    some, some_sizes = multiscale.scores(x, least)
    needed = np.abs(every) >= least[:, None]
    assert needed.any(axis=1).sum() > 60
    np.testing.assert_array_equal(some[needed], every[needed])
    np.testing.assert_array_equal(some_sizes[needed], sizes[needed])
    assert (np.abs(some) < least[:, None])[~needed].all()


def test_medians_are_those_of_their_neighbourhoods():
    magnitude = np.abs(np.random.default_rng(2).standard_normal((3, 301)))
    bounds = multiscale.neighbourhoods(300, 4)
    blocks = np.flatnonzero(bounds.any(axis=1))
    rows = np.arange(blocks.size) % 3
    found = multiscale.medians(magnitude, bounds, 0.7, rows, blocks)
    level = np.full((3, len(bounds)), 0.6)
    below = multiscale._may_be_below(multiscale._with_nothing(magnitude), 4, level)
    for row, block, scale in zip(rows, blocks, found):
        l0, l1, r0, r1 = bounds[block]
        sides = [np.sort(magnitude[row, l0:l1]), np.sort(magnitude[row, r0:r1])]
        both = np.sort(np.concatenate(sides))
        middle = both[both.size // 2]
        assert scale == max([middle, *(0.7 * side[side.size // 2] for side in sides if side.size >= 20)])
        assert below[row, block] >= (middle <= 0.6)
        assert below[row, block] <= (both[(both.size - 1) // 2] <= 0.6)
    assert not below[:, ~bounds.any(axis=1)].any()


def test_window_sums_and_highest_scores():
    x = np.random.default_rng(0).standard_normal((3, 120))
    for width in multiscale.WIDTHS:
        plain = np.lib.stride_tricks.sliding_window_view(x, width, axis=1).sum(axis=2)
        np.testing.assert_allclose(multiscale._window_sums(x, width), plain, atol=1e-12)
    x[1, 60:] += 9
    highest = multiscale.highest_scores(x)
    ((event,),) = multiscale.step_events(x[1:2])
    assert highest[1] == pytest.approx(event[1])
    assert highest[0] < multiscale.THRESHOLD


def test_roughness_is_the_median_of_second_differences():
    x = np.random.default_rng(0).standard_normal((3, 60))
    rows, first, last = np.array([0, 2, 1, 0]), np.array([0, 5, 30, 57]), np.array([23, 45, 47, 60])
    plain = [np.median(np.abs(np.diff(x[row, low:high], 2))) for row, low, high in zip(rows, first, last)]
    np.testing.assert_allclose(multiscale._rough(x, rows, first, last), plain)


def test_scores_below_the_least_are_left_out():
    x = np.random.default_rng(1).standard_normal((40, 200))
    highest, strong = multiscale.highest_scores(x), multiscale.highest_scores(x, 4.0)
    np.testing.assert_allclose(strong, np.where(highest >= 4.0, highest, 0.0))


@pytest.mark.parametrize("at", [3, 5, 397, 395])
def test_steps_within_the_first_and_last_measurements_are_found(at):
    series = np.random.default_rng(13).standard_normal((40, 400))
    series[:, at:] += 8
    assert sum(any(abs(event.index - at) <= 1 for event in detect_jumps(row)) for row in series) >= 32


def test_a_smooth_start_is_no_step_within_the_first_measurements():
    smoothed = lfilter([0.1], [1, -0.9], np.random.default_rng(3).standard_normal((100, 400)), axis=1)
    decays = np.random.default_rng(4).standard_normal((100, 400)) + 100 * np.exp(-np.arange(400) / 16)
    for series in (smoothed, decays):
        assert sum(event.index < 12 for row in series for event in detect_jumps(row)) <= 2
