"""The judge: padding, truncation, the token it classifies at, freezing, checkpoints of every architecture."""

import json

import pytest
import torch
from torch.nn import functional

from ontogeny.errors import OntogenyError
from ontogeny.models import monitored_layers
from ontogeny.models.judge import Judge, build_judge, save_judge, train_tokenizer, trim
from ontogeny.models.pretrained import load_judge
from ontogeny.models.settings import JudgeModelSettings

TEXTS = [f"How do I open door number {number} of the old house?" for number in range(60)]
SMALL = {"vocabulary": 320, "width": 16, "heads": 2, "feedforward": 32}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Tiny random checkpoints on disk, by architecture."""
    from transformers import DistilBertConfig, DistilBertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

    torch.manual_seed(0)
    common = {"vocab_size": 320}
    models = {
        "llama": LlamaModel(
            LlamaConfig(hidden_size=16, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, **common)
        ),
        "gpt2": GPT2Model(GPT2Config(n_embd=16, n_layer=3, n_head=2, n_positions=128, **common)),
        "distilbert": DistilBertModel(DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=32, **common)),
    }
    root = tmp_path_factory.mktemp("checkpoints")
    for name, model in models.items():
        model.save_pretrained(root / name)
        train_tokenizer(TEXTS, 320).save(root / name)
    return root


@pytest.fixture(scope="module")
def embedded():
    return build_judge(TEXTS, JudgeModelSettings(**SMALL, layers=3, pretrain_steps=2))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "distilbert"])
def test_padding_does_not_change_a_logit(checkpoints, kind):
    judge, tokenizer = load_judge(checkpoints / kind)
    tokens = tokenizer.encode([TEXTS[0], "a", "Is it? " * 12, TEXTS[5]])
    with torch.no_grad():
        together = judge(functional.pad(tokens, (0, 9), value=-1))
        alone = torch.cat([judge(trim(row[None])) for row in tokens])
    assert together.shape == (4, 2)
    assert together.dtype == torch.float32
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("kind", ["llama", "gpt2", "distilbert"])
def test_the_parts_of_every_architecture_are_found(checkpoints, kind):
    judge, tokenizer = load_judge(checkpoints / kind, JudgeModelSettings(frozen_layers=1))
    assert len(judge.blocks) == len(judge.residual) == len(judge.mlp) == 3
    assert judge.head.weight.shape == (2, 16)
    assert (judge.final_norm is None) == (kind == "distilbert")
    frozen = {name for name, parameter in judge.named_parameters() if not parameter.requires_grad}
    trained = {id(p) for part in (judge.blocks[1:], judge.head, judge.final_norm) if part for p in part.parameters()}
    assert frozen == {name for name, parameter in judge.named_parameters() if id(parameter) not in trained}
    assert id(next(judge.embedding.parameters())) not in trained
    tokens = tokenizer.encode(TEXTS[:3])
    embeddings = judge.embedding(tokens.clamp(min=0))
    torch.testing.assert_close(judge.forward_embedded(embeddings, tokens >= 0), judge(tokens), rtol=0, atol=0)


def test_it_classifies_at_the_last_real_token(checkpoints):
    """In a decoder the logits depend on the last token, and on nothing behind it; the watched layers agree."""
    judge, tokenizer = load_judge(checkpoints / "llama")
    tokens = tokenizer.encode(["a b c d", "a b"])
    seen = {}
    judge.residual[2].register_forward_hook(lambda _, __, output: seen.update(stream=output))
    hidden = judge.backbone(inputs_embeds=judge.embedding(tokens.clamp(min=0)), attention_mask=(tokens >= 0).long())
    logits = judge(tokens)
    last = (tokens >= 0).sum(1) - 1
    assert last[0] != last[1]
    rows = hidden.last_hidden_state[torch.arange(2), last]
    torch.testing.assert_close(logits, judge.head(rows))
    torch.testing.assert_close(judge.final_norm(seen["stream"]), rows)
    with pytest.raises(OntogenyError, match="row 1 of the tokens is empty"):
        judge(torch.tensor([[1, 2], [-1, -1]]))


def test_watched_layers_can_be_named(embedded):
    judge, _ = embedded
    layers = monitored_layers(judge, ["residual.0", "mlp.2"])
    assert [layer.path for layer in layers] == ["residual.0", "mlp.2"]


def test_truncation_keeps_the_start_and_the_question():
    tokenizer = train_tokenizer(TEXTS, 320)
    text = "word " * 40 + "is this the question?"
    whole, cut = tokenizer.encode([text], 1000)[0], tokenizer.encode([text, "short"], 12)
    assert cut.shape[1] == 12
    assert cut[0].tolist() == whole[:3].tolist() + whole[-9:].tolist()
    assert tokenizer.pieces(cut[0])[0] == "<start>"
    assert tokenizer.pieces(cut[0])[-1] == "<end>"
    assert (cut[1] == -1).any()
    assert "".join(tokenizer.pieces(cut[1])[1:-1]).strip() == "short"
    with pytest.raises(OntogenyError, match="max_length is 3"):
        tokenizer.encode([text], 3)


def test_the_embedded_judge_is_a_function_of_its_arguments(embedded, tmp_path):
    judge, tokenizer = embedded
    again, _ = build_judge(TEXTS, JudgeModelSettings(**SMALL, layers=3, pretrain_steps=2))
    for one, two in zip(judge.parameters(), again.parameters()):
        assert torch.equal(one, two)
    save_judge(judge, tokenizer, tmp_path / "kept")
    back, same = load_judge(tmp_path / "kept")
    tokens = tokenizer.encode(TEXTS[:4])
    assert torch.equal(same.encode(TEXTS[:4]), tokens)
    assert torch.equal(back(tokens), judge(tokens))
    with pytest.raises(OntogenyError, match="width is 18"):
        build_judge(TEXTS, JudgeModelSettings(width=18, heads=4))


def test_pretraining_learns_the_text():
    short, _ = build_judge(TEXTS, JudgeModelSettings(**SMALL, layers=1, pretrain_steps=0))
    long, tokenizer = build_judge(TEXTS, JudgeModelSettings(**SMALL, layers=1, pretrain_steps=60))
    tokens = tokenizer.encode(TEXTS)

    def loss(judge):
        hidden = judge.backbone(input_ids=tokens.clamp(min=0), attention_mask=(tokens >= 0).long()).last_hidden_state
        logits = functional.linear(hidden[:, :-1], judge.embedding.weight)
        return float(functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=-1).detach())

    assert loss(long) < 0.8 * loss(short)


def test_pickled_weights_foreign_code_and_missing_parts_are_refused(checkpoints, tmp_path):
    folder = tmp_path / "c"
    folder.mkdir()
    with pytest.raises(OntogenyError, match=r"holds no config\.json"):
        load_judge(folder)
    config = json.loads((checkpoints / "gpt2" / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(OntogenyError, match="holds no weights"):
        load_judge(folder)
    (folder / "pytorch_model.bin").write_bytes(b"anything")
    with pytest.raises(OntogenyError, match=r"only pytorch_model\.bin, which is pickled"):
        load_judge(folder)
    (folder / "model.safetensors").write_bytes((checkpoints / "gpt2" / "model.safetensors").read_bytes())
    with pytest.raises(OntogenyError, match="holds no tokenizer"):
        load_judge(folder)
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(OntogenyError, match="not a checkpoint that transformers can read"):
        load_judge(folder)
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(OntogenyError, match="run code of its own"):
        load_judge(folder)
    with pytest.raises(OntogenyError, match="frozen_layers is 4"):
        load_judge(checkpoints / "gpt2", JudgeModelSettings(frozen_layers=4))


def test_an_unreachable_hub_is_one_sentence(monkeypatch):
    import transformers

    def unreachable(*_, **__):
        raise OSError("We couldn't connect to the hub to load the files, and couldn't find them in the cached files.")

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", unreachable)
    with pytest.raises(OntogenyError, match="no local folder, and the Hugging Face hub cannot be reached"):
        load_judge("some/checkpoint")


def test_bfloat16_keeps_the_head_in_float32(checkpoints):
    judge, tokenizer = load_judge(
        checkpoints / "llama", JudgeModelSettings(dtype="bfloat16", gradient_checkpointing=True)
    )
    assert next(judge.backbone.parameters()).dtype == torch.bfloat16
    logits = judge.train()(tokenizer.encode(TEXTS[:2]))
    logits.sum().backward()
    assert logits.dtype == torch.float32
    assert isinstance(judge, Judge)
