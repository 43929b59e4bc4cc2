import contextlib
import copy
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.utils import prune

from ontogeny.errors import OntogenyError
from ontogeny.interventions import INTERVENTIONS, intervention_settings, loss_barrier, pairs, run_intervention
from ontogeny.interventions.settings import INTERVENTIONS as SETTINGS
from ontogeny.interventions.settings import InterventionSettings
from ontogeny.models import build_model
from ontogeny.trajectory import weights_digest

SHAPE = (1, 8, 8)
FAST = {"n_resamples": 200}


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 8 - 1, dtype=torch.float32).reshape(-1, *SHAPE), torch.tensor(y)


@pytest.fixture(scope="module")
def data(digits):
    return digits[0][1500:], digits[1][1500:]


def moments(name, digits, steps=(2, 20, 80), **settings):
    """One network at three moments of its training."""
    x, y = digits
    model = build_model(name, SHAPE, 10, seed=0, **settings)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    order = torch.Generator().manual_seed(0)
    kept = {}
    for step in range(max(steps) + 1):
        if step in steps:
            kept[f"step {step}"] = copy.deepcopy(model).eval()
        chosen = torch.randint(1400, (64,), generator=order)
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return kept


@pytest.fixture(scope="module")
def mlp(digits):
    return moments("mlp", digits, hidden=[32, 24])


@pytest.fixture(scope="module")
def resnet(digits):
    return moments("resnet_small", digits, channels=[4, 8])


@pytest.fixture(scope="module")
def vit(digits):
    return moments("vit_tiny", digits, width=16, depth=2)


NOTHING = [
    {"kind": "ablate", "units": []},
    {"kind": "ablate", "units": [], "mode": "resample"},
    {"kind": "prune", "amounts": [0.0]},
    {"kind": "prune", "amounts": [0.0], "method": "random", "repeats": 2},
    {"kind": "prune", "amounts": [0.0], "method": "structured"},
    {"kind": "prune", "amounts": [0.0], "method": "random_structured", "repeats": 2},
    {"kind": "noise_activations", "levels": [0.0]},
    {"kind": "noise_weights", "levels": [0.0]},
    {"kind": "noise_weights", "levels": [0.0], "together": False},
    {"kind": "patch", "source": "step 80", "target": "step 80"},
    {"kind": "patch", "source": "step 80", "target": "step 80", "what": "weights"},
    {"kind": "interpolate", "source": "step 80", "target": "step 80"},
    {"kind": "interpolate", "source": "step 20", "target": "step 80", "positions": [1.0]},
]


@pytest.mark.parametrize("network", ["mlp", "resnet", "vit"])
@pytest.mark.parametrize("spec", NOTHING, ids=lambda spec: "-".join(map(str, spec.values())))
def test_doing_nothing_changes_nothing_exactly(request, data, network, spec):
    table = run_intervention({**spec, **FAST, "chunk": 100}, request.getfixturevalue(network), *data)
    if spec["kind"] == "patch":
        table = table[table["setting"] == "patch"]
    assert len(table)
    assert (table[["change", "change_low", "change_high"]] == 0).all(axis=None)
    assert (table["value"] == table["intact"]).all()


SPECS = [
    {"kind": "ablate", "units": "each"},
    {"kind": "ablate", "mode": "resample"},
    {"kind": "prune", "method": "random", "repeats": 2, "amounts": [0.5]},
    {"kind": "prune", "method": "structured", "amounts": [0.5]},
    {"kind": "noise_activations", "levels": [0.5], "repeats": 2},
    {"kind": "noise_weights", "levels": [0.5], "repeats": 2},
    {"kind": "patch", "source": "step 2", "target": "step 80"},
    {"kind": "patch", "source": "step 2", "target": "step 80", "what": "weights"},
    {"kind": "interpolate", "source": "step 2", "target": "step 80", "positions": [0.5]},
]


@pytest.mark.parametrize("network", ["mlp", "resnet", "vit"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "-".join(map(str, spec.values())))
def test_tables_are_complete_repeatable_and_leave_the_networks_alone(request, data, network, spec):
    models = request.getfixturevalue(network)
    digests = {name: weights_digest(model) for name, model in models.items()}
    state = torch.get_rng_state()
    x, y = data[0][:100], data[1][:100]
    table = run_intervention({**spec, **FAST}, models, x, y, seed=1)
    assert torch.equal(state, torch.get_rng_state())
    assert {name: weights_digest(model) for name, model in models.items()} == digests
    assert all(not m._forward_hooks and not m._forward_pre_hooks for k in models.values() for m in k.modules())
    assert table.equals(run_intervention({**spec, **FAST}, models, x, y, seed=1))
    assert set(table["metric"]) == {"loss", "accuracy"}
    assert (table["low"] <= table["value"] + 1e-12).all()
    assert (table["value"] <= table["high"] + 1e-12).all()
    np.testing.assert_allclose(table["value"], table["intact"] + table["change"], atol=1e-12)
    np.testing.assert_array_equal(table["intervention"], spec["kind"])


def test_an_exception_on_the_way_leaves_the_networks_alone(mlp, data, monkeypatch):
    models = {name: copy.deepcopy(model).train() for name, model in mlp.items()}
    digests = {name: weights_digest(model) for name, model in models.items()}
    calls = []

    def fail(*_args, **_kwargs):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return original(*_args, **_kwargs)

    from ontogeny.interventions import _common

    original = _common.evaluate
    for spec in SPECS[1:]:
        calls.clear()
        monkeypatch.setattr(_common, "evaluate", fail)
        repeated = {**spec, **FAST, "repeats": 6} if "repeats" in spec else {**spec, **FAST}
        with contextlib.suppress(KeyboardInterrupt):
            run_intervention(repeated, models, *data)
        assert {name: weights_digest(model) for name, model in models.items()} == digests
        for model in models.values():
            assert model.training
            assert all(p.requires_grad for p in model.parameters())
            assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
            assert not any(hasattr(m, "weight_mask") for m in model.modules())


def row(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]


@torch.no_grad()
def test_ablation_by_hand(mlp, data):
    x, y = data
    model = mlp["step 80"]
    hidden = torch.relu(model.network[0](x.flatten(1)))
    rest = model.network[2:]
    spec = {"kind": "ablate", "layers": ["Linear_0"], "moments": ["step 80"], **FAST}
    for units, chosen in (("all", list(range(32))), ([1, 5], [1, 5])):
        for mode, value in (("zero", 0.0), ("mean", hidden.mean(0)[chosen])):
            cut = hidden.clone()
            cut[:, chosen] = value
            table = run_intervention({**spec, "units": units, "mode": mode}, mlp, x, y)
            found = row(table, metric="loss")
            assert found["value"] == pytest.approx(F.cross_entropy(rest(cut), y).item(), abs=1e-5)
            assert found["level"] == len(chosen) / 32
            assert row(table, metric="accuracy")["value"] == pytest.approx((rest(cut).argmax(1) == y).double().mean())
    each = run_intervention({**spec, "units": "each", "mode": "zero"}, mlp, x, y)
    single = run_intervention({**spec, "units": [7], "mode": "zero"}, mlp, x, y)
    assert row(each, unit=7, metric="loss")["change"] == pytest.approx(row(single, metric="loss")["change"], abs=1e-7)


def test_without_its_hidden_layer_a_network_guesses(mlp, data):
    table = run_intervention({"kind": "ablate", "moments": "step 80", "mode": "mean", **FAST}, mlp, *data)
    for layer in ("Linear_0", "Linear_1", "Linear_2"):
        found = row(table, metric="accuracy", layer=layer)
        assert found["high"] < 0.3
        assert found["change_high"] < -0.5


@torch.no_grad()
def test_pruning_by_torch_and_by_hand(mlp, data):
    x, y = data
    amounts = [0.0, 0.5, 0.9, 1.0]
    table = run_intervention({"kind": "prune", "amounts": amounts, "moments": "step 80", **FAST}, mlp, x, y)
    losses = table[table["metric"] == "loss"]
    np.testing.assert_allclose(losses["sparsity"], amounts, atol=1e-3)
    assert losses["value"].is_monotonic_increasing
    model = copy.deepcopy(mlp["step 80"])
    weights = torch.cat([p.flatten() for p in model.parameters() if p.ndim == 2]).abs()
    threshold = weights.sort().values[round(0.9 * len(weights)) - 1]
    for p in model.parameters():
        if p.ndim == 2:
            p[p.abs() <= threshold] = 0
    assert row(losses, level=0.9)["value"] == pytest.approx(F.cross_entropy(model(x), y).item(), abs=1e-5)
    model = copy.deepcopy(mlp["step 80"])
    prune.ln_structured(model.network[2], "weight", 0.25, n=2, dim=0)
    spec = {"kind": "prune", "amounts": [0.25], "method": "structured", "layers": ["Linear_1"], "moments": "step 80"}
    found = row(run_intervention({**spec, **FAST}, mlp, x, y), metric="loss")
    assert found["value"] == pytest.approx(F.cross_entropy(model(x), y).item(), abs=1e-6)
    assert found["sparsity"] == 0.25


def test_magnitude_pruning_beats_its_random_control(mlp, data):
    spec = {"kind": "prune", "amounts": [0.5], "moments": "step 80", **FAST}
    magnitude, random = (
        row(run_intervention({**spec, "method": method}, mlp, *data), metric="accuracy")
        for method in ("magnitude", "random")
    )
    assert magnitude["low"] > random["high"]
    assert random["repeats"] == 5


@pytest.mark.parametrize("kind", ["noise_activations", "noise_weights"])
def test_noise_hurts_more_as_it_grows(vit, data, kind):
    spec = {"kind": kind, "levels": [0.0, 0.3, 3.0], "moments": "step 80", "repeats": 4, **FAST}
    table = run_intervention(spec, vit, *data)
    for _, part in table[table["metric"] == "loss"].groupby("layer"):
        assert part["value"].is_monotonic_increasing
        assert part["change_low"].iloc[-1] > 0


@torch.no_grad()
def test_noise_has_the_stated_size(data):
    """A linear network: the variance that noise adds to the scores is known."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10, bias=False), nn.Linear(10, 10, bias=False))
    seen = []
    model[2].register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    run_intervention(
        {"kind": "noise_activations", "layers": ["Linear_0"], "levels": [0.5], "repeats": 1}, {"a": model}, *data
    )
    hidden = model[1](data[0].flatten(1))
    expected = 0.5 * hidden.var(0, unbiased=False).mean().sqrt()
    size = (seen[-2] if len(seen[-2]) == len(hidden) else seen[-1]) - hidden
    sizes = [float((s - hidden).std()) for s in seen if len(s) == len(hidden)]
    assert max(sizes) == pytest.approx(float(expected), rel=0.05)
    assert size.shape == hidden.shape


@torch.no_grad()
def test_patching_by_hand_and_at_the_ends(mlp, data):
    x, y = data
    spec = {"kind": "patch", "source": "step 2", "target": "step 80", **FAST}
    table = run_intervention(spec, mlp, x, y)
    early, late = mlp["step 2"], mlp["step 80"]
    mixed = late.network[2:](torch.relu(early.network[0](x.flatten(1))))
    losses = {n: F.cross_entropy(m(x), y).item() for n, m in (("early", early), ("late", late))}
    found = row(table, metric="loss", layer="Linear_0", setting="patch")
    assert found["value"] == pytest.approx(F.cross_entropy(mixed, y).item(), abs=1e-5)
    share = (found["value"] - losses["late"]) / (losses["early"] - losses["late"])
    assert found["carried"] == pytest.approx(share, abs=1e-5)
    assert found["carried_low"] < found["carried"] < found["carried_high"]
    last = row(table, metric="loss", layer="Linear_2", setting="patch")
    assert last["carried"] == pytest.approx(1)
    assert row(table, metric="accuracy", layer="Linear_0", setting="shuffled")["value"] < 0.3
    weights = run_intervention({**spec, "what": "weights"}, mlp, x, y)
    swapped = copy.deepcopy(late)
    swapped.network[2].load_state_dict(early.network[2].state_dict())
    found = row(weights, metric="loss", layer="Linear_1")
    assert found["value"] == pytest.approx(F.cross_entropy(swapped(x), y).item(), abs=1e-6)


def test_a_share_leaves_out_draws_without_a_whole():
    draws = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    bench = SimpleNamespace(weights=draws, settings=InterventionSettings(kind="patch"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pairs._share(np.array([1.0, 0.0]), np.array([2.0, 0.0]), bench)
    assert found == {"carried": 0.5, "carried_low": 0.5, "carried_high": 0.5}


def test_the_planted_layer_carries_the_change(mlp, data):
    """Only the weights of Linear_1 differ, so exactly that layer carries all of it."""
    before = copy.deepcopy(mlp["step 80"])
    nn.init.normal_(before.network[2].weight, generator=torch.Generator().manual_seed(0))
    models = {"before": before, "after": mlp["step 80"], "calm": copy.deepcopy(mlp["step 80"])}
    spec = {"kind": "patch", "source": "before", "target": "after", "what": "weights", **FAST}
    table = run_intervention({**spec, "control": ["calm", "after"]}, models, *data)
    losses = table[table["metric"] == "loss"]
    assert row(losses, layer="Linear_1", setting="patch")["carried"] == pytest.approx(1)
    assert row(losses, layer="Linear_0", setting="patch")["carried"] == 0
    control = losses[losses["setting"] == "control"]
    assert (control["change"] == 0).all()
    assert control["carried"].isna().all()


def test_the_line_between_moments(mlp, data):
    spec = {"kind": "interpolate", "source": "step 20", "target": "step 80", "positions": [0.0, 0.5, 1.0], **FAST}
    table = run_intervention(spec, mlp, *data)
    losses = table[table["metric"] == "loss"]
    for position, name in ((0.0, "step 20"), (1.0, "step 80")):
        with torch.no_grad():
            expected = F.cross_entropy(mlp[name](data[0]).double(), data[1]).item()
        found = row(losses, level=position)
        assert found["value"] == pytest.approx(expected, abs=1e-12)
        assert found["excess"] == 0
    middle = copy.deepcopy(mlp["step 20"])
    late = mlp["step 80"].state_dict()
    middle.load_state_dict({k: (v + late[k]) / 2 for k, v in middle.state_dict().items()})
    with torch.no_grad():
        expected = F.cross_entropy(middle(data[0]), data[1]).item()
    assert row(losses, level=0.5)["value"] == pytest.approx(expected, abs=1e-5)
    assert loss_barrier(table)["barrier"] <= 0.05


def test_a_planted_barrier_is_found(mlp, data):
    """The same network with its hidden units in another order computes the same, and lies behind a barrier."""
    model = mlp["step 80"]
    other = copy.deepcopy(model)
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        other.network[0].weight.copy_(model.network[0].weight[order])
        other.network[0].bias.copy_(model.network[0].bias[order])
        other.network[2].weight.copy_(model.network[2].weight[:, order])
    table = run_intervention(
        {"kind": "interpolate", "source": "a", "target": "b", **FAST}, {"a": model, "b": other}, *data
    )
    found = loss_barrier(table)
    assert found["barrier_low"] > 0.1
    assert 0.2 < found["position"] < 0.8
    assert loss_barrier(table, "accuracy")["barrier"] > 0.02
    ends = table[(table["metric"] == "loss") & table["level"].isin([0, 1])]["value"]
    assert ends.iloc[0] == pytest.approx(ends.iloc[1], abs=1e-5)


@torch.no_grad()
def test_batch_norm_on_the_line(resnet, data):
    x, y = data
    spec = {"kind": "interpolate", "source": "step 20", "target": "step 80", "positions": [0.0, 0.5, 1.0], **FAST}
    taken, averaged = (
        run_intervention({**spec, "batch_norm": how, "chunk": 1000}, resnet, x, y)
        for how in ("recompute", "interpolate")
    )
    middle = copy.deepcopy(resnet["step 20"])
    late = resnet["step 80"].state_dict()
    state = {k: (v + late[k]) / 2 if v.is_floating_point() else late[k] for k, v in middle.state_dict().items()}
    middle.load_state_dict(state)
    found = row(averaged, metric="loss", level=0.5)
    assert found["value"] == pytest.approx(F.cross_entropy(middle(x), y).item(), abs=1e-5)
    for module in middle.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    for _ in range(4):
        middle.train()(x)
    found = row(taken, metric="loss", level=0.5)
    assert found["value"] == pytest.approx(F.cross_entropy(middle.eval()(x), y).item(), abs=1e-4)
    for table in (taken, averaged):
        assert row(table, metric="loss", level=1.0)["change"] == 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "has no 'kind'"),
        ({"kind": "ablation"}, "unknown intervention 'ablation': did you mean 'ablate'"),
        ({"kind": "prune", "amount": [1]}, "did you mean 'amounts'"),
        ({"kind": "prune", "amounts": [1.5]}, "amounts.0 is 1.5; it should be less than or equal to 1"),
        ({"kind": "prune", "amounts": []}, "amounts is .*at least 1 item"),
        ({"kind": "prune", "method": "magnitud"}, "did you mean 'magnitude'"),
        ({"kind": "prune", "scope": "all"}, "unknown scope 'all' in prune"),
        ({"kind": "ablate", "units": [99]}, "has no unit 99"),
        ({"kind": "ablate", "units": "every"}, "does not name units"),
        ({"kind": "ablate", "mode": "none"}, "unknown mode 'none'"),
        ({"kind": "ablate", "layers": ["Linear_7"]}, "unknown layer 'Linear_7'"),
        ({"kind": "ablate", "moments": ["step 3"]}, "'step 3' is not a moment: did you mean"),
        ({"kind": "noise_weights", "levels": [-1]}, "levels.0 is -1; it should be greater"),
        ({"kind": "noise_weights", "repeats": 0}, "noise_weights: repeats is 0; it should be greater"),
        ({"kind": "patch", "target": "step 80"}, "source is missing"),
        ({"kind": "patch", "source": "step 2", "target": "step 80", "what": "all"}, "unknown what 'all'"),
        ({"kind": "patch", "source": "step 2", "target": "step 80", "control": "step 2"}, "control is"),
        ({"kind": "interpolate", "source": "step 2", "target": "step 80", "positions": [7]}, "positions.0 is 7"),
        (
            {"kind": "interpolate", "source": "step 2", "target": "step 80", "batch_norm": "x"},
            "unknown batch_norm 'x'",
        ),
        ({"kind": "ablate", "chunk": 0}, "chunk is 0"),
        ({"kind": "ablate", "confidence": 95}, "confidence is 95"),
    ],
)
def test_mistakes_are_told_in_a_sentence(mlp, data, spec, message):
    with pytest.raises(OntogenyError, match=message):
        run_intervention(spec, mlp, data[0][:10], data[1][:10])


def test_moments_of_different_networks_are_refused(mlp, vit, data):
    models = {"a": mlp["step 2"], "b": vit["step 2"]}
    with pytest.raises(OntogenyError, match="not moments of one network"):
        run_intervention({"kind": "patch", "source": "a", "target": "b"}, models, *data)
    with pytest.raises(OntogenyError, match="no networks"):
        run_intervention({"kind": "ablate"}, {}, *data)


def test_the_registry_documents_itself():
    assert set(INTERVENTIONS) == {"ablate", "prune", "noise_activations", "noise_weights", "patch", "interpolate"}
    assert intervention_settings("patch") == {
        "n_resamples": 1000, "confidence": 0.95, "chunk": 512, "source": None, "target": None, "layers": None,
        "what": "activations", "control": None,
    }  # fmt: skip
    assert set(INTERVENTIONS) == set(SETTINGS)
    for function in INTERVENTIONS.values():
        assert function.__doc__
