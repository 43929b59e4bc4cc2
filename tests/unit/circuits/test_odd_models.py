"""Users' models in odd styles: circuits are counted by setting the models' own weights to 0 and running them."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._higher_order_ops.map import map as map_rows
from torch._higher_order_ops.while_loop import while_loop
from torch.utils._pytree import tree_map

from ontogeny.circuits import DetailedCircuitTracker, ReadNetwork, above, from_torch, within
from ontogeny.circuits._problem import COUNT, LIST
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.errors import OntogenyError

X = torch.tensor(list(itertools.product((0.0, 1.0), repeat=2)))


class Model(nn.Module):
    """A model whose forward pass is a function of itself and x."""

    def __init__(self, run, **parts):
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self.run(self, x)


def masks(ins, outs, shape):
    places = list(itertools.product(outs, ins))
    for kept in itertools.product((0.0, 1.0), repeat=len(places)):
        mask = torch.zeros(shape)
        for place, keep in zip(places, kept):
            mask[place] = keep
        if mask[list(outs)].any(1).all() and mask[:, list(ins)].any(0).all():
            yield mask


def by_zeros(model, first, second, right):
    """Perfect circuits of a model with one hidden layer, whose matrices (out, in) are views of its own weights."""
    kept, found = (first.clone(), second.clone()), 0
    n = len(first)
    for size in range(1, n + 1):
        for active in itertools.combinations(range(n), size):
            for mask in masks(range(first.shape[1]), active, first.shape):
                first.copy_(kept[0] * mask)
                second.copy_(kept[1] * torch.tensor([float(k in active) for k in range(n)]))
                found += bool(right(model(X)))
    first.copy_(kept[0])
    second.copy_(kept[1])
    return found


def two_maps(run, **parts):
    return Model(run, a=nn.Linear(2, 3), b=nn.Linear(3, 1), **parts)


def loop(m, x):
    hidden = torch.zeros(len(x), 3)
    for j in range(3):
        hidden[:, j] = torch.tanh(sum(m.a.weight[j, i] * x[:, i] for i in range(2)) + m.a.bias[j])
    return sum(m.b.weight[0, j] * hidden[:, j] for j in range(3)) + m.b.bias


def checked(m, x):
    hidden = torch.relu(m.a(x))
    assert (x >= 0).all()
    if torch.isnan(hidden).any():
        raise ValueError("diverged")
    m.level = hidden.mean().item()
    return m.b(hidden)


def written_into(m, x):
    hidden = m.a(x).clone()
    hidden[hidden < 0] = -0.1
    return m.b(hidden)


def bias_first(m, x):
    out = m.b.bias.expand(len(x)).clone()
    for j in range(3):
        out += m.b.weight[0, j] * torch.tanh(x @ m.a.weight[j] + m.a.bias[j])
    return out


def written_by_places(m, x):
    hidden, order = torch.empty(len(x), 3), [2, 0, 1]
    hidden[:, order] = torch.tanh(m.a(x))
    return m.b(hidden[:, order])


STYLES = {
    "rows one by one": lambda m, x: torch.stack([m.b(torch.tanh(m.a(2 * row - 1))) for row in x]),
    "batches": lambda m, x: torch.cat([m.b(torch.relu(m.a(part))) for part in x.split(3)]),
    "two outputs added": lambda m, x: torch.stack([m.b(torch.relu(m.a(x))), m.b(torch.relu(m.a(x)))]).mean(0),
    "convolution": lambda m, x: F.conv1d(
        torch.relu(F.conv1d(x[:, None], m.a.weight[:, None], m.a.bias)), m.b.weight[..., None], m.b.bias
    ).flatten(1),
    "looked at": checked,
    "written into": written_into,
    "maximum of a stack": lambda m, x: m.b(torch.stack([h := m.a(x), 0.2 * h]).max(0).values),
    "logsumexp": lambda m, x: m.b(torch.stack([h := m.a(x), torch.zeros_like(h)], -1).logsumexp(-1)),
    "table": lambda m, x: m.b(torch.tensor([-0.2, 1.1])[(m.a(x) > 0).long()]),
    "spline": lambda m, x: m.b((torch.relu(m.a(x)[..., None] - m.g) * m.g.flip(0)).sum(-1)),
    "spline by matrix": lambda m, x: (torch.relu(m.a(x)[..., None] - m.g) @ m.g * m.b.weight).sum(1) + m.b.bias,
    "inputs times 0": lambda m, x: m.b(torch.tanh(m.a(x) + 0.0 * x.sum(1, keepdim=True))),
    "rational": lambda m, x: m.b((0.1 + (h := m.a(x)) + 0.5 * h**2) / (1 + (0.3 * h).abs())),
    "some of more": lambda m, x: m.b(torch.cat([m.a(x), m.norm(m.a(x)) * 2], 1)[:, :3].tanh()),
    "transposed": lambda m, x: (m.b.weight @ torch.relu(m.a.weight @ x.T + m.a.bias[:, None]) + m.b.bias).T,
    "einsum": lambda m, x: torch.einsum("oh,bh->bo", m.b.weight, F.silu(torch.einsum("bi,hi->bh", x, m.a.weight))),
    "sums": lambda m, x: (torch.relu((x[:, None] * m.a.weight).sum(-1) + m.a.bias)[:, None] * m.b.weight).sum(-1),
    "loop": loop,
    "swish": lambda m, x: m.b((h := m.a(x)) * torch.sigmoid(1.7 * h)),
    "where": lambda m, x: m.b(torch.where((h := m.a(x)) > 0, h, 0.2 * h)),
    "in place": lambda m, x: m.b(F.relu_(m.a(x))),
    "moved": lambda m, x: m.b(torch.relu(m.a(x)) + 0.5),
    "clamped": lambda m, x: m.b(m.a(x).clamp(-0.3, 0.4)),
    "steps": lambda m, x: m.b((m.a(x) > 0).float()),
    "softsign": lambda m, x: m.b(F.softsign(m.a(x))),
    "inputs": lambda m, x: m.b(torch.tanh(m.a(2 * x - 1))),
    "gains": lambda m, x: m.b(m.g * torch.relu(m.a(x * m.g[:2] + m.g[1:]))),
    "sparse": lambda m, x: m.b(torch.tanh(torch.sparse.mm(m.a.weight.to_sparse(), x.T).T + m.a.bias)),
    "a branch times 0": lambda m, x: m.b((h := torch.relu(m.a(x))) + m.zero * torch.relu(m.norm(h @ m.c.weight))),
    "an unused branch": lambda m, x: torch.cat([m.b(h := torch.tanh(m.a(x))), m.c(h).relu(), x], 1)[:, :1],
    "biases by ones": lambda m, x: (
        torch.cat([torch.tanh(m.a(x)), torch.ones(4, 1)], 1) @ torch.cat([m.b.weight.T, m.b.bias[None]])
    ),
    "powers": lambda m, x: m.b(torch.stack([m.a(x) ** k for k in range(3)], -1) @ m.g),
    "straight through": lambda m, x: m.b((h := m.a(x)) + ((h > 0).float() - h).detach()),
    "falling": lambda m, x: -torch.tanh(m.b(torch.tanh(m.a(x)))),
    "compressed": lambda m, x: m.b(torch.tanh((m.a.weight.to_sparse_csr() @ x.T).T + m.a.bias)),
    "several products": lambda m, x: torch.linalg.multi_dot([x, m.a.weight.T, m.b.weight.T]) + m.b.bias,
    "one hot": lambda m, x: m.b(F.one_hot((m.a(x) > 0).long(), 2).float() @ m.g[:2]),
    "table of steps": lambda m, x: m.b(m.g.detach()[(m.a(x).clamp(-1, 1) + 1).round().long()]),
    "bias first": bias_first,
    "own functions, one by one": lambda m, x: (
        sum(m.b.weight[0, j] * m.norm(F.softplus(m.a(x)))[:, j] for j in range(3)) + m.b.bias
    ),
    "held to be small": lambda m, x: (torch._assert((m.a(x).abs() < 99).all(), "large"), m.b(F.elu(m.a(x))))[1],
    "steps of their own": lambda m, x: m.b((m.a(x) > 0.02 * m.g).float()),
    "written by places": written_by_places,
    "noise while it learns": lambda m, x: m.b(torch.tanh(m.a(x) + m.training * m.g * torch.randn(4, 3))),
    "noise on top": lambda m, x: m.b((h := torch.relu(m.a(x))) + torch.randn_like(h) * 0.1 * float(m.training)),
    "named": lambda m, x: {"logits": m.b(m.norm(F.prelu(m.a(x), m.g)))},
    "mantissas": lambda m, x: m.b(torch.frexp(m.a(x)).mantissa),
    "a sum that cancels out": lambda m, x: torch.lerp(h := m.b(torch.tanh(m.a(x))), h, 0.3),
    "the same sum twice": lambda m, x: m.b(h := torch.tanh(m.a(x))) + 0.3 * (m.b(h) - m.b(h)),
    "sums without NaN": lambda m, x: m.b(torch.tanh((x[:, None] * m.a.weight).nansum(-1) + m.a.bias)),
    "added at places": lambda m, x: m.b(
        torch.zeros(4, 3).index_add(1, torch.tensor([2, 0, 1]), torch.sin(m.a(x)))[:, [2, 0, 1]]
    ),
    "added into places": lambda m, x: m.b(
        torch.zeros(4, 3).scatter_add(1, torch.arange(6).expand(4, -1) // 2, (x[:, None] * m.a.weight).flatten(1)).cos()
    ),
    "gathered": lambda m, x: m.b(
        torch.relu(m.a(x).gather(1, torch.tensor([[1, 2, 0]]).expand(4, -1))).take(
            torch.arange(12).view(4, 3).roll(1, 1)
        )
    ),
    "last of running sums": lambda m, x: m.b(F.elu((x[:, None] * m.a.weight).cumsum(-1)[..., -1] + m.a.bias)),
    "bags of rows of weights": lambda m, x: m.b(
        F.embedding_bag(
            torch.arange(2).repeat(4, 1), m.a.weight.T.contiguous(), mode="sum", per_sample_weights=x
        ).tanh()
    ),
    "bilinear": lambda m, x: m.b(torch.tanh(F.bilinear(x, torch.ones(4, 1), m.a.weight[..., None], m.a.bias))),
    "bilinear, turned": lambda m, x: m.b(F.mish(F.bilinear(torch.ones(4, 1), x, m.a.weight[:, None], m.a.bias))),
}


def outputs_of(result):
    return (result["logits"] if isinstance(result, dict) else result).reshape(-1)


@pytest.mark.parametrize("name", STYLES)
@torch.no_grad()
def test_a_style_of_code_makes_no_difference(name):
    for seed in range(50):
        torch.manual_seed(seed)
        norm = nn.BatchNorm1d(3)
        norm.running_mean.normal_()
        model = two_maps(
            STYLES[name], g=nn.Parameter(torch.tensor([0.5, -0.3, 2.0])), norm=norm, c=nn.Linear(3, 3)
        ).eval()
        model.zero = nn.Parameter(torch.zeros(1))
        y = (outputs_of(model(X)) > 0.5).float()
        if 0 < y.sum() < 4:
            break
    network = from_torch(model, X)
    expected = by_zeros(model, model.a.weight, model.b.weight, lambda out: ((outputs_of(out) > 0.5) == (y > 0)).all())
    assert network.sizes == (2, 3, 1)
    assert network.count(y, "probability").count == expected > 0


def by_all_zeros(matrices, model, right):
    """Perfect circuits of a model with any number of hidden layers, whose matrices (out, in) are its own weights."""
    kept, found = [m.clone() for m in matrices], 0
    sizes = [m.shape[1] for m in matrices]
    choices = [[a for k in range(1, n + 1) for a in itertools.combinations(range(n), k)] for n in sizes[1:]]
    for active in itertools.product(*choices):
        chain = itertools.pairwise([range(sizes[0]), *active])
        options = [list(masks(ins, outs, m.shape)) for (ins, outs), m in zip(chain, matrices)]
        on = torch.tensor([float(k in active[-1]) for k in range(sizes[-1])])
        for chosen in itertools.product(*options, [on]):
            for matrix, whole, mask in zip(matrices, kept, chosen):
                matrix.copy_(whole * mask)
            found += bool(right(model(X)))
    for matrix, whole in zip(matrices, kept):
        matrix.copy_(whole)
    return found


def on_columns(w, b, h):
    return torch.stack([sum(w[j, i] * h[:, i] for i in range(w.shape[1])) + b[j] for j in range(len(w))], 1)


WRITTEN_OUT = {
    "columns": on_columns,
    "parts": lambda w, b, h: torch.stack([w[:, i] * h[:, i : i + 1] for i in range(len(h[0]))]).sum(0) + b,
    "row sums": lambda w, b, h: torch.stack([(h * row).sum(1) for row in w], 1) + b,
    "row means": lambda w, b, h: torch.stack([(h * row).mean(1) * len(row) for row in w], 1) + b,
    "fused": lambda w, b, h: sum(torch.addcmul(b / len(w[0]), h[:, i : i + 1], w[:, i]) for i in range(len(w[0]))),
    "divided": lambda w, b, h: (
        torch.stack([sum(h[:, i] / (1 / w[j, i]) for i in range(len(w[0]))) for j in range(len(w))], 1) + b
    ),
    "outer": lambda w, b, h: sum(torch.outer(h[:, i], w[:, i]) for i in range(len(w[0]))) + b,
}
BETWEEN = {
    "nothing": lambda m, h: h,
    "a factor": lambda m, h: -0.7 * h,
    "gains": lambda m, h: m.g * h + 0.2,
    "norm": lambda m, h: m.norm(h),
    "some functions": lambda m, h: torch.stack([h[:, 0], h[:, 1].abs()], 1),
}


@pytest.mark.parametrize("way", WRITTEN_OUT)
@pytest.mark.parametrize("between", BETWEEN)
@torch.no_grad()
def test_linear_layers_that_are_written_out_stay_layers(way, between):
    write, do = WRITTEN_OUT[way], BETWEEN[between]
    for sizes in ((2, 2, 2, 1), (2, 1, 2, 1)) if between in ("nothing", "gains") else ((2, 2, 2, 1),):
        torch.manual_seed(len(way))
        layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        norm = nn.BatchNorm1d(sizes[1]).eval()
        norm.running_mean.normal_()

        def run(m, x):
            h = do(m, write(m.a.weight, m.a.bias, x))
            return write(m.c.weight, m.c.bias, torch.tanh(write(m.d.weight, m.d.bias, h)))

        def straight(m, x):
            return write(m.c.weight, m.c.bias, do(m, write(m.d.weight, m.d.bias, torch.tanh(m.a(x)))))

        for order in (run, straight) if sizes[1] == sizes[2] else (run,):
            model = Model(order, **dict(zip("adc", layers)), norm=norm, g=nn.Parameter(torch.rand(sizes[1]) + 0.5))
            layers[-1].bias -= model(X).median() + 1e-3
            y = model(X)[:, 0] > 0
            expected = by_all_zeros([m.weight for m in layers], model, lambda out, y=y: ((out[:, 0] > 0) == y).all())
            network = from_torch(model, X)
            assert network.sizes == sizes
            assert network.count(y, "sign").count == expected > 0


@pytest.mark.parametrize("rows", ["equal", "twice", "zero", "opposite"])
@torch.no_grad()
def test_neurons_with_the_same_weights_by_chance_are_several(rows):
    torch.manual_seed(3)
    first, last = nn.Linear(2, 3), nn.Linear(3, 1)
    first.weight[1] = {"equal": 1, "twice": 2, "zero": 0, "opposite": -1}[rows] * first.weight[0]
    first.weight[0] *= rows != "zero"
    for run in (
        lambda m, x: m.b(torch.stack([torch.relu(x @ w + b) for w, b in zip(m.a.weight, m.a.bias)], 1)),
        lambda m, x: (
            sum(v * torch.relu(x @ w + b) for v, w, b in zip(m.b.weight[0], m.a.weight, m.a.bias))[:, None] + m.b.bias
        ),
        lambda m, x: m.b(torch.cat([torch.relu(x @ w[:, None]) for w in m.a.weight], 1)),
    ):
        model = Model(run, a=first, b=last)
        last.bias -= model(X).median() + 1e-3
        y = model(X)[:, 0] > 0
        expected = by_zeros(model, first.weight, last.weight, lambda out, y=y: ((out[:, 0] > 0) == y).all())
        network = from_torch(model, X)
        assert network.sizes == (2, 3, 1)
        assert network.count(y, "sign").count == expected > 0


@torch.no_grad()
def test_biases_and_weights_that_are_no_parameters_are_what_they_are():
    torch.manual_seed(0)
    first, fixed = nn.Linear(2, 3), nn.Buffer(torch.randn(1, 3))
    model = Model(
        lambda m, x: m.bias + sum(m.w[:, k] * m.a(x)[:, k : k + 1] ** 2 for k in range(3)),
        a=first,
        w=fixed,
        bias=nn.Parameter(torch.zeros(1)),
    )
    model.bias -= model(X).median() + 1e-3
    y = model(X)[:, 0] > 0
    expected = by_zeros(model, first.weight, fixed, lambda out: ((out[:, 0] > 0) == y).all())
    assert from_torch(model, X).count(y, "sign").count == expected > 0


SPLINES = {
    "sums": lambda z, t, c: (torch.relu(z[..., None] - t) * c).sum(-1),
    "matrix": lambda z, t, c: torch.relu(z[..., None] - t) @ c,
    "scaled": lambda z, t, c: (torch.relu(z * c - t) * c).sum(1, keepdim=True),
    "divided": lambda z, t, c: ((z - t) / c).clamp(0, 1).sum(1, keepdim=True),
    "copies": lambda z, t, c: torch.relu(torch.cat([z] * len(t), 1) - t) @ c[:, None],
    "expanded": lambda z, t, c: torch.tanh(z.expand(-1, len(t)) - t).mean(1, keepdim=True),
    "copies by ones": lambda z, t, c: torch.relu(z @ torch.ones(1, len(t)) - t) @ c[:, None],
    "put together": lambda z, t, c: torch.cat([torch.relu(z - knot) for knot in t], 1) @ c[:, None],
    "row by row": lambda z, t, c: torch.stack([torch.relu(row - t) @ c for row in z])[:, None],
    "waves": lambda z, t, c: torch.sin(z * torch.arange(1.0, len(t) + 1)) @ c[:, None],
}


@pytest.mark.parametrize("name", SPLINES)
@pytest.mark.parametrize("kept", ["parameters", "buffers", "literals"])
@pytest.mark.parametrize("knots", [1, 2, 4])
@torch.no_grad()
def test_a_spline_of_a_layer_of_one_neuron_is_no_layer(name, kept, knots):
    torch.manual_seed(knots)
    first, last, t, c = nn.Linear(2, 1), nn.Linear(1, 1), torch.randn(knots), torch.randn(knots)
    own = {"parameters": nn.Parameter, "buffers": nn.Buffer}.get(kept, torch.Tensor.tolist)

    def run(m, x):
        t, c = (torch.tensor(part) if kept == "literals" else part for part in (m.t, m.c))
        return m.b(SPLINES[name](m.a(x), t, c))

    model = Model(run, a=first, b=last, t=own(t), c=own(c))
    last.bias -= model(X).median() - 1e-3
    y = model(X)[:, 0] > 0
    expected = by_zeros(model, first.weight, last.weight, lambda out: ((out[:, 0] > 0) == y).all())
    for one in (model, lambda x: model(x)):
        try:
            network = from_torch(one, X)
        except OntogenyError:
            assert kept == "parameters"
            continue
        if kept != "parameters" or network.sizes == (2, 1, 1):
            assert (network.sizes, network.count(y, "sign").count) == ((2, 1, 1), expected)
        else:  # what a parameter is multiplied with are neurons
            assert network.sizes in ((2, 1, knots, 1, 1), (2, 1, 1, 1))
            assert name == "scaled" or knots == 1


@torch.no_grad()
def test_a_layer_of_one_neuron_after_one_of_one_may_be_written_out():
    """Its weight was taken for a part of the neuron's function, after which there was no hidden layer."""
    torch.manual_seed(0)
    model = Model(
        lambda m, x: (F.hardswish(m.a(x))[:, None] * m.b.weight).sum(-1) + m.b.bias,
        a=nn.Linear(2, 1),
        b=nn.Linear(1, 1),
    )
    model.b.bias -= model(X).median() + 1e-3
    y = model(X)[:, 0] > 0
    expected = by_zeros(model, model.a.weight, model.b.weight, lambda out: ((out[:, 0] > 0) == y).all())
    network = from_torch(model, X)
    assert network.sizes == (2, 1, 1)
    assert network.count(y, "sign").count == expected > 0


@torch.no_grad()
def test_an_input_that_is_there_twice_is_two():
    torch.manual_seed(4)
    model = two_maps(lambda m, x: m.b(torch.tanh(torch.cat([x, x], 1) @ m.c.weight.T)), c=nn.Linear(4, 3, bias=False))
    y = model(X)[:, 0] > 0
    network = from_torch(model, X)
    assert network.sizes == (4, 3, 1)
    expected = by_zeros(model, model.c.weight, model.b.weight, lambda out: ((out[:, 0] > 0) == y).all())
    assert network.count(y, "sign").count == expected > 0


def features(x):
    return torch.where(torch.stack([x[:, 0], x[:, 1], x[:, 0] ^ x[:, 1]], 1), 1.0, -1.0)


@torch.no_grad()
@pytest.mark.parametrize(
    ("x", "first"),
    [
        (X.bool(), features),
        (X.bool(), lambda x: torch.cat([~x, x[:, :1]], 1).float()),
        (X.long(), lambda x: F.one_hot(x, 2).flatten(1)[:, :3].float()),
        (X.int(), lambda x: torch.cat([x, x[:, :1] * x[:, 1:]], 1) / 2),
        ((255 * X).to(torch.uint8), lambda x: F.pad(x / 255, (0, 1), value=0.3).sin()),
    ],
)
def test_inputs_may_be_whole_numbers_and_what_is_so(x, first):
    torch.manual_seed(1)
    model = Model(lambda m, x: m.b(torch.tanh(m.a(first(x)))), a=nn.Linear(3, 2), b=nn.Linear(2, 1))
    model.b.bias -= model(x).median() + 1e-3
    y = model(x)[:, 0] > 0
    found = 0
    for kept in masks_of(3, 2):
        network = copy.deepcopy(model)
        network.a.weight *= kept
        network.b.weight *= kept.any(1)
        found += bool(((network(x)[:, 0] > 0) == y).all())
    assert from_torch(model, x).count(y, "sign").count == found > 0


def masks_of(inputs, neurons):
    for active in itertools.product((False, True), repeat=neurons):
        yield from (
            masks(range(inputs), [k for k in range(neurons) if active[k]], (neurons, inputs)) if any(active) else ()
        )


@torch.no_grad()
def test_numbers_beside_the_inputs_are_weighed_as_biases():
    torch.manual_seed(0)
    weights, last = nn.Parameter(torch.randn(3, 3)), nn.Linear(3, 1)
    ones = torch.ones(4, 1)

    def written(x):
        h = torch.ones(len(x), 3)
        h[:, :2] = x
        return h

    for join in (lambda x: torch.cat([x, ones], 1), lambda x: F.pad(x, (0, 1), value=1.0), written):
        model = Model(lambda m, x, join=join: m.b(torch.tanh(join(x) @ m.w.T)), w=weights, b=last)
        last.bias -= model(X).median() + 1e-3
        y = model(X)[:, 0] > 0
        network = from_torch(model, X)
        expected = by_zeros(model, weights[:, :2], last.weight, lambda out, y=y: ((out[:, 0] > 0) == y).all())
        assert network.sizes == (2, 3, 1)
        assert network.count(y, "sign").count == expected > 0


@torch.no_grad()
def test_outputs_that_say_the_same_are_for_argmax():
    torch.manual_seed(2)
    model = two_maps(lambda m, x: m.b(torch.tanh(m.a(x))))
    y = model(X)[:, 0] > model(X).median()
    model.b.bias -= model(X).median() + 1e-3
    expected = from_torch(model, X).count(y, "sign").count
    ends = [
        lambda o: torch.cat([1 - torch.sigmoid(o), torch.sigmoid(o)], 1),
        lambda o: torch.cat([torch.zeros(4, 1), o], 1),
        lambda o: F.pad(o, (1, 0)),
        lambda o: torch.cat([-o, o], 1),
    ]
    assert {from_torch(lambda x, e=end: e(model(x)), X).count(y, "argmax").count for end in ends} == {expected}
    assert expected > 0


@torch.no_grad()
@pytest.mark.parametrize("end", [lambda o: -o, lambda o: (o - 0.1) ** 3, lambda o: 0.3 - o])
def test_the_sign_is_that_of_the_output_of_the_model(end):
    torch.manual_seed(5)
    first, last = nn.Linear(2, 3), nn.Linear(3, 1)
    model = Model(lambda m, x: end((F.silu(m.a(x))[:, None] * m.b.weight).sum(-1) + m.b.bias), a=first, b=last)
    y = model(X)[:, 0] > 0
    expected = by_zeros(model, first.weight, last.weight, lambda out: ((out[:, 0] > 0) == y).all())
    assert from_torch(model, X).count(y, "sign").count == expected > 0


@torch.no_grad()
def test_models_that_are_compiled_scripted_or_parametrised():
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    normed = nn.utils.parametrizations.weight_norm(copy.deepcopy(plain[0]))
    for model in (
        torch.compile(plain, backend="eager"),
        torch.jit.trace(plain, X),
        torch.jit.freeze(torch.jit.script(plain.eval())),
        nn.DataParallel(plain),
        nn.Sequential(normed, *plain[1:]),
        lambda x: torch.func.functional_call(plain, dict(plain.named_parameters()), (x,)),
    ):
        network = from_torch(model, X)
        for got, layer in zip(network.weights, (plain[0], plain[2])):
            assert torch.allclose(torch.as_tensor(got), layer.weight, atol=1e-6)


@torch.no_grad()
def test_nothing_of_a_model_is_changed_by_reading_it():
    def count_and_drop(m, x):
        m.calls += 1
        return m.b(m.drop(torch.relu(m.a(x))))

    model = two_maps(count_and_drop, drop=nn.Dropout(0.5))
    model.register_buffer("calls", torch.zeros(1))
    state = torch.get_rng_state()
    network = from_torch(lambda x: model(x), X)
    assert model.drop.training
    assert torch.equal(torch.get_rng_state(), state)
    assert network.count(torch.zeros(4), "sign").count >= 0
    from_torch(model, X)
    assert model.calls == 0


def by_hand(m, z):
    grown = torch.exp(z - z.max(1, keepdim=True).values)
    return grown / grown.sum(1, keepdim=True)


def as_policy(m, z):
    return torch.distributions.Categorical(logits=z).probs


def test_softmax_is_for_argmax():
    torch.manual_seed(0)
    logits = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2))
    labels = logits(X).argmax(1)
    counts = {
        from_torch(nn.Sequential(logits, end), X).count(labels, "argmax").count
        for end in (nn.Identity(), nn.Softmax(1), nn.LogSoftmax(-1), Model(by_hand), Model(as_policy))
    }
    assert len(counts) == 1
    shares = [lambda x: logits(x).softmax(1)[:, 1], lambda x: F.log_softmax(logits(x), 1).exp()[..., 1]]
    apart = lambda x: logits(x) @ torch.tensor([-1.0, 1.0])  # noqa: E731
    assert {from_torch(share, X).count(labels, "probability").count for share in shares} == counts
    assert {from_torch(apart, X).count(labels, "sign").count} == counts
    with pytest.raises(OntogenyError, match="rule='argmax'"):
        from_torch(nn.Sequential(logits, nn.Softmax(1)), X).count(torch.zeros(4, 2))


WAVY = {
    "square": (lambda o: o * o, "rounded"),
    "wave": (lambda o: torch.sin(3 * o), above(0.2)),
    "hump": (lambda o: torch.exp(-o * o), "probability"),
    "narrow": (lambda o: o * o, within(1e-3)),
    "long wave": (lambda o: torch.sin(3 * o), above(0.2)),
    "short wave": (lambda o: o + 0.06 * torch.sin(torch.remainder(o, 0.008) * (250 * torch.pi)), above(0.2)),
}


@pytest.mark.parametrize("end", WAVY)
@torch.no_grad()
def test_outputs_that_neither_rise_nor_fall_are_judged_as_they_are(end):
    function, rule = WAVY[end]
    judged = {"square": lambda out, y: out.round() == y, "narrow": lambda out, y: (out - y).abs() <= 1e-3}
    right = judged.get(end, lambda out, y: (out > (0.2 if "wave" in end else 0.5)) == (y > 0))
    compared = 0
    for seed in range(6):
        torch.manual_seed(seed)
        model = two_maps(lambda m, x: function(m.b(torch.tanh(m.a(x)))))
        if end == "long wave":  # rises from -8 to 8
            model.run = lambda m, x: function(m.b(torch.tanh(m.a(x))) / 24)
            model.b.weight *= 100
        outputs = model(X)[:, 0]
        y = outputs if end == "narrow" else torch.ones(4) if end == "hump" else (outputs > 0.3).float()
        for least in (0.99, 0.7):

            def perfect(out, y=y, least=least):
                return right(out[:, 0], y).float().mean() > least

            expected = by_zeros(model, model.a.weight, model.b.weight, perfect)
            network, settings = from_torch(model, X), {"accuracy_threshold": least}
            assert network.count(y, rule, settings).count == len(network.enumerate(y, rule, settings)) == expected
            compared += expected > 0
        assert network.right(y, rule).tolist() == right(outputs, y).tolist()
    assert compared > 3
    if end == "square":
        entry = DetailedCircuitTracker(1, X, y[:, None], candidates="all").track_epoch(0, model)
        assert entry["total_circuits"] == network.count(y, rule).count


ENDS = {
    "logarithms of both shares": lambda o: torch.cat([F.logsigmoid(-o), F.logsigmoid(o)], 1),
    "logarithms of shares": lambda o: torch.log(torch.stack([1 - (p := torch.sigmoid(o[:, 0])), p], 1)),
    "by log1p": lambda o: torch.cat([torch.log1p(-torch.sigmoid(o)), torch.sigmoid(o).log()], 1),
    "hinges": lambda o: torch.hstack([torch.relu(0.2 - o), torch.relu(o + 0.1)]),
    "three ranges": lambda o: torch.cat([-o, 0.3 - (o - 0.1) ** 2, o - 0.2], 1),
    "waves": lambda o: torch.cat([torch.sin(3 * o), torch.cos(3 * o)], 1),
}


@pytest.mark.parametrize("end", ENDS)
@torch.no_grad()
def test_the_largest_of_functions_of_one_sum_is_a_range_of_the_sum(end):
    compared = 0
    for seed in range(30):
        torch.manual_seed(seed)
        model = two_maps(lambda m, x: ENDS[end](m.b(torch.tanh(m.a(x)))))
        labels = model(X).argmax(1)
        if end == "waves" and seed == 0:
            with pytest.raises(OntogenyError, match="largest in several ranges of the sum"):
                from_torch(model, X).count(labels, "argmax")
        if end == "waves" or len(labels.unique()) < 2:
            continue
        network = from_torch(model, X)
        for least in (0.99, 0.7):

            def right(out, labels=labels, least=least):
                return (out.argmax(1) == labels).float().mean() > least

            expected = by_zeros(model, model.a.weight, model.b.weight, right)
            assert network.count(labels, "argmax", {"accuracy_threshold": least}).count == expected > 0
        assert network.right(labels, "argmax").all()
        compared += 1
        if compared == 5:
            break
    assert compared == 5 or end == "waves"


OF_SEVERAL = {
    "larger": (lambda m, h: m.b(h).max(1).values, (2, 3, 2)),
    "smaller": (lambda m, h: torch.minimum((o := m.b(h))[:, 0], o[:, 1]), (2, 3, 2)),
    "larger of two heads": (lambda m, h: torch.maximum(*(h @ w + b for w, b in zip(m.b.weight, m.b.bias))), (2, 3, 2)),
    "size of complex numbers": (lambda m, h: torch.view_as_complex(m.b(h).contiguous()).abs(), (2, 3, 2)),
    "gated": (lambda m, h: F.glu(m.b(h), 1), (2, 3, 2)),
    "whether one of two": (lambda m, h: ((o := m.b(h))[:, 0] > 0) ^ (o[:, 1] > 0), (2, 3, 2)),
    "difference": (lambda m, h: ((o := m.b(h))[:, 0] - o[:, 1]).abs(), (2, 3, 1)),
    "in order": (lambda m, h: m.b(h).sort(1).values, (2, 3, 2)),
}


@pytest.mark.parametrize("end", OF_SEVERAL)
@torch.no_grad()
def test_outputs_made_of_several_are_judged_as_they_are(end):
    """They were refused; a difference was read as a layer of fixed weights, 174 circuits for 32."""
    function, sizes = OF_SEVERAL[end]
    compared = 0
    for seed in range(4):
        torch.manual_seed(seed)
        model = Model(lambda m, x: function(m, torch.tanh(m.a(x))), a=nn.Linear(2, 3), b=nn.Linear(3, 2))
        outputs = model(X).float().reshape(4, -1)
        limit, first = float(outputs[:, 0].median()) - 1e-4, outputs[:, 0]
        asked = [
            (outputs > limit, above(limit), lambda out, t=limit, y=first: ((out > t) == (y > t)).all()),
            (outputs, within(0.3), lambda out, y=first: ((out - y).abs() <= 0.3).all()),
        ]
        network = from_torch(model, X)
        assert network.sizes == sizes
        for y, rule, right in asked:
            expected = by_zeros(
                model, model.a.weight, model.b.weight, lambda out, r=right: r(out.float().reshape(4, -1)[:, 0])
            )
            assert network.count(y, rule).count == len(network.enumerate(y, rule)) == expected
            assert network.right(y, rule).all()
            compared += 0 < expected < 49
        if end == "in order":
            labels = outputs.argmax(1)
            expected = by_zeros(model, model.a.weight, model.b.weight, lambda out, y=labels: (out.argmax(1) == y).all())
            assert network.count(labels, "argmax").count == expected > 0
            with pytest.raises(OntogenyError, match="made of several sums each"):
                network.separate()
    assert compared > 2


MIXED = torch.tensor([[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.2, 0.0, 1.0]])
MIXING = {
    "held elsewhere": lambda m, x: m.b(torch.relu(m.a(x) @ MIXED)),
    "a buffer": lambda m, x: m.b(torch.relu(m.a(x)) @ m.mixed),
    "made as it runs": lambda m, x: m.b(torch.relu(m.a(x) @ torch.tensor(MIXED.tolist()))),
    "with a bias": lambda m, x: m.b(torch.relu(F.linear(m.a(x), MIXED, m.a.bias))),
    "sums": lambda m, x: m.b(torch.relu(m.a(x).cumsum(1))),
    "differences": lambda m, x: m.b(torch.relu(m.a(x) - m.a(x).roll(1, 1))),
}


@pytest.mark.parametrize("name", MIXING)
def test_fixed_numbers_between_neurons_are_no_weights(name):
    """They were read as a layer, 9,625 circuits for a network of 49. Parameters in their place are one."""
    torch.manual_seed(0)
    model = two_maps(MIXING[name], mixed=nn.Buffer(MIXED))
    with pytest.raises(OntogenyError, match="mixes neurons by fixed numbers"):
        from_torch(model, X)
    model = two_maps(lambda m, x: m.b(torch.relu(m.a(x) @ m.mixed)), mixed=nn.Parameter(MIXED))
    assert from_torch(model, X).sizes == (2, 3, 3, 1)


@torch.no_grad()
def test_weights_that_are_whole_numbers_are_weights_also_before_a_layer_without_biases():
    """The first layer was taken for something done to the inputs, and the circuits were those of the rest."""
    for kept, scale in (("weight", 0.02), ("bias", 0.02 + 0.01 * torch.arange(3))):
        torch.manual_seed(4)
        model = two_maps(
            lambda m, x: m.b(torch.tanh(m.c(torch.relu(F.linear(x, m.whole.float()) * m.scale)))), c=nn.Linear(3, 2)
        )
        model.b = nn.Linear(2, 1)
        model.register_buffer("whole", (model.a.weight * 60).round().to(torch.int8))
        model.register_buffer("scale", torch.as_tensor(scale))
        network = from_torch(model, X)
        assert network.sizes == (2, 3, 2, 1), kept
        read = np.abs(network.weights[0]) / np.abs(network.weights[0]).max(axis=1, keepdims=True)
        own = model.whole.double().abs().numpy()
        np.testing.assert_allclose(read, own / own.max(axis=1, keepdims=True), rtol=1e-5)


def test_a_buffer_that_is_sparse_is_read_and_left_alone():
    torch.manual_seed(0)
    model = two_maps(lambda m, x: m.b(torch.tanh(torch.sparse.mm(m.kept, x.T).T + m.a.bias)))
    model.register_buffer("kept", model.a.weight.detach().to_sparse())
    before = model.kept.to_dense().clone()
    assert from_torch(model, X).sizes == (2, 3, 1)
    torch.testing.assert_close(model.kept.to_dense(), before)


def gated(m, x):
    return m.b(m.a(x) * torch.sigmoid(m.c(x)))


def by_value(m, x):
    return m.b(torch.relu(m.a(x)) if m.a(x).max() < 1e3 else m.a(x))


def one_after_another(m, x):
    hidden, outputs = torch.zeros(3), []
    for row in x:
        hidden = torch.tanh(m.a(row) + hidden)
        outputs.append(m.b(hidden))
    return torch.stack(outputs)


class Marked(torch.Tensor):
    """A kind of tensor that does nothing of its own."""


class Whole(torch.Tensor):
    """Weights that are whole numbers with a scale, and real ones whenever something is done with them."""

    def __new__(cls, numbers, scale):
        return torch.Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=scale.dtype)

    def __init__(self, numbers, scale):
        self.numbers, self.scale = numbers, scale

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func is torch.ops.aten.detach.default:
            return args[0]
        return func(*tree_map(cls.real, args), **tree_map(cls.real, kwargs or {}))

    @classmethod
    def real(cls, value):
        return value.numbers * value.scale if isinstance(value, cls) else value


@torch.no_grad()
def test_weights_that_are_a_kind_of_tensor_are_followed_to_the_tensors_they_are_made_of():
    torch.manual_seed(0)
    model = two_maps(lambda m, x: m.b(torch.tanh(m.a(x))))
    numbers, scale = (model.a.weight * 50).round().to(torch.int8), torch.tensor(0.02)
    model.a.weight = nn.Parameter(Whole(numbers, scale), requires_grad=False)
    model.b.bias -= model(X).median() + 1e-3
    network, y = from_torch(model, X.as_subclass(Marked)), model(X)[:, 0] > 0
    expected = by_zeros(model, numbers, model.b.weight, lambda out: ((out[:, 0] > 0) == y).all())
    assert network.sizes == (2, 3, 1)
    assert network.count(y, "sign").count == expected > 0


REFUSED = {
    "two layers": lambda m, x: m.b(torch.relu(m.a(x))) + x[:, :1] @ m.b.weight[:, :1],
    "different neurons": gated,
    "shared by two": lambda m, x: m.b(torch.relu(h := m.a(x))) + m.b(torch.relu(-h)),
    "shared by two neurons": lambda m, x: m.b(torch.relu(m.a(x.repeat(2, 1)))).view(2, 4, 1).mean(0),
    "decides by values": by_value,
    "decides by values that": lambda m, x: m.b(torch.relu((h := m.a(x)) / h.max().item())),
    "rows of x are not treated alike": one_after_another,
    "connections share weights": lambda m, x: m.b(F.conv1d(x[:, None], m.g[None, None, :2], padding=1).flatten(1)),
    "two runs": lambda m, x: m.b(F.dropout(torch.relu(m.a(x)) + 1)),
    "one tensor of outputs": lambda m, x: (m.a(x), m.b(m.a(x))),
    r"draws random numbers \('randn_like'\)": lambda m, x: m.b(torch.relu(m.a(x)) + 1e-9 * torch.randn_like(m.a(x))),
    "mixes rows": lambda m, x: m.b(torch.relu((h := m.a(x)) - h.mean(0))),
    "not connected to all": lambda m, x: m.b(torch.sin(torch.cat([m.a.weight[:2, 0] * x, x[:, 1:] * m.g[0]], 1))),
    "computes in bfloat16": lambda m, x: m.b(torch.relu(m.a(x)).bfloat16().float()),
    "NaN or infinite": lambda m, x: m.b(torch.log(m.a(x) * 0)),
    "works with a Generator": lambda m, x: m.b(torch.relu(m.a(x))) + torch.randn(4, 1, generator=torch.Generator()),
    "does not run on x": lambda m, x: m.b(m.a(x[:, :1])),
    "several weights connect": lambda m, x: torch.cat([h := torch.tanh(m.a(x)), h], 1) @ m.c.weight.reshape(6, 1),
    r"outside of PyTorch \(NumPy\)": lambda m, x: m.b(torch.from_numpy(np.tanh(m.a(x).detach().numpy()))),
    r"outside of PyTorch \(tolist\)": lambda m, x: m.b((h := torch.relu(m.a(x))) / (1 + max(max(h.tolist())))),
    "without weights": lambda m, x: m.b(torch.relu(m.a(x) + x.sum(1, keepdim=True))),
    "as a residual connection": lambda m, x: torch.relu(x @ m.c.weight[:2].T + 0.3 * x) @ m.g[:2],
    "'cat' on sums with weights": lambda m, x: torch.relu(torch.cat([m.a(x), x], 1)) @ m.c.weight.reshape(6, 1)[:5],
    "'mul' on neurons together with its inputs": lambda m, x: m.b(m.a(x) * x[:, :1]),
    "a recurrent layer with gates": lambda m, x: m.b(m.lstm(x[:, None])[0][:, 0]),
    "recurrent layers with gates do": lambda m, x: m.b(m.gru(x[:, None])[0][:, 0]),
    "'embedding_bag_forward_only', which is linear only in the weights": lambda m, x: m.b(
        torch.tanh(F.embedding_bag(x.long(), m.a.weight.T.contiguous(), mode="max"))
    ),
    "hands functions to 'cond' of PyTorch": lambda m, x: m.b(
        torch.cond(m.a(x).sum() > 1e3, torch.relu, torch.tanh, (m.a(x),))
    ),
    "hands functions to 'while_loop' of PyTorch": lambda m, x: m.b(
        while_loop(lambda i, _: i < 2, lambda i, h: (i + 1, torch.tanh(h)), (torch.tensor(0), m.a(x)))[1]
    ),
    "hands functions to 'map' of PyTorch": lambda m, x: map_rows(lambda row: m.b(torch.tanh(m.a(row))), x),
    "tensors of the type 'Marked', and": lambda m, x: m.b(torch.tanh(m.a(x.as_subclass(Marked)))),
    "'nansum' on values that may be NaN": lambda m, x: (torch.log(m.a(x) + 3) * m.b.weight).nansum(1),
    "complex numbers": lambda m, x: m.b(torch.tanh((x.to(torch.complex64) @ (m.a.weight.T + 0j)).real)),
    "returns complex numbers": lambda m, x: torch.complex(h := m.b(torch.tanh(m.a(x))), 2 * h),
    "'trilinear', which multiplies values that depend on x": lambda m, x: m.b(
        F.bilinear(x, x, m.c.weight[:, :2, None].expand(-1, -1, 2))
    ),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(says):
    torch.manual_seed(1)
    gates = {kind.__name__.lower(): kind(2, 3, batch_first=True) for kind in (nn.GRU, nn.LSTM)}
    model = two_maps(REFUSED[says], c=nn.Linear(2, 3), g=nn.Parameter(torch.ones(3)), **gates)
    tracker = DetailedCircuitTracker(1, X, torch.zeros(4, 1))
    with pytest.raises(OntogenyError, match=says):
        tracker.track_epoch(0, model)


@pytest.mark.filterwarnings("ignore")
def test_weights_that_are_packed_are_refused_in_a_sentence():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    packed = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    with pytest.raises(OntogenyError, match="works with weights that are packed"):
        from_torch(packed, X)


def test_a_layer_whose_size_is_not_known_and_half_precision():
    with pytest.raises(OntogenyError, match="run it once"):
        from_torch(nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(1)), X)
    with pytest.raises(OntogenyError, match="on the device 'meta'"):
        from_torch(two_maps(STYLES["moved"]).to("meta"), X)
    with pytest.raises(OntogenyError, match=r"\.float\(\)"):
        from_torch(two_maps(STYLES["moved"]).half(), X)


@pytest.mark.parametrize(
    ("sizes", "act"), [((2, 3, 3, 1), torch.sin), ((3, 3, 1), F.mish), ((2, 2, 2, 2, 1), torch.ceil)]
)
def test_compiled_code_calls_functions_that_only_python_knows(sizes, act):
    torch.manual_seed(0)
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=sizes[0])))
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]

    def model(inputs):
        for layer in layers[:-1]:
            inputs = act(layer(inputs))
        return layers[-1](inputs)

    with torch.no_grad():
        layers[-1].bias -= model(x).median() + 1e-3
    found = 0
    for settings in ({}, {"accuracy_threshold": 0.7}, {"candidates": "published", "min_sparsity": 0.2}):
        problem = from_torch(model, x).problem(model(x) > 0, "sign", settings)
        plain, compiled = (problem.search(engine, LIST, 10**6) for engine in ("plain", "compiled"))
        found += plain[0]
        assert plain[0] == compiled[0]
        assert np.array_equal(problem.layout.in_order(plain[1]), problem.layout.in_order(compiled[1]))
        counts = problem.count("plain"), problem.count("compiled")
        assert counts[0][0] == counts[1][0] == plain[0]
        assert np.array_equal(counts[0][1], counts[1][1][:, : max(sizes)])
    assert found > 0


def test_what_a_function_of_python_raises_while_compiled_code_calls_it_is_raised():
    def once(values):
        if values.shape[1] == 3:
            raise KeyError("no more")
        return values

    network = ReadNetwork(
        [np.ones((3, 2), np.float32), np.ones((2, 3), np.float32), np.ones((1, 2), np.float32)],
        [np.zeros(n, np.float32) for n in (3, 2, 1)],
        [Nonlinearity(None, function=np.abs), Nonlinearity(None, function=once)],
        Nonlinearity("identity"),
        X.numpy(),
    )
    with pytest.raises(KeyError, match="no more"):
        network.problem([0, 1, 1, 0], "sign").search("compiled", COUNT)
    infinite = replace(network, hidden=[Nonlinearity(None, function=lambda v: 1 / np.maximum(v, 0))] * 2)
    problem = infinite.problem([0, 1, 1, 0], "sign")
    assert problem.search("compiled", COUNT)[0] == problem.search("plain", COUNT)[0]


def test_a_search_by_a_function_that_only_python_knows_is_not_called_quick():
    model = nn.Sequential(
        nn.Linear(4, 5), nn.Mish(), nn.Linear(5, 5), nn.Mish(), nn.Linear(5, 5), nn.Mish(), nn.Linear(5, 1)
    )
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    with pytest.raises(OntogenyError, match="above the limit"):
        from_torch(model, x).count(x[:, 0])
