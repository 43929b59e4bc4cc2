"""The default detector's bars, with seeds of their own; its compiled and its plain form."""

import numpy as np
import pytest

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


def test_compiled_and_plain_decide_alike(monkeypatch):
    series = []
    for k, make in enumerate({**NULLS, **FURTHER_NULLS}.values()):
        for row in make(np.random.default_rng([5, k]), 2, 300):
            row = row.copy()
            row[140:] += 6 * np.std(np.diff(row))
            series.append(row)
    compiled = [multiscale.step_events(row[None]) for row in series]
    monkeypatch.setattr(multiscale, "_compiled", lambda: None)
    assert [multiscale.step_events(row[None]) for row in series] == compiled
    assert sum(len(events) for (events,) in compiled) > 30


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
