"""Networks by name: sizes, seeds, settings, and that they learn."""

import copy
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ontogeny.errors import OntogenyError
from ontogeny.models import MODELS, ModelSpec, build_model, count_parameters, get_handler, without_fast_path
from ontogeny.tasks import epoch_order, load_images, split_images

# Parameter counts in the published records (28x28 grey images, 10 classes), one a name.
PUBLISHED = {
    "mlp_shallow_2": 109386,
    "mlp_medium_5": 65130,
    "mlp_deep_10": 34954,
    "mlp_verydeep_15": 27490,
    "mlp_narrow": 28618,
    "mlp_medium": 130058,
    "mlp_wide": 317450,
    "mlp_verywide": 864266,
    "cnn_shallow": 50186,
    "cnn_medium": 104202,
    "cnn_deep": 390410,
    "transformer_shallow": 406282,
    "transformer_medium": 802826,
    "transformer_deep": 1199370,
    "transformer_narrow": 204810,
}
SMALL = {
    "transformer_medium": {"depth": 1},
    "transformer_deep": {"depth": 1},
    "transformer_shallow": {"depth": 1},
}
IMAGES = [name for name in MODELS if name != "attention_only"]
"""The models of images; attention_only takes tokens."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes(name):
    cut = {"tokens": 16} if name.startswith("transformer") else {}
    model = build_model(name, (1, 28, 28), 10, seed=0, **cut)
    assert count_parameters(model) == PUBLISHED[name]


def test_published_layer_paths():
    def paths(name):
        return [layer.path for layer in get_handler(build_model(name, (1, 28, 28), 10, 0)).layers]

    assert paths("mlp_medium_5") == [f"network.{k}" for k in range(0, 12, 2)]
    assert paths("cnn_deep") == ["conv_layers.0", "conv_layers.3", "conv_layers.6", "conv_layers.9", "fc"]
    blocks = [f"transformer.layers.{k}.{part}" for k in range(2) for part in ("self_attn", "linear1", "linear2")]
    assert paths("transformer_shallow") == ["input_proj", *blocks, "fc"]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 32, 32), (1, 12, 20)])
def test_every_model_takes_every_size(name, shape):
    model = build_model(name, shape, 7, seed=1, **SMALL.get(name, {}))
    out = model(torch.rand(4, *shape))
    assert out.shape == (4, 7)
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", IMAGES)
def test_seed_decides_the_weights_and_global_state_stays(name):
    extra = SMALL.get(name, {})
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, again, other = (build_model(name, (1, 8, 8), 10, seed, **extra) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert any(
        not torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    )


def test_blocks_do_not_start_alike():
    model = build_model("transformer_narrow", (1, 8, 8), 10, 0)
    first, second = model.transformer.layers[0], model.transformer.layers[1]
    assert not torch.equal(first.linear1.weight, second.linear1.weight)


@pytest.mark.parametrize("name", ["transformer_narrow", "vit_tiny"])
def test_hooks_fire_in_eval_mode_and_change_nothing(name):
    model = build_model(name, (1, 8, 8), 10, 0).eval()
    x = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        plain = model(x)
        called = []
        for layer in get_handler(model).layers:
            layer.module.register_forward_hook(lambda *_, path=layer.path: called.append(path))
        hooked = model(x)
    assert sorted(called) == sorted(layer.path for layer in get_handler(model).layers)
    assert torch.equal(plain, hooked)
    assert torch.backends.mha.get_fastpath_enabled()


def test_overrides():
    model = build_model("mlp", (1, 8, 8), 10, 0, hidden=[12, 6], activation="tanh", dropout=0.2)
    assert [m.out_features for m in model.network if isinstance(m, torch.nn.Linear)] == [12, 6, 10]
    assert sum(isinstance(m, torch.nn.Dropout) for m in model.network) == 2
    assert count_parameters(build_model("mlp", (1, 8, 8), 10, 0, hidden=[])) == 650
    assert count_parameters(build_model("mlp", (1, 8, 8), 10, 0, hidden=None)) == count_parameters(
        build_model("mlp", (1, 8, 8), 10, 0)
    )
    assert len(build_model("vit_tiny", (1, 8, 8), 10, 0, depth=1).transformer.layers) == 1
    assert build_model("vit", (1, 28, 28), 10, 0).patch_embed.stride == (4, 4)
    assert build_model("vit", (1, 8, 8), 10, 0, patch=4).positions.shape == (5, 64)
    assert MODELS["mlp"].defaults["hidden"] == [64, 64]


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("mlp_shalow_2", {}, "did you mean 'mlp_shallow_2'"),
        ("mlp", {"hiden": [3]}, "setting of model mlp 'hiden': did you mean 'hidden'"),
        ("cnn_shallow", {"hidden": [3]}, "unknown setting of model cnn_shallow 'hidden'"),
        ("mlp", {"hidden": 64}, "hidden is 64: a list"),
        ("mlp", {"hidden": [64, 0]}, "an entry of hidden is 0"),
        ("cnn_shallow", {"channels": []}, "channels is"),
        ("mlp", {"dropout": 1.0}, "dropout is 1.0"),
        ("mlp", {"activation": "relU"}, "did you mean 'relu'"),
        ("vit", {"patch": 3}, "patch 3 does not divide an image of 8x8 pixels: 1, 2, 4 or 8 would"),
        ("vit", {"heads": 5}, "width 64 is not a multiple of heads 5"),
        ("transformer_narrow", {"tokens": 7}, "tokens 7 does not divide the 64 values"),
        ("transformer_narrow", {"depth": 0}, "depth is 0"),
    ],
)
def test_bad_settings(name, settings, message):
    with pytest.raises(OntogenyError, match=message):
        build_model(name, (1, 8, 8), 10, 0, **settings)


def test_bad_inputs():
    with pytest.raises(OntogenyError, match="is not \\(channels, height, width\\)"):
        build_model("cnn_shallow", (64,), 10, 0)
    with pytest.raises(OntogenyError, match="classes is 0"):
        build_model("mlp", (64,), 0, 0)
    with pytest.raises(OntogenyError, match="seed is -1"):
        build_model("mlp", (64,), 10, -1)
    with pytest.raises(OntogenyError, match="no patch of 2 to 4 pixels divides an image of 29x29"):
        build_model("vit", (1, 29, 29), 10, 0)


def test_add_a_model(monkeypatch):
    def linear(input_shape, classes, bias):
        size = int(np.prod(input_shape))
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(size, classes, bias=bias))

    monkeypatch.setitem(MODELS, "linear", ModelSpec(linear, {"bias": True}))
    assert count_parameters(build_model("linear", (1, 8, 8), 10, 0, bias=False)) == 640


def test_configuration_knows_the_same_names():
    models = pytest.importorskip("ontogeny.models.settings")
    assert set(get_args(models.ModelName)) == set(MODELS)


def test_count_parameters():
    model = build_model("mlp", (1, 8, 8), 10, 0)
    model.network[0].requires_grad_(False)
    assert count_parameters(model) - count_parameters(model, trainable=True) == 65 * 64


def train(name, steps, learning_rate=3e-3, batch=64, **settings):
    """Accuracy on validation digits after `steps` steps of AdamW with a cosine schedule, and the trained network."""
    splits = split_images(load_images("digits"), None, 360, 64, seed=0)
    model = build_model(name, (1, 8, 8), 10, seed=0, **settings)
    x, y = map(torch.from_numpy, splits.arrays("train"))
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    epochs = -(-steps * batch // len(y))
    order = np.concatenate([epoch_order(len(y), 0, epoch) for epoch in range(epochs)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(steps):
            at = torch.from_numpy(order[step * batch : (step + 1) * batch])
            loss = F.cross_entropy(model(x[at]), y[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    model.eval()
    held_x, held_y = map(torch.from_numpy, splits.arrays("validation"))
    with torch.no_grad():
        return (model(held_x).argmax(1) == held_y).float().mean().item(), model


DEMO = {
    "mlp": ({}, 600),
    "cnn_shallow": ({}, 120),
    "resnet_small": ({"channels": [8, 16, 32]}, 120),
    "transformer_narrow": ({"width": 32, "depth": 2, "feedforward": 64}, 400),
    "vit_tiny": ({"depth": 2, "patch": 4}, 400),
}


@pytest.mark.parametrize("name", DEMO)
def test_learns_digits(name):
    settings, steps = DEMO[name]
    accuracy, model = train(name, steps, **settings)
    assert count_parameters(model) < 60_000
    assert accuracy > 0.95


@pytest.mark.parametrize("name", ["mlp", "cnn_shallow", "resnet_small", "transformer_narrow", "vit_tiny"])
def test_training_repeats_bit_for_bit(name):
    settings = {"dropout": 0.1, **({"depth": 1} if name in ("transformer_narrow", "vit_tiny") else {})}
    one, two = (train(name, 4, **settings)[1].state_dict() for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.values(), two.values(), strict=True))


def test_a_copy_computes_the_same():
    model = build_model("vit_tiny", (1, 8, 8), 10, 0).eval()
    x = torch.rand(2, 1, 8, 8)
    with torch.no_grad(), without_fast_path():
        assert torch.equal(model(x), copy.deepcopy(model)(x))
