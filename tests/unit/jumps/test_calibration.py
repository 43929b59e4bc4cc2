"""p-values, surrogates, false discovery rates, false-alarm rates."""

import numpy as np
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.jumps import DETECTORS, detect_jumps, detect_transitions, false_alarm_rate
from ontogeny.jumps.calibration import surrogate_p_values, tail_p_values
from ontogeny.jumps.multiscale import highest_scores
from ontogeny.jumps.series import FURTHER_NULLS, NULLS
from ontogeny.jumps.surrogates import phase_randomised, stepless_surrogates


def test_phase_randomised_keeps_the_spectrum():
    for n in (200, 201):
        x = np.random.default_rng(0).standard_normal(n).cumsum()
        drawn = phase_randomised(x, 5, np.random.default_rng(1))
        np.testing.assert_allclose(
            np.abs(np.fft.rfft(drawn, axis=1)), np.tile(np.abs(np.fft.rfft(x)), (5, 1)), atol=1e-8
        )


def test_surrogates_lose_the_step_and_keep_the_noise():
    x = np.random.default_rng(0).standard_normal(400)
    x[200:] += 30
    drawn = stepless_surrogates(x, [200], 50, np.random.default_rng(1))
    assert np.ptp(drawn, axis=1).max() < 20
    assert np.std(np.diff(drawn, axis=1)) == pytest.approx(np.std(np.diff(x[:200])), rel=0.15)
    again = stepless_surrogates(x, [200], 50, np.random.default_rng(1))
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("null", ["white", "random_walk", "ar1_0.9"])
def test_surrogate_p_values_are_honest(null):
    batch = NULLS[null](np.random.default_rng(4), 40, 300)
    p = [
        surrogate_p_values(row, [(150, score, 1.0)], DETECTORS["step"], {"threshold": 5.5}, 39)[0]
        for row, score in zip(batch, highest_scores(batch))
    ]
    assert np.mean(np.array(p) <= 0.1) <= 0.27
    assert np.mean(np.array(p) <= 0.5) <= 0.75


@pytest.mark.parametrize("name", ["step", "z_score", "gradient"])
def test_a_clear_step_has_a_small_p(name):
    x = np.random.default_rng(0).standard_normal(400)
    x[200:] += 9
    jump = max(detect_jumps(x, detector=name, surrogates=99), key=lambda j: j.score)
    assert 0 < jump.p_value < 0.02
    with pytest.raises(OntogenyError, match="give a whole number of 19 or more"):
        detect_jumps(x, surrogates=3)


def test_surrogates_raise_p_values_where_they_may():
    batch = FURTHER_NULLS["garch_walk"](np.random.default_rng(3), 60, 400)
    found = [(row, jumps) for row in batch if (jumps := detect_jumps(row))]
    own = [detect_jumps(row, surrogates=99) for row, _ in found]
    p_values = [(a.p_value, b.p_value) for (_, jumps), raised in zip(found, own) for a, b in zip(jumps, raised)]
    assert all(battery <= raised for battery, raised in p_values)
    assert sum(battery < raised for battery, raised in p_values) >= len(p_values) / 3


def test_p_values_of_the_stored_battery():
    x = np.random.default_rng(0).standard_normal(400)
    x[200:] += 9
    (jump,) = detect_jumps(x)
    assert 0 < jump.p_value < 0.05
    own = detect_jumps(x, detector=lambda s: [200])
    assert np.isnan(own[0].p_value)


@pytest.mark.parametrize("name", ["ar1_0.9", "random_walk", "integrated_random_walk", "logged_thrice"])
def test_p_values_hold_in_the_nulls(name):
    """In 80 series without a change, p-values of 0.05 or less are about as rare as they say, in each null by itself."""
    batch = NULLS[name](np.random.default_rng(8), 80, 400)
    for detect in (detect_jumps, lambda row: detect_transitions(row, jumps=[])):
        least = [min((event.p_value for event in detect(row)), default=1.0) for row in batch]
        assert np.mean(np.array(least) <= 0.05) <= 0.1


def test_tail_is_continued_beyond_the_draws():
    null = np.random.default_rng(0).gumbel(4, 0.5, 199)
    p = tail_p_values([3.0, 5.0, 8.0, 16.0], null)
    assert (np.diff(p) < 0).all()
    assert p[0] > 0.5
    assert p[3] < 1 / 200


def test_false_alarm_rates_stored_and_fresh():
    stored = false_alarm_rate("step", 1000)
    assert stored.stored
    assert stored.low <= stored.rate <= stored.high
    assert stored.worst <= 0.5
    fresh = false_alarm_rate(lambda s: [10], 200, repeats=2)
    assert not fresh.stored
    assert fresh.worst == pytest.approx(5.0)
    loose = false_alarm_rate("step", 150, repeats=2, threshold=3.0)
    assert not loose.stored
    assert loose is false_alarm_rate("step", 150, repeats=2, threshold=3.0)
