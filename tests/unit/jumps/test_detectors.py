"""Every detector: what it returns, its noise floor, its errors; the rolling z-score against its plain definition."""

import math
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.errors import OntogenyError
from ontogeny.jumps import (
    DETECTORS,
    Detection,
    Detector,
    Jump,
    detect_jumps,
    detect_transitions,
    find_jumps,
    locate_transition,
    z_score_flags,
)


def stepped(size=8.0, n=400, at=200, seed=0):
    x = np.random.default_rng(seed).standard_normal(n)
    x[at:] += size
    return x


def plain_flags(x, window=50, threshold=3.0, min_samples=20):
    flagged = np.zeros(x.size, dtype=bool)
    for i in range(min_samples, x.size):
        past = x[max(0, i - window) : i]
        std = np.std(past)
        if std > 1e-12 * abs(np.mean(past)):
            flagged[i] = abs((x[i] - np.mean(past)) / std) > threshold
    return flagged


@pytest.mark.parametrize("name", DETECTORS)
def test_finds_a_large_step_at_its_logged_step(name):
    steps = 100 + 5 * np.arange(400)
    found = detect_jumps(stepped(), steps, name)
    assert isinstance(found, list)
    jump = max(found, key=lambda j: j.score)
    assert abs(jump.index - 200) <= 2
    assert jump.step == steps[jump.index]
    assert jump.direction == "up"
    assert 4 < jump.size < 12
    assert found.abstained is None
    assert isinstance(jump.step, int)


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("level", [0.0, 1.0, -3e7, 1e-9])
def test_rounding_noise_is_below_the_floor(name, level):
    rng = np.random.default_rng(1)
    x = (level * (1 + 1e-7 * rng.standard_normal(400))).astype(np.float32)
    assert detect_jumps(x, detector=name) == []
    y = 1 - 1e-10 * np.exp(rng.standard_normal(400).cumsum() / 10)
    assert detect_jumps(y, detector=name) == []


@pytest.mark.parametrize("name", DETECTORS)
def test_short_series_abstain_and_constant_ones_are_quiet(name):
    short = detect_jumps([1.0, 2.0], detector=name)
    assert short == []
    assert "needs" in short.abstained
    constant = detect_jumps(np.full(400, 0.1), detector=name)
    assert constant == []
    assert constant.abstained is None


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize(("a", "b"), [(3.7, 0.0), (-2.0, 5.0), (1e-6, 1e-3), (1e9, -4e9)])
def test_scale_and_offset_change_nothing(name, a, b):
    x = stepped(6.0, seed=3)
    plain, moved = detect_jumps(x, detector=name), detect_jumps(a * x + b, detector=name)
    assert [j.index for j in plain] == [j.index for j in moved]
    np.testing.assert_allclose([a * j.size for j in plain], [j.size for j in moved], rtol=1e-6)
    np.testing.assert_allclose([j.score for j in plain], [j.score for j in moved], rtol=1e-5)
    if a < 0:
        assert all(p.direction != m.direction for p, m in zip(plain, moved))


def test_z_score_decides_as_the_plain_definition():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 300))
    x[5:10] = np.round(x[5:10])
    x[10, 150:] += 1e6
    x[11, :150], x[11, 150:] = 0.0, 1.0
    x[12] = 0.1
    x[13:20] = 1e6 + 1e-3 * x[13:20]
    x[20:25] = np.cumsum(x[20:25], axis=1)
    flags = z_score_flags(x)
    for row, flagged in zip(x, flags):
        np.testing.assert_array_equal(flagged != 0, plain_flags(row))
        np.testing.assert_array_equal(z_score_flags(row), flagged)


def test_z_score_reports_a_change_once():
    found = detect_jumps(stepped(20.0), detector="z_score", threshold=6)
    assert len(found) == 1
    assert found[0].index == 200


def test_missing_values_are_left_out_and_indices_kept():
    x = stepped()
    x[[3, 50, 199, 250]] = [np.nan, np.inf, np.nan, -np.inf]
    found = detect_jumps(x)
    assert found.missing == 4
    assert [j.index for j in found] == [200]
    x[180:210] = np.nan
    gap = detect_jumps(x)
    assert gap == []
    assert "missing" in gap.notes[0]
    nothing = detect_jumps(np.full(300, np.nan))
    assert nothing == []
    assert nothing.abstained


def test_a_users_own_detector():
    def largest(series, least=2.0):
        i = int(np.argmax(np.abs(np.diff(series)))) + 1
        return [i] if abs(series[i] - series[i - 1]) > least else []

    found = detect_jumps(stepped(), detector=largest)
    assert found.detector == "largest"
    assert [j.index for j in found] == [200]
    assert found.settings == {"least": 2.0}
    assert detect_jumps(stepped(), detector=largest, least=100.0) == []
    assert detect_jumps(stepped(), detector=lambda s: [Jump(7, 200, 8.0, "up", 4.0)])[0].score == 4.0
    assert detect_jumps(stepped(), detector=Detector(lambda s: [(200, 5.5)], "own", 10))[0].score == 5.5
    with pytest.raises(OntogenyError, match="gave index 4000"):
        detect_jumps(stepped(), detector=lambda s: [4000])
    with pytest.raises(OntogenyError, match="an event is"):
        detect_jumps(stepped(), detector=lambda s: ["here"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [1, 2], "steps": [1]}, "one step for each value"),
        ({"values": [1, 2, 3], "steps": [1, 3, 3]}, r"steps\[2\] = 3"),
        ({"values": [1, 2], "steps": [1, math.nan]}, "not finite"),
        ({"values": [[1, 2]]}, "one dimension"),
        ({"values": ["a", "b"]}, "must be numbers"),
        ({"values": [1, 2], "detector": "setp"}, "did you mean 'step'"),
        ({"values": [1, 2], "detector": "z_score", "treshold": 2}, "did you mean 'threshold'"),
        ({"values": np.arange(300.0) ** 2, "threshold": -1}, "threshold is -1: give a positive number"),
        ({"values": [1, 2], "noise_floor": 2}, "noise_floor"),
        ({"values": [1, 2], "noise_floor": "small"}, "noise_floor"),
        ({"values": [10**400, 2]}, "must be numbers"),
        (
            {"values": np.arange(300.0) ** 2, "detector": "z_score", "window": 20.5},
            "window is 20.5: give a whole number of 1 or more$",
        ),
        ({"values": np.arange(300.0) ** 2, "detector": "z_score", "window": 20.0}, r"without a decimal point \(20\)"),
        ({"values": np.arange(300.0) ** 2, "detector": "likelihood_ratio", "window": 3.5}, "window is 3.5"),
        (
            {"values": np.arange(300.0) ** 2, "detector": "likelihood_ratio", "alpha": 2},
            "alpha is 2: give a number",
        ),
        ({"values": np.arange(300.0) ** 2, "detector": "pelt", "min_size": 2.5}, "min_size is 2.5"),
        ({"values": [1, 2, 4], "detector": lambda s: None}, "gave None"),
    ],
)
def test_mistakes_end_in_one_sentence(arguments, message):
    with pytest.raises(OntogenyError, match=message):
        detect_jumps(**arguments)


numbers = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-5, 5).map(float))


@settings(max_examples=60, deadline=None)
@given(
    values=st.one_of(
        st.lists(numbers, max_size=40),
        st.tuples(st.lists(numbers, min_size=1, max_size=20), st.integers(100, 160)).map(
            lambda pair: (pair[0] * 200)[: pair[1]]
        ),
        st.integers(0, 2**31).map(lambda s: np.random.default_rng(s).standard_cauchy(150) ** 3),
    ),
    name=st.sampled_from(["step", "z_score", "gradient", "pelt", "likelihood_ratio"]),
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_numbers_give_jumps_or_a_sentence(values, name):
    extra = {"surrogates": 19} if name == "likelihood_ratio" else {}
    try:
        if name == "likelihood_ratio":
            found = detect_jumps(values, detector=lambda s: DETECTORS[name].function(s, **extra))
        else:
            found = detect_jumps(values, detector=name)
    except OntogenyError:
        return
    assert isinstance(found, Detection)
    for jump in found:
        assert 0 < jump.index < len(values)
        assert jump.direction == ("up" if jump.size > 0 else "down")


def test_import_is_light():
    code = (
        "import sys, ontogeny.jumps; print([m for m in ('torch', 'pandas', 'scipy', 'numba', 'ruptures', 'matplotlib')"
        " if m in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_events_of_a_detector_that_lie_close_together_are_all_kept():
    values = np.arange(100.0)
    assert [jump.index for jump in detect_jumps(values, detector=lambda series: [40, 43, 60])] == [40, 43, 60]


HALVES = np.repeat([0.0, 1.0], 150)


@pytest.mark.parametrize("detect", [detect_jumps, detect_transitions])
def test_a_lasting_step_of_what_is_0_or_1_is_found_and_one_of_a_count_is_told_to_be_none(detect):
    for values in (HALVES, HALVES.astype(bool), 1 - HALVES):
        (jump,) = detect(values)
        assert (jump.step, abs(jump.size)) == (150, 1)
    flaps = np.where(np.arange(300) % 150 < 30, 1.0, 0.0)
    for values in (HALVES + 3, flaps, np.round(np.linspace(0, 90, 300))):
        found = detect(values)
        assert not found
        assert "whole numbers that change by 1 at a time" in found.notes[-1]


def test_a_record_says_that_steps_of_a_count_are_not_told():
    count = {"run": "r", "layer": "(run)", "metric": "test_accuracy", "step": np.arange(300), "value": HALVES + 3}
    frame = pd.DataFrame(count)
    assert "whole numbers that change by 1" in find_jumps(frame, metrics=["test_accuracy"]).notes[0]
    said = locate_transition(frame).sentence
    assert "It holds whole numbers that change by 1 at a time" in said
    assert "What could have been missed" not in said
    one = locate_transition(frame.iloc[:1]).sentence
    assert "(1 measurement). 1 measurement is too few to tell" in one
    assert "(0 measurements). No value is finite" in locate_transition(frame.assign(value=np.nan)).sentence
    with pytest.raises(OntogenyError, match="the record is empty"):
        locate_transition(frame.iloc[:0])


@pytest.mark.parametrize("detect", [detect_jumps, detect_transitions])
@pytest.mark.filterwarnings("error")
def test_units_do_not_matter(detect):
    values = stepped(n=300, at=150)
    (jump,) = detect(values)
    for unit in (2.0**530, 2.0**1000, 2.0**-1000):
        (other,) = detect(values * unit)
        assert (other.step, other.size, other.p_value) == (jump.step, jump.size * unit, jump.p_value)
        assert (other.value_before, other.z_score) == (jump.value_before * unit, jump.z_score)
    found = detect(values + 1e9)
    assert not found
    assert "not above the noise floor" in found.notes[-1]
    saturated = np.minimum(1 + np.random.default_rng(0).standard_normal(300), 1.0) * 2.0**1000
    assert "rest at 1.07151e+301" in detect(saturated).notes[0]


def test_a_setting_that_transitions_do_not_have_is_told():
    with pytest.raises(OntogenyError, match="unknown setting 'detector' in detect_transitions: Known: jumps, noise_fl"):
        detect_transitions(HALVES, detector="step")
