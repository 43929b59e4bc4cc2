"""Transitions: found at every width, placed, once, and not where there are none."""

import itertools

import numpy as np
import pytest

from ontogeny.jumps import detect_jumps, detect_many, detect_transitions
from ontogeny.jumps.chances import largest_p_value, p_value
from ontogeny.jumps.courses import outgrows
from ontogeny.jumps.detection import LOOKS, changes_in_each
from ontogeny.jumps.events import as_series
from ontogeny.jumps.guards import guard, recovers
from ontogeny.jumps.peaks import WIDEST_PEAK, peaks_and_prominences, widths_at_half
from ontogeny.jumps.series import FURTHER_NULLS, NULLS, ar1, planted
from ontogeny.jumps.shapes import Event


@pytest.mark.parametrize("background", ["white", "ar1_0.9", "linear_drift"])
@pytest.mark.parametrize("ramp", [10, 50, 100])
def test_ramps_are_found_once_and_in_place(background, ramp):
    series, at = planted(background, np.random.default_rng(5), 20, 1000, 8, ramp, margin=120)
    found = placed = extra = 0
    for values, begin in zip(series, at):
        events = detect_transitions(values)
        middle = begin + ramp / 2
        near = [event for event in events if abs(event.step - middle) <= ramp]
        found += bool(near)
        placed += bool(near) and abs(near[0].step - middle) <= max(ramp / 3, 2)
        extra += len(events) - bool(near)
    assert found >= 18
    assert placed >= 0.9 * found
    assert extra <= 5


@pytest.mark.parametrize(
    "name",
    ["white", "random_walk", "integrated_random_walk", "exponential_drift", "held_drift"],
)
def test_false_alarms_keep_the_bar(name):
    batch = NULLS[name](np.random.default_rng(6), 30, 1000)
    assert sum(len(detect_transitions(row, jumps=[])) for row in batch) / 30 <= 0.25


@pytest.mark.parametrize("span", [100, 300])
def test_slow_wander_below_the_noise_is_no_transition(span):
    rng = np.random.default_rng(9)
    wander = np.concatenate([ar1(rng, 1, 400, np.exp(-1 / span)) for _ in range(150)])
    found = detect_many(wander + 0.4 * rng.standard_normal((150, 400)))
    assert sum(map(len, found)) <= 0.3 * 60


@pytest.mark.parametrize("points", [80, 120, 140, 200])
def test_a_transition_in_the_middle_of_a_short_record_is_found(points):
    t = np.arange(points)
    rises = 1 / (1 + np.exp(-(t - points / 2) / 3)) + 0.015 * np.random.default_rng(3).standard_normal(points)
    assert abs(detect_transitions(rises)[0].step - points / 2) <= 3


def test_a_transient_that_rises_over_a_few_points_is_no_lasting_change():
    rng, after = np.random.default_rng(5), np.arange(250)
    values = 0.5 * rng.standard_normal((60, 400))
    values[:, 150:] += rng.uniform(5, 20, (60, 1)) * (1 - np.exp(-(after + 1) / 2)) * np.exp(-after / 10)
    assert sum(map(len, detect_many(values))) <= 6


def test_a_jump_into_noise_that_grows_towards_the_end_is_found():
    rng, late = np.random.default_rng(4), np.arange(400) >= 374
    values = rng.standard_normal((40, 400)) * np.where(late, 3.0, 1.0) + 20.0 * late
    assert sum(any(abs(event.index - 374) <= 2 for event in detect_jumps(row)) for row in values) >= 36


def test_noise_that_falls_from_the_start_is_no_jump():
    rng = np.random.default_rng(1)
    means = np.cumsum(rng.standard_normal((100, 600)), axis=1) / np.arange(1, 601)
    early = [event for row in means for event in detect_jumps(row) if 15 <= event.index < 100]
    assert len(early) <= 8


def test_a_sigmoid_without_noise_is_one_transition_and_a_relaxation_none():
    t = np.arange(600)
    (event,) = detect_transitions(1 / (1 + np.exp(-(t - 240) / 15)))
    assert event.kind == "transition"
    assert abs(event.step - 240) <= 2
    assert event.onset == pytest.approx(240 - 15 * np.log(9), abs=4)
    assert event.end == pytest.approx(240 + 15 * np.log(9), abs=4)
    assert event.p_value < 0.01
    assert event.value_before < 0.02 < 0.98 < event.value_after
    assert detect_transitions(np.exp(-t / 40)) == []
    assert detect_transitions(np.log1p(t)) == []


def test_steps_even_in_their_logarithm_are_judged_by_their_rate():
    steps = np.unique(np.geomspace(1, 1e6, 400).astype(int))
    assert detect_transitions(1 - np.exp(-steps / 3e3), steps) == []
    (event,) = detect_transitions(1 / (1 + (steps / 3e3) ** -6.0), steps)
    assert event.onset < 3e3 < event.end


def test_a_jump_is_a_transition_of_width_one():
    rng = np.random.default_rng(0)
    values = rng.standard_normal(400) + 9.0 * (np.arange(400) >= 170)
    (event,) = detect_transitions(values)
    assert (event.kind, event.index, event.width) == ("jump", 170, 1)
    assert event.value_after - event.value_before == pytest.approx(9, abs=1.5)
    assert event.z_score > 5


def test_the_interval_of_a_jump_allows_for_a_few_points():
    """Of a change over four points, half is reached within the interval and not always at the jump."""
    rng, t = np.random.default_rng(2), np.arange(300)
    held = []
    for at in rng.uniform(60, 240, 20):
        jumps = detect_jumps(rng.standard_normal(300) + 8 * np.clip((t - at) / 4 + 0.5, 0, 1))
        held += [jump.midpoint_low <= at <= jump.midpoint_high for jump in jumps if abs(jump.step - at) < 9]
    assert np.mean(held) >= 0.8
    (sudden,) = detect_jumps(8.0 * (t >= 150) + rng.standard_normal(300))
    assert (sudden.midpoint_low, sudden.midpoint_high) == (149, 150)


def test_changes_that_follow_closely_have_their_own_levels():
    t, noise = np.arange(600), np.random.default_rng(0).standard_normal(600)
    first, second = detect_transitions(1.0 * (t >= 200) + 2.0 * (t >= 212) + 0.02 * noise)
    assert (first.index, second.index) == (200, 212)
    np.testing.assert_allclose([first.value_before, first.value_after], [0, 1], atol=0.03)
    np.testing.assert_allclose([second.value_before, second.value_after], [1, 3], atol=0.03)
    assert first.z_score == pytest.approx(50, rel=0.5)
    assert second.z_score == pytest.approx(100, rel=0.5)
    rises = 1 / (1 + np.exp(-(t - 200) / 10)) + 2 / (1 + np.exp(-(t - 300) / 10))
    first, second = detect_transitions(rises + 0.01 * noise)
    assert (first.kind, second.kind) == ("transition", "transition")
    levels = [first.value_before, first.value_after, second.value_before, second.value_after]
    np.testing.assert_allclose(levels, [0, 1, 1, 3], atol=0.1)


def test_repeated_values_are_one_measurement():
    rng = np.random.default_rng(1)
    base = rng.standard_normal(300) + 9.0 * (np.arange(300) >= 140)
    looked = guard(np.repeat(base, 3))
    assert looked.every == 3
    assert looked.values.size == 300
    found = detect_jumps(np.repeat(base, 3))
    assert [event.index for event in found] == [420]
    assert "every 3 rows" in found.notes[0]


def test_a_spike_that_decays_is_no_lasting_change():
    rng = np.random.default_rng(2)
    t = np.arange(400)
    spike = np.where(t >= 200, 20 * np.exp(-(t - 200) / 8.0), 0)
    values = rng.standard_normal(400) + spike
    assert recovers(values, 200, 20.0)
    assert detect_jumps(values) == []
    assert not recovers(rng.standard_normal(400) + 20 * (t >= 200), 200, 20.0)


@pytest.mark.parametrize(("ramp", "least"), [(0, 50), (4, 33)])
def test_a_change_on_a_relaxation_lasts(ramp, least):
    """Up or down: neither the level before it nor the line through it says how the relaxation would have gone on."""
    t, at, rng = np.arange(200), 45, np.random.default_rng(6)
    decay = 60 * np.exp(-t / 25) + 8 * np.clip((t - at + 1) / (ramp + 1), 0, 1) * rng.choice([-1, 1], (60, 1))
    found = detect_many(decay + rng.standard_normal((60, 200)))
    assert sum(any(abs(event.index - at - ramp / 2) <= 3 for event in each) for each in found) >= least


def test_the_highest_of_the_last_values_rests_and_does_not_jump():
    noise = np.random.default_rng(8).standard_normal((60, 239))
    windows = np.lib.stride_tricks.sliding_window_view(noise, 40, axis=1).max(axis=2)
    assert sum(map(len, detect_many(windows))) <= 6
    assert "held" in guard(windows[0]).notes[0]


def test_decaying_spikes_are_seen_near_the_ends_and_close_together():
    rng = np.random.default_rng(5)
    t = np.arange(400)
    values = rng.standard_normal(400)
    for at in (5, 200, 230, 390):
        values += np.where(t >= at, 30 * np.exp(-(t - at) / 8.0), 0)
    assert detect_jumps(values) == []
    step = rng.standard_normal(400) + 9.0 * (t >= 380)
    (event,) = detect_jumps(step)
    assert abs(event.index - 380) <= 1


def test_new_bests_of_noise_are_no_jumps():
    rng = np.random.default_rng(3)
    best = np.maximum.accumulate(rng.standard_normal((40, 300)), axis=1)
    found = [detect_transitions(row) for row in best]
    assert sum(map(len, found)) <= 6
    assert sum("it is the best value so far, so only new ones count" in each.notes for each in found) >= 30
    staged = np.repeat([0.0, 0.2, 0.45, 0.6, 0.8], [60, 51, 43, 77, 69])
    assert [jump.step for jump in detect_transitions(staged)] == [60, 111, 154, 231]


def test_the_end_of_a_warm_up_is_no_jump():
    place = np.arange(300)
    for warm in (6.3, 12.2, 40.7):
        rate = np.where(place < warm, place / warm, 0.5 * (1 + np.cos(np.pi * (place - warm) / (300 - warm))))
        assert not detect_transitions(rate)
        (drop,) = detect_transitions(rate - 0.3 * (place >= 150))
        assert drop.step in (149, 150)


def test_a_saturated_metric_is_said_to_be():
    values = np.clip(np.random.default_rng(3).standard_normal(500), -1, 1)
    assert "rest at" in detect_jumps(values).notes[0]


def test_short_series_abstain():
    found = detect_transitions(np.arange(40.0))
    assert found == []
    assert "40 finite values" in found.abstained


@pytest.mark.parametrize("smooth", [False, True])
def test_p_values_fall_with_the_score_and_short_records_allow_fewer_alarms(smooth):
    assert (np.diff([p_value(score, smooth, 1000) for score in (0.5, 1, 2, 4, 8)]) < 0).all()
    assert largest_p_value(smooth, 100) < largest_p_value(smooth, 1000)


def test_p_values_are_for_both_searches_of_a_series():
    x = np.random.default_rng(3).standard_normal(200) + 5 * (np.arange(200) >= 90)
    for settings in ({}, {"surrogates": 19}):
        jumps, found = changes_in_each([as_series(x)], **settings)
        alone = detect_jumps(x, **settings)
        assert jumps[0] == detect_jumps(x)
        assert found[0][0].kind == "jump"
        assert found[0][0].p_value == LOOKS * alone[0].p_value
    assert detect_transitions(x, jumps=alone)[0].p_value == LOOKS * alone[0].p_value
    short = detect_transitions(x[60:120], jumps=detect_jumps(x))
    assert short.abstained
    assert short[0].p_value == detect_jumps(x)[0].p_value


def test_a_jump_of_which_nobody_can_say_whether_it_recovers_is_not_sure():
    x = np.random.default_rng(8).standard_normal(200)
    late, earlier = (detect_jumps(x + 30 * (np.arange(200) >= 200 - after)) for after in (3, 4))
    assert late[0].p_value == 0.02 > 4 * earlier[0].p_value


def test_a_spike_is_known_where_another_change_follows_it():
    t = np.arange(400)
    x = np.random.default_rng(2).standard_normal(400)
    for at, size in ((181, 45.0), (194, 45.0)):
        x += size * np.exp(-np.maximum(t - at, 0) / 8) * (t >= at)
    assert not detect_jumps(x)


@pytest.mark.parametrize(("points", "ramp"), [(200, 10), (400, 20), (1000, 100)])
def test_changes_on_a_steep_decay_are_found(points, ramp):
    rng = np.random.default_rng(points)
    series, places = planted("exponential_drift", rng, 30, points, 8, ramp, margin=max(points // 10, ramp))
    found = detect_many(series)
    hits = [any(at - 2 <= event.index <= at + ramp + 2 for event in each) for at, each in zip(places, found)]
    assert np.mean(hits) >= 0.8
    assert sum(map(len, detect_many(NULLS["exponential_drift"](rng, 60, points)))) <= 0.2 * 60 * points / 1000


def test_a_fall_after_a_plateau_into_noise_that_wanders_is_found():
    """As of an accuracy when the data change: before, it moves by a hundredth of what it loses, and slowly."""
    t, hits = np.arange(900), 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        slow = ar1(rng, 1, 900, 0.95)[0]
        rises = 0.98 - 0.88 * np.exp(-t / 15) + 0.004 * slow
        falls = np.clip((t - 430) / 12, 0, 1) * (0.55 - 0.05 * slow)
        events = detect_transitions(rises - falls)
        hits += any(event.onset < 437 < event.end and event.p_value < 0.01 for event in events)
    assert hits >= 7


def _running_mean(values, share):
    means = values.copy()
    for k in range(1, values.shape[1]):
        means[:, k] = means[:, k - 1] + share * (values[:, k] - means[:, k - 1])
    return means


def test_relaxations_that_begin_gently_or_at_a_turn_are_no_transitions():
    """Running means of a loss, in any precision; learning rates after their warm-up; a decay to a floor; a bend."""
    rng, t = np.random.default_rng(3), np.arange(200)
    scale, power = rng.uniform(0.05, 1, (60, 1)), rng.uniform(0.3, 1.2, (60, 1))
    decay = rng.uniform(1, 6, (60, 1)) * (1 + scale * t) ** -power
    means = _running_mean(decay + 0.02 * ar1(rng, 60, 200), 0.1)
    mantissa, exponent = np.frexp(_running_mean(decay + 0.02 * rng.standard_normal((60, 200)), 0.1))
    warm = rng.uniform(4, 40, (60, 1))
    rates = np.minimum((t + 1) / warm**1.5, (t + 1) ** -0.5)
    floor = rng.uniform(0.01, 0.1, (60, 1)) + np.exp(-t / rng.uniform(5, 25, (60, 1)))
    floor = floor * np.exp(0.1 * rng.standard_normal((60, 200)))
    bend = np.maximum(t - rng.uniform(40, 120, (60, 1)), 0) + rng.standard_normal((60, 200))
    for curves, most in (
        (means, 6),
        (np.ldexp(np.rint(256 * mantissa) / 256, exponent), 4),
        (rates, 4),
        (floor, 2),
        (bend, 2),
    ):
        assert sum(map(len, detect_many(curves))) <= most


@pytest.mark.parametrize(("points", "share"), [(200, 0.8), (1000, 0.9)])
@pytest.mark.parametrize("signs", [(1, 1, 1, 1), (1, 1, -1)])
def test_several_changes_are_no_period_and_no_wave(signs, points, share):
    t, rng, found = np.arange(points), np.random.default_rng(31), 0
    for _ in range(6):
        places = points * (np.arange(1, 1 + len(signs)) / (1 + len(signs)) + rng.uniform(-0.04, 0.04, len(signs)))
        steps = [10 * sign / (1 + np.exp(-(t - at) / (points / 167))) for at, sign in zip(places, signs)]
        events = detect_transitions(sum(steps) + rng.standard_normal(points))
        found += sum(any(abs(event.index - at) <= 3 + points / 110 for event in events) for at in places)
    assert found >= share * 6 * len(signs)


def test_a_wander_changes_as_much_elsewhere():
    x = np.random.default_rng(4).standard_normal((2, 600)).cumsum(axis=1)
    steps = 30 / (1 + np.exp(-(np.arange(600) - 300) / 8)) + np.random.default_rng(5).standard_normal((2, 600))
    for rows, outgrown in ((x, False), (steps, True)):
        for row in rows:
            event = Event(300, 285, 315, 30 if outgrown else np.ptp(row) / 4, 1, 298, 302, 25, 35)
            assert outgrows(row, event, [event]) == outgrown


def test_many_series_are_searched_as_one_by_one():
    rng = np.random.default_rng(2)
    parts = [planted(name, rng, 4, 300, 8, 20, margin=60)[0] for name in ("white", "ar1_0.9", "linear_drift")]
    series = np.concatenate([*parts, NULLS["logged_thrice"](rng, 2, 300), NULLS["quantised_drift"](rng, 2, 300)])
    series[1, 40:43] = np.nan
    steps = np.arange(300) * 5
    together = detect_many(series, steps)
    for row, found in zip(series, together):
        alone = detect_transitions(row, steps)
        assert [(e.step, e.kind, e.direction) for e in found] == [(e.step, e.kind, e.direction) for e in alone]
        assert (found.missing, found.notes, found.abstained) == (alone.missing, alone.notes, alone.abstained)
        np.testing.assert_allclose([e.score for e in found], [e.score for e in alone], rtol=1e-6)
    assert sum(map(len, together)) >= 7


def test_a_wave_is_no_transition():
    t = np.arange(1000)
    rng = np.random.default_rng(1)
    waves = [8 * np.sin(t / period + phase) for period in (15, 25, 35) for phase in (0, 1, 2)]
    assert sum(map(len, detect_many(waves + rng.standard_normal((9, 1000))))) <= 2


def test_changes_that_follow_one_another_are_told_apart():
    t = np.arange(600)
    stairs = sum(
        size / (1 + np.exp(-4.4 * (t - at) / width)) for size, at, width in ((4, 100, 40), (2, 220, 80), (1, 420, 120))
    )
    found = detect_transitions(stairs)
    assert [round(event.step, -1) for event in found] == [100, 220, 420]


def test_the_modes_of_a_deep_linear_network_are_told_apart():
    """The loss of two layers by the closed form of Saxe et al. 2014, whose rate goes on between the modes."""
    t, strengths = np.arange(2400)[:, None], np.array([8.0, 4.0, 2.0, 1.0])
    grown = strengths / (1 + (strengths / 1e-4 - 1) * np.exp(-strengths * t / 100))
    middles = 100 * np.log(strengths / 1e-4 - 1) / strengths
    found = detect_transitions(np.square(strengths - grown).sum(axis=1))
    assert len(found) == 4
    assert all(abs(event.step - middle) < (event.end - event.onset) / 2 for event, middle in zip(found, middles))


@pytest.mark.parametrize(("width", "apart"), [(20, 50), (40, 70)])
def test_changes_of_one_search_whose_spans_meet_are_both_kept(width, apart):
    """Two ramps that come so soon after each other that 10 to 90% of one reach into the other."""
    t = np.arange(600)
    for seed in range(3):
        values = sum(np.clip((t - at) / width + 0.5, 0, 1) for at in (200, 200 + apart))
        found = detect_transitions(values + 0.02 * np.random.default_rng(seed).standard_normal(600))
        assert len(found) == 2
        assert all(abs(event.step - at) <= width / 2 for event, at in zip(found, (200, 200 + apart)))
        assert found[1].onset <= found[0].end


def test_an_uneven_change_is_one_transition():
    """Without noise, the rate goes up and down by a third on the way."""
    place = np.arange(299)
    rate = 1 / np.cosh((place - 120) / 50) ** 2
    smooth = np.hanning(21) / np.hanning(21).sum()
    for seed in range(6):
        noise = np.random.default_rng(seed).standard_normal(319)
        course = np.cumsum(rate * np.exp(np.convolve(noise, smooth, "valid")))
        (found,) = detect_transitions(course / course[-1])
        assert found.onset < np.searchsorted(course, course[-1] / 2) < found.end
    for seed in range(40):
        wander = np.cumsum(np.random.default_rng(seed).standard_normal(400))
        course = np.cumsum(np.exp(0.03 * wander) / np.cosh((np.arange(400) - 150) / 40) ** 2)
        events = detect_transitions(course / course[-1])
        assert all(a.end <= b.onset for a, b in itertools.pairwise(events))


def test_what_swings_all_along_has_no_transition():
    from scipy.ndimage import gaussian_filter1d

    wander = gaussian_filter1d(np.random.default_rng(0).standard_normal((20, 1400)), 10, axis=1)[:, 200:-200]
    assert sum(map(len, detect_many(wander))) <= 4


def test_an_accuracy_that_rests_at_its_bounds_is_measured_at_every_step():
    t = np.arange(400)
    accuracy = np.round(300 / (1 + np.exp(-(t - 60) / 8))) / 300
    assert guard(accuracy).every == 1
    (event,) = detect_transitions(accuracy)
    assert abs(event.step - 60) < 5


def test_an_accuracy_on_few_samples_is_found_where_it_rises():
    """What moves from bound to bound is no noise of a saturated metric."""
    rng, t = np.random.default_rng(0), np.arange(400)
    middles = rng.uniform(100, 240, 10)
    accuracy = rng.binomial(160, 1 / (1 + np.exp(-(t - middles[:, None]) / 12))) / 160
    found = [any(abs(e.step - middle) < 15 for e in events) for events, middle in zip(detect_many(accuracy), middles)]
    assert sum(found) >= 8


@pytest.mark.parametrize(("samples", "width"), [(50, 20), (50, 40), (100, 40), (200, 80)])
def test_an_accuracy_on_few_samples_that_rises_smoothly_rests_because_it_is_coarse(samples, width):
    rng, t = np.random.default_rng(0), np.arange(400)
    learned = rng.logistic(200, width / (2 * np.log(9)), (20, samples, 1))
    found = detect_many((learned < t).mean(axis=1))
    assert sum(any(abs(event.step - 200) <= width / 3 for event in events) for events in found) >= 18
    assert sum(map(len, found)) <= 21


def test_samples_that_are_learned_ever_more_slowly_are_no_transition():
    rng, t = np.random.default_rng(1), np.arange(1000)
    shares = np.array([(rng.exponential(80, (1000, 1)) < t).mean(axis=0) for _ in range(10)])
    assert sum(map(len, detect_many(shares))) <= 2


def test_what_is_rounded_has_no_chance_of_samples():
    t = np.arange(400)
    course = 0.2 + 0.6 * np.exp(-t / 60)
    assert (
        guard(np.round(course, 3)).noise
        < 0.2 * guard((np.random.default_rng(2).exponential(60, (600, 1)) < t).mean(axis=0)).noise
    )


def test_what_repeats_is_told_and_changes_beside_it_are_found():
    rng, k = np.random.default_rng(0), np.arange(400)
    saw = 5 * ((k % 40) / 40) + rng.standard_normal(400)
    events = detect_transitions(saw)
    assert events == []
    assert events.notes[0].startswith("it repeats every 40 measurements")
    (jump,) = detect_transitions(saw + 8 * (k >= 217))
    assert jump.step == 217
    (slow,) = detect_transitions(saw + 10 / (1 + np.exp(-(k - 200) / 8)))
    assert abs(slow.step - 200) <= 5
    wave = np.cos(2 * np.pi * k / 36.4) + 3 * np.exp(-k / 80)
    assert not any("repeats" in note for note in guard(np.cumsum(rng.standard_normal(400))).notes)
    assert detect_transitions(wave) == []


@pytest.mark.parametrize("size", [32, 64, 128])
def test_wide_changes_far_above_the_noise_are_found(size):
    rng, k = np.random.default_rng(1), np.arange(400)
    middles = rng.uniform(120, 280, 8)
    series = size * np.clip((k - middles[:, None]) / 100 + 0.5, 0, 1) + rng.standard_normal((8, 400))
    found = [any(abs(event.step - at) <= 27 for event in events) for events, at in zip(detect_many(series), middles)]
    assert sum(found) >= 7


@pytest.mark.parametrize("seed", [8, 34, 55])
def test_the_first_half_of_a_rise_is_no_trend_that_the_second_falls_short_of(seed):
    t = np.linspace(0, 1, 150)
    values = 0.1 + 0.85 / (1 + np.exp(-50 * (t - 0.5))) + np.random.default_rng(seed).normal(0, 0.01, t.size)
    (event,) = detect_transitions(values)
    assert abs(event.index - 75) <= 2
    assert event.p_value < 0.001


@pytest.mark.parametrize("points", [200, 400])
@pytest.mark.parametrize("width", [1, 5, 20])
def test_changes_are_found_in_noise_that_falls_with_the_level(points, width):
    rng, t = np.random.default_rng(4), np.arange(points)
    found = 0
    for middle in rng.uniform(0.2, 0.8, 20) * points:
        fall = np.clip((t - middle) / width + 0.5, 0, 1)
        values = np.exp(-3 * t / points - 0.5 * fall + 0.05 * rng.standard_normal(points))
        events = [event for event in detect_transitions(values) if abs(event.step - middle) <= 3 + width / 3]
        found += len(events) == 1 and -0.6 < events[0].size / np.exp(-3 * middle / points) < -0.2
    assert found >= 18


def test_restarts_of_the_learning_rate_show_in_a_loss():
    rng, t = np.random.default_rng(0), np.arange(400)
    rate = 0.5 * (1 + np.cos(np.pi * (t % 100) / 100))
    loss = (0.02 + np.exp(-t / 60)) * (1 + 2 * rate) * np.exp(0.03 * rng.standard_normal(400))
    assert [event.step for event in detect_transitions(loss) if event.direction == "up"] == [100, 200, 300]


def test_a_shock_that_leaves_a_spike_behind_is_one_change():
    """The noise is proportional to the level, so logarithms are searched too."""
    t = np.arange(1000)
    level = np.where(t < 600, 0.001 + 2 * np.exp(-t / 40), 2 * np.exp(-(t - 600) / 2000))
    level[600:605] += [20, 14.5, 5.3, 1.1, 0.2]
    for seed in range(6):
        values = level * np.exp(0.35 * np.random.default_rng(seed).standard_normal(1000))
        (event,) = (each for each in detect_transitions(values) if abs(each.step - 600) < 10)
        assert event.direction == "up"


@pytest.mark.parametrize("points", [200, 400])
def test_a_smooth_fall_with_noise_in_proportion_has_no_change(points):
    rng, t = np.random.default_rng(1), np.linspace(0, 1, points)
    values = np.exp(
        -rng.uniform(1, 12, (100, 1)) * t + rng.uniform(0.01, 0.3, (100, 1)) * rng.standard_normal((100, points))
    )
    looked = [guard(row) for row in values]
    assert sum(look.proportional for look in looked) >= 90
    assert not any(guard(10 + row).proportional for row in rng.standard_normal((20, points)))
    assert sum(map(len, detect_many(values))) <= 0.2 * points / 10


@pytest.mark.parametrize("second", [20, -20])
@pytest.mark.parametrize(("points", "width"), [(200, 1), (200, 10), (400, 30)])
def test_two_equally_strong_changes_are_as_sure_as_one(points, width, second):
    t, unsure = np.arange(points), 0
    for seed in range(8):
        values = np.random.default_rng(seed).standard_normal(points)
        for size, at in ((20, points / 3), (second, 2 * points / 3)):
            values += size * np.clip((t - at) / width + 0.5, 0, 1)
        p_values = [event.p_value for event in detect_transitions(values)]
        unsure += len(p_values) != 2 or max(p_values) > 0.02
    assert unsure <= 1


@pytest.mark.parametrize("points", [100, 200])
def test_steps_of_half_precision_are_no_changes_and_changes_in_it_are_found(points):
    rng = np.random.default_rng(7)
    assert sum(map(len, detect_many(FURTHER_NULLS["half_precision"](rng, 100, points)))) <= 0.2 * points / 10
    jumps = 10 + 0.3 * (rng.standard_normal((20, points)) + 10 * (np.arange(points) > points / 2))
    found = detect_many(jumps.astype(np.float16))
    assert sum(any(abs(event.step - points / 2) <= 2 for event in events) for events in found) >= 19


@pytest.mark.parametrize(("points", "most"), [(100, 12), (200, 10)])
def test_a_best_value_that_is_first_bettered_late_is_known_as_one(points, most):
    values = np.maximum.accumulate(np.random.default_rng(8).standard_normal((100, points)), axis=1)
    assert sum(bool(events) for events in detect_many(values)) <= most


def test_the_best_value_of_coloured_noise_is_known_by_its_many_rests():
    """It changes at several measurements in a row, and may be bettered first only after a third of the record."""
    noise = ar1(np.random.default_rng(3), 100, 200)
    assert sum(map(len, detect_many(np.maximum.accumulate(noise, axis=1)))) <= 12


@pytest.mark.parametrize(("samples", "width"), [(50, 80), (200, 120)])
def test_a_share_that_rises_from_early_on_but_mostly_later_is_no_best_value_so_far(samples, width):
    rng, t = np.random.default_rng(4), np.arange(400)
    learned = rng.logistic(200, width / (2 * np.log(9)), (20, samples, 1))
    found = detect_many((learned < t).mean(axis=1))
    assert sum(any(abs(event.step - 200) <= width / 3 for event in events) for events in found) >= 18


def test_peaks_are_those_of_the_signal_library():
    from scipy.signal import find_peaks, peak_widths

    rng = np.random.default_rng(0)
    for k in range(300):
        y = rng.standard_normal(rng.integers(3, 300))
        y = np.maximum(np.convolve(np.cumsum(y) if k % 2 else y, np.ones(9)), 0)
        peaks, about = find_peaks(y, prominence=1e-300)
        at, prominence = peaks_and_prominences(y)
        np.testing.assert_array_equal(at, peaks)
        np.testing.assert_array_equal(prominence, about["prominences"])
        width, _, low, high = peak_widths(y, peaks, 0.5, (y[peaks], 0 * peaks, 0 * peaks + y.size - 1))
        inside = (low > 0) & (high < y.size - 1) & (width <= WIDEST_PEAK)
        np.testing.assert_allclose(widths_at_half(y, at)[inside], width[inside])
        assert (widths_at_half(y, at)[~inside] > WIDEST_PEAK).all()


@pytest.mark.parametrize("name", ["triangle", "seasonal"])
def test_a_swing_of_a_wave_that_a_short_record_cuts_is_no_transition(name):
    waves = FURTHER_NULLS[name](np.random.default_rng(31), 100, 200)
    assert sum(len(found) for found in detect_many(waves)) <= 10


def test_a_change_between_smaller_ones_the_other_way_is_found():
    place = np.arange(600)
    hits = 0
    for seed in range(10):
        x = np.random.default_rng(seed).standard_normal(600)
        for at, size in ((120, -5), (300, 14), (480, -5)):
            x += size * np.clip((place - at) / 16 + 0.5, 0, 1)
        hits += any(abs(event.step - 300) < 15 for event in detect_transitions(x))
    assert hits >= 9


def test_a_change_against_the_drift_is_found():
    place = np.arange(400)
    noise = np.random.default_rng(5).standard_normal((10, 400))
    found = detect_many(0.12 * place - 20 * np.clip((place - 200) / 40 + 0.5, 0, 1) + noise)
    assert sum(any(abs(event.step - 200) < 15 for event in events) for events in found) >= 9


def test_numbers_in_bfloat16_are_numbers():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x = np.random.default_rng(0).standard_normal(300) + 20 * (np.arange(300) > 150)
    assert [event.step for event in detect_transitions(x.astype(bfloat16))] == [151]


def test_a_wave_on_a_drift_is_no_transition():
    rng, t = np.random.default_rng(7), np.linspace(0, 1, 200)
    cycles, size, rise = (rng.uniform(low, high, (150, 1)) for low, high in ((0.5, 3), (2, 20), (0, 30)))
    waves = rise * t + size * np.sin(2 * np.pi * (cycles * t + rng.random((150, 1)))) + rng.standard_normal((150, 200))
    assert sum(map(len, detect_many(waves))) <= 13
