"""The battery: tables, intervals, the command, the figure."""

import numpy as np
import pytest

from ontogeny.cli import main
from ontogeny.errors import OntogenyError
from ontogeny.jumps import run_battery
from ontogeny.jumps.series import FURTHER_NULLS, NULLS, planted
from ontogeny.jumps.trade_off import SWEPT, plot_trade_off, trade_off
from ontogeny.jumps.validity import load_detector, rate_interval, verdict


def test_nulls_are_finite_and_repeatable():
    for make in {**NULLS, **FURTHER_NULLS}.values():
        first, second = (make(np.random.default_rng(3), 3, 150) for _ in range(2))
        assert first.shape == (3, 150)
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, second)


def test_planted_changes_are_where_they_are_said_to_be():
    batch, places = planted("white", np.random.default_rng(0), 50, 300, 20)
    np.testing.assert_array_equal(np.abs(np.diff(batch, axis=1)).argmax(axis=1) + 1, places)
    ramp, places = planted("white", np.random.default_rng(0), 5, 300, 1000, ramp=3)
    change = np.abs(np.diff(ramp, axis=1))
    for row, place in zip(change, places):
        assert sorted(np.argsort(row)[-4:] + 1) == list(range(place, place + 4))


def test_intervals():
    assert rate_interval([0, 0, 0], 3000) == pytest.approx((0, 1.2296), abs=1e-3)
    low, high = rate_interval([1] * 10, 10000)
    assert (low, high) == pytest.approx((0.4795, 1.8390), abs=1e-3)
    uneven = rate_interval([10] + [0] * 9, 10000)
    assert uneven[1] > high


def test_the_table_is_repeatable_and_judges_the_default():
    arguments = {"lengths": (200,), "repeats": 12, "seed": 5, "sigmas": (1, 8), "ramps": (2,)}
    table = run_battery("step", **arguments)
    assert table.equals(run_battery("step", **arguments))
    assert (table["kind"] == "null").sum() == len(NULLS)
    white = table[(table["series"] == "white") & (table["kind"] == "step")].set_index("sigmas")
    assert white.loc[8, "recall"] > 0.9 > white.loc[1, "recall"]
    assert (table.loc[table["kind"] != "null", "extra"] <= 1).all()


def test_a_detector_that_invents_is_told_so():
    table = run_battery("z_score", (200,), 5, planted=False)
    assert "too many false alarms" in verdict(table)[0]
    own = run_battery(lambda s: [], (200,), 3, sigmas=(5,), ramps=())
    assert own["detector"].iloc[0] == "<lambda>"
    assert any("fewer than 9 of 10" in line for line in verdict(own))


def test_the_command_writes_table_and_figure(tmp_path, capsys):
    (tmp_path / "mine.py").write_text("def last(series):\n    return [len(series) - 5]\n")
    arguments = ["--out", str(tmp_path / "v"), "--repeats", "2", "--seed", "1", "--lengths", "120"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(["validity", *arguments, "--detector", "mine:last"]) == 0
    assert "false alarms" in capsys.readouterr().out
    for name in ("validity.csv", "validity_figure.png", "validity_figure.pdf"):
        assert (tmp_path / "v" / name).stat().st_size > 500


@pytest.mark.parametrize(
    ("name", "message"),
    [("setp", "did you mean 'step'"), ("nowhere_at_all:f", "cannot be imported"), ("math:sinn", "did you mean 'sin'"),
     ("math:pi", "not a function")],
)  # fmt: skip
def test_wrong_detectors_end_in_a_sentence(name, message):
    with pytest.raises(OntogenyError, match=message):
        load_detector(name)


def test_wrong_settings_end_in_a_sentence():
    with pytest.raises(OntogenyError, match="repeats"):
        run_battery("step", repeats=0)
    with pytest.raises(OntogenyError, match="seed"):
        run_battery("step", seed=-1)
    with pytest.raises(OntogenyError, match="length of a series is 3: give"):
        run_battery("step", lengths=(3,))


def test_recall_against_false_alarms_is_a_table_and_a_figure(tmp_path):
    table = trade_off(120, 1, seed=1)
    ours = table[table["detector"] == "transition"].sort_values("setting")
    assert (ours["recall"].diff().dropna() >= 0).all()
    assert (ours["rate"].diff().dropna() >= 0).all()
    assert list(dict.fromkeys(table["detector"])) == ["transition", *SWEPT]
    assert ((table["chance"] >= 0) & (table["chance"] <= 1)).all()
    assert ".png" in {path.suffix for path in plot_trade_off(table, tmp_path / "figure")}
