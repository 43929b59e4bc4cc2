"""The ensemble: against PyTorch, against the published runs seed by seed, alone against together, and on disk."""

import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from ontogeny.errors import OntogenyError
from ontogeny.tasks.gates import truth_table
from ontogeny.tracking.estimators import measure
from ontogeny.training.ensemble import (
    EnsembleSettings,
    ensemble_phase1,
    gate_data,
    layer_activations,
    load_ensemble,
    train_ensemble,
)

DATA = Path(__file__).parents[2] / "data" / "circuits"


def candidates_3_3(published=True):
    """Hidden masks of every candidate circuit of 2-3-3-1 (those that use all hidden neurons left out, if published)."""
    first = np.array(list(itertools.product((0, 1), repeat=6))).reshape(-1, 3, 2)
    first = first[first.any(1).all(1)]
    second = np.array(list(itertools.product((0, 1), repeat=9))).reshape(-1, 3, 3)
    second = second[second.any((1, 2))]
    used, offered = first.any(2), second.any(1)
    pairs = np.argwhere((used[:, None] == offered[None]).all(2))
    if published:
        full = used[pairs[:, 0]].all(1) & second.any(2)[pairs[:, 1]].all(1)
        pairs = pairs[~full]
    return first[pairs[:, 0]].astype(np.float32), second[pairs[:, 1]].astype(np.float32)


def perfect_circuits(weights, biases, counts, masks):
    """How many candidates round to XOR on more than 99% of the rows, by trying them all."""
    x, y = truth_table("XOR")
    first, second = masks
    leaky = lambda z: np.where(z > 0, z, np.float32(0.01) * z)  # noqa: E731
    one = leaky(x @ (weights[0] * first).swapaxes(1, 2) + biases[0])
    two = leaky(one @ (weights[1] * second).swapaxes(1, 2) + biases[1])
    out = (two * second.any(2)[:, None, :]) @ weights[2][0] + biases[2][0]
    return int((((np.rint(out) == y[:, 0]) * counts).sum(1) / counts.sum() > 0.99).sum())


def circuit_counts(result):
    masks = candidates_3_3()
    return {
        int(seed): perfect_circuits(
            *result.network(seed), np.bincount(result.data(seed).validation.combination, minlength=4), masks
        )
        for seed in result.seeds[result.converged]
    }


@pytest.fixture(scope="module")
def baseline():
    return train_ensemble(EnsembleSettings(published_streams=True), range(100))


def test_candidates_are_as_many_as_published():
    assert len(candidates_3_3()[0]) == 3000
    assert len(candidates_3_3(published=False)[0]) == 9625


def test_the_published_baseline_is_met_seed_by_seed(baseline):
    published = pd.read_csv(DATA / "published_baseline_seeds.csv").set_index("seed")
    summary = baseline.summary().set_index("seed")
    assert set(summary.index[summary.converged]) == set(published.index)
    ours = summary.loc[published.index]
    assert (ours.epochs == published.epochs).mean() >= 0.97
    starts = baseline.train_loss[baseline.offsets[:-1] + 1][published.index]
    assert np.abs(starts - published.first_train_loss).max() < 1e-6
    assert np.abs(ours.train_loss - published.last_train_loss).median() < 1e-6
    counts = pd.Series(circuit_counts(baseline)).loc[published.index]
    assert (counts == published.perfect_circuits).mean() >= 0.95
    assert abs(counts.mean() - 53.9) < 2


@pytest.mark.parametrize(
    ("settings", "table", "converged"),
    [({}, "baseline", 92), ({"dropout_rate": 0.01}, "dropout", 96)],
)
def test_fresh_seeds_are_distributed_as_published(settings, table, converged):
    published = pd.read_csv(DATA / f"published_{table}_seeds.csv")
    result = train_ensemble(EnsembleSettings(**settings), range(1000, 1200))
    assert abs(result.converged.mean() - converged / 100) < 0.07
    counts = list(circuit_counts(result).values())
    assert mannwhitneyu(counts, published.perfect_circuits).pvalue > 0.01
    epochs = result.n_epochs[result.converged]
    assert mannwhitneyu(epochs, published.epochs).pvalue > 0.01


def test_l1_makes_more_circuits_and_fewer_converge():
    result = train_ensemble(EnsembleSettings(l1_lambda=1e-3, published_streams=True), range(100))
    counts = np.array(list(circuit_counts(result).values()))
    assert abs(result.converged.sum() - 77) <= 3
    assert abs(counts.mean() - 68.3) < 3
    published = pd.read_csv(DATA / "published_l1_seed32.csv")
    rows = result.rows(32)
    assert result.n_epochs[32] == len(published)
    np.testing.assert_allclose(result.train_loss[rows][1:], published.train_loss, atol=1e-6)
    np.testing.assert_allclose(result.val_loss[rows][1:], published.val_loss, atol=1e-6)
    rows_of = np.bincount(result.data(32).validation.combination, minlength=4)
    masks = candidates_3_3()
    counted = [perfect_circuits(*result.network(32, epoch), rows_of, masks) for epoch in published.epoch]
    assert counted == published.total_circuits.tolist()


def torch_path(settings, seed, epochs):
    """The same training as an ordinary PyTorch program: the loss and parameters of every epoch."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    kinds = {"leaky_relu": nn.LeakyReLU, "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    data = gate_data(settings, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        modules = []
        for n_in, n_out in zip(settings.sizes, settings.sizes[1:]):
            modules += [nn.Linear(n_in, n_out), kinds[settings.activation]()]
        model = nn.Sequential(*modules[:-1])
        rows = torch.utils.data.TensorDataset(torch.from_numpy(data.train.x), torch.from_numpy(data.train.y))
        loader = torch.utils.data.DataLoader(rows, batch_size=settings.batch_size, shuffle=True)
        optimiser = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)

        def flat():
            return torch.cat([p.detach().reshape(-1) for p in model.parameters()]).numpy().copy()

        losses, path = [], [flat()]
        for _ in range(epochs):
            total = []
            for x, y in loader:
                optimiser.zero_grad()
                loss = nn.functional.mse_loss(model(x), y)
                loss = loss + settings.l1_lambda * sum(p.abs().sum() for p in model.parameters())
                loss = loss + settings.l2_lambda * sum((p**2).sum() for p in model.parameters())
                loss.backward()
                optimiser.step()
                total.append(loss.item())
            losses.append(np.mean(total))
            path.append(flat())
        with torch.no_grad():
            x, y = torch.from_numpy(data.validation.x), torch.from_numpy(data.validation.y)
            val = nn.functional.mse_loss(model(x), y).item()
    return np.array(losses), np.array(path), val


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"activation": "tanh", "l1_lambda": 1e-3, "gates": ("AND", "XOR")},
        {"activation": "sigmoid", "l2_lambda": 1e-2, "hidden": (4,), "batch_size": 64},
        {"activation": "relu", "noise_std": 0.1, "noise_copies": 2, "hidden": (5, 4, 3), "gates": ("PARITY",)},
        {"weights": (1, 5, 2, 1), "weight_decay": 0.1, "learning_rate": 0.01},
    ],
)
def test_a_seed_is_what_pytorch_trains(change):
    settings = EnsembleSettings(n_samples_train=150, epochs=4, early_stopping=100, loss_target=0.0, **change)
    losses, path, val = torch_path(settings, 7, 4)
    result = train_ensemble(settings, [7])
    ours = np.concatenate([np.concatenate([w[0].ravel(), b[0]]) for w, b in zip(result.weights, result.biases)])
    assert np.array_equal(ours, path[0])
    final = np.concatenate([np.concatenate([w.ravel(), b]) for w, b in zip(*result.network(7))])
    np.testing.assert_allclose(final, path[-1], atol=2e-5)
    np.testing.assert_allclose(result.train_loss[1:], losses, atol=1e-6)
    assert result.val_loss[-1] == pytest.approx(val, abs=1e-6)


def same(one, two):
    assert np.array_equal(one.seeds, two.seeds)
    for a, b in zip((*one.weights, *one.biases), (*two.weights, *two.biases)):
        assert a.tobytes() == b.tobytes()
    for name in ("train_loss", "val_loss", "val_accuracy", "offsets"):
        assert getattr(one, name).tobytes() == getattr(two, name).tobytes()


@pytest.mark.parametrize("change", [{}, {"dropout_rate": 0.2}, {"noise_std": 0.05, "n_samples_train": 100}])
def test_a_seed_of_an_ensemble_is_that_seed_alone(change):
    settings = EnsembleSettings(epochs=8, **change)
    together = train_ensemble(settings, [5, 0, 9, 2], threads=2, chunk=3)
    for seed in (9, 5):
        same(together.select([seed]), train_ensemble(settings, [seed]))


def test_a_killed_job_ends_as_if_it_had_not_been(tmp_path):
    settings = EnsembleSettings(epochs=5, dropout_rate=0.05)
    path = tmp_path / "state.safetensors"

    def checkpoint(partial):
        partial.save(path)
        if len(partial.seeds) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_ensemble(settings, range(6), checkpoint=checkpoint, chunk=2)
    partial = load_ensemble(path)
    assert partial.seeds.tolist() == [0, 1, 2, 3]
    resumed, whole = train_ensemble(settings, range(6), done=partial), train_ensemble(settings, range(6))
    same(resumed, whole)
    resumed.save(tmp_path / "a.safetensors")
    whole.save(tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    with pytest.raises(OntogenyError, match="other settings"):
        train_ensemble(EnsembleSettings(epochs=6), range(6), done=partial)


def test_saved_and_loaded_it_is_the_same(tmp_path):
    settings = EnsembleSettings(gates=("FULL_ADDER", "MAJORITY"), hidden=(4, 3), epochs=3, weights=(1,) * 8)
    result = train_ensemble(settings, [3, 1])
    result.save(tmp_path / "run.safetensors")
    loaded = load_ensemble(tmp_path / "run.safetensors")
    assert loaded.settings == settings
    same(loaded, result)
    whole = (tmp_path / "run.safetensors").read_bytes()
    for cut in (5, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:cut])
        with pytest.raises(OntogenyError, match="cannot be read as a whole safetensors file"):
            load_ensemble(tmp_path / "cut.safetensors")
    with pytest.raises(OntogenyError, match="does not exist"):
        load_ensemble(tmp_path / "none.safetensors")
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(OntogenyError, match="not the record of an ensemble"):
        load_ensemble(tmp_path / "other.safetensors")


def test_the_trajectory_is_complete(baseline):
    frame, summary = baseline.frame(), baseline.summary()
    assert len(frame) == len(baseline.train_loss) == baseline.offsets[-1] == (summary.epochs + 1).sum()
    assert frame.groupby("seed").epoch.max().tolist() == summary.epochs.tolist()
    assert frame.train_loss.isna().sum() == 100
    dense = baseline.dense(baseline.weights[1])
    assert dense.shape == (summary.epochs.max() + 1, 100, 3, 3)
    assert np.array_equal(dense[-1, 4], baseline.network(4)[0][1])
    assert np.array_equal(dense[3, 4], baseline.network(4, 3)[0][1])
    stalled = summary[~summary.converged]
    assert set(stalled.stop_reason) == {"early_stopping"}
    losses = baseline.train_loss[baseline.rows(int(stalled.seed.iloc[0]))][1:]
    assert len(losses) - 1 - np.argmin(losses) == 200
    with pytest.raises(OntogenyError, match="seed 100 is not in this ensemble; its seeds: "):
        baseline.rows(100)
    with pytest.raises(OntogenyError, match="has epochs 0 to"):
        baseline.network(0, 5000)


def test_one_output_of_two_keeps_its_network():
    result = train_ensemble(EnsembleSettings(gates=("AND", "XOR"), epochs=2), [0])
    weights, biases = result.network(0, output=1)
    assert weights[-1].shape == (1, 3)
    x, _ = truth_table("AND")
    both = layer_activations([w[None] for w in result.network(0)[0]], [b[None] for b in result.network(0)[1]], x)[-1]
    one = layer_activations([w[None] for w in weights], [b[None] for b in biases], x)[-1]
    np.testing.assert_allclose(one[0, :, 0], both[0, :, 1], rtol=1e-6)


def test_phase1_of_every_seed_and_epoch(baseline):
    some = baseline.select([3, 17])
    frames = ensemble_phase1(some)
    assert list(frames) == ["Linear_0", "Linear_1"]
    frame = frames["Linear_1"]
    assert frame.columns[:2].tolist() == ["seed", "step"]
    x, _ = truth_table("XOR")
    for seed, epoch in ((3, 0), (17, 9)):
        weights, biases = some.network(seed, epoch)
        values = layer_activations([w[None] for w in weights], [b[None] for b in biases], x)[1][0]
        row = frame[(frame.seed == seed) & (frame.step == epoch)].iloc[0]
        for name, value in measure(values).items():
            assert row[name] == pytest.approx(value, rel=1e-6)
    centred = ensemble_phase1(some, metrics=["stable_rank"], centre=True)["Linear_0"]
    assert centred.columns.tolist() == ["seed", "step", "stable_rank", "loss"]
    assert not np.allclose(centred.stable_rank, frames["Linear_0"].stable_rank)


def test_a_diverging_seed_stops_and_has_not_converged():
    with np.errstate(all="ignore"):
        result = train_ensemble(EnsembleSettings(learning_rate=100.0, l2_lambda=1e30, early_stopping=3, epochs=50), [0])
    assert not result.converged[0]
    assert result.n_epochs[0] <= 5


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"gates": ("XORR",)}, "did you mean 'XOR'"),
        ({"activation": "leakyrelu"}, "did you mean 'leaky_relu'"),
        ({"hidden": ()}, "hidden is .*at least 1 item"),
        ({"hidden": 3}, "hidden is 3; it should be .*list"),
        ({"hidden": (3, 0)}, "hidden.1 is 0; .*greater"),
        ({"dropout_rate": 1.0}, "dropout_rate is 1.0; it should be less than 1"),
        ({"dropout_rate": -0.1}, "dropout_rate is -0.1"),
        ({"l1_lambda": float("nan")}, "l1_lambda is nan"),
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 2.5}, "batch_size is 2.5; it should be a whole number"),
    ],
)
def test_settings_that_cannot_be(change, says):
    with pytest.raises(OntogenyError, match=says):
        EnsembleSettings(**change)


@pytest.mark.parametrize(("seeds", "says"), [([], "empty"), ([1, 2, 1], "listed twice"), ([-1], "seed is -1")])
def test_seeds_that_cannot_be(seeds, says):
    with pytest.raises(OntogenyError, match=says):
        train_ensemble(EnsembleSettings(), seeds)


@pytest.mark.benchmark
def test_the_time_of_training_grows_no_faster_than_the_seeds(baseline):
    spent = []
    for seeds in (range(25), range(100)):
        start = time.process_time()
        train_ensemble(EnsembleSettings(), seeds)
        spent.append(time.process_time() - start)
    assert spent[1] < 6 * spent[0]
