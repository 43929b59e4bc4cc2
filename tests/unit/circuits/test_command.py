"""`ontogeny circuits`: one command for a network in a file, and one that animates a record."""

import copy
import json

import numpy as np
import pytest
import torch
from nets import trained_nets, truth_table
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors
from torch import nn

from ontogeny.circuits import count_circuits, from_torch
from ontogeny.circuits.command import describe_network, read_network
from ontogeny.cli import main
from ontogeny.errors import OntogenyError
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble


def test_circuits_of_a_network_in_a_file(tmp_path, capsys):
    weights, biases = trained_nets((2, 3, 3, 1), 6)[0]
    arrays = {f"w{k}": w for k, w in enumerate(weights)} | {f"b{k}": b for k, b in enumerate(biases)}
    np.savez(tmp_path / "net.npz", **arrays)
    assert main(["circuits", "count", str(tmp_path / "net.npz"), "--gate", "XOR"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sizes"] == [2, 3, 3, 1]
    assert (told["activation"], told["rule"]) == ("leaky_relu", "rounded")
    assert told["outputs"][0]["circuits"] == count_circuits(weights, biases, *truth_table(2)).count > 0
    assert main(["circuits", "count", str(tmp_path / "net.npz"), "--gate", "XOR", "--gate", "AND"]) == 1
    assert "name as many gates" in capsys.readouterr().err
    assert main(["circuits", "count", str(tmp_path / "net.npz"), "--gate", "XOR", "--seed", "3"]) == 1
    assert "holds one network, not an ensemble: leave out seed 3" in capsys.readouterr().err


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.3, 0.2]]))
        model[0].bias.copy_(torch.tensor([0.0, -1.0, 0.0]))
        model[2].weight.copy_(torch.tensor([[1.0, -2.0, 0.1], [0.1, 1.0, 0.0]]))  # XOR and AND
        model[2].bias.zero_()
    return model


SAVED = {
    "checkpoint.pt": lambda model, path: torch.save({"state_dict": model.state_dict(), "epoch": 3}, path),
    "half.safetensors": lambda model, path: save_tensors(
        {k: v.bfloat16() for k, v in model.state_dict().items()}, path
    ),
    "script.pt": lambda model, path: torch.jit.script(model).save(path),
    "exported.pt2": lambda model, path: torch.export.save(torch.export.export(model, (torch.zeros(3, 2),)), path),
}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.filterwarnings("ignore")
def test_a_network_is_read_from_what_pytorch_saves(tmp_path, capsys, model, name):
    path = str(tmp_path / name)
    SAVED[name](model, path)
    states = name in ("checkpoint.pt", "half.safetensors")
    if states:
        model = copy.deepcopy(model).bfloat16().float() if name == "half.safetensors" else model
        assert main(["circuits", "count", path, "--gate", "XOR", "--gate", "AND", "--activation", "relu"]) == 0
    else:
        assert main(["circuits", "count", path, "--gate", "XOR", "--gate", "AND", "--activation", "relu"]) == 1
        assert "its own activations: leave out activation relu" in capsys.readouterr().err
        assert main(["circuits", "count", path, "--gate", "XOR", "--gate", "AND"]) == 0
    told = json.loads(capsys.readouterr().out)
    network = from_torch(model, truth_table(2)[0])
    targets = np.array([[0, 1, 1, 0], [0, 0, 0, 1]]).T
    expected = [network.count(targets, output=output).count for output in (0, 1)]
    assert [one["circuits"] for one in told["outputs"]] == expected
    assert min(expected) > 0
    assert told["activation"] == "relu"


def test_outputs_are_judged_together(tmp_path, capsys, model):
    path = str(tmp_path / "state.pt")
    torch.save(model.state_dict(), path)
    labels = model(torch.as_tensor(truth_table(2)[0])).argmax(1).numpy()
    gate, other = ("".join(map(str, bits)) for bits in (labels, 1 - labels))
    expected = from_torch(model, truth_table(2)[0]).count(labels, "argmax").count
    asked = ["circuits", "count", path, "--activation", "relu", "--rule", "argmax"]
    for gates in (["--gate", gate], ["--gate", other, "--gate", gate]):
        assert main([*asked, *gates]) == 0
        assert [one["circuits"] for one in json.loads(capsys.readouterr().out)["outputs"]] == [expected] != [0]
    for gates, says in (
        (["--gate", gate, "--gate", gate], "only one, is 1 on every row"),
        (["--gate", "MAJORITY"], "inputs of the network: 2; the gates have 3"),
    ):
        assert main([*asked, *gates]) == 1
        assert says in capsys.readouterr().err


def test_a_file_that_holds_no_network_is_refused_in_a_sentence(tmp_path, model):
    (tmp_path / "net.onnx").write_bytes(b"x")
    torch.save(model, tmp_path / "whole.pt")
    for name, says in (("net.onnx", "none of the files that hold networks"), ("whole.pt", "could run any code")):
        with pytest.raises(OntogenyError, match=says):
            read_network(tmp_path / name)


def test_an_ensemble_is_a_file_of_networks(tmp_path, capsys):
    train_ensemble(EnsembleSettings(epochs=30, learning_rate=0.01), [3]).save(tmp_path / "e.safetensors")
    assert main(["circuits", "count", str(tmp_path / "e.safetensors"), "--gate", "XOR", "--epoch", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["sizes"] == [2, 3, 3, 1]


def test_methods_of_discovery_are_scored(tmp_path, capsys):
    train_ensemble(EnsembleSettings(epochs=40, learning_rate=0.01), range(2)).save(tmp_path / "e.safetensors")
    arguments = ["circuits", "discovery", str(tmp_path / "e.safetensors"), "--out", str(tmp_path / "d")]
    assert main([*arguments, "--every", "40"]) == 0
    assert "acdc" in capsys.readouterr().out
    assert {"scores.csv", "methods.csv", "methods.png"} <= {path.name for path in (tmp_path / "d").iterdir()}


@pytest.mark.parametrize("suffix", [".gif", ".html"])
def test_a_record_is_animated(tmp_path, suffix):
    from ontogeny.circuits.trace import write_records

    ensemble = train_ensemble(EnsembleSettings(epochs=12, learning_rate=0.02), [3])
    write_records(ensemble, 3, tmp_path)
    record = next(tmp_path.glob("detailed*"))
    assert main(["circuits", "animate", str(record), "--out", str(tmp_path / f"a{suffix}"), "--frames", "5"]) in (0, 1)
    assert (tmp_path / f"a{suffix}").is_file()


def test_layers_of_a_state_are_in_order_and_with_their_own_biases(tmp_path):
    rng = np.random.default_rng(0)
    state = {f"{2 * k}.weight": rng.normal(size=(3, 3)).astype(np.float32) for k in range(7)}
    state["2.bias"] = np.ones(3, np.float32)
    save_file(state, tmp_path / "net.safetensors")
    weights, biases, _ = read_network(tmp_path / "net.safetensors")
    assert all(np.array_equal(w, state[f"{2 * k}.weight"]) for k, w in enumerate(weights))
    assert [b.any() for b in biases] == [False, True, False, False, False, False, False]
    save_file({**state, "1.running_mean": np.ones(3, np.float32)}, tmp_path / "norm.safetensors")
    with pytest.raises(OntogenyError, match="running_mean, which is no weight or bias"):
        read_network(tmp_path / "norm.safetensors")


class _Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x, shift):
        return self.last(self.first(x).relu()) + shift


def test_files_that_hold_no_network_are_told_in_a_sentence_alone(tmp_path, capfd):
    torch.export.save(torch.export.export(_Other(), (torch.zeros(4, 2), torch.ones(4, 1))), tmp_path / "two.pt2")
    whole = (tmp_path / "two.pt2").read_bytes()
    for name, content in {"cut.pt2": whole[:-500], "empty.pt2": b"", "empty.pt": b"", "text.pt": b"hello\n"}.items():
        (tmp_path / name).write_bytes(content)
    for name, told in {
        "cut.pt2": "only a part of one",
        "empty.pt2": "is no program of torch.export",
        "missing.pt2": "does not exist",
        "two.pt2": "takes other inputs than one tensor (rows, inputs)",
        "empty.pt": "is empty",
        "text.pt": "is damaged or not a checkpoint",
    }.items():
        capfd.readouterr()
        assert main(["circuits", "count", str(tmp_path / name), "--gate", "XOR"]) == 1
        said = capfd.readouterr().err
        assert told in said
        assert said.startswith("ontogeny: ")
        assert said.count("\n") == 1


def test_argmax_of_one_output_is_refused(tmp_path):
    weights, biases = trained_nets((2, 3, 1), 1)[0]
    np.savez(tmp_path / "net.npz", *weights, *biases)
    with pytest.raises(OntogenyError, match="the network has one"):
        describe_network(tmp_path / "net.npz", ["XOR"], rule="argmax")


def test_a_network_that_is_read_with_another_activation_is_told(tmp_path, capsys):
    weights, biases = trained_nets((2, 3, 1), 8, "tanh", gate=(0, 0, 0, 1))[0]
    arrays = {f"w{k}": w for k, w in enumerate(weights)} | {f"b{k}": b for k, b in enumerate(biases)}
    path = tmp_path / "net.npz"
    np.savez(path, **arrays)
    named = describe_network(path, ["AND"], activation="tanh")
    assert "note" not in named
    assert (named["outputs"][0]["rows"], named["outputs"][0]["rows_right"]) == (4, 4)
    arrays["w0"] = arrays["w0"] * 9
    np.savez(path, **arrays)
    assert main(["circuits", "count", str(path), "--gate", "AND"]) == 0
    told = json.loads(capsys.readouterr().out)
    right = told["outputs"][0]["rows_right"]
    assert right < 4
    assert (
        f"states no activation, and leaky_relu was assumed, with which the whole network gets {right} of 4 rows"
        in (told["note"])
    )


def test_rows_that_the_whole_network_gets_right(model):
    x = truth_table(2)[0]
    network = from_torch(model, x)
    assert network.right([[0, 0], [1, 0], [1, 0], [0, 1]], output=0).tolist() == [True, True, True, True]
    assert network.right([[0, 0], [1, 0], [1, 1], [0, 0]], "sign", output=1).tolist() == [True, False, True, False]
    largest = model(torch.as_tensor(x)).argmax(1).numpy()
    assert network.right(largest, "argmax").all()
    with pytest.raises(OntogenyError, match="y has 1 output but"):
        network.right([0, 1, 1, 0])
