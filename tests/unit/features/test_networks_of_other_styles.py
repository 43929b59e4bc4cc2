"""What is asked of a user's network, against references made by hand on one written in another style.

Nonlinearities are called as functions, a convolution is shared by two places, a residual stream goes round, and the
output is a dict.
"""

import copy
import types

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ontogeny.changes import network_changes
from ontogeny.complexity import ComplexitySettings, estimate_llc
from ontogeny.errors import OntogenyError
from ontogeny.features import attention_maps, grad_cam, integrated_gradients, saliency, smoothgrad, top_inputs
from ontogeny.geometry import cluster, distance_linearised, linear_probe, margins
from ontogeny.geometry.boundary import logits_of
from ontogeny.interventions import run_intervention
from ontogeny.models import trace_layers
from ontogeny.neurons import ablation_importance, conductance_importance, gradient_importance
from ontogeny.neurons.sites import unit_activations


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared, self.stem, self.inner = (nn.Conv2d(a, 4, 3, padding=1) for a in (4, 1, 4))
        self.fc, self.head = nn.Linear(64, 6), nn.Linear(6, 3)

    def forward(self, x, cut=None, keep=None):
        stem = F.silu(self.stem(x))
        y = stem + F.relu(self.shared(stem))
        inner = torch.relu(self.inner(y))
        y = y + inner
        y = F.max_pool2d(y + F.relu(self.shared(y)), 2).flatten(1)
        hidden = self.fc(y).relu()
        for name, value in (("inner", inner), ("hidden", hidden)):
            if keep is not None and keep.get("name") == name:
                keep["value"] = value
        if cut is not None:
            hidden = cut(hidden)
        return {"hidden": hidden, "logits": self.head(hidden)}


@pytest.fixture(scope="module")
def subject():
    torch.manual_seed(0)
    model = Net().eval()
    x, y = torch.randn(24, 1, 8, 8), torch.arange(24) % 3
    return model, x, y


def test_what_follows_each_layer(subject):
    model, x, _ = subject
    followed = {name: (each.nonlinearity, each.calls) for name, each in trace_layers(model, x[:2]).items()}
    assert followed == {
        "Conv2d_0": ("relu", 2), "Conv2d_1": ("silu", 1), "Conv2d_2": ("relu", 1), "Linear_0": ("relu", 1),
        "Linear_1": ("none", 1),
    }  # fmt: skip


def test_units_and_the_inputs_that_drive_them(subject):
    model, x, _ = subject
    kept = {"name": "inner"}
    model(x, keep=kept)
    by_hand = kept["value"].detach().mean((2, 3))
    torch.testing.assert_close(unit_activations(model, x, "Conv2d_2"), by_hand)
    found = top_inputs(model, x, "Conv2d_2", k=3)
    peak = kept["value"].detach().amax((2, 3))
    assert found[found["unit"] == 1]["index"].tolist() == peak.argsort(0, descending=True)[:3, 1].tolist()


def test_importance_and_interventions(subject):
    model, x, y = subject
    intact = F.cross_entropy(model(x)["logits"], y, reduction="none")

    def without(unit):
        return F.cross_entropy(
            model(x, cut=lambda h: torch.where(torch.arange(6) == unit, 0.0, h))["logits"], y, reduction="none"
        )

    changes = torch.stack([(without(unit) - intact).mean() for unit in range(6)]).detach()
    found = ablation_importance(model, x, y, "Linear_0")
    assert found["loss_change"].to_numpy() == pytest.approx(changes.numpy(), abs=1e-6)
    hidden = model(x)["hidden"].detach().requires_grad_()
    loss = F.cross_entropy(model.head(hidden), y, reduction="none")
    (gradient,) = torch.autograd.grad(loss.sum(), hidden)
    expected = -(gradient * hidden).mean(0).detach()
    assert gradient_importance(model, x, y, "Linear_0")["importance"].to_numpy() == pytest.approx(expected, abs=1e-6)
    gained = (model(x)["logits"] - model(torch.zeros_like(x))["logits"]).gather(1, y[:, None]).mean()
    through = conductance_importance(model, x, y, "Linear_0")["importance"]
    assert through.sum() == pytest.approx(gained.item(), abs=0.02), "all passes through the layer"
    all_off = F.cross_entropy(model(x, cut=torch.zeros_like)["logits"], y) - intact.mean()
    table = run_intervention({"kind": "ablate", "mode": "zero", "layers": ["Linear_0"]}, {"now": model}, x, y)
    assert table[table["metric"] == "loss"]["change"].item() == pytest.approx(all_off.item(), abs=1e-6)
    assert set(run_intervention({"kind": "ablate"}, {"now": model}, x, y)["layer"]) == {
        "Conv2d_1", "Conv2d_2", "Linear_0", "Linear_1",
    }  # fmt: skip
    with pytest.raises(OntogenyError, match="runs 2 times in one forward pass"):
        run_intervention({"kind": "ablate", "layers": ["Conv2d_0"]}, {"now": model}, x, y)


def test_attributions(subject):
    model, x, y = subject
    leaf = x.clone().requires_grad_()
    kept = {"name": "inner"}
    score = model(leaf, keep=kept)["logits"].gather(1, y[:, None]).sum()
    by_input, by_map = torch.autograd.grad(score, [leaf, kept["value"]])
    found = torch.from_numpy(saliency(model, x, y).values).float()
    torch.testing.assert_close(found, by_input.abs(), rtol=1e-4, atol=1e-6)
    expected = F.relu((by_map.mean((2, 3), keepdim=True) * kept["value"]).sum(1, keepdim=True)).detach()
    found = torch.from_numpy(grad_cam(model, x, y, layer="Conv2d_2", resize=False).values).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    assert grad_cam(model, x, y).layer == "Conv2d_2", "the last convolution that runs once"
    found = torch.from_numpy(integrated_gradients(model, x, y, baseline=0.0).values).flatten(1).sum(1)
    score = (model(x)["logits"] - model(torch.zeros_like(x))["logits"]).gather(1, y[:, None])[:, 0]
    torch.testing.assert_close(found.float(), score.detach(), rtol=0.05, atol=0.02)


class Attending(nn.Module):
    """A causal attention as users write it: by the fused function, or by a softmax of their own."""

    def __init__(self, fused):
        super().__init__()
        self.qkv, self.out, self.fused = nn.Linear(8, 24), nn.Linear(8, 8), fused

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = q @ k.transpose(-2, -1) / 2
            y = F.softmax(scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf), dim=-1) @ v
        return x + self.out(y.transpose(1, 2).flatten(2))


@pytest.mark.parametrize("fused", [False, True])
def test_attention_that_is_called_as_a_function(fused):
    torch.manual_seed(0)
    model = nn.Sequential(Attending(fused), Attending(fused), nn.Flatten(), nn.Linear(40, 3))
    x = torch.randn(6, 5, 8)
    maps = attention_maps(model, x, chunk=4)
    assert list(maps) == ["0", "1"]
    q, k, _ = model[0].qkv(x).chunk(3, -1)
    for head in range(2):
        here = slice(4 * head, 4 * head + 4)
        scores = torch.einsum("bqd,bkd->bqk", q[..., here], k[..., here]) / 2
        by_hand = scores.masked_fill(torch.ones(5, 5).triu(1).bool(), -torch.inf).softmax(-1)
        assert maps["0"][:, head] == pytest.approx(by_hand.detach().numpy(), abs=1e-6)


def test_scores_margins_and_complexity_read_the_dict(subject):
    model, x, y = subject

    class Plain(Net):
        def forward(self, x):
            return super().forward(x)["logits"]

    plain = Plain().eval()
    plain.load_state_dict(model.state_dict())
    assert logits_of(model, x.numpy()) == pytest.approx(plain(x).detach().numpy())
    assert len(margins(logits_of(model, x.numpy()), y.numpy())) == len(x)
    near = distance_linearised(model, x[:6].numpy())
    assert near == pytest.approx(distance_linearised(plain, x[:6].numpy()))
    settings = ComplexitySettings(chains=2, draws=4, burn_in=1, step_size=1e-4)
    assert estimate_llc(model, (x, y), settings).value == estimate_llc(plain, (x, y), settings).value


class Alone(nn.Module):
    """The scores alone, which captum takes."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)["logits"]


def test_importance_is_what_captum_finds_on_the_same_network(subject):
    from captum.attr import LayerConductance, LayerFeatureAblation, LayerGradientXActivation

    model, x, y = subject
    alone = Alone(model)
    by_captum = LayerConductance(alone, model.head).attribute(
        x, torch.zeros_like(x), target=y, n_steps=64, attribute_to_layer_input=True
    )
    found = conductance_importance(model, x, y, "Linear_0", steps=64)["importance"]
    assert found.to_numpy() == pytest.approx(by_captum.detach().mean(0).numpy(), abs=1e-5)

    def loss(inputs):
        return F.cross_entropy(alone(inputs), y, reduction="none")

    by_captum = -LayerGradientXActivation(loss, model.head).attribute(x, attribute_to_layer_input=True)
    found = gradient_importance(model, x, y, "Linear_0")["importance"]
    assert found.to_numpy() == pytest.approx(by_captum.detach().mean(0).numpy(), abs=1e-6)
    occluded = -LayerFeatureAblation(loss, model.head).attribute(x, attribute_to_layer_input=True)
    found = ablation_importance(model, x, y, "Linear_0")["loss_change"]
    assert found.to_numpy() == pytest.approx(occluded.detach().mean(0).numpy(), abs=1e-6)


def test_patching_is_what_hooks_of_ones_own_do(subject):
    model, x, y = subject
    torch.manual_seed(5)
    other = Net().eval()
    given = other(x)["hidden"].detach()

    def loss(network, **how):
        with torch.no_grad():
            return F.cross_entropy(network(x, **how)["logits"], y).item()

    patch = {"kind": "patch", "what": "activations", "source": "late", "target": "early"}
    table = run_intervention({**patch, "layers": ["Linear_0", "Conv2d_2"]}, {"early": model, "late": other}, x, y)
    here = table[(table["metric"] == "loss") & (table["setting"] == "patch")].set_index("layer")
    patched = loss(model, cut=lambda hidden: given)
    assert here.loc["Linear_0", "value"] == pytest.approx(patched, abs=1e-6)
    share = (patched - loss(model)) / (loss(other) - loss(model))
    if not here["carried"].isna()["Linear_0"]:
        assert here.loc["Linear_0", "carried"] == pytest.approx(share, rel=1e-4)
    kept = {"name": "inner"}
    other(x, keep=kept)
    hook = model.inner.register_forward_hook(lambda *_: kept["value"].detach())
    try:
        assert here.loc["Conv2d_2", "value"] == pytest.approx(loss(model), abs=1e-6), "ReLU of a ReLU is itself"
    finally:
        hook.remove()


def test_clusters_and_probes_are_those_of_scikit_learn(subject):
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import adjusted_rand_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model, *_ = subject
    torch.manual_seed(2)
    y = torch.arange(90) % 3
    x = 0.2 * torch.randn(90, 1, 8, 8) + 3 * torch.randn(3, 1, 8, 8)[y]
    hidden = unit_activations(model, x, "Linear_0").double().numpy()
    found = cluster(hidden, k_range=(2, 3), labels=y.numpy(), n_null=20)
    assert found.n_clusters == 3
    points = StandardScaler().fit_transform(hidden)
    theirs = KMeans(3, n_init=10, random_state=1).fit_predict(points)
    assert adjusted_rand_score(found.assignments, theirs) == 1.0
    mixed = torch.randn(90, 1, 8, 8) + 0.3 * torch.randn(3, 1, 8, 8)[y]
    hidden = unit_activations(model, mixed, "Linear_0").double().numpy()
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-3, max_iter=300))
    rng = np.random.default_rng(0)
    rng.permutation(90)
    folds = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**31)))
    theirs = cross_val_predict(classifier, hidden, y.numpy(), cv=folds)
    probe = linear_probe(hidden, y.numpy(), folds=5)
    assert (probe.correct == (theirs == y.numpy())).all()
    assert 0.4 < probe.accuracy < 1


class Language(nn.Module):
    """A small language model, whose output is an object with `logits`."""

    def __init__(self):
        super().__init__()
        self.embed, self.up = nn.Embedding(11, 8), nn.Linear(8, 12)
        self.down, self.read = nn.Linear(12, 8), nn.Linear(8, 11)

    def forward(self, ids, cut=None):
        x = self.embed(ids)
        hidden = F.gelu(self.up(x.cumsum(1)))
        x = x + self.down(hidden if cut is None else cut(hidden))
        return types.SimpleNamespace(logits=self.read(x))


def test_interventions_on_a_language_model_are_judged_by_the_next_token():
    torch.manual_seed(0)
    model, other, ids = Language().eval(), Language().eval(), torch.randint(11, (20, 7))

    def judged(network, **how):
        scores = network(ids, **how).logits[:, :-1].detach()
        loss = F.cross_entropy(scores.flatten(0, 1), ids[:, 1:].flatten()).item()
        return {"loss": loss, "accuracy": (scores.argmax(-1) == ids[:, 1:]).double().mean().item()}

    models = {"early": model, "late": other}
    off = {"kind": "ablate", "mode": "zero", "layers": ["Linear_0"], "moments": ["early"]}
    table = run_intervention(off, models, ids, ids)
    assert table.set_index("metric")["value"].to_dict() == pytest.approx(judged(model, cut=torch.zeros_like), abs=1e-6)
    assert table.set_index("metric")["intact"].to_dict() == pytest.approx(judged(model), abs=1e-6)
    given = F.gelu(other.up(other.embed(ids).cumsum(1))).detach()
    patch = {"kind": "patch", "what": "activations", "source": "late", "target": "early", "layers": ["Linear_0"]}
    table = run_intervention(patch, models, ids, ids)
    found = table[table["setting"] == "patch"].set_index("metric")["value"].to_dict()
    assert found == pytest.approx(judged(model, cut=lambda hidden: given), abs=1e-6)
    for kind in ("prune", "noise_activations", "noise_weights"):
        table = run_intervention({"kind": kind}, models, ids, ids)
        assert table.loc[table["level"] == 0, "change"].abs().max() == 0
    with pytest.raises(OntogenyError, match="networks that classify"):
        run_intervention({"kind": "ablate", "units": "each"}, models, ids, ids)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_a_network_of_half_precision_is_measured_as_the_same_in_single(subject, kind):
    """Weights are rounded first, so that both are the same network, but for the rounding of its activations."""
    model, x, y = subject
    half, x = copy.deepcopy(model).to(kind), x.to(kind)
    single, wide = copy.deepcopy(half).float(), x.float()
    for explain in (saliency, lambda *given: smoothgrad(*given, noisy_copies=3)):
        close(explain(half, x, y).values, explain(single, wide, y).values)
    activations = [unit_activations(network, given, "Linear_0") for network, given in ((half, x), (single, wide))]
    assert activations[0].dtype == torch.float32
    close(*activations)
    tables = [top_inputs(network, given, "Conv2d_2", k=2) for network, given in ((half, x), (single, wide))]
    close(*(table["activation"] for table in tables))
    before = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), nn.ReLU(), nn.Linear(6, 3)).to(kind)
    after = copy.deepcopy(before)
    with torch.no_grad():
        after[1].weight[2] *= -2
    found = [network_changes(before, after, x, y)]
    found += [network_changes(before.float(), after.float(), wide, y)]
    assert [(each.layer, each.quantity) for each in found[0]] == [(each.layer, each.quantity) for each in found[1]]
    close(*([each.value for each in changes if each.family == "weights"] for changes in found))


def close(one, other):
    one, other = (np.asarray(values, dtype=float) for values in (one, other))
    assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(other)
