"""Activations on disk are those of the trained network at exactly those steps."""

from contextlib import suppress

import numpy as np
import pytest
import torch

from ontogeny.activations import extract_activations, read_activations
from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.geometry.figures import plot_clusters, plot_moment, plot_variance
from ontogeny.geometry.run import clusters_of_run, pca_of_run
from ontogeny.geometry.settings import GeometrySettings
from ontogeny.jumps.plan import Moment
from ontogeny.neurons.figures import plot_neuron_change
from ontogeny.neurons.run import neurons_of_run
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory

RUN = {
    "task": {"n_train": 300, "n_validation": 50, "n_probe": 60},
    "model": {"name": "cnn_shallow", "channels": [4, 6]},
    "training": {"steps": 40, "batch_size": 32, "checkpoint_every": 25},
    "tracking": {"every": 5},
}


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    identity = runs_of(load_config({"studies": {"s": {"runs": {"run": RUN}}}}))["run/s0"].identity()
    train(identity, folder, "run")
    return Trajectory(folder)


@pytest.fixture(scope="module")
def path(trajectory, tmp_path_factory):
    path = tmp_path_factory.mktemp("activations") / "activations.h5"
    extract_activations(trajectory, [0, 12, 17, 40], path, chunk=16)
    return path


def outputs(model, layers, inputs):
    seen = {}

    def keep(name):
        return lambda module, given, output: seen.__setitem__(name, output.detach().clone())

    hooks = [model.get_submodule(path).register_forward_hook(keep(name)) for name, path in layers.items()]
    with torch.no_grad():
        model(inputs)
    for hook in hooks:
        hook.remove()
    return seen


def test_every_layer_at_every_step_is_what_the_network_computes(trajectory, path):
    with read_activations(path) as file:
        assert file.steps == [0, 12, 17, 40]
        for name, place in trajectory.layers.items():
            assert np.array_equal(file.matrix(12, place), file.matrix(12, name))
        assert file.run == "run"
        inputs, labels = trajectory.probe
        assert np.array_equal(file.inputs, inputs.numpy())
        assert np.array_equal(file.labels, labels.numpy())
        for step in file.steps:
            model = trajectory.at(step)
            seen = outputs(model, trajectory.layers, inputs)
            assert set(file.layers) == set(seen)
            for name, expected in seen.items():
                np.testing.assert_allclose(file.array(step, name), expected.numpy(), rtol=1e-5, atol=1e-6)


def test_the_same_extraction_gives_the_same_bytes(trajectory, path, tmp_path):
    again = tmp_path / "again.h5"
    extract_activations(trajectory, [0, 12, 17, 40], again, chunk=16)
    assert again.read_bytes() == path.read_bytes()


def test_half_precision_and_chosen_layers(trajectory, path, tmp_path):
    half = tmp_path / "half.h5"
    extract_activations(trajectory, [40], half, dtype="float16", layers=["Linear_0"])
    with read_activations(half) as small, read_activations(path) as full:
        assert list(small.layers) == ["Linear_0"]
        np.testing.assert_allclose(small.array(40, "Linear_0"), full.array(40, "Linear_0"), rtol=2e-3, atol=1e-3)
    with pytest.raises(OntogenyError, match="did you mean 'Linear_0'"):
        extract_activations(trajectory, [40], half, layers=["linear0"])


def test_files_of_others_and_damaged_files_are_refused(path, tmp_path):
    with pytest.raises(OntogenyError, match="made by another run"):
        read_activations(path, identity="0" * 16)
    with pytest.raises(OntogenyError, match="does not exist"):
        read_activations(tmp_path / "absent.h5")
    data = path.read_bytes()
    for name, content in {"cut": data[: len(data) // 2], "text": b"no HDF5 at all"}.items():
        broken = tmp_path / f"{name}.h5"
        broken.write_bytes(content)
        with pytest.raises(OntogenyError, match=f"{name}.h5 is damaged"), read_activations(broken) as file:
            file.array(40, "Linear_0")
    with read_activations(path) as file:
        with pytest.raises(OntogenyError, match=r"unknown step 13 in .*: Known: 0, 12, 17, 40"):
            file.array(13, "Linear_0")
        with pytest.raises(OntogenyError, match="did you mean 'Conv2d_1'"):
            file.array(12, "Conv2d_11")


def test_flipped_bytes_never_give_other_numbers(path, tmp_path):
    data = path.read_bytes()
    with read_activations(path) as file:
        expected = {(step, layer): file.array(step, layer) for step in file.steps for layer in file.layers}
    broken = tmp_path / "flipped.h5"
    for position in np.random.default_rng(0).integers(0, len(data), 60):
        changed = bytearray(data)
        changed[position] ^= 0xFF
        broken.write_bytes(changed)
        with suppress(OntogenyError), read_activations(broken) as file:
            for step, layer in expected.keys() & {(s, name) for s in file.steps for name in file.layers}:
                assert np.array_equal(file.array(step, layer), expected[step, layer])


def test_geometry_and_neurons_of_a_run_as_tables_and_figures(path):
    moments = [
        Moment(kind="jump", step=12, before=0, after=17, phase="early", reason="", layer="Linear_0", score=9.0),
        Moment(kind="control", step=17, before=12, after=40, phase="late", reason=""),
    ]
    with read_activations(path) as file:
        variance, projections = pca_of_run(file, GeometrySettings(components=4))
        choice, by_step, assigned = clusters_of_run(file, GeometrySettings(clusters=[2, 3]))
        units, summary = neurons_of_run(file, moments)
        layers = list(file.layers)
    assert list(dict.fromkeys(variance["layer"])) == layers
    assert (variance.groupby("layer")["cumulative"].last() <= 1 + 1e-9).all()
    assert len(projections) == len(layers) * 4 * 60
    assert list(choice["layer"]) == layers
    assert set(by_step["layer"]) == set(choice.loc[choice["n_clusters"] > 0, "layer"])
    assert len(assigned) == 240 * (choice["n_clusters"] > 0).sum()
    assert list(summary["moment"].unique()) == ["jump at 12", "control at 17"]
    assert summary["units"].sum() == len(units)
    assert summary["share"].between(summary["share_low"] - 1e-9, summary["share_high"] + 1e-9).all()
    ends = [Moment("start", 0, 0, 12, "early", ""), Moment("end", 40, 17, 40, "late", "")]
    for drawn, panels in (
        (plot_variance(variance, "run"), 1),
        (plot_moment(projections, moments, "run"), 3),
        (plot_moment(projections, ends, "run"), 2),
        (plot_neuron_change(units, summary, "run"), 2),
    ):
        assert len(drawn.axes) == panels
    assert len(plot_clusters(by_step, choice, "run").axes) >= 1


def test_layers_that_do_not_fit_into_memory_are_read_in_part(path, monkeypatch):
    with read_activations(path) as file:
        layer = next(iter(file.layers))
        whole = file.matrix(12, layer)
        monkeypatch.setattr("ontogeny.activations.store.LARGEST", 8 * whole.shape[1] * 4 * 20)
        rows = file.fitting(layer, len(file.steps))
        assert len(rows) == 20
        assert (np.diff(rows) > 0).all()
        assert np.array_equal(file.matrix(12, layer, rows), whole[rows])
        variance, projections = pca_of_run(file, GeometrySettings(components=2))
        assert set(variance.loc[variance["layer"] == layer, "samples"]) == {20}
        kept = projections[(projections["layer"] == layer) & (projections["step"] == 12)]
        assert kept["sample"].tolist() == rows.tolist()
        assert kept["label"].tolist() == file.labels[rows].tolist()
        choice, _, _ = clusters_of_run(file, GeometrySettings(clusters=[2]))
        assert choice.set_index("layer").loc[layer, "samples"] == 20


def test_no_change_is_no_change(path):
    still = Moment(kind="control", step=12, before=12, after=12, phase="early", reason="")
    with read_activations(path) as file:
        units, summary = neurons_of_run(file, [still])
    assert (units["change"] == 0).all()
    assert (summary["changed"] == 0).all()
