"""Analyses across layers and runs: what was planted is found, with its interval, and noise gives nothing."""

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.jumps.agreement import detector_agreement, match_events
from ontogeny.jumps.characterise import characterise_jumps, jump_kinds, phase_table
from ontogeny.jumps.comparison import compare_groups, jump_rates, mixed_model, searched_series
from ontogeny.jumps.convergence import layer_convergence, settling
from ontogeny.jumps.critical_periods import ANY, _exchanged, find_critical_periods, loss_relation
from ontogeny.phase1 import RUN_LEVEL, Phase1, phase1_from_frame
from ontogeny.statistics import resampling_p_value

STEPS = np.arange(0, 2000, 5)
EVENTS = ["run", "layer", "metric", "step", "index", "size"]


def record(series, steps=STEPS):
    """A record from {(run, layer, metric): values}."""
    parts = [
        pd.DataFrame({"run": run, "layer": layer, "metric": metric, "step": steps, "value": values})
        for (run, layer, metric), values in series.items()
    ]
    return phase1_from_frame(pd.concat(parts))


def decays(times, rng, noise=1.0, metric="stable_rank", run="r"):
    return {
        (run, f"l{i}", metric): 40 * np.exp(-STEPS / time) + noise * rng.standard_normal(len(STEPS))
        for i, time in enumerate(times)
    }


def events(rows):
    return pd.DataFrame(rows, columns=EVENTS)


# Settling


def test_settling_finds_the_ten_percent_time_of_a_decay():
    rng = np.random.default_rng(0)
    truth = 250 * np.log(10)
    hits = 0
    for _ in range(20):
        values = 40 * np.exp(-STEPS / 250) + rng.standard_normal(len(STEPS))
        found = settling(STEPS, values, n_resamples=100)
        assert found.status == "settled"
        assert abs(found.step - truth) < 60
        hits += found.low <= truth <= found.high
    assert hits >= 18


def test_settling_does_not_depend_on_units():
    rng = np.random.default_rng(1)
    values = 40 * np.exp(-STEPS / 250) + rng.standard_normal(len(STEPS))
    one, other = settling(STEPS, values), settling(STEPS, 1e4 - 7 * values)
    assert (one.step, one.low, one.high) == (other.step, other.low, other.high)


@pytest.mark.parametrize("kind", ["constant", "float32", "white", "ar1", "heavy"])
def test_a_flat_layer_does_not_settle_by_being_flat(kind):
    rng = np.random.default_rng(2)
    for _ in range(25):
        white = rng.standard_normal(400)
        values = {
            "constant": np.full(400, 3.7),
            "float32": (3.7 * (1 + 1e-7 * white)).astype(np.float32).astype(float),
            "white": white,
            "ar1": np.convolve(rng.standard_normal(500), 0.9 ** np.arange(100), "valid")[:400],
            "heavy": rng.standard_t(2, 400),
        }[kind]
        assert settling(STEPS, values, n_resamples=40).status in ("flat", "unsettled")


def test_a_drift_is_unsettled_and_a_stub_is_short():
    drift = np.linspace(0, 40, 400) + np.random.default_rng(3).standard_normal(400)
    assert settling(STEPS, drift).status == "unsettled"
    assert settling(STEPS[:30], drift[:30]).status == "short"
    with pytest.raises(OntogenyError):
        settling(STEPS, np.full(400, np.nan))


def test_order_of_layers():
    rng = np.random.default_rng(4)
    times = np.linspace(60, 450, 7)
    up = layer_convergence(record(decays(times, rng)), n_resamples=60)
    assert up.order.iloc[0]["verdict"] == "bottom-up"
    assert up.order.iloc[0]["tau"] == 1
    assert layer_convergence(record(decays(times[::-1], rng)), n_resamples=60).order.iloc[0]["verdict"] == "top-down"
    same = layer_convergence(record(decays([200] * 6, rng, noise=0.3)), n_resamples=60)
    assert same.order.iloc[0]["verdict"] == "together"
    few = layer_convergence(record(decays(times[:3], rng)), n_resamples=60)
    assert few.order.iloc[0]["verdict"] == "undetermined"


def test_order_over_runs_and_noise():
    rng = np.random.default_rng(5)
    series = {}
    for i in range(8):
        series |= decays(rng.permutation([80, 160, 240, 320]), rng, run=f"random{i}")
    mixed = layer_convergence(record(series), n_resamples=40).order.set_index("run")
    assert mixed.loc["(all)", "verdict"] == "no order"
    series = {}
    for i in range(8):
        series |= decays([80, 160, 240, 320], rng, run=f"up{i}")
    ordered = layer_convergence(record(series), n_resamples=40).order.set_index("run")
    assert ordered.loc["(all)", "verdict"] == "bottom-up"
    assert ordered.loc["(all)", "low"] > 0
    noise = {("r", f"l{i}", "stable_rank"): rng.standard_normal(400) for i in range(6)}
    nothing = layer_convergence(record(noise), n_resamples=40)
    assert set(nothing.layers["status"]) <= {"flat", "unsettled"}
    assert set(nothing.order["verdict"]) == {"undetermined"}


# Kinds of jumps


def test_characters_of_jumps():
    values = np.zeros(400)
    values[100:] += 10.0
    values[300:] -= 4.0
    values[200:216] += np.linspace(0, 8, 16)
    values[216:] += 8
    values += 20 + 0.1 * np.random.default_rng(6).standard_normal(400)
    held = record({("r", "a", "stable_rank"): values, ("r", "b", "stable_rank"): values})
    rows = [("r", "a", "stable_rank", 500, 100, 10.0), ("r", "b", "stable_rank", 1500, 300, -4.0)]
    found = characterise_jumps(events([*rows, ("r", "a", "stable_rank", 1040, 208, 8.0)]), held)
    assert found["phase"].tolist() == ["early", "late", "middle"]
    assert found["depth"].tolist() == [0, 1, 0]
    assert found["relative_depth"].tolist() == [0, 1, 0]
    np.testing.assert_allclose(found["before"][:2], [20, 38], atol=0.2)
    assert found["duration"][0] == 5
    assert found["speed"][0] == 2
    assert found["duration"][2] > 25
    assert found["noise_size"][0] > 50
    wide = events([("r", "a", "stable_rank", 1040, 208, 8.0)]).assign(
        kind="transition", onset=1005.0, end=1070.0, value_before=30.0
    )
    (row,) = characterise_jumps(wide, held).to_dict(orient="records")
    assert (row["before"], row["duration"], row["relative_size"]) == (30, 65, 8 / 30)
    with pytest.raises(OntogenyError, match="does not hold"):
        characterise_jumps(events([("r", "z", "stable_rank", 500, 100, 10.0)]), held)
    assert characterise_jumps(events([]), held).empty


def described(sizes, durations, fractions, rng):
    count = len(sizes)
    sign = rng.choice([-1, 1], count)
    table = pd.DataFrame({"relative_size": sizes * sign, "duration": durations, "fraction": fractions, "size": sign})
    return table.assign(run=[f"r{i % 5}" for i in range(count)], phase="early")


def test_kinds_are_found_when_there_are_kinds_and_not_otherwise():
    rng = np.random.default_rng(7)
    small = described(10 ** rng.normal(-2, 0.1, 60), np.full(60, 5.0), rng.normal(0.2, 0.03, 60), rng)
    large = described(10 ** rng.normal(0, 0.1, 40), np.full(40, 50.0), rng.normal(0.8, 0.03, 40), rng)
    kinds = jump_kinds(pd.concat([small, large]), references=20)
    assert kinds.k == 2
    assert kinds.labels.tolist() == [0] * 60 + [1] * 40
    assert kinds.profile["jumps"].tolist() == [60, 40]
    assert kinds.evidence["stability"][1] > 0.95
    blur = described(10 ** rng.uniform(-2, 0, 150), rng.uniform(5, 50, 150), rng.uniform(0, 1, 150), rng)
    assert jump_kinds(blur, references=20).k == 1
    assert jump_kinds(small.iloc[:8]).k == 1
    assert "too few" in jump_kinds(small.iloc[:8]).reason
    assert jump_kinds(small.iloc[:0]).profile.empty


def test_phase_shares_have_intervals():
    rng = np.random.default_rng(8)
    table = described(np.ones(50), np.ones(50), np.ones(50), rng).assign(phase=["early"] * 40 + ["late"] * 10)
    shares = phase_table(table).set_index("what")
    assert shares.loc["early", "share"] == 0.8
    assert shares.loc["early", "low"] <= 0.8 <= shares.loc["early", "high"]
    assert len(phase_table(table.assign(kind="x"), by="kind")) == 4
    assert phase_table(table.iloc[:0])["jumps"].sum() == 0


# Critical periods


def many_layers(rng, loss=None, runs=("r",)):
    series = {(run, f"l{i}", "stable_rank"): rng.standard_normal(400) for run in runs for i in range(8)}
    for run in runs:
        series[run, RUN_LEVEL, "loss"] = np.exp(-np.arange(400) / 200 + 0.02 * rng.standard_normal(400))
        if loss is not None:
            series[run, RUN_LEVEL, "loss"] *= loss
    return record(series)


def at(layers_and_indices, run="r"):
    return events([(run, layer, "stable_rank", STEPS[i], i, 1.0) for layer, i in layers_and_indices])


def test_layers_that_jump_together_are_seen_with_their_period():
    rng = np.random.default_rng(9)
    rows = [(f"l{i}", 200 + int(rng.integers(-2, 3))) for i in range(8)]
    rows += [(f"l{i}", int(rng.integers(400))) for i in range(8)]
    found = find_critical_periods(at(rows), many_layers(rng), shuffles=300)
    row = found.coordination.set_index(["run", "metric"]).loc[("r", "stable_rank")]
    assert row["verdict"] == "coordinated"
    assert row["ratio"] > 5
    assert row["coincidences"] > row["high"]
    period = found.periods.iloc[0]
    assert period["start"] <= 1000 <= period["end"]
    assert period["layers"] >= 7
    assert ANY in set(found.coordination["metric"])


@pytest.mark.parametrize("early", [False, True])
def test_independent_layers_are_not_coordinated_even_if_all_are_busy_early(early):
    rng = np.random.default_rng(10)
    held, false = many_layers(rng), 0
    for trial in range(40):
        draw = (lambda: int(rng.exponential(60)) % 400) if early else (lambda: int(rng.integers(400)))
        rows = {(f"l{i}", draw()) for i in range(8) for _ in range(3)}
        found = find_critical_periods(at(sorted(rows)), held, shuffles=99, seed=trial).coordination
        row = found.set_index(["run", "metric"]).loc[("r", "stable_rank")]
        false += row["p_value"] <= 0.05
        assert row["p_value"] <= 0.05 or row["coincidences"] <= row["high"]
    assert false <= 6


def test_nothing_to_coordinate():
    rng = np.random.default_rng(11)
    found = find_critical_periods(at([("l0", 10), ("l0", 200)]), many_layers(rng), shuffles=50)
    assert set(found.coordination["verdict"]) == {"nothing to coordinate"}
    assert found.periods.empty
    empty = find_critical_periods(events([]), many_layers(rng), shuffles=50)
    assert set(empty.coordination["verdict"]) == {"nothing to coordinate"}


def test_lead_and_lag_of_the_loss():
    rng = np.random.default_rng(12)
    runs = ("r0", "r1", "r2", "r3")
    loss = np.ones(400)
    for i in (80, 150, 230, 310):
        loss[i + 4 :] *= 0.7
    jumps = pd.concat([at([("l0", i) for i in (80, 150, 230, 310)], run) for run in runs])
    found = loss_relation(jumps, many_layers(rng, loss, runs), shuffles=300)
    assert abs(found.peak_lag - 4) <= 1
    assert found.peak_low <= 4 <= found.peak_high <= 6
    assert found.p_value < 0.05
    assert "faster" in found.sentence
    assert "after" in found.sentence
    none = loss_relation(jumps, many_layers(rng, None, runs), shuffles=300)
    assert np.isnan(none.peak_lag)
    assert "no relation" in none.sentence
    assert loss_relation(events([]), many_layers(rng), shuffles=10).table.empty


# Agreement


def test_matching_is_one_to_one_and_maximal():
    assert match_events([1, 5, 9], [2, 3, 10], 1).tolist() == [[0, 0], [2, 2]]
    assert match_events([1, 2], [2, 3], 1).tolist() == [[0, 0], [1, 1]]
    assert match_events([], [1], 1).shape == (0, 2)
    rng = np.random.default_rng(13)
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    for _ in range(50):
        a, b = rng.integers(0, 60, 8), rng.integers(0, 60, 9)
        near = csr_matrix(np.abs(a[:, None] - b[None]) <= 3)
        assert len(match_events(a, b, 3)) == (maximum_bipartite_matching(near) >= 0).sum()


def test_agreement_corrects_for_chance():
    rng = np.random.default_rng(14)
    series = pd.DataFrame(
        [(f"r{i // 4}", f"l{i % 4}", "m", 400) for i in range(24)], columns=["run", "layer", "metric", "measurements"]
    )

    def draw(count):
        return pd.concat(
            [row.to_frame().T.assign(index=i) for _, row in series.iterrows() for i in rng.integers(0, 400, count)]
        )

    truth = draw(4)
    noisy = truth.assign(index=(truth["index"] + rng.integers(-2, 3, len(truth))).clip(0, 399))
    jumps = {"a": truth, "b": noisy, "busy": draw(40), "none": truth.iloc[:0]}
    found = detector_agreement(jumps, series, shuffles=199).set_index(["a", "b"])
    assert found.loc[("a", "b"), "corrected"] > 0.9
    assert found.loc[("a", "b"), "low"] > 0.8
    assert found.loc[("a", "b"), "p_holm"] < 0.05
    busy = found.loc[("a", "busy")]
    assert busy["dice"] > 0.08
    assert abs(busy["corrected"]) < 0.05
    assert busy["p_value"] > 0.05
    assert found.loc[("a", "none"), "matched"] == 0
    assert np.isnan(detector_agreement({"x": truth.iloc[:0], "y": truth.iloc[:0]}, series)["dice"][0])
    with pytest.raises(OntogenyError, match="not among"):
        detector_agreement({"x": truth.assign(layer="zz"), "y": truth}, series)


# Comparison


def layered(groups, rng, effect=0.0, layers=6, between=1.0):
    rows = []
    for run in range(12):
        group, mean = groups[run % len(groups)], rng.normal(0, between)
        for layer in range(layers):
            value = mean + effect * (group == groups[0]) + 0.1 * rng.standard_normal()
            rows.append((f"run{run}", group, f"block{run // 2}", layer, value))
    return pd.DataFrame(rows, columns=["run", "group", "block", "layer", "value"])


def test_layers_of_one_run_are_not_taken_for_independent():
    rng = np.random.default_rng(15)
    trials = [layered(("a", "b"), rng) for _ in range(60)]
    assert sum(compare_groups(t, "value", "group")["p_value"][0] <= 0.05 for t in trials) <= 8
    joint = [mixed_model(t, "value", ["group"]) for t in trials[:20]]
    assert sum(t.loc[t["level"] == "", "p_value"].iloc[-1] <= 0.05 for t in joint) <= 4


def test_effects_are_found_with_intervals():
    rng = np.random.default_rng(16)
    table = layered(("a", "b"), rng, effect=5.0)
    row = compare_groups(table, "value", "group").iloc[0]
    assert row["low"] < 5 < row["high"]
    assert row["p_value"] < 0.01
    assert row["g_low"] > 0.5
    blocked = compare_groups(table, "value", "group", block="block").iloc[0]
    assert blocked["runs_a"] == 6
    assert blocked["p_value"] == blocked["p_least"] == 2 / 64
    model = mixed_model(table, "value", ["group"], ["layer"])
    level = model[(model["term"] == "group") & (model["level"] == "b")].iloc[0]
    assert level["low"] < -5 < level["high"]
    assert level["method"] == "mixed"
    assert model.loc[(model["term"] == "group") & (model["level"] == ""), "p_holm"].iloc[0] < 0.01
    assert model.loc[model["term"] == "layer", "p_value"].iloc[0] > 0.01


def test_degenerate_comparisons_say_nothing():
    rng = np.random.default_rng(17)
    table = layered(("a", "b"), rng)
    assert compare_groups(table.assign(value=1.0), "value", "group")["p_value"][0] == 1
    assert mixed_model(table.assign(value=1.0), "value", ["group"]).empty
    single = table[table["run"].isin(["run0", "run1"])]
    assert np.isnan(compare_groups(single, "value", "group")["p_value"][0])
    assert mixed_model(single, "value", ["group"]).empty
    assert mixed_model(table[table["layer"] == 0], "value", ["group"])["method"].iloc[0] == "run means"
    with pytest.raises(OntogenyError, match="belongs to several"):
        compare_groups(table.assign(group=list("ab") * 36), "value", "group")
    with pytest.raises(OntogenyError, match="did you mean 'value'"):
        compare_groups(table, "valu", "group")


def test_a_factor_within_runs_has_its_own_degrees_of_freedom():
    rng = np.random.default_rng(19)
    table = layered(("a", "b"), rng)
    table["metric"] = np.where(table["layer"] % 2, "x", "y")
    table["value"] += (table["metric"] == "x") * 0.5
    model = mixed_model(table, "value", ["group", "metric"])
    joint = model[model["level"] == ""].set_index("term")
    assert joint.loc["metric", "p_holm"] < 1e-6
    assert joint.loc["group", "p_value"] > 0.01
    assert model["method"].iloc[0] == "mixed"


def test_rates():
    held = record(decays([100, 200], np.random.default_rng(18)))
    series = searched_series(held.frame)
    rates = jump_rates(events([("r", "l0", "stable_rank", 50, 10, 1.0)]), series)
    assert rates["jumps"].tolist() == [1, 0]
    assert rates["rate"].tolist() == [2.5, 0]
    assert isinstance(held, Phase1)


def _busy_early(rng, count, tau=8.0, n=400):
    return np.minimum(rng.exponential(tau, count).astype(int), n - 1)


def _bare(n=400, losses=None):
    parts = [pd.DataFrame({"run": "r", "layer": "a", "step": np.arange(n), "metric": "m", "value": 0.0})]
    for run, loss in (losses or {}).items():
        parts.append(
            pd.DataFrame({"run": run, "layer": "(run)", "step": np.arange(n), "metric": "loss", "value": loss})
        )
    return Phase1(pd.concat(parts, ignore_index=True))


def test_layers_that_are_all_busy_early_are_not_coordinated():
    rng = np.random.default_rng(0)
    rejected = 0
    for seed in range(12):
        rows = [("r", f"l{k}", "m", int(s)) for k in range(6) for s in _busy_early(rng, 5)]
        jumps = pd.DataFrame(rows, columns=["run", "layer", "metric", "step"])
        table = find_critical_periods(jumps, _bare(), shuffles=99, seed=seed).coordination
        rejected += table.loc[(table["run"] == "r") & (table["metric"] == "m"), "p_value"].item() <= 0.05
    assert rejected <= 2


@pytest.mark.parametrize(("common", "least", "most"), [(0, 0.0, 0.12), (2, 0.9, 1.0)])
def test_layers_exchanged_between_runs_show_what_one_run_shares(common, least, most):
    """Jumps of all layers are early in every run; with `common` times, the layers of a run share some."""
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(50):
        runs = []
        for _ in range(6):
            shared = _busy_early(rng, common)
            layers = {f"l{k}": np.concatenate([_busy_early(rng, 4), shared + rng.integers(-1, 2)]) for k in range(6)}
            runs.append({layer: np.unique(np.maximum(at, 0)) for layer, at in layers.items()})
        p_values.append(resampling_p_value(*_exchanged([runs], 3, 199, rng)))
    assert least <= np.mean(np.array(p_values) <= 0.05) <= most


def test_runs_with_the_same_layers_are_judged_by_exchange():
    rng = np.random.default_rng(3)
    rows = [(run, f"l{k}", "m", int(s)) for run in "pqrs" for k in range(3) for s in _busy_early(rng, 3)]
    jumps = pd.DataFrame(rows, columns=["run", "layer", "metric", "step"])
    series = {(run, f"l{k}", "m"): rng.standard_normal(400) for run in "pqrs" for k in range(3)}
    table = find_critical_periods(jumps, record(series), shuffles=49).coordination
    total = table[(table["run"] == "(all)") & (table["metric"] == "m")].iloc[0]
    assert total["p_value"] == total["p_exchange"] == total["p_holm"]
    assert table.loc[table["run"] == "p", "p_exchange"].isna().all()


def test_jumps_and_losses_that_both_fall_early_are_not_related():
    rng = np.random.default_rng(1)
    rejected = 0
    for seed in range(10):
        t = np.arange(400)
        losses, rows = {}, []
        for run in ("r", "s", "t"):
            log = -np.log1p(t / 8) + 0.02 * rng.standard_normal(400)
            for drop in _busy_early(rng, 8):
                log -= 0.15 * (t >= drop)
            losses[run] = np.exp(log)
            rows += [(run, f"l{k}", "m", int(s)) for k, s in enumerate(_busy_early(rng, 8))]
        jumps = pd.DataFrame(rows, columns=["run", "layer", "metric", "step"])
        rejected += loss_relation(jumps, _bare(losses=losses), shuffles=99, seed=seed).p_value <= 0.05
    assert rejected <= 2


COLUMNS = ["run", "layer", "metric", "step"]
LAWS = {
    "early": lambda rng, count: rng.exponential(30, count),
    "busy for a while": lambda rng, count: rng.normal(80, 25, count),
    "at any time": lambda rng, count: rng.uniform(0, 400, count),
}


def _apart(times):
    """Whole times within the record, more than the tolerance apart."""
    at = np.unique(np.clip(times, 1, 398).astype(int))
    return at[np.concatenate([[True], np.diff(at) > 3])]


@pytest.mark.parametrize("law", LAWS)
def test_one_run_tells_common_times_from_a_common_trend(law):
    rng = np.random.default_rng(8)
    p_values = {"own": [], "common": []}
    for seed in range(30):
        shared = _apart(LAWS[law](rng, 6))
        for kind, found in p_values.items():
            layers = [
                _apart(LAWS[law](rng, 6) if kind == "own" else shared + rng.integers(-1, 2, shared.size))
                for _ in range(8)
            ]
            rows = [("r", f"l{k}", "m", int(s)) for k, layer in enumerate(layers) for s in layer]
            jumps = pd.DataFrame(rows, columns=["run", "layer", "metric", "step"])
            table = find_critical_periods(jumps, _bare(), shuffles=99, seed=seed).coordination
            found.append(table.loc[(table["run"] == "r") & (table["metric"] == "m"), "p_value"].item())
    own, common = (np.array(found) for found in p_values.values())
    assert np.mean(own <= 0.05) <= 0.1
    assert np.mean(common[np.isfinite(common)] <= 0.05) >= 0.9
    assert np.isfinite(common).mean() >= 0.9


def test_jumps_too_close_together_to_tell_have_no_p_value():
    rows = [("r", f"l{k}", "m", step) for k, step in enumerate((2, 3, 6))]
    table = find_critical_periods(pd.DataFrame(rows, columns=COLUMNS), _bare(), shuffles=99).coordination
    row = table[(table["run"] == "r") & (table["metric"] == "m")].iloc[0]
    assert row["verdict"] == "cannot be told"
    assert np.isnan(row["p_value"])
    rows = [("r", "l", "m", step) for step in range(2, 18, 2)]
    losses = {"r": np.exp(-np.log1p(np.arange(400) / 8) + 0.02 * np.random.default_rng(0).standard_normal(400))}
    found = loss_relation(pd.DataFrame(rows, columns=COLUMNS), _bare(losses=losses), shuffles=99)
    assert np.isnan(found.p_value)
    assert "too close together" in found.sentence


@pytest.mark.parametrize(("linked", "least", "most"), [(False, 0.0, 0.12), (True, 0.9, 1.0)])
def test_one_run_relates_jumps_to_the_loss(linked, least, most):
    rng = np.random.default_rng(5)
    t, p_values = np.arange(400), []
    for seed in range(40):
        at = _apart(rng.exponential(60, 8))
        log = -np.log1p(t / 8) + 0.05 * rng.standard_normal(400)
        log -= 0.35 * sum(t >= step for step in (at if linked else _apart(rng.exponential(60, 8))))
        jumps = pd.DataFrame([("r", "l", "m", int(s)) for s in at], columns=["run", "layer", "metric", "step"])
        p_values.append(loss_relation(jumps, _bare(losses={"r": np.exp(log)}), shuffles=99, seed=seed).p_value)
    assert least <= np.mean(np.array(p_values) <= 0.05) <= most
