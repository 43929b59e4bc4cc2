"""What follows a layer, in networks of every style, and units that die behind it."""

import copy
import dataclasses

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ontogeny.activations.extract import is_stored
from ontogeny.changes import network_changes
from ontogeny.features.attribution import grad_cam
from ontogeny.models import build_model, trace_layers
from ontogeny.neurons.importance import ablation_importance, gradient_importance
from ontogeny.neurons.sites import unit_activations


class Styled(nn.Module):
    """Two linear layers, and between them whatever the style says."""

    def __init__(self, style):
        super().__init__()
        self.first, self.second = nn.Linear(20, 16), nn.Linear(16, 4)
        self.act, self.norm = nn.ReLU(), nn.LayerNorm(16)
        self.style = style

    def forward(self, x):
        return self.second(self.style(self, self.first(x)))


def written_in_place(model, h):
    h.relu_()
    return h


RELU = {
    "module": lambda model, h: model.act(h),
    "function": lambda model, h: torch.relu(h),
    "method": lambda model, h: h.relu(),
    "in place": lambda model, h: F.relu(h, inplace=True),
    "statement": written_in_place,
    "clamp": lambda model, h: h.clamp(min=0),
    "where": lambda model, h: torch.where(h > 0, h, torch.zeros_like(h)),
    "mask": lambda model, h: h * (h > 0),
    "maximum": lambda model, h: torch.maximum(h, torch.tensor(0.0)),
    "turned": lambda model, h: torch.relu(h.T).T,
    "dropped": lambda model, h: torch.relu(F.dropout(h, 0.5, training=model.training)),
}
OTHERS = {
    "silu": (lambda model, h: F.silu(h), "silu", True),
    "silu by hand": (lambda model, h: h * torch.sigmoid(h), "silu", True),
    "gelu": (lambda model, h: F.gelu(h), "gelu", True),
    "leaky": (lambda model, h: F.leaky_relu(h, 0.2), "leaky_relu", False),
    "normalised": (lambda model, h: torch.relu(model.norm(h)), "relu", False),
    "own sum": (lambda model, h: torch.relu(h) + h, "custom", False),
    "nothing": (lambda model, h: h, "none", False),
    "softmax": (lambda model, h: torch.softmax(h, -1), "none", False),
    "halves": (lambda model, h: torch.cat([torch.relu(h[:, :8]), h[:, 8:]], 1), "unknown", False),
}


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(200, 20, generator=generator), torch.randint(0, 4, (200,), generator=generator)


@pytest.mark.parametrize("style", RELU)
def test_units_die_behind_a_relu_of_any_style(style, data):
    torch.manual_seed(0)
    before = Styled(RELU[style])
    after = copy.deepcopy(before)
    with torch.no_grad():
        after.first.bias[:6] = -50
    state = torch.get_rng_state()
    found = {(c.layer, c.quantity): c.value for c in network_changes(before, after, *data)}
    assert torch.equal(state, torch.get_rng_state())
    assert before.training
    assert found["Linear_0", "died"] == 6 / 16
    assert found["Linear_0", "revived"] == 0
    followed = trace_layers(before, data[0][:2])
    assert (followed["Linear_0"].nonlinearity, followed["Linear_0"].computable) == ("relu", True)
    assert followed["Linear_1"].nonlinearity == "none"
    expected = torch.relu(before.first(data[0]))
    torch.testing.assert_close(unit_activations(before, data[0], "Linear_0"), expected.detach())


@pytest.mark.parametrize("style", RELU)
def test_importance_by_hand(style, data):
    torch.manual_seed(0)
    model = Styled(RELU[style]).eval()
    x, y = data[0][:40], data[1][:40]
    table = ablation_importance(model, x, y, "Linear_0", n_resamples=100)
    hidden = torch.relu(model.first(x)).detach().requires_grad_()
    loss = F.cross_entropy(model.second(hidden), y)
    slope = torch.autograd.grad(loss, hidden)[0]
    for unit in range(16):
        cut = hidden.detach().clone()
        cut[:, unit] = 0
        change = F.cross_entropy(model.second(cut), y) - loss
        assert table["loss_change"][unit] == pytest.approx(float(change.detach()), abs=1e-6)
    found = gradient_importance(model, x, y, "Linear_0", n_resamples=100)
    torch.testing.assert_close(
        torch.tensor(found["importance"]), -(slope * hidden).sum(0).double().detach(), atol=1e-6, rtol=1e-5
    )


@pytest.mark.parametrize("style", OTHERS)
def test_what_follows_is_named(style, data):
    function, name, computable = OTHERS[style]
    torch.manual_seed(0)
    followed = trace_layers(Styled(function), data[0][:4])["Linear_0"]
    assert (followed.nonlinearity, followed.computable) == (name, computable)


def test_what_cannot_be_seen_is_unknown_and_no_unit_is_said_to_live(data):
    torch.manual_seed(0)
    before = Styled(OTHERS["halves"][0])
    after = copy.deepcopy(before)
    with torch.no_grad():
        after.first.bias[:6] = -50
    found = {(c.layer, c.quantity): c.value for c in network_changes(before, after, *data)}
    assert found["Linear_0", "died"] != found["Linear_0", "died"]


class Convolutions(nn.Module):
    """Functional calls, pooling before the nonlinearity, one ReLU for two places, and a mapping as output."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.drop, self.norm, self.relu, self.read = nn.Dropout2d(), nn.BatchNorm2d(6), nn.ReLU(), nn.Linear(24, 5)

    def forward(self, x):
        x = self.relu(F.max_pool2d(self.one(x), 2))
        x = self.relu(self.norm(self.drop(self.two(x))))
        return self.read(F.adaptive_avg_pool2d(x, 2).flatten(1))


def test_a_shared_relu_behind_pooling_and_normalisation():
    torch.manual_seed(0)
    model = Convolutions().eval()
    x = torch.randn(12, 1, 8, 8)
    followed = trace_layers(model, x[:2])
    assert [each.nonlinearity for each in followed.values()] == ["relu", "relu", "none"]
    assert [is_stored(each) for each in followed.values()] == [True, True, False]
    hidden = torch.relu(model.norm(model.two(torch.relu(F.max_pool2d(model.one(x), 2))))).detach()
    torch.testing.assert_close(unit_activations(model, x, "Conv2d_1"), hidden.mean((2, 3)))
    hidden.requires_grad_()
    score = model.read(F.adaptive_avg_pool2d(hidden, 2).flatten(1))[:, 3].sum()
    weights = torch.autograd.grad(score, hidden)[0].mean((2, 3), keepdim=True)
    expected = torch.relu((weights * hidden).sum(1, keepdim=True)).detach()
    found = grad_cam(model, x, torch.full((12,), 3), layer="Conv2d_1", resize=False)
    torch.testing.assert_close(torch.from_numpy(found.values), expected.double(), atol=1e-6, rtol=1e-4)


def test_residual_networks_of_our_own():
    followed = trace_layers(build_model("resnet_small", (1, 8, 8), 10, 0), torch.randn(2, 1, 8, 8))
    names = [each.nonlinearity for each in followed.values()]
    assert names[:4] == ["relu", "relu", "none", "relu"]
    assert names[-1] == "none"


@dataclasses.dataclass
class Output:
    logits: torch.Tensor


def test_outputs_of_other_kinds_and_layers_that_run_twice():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.shared, self.read = nn.Linear(6, 6), nn.Linear(6, 3)

        def forward(self, x):
            return Output(self.read(torch.tanh(self.shared(torch.tanh(self.shared(x))))))

    followed = trace_layers(Model(), torch.randn(3, 6))
    assert (followed["Linear_0"].nonlinearity, followed["Linear_0"].calls) == ("tanh", 2)
    assert followed["Linear_1"].nonlinearity == "none"


def test_a_network_that_does_not_run_is_unknown():
    followed = trace_layers(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.randn(2, 5))
    assert followed["Linear_0"].nonlinearity == "unknown"
