"""Learning coefficients along trajectories, their stages, and what else changes with them."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ontogeny.complexity import (
    ComplexityAnalysisSettings,
    ComplexitySettings,
    calibrate,
    complexity_and_circuits,
    complexity_of_ensemble,
    complexity_of_run,
    estimate_llc,
    find_stages,
    head_groups,
    parameter_groups,
)
from ontogeny.complexity.figures import (
    plot_calibration,
    plot_complexity,
    plot_complexity_and_circuits,
    plot_complexity_of_ensemble,
)
from ontogeny.complexity.landscape import ModuleLandscape, _chosen
from ontogeny.complexity.run import _estimates
from ontogeny.complexity.stages import main_estimates
from ontogeny.phase1 import read_phase1
from ontogeny.plotting.style import save_figure
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory

QUICK = {"chains": 2, "draws": 6, "burn_in": 2, "frames": 3}


@pytest.fixture(scope="module")
def ensemble():
    return train_ensemble(EnsembleSettings(n_samples_train=50, epochs=40), range(4))


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    from ontogeny.config.models import RunSettings

    folder = tmp_path_factory.mktemp("run") / "r"
    run = RunSettings(
        task={"name": "digits", "n_train": 96, "n_validation": 64, "n_probe": 32},
        model={"name": "mlp", "hidden": [6]},
        training={"steps": 8, "batch_size": 32, "checkpoint_every": 4},
    )
    train({**run.model_dump(mode="json", include={"task", "model", "training", "tracking"}), "seed": 0}, folder, "r")
    return Trajectory(folder)


def test_every_network_of_an_ensemble_at_every_frame(ensemble):
    table = complexity_of_ensemble(ensemble, ComplexityAnalysisSettings(**QUICK))
    assert list(table.groupby("seed").size()) == [3, 3, 3, 3]
    assert set(table.groupby("seed")["epoch"].max()) == set(ensemble.n_epochs)
    history = pd.DataFrame({"seed": 1, "epoch": [0, 3, 30]})
    chosen = complexity_of_ensemble(ensemble, ComplexityAnalysisSettings(**QUICK), history=history)
    assert list(chosen[chosen["seed"] == 1]["epoch"]) == [0, 3, 30]
    row = table[(table["seed"] == 2) & (table["epoch"] == ensemble.n_epochs[2])].iloc[0]
    weights, biases = ensemble.network(2, int(row["epoch"]))
    model = nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(), nn.Linear(3, 3), nn.LeakyReLU(), nn.Linear(3, 1))
    for layer, w, b in zip([model[0], model[2], model[4]], weights, biases):
        layer.weight.data, layer.bias.data = torch.tensor(w), torch.tensor(b)
    data = ensemble.data(2).train
    loss = nn.functional.mse_loss(model(torch.tensor(data.x).float()), torch.tensor(data.y).float())
    assert row["loss"] == pytest.approx(loss.item(), rel=1e-5)
    assert row["n_beta"] == pytest.approx(len(data.x) / np.log(len(data.x)))


def test_a_run_by_replay(trajectory, tmp_path):
    settings = ComplexityAnalysisSettings(**QUICK, by_layer=True, localisations=[10, 100])
    table = complexity_of_run(trajectory, [], settings)
    assert list(table["step"].unique()) == [0, 4, 8]
    assert list(main_estimates(table)["localisation"]) == [100] * 3
    assert len(table[table["localisation"] == 10]) == 3
    assert list(table["group"].unique()) == ["all", *parameter_groups(trajectory.at(0))]
    by_group = table[(table["step"] == 0) & (table["localisation"] == 100)].set_index("group")["n_parameters"]
    assert by_group["all"] == by_group.drop("all").sum()
    record = read_phase1(trajectory.folder / "phase1.json")
    fig = plot_complexity(table, record, pd.DataFrame({"step": [4], "significant": [True]}), "a run")
    assert [axis.get_ylabel().split("\n")[0] for axis in fig.axes] == [
        "Loss",
        "Learning coefficient",
        "Participation ratio",
    ]
    assert save_figure(fig, tmp_path / "f", table)


def test_figures_of_ensembles_and_calibrations(ensemble, tmp_path):
    table = complexity_of_ensemble(ensemble, ComplexityAnalysisSettings(**QUICK))
    assert save_figure(plot_complexity_of_ensemble(table, "XOR"), tmp_path / "f", table)
    data = torch.randn(20, 2), torch.randn(20, 1)
    calibration = calibrate(ModuleLandscape(nn.Linear(2, 1), data), 100.0, ComplexitySettings())
    assert save_figure(plot_calibration(calibration, 0.9, "a line"), tmp_path / "c")


def test_figures_load_no_torch():
    code = "import sys, ontogeny.complexity.figures; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_groups_are_layers_or_blocks():
    class Blocks(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = nn.Embedding(3, 2)
            self.blocks = nn.ModuleList(nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)}) for _ in range(2))

    assert list(parameter_groups(Blocks())) == ["embed", "blocks.0", "blocks.1"]
    assert len(parameter_groups(Blocks())["blocks.1"]) == 4


class Sequences(nn.Module):
    """PyTorch's own attention on embedded tokens."""

    def __init__(self):
        super().__init__()
        self.embed, self.attention = nn.Embedding(50, 16), nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, tokens):
        x = self.embed(tokens)
        return self.attention(x, x, x, need_weights=False)[0]


def transformer(style):
    import transformers as t

    from ontogeny.models.known import AttentionOnly

    torch.manual_seed(0)
    common = {"vocab_size": 50, "attn_implementation": "eager"}
    other = {"dim": 16, "hidden_dim": 24, "n_layers": 2, "n_heads": 4, **common}
    named = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, **common}
    return {
        "llama": lambda: t.LlamaModel(t.LlamaConfig(**named, num_key_value_heads=2)),
        "gpt_neox": lambda: t.GPTNeoXModel(t.GPTNeoXConfig(**named)),
        "bert": lambda: t.BertModel(t.BertConfig(**named)),
        "gpt2": lambda: t.GPT2Model(t.GPT2Config(n_embd=16, n_layer=2, n_head=4, n_positions=16, **common)),
        "distilbert": lambda: t.DistilBertModel(t.DistilBertConfig(**other)),
        "attention_only": lambda: AttentionOnly((8,), 50, 16, 2, 4),
        "torch": Sequences,
    }[style]().eval()  # fmt: skip


@pytest.mark.parametrize("style", ["llama", "gpt_neox", "bert", "gpt2", "distilbert", "attention_only", "torch"])
def test_a_head_moves_alone(style):
    """What the groups call a head reaches the output projection through the head's own places alone."""
    model = transformer(style)
    groups = head_groups(model)
    assert len(groups) == 4 * (1 if style == "torch" else 2)
    named, tokens = dict(model.named_parameters()), torch.arange(8)[None]
    for head, patterns in enumerate(list(groups.values())[:4]):
        places = _chosen(named, patterns)
        *inside, last = list(places)
        output = model.get_submodule(last.removesuffix(".weight"))
        expected = torch.zeros(16, dtype=torch.bool)
        expected[4 * head : 4 * head + 4] = True
        if style == "llama":
            places = {name: places[name] for name in inside if "q_proj" in name}
        with torch.no_grad():
            before = seen_by(model, output, tokens)
            for name in places:
                axis, rows = _chosen(named, patterns)[name]
                named[name].movedim(axis, 0)[rows] += torch.randn(1)
            after = seen_by(model, output, tokens)
        axis, columns = _chosen(named, patterns)[last]
        assert columns.tolist() == np.flatnonzero(expected).tolist()
        assert torch.equal((after - before).abs().amax((0, 1)) > 1e-7, expected)


def seen_by(model, output, tokens):
    """What an output projection reads; PyTorch's attention calls its own as a function."""
    if isinstance(model, Sequences):
        x, m = model.embed(tokens), model.attention
        q, k, v = (part.unflatten(-1, (4, 4)).transpose(1, 2) for part in
                   nn.functional.linear(x, m.in_proj_weight, m.in_proj_bias).chunk(3, -1))  # fmt: skip
        return nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
    found = []
    with_hook = output.register_forward_pre_hook(lambda _, args: found.append(args[0]))
    model(tokens)
    with_hook.remove()
    return found[0]


def test_every_head_alone():
    model = transformer("attention_only")
    settings = ComplexityAnalysisSettings(**QUICK, by_head=True)
    found = dict(_estimates(model, settings))
    assert list(found) == ["all", *head_groups(model)]
    tokens = torch.randint(50, (12, 8))
    loss = lambda out, y: nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())  # noqa: E731
    assert estimate_llc(model, (tokens, tokens), found["layers.1 head 3"], loss).n_parameters == 4 * 4 * 16


class TestStages:
    def table(self, llc, error=0.1):
        count = len(llc)
        return pd.DataFrame(
            {"step": range(count), "llc": llc, "standard_error": error, "loss": np.linspace(1, 0, count)}
        )

    def test_a_rise_between_plateaus(self):
        found = find_stages(self.table([1, 1.05, 0.95, 3, 5, 5.1, 5]))
        assert list(found["direction"]) == ["stays", "rises", "stays"]
        assert list(found["start"]) == [0, 2, 4]
        assert list(found["end"]) == [2, 4, 6]

    def test_noise_alone_is_one_stage(self):
        rng = np.random.default_rng(0)
        stages = [len(find_stages(self.table(5 + 0.1 * rng.normal(size=30)))) for _ in range(100)]
        assert np.mean(np.array(stages) > 1) <= 0.1

    def test_a_slow_drift_is_no_plateau(self):
        rng = np.random.default_rng(0)
        found = find_stages(self.table(np.linspace(5, 4, 30) + 0.1 * rng.normal(size=30)))
        assert list(found["direction"]) == ["falls"]

    def test_gaps_and_too_little(self):
        assert find_stages(self.table([1.0])).empty
        assert len(find_stages(self.table([1, np.nan, 1.0]))) == 1


class TestWithCircuits:
    def tables(self, linked, seed=0, networks=30, frames=20):
        """Networks whose coefficient and circuits change at moments of their own: together, each alone, or both where
        the loss falls."""
        rng = np.random.default_rng(seed)
        complexity, history = [], []
        for network in range(networks):
            own, other, common = rng.exponential(size=(3, frames)) ** 2
            if linked == "by the loss":
                own, other = own + 3 * common, other + 3 * common
            elif linked:
                other = own + 0.3 * other
            signs = rng.choice([-1, 1], (2, frames))
            llc, circuits = np.cumsum(own * signs[0]), np.cumsum(other * signs[1])
            loss = np.exp(-np.cumsum(common))
            for k in range(frames):
                complexity.append({"seed": network, "epoch": k, "llc": llc[k], "loss": loss[k]})
                history.append({"seed": network, "epoch": k, "circuits": circuits[k]})
        return pd.DataFrame(complexity), pd.DataFrame(history)

    def test_a_link_is_found(self, tmp_path):
        table = complexity_and_circuits(*self.tables(True))
        for row in table.itertuples():
            assert row.quantity == "circuits"
            assert row.n == 30
            assert 0.7 < row.low < row.correlation < row.high
            assert max(row.p_shift, row.p_between_networks_adjusted) <= 0.005
        assert save_figure(plot_complexity_and_circuits(table, "XOR"), tmp_path / "f", table)

    def test_a_link_through_the_loss_alone_is_told_apart(self):
        bare, given = complexity_and_circuits(*self.tables("by the loss")).itertuples()
        assert bare.correlation > 0.4
        assert bare.p_between_networks <= 0.005
        assert given.given == "loss"
        assert abs(given.correlation) < 0.15

    def test_no_link_is_not(self):
        rows = [complexity_and_circuits(*self.tables(False, seed), n_resamples=99).iloc[0] for seed in range(25)]
        for null in ("p_shift", "p_between_networks"):
            assert np.mean([row[null] <= 0.05 for row in rows]) <= 0.16

    def test_networks_that_train_longer_are_compared_among_themselves(self):
        complexity, history = self.tables(False, networks=5)
        kept = ~((complexity["seed"] == 0) & (complexity["epoch"] > 10))
        assert list(complexity_and_circuits(complexity[kept], history)["n"]) == [4, 4]
