import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from captum.attr import IntegratedGradients, LayerGradCam, Saliency
from sklearn.datasets import load_digits
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.features import (
    attention_maps,
    attention_rollout,
    attribution_control,
    filter_evolution,
    first_layer_filters,
    grad_cam,
    head_evolution,
    head_statistics,
    integrated_gradients,
    preferred_input,
    saliency,
    smoothgrad,
    top_inputs,
)
from ontogeny.models import build_model
from ontogeny.trajectory import weights_digest

SHAPE = (1, 8, 8)


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return torch.tensor(x / 8 - 1, dtype=torch.float32).reshape(-1, *SHAPE), torch.tensor(y)


def fitted(model, digits, steps=60):
    x, y = digits
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(steps):
        chosen = torch.randint(1400, (64,), generator=order)
        optimizer.zero_grad()
        F.cross_entropy(model(x[chosen]), y[chosen]).backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def cnn(digits):
    return fitted(build_model("cnn_shallow", SHAPE, 10, seed=0, channels=[8, 12]), digits)


@pytest.fixture(scope="module")
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10)).eval()


# ---------------------------------------------------------------------------------------------------- attribution


def test_attribution_equals_captum_called_directly(cnn, digits):
    x, y = digits[0][:20], digits[1][:20]
    direct = Saliency(cnn).attribute(x.clone().requires_grad_(), target=y)
    np.testing.assert_allclose(saliency(cnn, x, y, chunk=7).values, direct, atol=1e-6)
    direct, delta = IntegratedGradients(cnn).attribute(x, target=y, n_steps=64, return_convergence_delta=True)
    found = integrated_gradients(cnn, x, y, steps=64, chunk=7)
    np.testing.assert_allclose(found.values, direct.detach(), atol=1e-5)
    np.testing.assert_allclose(found.delta, delta.detach(), atol=1e-4)
    direct = LayerGradCam(cnn, cnn.conv_layers[4]).attribute(x, target=y, relu_attributions=True)
    found = grad_cam(cnn, x, y, resize=False)
    assert found.layer == "Conv2d_1"
    np.testing.assert_allclose(found.values, direct.detach(), atol=1e-6)
    assert grad_cam(cnn, x, y).values.shape == (20, 1, 8, 8)


def test_attribution_of_a_linear_network_is_its_weights(linear, digits):
    x, y = digits[0][:12], digits[1][:12]
    weights = linear[1].weight.detach().reshape(10, *SHAPE)[y].double().numpy()
    np.testing.assert_allclose(saliency(linear, x, y, absolute=False).values, weights, atol=1e-6)
    np.testing.assert_allclose(smoothgrad(linear, x, y).values, np.abs(weights), atol=1e-6)
    for baseline, start in (("zero", 0.0), ("least", -1.0), (0.5, 0.5), (x[3], x[3].numpy())):
        found = integrated_gradients(linear, x, y, baseline=baseline, steps=4)
        np.testing.assert_allclose(found.values, weights * (x.numpy() - start), atol=1e-5)
        assert np.abs(found.delta).max() < 1e-4


def test_convergence_improves_with_steps(cnn, digits):
    x, y = digits[0][:20], digits[1][:20]
    coarse, fine = (integrated_gradients(cnn, x, y, steps=steps) for steps in (4, 128))
    assert np.abs(fine.delta).mean() < np.abs(coarse.delta).mean() / 3
    gains = [found.values.reshape(20, -1).sum(1) - found.delta for found in (coarse, fine)]
    np.testing.assert_allclose(*gains, atol=1e-3)


def test_smoothgrad_depends_on_its_seed_alone(cnn, digits):
    x = digits[0][:5]
    state = torch.get_rng_state()
    one, two, other = (smoothgrad(cnn, x, seed=seed).values for seed in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert torch.equal(state, torch.get_rng_state())
    np.testing.assert_allclose(smoothgrad(cnn, x, noise=0.0, noisy_copies=2).values, saliency(cnn, x).values, atol=1e-6)


def test_targets_are_predictions_unless_given(cnn, digits):
    found = saliency(cnn, digits[0][:20])
    assert np.array_equal(found.targets, cnn(digits[0][:20]).argmax(1))
    np.testing.assert_allclose(found.scores, cnn(digits[0][:20]).amax(1).detach(), rtol=1e-6)


def test_grad_cam_finds_the_planted_place():
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2)]
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(inplace=True), *head)
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].weight[0, 0, 1, 1] = 1
        model[0].bias.zero_()
        model[4].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 2, 6] = 5
    found = grad_cam(model, x, [0])
    assert np.unravel_index(found.values[0, 0].argmax(), (9, 9)) == (2, 6)
    assert model[1].inplace


@pytest.mark.parametrize("name", ["mlp", "vit_tiny", "transformer_narrow"])
def test_grad_cam_needs_a_plane(digits, name):
    with pytest.raises(OntogenyError, match=r"no layer that keeps an image's plane|Grad-CAM is for a CNN"):
        grad_cam(build_model(name, SHAPE, 10, seed=0), digits[0][:2])


@pytest.mark.parametrize("name", ["mlp", "vit_tiny", "transformer_narrow", "resnet_small"])
def test_every_architecture(digits, name):
    x = digits[0][:4]
    model = build_model(name, SHAPE, 10, seed=0)
    digest = weights_digest(model)
    for method in (saliency, smoothgrad, integrated_gradients):
        found = method(model, x)
        assert found.values.shape == x.shape
        assert np.isfinite(found.values).all()
    assert weights_digest(model) == digest
    assert model.training
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_the_control_of_attribution(cnn, digits):
    x, y = digits[0][:30], digits[1][:30]
    untrained = build_model("cnn_shallow", SHAPE, 10, seed=5, channels=[8, 12])
    same = attribution_control("saliency", cnn, cnn, x, y)
    assert same["spearman"][0] == pytest.approx(1)
    fresh = attribution_control("saliency", cnn, untrained, x, y)
    assert fresh["spearman_high"][0] < 0.6
    assert fresh["spearman_low"][0] < fresh["spearman"][0] < fresh["spearman_high"][0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, x: saliency(m, x, torch.full((4,), 10)), "target 10 does not exist"),
        (lambda m, x: saliency(m, x.long()), "real-valued"),
        (lambda m, x: integrated_gradients(m, x, baseline="black"), "unknown baseline 'black'"),
        (lambda m, x: integrated_gradients(m, x, baseline=torch.zeros(3)), "one input, expected"),
        (lambda m, x: smoothgrad(m, x, noisy_copies=0), "at least 1 copy"),
        (lambda m, x: grad_cam(m, x, layer="Linear_0"), "channels of a plane"),
        (lambda m, x: attribution_control("saliancy", m, m, x, None), "did you mean 'saliency'"),
        (lambda m, x: saliency("model", x), "give a torch.nn.Module"),
    ],
)
def test_mistakes_in_attribution(cnn, digits, call, message):
    with pytest.raises(OntogenyError, match=message):
        call(cnn, digits[0][:4])


# ------------------------------------------------------------------------------------------------------ attention


def by_hand(layer, x):
    """Attention weights from the projections themselves."""
    width, heads = layer.embed_dim, layer.num_heads
    projected = x @ layer.in_proj_weight.T + layer.in_proj_bias
    q, k, _ = (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in projected.split(width, -1))
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(width // heads), -1)


@torch.no_grad()
def test_attention_weights_are_those_of_the_layer(digits):
    x = digits[0][:6]
    model = build_model("vit_tiny", SHAPE, 10, seed=0).eval()
    maps = attention_maps(model, x, chunk=4)
    block = model.transformer.layers[0]
    patches = model.patch_embed(x).flatten(2).transpose(1, 2)
    tokens = torch.cat([model.class_token.expand(6, -1, -1), patches], 1) + model.positions
    expected = by_hand(block.self_attn, block.norm1(tokens))
    np.testing.assert_allclose(maps["transformer.layers.0.self_attn"], expected, atol=1e-6)
    for weights in maps.values():
        np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert len(maps) == 3


@pytest.mark.parametrize("batch_first", [True, False])
@torch.no_grad()
def test_attention_of_plain_pytorch_encoders(batch_first):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first)
            self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=batch_first)
            self.out = nn.Linear(16, 3)

        def forward(self, x):
            y = self.encoder(x if batch_first else x.transpose(0, 1))
            return self.out(y.mean(1 if batch_first else 0))

    torch.manual_seed(0)
    model, x = Net().eval(), torch.randn(5, 7, 16)
    before = model(x)
    maps = attention_maps(model, x)
    first = model.encoder.layers[0].self_attn
    np.testing.assert_allclose(maps["encoder.layers.0.self_attn"], by_hand(first, x), atol=1e-6)
    assert torch.equal(model(x), before)
    assert "forward" not in vars(first)


@torch.no_grad()
def test_recording_does_not_change_the_output(digits):
    from ontogeny.features.attention import recorded_attention

    model = build_model("transformer_narrow", SHAPE, 10, seed=0).eval()
    before, received = model(digits[0][:4]), {}
    with recorded_attention(model, received):
        torch.testing.assert_close(model(digits[0][:4]), before, atol=1e-5, rtol=1e-5)
    with pytest.raises(RuntimeError), recorded_attention(model, {}):  # noqa: PT012
        assert "forward" in vars(model.transformer.layers[0].self_attn)
        model(digits[0][:4, :, :5])
    assert len(received) == 4
    assert all("forward" not in vars(m) for m in model.modules())


@torch.no_grad()
def test_attention_of_a_hugging_face_model():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, num_labels=3
    )
    model = transformers.BertForSequenceClassification(config).eval()
    ids = torch.randint(30, (4, 6))
    maps = attention_maps(model, ids)
    assert list(maps) == ["attention.0", "attention.1"]
    np.testing.assert_allclose(maps["attention.1"].sum(-1), 1, atol=1e-5)
    eager = transformers.BertForSequenceClassification._from_config(config, attn_implementation="eager").eval()
    eager.load_state_dict(model.state_dict())
    np.testing.assert_allclose(maps["attention.0"], eager(ids, output_attentions=True).attentions[0], atol=1e-5)


def test_networks_without_attention_are_refused(cnn, digits):
    with pytest.raises(OntogenyError, match="no attention that can be read"):
        attention_maps(cnn, digits[0][:2])


def test_entropy_and_specialisation_have_their_closed_forms():
    uniform, sharp = np.full((5, 4, 4), 0.25), np.broadcast_to(np.eye(4), (5, 4, 4))
    maps = {"a": np.stack([uniform, sharp], 1), "b": np.stack([sharp, sharp, sharp], 1), "c": uniform[:, None]}
    table = head_statistics(maps).set_index(["layer", "head"])
    assert table.loc[("a", 0), "entropy"] == pytest.approx(math.log(4))
    assert table.loc[("a", 0), "relative_entropy"] == pytest.approx(1)
    assert table.loc[("a", 1), "entropy"] == 0
    assert table.loc[("a", 1), "peak"] == 1
    mixed = np.array([0.625, 0.125, 0.125, 0.125])
    divergence = -(mixed * np.log(mixed)).sum() - math.log(4) / 2
    assert table.loc[("a", 0), "specialisation"] == pytest.approx(divergence)
    assert (table.loc["b", "specialisation"] == 0).all()
    assert np.isnan(table.loc[("c", 0), "specialisation"])
    assert table.loc[("a", 0), "entropy_low"] == pytest.approx(table.loc[("a", 0), "entropy_high"])


def test_rollout():
    rng = np.random.default_rng(0)
    maps = {str(layer): rng.dirichlet(np.ones(5), size=(3, 2, 5)) for layer in range(3)}
    rolled = attention_rollout(maps)
    np.testing.assert_allclose(rolled.sum(-1), 1)
    step = [0.5 * maps[key].mean(1) + 0.5 * np.eye(5) for key in maps]
    np.testing.assert_allclose(rolled, step[2] @ step[1] @ step[0])
    still = np.broadcast_to(np.eye(5), (3, 2, 5, 5))
    np.testing.assert_allclose(attention_rollout({"0": still}), still[:, 0])
    with pytest.raises(OntogenyError, match="same throughout"):
        attention_rollout({"0": maps["0"], "1": np.full((3, 2, 4, 4), 0.25)})


def test_heads_over_moments(digits):
    moments = {name: build_model("vit_tiny", SHAPE, 10, seed=seed) for seed, name in enumerate(["early", "late"])}
    table = head_evolution(moments, digits[0][:20], n_resamples=100)
    assert table.groupby("moment").size().to_dict() == {"early": 12, "late": 12}
    assert (table["entropy_low"] <= table["entropy"]).all()


# -------------------------------------------------------------------------------------------------------- filters


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("mlp", (64, 1, 8, 8)),
        ("cnn_shallow", (32, 1, 3, 3)),
        ("vit_tiny", (32, 1, 2, 2)),
        ("transformer_narrow", (64, 1, 1, 8)),
    ],
)
def test_first_layer_filters(name, shape):
    model = build_model(name, SHAPE, 10, seed=0)
    assert first_layer_filters(model, SHAPE).shape == shape
    other = build_model(name, SHAPE, 10, seed=1)
    table = filter_evolution({"a": model, "b": model, "c": other}, SHAPE).set_index(["moment", "filter"])
    assert table.loc["a", "movement"].isna().all()
    assert (table.loc["b", "movement"] == 0).all()
    np.testing.assert_allclose(table.loc["b", "cosine_first"], 1)
    assert table.loc["c", "cosine_first"].abs().mean() < 0.6
    np.testing.assert_allclose(table.loc["c", "cosine_last"], 1)


def test_filters_that_do_not_fit(cnn):
    with pytest.raises(OntogenyError, match="do not fit"):
        first_layer_filters(build_model("mlp", SHAPE, 10, seed=0), (1, 7, 7))
    with pytest.raises(OntogenyError, match="moments of one network"):
        filter_evolution({"a": cnn, "b": build_model("vit_tiny", SHAPE, 10, seed=0)}, SHAPE)


def test_top_inputs(cnn, digits):
    x, y = digits[0][:200], digits[1][:200]
    table = top_inputs(cnn, x, "Conv2d_0", k=4, labels=y, chunk=37)
    maps = torch.relu(cnn.conv_layers[0](x)).detach().flatten(2).numpy()
    best = np.sort(maps.max(2), axis=0)[::-1][:4]
    np.testing.assert_allclose(table["activation"].to_numpy().reshape(-1, 4), best.T, rtol=1e-5)
    first = table[table["rank"] == 0]
    at = tuple(first[name].to_numpy() for name in ("index", "unit", "position"))
    np.testing.assert_allclose(maps[at], first["activation"], rtol=1e-5)
    assert np.array_equal(table["label"], y[table["index"]])
    with pytest.raises(OntogenyError, match="k is 300"):
        top_inputs(cnn, x, "Conv2d_0", k=300)


def test_the_preferred_input_of_a_linear_unit_is_its_weights(linear):
    found = preferred_input(linear, "Linear_0", 4, SHAPE, steps=200, smoothness=0, jitter=0, norm=3.0)
    weight = linear[1].weight[4].detach().numpy()
    cosine = found.image.ravel() @ weight / np.linalg.norm(weight) / 3
    assert cosine == pytest.approx(1, abs=1e-3)
    assert found.norm == pytest.approx(3, rel=1e-4)
    assert found.activation == pytest.approx(3 * np.linalg.norm(weight) + linear[1].bias[4].item(), rel=1e-3)


def test_the_preferred_input_beats_the_data_and_is_seeded(cnn, digits):
    x = digits[0]
    norm = float(x.flatten(1).norm(dim=1).median())
    settings = {"norm": norm, "bounds": (-1, 1), "steps": 100}
    found, again = (preferred_input(cnn, "Linear_0", 3, SHAPE, **settings) for _ in range(2))
    assert np.array_equal(found.image, again.image)
    assert found.activation > cnn(x)[:, 3].max().item()
    assert np.abs(found.image).max() <= 1
    assert cnn(torch.from_numpy(found.image)[None]).argmax() == 3
    moved = preferred_input(cnn, "Linear_0", 3, SHAPE, jitter=1, **settings)
    assert moved.start < moved.activation < found.activation
    rough = preferred_input(cnn, "Linear_0", 3, SHAPE, smoothness=0, **settings)
    variation = [np.abs(np.diff(f.image)).sum() for f in (found, rough)]
    assert variation[0] < variation[1]
    with pytest.raises(OntogenyError, match="no unit 10"):
        preferred_input(cnn, "Linear_0", 10, SHAPE)


@pytest.mark.parametrize(("name", "layer"), [("vit_tiny", "Linear_0"), ("transformer_narrow", "MultiheadAttention_1")])
def test_preferred_inputs_inside_transformers(name, layer):
    found = preferred_input(build_model(name, SHAPE, 10, seed=0), layer, 2, SHAPE, steps=40)
    assert found.activation > found.start
    assert isinstance(found.history, np.ndarray)
    assert len(found.history) == 40


def test_tables_are_tidy(cnn, digits):
    table = top_inputs(cnn, digits[0][:20], "Linear_0", k=1)
    assert isinstance(table, pd.DataFrame)
    assert list(table.columns) == ["layer", "unit", "rank", "index", "activation", "position"]
