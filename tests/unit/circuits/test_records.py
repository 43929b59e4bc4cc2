"""Records in the published layout: read, re-derived from their masks, written, and made during somebody's training."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from brute_force import candidates, perfect
from nets import random_net, trained_nets, truth_table

from ontogeny.circuits import (
    DetailedCircuitTracker,
    check_record,
    circuits_of,
    enumerate_circuits,
    read_history,
    record_stem,
    records_from_weights,
    write_convergence,
    write_record,
)
from ontogeny.circuits.records import STATISTICS
from ontogeny.circuits.settings import CircuitSettings
from ontogeny.errors import OntogenyError
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

DATA = Path(__file__).parents[2] / "data" / "circuits"
RECORDS = ["detailed_circuits_k3_seed0_depth2_lr0.001_loss0.01.json", "detailed_circuits_seed80_dropout_0.01.json"]
PUBLISHED = CircuitSettings(candidates="published")
XOR = truth_table(2, copies=20)


@pytest.fixture(scope="module")
def trajectory():
    """Weights of 12 networks, as if they were epochs of one run; the first has no circuits."""
    nets = [random_net((2, 3, 3, 1), 5, 0.1), *trained_nets((2, 3, 3, 1), 12)]
    return [np.stack(w) for w in zip(*(n[0] for n in nets))], [np.stack(b) for b in zip(*(n[1] for n in nets))]


@pytest.mark.parametrize("name", RECORDS)
def test_published_records_follow_from_their_masks(name):
    history = read_history(DATA / name, (2, 3, 3, 1))
    assert check_record(history, "published") == []
    assert sum(entry["total_circuits"] for entry in history) in (13, 14)


@pytest.mark.parametrize("name", RECORDS)
def test_published_records_are_rewritten_byte_for_byte(name, tmp_path):
    tracker = DetailedCircuitTracker.load_from_json(DATA / name)
    tracker.save_to_json(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (DATA / name).read_bytes()
    assert tracker.get_history() == json.loads((DATA / name).read_text())


def test_a_published_run_trained_again_gives_the_published_circuits_and_activations():
    published = json.loads((DATA / "published_l1_seed32_epoch23_circuits.json").read_text())
    result = train_ensemble(EnsembleSettings(l1_lambda=1e-3, published_streams=True), [32])
    at = slice(result.rows(32).start + 23, result.rows(32).start + 24)
    data = result.data(32).validation
    weights, biases = [w[at] for w in result.weights], [b[at] for b in result.biases]
    entry = next(records_from_weights(weights, biases, data.x, data.y, settings=PUBLISHED)).as_dict()
    assert entry["total_circuits"] == 66
    for ours, theirs in zip(entry["outputs"][0]["circuits"], published):
        assert list(ours) == list(theirs)
        for key in ("node_masks", "edge_masks", "sparsity", "circuit_idx", "sparsity_value"):
            assert ours[key] == theirs[key]
        for mine, other in zip(ours["neurons"], theirs["neurons"], strict=True):
            assert list(mine) == list(other)
            np.testing.assert_allclose(list(mine.values()), list(other.values()), atol=5e-6)


def test_record_of_a_trajectory(trajectory, tmp_path):
    weights, biases = trajectory
    n = len(weights[0])
    losses = np.linspace(0.3, 0.01, n)
    epochs = list(records_from_weights(weights, biases, *XOR, range(5, 5 * n + 1, 5), losses, losses / 2))
    assert [e.epoch for e in epochs] == list(range(5, 5 * n + 1, 5))
    assert epochs[0].total_circuits == 0
    assert sum(e.total_circuits for e in epochs) > 100
    for k, entry in enumerate(epochs):
        assert entry.outputs[0].circuits == enumerate_circuits([w[k] for w in weights], [b[k] for b in biases], *XOR)
    path = write_record(tmp_path / "record.json", epochs)
    text = path.read_text()
    assert text == json.dumps(json.loads(text), indent=2)
    history = read_history(path)
    assert history == [e.as_dict() for e in epochs]
    assert check_record(history) == []
    if any((e.outputs[0].circuits.sparsity[:, 0] == 0).any() for e in epochs):
        assert check_record(history, "published")
    for entry, output in zip(epochs, (h["outputs"][0] for h in history)):
        assert np.array_equal(circuits_of(output, (2, 3, 3, 1)).codes, entry.outputs[0].circuits.codes)


def test_activations_are_those_of_the_masked_network_over_all_rows(trajectory):
    x, y = truth_table(2, copies=5, noise=0.1)
    weights, biases = ([v[3] for v in values] for values in trajectory)
    found = next(records_from_weights([w[None] for w in weights], [b[None] for b in biases], x, y)).outputs[0]
    assert len(found.circuits) > 3
    for circuit, stats in zip(found.circuits, found.activations):
        h, at = torch.tensor(x), 0
        for layer, (w, b, mask) in enumerate(zip(weights, biases, circuit.edge_masks)):
            h = h @ torch.tensor(w * mask).T + torch.tensor(b)
            h = torch.nn.functional.leaky_relu(h) if layer < 2 else h
            h = h * torch.tensor(circuit.node_masks[layer + 1].astype(np.float32))
            for j in np.flatnonzero(circuit.node_masks[layer + 1]):
                v = h[:, j]
                expected = [v.mean(), v.std(), v.min(), v.max()]
                np.testing.assert_allclose(stats[at + j], expected, atol=2e-6)
            at += len(b)


def test_large_records_are_sampled_and_keep_their_counts(trajectory, tmp_path):
    weights, biases = trajectory
    full = list(records_from_weights(weights, biases, *XOR))
    part = list(records_from_weights(weights, biases, *XOR, most_listed=5))
    for a, b in zip(full, part):
        assert a.total_circuits == b.total_circuits
        assert len(b.outputs[0].circuits) == min(5, a.total_circuits)
        assert abs(a.outputs[0].mean_sparsity - b.outputs[0].mean_sparsity) < 1e-12
        assert set(b.outputs[0].circuits) <= set(a.outputs[0].circuits)
    path = write_record(tmp_path / "record.json", iter(part), compress=True)
    assert path.name == "record.json.gz"
    assert read_history(path) == [e.as_dict() for e in part]
    again = write_record(tmp_path / "other.json.gz", part)
    assert again.read_bytes() == path.read_bytes()


def test_several_outputs_are_separated():
    x, _ = truth_table(2, copies=3)
    y = np.stack([x.sum(axis=1) % 2, x.prod(axis=1)], axis=1)
    weights, biases = random_net((2, 3, 2), 0)
    (hidden, last), (b_hidden, b_last) = weights, biases
    entry = next(records_from_weights([w[None] for w in weights], [b[None] for b in biases], x, y))
    for k, output in enumerate(entry.outputs):
        expected = enumerate_circuits([hidden, last[k : k + 1]], [b_hidden, b_last[k : k + 1]], x, y[:, k : k + 1])
        assert output.circuits == expected
    assert entry.total_circuits == sum(o.count for o in entry.outputs)


def test_convergence_table_has_the_published_layout(tmp_path):
    published = (DATA / "convergence_k3_seed0_depth2_lr0.001_loss0.01.csv").read_text().splitlines()
    history = read_history(DATA / RECORDS[0])
    write_convergence(tmp_path / "table.csv", history)
    ours = (tmp_path / "table.csv").read_text().splitlines()
    assert ours[0] == published[0]
    assert ours[1] == published[1]
    assert len(ours) == 3
    assert record_stem(3, 0, 2, 0.001, 0.01) == "k3_seed0_depth2_lr0.001_loss0.01"


class Net(torch.nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(2, 3),
            torch.nn.Dropout(dropout),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(3, 3),
            torch.nn.Dropout(dropout),
            torch.nn.LeakyReLU(),
            torch.nn.Linear(3, 1),
        )

    def forward(self, x):
        return self.net(x)


def train(track, seed=1, epochs=150):
    x, y = (torch.tensor(v) for v in XOR)
    torch.manual_seed(seed)
    model = Net(0.05)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    tracker = DetailedCircuitTracker(25, x, y)
    seen = []
    model.train()
    for epoch in range(epochs):
        loss = ((model(x) - y) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if track and tracker.should_track(epoch):
            entry = tracker.track_epoch(epoch, model, loss.item(), None)
            seen.append((entry, [p.detach().clone() for p in model.parameters()]))
            assert model.training
    return model, tracker, seen, torch.random.get_rng_state()


def test_tracking_inside_a_loop_finds_the_circuits_and_changes_nothing(tmp_path):
    plain_model, _, _, plain_state = train(False)
    model, tracker, seen, state = train(True)
    assert torch.equal(plain_state, state)
    assert all(torch.equal(a, b) for a, b in zip(plain_model.parameters(), model.parameters()))
    assert [entry["epoch"] for entry, _ in seen] == [25, 50, 75, 100, 125, 150]
    masks, _ = candidates((2, 3, 3, 1), True)
    total = 0
    for entry, parameters in seen:
        index = perfect(parameters[0::2], parameters[1::2], *XOR, published=True)
        listed = entry["outputs"][0]["circuits"]
        assert [c["edge_masks"] for c in listed] == [[m[i].tolist() for m in masks] for i in index]
        total += len(index)
    assert total > 0
    tracker.save_to_json(tmp_path / "record.json")
    loaded = DetailedCircuitTracker.load_from_json(tmp_path / "record.json")
    assert loaded.get_history() == tracker.get_history() == tracker.history
    assert loaded.to_summary_dict() == tracker.to_summary_dict()
    assert tracker.to_summary_dict()["epochs"] == [25, 50, 75, 100, 125, 150]
    assert all(set(n) == {"layer", "neuron_idx", *STATISTICS} for c in listed for n in c["neurons"])


@pytest.mark.parametrize(
    "end",
    [
        lambda z: z.reshape(-1, 2, 2).amax(dim=2),
        lambda z: torch.nn.functional.glu(z, 1),
        lambda z: torch.complex(z[:, :2], z[:, 2:]).abs(),
    ],
)
@torch.no_grad()
def test_outputs_made_of_several_sums_are_recorded(end):
    torch.manual_seed(1)
    first, last, x = torch.nn.Linear(2, 3), torch.nn.Linear(3, 4), torch.tensor(XOR[0])
    y = end(last(torch.tanh(first(x)))).round().clip(0, 1)
    tracker = DetailedCircuitTracker(1, x, y, accuracy_threshold=0.6, candidates="all")
    tracker.track_epoch(0, lambda rows: end(last(torch.tanh(first(rows)))))
    recorded = 0
    for output, found in enumerate(tracker.epochs[0].outputs):
        for circuit, activations in zip(found.circuits, found.activations):
            on, edges = (
                torch.tensor(part[k]).float() for part, k in ((circuit.node_masks, 1), (circuit.edge_masks, 0))
            )
            hidden = torch.tanh(x @ (first.weight * edges).T + first.bias) * on
            out = end(last(hidden))[:, output]
            assert (out.round() == y[:, output]).double().mean() > 0.6
            np.testing.assert_allclose(activations[-1], [out.mean(), out.std(), out.min(), out.max()], 1e-4, 1e-5)
            recorded += 1
    assert recorded


def test_tracker_says_what_it_cannot_do():
    with pytest.raises(OntogenyError, match="tracking_frequency"):
        DetailedCircuitTracker(0, *XOR)
    with pytest.raises(OntogenyError, match="no hidden layer"):
        DetailedCircuitTracker(1, *XOR).track_epoch(0, torch.nn.Linear(2, 1))
    normed = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    with pytest.raises(OntogenyError, match="neither a linear map nor an elementwise function"):
        DetailedCircuitTracker(1, *XOR).track_epoch(0, normed)
    with pytest.raises(OntogenyError, match="argmax judges all outputs together"):
        DetailedCircuitTracker(1, *XOR, rule="argmax")
    assert DetailedCircuitTracker(1, *XOR).to_summary_dict()["epochs"] == []


def test_broken_records_are_told_in_a_sentence(tmp_path):
    text = (DATA / RECORDS[0]).read_text()
    broken = tmp_path / "broken.json"

    def refused(content, match, **settings):
        broken.write_text(content if isinstance(content, str) else json.dumps(content))
        with pytest.raises(OntogenyError, match=match) as caught:
            read_history(broken, **settings)
        assert "\n" not in str(caught.value)

    refused(text[: len(text) // 2], "broken.json .*(truncated|cut off|not JSON)")
    refused({"epoch": 1}, "list of epochs")
    refused([{"epoch": 1}], "no 'total_circuits'")
    refused(text, r"network \[2, 3, 3, 1\], but the network is \[2, 4, 4, 1\]", sizes=(2, 4, 4, 1))
    history = json.loads(text)
    circuit = history[1]["outputs"][0]["circuits"][3]
    circuit["edge_masks"][1] = circuit["edge_masks"][1][:2]
    refused(history, "circuit 3 in entry 2 of .* do not fit")
    packed = tmp_path / "broken.json.gz"
    packed.write_bytes(gzip.compress(text.encode())[:2000])
    with pytest.raises(OntogenyError, match="cut off"):
        read_history(packed)
    with pytest.raises(OntogenyError, match="does not exist"):
        read_history(tmp_path / "none.json")


def test_check_record_finds_what_was_tampered_with():
    text = (DATA / RECORDS[0]).read_text()

    def tampered(change):
        history = json.loads(text)
        change(history[1]["outputs"][0])
        return check_record(history, "published")

    assert any("sparsity" in w for w in tampered(lambda o: o["circuits"][0]["sparsity"].__setitem__(1, 0.3)))
    assert any("listed" in w for w in tampered(lambda o: o["circuits"].pop()))
    assert any("order" in w for w in tampered(lambda o: o["circuits"].reverse()))
    assert any("neurons" in w for w in tampered(lambda o: o["circuits"][0]["neurons"].pop()))
    assert any("valid" in w for w in tampered(lambda o: o["circuits"][0]["node_masks"][1].__setitem__(0, 1)))
