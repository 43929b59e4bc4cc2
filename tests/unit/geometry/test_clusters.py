"""Clusters that were planted are found; clusters that are not there are not."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from ontogeny.errors import OntogenyError
from ontogeny.geometry import agreement, cluster
from ontogeny.geometry.clusters import _adjusted_rand


def blobs(count, rows=300, features=12, distance=8.0, seed=0):
    generator = np.random.default_rng(seed)
    centres = np.linalg.qr(generator.normal(size=(features, features)))[0][:count] * distance
    labels = np.arange(rows) % count
    return centres[labels] + generator.normal(size=(rows, features)), labels


@pytest.mark.parametrize("count", [2, 3, 5])
def test_planted_clusters_are_found(count):
    matrix, labels = blobs(count)
    result = cluster(matrix, k_range=range(2, 7), labels=labels)
    assert result.n_clusters == count
    assert result.label_agreement.ari == pytest.approx(1)
    assert result.label_agreement.p_value == pytest.approx(1 / 200)
    chosen = result.stability.set_index("k").loc[count]
    assert chosen["stability"] > 0.95
    assert chosen["low"] <= chosen["stability"] <= chosen["high"]
    assert f"{count} clusters" in result.reason
    assert result.step_agreement is None


@pytest.mark.parametrize("kind", ["isotropic", "elongated", "low rank"])
def test_a_gaussian_has_no_stable_clusters(kind):
    found = 0
    for seed in range(3):
        generator = np.random.default_rng(seed)
        matrix = generator.normal(size=(200, 6))
        if kind == "elongated":
            matrix = matrix * [5, 1, 1, 1, 1, 1] @ generator.normal(size=(6, 6))
        elif kind == "low rank":
            matrix = matrix[:, :2] @ generator.normal(size=(2, 10))
        result = cluster(matrix, k_range=range(2, 5), seed=seed)
        found += result.n_clusters is not None
        if result.n_clusters is None:
            assert "no stable clustering" in result.reason
            assert result.assignments is None
            assert result.table.empty
    assert found <= 1


@pytest.mark.parametrize("features", [1, 2])
def test_an_even_box_has_no_clusters(features):
    """Its edges hold the centres of k-means in place, which alone would look stable."""
    matrix = np.random.default_rng(1).random((200, features))
    result = cluster(matrix, k_range=(2, 3, 4), n_null=19)
    assert result.n_clusters is None
    assert result.p_value > 0.05


def test_the_table_counts_clusters_by_step():
    steps = np.repeat([10, 20, 30], 100)
    rows = np.concatenate([np.tile([0], 100), np.tile([0, 1], 50), np.tile([1, 2], 50)])
    centres = np.linalg.qr(np.random.default_rng(0).normal(size=(12, 12)))[0] * 9
    matrix = centres[rows] + np.random.default_rng(1).normal(size=(300, 12))
    result = cluster(matrix, steps, k_range=range(2, 6), samples=np.tile(np.arange(100), 3))
    assert result.n_clusters == 3
    counts = result.table.pivot(index="step", columns="cluster", values="count")
    assert counts.to_numpy().tolist() == [[100, 0, 0], [50, 50, 0], [0, 50, 50]]
    assert (
        (result.table["low"] <= result.table["share"] + 1e-12) & (result.table["share"] <= result.table["high"] + 1e-12)
    ).all()
    assert np.bincount(result.assignments).tolist() == [150, 100, 50]
    assert result.step_agreement.ari == pytest.approx(adjusted_rand_score(steps, rows))
    assert result.by_step.empty


def test_agreement_with_labels_is_told_step_by_step():
    matrix, labels = blobs(3)
    steps = np.repeat([1, 2], 150)
    labels = np.where(steps == 1, labels, np.random.default_rng(0).permutation(labels))
    result = cluster(matrix, steps, k_range=range(2, 6), labels=labels)
    assert result.by_step["step"].tolist() == [1, 2]
    assert result.by_step["ari"][0] == pytest.approx(1)
    assert abs(result.by_step["ari"][1]) < 0.1
    assert result.by_step["p_adjusted"][0] == pytest.approx(2 / 200)


def test_the_edge_of_the_range_is_named():
    matrix, _ = blobs(5)
    assert "more than were tried" in cluster(matrix, k_range=[4, 5]).reason


def test_the_same_seed_gives_the_same_clusters():
    matrix, labels = blobs(3, rows=120)
    first, second = (cluster(matrix, k_range=(2, 3, 4), labels=labels, seed=5, n_null=19) for _ in range(2))
    assert first.assignments.tolist() == second.assignments.tolist()
    assert first.stability.equals(second.stability)


def test_scale_and_constant_columns_do_not_matter():
    matrix, _ = blobs(3, rows=120)
    wide = np.hstack([matrix * 1e-6 + 5, np.full((120, 2), 0.1)])
    assert (
        cluster(wide, k_range=(2, 3, 4)).assignments.tolist() == cluster(matrix, k_range=(2, 3, 4)).assignments.tolist()
    )


def test_rows_that_are_all_alike():
    result = cluster(np.ones((40, 3)))
    assert result.n_clusters is None
    assert "alike" in result.reason


def test_adjusted_rand_index_agrees_with_scikit_learn():
    generator = np.random.default_rng(0)
    for _ in range(20):
        one, two = generator.integers(4, size=50), generator.integers(3, size=50)
        counts = np.histogram2d(one, two, bins=(4, 3))[0]
        assert _adjusted_rand(counts[None])[0] == pytest.approx(adjusted_rand_score(one, two))
        assert agreement(one, two, n_resamples=19).ari == pytest.approx(adjusted_rand_score(one, two))
    assert agreement(np.zeros(5), np.zeros(5)).ari == 1


def test_agreement_has_an_honest_p_value():
    generator = np.random.default_rng(1)
    ps = [agreement(generator.integers(3, size=60), generator.integers(3, size=60), seed=i).p_value for i in range(40)]
    assert 0.2 < np.mean(ps) < 0.8
    same = generator.integers(3, size=60)
    strong = agreement(same, same)
    assert (strong.ari, strong.p_value) == (1, 1 / 200)
    assert strong.low <= strong.ari <= strong.high


def test_mistakes_are_named():
    matrix = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(OntogenyError, match="too few for up to 10 clusters"):
        cluster(matrix[:20])
    with pytest.raises(OntogenyError, match="not finite"):
        cluster(np.where(matrix > 1, np.nan, matrix))
    with pytest.raises(OntogenyError, match=r"labels has the shape \(3,\) for 40 rows"):
        cluster(matrix, labels=[1, 2, 3])
    with pytest.raises(OntogenyError, match="at least 2"):
        cluster(matrix, k_range=[1, 2])


def test_geometry_needs_no_torch():
    import subprocess
    import sys

    code = "import sys, ontogeny.geometry; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_controls_of_clusters_see_what_is_there():
    from ontogeny.geometry.clusters import forced_agreement, silhouettes

    generator = np.random.default_rng(0)
    labels = np.arange(120) % 3
    apart = generator.normal(size=(120, 4)) + 20 * np.eye(3, 4)[labels]
    assert forced_agreement(apart, labels, 3).ari == 1
    assert abs(forced_agreement(generator.normal(size=(120, 4)), labels, 3).ari) < 0.1
    found = silhouettes(apart, labels, generator.permutation(labels))
    assert found.clusters > 0.6
    assert found.labels < 0.05
    assert np.isnan(silhouettes(np.ones((20, 2)), np.zeros(20), np.zeros(20)).clusters)
