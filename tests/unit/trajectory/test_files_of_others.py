"""Files of weights as other programs leave them: wrappers, other tensors beside the weights, quantised ones."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ontogeny import CheckpointSeries
from ontogeny.errors import OntogenyError
from ontogeny.trajectory.series_run import measure_series

BUILD = """
from torch import nn
def mlp():
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
def cnn():
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
def vit():
    import transformers
    return transformers.ViTForImageClassification(transformers.ViTConfig(
        image_size=4, patch_size=2, num_channels=1, num_hidden_layers=1, num_attention_heads=2, hidden_size=8,
        intermediate_size=8, num_labels=3))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(BUILD)
    np.savez("probe.npz", inputs=np.random.default_rng(0).random((6, 8)), labels=np.arange(6) % 3)
    np.savez("images.npz", inputs=np.random.default_rng(0).random((6, 1, 4, 4)), labels=np.arange(6) % 3)
    return tmp_path


def mlp(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


def series(path="step_{step}.pt", build="mlp", probe="probe.npz", **source):
    return CheckpointSeries(source={"path": path, **source}, network={"build": f"mine.py:{build}"},
                            probe={"file": probe})  # fmt: skip


def saved(change, steps=(0, 1)):
    for step in steps:
        torch.save(change(dict(mlp(step).state_dict())), f"step_{step}.pt")


def is_read(found):
    assert found.check().problems == {}
    for step, each in found.walk([0, 1]):
        assert torch.equal(each.model(found.probe[0]), mlp(step)(found.probe[0]))


@pytest.mark.parametrize("wrapper", ["_fsdp_wrapped_module", "_orig_mod", "_checkpoint_wrapped_module"])
def test_what_wrappers_put_into_names_is_no_part_of_them(here, wrapper):
    saved(lambda state: {name.replace("0.", f"0.{wrapper}."): value for name, value in state.items()})
    is_read(series())


def test_a_network_that_is_compiled_is_filled(here):
    (here / "mine.py").write_text(
        BUILD + "import torch\ndef compiled(): return torch.compile(mlp(), backend='eager')\n"
    )
    saved(lambda state: state)
    is_read(series(build="compiled"))


def test_tensors_beside_the_weights_do_not_hide_them(here):
    saved(lambda state: {"model": state, "rng": torch.get_rng_state(), "loss": torch.tensor(1.0), "optimizer": {}})
    is_read(series())


def test_weights_under_another_name_are_pointed_to(here):
    saved(lambda state: {"generator": state, "critic": state, "optimizer": {"state": {}}})
    said = series().check().sentence()
    assert said == (
        "steps 0, 1: step_0.pt holds tensors under generator and critic: name those of the network as source.key"
    )
    is_read(series(key="generator"))


@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_a_network_that_is_there_twice_is_not_chosen_by_chance(here, form):
    for step in (0, 1):
        both = {f"student.{name}": value for name, value in mlp(step).state_dict().items()}
        both |= {f"teacher.{name}": value + 1 for name, value in mlp(step).state_dict().items()}
        save_file(both, f"step_{step}.safetensors") if form == "safetensors" else torch.save(both, f"step_{step}.pt")
    twice = series(f"step_{{step}}.{form}")
    with pytest.raises(OntogenyError, match="the network 2 times, under student and teacher: name one of them"):
        twice.at(0)
    is_read(series(f"step_{{step}}.{form}", key="student"))
    with pytest.raises(OntogenyError, match="has nothing under the key 'ema'"):
        series(f"step_{{step}}.{form}", key="ema").state(0)


@pytest.mark.parametrize("kind", [torch.int8, torch.float8_e4m3fn])
def test_quantised_weights_are_refused_not_taken_as_numbers(here, kind):
    saved(lambda state: {name: (50 * value).to(kind) for name, value in state.items()})
    found = series()
    assert found.check().problems == {}
    with pytest.raises(OntogenyError, match=r"step 0: 0.weight is stored as (int8|float8\S+), and quantised weights"):
        found.at(0)


def test_a_network_without_its_running_statistics_is_refused(here):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    torch.save(dict(network.named_parameters()), "step_0.pt")
    with pytest.raises(OntogenyError, match=r"it lacks 1\.running_mean and 1 more"):
        series(build="cnn", probe="images.npz").at(0)


def test_names_that_transformers_translates_are_explained(here):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        image_size=4, patch_size=2, num_channels=1, num_hidden_layers=1, num_attention_heads=2, hidden_size=8,
        intermediate_size=8, num_labels=3,
    )  # fmt: skip
    state = {f"old.{name}": value for name, value in transformers.ViTModel(config).state_dict().items()}
    torch.save({"vit.layernorm.weight": torch.ones(8), **state}, "step_0.pt")
    with pytest.raises(OntogenyError, match="may give tensors other names: name the network by its auto class"):
        series(build="vit", probe="images.npz").at(0)


X, Y = np.random.default_rng(0).random((6, 8)), np.arange(6) % 3


@pytest.mark.parametrize(
    ("inputs", "labels", "said"),
    [
        (X, Y + 1, "labels go up to 3, but the network has 3 classes"),
        (X, Y - 1, "labels of int64 and shape .6,. for 6 inputs: give one whole number from 0 up"),
        (X, Y + 0.5, "labels of float64"),
        (X, np.eye(3)[Y], "shape .6, 3. for 6 inputs"),
        (X, Y[:4], "shape .4,. for 6 inputs"),
        (X, Y.astype(str), "labels of <U21"),
        (np.where(X > 0.9, np.nan, X), Y, "give finite real numbers"),
        (X + 1j, Y, "inputs of complex128"),
        (X.astype(str), Y, "inputs of <U"),
        (X[:0], Y[:0], r"shape .0, 8.: give finite real numbers, or tokens"),
        (X[:, :7], Y, r"does not run on the probe, .1, 7. real numbers: mat1 and mat2"),
        ((255 * X).astype(np.uint8), Y, r"does not run on the probe, .1, 8. tokens, as they are whole numbers"),
    ],
)
def test_a_probe_that_does_not_fit_is_a_sentence(here, inputs, labels, said):
    saved(lambda state: state)
    np.savez("probe.npz", inputs=inputs, labels=labels)
    with pytest.raises(OntogenyError, match=said):
        measure_series(series())
