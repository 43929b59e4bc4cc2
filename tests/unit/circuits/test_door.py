"""Anybody's PyTorch model, in odd styles, against every masked forward pass written out."""

import itertools

import numpy as np
import pytest
import torch
from brute_force import candidates
from torch import nn

from ontogeny.circuits import (
    CircuitSettings,
    DetailedCircuitTracker,
    above,
    count_circuits,
    from_torch,
    sample_circuits,
    within,
)
from ontogeny.errors import OntogenyError

X = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))
Y = torch.tensor([0.0, 1.0, 1.0, 0.0])


def by_hand(network, right, x=None, least=0.99):
    """How many circuits of a network are right on enough rows, every candidate run as a masked network."""
    x = X.numpy() if x is None else x
    edges, nodes = candidates((*network.sizes[:-1], 1))
    total, block = 0, 4096
    for start in range(0, len(edges[0]), block):
        part = slice(start, start + block)
        h = np.broadcast_to(x.astype(np.float64), (len(edges[0][part]), *x.shape))
        for layer, (w, b) in enumerate(zip(network.weights, network.biases)):
            last = layer == len(network.weights) - 1
            mask = np.repeat(edges[layer][part], len(b), axis=1) if last else edges[layer][part]
            h = h @ (w * mask).transpose(0, 2, 1) + b
            if not last:
                h = network.hidden[layer](h) * nodes[layer][part][:, None]
        total += int((right(network.output(h)).mean(axis=1) > least).sum())
    return total


def rounded(out):
    return np.round(out[..., 0]) == Y.numpy()


def trained(model, loss, y=Y[:, None], steps=250, seed=0):
    torch.manual_seed(seed)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model(X), y).backward()
        optimiser.step()
    return model


class OutOfOrder(nn.Module):
    """Layers registered in another order than they run in, with functions called by hand."""

    def __init__(self):
        super().__init__()
        self.a, self.c, self.b, self.out = (
            nn.Linear(2, 3),
            nn.Linear(3, 3),
            nn.Linear(3, 3, bias=False),
            nn.Linear(3, 1),
        )

    def forward(self, x):
        h = torch.tanh(self.a(x))
        h = nn.functional.elu(h @ self.b.weight.T)
        return self.out(torch.relu(self.c(h)) * 1.0 + 0).squeeze(-1)


MODELS = {
    "sigmoid": lambda: nn.Sequential(nn.Linear(2, 3), nn.Sigmoid(), nn.Linear(3, 2), nn.Sigmoid(), nn.Linear(2, 1)),
    "gelu": lambda: nn.Sequential(nn.Linear(2, 3), nn.GELU(), nn.Linear(3, 3), nn.SiLU(), nn.Linear(3, 1)),
    "odd function": lambda: nn.Sequential(nn.Linear(2, 3), nn.Hardswish(), nn.Linear(3, 1)),
    "norm": lambda: nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(0.1), nn.Linear(4, 1)),
    "no bias": lambda: nn.Sequential(nn.Linear(2, 3, bias=False), nn.LeakyReLU(0.2), nn.Linear(3, 1, bias=False)),
    "linear in a row": lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Softplus(), nn.Linear(3, 1)),
}


@pytest.mark.parametrize("name", MODELS)
def test_circuits_of_a_model_are_those_of_its_masked_forward_passes(name):
    model = trained(MODELS[name](), nn.functional.mse_loss)
    model.train()
    network = from_torch(model, X)
    assert all(module.training for module in model.modules())
    assert network.count(Y).count == by_hand(network, rounded) == len(network.enumerate(Y))


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda net: net.count([0, 1, 1, 0], within), "the rule of outputs is a function"),
        (lambda net: net.count([0, 1, 1, 0], 0.1), "the rule of outputs is 0.1"),
        (lambda net: net.count([0, 1, 1, 0], output=1), "output 1: the network's outputs are numbered from 0 to 0"),
        (lambda net: net.count([0, 1, 1, 0], output=-1), "output -1: "),
        (lambda net: net.count([0, 1, np.nan, 0], within(0.1)), "y holds NaN or infinite values in float32$"),
        (lambda net: net.sample([0, 1, 1, 0], -3, 0), "a sample of -3 circuits"),
        (lambda net: count_circuits(net.weights, net.biases, net.x, [0, 1, 1, 0], rule="sign"), "is 'sign': give"),
        (lambda net: within("0.1"), "the tolerance of an output is '0.1': give a finite number"),
        (lambda net: within(1e300), r"is 1e\+300, and outputs, which are float32, reach no further than 3.4e\+38"),
        (lambda net: above(-1e300), "which are float32, reach no further"),
        (lambda net: net.sample([0, 1, 1, 0], 3, "a seed"), "the seed is 'a seed': give a whole number"),
        (lambda net: net.sample([0, 1, 1, 0], 3, -1), "the seed is -1"),
        (lambda net: net.right([0, 1, 1, 0], output=1), "output 1: the network's outputs are numbered from 0 to 0"),
        (lambda net: net.count("0110"), r"y has shape \(\); it must be"),
        (lambda net: net.forward(np.zeros((3, 5))), r"x has shape \(3, 5\); it must be \(rows, 2\)"),
        (lambda net: net.count([0, 1, 1, 0], "argmax", output=1), "argmax judges all outputs together"),
        (lambda net: net.count([0, 1, 1, 0], max_seconds="1h"), "max_seconds is '1h': give seconds"),
        (lambda net: from_torch(nn.Linear(2, 1), X, start=0), "start is 0: give a submodule of the model, or its name"),
        (lambda net: from_torch(net.forward, X, start="0"), "the model is a function, and has no submodules"),
        (lambda net: from_torch(nn.Linear(2, 1), X + 1j), "x holds complex numbers"),
        (lambda net: count_circuits(nn.Linear(2, 1), None, X, Y), "weights is of type Linear: give a list of arrays"),
        (lambda net: count_circuits(net.weights, net.biases, X, Y, activation=np.tanh), "activation is a function; na"),
        (lambda net: count_circuits(net.weights, net.biases, X, Y, threads="2"), "threads is '2': give 1 or more"),
        (lambda net: sample_circuits(net.weights, net.biases, X, Y, "3", 0), "cannot draw '3' circuits"),
        (lambda net: above(None), "the threshold of an output is None"),
    ],
)
def test_a_rule_or_output_that_is_none_is_told(ask, told):
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    network = from_torch(model, torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    with pytest.raises(OntogenyError, match=told):
        ask(network)


def test_layers_are_read_in_the_order_in_which_they_run():
    model = trained(OutOfOrder(), lambda out, y: nn.functional.mse_loss(out, y[:, 0]))
    network = from_torch(model, X)
    assert [function.name for function in network.hidden] == ["tanh", "elu", "relu"]
    assert np.array_equal(network.weights[1], model.b.weight.detach().numpy())
    assert network.count(Y).count == by_hand(network, rounded)


def test_rules_for_logits_and_probabilities():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    trained(model, nn.functional.binary_cross_entropy_with_logits, seed=1)
    logits, probabilities = from_torch(model, X), from_torch(nn.Sequential(model, nn.Sigmoid()), X)
    expected = by_hand(logits, lambda out: (out[..., 0] > 0) == (Y.numpy() > 0))
    assert expected > 0
    assert logits.count(Y, "sign").count == logits.count(2 * Y - 1, "sign").count == expected
    for rule in ("rounded", "probability"):
        assert probabilities.count(Y, rule).count == expected
    assert logits.count(Y).count < expected


@torch.no_grad()
def test_targets_that_are_any_numbers_and_other_thresholds():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = torch.randn(7, 2)
    for model in (plain, nn.Sequential(plain, nn.Tanh()), lambda x: torch.sigmoid(-plain(x))):
        network = from_torch(model, x)
        y = model(x).numpy()
        for rule, right in (
            (within(0.2), lambda out, y=y: np.abs(out[..., 0] - y[:, 0]) <= 0.2),
            (above(0.3), lambda out, y=y: (out[..., 0] > 0.3) == (y[:, 0] > 0.3)),
        ):
            targets = y > 0.3 if rule == above(0.3) else y
            expected = by_hand(network, right, x.numpy())
            assert network.count(targets, rule).count == expected > 0
            if model is plain:
                weights = network.weights, network.biases
                assert count_circuits(*weights, x, targets, activation="tanh", rule=rule).count == expected
    with pytest.raises(OntogenyError, match=r"judged with rule=within\(tolerance\)"):
        network.count(y)
    with pytest.raises(OntogenyError, match="finite number above 0"):
        within(0)


@torch.no_grad()
def test_a_threshold_that_no_output_reaches_is_met_by_all_for_target_0():
    torch.manual_seed(0)
    network = from_torch(
        nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1), nn.Tanh()), X
    )
    counted = network.count([0, 0, 0, 0], above(1.5))
    assert counted.count == counted.candidates
    assert network.count([0, 0, 1, 0], above(1.5)).count == 0


def tracked(model, **settings):
    return DetailedCircuitTracker(1, X, Y, candidates="all", **settings).track_epoch(0, model)


def test_the_tracker_follows_what_runs_and_judges_by_the_rule_that_is_named():
    odd = trained(OutOfOrder(), lambda out, y: nn.functional.mse_loss(out, y[:, 0]))
    assert tracked(odd, most_listed=10)["total_circuits"] == from_torch(odd, X).count(Y).count > 0
    logits = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2), nn.Tanh(), nn.Linear(2, 1))
    trained(logits, nn.functional.binary_cross_entropy_with_logits, seed=1)
    expected = from_torch(logits, X).count(Y, "sign").count
    assert tracked(logits, rule="sign")["total_circuits"] == expected > 0
    with pytest.warns(UserWarning, match="rule='sign'"):
        assert tracked(logits)["total_circuits"] < expected
    entry = tracked(nn.Sequential(logits, nn.Sigmoid()))
    assert entry["total_circuits"] == expected
    outputs = [circuit["neurons"][-1] for circuit in entry["outputs"][0]["circuits"]]
    assert all(0 <= neuron["min_activation"] <= neuron["max_activation"] <= 1 for neuron in outputs)


def test_a_model_in_double_precision_is_read():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)).double()
    assert from_torch(model, X).sizes == (2, 3, 1)


def test_argmax_of_two_and_three_outputs():
    for outputs, labels in ((2, [0, 1, 1, 0]), (3, [0, 1, 2, 0])):
        model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, outputs))
        trained(model, nn.functional.cross_entropy, torch.tensor(labels))
        network = from_torch(model, X)
        expected = by_hand(network, lambda out, labels=labels: out.argmax(axis=-1) == np.array(labels))
        assert network.count(labels, "argmax").count == expected > 0


@pytest.mark.parametrize("outputs", [3, 4])
def test_argmax_of_several_outputs_where_some_rows_may_be_wrong(outputs):
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(outputs)
    network = from_torch(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, outputs), nn.Softmax(-1)), x)
    labels = network.forward(x.numpy()).argmax(axis=1)
    labels[-1] = (labels[-1] + 1) % outputs
    for least in (0.85, 0.6):
        expected = by_hand(network, lambda out: out.argmax(axis=-1) == labels, x.numpy(), least)
        asked = (labels, "argmax", {"accuracy_threshold": least})
        found = network.enumerate(*asked)
        counted = network.count(*asked)
        assert counted.count == len(found) == expected > 1
        np.testing.assert_allclose(counted.edge_participation[0], found.edge_masks[0].mean(axis=0))
        drawn = network.sample(labels, 5, 0, *asked[1:])
        assert len(drawn) == min(5, expected)
        assert all(circuit in found for circuit in drawn)
    with pytest.raises(OntogenyError, match="lets all rows of each target be wrong"):
        network.count(labels, "argmax", {"accuracy_threshold": 0.0})


def test_a_slice_of_a_larger_network():
    front = nn.Sequential(nn.Linear(5, 2), nn.LayerNorm(2), nn.Sigmoid())
    back = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    model, x = nn.Sequential(front, back), torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    network = from_torch(model, x, start=back)
    assert network.sizes == (2, 3, 1)
    with torch.no_grad():
        inner = front(x).numpy()
    np.testing.assert_allclose(network.x, inner, atol=1e-6)
    y = (model(x).detach().numpy() > 0).astype(float)
    assert network.count(y, "sign").count == by_hand(network, lambda o: (o[..., 0] > 0) == (y[:, 0] > 0), inner) > 0
    np.testing.assert_array_equal(from_torch(model, x, start="1").x, network.x)
    with pytest.raises(OntogenyError, match=r"unknown submodule to start from '1\.4': did you mean '1\.[012]'"):
        from_torch(model, x, start="1.4")


class Skip(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 1)

    def forward(self, x):
        h = torch.relu(self.a(x))
        return self.c(h + torch.relu(self.b(h)))


@pytest.mark.parametrize("seed", [33, 76, 95, 365])
def test_neurons_that_are_hardly_ever_on_are_followed_too(seed):
    torch.manual_seed(seed)
    model = Skip()
    with pytest.raises(OntogenyError, match="skips a layer"):
        from_torch(model, X)
    with torch.no_grad():
        model.b.bias -= 50
    with pytest.raises(OntogenyError, match="skips a layer"):
        from_torch(model, X)


def test_rows_with_functions_of_their_own_are_refused():
    first, last = nn.Linear(2, 3), nn.Linear(3, 1)
    with torch.no_grad():
        first.weight.abs_()
        first.bias.abs_()

    def model(x):
        return torch.stack([last(torch.relu(h) if row[0] > 0 else h.abs()) for row in x for h in [first(row)]])

    with pytest.raises(OntogenyError, match="rows of x are not treated alike"):
        from_torch(model, X)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Skip, "skips a layer"),
        (
            lambda: nn.Sequential(nn.Linear(2, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 1)),
            "neither a linear map",
        ),
        (lambda: nn.Sequential(nn.Linear(2, 4), nn.Softmax(-1), nn.Linear(4, 1)), "after a softmax"),
        (lambda: nn.Linear(2, 1), "no hidden layer"),
    ],
)
def test_what_is_no_stack_of_layers_is_refused(model, says):
    with pytest.raises(OntogenyError, match=says):
        from_torch(model(), X)


def test_targets_that_do_not_fit_are_refused():
    network = from_torch(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)), X)
    with pytest.raises(OntogenyError, match="y has 1 output but the network has 2"):
        network.count(Y)
    with pytest.raises(OntogenyError, match="did you mean 'rounded'"):
        network.count(Y, "round")
    with pytest.raises(OntogenyError, match="one target from 0 to 1"):
        network.count([0, 1, 2, 0], "argmax")
    assert network.count([0, 1, 1, 0], "argmax", CircuitSettings(accuracy_threshold=0.7)).count >= 0
    assert network.count([0, 0, 0, 0], "argmax").count == by_hand(network, lambda out: out[..., 0] >= out[..., 1])
    with pytest.raises(OntogenyError, match="rule='sign'"):
        network.count(torch.tensor([[-1.0, 1], [1, 1], [1, -1], [-1, 1]]))


def test_an_activation_that_is_named_must_be_that_of_the_model():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    assert tracked(model, activation="tanh") == tracked(model)
    with pytest.raises(OntogenyError, match="have the activation tanh, not relu"):
        tracked(model, activation="relu")


def test_settings_may_be_names_and_values():
    network = from_torch(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)), X)
    for rule in ("sign", "rounded"):
        as_names = network.count(Y, rule, {"candidates": "published", "accuracy_threshold": 0.7})
        as_settings = network.count(Y, rule, CircuitSettings(candidates="published", accuracy_threshold=0.7))
        assert (as_names.count, as_names.candidates) == (as_settings.count, as_settings.candidates)
    with pytest.raises(OntogenyError, match="did you mean 'accuracy_threshold'"):
        network.count(Y, "sign", {"accuracy_treshold": 0.7})
