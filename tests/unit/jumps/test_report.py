"""Reports of whole records, and capture plans made of them."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.jumps import (
    CapturePlan,
    find_jumps,
    find_progress,
    plan_captures,
    read_jumps,
    read_plan,
    write_jumps,
    write_plan,
)
from ontogeny.jumps.settings import CaptureSettings


def record(run="r", jumps=((("a", "stable_rank"), 150, 9.0), (("b", "stable_rank"), 320, -8.0)), n=400, layers="abc"):
    rng = np.random.default_rng(0)
    parts = []
    steps = 5 * np.arange(n)
    for layer in layers:
        for metric in ("stable_rank", "participation_ratio"):
            x = 20 + rng.standard_normal(n)
            for key, at, size in jumps:
                if key == (layer, metric):
                    x[at:] += size
            parts.append(pd.DataFrame({"run": run, "layer": layer, "step": steps, "metric": metric, "value": x}))
    loss = np.exp(-steps / 500) + 0.01 * rng.standard_normal(n)
    parts.append(pd.DataFrame({"run": run, "layer": "(run)", "step": steps, "metric": "loss", "value": loss}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def report():
    return find_jumps(record())


def test_planted_jumps_are_significant(report):
    sure = report.significant
    assert list(zip(sure["layer"], sure["metric"])) == [("a", "stable_rank"), ("b", "stable_rank")]
    assert (abs(sure["step"] - [750, 1600]) <= 10).all()
    assert list(sure["direction"]) == ["up", "down"]
    assert (report.table["q_value"] >= report.table["p_value"]).all()
    assert len(report.series) == 6
    assert report.false_alarms["stored"]
    assert "2 significant" in report.summary()


def test_run_level_metrics_are_searched_when_named(report):
    named = find_jumps(record(), metrics=["loss"])
    assert list(named.series["layer"]) == ["(run)"]
    only = record()[lambda f: f["layer"] == "(run)"]
    nothing = find_jumps(only)
    assert nothing.table.empty
    assert "nothing to detect" in nothing.summary()
    assert plan_has_no_jump(nothing, only)


def plan_has_no_jump(report, frame):
    with pytest.raises(OntogenyError, match="report of jumps is empty"):
        plan_captures(report, frame["step"])
    return True


def test_written_and_read_back_the_same(report, tmp_path):
    write_jumps(report, tmp_path / "a.json", tmp_path / "a.csv")
    write_jumps(find_jumps(record()), tmp_path / "b.json", tmp_path / "b.csv")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    again = read_jumps(tmp_path / "a.json")
    pd.testing.assert_frame_equal(again.table, report.table, check_dtype=False)
    assert again.summary() == report.summary()
    (tmp_path / "c.json").write_text('{"format": "x"}')
    with pytest.raises(OntogenyError, match="not a report of jumps"):
        read_jumps(tmp_path / "c.json")


def test_short_series_abstain_with_their_reason(tmp_path):
    report = find_jumps(record(n=40, jumps=()))
    assert report.table.empty
    assert len(report.abstentions) == 6
    assert "40 finite values" in report.summary()
    write_jumps(report, tmp_path / "a.json", tmp_path / "a.csv")
    assert read_jumps(tmp_path / "a.json").table.empty


def test_mistakes_name_their_place():
    with pytest.raises(OntogenyError, match="lacks the columns value"):
        find_jumps(record().drop(columns="value"))
    with pytest.raises(OntogenyError, match="not list: detect_jumps and"):
        find_jumps([1.0, 2.0])
    with pytest.raises(OntogenyError, match="did you mean 'stable_rank'"):
        find_jumps(record(), metrics=["stabel_rank"])
    doubled = pd.concat([record(layers="a"), record(layers="a")])
    with pytest.raises(OntogenyError, match="run r, layer a, metric stable_rank: steps"):
        find_jumps(doubled)


def test_believability_is_judged_run_by_run(report):
    both = find_jumps(pd.concat([record(), record(run="quiet", jumps=())]))
    first = both.table[both.table["run"] == "r"].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, report.table)


def test_plan_holds_jumps_and_matched_controls(report):
    plan = plan_captures(report, range(0, 2000, 5), user_steps=[333])
    kinds = [m.kind for m in plan.moments]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    jumps = [m for m in plan.moments if m.kind == "jump"]
    controls = [m for m in plan.moments if m.kind == "control"]
    assert [(m.layer, m.phase) for m in jumps] == [("a", "middle"), ("b", "late")]
    assert len(controls) == 4
    for m in controls:
        (jump,) = [j for j in jumps if j.step == m.control_for]
        assert m.phase == jump.phase
        assert min(abs(m.step - s) for s in report.table["step"]) >= 30
    (user,) = [m for m in plan.moments if m.kind == "user"]
    assert user.step == 335
    assert "333" in user.reason
    assert jumps[0].before == jumps[0].step - 10
    assert jumps[0].after == jumps[0].step + 10
    assert set(plan.steps) >= {0, 1995}


def test_controls_follow_the_loss(report):
    steps = np.arange(0, 2000, 5)
    loss = np.where(steps < 900, -0.01 * (steps - 900), 0.0)
    plan = plan_captures(report, steps, loss=(steps, loss))
    control = next(m for m in plan.moments if m.kind == "control" and m.phase == "middle")
    assert control.step < 880
    assert "similar rate" in control.reason


def test_plan_without_a_jump_says_so(tmp_path):
    plan = plan_captures(find_jumps(record(jumps=())), range(0, 2000, 5))
    assert [m.kind for m in plan.moments] == ["start", "end"]
    assert "There is no jump or transition to look at" in plan.notes[0]
    write_plan(plan, tmp_path / "p.json")
    assert read_plan(tmp_path / "p.json") == plan
    assert isinstance(plan, CapturePlan)


def test_plan_written_and_read_back(report, tmp_path):
    plan = plan_captures(report, range(0, 2000, 5))
    write_plan(plan, tmp_path / "p.json")
    assert read_plan(tmp_path / "p.json") == plan
    (tmp_path / "q.json").write_text("[]")
    with pytest.raises(OntogenyError, match="not a capture plan"):
        read_plan(tmp_path / "q.json")


def grokking(n=500):
    """An early jump of layer a, a transition of all layers from point 150 to 200, and accuracy that follows it."""
    rng = np.random.default_rng(1)
    steps = 4 * np.arange(n)
    ramp = np.clip((np.arange(n) - 150) / 50, 0, 1)
    columns = {(layer, metric): 12 * ramp for layer in "abc" for metric in ("stable_rank", "participation_ratio")}
    columns |= {("(run)", "probe_accuracy"): 0.9 * np.clip((np.arange(n) - 160) / 50, 0, 1)}
    parts = []
    for (layer, metric), level in columns.items():
        scale = 0.01 if layer == "(run)" else 1.0
        value = level + scale * rng.standard_normal(n)
        if layer == "a":
            value[60:] += 40
        parts.append(pd.DataFrame({"run": "g", "layer": layer, "step": steps, "metric": metric, "value": value}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def grokked():
    frame = grokking()
    return find_jumps(frame, surrogates=19), find_progress(frame)


def test_a_transition_is_captured_before_its_onset_and_after_its_end_with_controls_as_long(grokked):
    report, progress = grokked
    plan = plan_captures(report, range(2000), CaptureSettings(strongest=2), progress=progress)
    jump, transition = (next(m for m in plan.moments if m.kind == kind) for kind in ("jump", "transition"))
    assert (jump.step, jump.layers, jump.before, jump.after) == (240, ("a",), 230, 250)
    assert set(transition.layers) == set("abc")
    assert transition.series >= 5
    assert transition.progress == ("probe_accuracy",)
    assert transition.before < transition.onset < 640 < transition.step < 800 < transition.end < transition.after
    assert abs(transition.step - 740) <= 20, "the midpoint is that of the accuracy"
    controls = [m for m in plan.moments if m.control_for == transition.step]
    assert len(controls) == 2
    for control in controls:
        assert control.after - control.before == transition.after - transition.before
        assert control.before >= transition.after or control.after <= jump.before
        assert transition.matches(control)
        assert not jump.matches(control), "only stretches of like length are compared"
    assert {m.after - m.before for m in plan.moments if m.control_for == jump.step} == {20}


def test_what_most_series_share_comes_before_a_stronger_early_jump(grokked):
    report, progress = grokked
    assert report.table["score"].idxmax() == report.table.query("kind == 'jump'")["score"].idxmax()
    for measures in (progress, None):
        plan = plan_captures(report, range(2000), CaptureSettings(strongest=1), progress=measures)
        (event,) = [m for m in plan.moments if m.is_event]
        assert event.kind == "transition"


def test_a_change_of_accuracy_alone_is_an_event(grokked):
    _, progress = grokked
    quiet = find_jumps(grokking().assign(value=lambda f: np.where(f["layer"] == "(run)", f["value"], 1.0)))
    (event,) = [m for m in plan_captures(quiet, range(2000), progress=progress).moments if m.is_event]
    assert (event.layer, event.metric, event.layers, event.series) == ("", "probe_accuracy", (), 0)
    assert find_progress(record()) is None
    modes = pd.concat([record(), record().query("metric == 'loss'").assign(metric="mode_1")])
    assert list(find_progress(modes).series["metric"]) == ["mode_1"]


def test_a_plan_without_room_for_controls_says_so(grokked):
    report, progress = grokked
    plan = plan_captures(report, range(520, 900), CaptureSettings(strongest=1), progress=progress)
    assert not [m for m in plan.moments if m.kind == "control"]
    assert "Only 0 of 2 matched controls found for the transition" in plan.notes[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"run": "s"}, "unknown run 's'"),
        ({"phases": 5}, "phases"),
        ({"user_steps": [9999]}, "lies outside the training"),
        ({"loss": ([1, 2], [1])}, "one length"),
    ],
)
def test_plan_refuses_what_cannot_be(report, settings, message):
    with pytest.raises(OntogenyError, match=message):
        plan_captures(report, range(0, 2000, 5), **settings)
