"""Maps of a layer over training: comparable, as good as they say, and the same every time."""

import builtins
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from ontogeny.errors import OntogenyError
from ontogeny.geometry.maps import fit_maps, frame_steps, map_moments, map_quality

QUICK = {"neighbours": 8, "iterations": 150}


def blobs(separation, samples=60, groups=3, features=6, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(samples) % groups
    return generator.normal(size=(samples, features)) + separation * np.eye(features)[labels], labels


def test_separated_blobs_are_separated_in_a_map_that_can_be_trusted():
    apart, labels = blobs(30.0)
    together, _ = blobs(0.0)
    places, quality = map_moments([together, apart], [0, 9], labels, **QUICK)
    assert list(places.columns) == ["step", "sample", "label", "x", "y"]
    assert len(places) == 120
    start, end = quality.to_dict("records")
    assert end["trustworthiness"] > 0.85
    assert end["continuity"] > 0.85
    assert end["label_agreement_layer"] == 1.0
    assert end["label_agreement"] > 0.9
    assert start["label_agreement"] < 0.55  # nothing is found where there is nothing
    assert end["label_agreement_null"] == pytest.approx(19 / 59)


def test_quality_is_scikit_learns_and_its_null_is_that_of_random_maps():
    matrix, _ = blobs(3.0)
    places = matrix[:, :2]
    found = map_quality(matrix, places, 7, n_null=100)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(matrix, places, n_neighbors=7), abs=1e-12)
    assert found["continuity"] == pytest.approx(trustworthiness(places, matrix, n_neighbors=7), abs=1e-12)
    generator = np.random.default_rng(1)
    random = [map_quality(matrix, generator.normal(size=places.shape), 7, n_null=0) for _ in range(40)]
    for name in ("trustworthiness", "continuity"):
        values = [one[name] for one in random]
        assert np.mean(values) == pytest.approx(found[f"{name}_null"], abs=0.01)
        assert found[f"{name}_null"] == pytest.approx(0.5, abs=0.03)
        inside = np.mean([found[f"{name}_null_low"] <= value <= found[f"{name}_null_high"] for value in values])
        assert inside > 0.8
    assert map_quality(places, places, 7, n_null=0)["trustworthiness"] == 1.0


def test_identical_moments_have_identical_maps_and_coupling_holds_samples_in_place():
    one, _ = blobs(4.0)
    other, _ = blobs(4.0, seed=1)
    same = fit_maps([one, one, one], **QUICK).positions
    assert np.array_equal(same[0], same[1])
    assert np.array_equal(same[1], same[2])
    held, free = (fit_maps([one, one, other], coupling=c, **QUICK).positions for c in (1.0, 0.0))
    spread = held[0].std()

    def moved(places):
        return np.linalg.norm(np.diff(places, axis=0), axis=2).mean(axis=1)

    assert moved(held)[0] < 0.05 * spread
    assert moved(held)[0] < 0.8 * moved(held)[1]
    assert moved(free)[1] > 2 * moved(held)[1]


def test_the_same_data_give_the_same_map():
    one, _ = blobs(4.0)
    two, _ = blobs(6.0, seed=2)
    first = fit_maps([one, two], **QUICK).positions
    assert np.array_equal(first, fit_maps([one, two], **QUICK).positions)


UMAP = """
import sys
sys.path.insert(0, sys.argv[1])
from test_maps import blobs
from ontogeny.geometry.maps import fit_maps, label_agreement
one, labels = blobs(20.0)
found = fit_maps([one, one], "umap", neighbours=8, iterations=60).positions
assert found.shape == (2, 60, 2)
assert label_agreement(found[1], labels)[0] > 0.95
"""


def test_umap_is_one_fit_too():
    """In a process that does not compile umap's code: for 60 samples that takes seven times as long as to run it."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", UMAP, Path(__file__).parent]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_cannot_be_mapped_is_refused_in_a_sentence(monkeypatch):
    matrix, _labels = blobs(1.0)
    cases = [
        ({"method": "tsnee"}, "did you mean 'tsne'"),
        ({"neighbours": 30}, "60 samples are too few for perplexity 30: give 92"),
        ({**QUICK, "coupling": -1}, "coupling"),
    ]
    for settings, sentence in cases:
        with pytest.raises(OntogenyError, match=sentence):
            fit_maps([matrix, matrix], **settings)
    with pytest.raises(OntogenyError, match="moment 1 has shape"):
        fit_maps([matrix, matrix[:5]], **QUICK)
    with pytest.raises(OntogenyError, match="number of features"):
        fit_maps([matrix, matrix[:, :3]], **QUICK)
    with pytest.raises(OntogenyError, match="all samples are alike"):
        fit_maps([matrix, np.ones_like(matrix)], **QUICK)
    with pytest.raises(OntogenyError, match="not all finite"):
        fit_maps([np.full_like(matrix, np.nan)], **QUICK)
    with pytest.raises(OntogenyError, match="below half the 60 samples"):
        map_quality(matrix, matrix[:, :2], 30)
    real = builtins.__import__

    def without(name, *arguments, **settings):
        if name.startswith(("openTSNE", "umap")):
            raise ImportError(name)
        return real(name, *arguments, **settings)

    monkeypatch.setattr(builtins, "__import__", without)
    for method in ("tsne", "umap"):
        with pytest.raises(OntogenyError, match=r"ontogeny\[manifold\]"):
            fit_maps([matrix, matrix], method, **QUICK)


def test_a_dead_moment_is_left_out_and_said():
    matrix, labels = blobs(5.0)
    places, quality = map_moments([matrix, np.zeros_like(matrix), matrix], [0, 1, 2], labels, **QUICK)
    assert sorted(places["step"].unique()) == [0, 2]
    assert quality.set_index("step").loc[1, "note"] == "all samples are alike"
    with pytest.raises(OntogenyError, match="1 of 2 moments"):
        map_moments([matrix, np.zeros_like(matrix)], [0, 1], labels, **QUICK)


def test_frames_hold_the_ends_and_the_moments():
    steps = frame_steps(range(401), 12, [72, 73])
    assert steps[0] == 0
    assert steps[-1] == 400
    assert {72, 73} <= set(steps)
    saved = [0, *(2**k for k in range(11))]
    assert frame_steps(saved, 4, [8]) == [0, 8, 64, 1024]
    assert 10 <= len(steps) <= 14
    assert frame_steps(range(4), 12) == [0, 1, 2, 3]
