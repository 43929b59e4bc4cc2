"""Gates: truth tables, sampling as published, and the sentences for what cannot be."""

import itertools

import numpy as np
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.tasks.gates import GATES, Gate, get_gate, get_gates, sample_gates, separate_output, truth_table

LAWS = {
    "IMP": lambda a, b: (not a) or b,
    "XOR": lambda a, b: a != b,
    "AND": lambda a, b: a and b,
    "OR": lambda a, b: a or b,
    "NAND": lambda a, b: not (a and b),
    "NOR": lambda a, b: not (a or b),
    "NIMP": lambda a, b: a and not b,
    "MAJORITY": lambda a, b, c: a + b + c >= 2,
    "PARITY": lambda a, b, c: (a + b + c) % 2,
    "FULL_ADDER": lambda a, b, c: a ^ b ^ c,
    "EXACT_2": lambda a, b, c: a + b + c == 2,
}


@pytest.mark.parametrize("name", sorted(GATES))
def test_every_named_gate_obeys_its_law(name):
    x, y = truth_table(name)
    assert [tuple(row) for row in x.astype(int)] == list(itertools.product((0, 1), repeat=x.shape[1]))
    assert y[:, 0].tolist() == [float(bool(LAWS[name](*map(int, row)))) for row in x]
    noisy = x + np.random.default_rng(0).uniform(-0.4, 0.4, x.shape)
    assert np.array_equal(get_gate(name)(noisy), y[:, 0])
    assert set(LAWS) == set(GATES)


def test_any_truth_table_is_a_gate():
    assert get_gate("xor") is GATES["XOR"]
    assert get_gate("0110").bits == get_gate([0, 1, 1, 0]).bits == GATES["XOR"].bits
    assert get_gate(np.array([True, False])).n_inputs == 1
    big = get_gate("01" * 16)
    assert (big.n_inputs, big.name) == (5, "01" * 16)
    assert [gate.name for gate in get_gates(["XOR", "0001"])] == ["XOR", "0001"]
    _, y = truth_table(["FULL_ADDER", "MAJORITY"])
    assert np.array_equal(y @ [1, 2], [0, 1, 1, 2, 1, 2, 2, 3])


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("XORR", "did you mean 'XOR'"),
        ("majorty", "did you mean 'MAJORITY'"),
        ("011", "3 outputs fits no number of inputs"),
        ("0120", "output 2 is 2"),
        ([0, 0.5], "output 1 is 0.5"),
        ([], "0 outputs"),
        (110, "in quotes"),
        ("", "unknown gate"),
        (None, "neither a name"),
    ],
)
def test_what_is_no_gate_says_so(spec, says):
    with pytest.raises(OntogenyError, match=says):
        get_gate(spec)


def test_gates_of_one_task_share_their_inputs():
    with pytest.raises(OntogenyError, match="same number of inputs"):
        get_gates(["XOR", "PARITY"])
    with pytest.raises(OntogenyError, match="empty"):
        get_gates([])


def test_samples_are_a_function_of_the_seed_alone():
    one = sample_gates("XOR", 3, n_samples_val=20, n_repeats=1)
    two = sample_gates(["XOR"], 3, n_samples_val=20, n_repeats=1)
    assert np.array_equal(one.train.x, two.train.x)
    assert one.train.x.shape == (4000, 2)
    assert one.train.y.shape == (4000, 1)
    assert one.validation.x.shape == (80, 2)
    assert one.repeats.x.shape == (4, 2)
    assert one.train.x.dtype == one.train.y.dtype == np.float32
    assert np.array_equal(one.train.y[:, 0], GATES["XOR"](one.train.x))
    assert not np.array_equal(one.train.x, sample_gates("XOR", 4, n_repeats=1).train.x)
    counts = np.bincount(one.train.combination, minlength=4)
    assert counts.sum() == 4000
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(750)


def test_noise_and_copies():
    data = sample_gates("AND", 0, n_samples_train=500, noise_std=0.1, noise_copies=3)
    assert data.train.x.shape == (6000, 2)
    x, _ = truth_table("AND")
    noise = data.train.x - x[data.train.combination]
    assert abs(noise.std() - 0.1) < 0.003
    assert abs(noise.mean()) < 0.003
    assert np.array_equal(data.train.y[:, 0], np.array(GATES["AND"].bits)[data.train.combination])


def test_skewed_inputs():
    data = sample_gates("OR", 1, weights=[1, 0, 0, 3])
    share = np.bincount(data.train.combination, minlength=4) / 4000
    assert share[1] == share[2] == 0
    assert abs(share[3] - 0.75) < 0.03
    drawn = sample_gates("OR", 1, weights="random")
    assert drawn.weights.sum() == pytest.approx(1)
    assert len(set(drawn.weights)) == 4
    share = np.bincount(drawn.train.combination, minlength=4) / 4000
    assert np.abs(share - drawn.weights).max() < 0.04


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_samples_train": 0}, "n_samples_train is 0"),
        ({"n_repeats": 1.5}, "n_repeats is 1.5"),
        ({"noise_std": -1.0}, "noise_std is -1.0"),
        ({"noise_std": float("nan")}, "noise_std is nan"),
        ({"weights": [1, 2, 3]}, "4 combinations"),
        ({"weights": [0, 0, 0, 0]}, "not all zero"),
        ({"weights": "skewed"}, "'random'"),
    ],
)
def test_samples_that_cannot_be(settings, says):
    with pytest.raises(OntogenyError, match=says):
        sample_gates("XOR", 0, **settings)
    with pytest.raises(OntogenyError, match="seed is -1"):
        sample_gates("XOR", -1)


def test_one_output_of_several():
    rng = np.random.default_rng(0)
    weights, biases = [rng.normal(size=(3, 2)), rng.normal(size=(2, 3))], [rng.normal(size=3), rng.normal(size=2)]
    w, b = separate_output(weights, biases, 1)
    assert w[0] is weights[0]
    assert np.array_equal(w[1], weights[1][1:])
    assert np.array_equal(b[1], biases[1][1:])
    with pytest.raises(OntogenyError, match="outputs 0 to 1"):
        separate_output(weights, biases, 2)


def test_a_gate_is_a_value():
    assert Gate("a", (0, 1)) == Gate("a", (0, 1))
    assert hash(GATES["XOR"])
