"""Tasks with known transitions: the networks do what the equations say, and the measures measure it."""

import math
from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from small_runs import identity_of, scratch

from ontogeny.config import load_config
from ontogeny.errors import OntogenyError
from ontogeny.models import build_model
from ontogeny.models.known import feature_measures, induction_measures, modular_measures, parity_measures
from ontogeny.phase1 import read_phase1
from ontogeny.phase1.record import RUN_LEVEL
from ontogeny.tasks.known import PROGRESS, crossing, mode_strength, mode_time, repeated_sequences
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory, set_up

GRADIENT_DESCENT = {"batch_size": 1, "optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "learning_rate": 0.005}


@pytest.fixture(scope="module")
def linear():
    identity = identity_of(
        task={"name": "deep_linear"},
        model={"name": "deep_linear"},
        training={"steps": 620, "checkpoint_every": 310, **GRADIENT_DESCENT},
        tracking={"every": 5},
    )
    train(identity, scratch() / "linear", "linear")
    return scratch() / "linear"


def test_a_deep_linear_network_learns_its_modes_when_the_closed_form_says(linear):
    record = read_phase1(linear / "phase1.json")
    truth = record.metadata_of()["truth"]
    assert [each["name"] for each in truth] == ["mode 1", "mode 2", "mode 3"], "the fourth comes after the end"
    for each in truth:
        steps, strength = record.series(RUN_LEVEL, each["quantity"])
        final = each["expected"][-1] if each["name"] != "mode 3" else 2.0
        assert np.abs(strength - each["expected"]).max() < 0.05 * final
        found = crossing(steps, strength, 0.0, final)
        for key in ("start", "middle", "end"):
            assert abs(found[key] - each[key]) <= 15, (each["name"], key)


def test_a_known_run_is_replayed_exactly(linear):
    assert Trajectory(linear).at(455) is not None


def test_the_closed_form_reaches_the_shares_at_its_times():
    for share in (0.1, 0.5, 0.9):
        assert mode_strength(mode_time(share, 4.0, 0.005), 4.0, 0.005) == pytest.approx(4 * share)


def test_features_and_interference_of_a_known_code():
    model = build_model("superposition", (3,), 3, 0, width=2)
    with torch.no_grad():
        model.encoder.weight.copy_(torch.tensor([[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]))
        model.decoder.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.0]]))
    found = feature_measures(model)
    assert all(any(fnmatchcase(name, known) for known in PROGRESS["superposition"]) for name in found)
    assert [found[f"feature_{i}"] for i in (1, 2, 3)] == pytest.approx([1.0, 1.0, 0.25])
    assert [found[f"interference_{i}"] for i in (1, 2, 3)] == pytest.approx([0.25, 0.0, 0.25])


def test_heads_that_look_at_the_right_place_are_told_from_those_that_do_not():
    tokens = torch.from_numpy(repeated_sequences(6, 10, 0, 0, length=8))
    assert torch.equal(tokens[:, :4], tokens[:, 4:])
    model = build_model("attention_only", (8,), 10, 0, width=8, depth=1, heads=2)
    attention = model.layers[0]
    with torch.no_grad():
        model.embed.weight.zero_()
        model.positions.copy_(torch.eye(8))
        for layer in (attention.q, attention.k):
            layer.weight.zero_()
    even = induction_measures(model, tokens)
    assert all(any(fnmatchcase(name, known) for known in PROGRESS["repeated_sequences"]) for name in even)
    expected = np.mean([1 / (i + 1) for i in range(4, 8)])
    assert even["prefix_matching_0.0"] == pytest.approx(expected, abs=1e-6)
    with torch.no_grad():
        attention.q.weight[:4] = 60 * torch.eye(8)[[7, 6, 5, 4]]
        attention.k.weight[:4] = 60 * torch.eye(8)[[4, 3, 2, 1]]
    found = induction_measures(model, tokens)
    assert found["prefix_matching_0.0"] == pytest.approx(1.0, abs=1e-3)
    assert found["prefix_matching_0.1"] == pytest.approx(expected, abs=1e-6)
    assert all(layer.pattern is None for layer in model.layers)


def test_restricted_and_excluded_loss_of_a_network_that_adds_by_one_frequency():
    p, frequency, scale = 7, 2, 40.0

    class Adder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.cos(2 * math.pi * frequency * torch.arange(2 * p) / p)[None])

        def forward(self, x):
            sums = (x[:, 0] @ torch.arange(p, dtype=torch.float32)).sum(1)
            return scale * torch.cos(2 * math.pi * frequency * (sums[:, None] - torch.arange(p)) / p)

    a, b = np.divmod(np.arange(p * p), p)
    inputs = torch.zeros(p * p, 1, 2, p)
    inputs[np.arange(p * p), 0, 0, a] = inputs[np.arange(p * p), 0, 1, b] = 1
    labels = torch.tensor((a + b) % p)
    found = modular_measures(Adder(), inputs, labels, torch.ones(p * p, dtype=torch.bool))
    assert set(found) == set(PROGRESS["modular_addition"])
    assert found["key_frequencies"] == 1
    assert found["restricted_loss"] < 1e-2
    assert found["excluded_loss"] == pytest.approx(math.log(p), rel=1e-4)
    assert found["fourier_concentration"] == pytest.approx(2 / 3, abs=1e-4), "all power on one of three frequencies"


def test_weights_on_the_bits_that_matter_are_counted():
    model = build_model("mlp", (1, 1, 6), 2, 0, hidden=[4])
    with torch.no_grad():
        model.network[0].weight.zero_()
        model.network[0].weight[0, 1] = 3.0
        model.network[0].weight[2, 5] = 1.0
    found = parity_measures(model, 3)
    assert found["relevant_weight"] == pytest.approx(0.9)
    assert set(found) == set(PROGRESS["sparse_parity"])


@pytest.mark.parametrize("kind", ["learning_rate", "batch_size", "data", "labels", "ablation"])
def test_a_shock_changes_training_from_its_step_on_and_not_before(kind):
    shock = {"kind": kind, "step": 3, "factor": 0.5}
    plain, shocked = (
        set_up(identity_of(training={"steps": 6, "batch_size": 24, "shock": given})) for given in (None, shock)
    )
    for learner in (plain.learner, shocked.learner):
        learner.advance_to(2)
    same = [torch.equal(a, b) for a, b in zip(plain.learner.model.parameters(), shocked.learner.model.parameters())]
    assert all(same)
    for learner in (plain.learner, shocked.learner):
        learner.advance_to(4)
    first = shocked.learner.model.network[0].weight
    assert not torch.equal(plain.learner.model.network[0].weight, first)
    if kind == "ablation":
        set_to_zero = set_up(identity_of(training={"steps": 6, "batch_size": 24, "shock": shock})).learner
        set_to_zero.advance_to(3)
        assert not set_to_zero.model.network[0].weight[:2].any()
        assert set_to_zero.model.network[0].weight[2:].any(dim=1).all()
    (truth,) = shocked.truth({"step": [0, 6]})
    assert truth["start"] == truth["middle"] == truth["end"] == 3


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({"task": "deep_linear"}, "use model deep_linear"),
        ({"model": "attention_only"}, "use task repeated_sequences"),
        ({"training": {"steps": 5, "shock": {"step": 9}}}, "after the last step"),
    ],
)
def test_what_does_not_go_together_is_refused(run, sentence):
    with pytest.raises(OntogenyError, match=sentence):
        load_config({"studies": {"s": {"runs": {"run": run}}}})


def test_a_size_is_refused_where_the_data_have_their_own():
    with pytest.raises(OntogenyError, match="leave it out"):
        set_up(identity_of(task={"name": "digits", "size": 9, "n_train": 120, "n_validation": 48, "n_probe": 48}))


def test_a_crossing_that_never_comes_is_none():
    assert crossing([0, 1, 2], [0.0, 0.1, 0.2], 0.0, 1.0) is None
    assert crossing([0, 5, 10, 15], [0.0, 0.05, 0.6, 0.95], 0.0, 1.0) == {"start": 5, "middle": 10, "end": 15}
