"""Which layers are found in networks of ours and of others, and that none is dropped in silence."""

import re

import pytest
import torch
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.models import (
    MODELS,
    build_model,
    detect_architecture,
    get_handler,
    monitored_layers,
    trace_layers,
    without_fast_path,
)
from ontogeny.models.trace import FUNCTIONS, nonlinear
from ontogeny.nonlinearities.torch import Square


def named(model):
    return [layer.name for layer in get_handler(model).layers]


def account(model):
    """Every parameter belongs to a monitored module or to a skipped one; return the handler."""
    handler = get_handler(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    covered = {id(p) for layer in handler.layers for p in layer.module.parameters()}
    covered |= {id(p) for entry in handler.skipped for p in modules[entry.path].parameters(recurse=False)}
    assert {id(p) for p in model.parameters()} <= covered
    assert all(entry.reason for entry in handler.skipped)
    assert len({layer.name for layer in handler.layers}) == len(handler.layers)
    assert all(modules[layer.path] is layer.module for layer in handler.layers)
    assert not {layer.path for layer in handler.layers} & {entry.path for entry in handler.skipped}
    return handler


def fires(model, *inputs, **keywords):
    """Every monitored layer's hook fires in a forward pass in eval mode, with an output that holds a tensor."""
    handler = account(model)
    seen = {}
    hooks = [
        layer.module.register_forward_hook(lambda _m, _i, out, name=layer.name: seen.update({name: out}))
        for layer in handler.layers
    ]
    with torch.no_grad(), without_fast_path():
        model.eval()(*inputs, **keywords)
    for hook in hooks:
        hook.remove()
    assert set(seen) == {layer.name for layer in handler.layers}
    for out in seen.values():
        assert isinstance(out[0] if isinstance(out, tuple) else out, torch.Tensor)
    return handler


@pytest.mark.parametrize("name", MODELS)
def test_our_own(name):
    settings = {"depth": 2} if name.startswith(("vit", "transformer")) else {}
    inputs = torch.randint(10, (3, 8)) if name == "attention_only" else torch.rand(3, 1, 8, 8)
    handler = fires(build_model(name, (1, 8, 8), 10, 0, **settings), inputs)
    kinds = {"resnet": "cnn", "deep": "mlp", "superposition": "mlp", "attention": "transformer"}
    kind = kinds.get(name.split("_")[0], name.split("_")[0])
    assert handler.architecture == kind


def test_sequential_mlp():
    model = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2))
    handler = fires(model, torch.rand(3, 8))
    assert [(layer.name, layer.path, layer.kind) for layer in handler.layers] == [
        ("Linear_0", "0", "linear"),
        ("Linear_1", "3", "linear"),
        ("Linear_2", "5", "linear"),
    ]
    assert handler.skipped == []
    assert handler.get_activation_layers(model) == [model[0], model[3], model[5]]
    assert handler.get_layer_names(model) == ["Linear_0", "Linear_1", "Linear_2"]
    assert handler.get_layer_names(model, [model[5], model[1]]) == ["Linear_2", "ReLU_0"]
    assert handler.validate_model(nn.Linear(2, 2))
    assert not handler.validate_model(nn.ReLU())
    with pytest.raises(OntogenyError, match="layer 0 \\(Linear\\) is not a part of this Sequential"):
        handler.get_layer_names(model, [nn.Linear(2, 2)])


def test_a_single_layer_is_a_model():
    assert named(nn.Linear(3, 2)) == ["Linear_0"]
    assert detect_architecture(nn.MultiheadAttention(4, 2)) == "transformer"


def test_bare_attention_has_tuple_outputs():
    handler = fires(nn.MultiheadAttention(8, 2, batch_first=True), *[torch.rand(2, 3, 8)] * 3)
    assert [layer.kind for layer in handler.layers] == ["attention"]
    assert handler.skipped[0].path == "out_proj"
    assert "without a call; MultiheadAttention_0 is monitored" in handler.skipped[0].reason


@pytest.mark.parametrize("norm_first", [False, True])
def test_stock_encoder(norm_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation="gelu")
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    handler = fires(model, torch.rand(2, 5, 8))
    followed = trace_layers(model, torch.rand(2, 5, 8))
    assert [(name, each.nonlinearity) for name, each in followed.items()] == [
        ("MultiheadAttention_0", "none"),
        ("Linear_0", "gelu"),
        ("Linear_1", "none"),
        ("MultiheadAttention_1", "none"),
        ("Linear_2", "gelu"),
        ("Linear_3", "none"),
    ]
    assert sum("normalisation" in entry.reason for entry in handler.skipped) == 4


def test_stock_transformer_and_decoder():
    model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    handler = fires(model, torch.rand(2, 5, 8), torch.rand(2, 4, 8))
    assert [layer.path for layer in handler.layers if layer.kind == "attention"] == [
        "encoder.layers.0.self_attn",
        "decoder.layers.0.self_attn",
        "decoder.layers.0.multihead_attn",
    ]
    decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 1)
    assert detect_architecture(decoder) == "transformer"
    fires(decoder, torch.rand(4, 2, 8), torch.rand(5, 2, 8))


def test_fast_path_is_the_reason_for_its_switch():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    assert torch.backends.mha.get_fastpath_enabled()
    with without_fast_path():
        assert not torch.backends.mha.get_fastpath_enabled()
        with pytest.raises(ZeroDivisionError), without_fast_path():
            _ = 1 / 0
        assert not torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.mha.get_fastpath_enabled()
    fires(layer, torch.rand(2, 3, 8))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return self.relu(x + self.conv2(self.relu(self.bn1(self.conv1(x)))))


def test_residual_blocks():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Residual(4), Residual(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    handler = fires(model, torch.rand(2, 3, 8, 8))
    assert handler.architecture == "cnn"
    assert [layer.name for layer in handler.layers] == [*(f"Conv2d_{k}" for k in range(5)), "Linear_0"]
    block = monitored_layers(model, ["1", "Residual_1"])
    assert [(layer.name, layer.path, layer.kind) for layer in block] == [
        ("Residual_0", "1", "block"),
        ("Residual_1", "2", "block"),
    ]


class Oddities(nn.Module):
    """Weights in every unusual place."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.first = nn.Linear(4, 4)
        self.again = self.first
        self.scaled = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
        self.slope = nn.PReLU()
        self.own = Own()
        self.listed = Listed()
        self.loose = nn.Parameter(torch.ones(4))
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        x = self.again(self.first(self.embed(x)))
        return self.head(self.listed(self.own(self.slope(self.scaled(x)))) * self.loose)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(4))

    def forward(self, x):
        return x @ self.weight


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.weights = nn.ParameterList([torch.eye(4), torch.eye(4)])

    def forward(self, x):
        return x @ self.weights[0] @ self.weights[1]


def test_nothing_is_dropped_in_silence():
    handler = fires(Oddities(), torch.tensor([[0, 1, 2]]))
    assert [(layer.path, layer.kind) for layer in handler.layers] == [
        ("first", "linear"),
        ("scaled", "linear"),
        ("own", "other"),
        ("listed", "block"),
        ("head", "linear"),
    ]
    assert [layer.name for layer in handler.layers][:2] == ["Linear_0", "Linear_1"]
    reasons = dict(handler.skipped)
    assert "the model itself holds loose" in reasons[""]
    assert "the same module as 'first'" in reasons["again"]
    assert "embedding" in reasons["embed"]
    assert "PReLU" in reasons["slope"]
    assert "without a call" in reasons["listed.weights"]
    assert "Linear_1" in reasons["scaled.parametrizations.weight"]


def test_recurrent():
    class Reader(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTM(3, 4, batch_first=True)
            self.out = nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.cell(x)[0])

    handler = fires(Reader(), torch.rand(2, 5, 3))
    assert handler.architecture == "rnn"
    assert [layer.kind for layer in handler.layers] == ["recurrent", "linear"]


@pytest.mark.parametrize(
    ("model", "seen"),
    [
        (nn.Sequential(nn.ReLU(), nn.Flatten()), "1 ReLU, 1 Flatten"),
        (nn.Sequential(nn.Embedding(3, 2), nn.LayerNorm(2)), "1 Embedding, 1 LayerNorm"),
        (Own(), "the parameters weight itself"),
    ],
)
def test_no_known_architecture(model, seen):
    with pytest.raises(OntogenyError, match="no known architecture") as caught:
        detect_architecture(model)
    assert seen in str(caught.value)


def test_bad_requests():
    model = build_model("mlp", (1, 8, 8), 10, 0)
    assert monitored_layers(model, ["network.2", "Linear_0"])[1].path == "network.0"
    with pytest.raises(OntogenyError, match=re.escape("unknown layer 'Linaer_1': did you mean 'Linear_1'")):
        monitored_layers(model, ["Linaer_1"])
    with pytest.raises(OntogenyError, match=re.escape("did you mean 'network.2'")):
        monitored_layers(model, ["netwrk.2"])
    with pytest.raises(OntogenyError, match="named twice"):
        monitored_layers(model, ["Linear_0", "network.0"])
    with pytest.raises(OntogenyError, match="no layer is named"):
        monitored_layers(model, [])
    with pytest.raises(OntogenyError, match="the model is a list"):
        monitored_layers([1])
    with pytest.raises(OntogenyError, match="did you mean 'transformer'"):
        get_handler(model, "transfomer")
    with pytest.raises(OntogenyError, match="looks like 'mlp', not 'cnn'"):
        get_handler(model, "cnn")
    with pytest.raises(OntogenyError, match="run the model on one batch first"):
        get_handler(nn.Sequential(nn.LazyLinear(3)))
    attention = build_model("vit_tiny", (1, 8, 8), 10, 0)
    with pytest.raises(OntogenyError, match="without calling it; monitor"):
        monitored_layers(attention, ["transformer.layers.0.self_attn.out_proj"])
    with pytest.raises(OntogenyError, match="never called"):
        monitored_layers(attention, ["transformer.layers"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_nonlinearities(name):
    module = {
        "relu": nn.ReLU,
        "gelu": nn.GELU,
        "tanh": nn.Tanh,
        "leaky_relu": nn.LeakyReLU,
        "sigmoid": nn.Sigmoid,
        "silu": nn.SiLU,
        "elu": nn.ELU,
        "softplus": nn.Softplus,
        "square": Square,
    }[name]()
    x = torch.linspace(-3, 3, 20)
    model = nn.Sequential(nn.Linear(4, 6), module)
    followed = trace_layers(model, torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))["Linear_0"]
    assert (followed.nonlinearity, followed.computable, followed.module) == (name, True, "1")
    torch.testing.assert_close(nonlinear(x, name), module(x.double()))


def test_scaled_nonlinearity_is_not_mistaken():
    model = nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.2))
    followed = trace_layers(model, torch.randn(3, 4, generator=torch.Generator().manual_seed(0)))["Linear_0"]
    assert (followed.nonlinearity, followed.computable) == ("leaky_relu", False)


# --------------------------------------------------------------------------------------- Hugging Face networks


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


TOKENS = torch.tensor([[1, 2, 3, 4], [4, 3, 2, 1]])


def test_bert(transformers):
    config = transformers.BertConfig(
        vocab_size=11, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16
    )
    handler = fires(transformers.BertForSequenceClassification(config), TOKENS)
    assert handler.architecture == "transformer"
    paths = [layer.path for layer in handler.layers]
    for part in ("attention.self.query", "attention.output.dense", "intermediate.dense", "output.dense"):
        assert f"bert.encoder.layer.1.{part}" in paths
    assert paths[-2:] == ["bert.pooler.dense", "classifier"]
    assert {entry.path.rsplit(".", 1)[-1] for entry in handler.skipped} == {
        "LayerNorm",
        "word_embeddings",
        "position_embeddings",
        "token_type_embeddings",
    }


def test_gpt2(transformers):
    config = transformers.GPT2Config(vocab_size=11, n_embd=8, n_layer=2, n_head=2, n_positions=16)
    handler = fires(transformers.GPT2LMHeadModel(config), TOKENS)
    assert handler.architecture == "transformer"
    assert [(layer.name, layer.path.split(".", 2)[-1]) for layer in handler.layers[:4]] == [
        ("Conv1D_0", "0.attn.c_attn"),
        ("Conv1D_1", "0.attn.c_proj"),
        ("Conv1D_2", "0.mlp.c_fc"),
        ("Conv1D_3", "0.mlp.c_proj"),
    ]
    assert all(layer.kind == "linear" for layer in handler.layers)
    assert handler.layers[-1].path == "lm_head"


def test_hugging_face_vit(transformers):
    config = transformers.ViTConfig(
        hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=8, patch_size=4
    )
    handler = fires(transformers.ViTForImageClassification(config), torch.rand(2, 3, 8, 8))
    assert handler.architecture == "vit"
    assert handler.layers[0].kind == "conv"
    assert "vit.embeddings" in dict(handler.skipped)


def test_swin(transformers):
    config = transformers.SwinConfig(
        image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2], window_size=4
    )
    handler = fires(transformers.SwinForImageClassification(config), torch.rand(1, 3, 32, 32))
    assert handler.architecture == "vit"
    assert {layer.kind for layer in handler.layers} == {"conv", "linear"}


def test_mixture_of_experts(transformers):
    config = transformers.MixtralConfig(
        vocab_size=11,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=16,
        num_local_experts=2,
    )
    handler = fires(transformers.MixtralForCausalLM(config), TOKENS)
    assert any("experts" in layer.path for layer in handler.layers)


def test_llama(transformers):
    config = transformers.LlamaConfig(
        vocab_size=11,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        tie_word_embeddings=True,
    )
    handler = fires(transformers.LlamaForCausalLM(config), TOKENS)
    assert handler.architecture == "transformer"
    parts = [layer.path.rsplit(".", 1)[-1] for layer in handler.layers]
    assert parts == ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
