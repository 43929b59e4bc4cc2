"""`ontogeny circuits`: one command for a network in a file, and one that animates a record."""

import json

import numpy as np
import pytest
from nets import trained_nets, truth_table
from safetensors.numpy import save_file

from ontogeny.circuits import count_circuits
from ontogeny.circuits.command import read_network
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
