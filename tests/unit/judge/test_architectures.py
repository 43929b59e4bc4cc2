"""Backbones beyond those that ship: a run goes on to the same logits from any layer, and parts are parts or none."""

import numpy as np
import pytest
import torch
import transformers
from small_judges import VOCABULARY

from ontogeny.errors import OntogenyError
from ontogeny.judge.circuits import circuit_graph, run_subgraphs
from ontogeny.judge.network import difference, frozen, hooked, run, run_on
from ontogeny.judge.pairs import Pairs
from ontogeny.judge.readings import neuron_activations
from ontogeny.models.judge import Judge, train_tokenizer
from ontogeny.models.pretrained import load_judge

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": VOCABULARY}
SETTINGS = {
    "OPT": {"ffn_dim": 24, "word_embed_proj_dim": 16},
    "GPTNeoX": {"intermediate_size": 24},
    "Bloom": {},
    "Mpt": {},
    "Mamba": {"state_size": 4},
    "Gemma2": {"intermediate_size": 24, "num_key_value_heads": 1, "head_dim": 8},
    "Granite": {"intermediate_size": 24, "residual_multiplier": 0.3},
    "StableLm": {"intermediate_size": 24, "num_key_value_heads": 2},
    "Phi": {"intermediate_size": 24},
    "GPTJ": {"rotary_dim": 4},
    "Falcon": {},
    "ModernBert": {"intermediate_size": 24, "pad_token_id": 0},
    "Qwen2": {"intermediate_size": 24, "num_key_value_heads": 1},
    "Bert": {"intermediate_size": 24},
    "DistilBert": {"hidden_dim": 24},
}
NORMED = ("Bert", "DistilBert")
ADD_UP = ("Qwen2", "StableLm", "Bloom", "Mpt", "OPT", "GPTNeoX", "Phi", "GPTJ", "Falcon", "ModernBert", *NORMED)


def backbone(kind, **settings):
    config = getattr(transformers, f"{kind}Config")(
        **SIZES, **SETTINGS.get(kind, {}), **settings, attn_implementation="eager"
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModel.from_config(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.2)
    return model


def rows(count=6, length=6):
    tokens = torch.arange(count * length).reshape(count, length) % (VOCABULARY - 3) + 3
    tokens[1, 4:] = -1
    return tokens


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_run_goes_on_from_any_layer_to_the_same_logits(kind):
    judge = Judge(backbone(kind)).eval()
    with torch.no_grad(), frozen(judge):
        past = run(judge, rows())
        for layer in range(2):
            copies = past.residuals[layer].repeat_interleave(2, 0)
            found = run_on(judge, past, layer, copies)
            torch.testing.assert_close(found, judge(rows()).repeat_interleave(2, 0), rtol=0, atol=1e-5)
    if kind == "Mamba":
        with pytest.raises(OntogenyError, match="no MLP of a known kind"):
            neuron_activations(judge, rows())
    else:
        assert neuron_activations(judge, rows()).shape[:2] == (6, 2)


def matched():
    unsafe = rows()
    return Pairs(unsafe, torch.where(unsafe >= 0, unsafe.flip(0).clamp(min=3), -1), torch.arange(6).numpy())


@pytest.mark.parametrize("kind", SETTINGS)
def test_circuits_are_of_blocks_that_add_up_and_whole_circuits_are_the_judge(kind):
    judge = Judge(backbone(kind)).eval()
    graph = circuit_graph(judge)
    assert (graph is not None) == (kind in ADD_UP)
    if graph is not None:
        assert graph.normed == (kind in NORMED)
        pairs = matched()
        found = run_subgraphs(judge, pairs, graph.masks([range(len(graph.edges)), []]))
        with torch.no_grad():
            expected = torch.stack([difference(judge(tokens)) for tokens in (pairs.unsafe, pairs.safe)])
        torch.testing.assert_close(torch.as_tensor(found), expected, rtol=0, atol=1e-4)


def without_edges_into(node, kind):
    """A judge, its pairs, and the logits apart when all edges into a node of its circuit are cut."""
    judge, pairs = Judge(backbone(kind)).eval(), matched()
    with torch.no_grad():
        judge.head.weight.mul_(50)
    graph = circuit_graph(judge)
    into = np.array(graph.edges)[:, 1] == graph.receivers.index(node)
    return judge, pairs, run_subgraphs(judge, pairs, graph.masks([np.flatnonzero(~into)]))[0]


def mlp_outputs(judge, layer):
    """Where the MLP of a layer returns what it writes, by the names of this library's models."""
    block = judge.blocks[layer]
    last = {"BloomModel": "mlp.dense_4h_to_h", "MptModel": "ffn.down_proj", "OPTModel": "fc2"}
    if type(judge.backbone).__name__ in last:
        return block.get_submodule(last[type(judge.backbone).__name__])
    return block.output.dense if hasattr(block, "intermediate") else block.ffn if hasattr(block, "ffn") else block.mlp


@pytest.mark.parametrize("kind", ADD_UP)
def test_an_mlp_without_its_edges_is_that_of_the_safe_prompt_by_hand(kind):
    """An MLP whose incoming edges are all cut writes what it writes for the safe prompt: a hook puts it there."""
    judge, pairs, found = without_edges_into("1.mlp", kind)
    place, kept = mlp_outputs(judge, 0), []
    with torch.no_grad():
        with hooked(place.register_forward_hook(lambda _, __, output: kept.append(output.clone()))):
            judge(pairs.safe)
        with hooked(place.register_forward_hook(lambda *_: kept[0].clone())):
            expected = difference(judge(pairs.unsafe))
        assert (expected - difference(judge(pairs.unsafe))).abs().max() > 1e-3
    torch.testing.assert_close(torch.as_tensor(found), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", NORMED)
def test_a_head_of_an_encoder_without_its_edge_is_that_of_the_safe_prompt_by_hand(kind):
    judge, pairs, found = without_edges_into("2.h1", kind)
    attention = judge.blocks[1].attention
    place, kept = attention.output.dense if kind == "Bert" else attention.out_lin, []

    def put(_, args):
        return torch.cat([kept[0][..., :8], args[0][..., 8:]], -1)

    with torch.no_grad():
        with hooked(place.register_forward_pre_hook(lambda _, args: kept.append(args[0].clone()))):
            judge(pairs.safe)
        with hooked(place.register_forward_pre_hook(put)):
            expected = difference(judge(pairs.unsafe))
        assert (expected - difference(judge(pairs.unsafe))).abs().max() > 1e-3
    torch.testing.assert_close(torch.as_tensor(found), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        ("T5", {"d_model": 16, "d_ff": 24, "d_kv": 8}, "T5Model, which cannot judge"),
        ("OPT", {"word_embed_proj_dim": 8}, "OPTModel, which cannot judge"),
        ("XLNet", {"d_model": 16, "d_inner": 24, "n_head": 2}, "XLNetModel, which cannot judge"),
    ],
)
def test_what_cannot_judge_is_told_when_it_is_loaded(tmp_path, monkeypatch, kind, settings, words):
    monkeypatch.setitem(SETTINGS, kind, {})
    size = {} if kind == "OPT" else {"vocab_size": VOCABULARY, "num_layers": 2, "n_layer": 2}
    monkeypatch.setattr(f"{__name__}.SIZES", SIZES if kind == "OPT" else size)
    backbone(kind, **settings).save_pretrained(tmp_path)
    train_tokenizer(["a prompt"], 300).save(tmp_path)
    with pytest.raises(OntogenyError, match=words):
        load_judge(tmp_path)


def test_more_tokens_than_positions_is_one_sentence():
    judge = Judge(backbone("GPT2", n_positions=8)).eval()
    with pytest.raises(OntogenyError, match=r"9 tokens, but GPT2Model has 8 positions: set task\.max_length"):
        judge(torch.zeros(1, 9, dtype=torch.int64))
