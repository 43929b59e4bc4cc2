"""Tables across seeds and conditions: against values worked out by hand and against SciPy."""

import math

import numpy as np
import pandas as pd
import pytest

from ontogeny.circuits import CircuitSettings
from ontogeny.circuits.statistics import (
    check_history,
    compare_conditions,
    condition_table,
    ensemble_history,
    mean_curves,
    read_histories,
    representative_seeds,
    seed_table,
)
from ontogeny.errors import OntogenyError
from ontogeny.statistics import sign_flip_test

PUBLISHED = CircuitSettings(candidates="published")


def run(condition, seed, counts, converged=True, every=1):
    epochs = np.arange(1, len(counts) + 1) * every
    counts = np.array(counts)
    return pd.DataFrame(
        {
            "condition": condition,
            "candidates": "all",
            "seed": seed,
            "epoch": epochs,
            "circuits": counts,
            "sparsity": np.where(counts > 0, 0.1 * (seed + 1), np.nan),
            "train_loss": 1.0 / epochs,
            "val_loss": 2.0 / epochs,
            "converged": converged,
        }
    )


@pytest.fixture
def history():
    return pd.concat(
        [
            run("baseline", 0, [0, 0, 4]),
            run("baseline", 1, [0, 2, 2, 6]),
            run("baseline", 2, [0, 0], converged=False),
            run("L1", 1, [0, 9]),
            run("L1", 0, [0, 0, 0, 5]),
            run("L1", 2, [1, 8]),
        ],
        ignore_index=True,
    )


def test_one_row_for_each_seed(history):
    table = seed_table(history.sample(frac=1, random_state=0)).set_index(["condition", "seed"])
    assert table.loc[("baseline", 1)].to_dict() == {
        "candidates": "all",
        "converged": True,
        "epochs": 4,
        "circuits": 6,
        "sparsity": 0.2,
        "most_circuits": 6,
        "first_circuit": 2.0,
        "train_loss": 0.25,
        "val_loss": 0.5,
    }
    assert math.isnan(table.loc[("baseline", 2), "first_circuit"])
    assert table.loc[("L1", 0), "first_circuit"] == 4


def test_conditions_count_only_converged_seeds(history):
    table = condition_table(seed_table(history)).set_index(["condition", "measure"])
    row = table.loc[("baseline", "circuits")]
    assert (row.seeds, row.converged, row.n, row["mean"], row["median"]) == (3, 2, 2, 5.0, 5.0)
    assert row.sd == pytest.approx(math.sqrt(2))
    assert row.share_low < 2 / 3 < row.share_high
    assert 4 <= row.mean_low <= 5 <= row.mean_high <= 6


def test_effects_are_paired_on_common_seeds():
    rng = np.random.default_rng(1)
    rows = []
    for seed in range(40):
        base = rng.normal(50, 30)
        rows.append(run("baseline", seed, [0, base]))
        if seed > 3:
            rows.append(run("L1", seed, [0, base + rng.normal(3, 2)]))
        rows.append(run("L2", seed, [0, base + rng.normal(0, 2)], converged=seed % 4 > 0))
    seeds = seed_table(pd.concat(rows))
    table = compare_conditions(seeds).set_index(["condition", "measure"])
    row = table.loc[("L1", "circuits")]
    wide = seeds.pivot(index="seed", columns="condition", values="circuits").dropna()
    difference = wide["L1"] - wide["baseline"]
    assert row.pairs == 36
    assert row.difference == pytest.approx(difference.mean())
    assert row.effect == pytest.approx(difference.mean() / difference.std())
    assert row.p_value == pytest.approx(sign_flip_test(difference, n_resamples=5000))
    assert row.difference_low < row.difference < row.difference_high
    assert row.effect_low < row.effect < row.effect_high
    assert row.p_holm < 1e-3
    assert row.p_holm >= row.p_value
    share = table.loc[("L2", "converged")]
    assert (share.baseline_mean, share.condition_mean, share.pairs) == (1.0, 0.75, 40)
    assert share.p_value == pytest.approx(2 * 0.5**10)
    assert table.loc[("L2", "circuits")].pairs == 30
    again = compare_conditions(seeds).set_index(["condition", "measure"])
    pd.testing.assert_frame_equal(table, again)
    turned = compare_conditions(seeds, baseline="L1").set_index(["condition", "measure"])
    assert turned.loc[("baseline", "circuits")].difference == pytest.approx(-row.difference)


def test_no_difference_is_no_effect(history):
    same = pd.concat([history, history[history.condition == "baseline"].assign(condition="copy")])
    table = compare_conditions(seed_table(same)).set_index(["condition", "measure"])
    row = table.loc[("copy", "circuits")]
    assert (row.pairs, row.difference, row.effect, row.p_value) == (2, 0.0, 0.0, 1.0)
    lone = compare_conditions(seed_table(pd.concat([history, run("alone", 77, [1])])))
    assert lone[lone.condition == "alone"].p_holm.isna().all()


def test_a_stopped_seed_keeps_its_last_value(history):
    curves = mean_curves(history).set_index(["condition", "epoch"])
    assert curves.loc["baseline", "mean"].tolist() == [0, 2 / 3, 2, 10 / 3]
    assert curves.loc["baseline", "training"].tolist() == [3, 3, 2, 1]
    sparsity = mean_curves(history, "sparsity").set_index(["condition", "epoch"])
    assert sparsity.loc["baseline", "n"].tolist() == [0, 1, 2, 2]
    assert sparsity.loc[("baseline", 4), "mean"] == pytest.approx(0.15)


def test_coarse_tracking_is_held_between():
    history = pd.concat([run("a", 0, [2, 4, 6], every=10), run("a", 1, [1, 1, 1, 1], every=5)])
    curves = mean_curves(history).set_index("epoch")
    assert curves["mean"].to_dict() == {5: 1.0, 10: 1.5, 15: 1.5, 20: 2.5, 30: 3.5}


def test_the_representative_run_follows_the_mean(history):
    more = pd.concat([history, run("baseline", 5, [0, 1, 3, 5])])
    table = representative_seeds(more).set_index("condition")
    assert table.loc["baseline", "seed"] == 5
    assert table.loc["baseline", "converged"] == 3
    failed = representative_seeds(history[history.seed == 2])
    assert failed.set_index("condition").loc["baseline", "converged"] == 0


def test_published_convergence_files_are_read(tmp_path):
    path = tmp_path / "convergence_k3_seed7_depth2_lr0.001_loss0.01.csv"
    path.write_text(
        "epoch,circuit_counts,avg_sparsities,total_circuits,train_loss,val_loss,l1_lambda,l2_lambda,dropout_rate\n"
        "1,[0],[0.0],0,0.24,0.25,0.001,0.0,0.0\n"
        '2,"[26, 2]","[np.float64(0.2), np.float64(0.9)]",28,0.2,0.21,0.001,0.0,0.0\n'
    )
    history = read_histories([path])
    assert history.condition.unique().tolist() == ["L1 0.001"]
    assert history.seed.unique().tolist() == [7]
    assert history.circuits.tolist() == [0, 28]
    assert math.isnan(history.sparsity[0])
    assert history.sparsity[1] == pytest.approx((26 * 0.2 + 2 * 0.9) / 28)
    assert len(seed_table(history)) == 1
    (tmp_path / "table_seed1.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OntogenyError, match="not a convergence table"):
        read_histories([tmp_path / "table_seed1.csv"])
    with pytest.raises(OntogenyError, match="no seed in its name"):
        read_histories([tmp_path / "other.csv"])
    with pytest.raises(OntogenyError, match="no convergence files"):
        read_histories([])


def test_what_cannot_be_compared(history):
    with pytest.raises(OntogenyError, match="lacks the column circuits"):
        check_history(history.drop(columns="circuits"))
    with pytest.raises(OntogenyError, match="is empty"):
        check_history(history.iloc[:0])
    with pytest.raises(OntogenyError, match="epoch 1 of seed 0 twice"):
        check_history(pd.concat([history, history.iloc[:1]]))
    with pytest.raises(OntogenyError, match="mixes counts among all and published"):
        check_history(pd.concat([history, run("b", 0, [1]).assign(candidates="published")]))
    seeds = seed_table(history)
    with pytest.raises(OntogenyError, match="did you mean 'baseline'"):
        compare_conditions(seeds, baseline="basline")
    with pytest.raises(OntogenyError, match="did you mean 'circuits'"):
        condition_table(seeds, measures=["circuit"])
    with pytest.raises(OntogenyError, match="measure"):
        mean_curves(history, "epochs")


def test_an_ensemble_becomes_a_history():
    pytest.importorskip("ontogeny.circuits.enumeration")
    from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

    result = train_ensemble(EnsembleSettings(published_streams=True), [0, 1])
    history = ensemble_history(result, "baseline", PUBLISHED)
    seeds = seed_table(history).set_index("seed")
    assert seeds.circuits.to_dict() == {0: 15, 1: 102}
    first = history[history.seed == 0].set_index("epoch").circuits
    assert first[20:].tolist() == [26, 26, 22, 22, 25, 15, 15, 15, 15, 15]
    some = ensemble_history(result, "baseline", PUBLISHED, epochs=[0, 10])
    assert some[some.seed == 0].epoch.tolist() == [0, 10, 30]
    last = ensemble_history(result, "baseline", PUBLISHED, epochs=())
    assert last.circuits.tolist() == [15, 102]
    assert last.sparsity[0] == pytest.approx(1 / 6)
