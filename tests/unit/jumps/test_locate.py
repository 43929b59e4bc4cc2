"""Which step it was, and how sure that is, in words."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ontogeny.cli import main
from ontogeny.errors import OntogenyError
from ontogeny.jumps import (
    find_jumps,
    locate_transition,
    locate_transitions,
    plan_captures,
    read_jumps,
    with_answers,
    write_jumps,
)
from ontogeny.jumps.answer import changes_text, say_found, say_power
from ontogeny.jumps.locate import power
from ontogeny.jumps.measures import rank_of, ranked
from ontogeny.phase1 import phase1_from_frame
from ontogeny.words import step_text

N = 300


def logistic(at, width, steps):
    return 1 / (1 + np.exp(-4.4 * (steps - at) / width))


def table(run, **columns):
    steps = 10 * np.arange(N)
    layered = {name: ("(run)", name) if "__" not in name else tuple(name.split("__")) for name in columns}
    return pd.concat(
        [
            pd.DataFrame({"run": run, "layer": layered[name][0], "step": steps, "metric": layered[name][1], "value": v})
            for name, v in columns.items()
        ],
        ignore_index=True,
    )


def curves(late=True, seed=0):
    rng, steps = np.random.default_rng(seed), 10 * np.arange(N)
    noise = lambda: 0.01 * rng.standard_normal(N)  # noqa: E731
    held_out = logistic(1500, 300, steps) if late else 0 * steps
    return table(
        "r",
        train_accuracy=np.clip(logistic(200, 100, steps) + noise(), 0, 1),
        val_accuracy=np.clip(0.05 + 0.9 * held_out + noise(), 0, 1),
        lr=np.linspace(1, 0, N),
        a__stable_rank=20 - 5 * held_out + 10 * noise(),
        b__stable_rank=20 + 10 * noise(),
    )


def test_measures_are_asked_held_out_accuracy_first():
    names = ["loss", "eval/loss", "train_acc", "lr", "mode_1", "test_accuracy", "epoch", "accuracy", "curvature"]
    assert ranked(names) == ["test_accuracy", "accuracy", "mode_1", "eval/loss", "train_acc", "loss", "curvature"]
    assert ranked(names, 2) == ["test_accuracy", "accuracy", "mode_1"]
    names = ["time/fps", "time/iterations", "rollout/ep_len_mean", "eval/mean_reward", "rollout/ep_rew_mean", "wer"]
    assert ranked(names) == ["eval/mean_reward", "rollout/ep_rew_mean", "wer", "rollout/ep_len_mean"]
    names = ["episodes_total", "episode_reward_mean", "episode_length", "eval/episode_return"]
    assert ranked(names) == ["eval/episode_return", "episode_reward_mean"]
    names = ["train/box_loss", "metrics/mAP50(B)", "coco/bbox_mAP", "AverageEpRet", "map_size"]
    assert ranked(names) == ["metrics/mAP50(B)", "coco/bbox_mAP", "AverageEpRet", "train/box_loss", "map_size"]
    assert ranked(["loss", "val/mIoU", "ious", "IoU"]) == ["val/mIoU", "IoU", "loss", "ious"]
    assert ranked(["total_loss", "bbox/AP", "segm/AP50", "apex"], 5) == ["bbox/AP", "segm/AP50", "total_loss"]
    assert [rank_of(name) for name in ("valAcc", "accuracy/val", "grad_norm", "steps_per_second", "step_accuracy")] == [
        0, 0, None, None, None
    ]  # fmt: skip


def test_a_run_that_groks_has_its_step_with_interval_p_value_agreement_and_delay(tmp_path, capsys):
    answer = locate_transition(curves())
    assert (answer.metric, answer.kind, answer.late) == ("val_accuracy", "transition", True)
    assert answer.low <= 1500 <= answer.high
    assert answer.high - answer.low < 200
    assert answer.onset == pytest.approx(1350, abs=60)
    assert answer.end == pytest.approx(1650, abs=60)
    assert answer.q_value < 0.05
    assert (answer.agree, answer.series) == (1, 2)
    assert answer.chance < 0.5
    assert "as in grokking" in str(answer)
    assert f"at step {answer.step:.0f} (95% interval {answer.low:.0f} to {answer.high:.0f})" in str(answer)
    report = with_answers(find_jumps(curves()), curves())
    assert report.answers == (answer,)
    write_jumps(report, tmp_path / "jumps.json")
    assert read_jumps(tmp_path / "jumps.json").answers == (answer,)
    assert plan_captures(report, range(0, 10 * N, 10)).text().startswith(str(answer))
    curves().to_csv(tmp_path / "r.csv", index=False)
    assert main(["transitions", str(tmp_path / "r.csv"), "--out", str(tmp_path / "said.csv")]) == 0
    told = capsys.readouterr()
    assert " ".join(told.out.split()).startswith(str(answer))
    rows = told.out.split("\n\n")[1].splitlines()
    assert rows[1].split()[:3] == ["*", "val_accuracy", "transition"]
    assert any(row.split()[1:4] == ["stable_rank", "of", "a"] and row.startswith("*") for row in rows)
    assert [row for row in rows if "none found" in row] == []
    assert "ontogeny transitions" not in told.err
    assert pd.read_csv(tmp_path / "said.csv")["step"][0] == answer.step


def test_a_run_without_a_transition_says_what_could_have_been_missed():
    answer = locate_transition(curves(late=False), metric="val_accuracy")
    assert answer.metric == "train_accuracy"
    assert answer.silent == ("val_accuracy",)
    assert "What could have been missed: a change of val_accuracy smaller than" in answer.missed
    rng = np.random.default_rng(1)
    able = power(0.5 + 0.01 * rng.standard_normal(N), 10 * np.arange(N), bounded=True)
    assert list(able) == pytest.approx([30, 150, 600], rel=0.01)
    assert all(0.01 < size < 0.1 for size in list(able.values())[:2])
    assert list(power(rng.standard_normal(5001), np.arange(5001))) == pytest.approx([50, 250, 1000], rel=0.01)


def test_in_a_curve_without_noise_changes_up_to_its_own_range_are_planted():
    place = np.arange(400)
    loss = 0.1 + 0.5 * np.exp(-place / 80)
    assert power(loss, place)[4.0] < 0.3 * np.ptp(loss)
    said = say_power("loss", {1.5: 0.3, 30.0: np.nan}, 150, place[:150])
    assert "one over 30 steps, even as large as the range of loss, and one wider than 50 steps" in said


def test_where_a_measure_goes_that_was_not_found_to_change_and_why_comes_first():
    steps, rng = 10 * np.arange(N), np.random.default_rng(0)
    noise = lambda: 0.01 * rng.standard_normal(N)  # noqa: E731
    loss = 3 - 2 * logistic(900, 100, steps) + noise()
    told = lambda values: str(locate_transition(table("r", val_accuracy=values + noise(), loss=loss)))  # noqa: E731
    slow = told(np.clip((steps - 600) / 2000, 0, 0.9))
    assert slow.startswith("r: no significant change was found in val_accuracy. val_accuracy goes from")
    assert (
        "of the record: what takes more than a third of it cannot be told from drift. Among the other series, loss"
        in slow
    )
    assert "from the very start of the record" in told(0.9 - 0.8 * np.exp(-steps / 60))
    back = told(0.1 + 0.8 * ((steps > 60) & (steps < 2990)))
    assert "what recovers" not in back
    learned = np.clip(logistic(200, 100, steps), 0, 1)
    memorised = str(locate_transition(table("r", val_accuracy=0.02 + noise(), train_accuracy=learned, loss=loss)))
    assert "the network memorised, and did not generalise (grok) within this record. Among" in memorised


def test_a_table_of_changes_names_what_has_none_and_how_many_are_not_shown():
    answer = locate_transition(curves(late=False), metric="val_accuracy")
    assert changes_text(answer).splitlines()[1].split() == ["val_accuracy", "none", "found"]
    assert "   and 6 more, which --out" in changes_text(replace(answer, changes=answer.changes[:1] * 30))
    assert changes_text(replace(answer, changes=())) == ""


def test_steps_that_are_not_even_are_told_of_in_measurements():
    steps = np.unique(np.geomspace(1, 1e6, 230).round().astype(int))
    falls = pd.DataFrame({"step": steps, "test_loss": np.exp(-steps / 2e5)})
    falls["test_loss"] += 0.02 * np.random.default_rng(0).standard_normal(steps.size)
    said = locate_transition(phase1_from_frame(falls)).missed
    assert "over 40 measurements" in said
    assert f"one wider than {steps.size / 3:.0f} measurements" in said


def test_too_few_measurements_are_no_evidence():
    few = curves()[lambda f: f["step"] % 100 == 0]
    answer = locate_transition(few)
    assert answer.kind == "none"
    assert "halfway between steps 1400 and 1500" in answer.sentence or "steps 1500 and 1600" in answer.sentence
    assert "30 measurements are too few to tell" in answer.sentence


def test_the_best_value_so_far_is_judged_by_its_new_ones_alone():
    rng = np.random.default_rng(5)
    best = np.minimum.accumulate(np.where(np.arange(N) < 180, 1.0, 0.6) + 0.05 * rng.standard_normal(N))
    answer = locate_transition(table("r", best_loss=best))
    assert answer.kind == "none"
    assert "only new ones count. 13 measurements are too few" in answer.missed
    assert "planted" not in answer.missed
    slow = np.repeat(0.5 + 0.01 * rng.standard_normal(N // 3), 3)
    assert "measured every 3 rows. What could have been missed" in locate_transition(table("r", loss=slow)).missed


@pytest.mark.parametrize(("base", "change", "said"), [(1000, 0.02, "1000 to 1000.02"), (0.9991, 4e-4, "from 0.9991")])
def test_levels_that_differ_little_are_told_apart(base, change, said):
    noise = change / 40 * np.random.default_rng(1).standard_normal(N)
    answer = locate_transition(table("r", val_loss=base + change * (np.arange(N) > 150) + noise))
    assert said in answer.sentence


def test_a_width_of_about_two_steps_has_no_decimals():
    assert step_text(2.01) == "2"
    assert step_text(2.06) == "2.1"


def test_layers_answer_where_no_measure_of_the_run_changes():
    frame = curves()
    answer = locate_transition(frame[frame["layer"] != "(run)"])
    assert (answer.layer, answer.metric) == ("a", "stable_rank")
    assert answer.low <= 1500 <= answer.high
    alone = replace(answer, agree=0, series=1)
    assert "; no other series of layers changes within it." in say_found(alone, 1)
    assert "where fewer than 0.1 would" in say_found(replace(alone, agree=1, chance=0.01), 1)


def test_unknown_runs_and_measures_are_told():
    both = pd.concat([curves(), curves().assign(run="s")])
    assert [answer.run for answer in locate_transitions(both)] == ["r", "s"]
    with pytest.raises(OntogenyError, match="2 runs: say which"):
        locate_transition(both)
    with pytest.raises(OntogenyError, match="run"):
        locate_transition(both, run="t")
    with pytest.raises(OntogenyError, match="val_accuracy"):
        locate_transition(curves(), metric="val_acuracy")


def test_changes_at_other_times_are_told_too():
    rng, steps = np.random.default_rng(4), 10 * np.arange(N)
    shock = (steps >= 2000) * 1.0
    answer = locate_transition(
        table(
            "r",
            val_accuracy=0.1 + 0.2 * logistic(600, 100, steps) + 0.005 * rng.standard_normal(N),
            train_accuracy=np.clip(logistic(100, 50, steps), 0, 1) + 0.005 * rng.standard_normal(N),
            loss=1 + shock + 0.02 * rng.standard_normal(N),
            a__stable_rank=5 - shock + 0.02 * rng.standard_normal(N),
            b__stable_rank=5 + shock + 0.02 * rng.standard_normal(N),
        )
    )
    assert answer.step == pytest.approx(600, abs=40)
    assert set(answer.elsewhere) >= {"loss at step 2000", "2 series of layers about step 2000"}
    assert "what generalisation there is came late" in answer.sentence
    wave = np.cos(2 * np.pi * steps / 500) + 0.3 * steps / 3000
    assert "loss begins at" in locate_transition(table("r", loss=wave)).sentence


def test_what_follows_a_change_and_overlaps_it_is_no_other_time():
    """As weights do, which go on changing when accuracy has saturated."""
    rng, steps = np.random.default_rng(3), 10 * np.arange(N)
    noise = lambda: 0.01 * rng.standard_normal(N)  # noqa: E731
    held_out = 0.5 + 0.5 * logistic(1000, 200, steps) + noise()
    layers = {"a__stable_rank": 9 - 5 * logistic(1200, 400, steps) + noise(), "b__stable_rank": 3 + (steps >= 2500)}
    layers["b__stable_rank"] = layers["b__stable_rank"] + noise()
    answer = locate_transition(table("r", val_accuracy=held_out, **layers))
    assert answer.elsewhere == ("stable_rank of b at step 2500",)
    (partly,) = answer.partly
    assert partly.startswith("stable_rank of a at step 1")
    assert f"Others overlap it, with their midpoints outside: {partly}." in answer.sentence


def test_what_recovers_and_what_was_not_asked_is_mentioned():
    steps, rng = np.arange(0, 6000, 15), np.random.default_rng(2)
    accuracy = 0.97 - 0.5 * (steps >= 3000) * np.exp(-(steps - 3000).clip(0) / 150) + 0.01 * rng.standard_normal(400)
    norm = 1.0 + 2.0 * (steps >= 3000) + 0.05 * rng.standard_normal(400)
    table = pd.DataFrame({"step": steps, "val_acc": accuracy, "weight_norm": norm})
    answer = locate_transition(phase1_from_frame(table))
    assert answer.kind == "none"
    assert answer.elsewhere == ("weight_norm at step 3000",)
    assert "falls to 0.5" in answer.sentence
    assert "what recovers is no lasting change" in answer.sentence


def test_a_change_that_does_not_stay_is_not_told_as_one_of_levels():
    """A dip within a rise: 0.64, 0.52, 0.64 of a probe's accuracy in a run of 150 epochs."""
    answer = replace(locate_transition(curves()), kind="jump", before=0.55, after=0.56, noise=0.012)
    assert "but not for long: it goes from 0.55 to 0.56, which is less than that noise (0.012)" in say_found(answer, 1)
    assert "jumps from 0.55 to 0.56" in say_found(replace(answer, noise=0.001), 1)


def test_a_change_that_is_little_of_the_whole_is_told_as_such():
    steps = 10 * np.arange(N)
    rise = 0.8 * -np.expm1(-steps / 60) + 0.05 * (steps >= 2000)
    record = table("r", val_accuracy=rise + 0.001 * np.random.default_rng(0).standard_normal(N))
    said = str(locate_transition(record))
    assert "The change of val_accuracy is 5.8% of its range. val_accuracy goes from" in said
    assert "of its range" not in str(locate_transition(curves()))


def test_every_time_at_which_layers_change_is_told_up_to_three():
    rng, steps = np.random.default_rng(0), 10 * np.arange(N)
    noise = lambda: 0.02 * rng.standard_normal(N)  # noqa: E731
    times = {"a": (600, 2400), "b": (600,), "c": (1800,), "d": (2100, 2700)}
    layers = {
        f"{name}__stable_rank": 5 + sum(1.0 * (steps >= at) for at in ats) + noise() for name, ats in times.items()
    }
    held_out = 0.1 + 0.8 * logistic(1200, 100, steps) + 0.2 * noise()
    said = locate_transition(table("r", val_accuracy=held_out, **layers)).elsewhere
    assert said[0] == "2 series of layers about step 600"
    assert all(part.startswith("stable_rank of ") for part in said[1:3])
    assert said[3] == "layers at 2 other times"


def test_layers_answer_with_a_large_change_and_not_with_a_wide_one_that_holds_others():
    rng, steps = np.random.default_rng(0), 10 * np.arange(N)
    noise = lambda: 0.01 * rng.standard_normal(N)  # noqa: E731
    wide = 5 + 4 * (steps >= 300) + logistic(1800, 700, steps)
    small = 5 + logistic(1700, 50, steps)
    record = table("r", a__stable_rank=wide + noise(), b__stable_rank=small + noise(), c__stable_rank=wide + noise())
    assert locate_transition(record).step == pytest.approx(300, abs=10)
