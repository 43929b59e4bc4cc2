"""Every setting of a judge's run changes what the run leaves, and every setting of its analysis the record."""

import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
import torch
import transformers
from settings_walk import Walk, cases

from ontogeny.config.models import JudgeRunSettings
from ontogeny.judge.mechanism import MechanismBench
from ontogeny.judge.neurons import ablate_neurons
from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.judge.trace import epochs_looked_at
from ontogeny.models.judge import build_judge, save_judge
from ontogeny.models.pretrained import load_judge
from ontogeny.models.settings import JudgeModelSettings
from ontogeny.tasks.prompts import load_prompts
from ontogeny.tasks.settings import JudgeTaskSettings, SplitSettings
from ontogeny.tracking.settings import JudgeTrackingSettings
from ontogeny.training.loop import train
from ontogeny.training.settings import JudgeTrainingSettings
from ontogeny.trajectory.prompts import PRETRAINED, link_pretrained
from ontogeny.trajectory.setup import set_up

MODEL = {
    "vocabulary": 300, "width": 8, "layers": 2, "heads": 2, "feedforward": 8, "pretrain_steps": 1,
    "pretrain_batch_size": 4,
}  # fmt: skip
TASK = {"count": 64, "n_probe": 8, "max_length": 12}
TRAINING = {"epochs": 2, "batch_size": 12, "warmup_steps": 1, "learning_rate": 0.01}


def identity(**blocks):
    settings = JudgeRunSettings.model_validate({"task": TASK, "model": MODEL, "training": TRAINING} | blocks)
    return settings.model_dump(mode="json", include={"task", "model", "training", "tracking"}) | {"seed": 0}


def digest(folder, *left_out):
    """Of all files but config.json, which repeats the settings."""
    found = hashlib.sha256()
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        if path.name not in ("config.json", *left_out):
            found.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory):
    """Prompts in a file that is read in two formats, and a checkpoint."""
    folder = tmp_path_factory.mktemp("given")
    rows = [f"how do I {word} {i},{i % 2},text number {i},{(i // 2) % 2}" for i, word in enumerate(["go", "ask"] * 30)]
    (folder / "prompts.csv").write_text("prompt,label,user_input,toxicity\n" + "\n".join(rows))
    judge, tokenizer = build_judge(["how do I go", "how do I ask"] * 20, JudgeModelSettings(**MODEL | {"width": 16}))
    save_judge(judge, tokenizer, folder / "checkpoint")
    names = {0: "fine", 1: "toxic", 2: "jailbreak"}
    config = transformers.LlamaConfig(
        hidden_size=16, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2, vocab_size=tokenizer.size,
        num_labels=3, id2label=names, label2id={name: index for index, name in names.items()}, pad_token_id=0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.AutoModelForSequenceClassification.from_config(config).save_pretrained(folder / "classifier")
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder / "guard")
    for place in ("classifier", "guard"):
        tokenizer.save(folder / place)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def prompts_of(settings):
    with TemporaryDirectory() as folder:
        setup = set_up(identity(task=settings.model_dump()), folder=folder)
        shown = [tensor.tolist() for tensor in (*setup.probe, *setup.learner.batch(0))]
        return digest(folder), json.dumps([shown, setup.record], sort_keys=True)


def backbone_of(settings):
    with TemporaryDirectory() as folder:
        learner = set_up(identity(model=settings.model_dump()), folder=folder).learner
        return [(name, p.dtype, p.requires_grad, p.sum().item()) for name, p in learner.model.named_parameters()]


def answer_of(settings):
    """The logits of a checkpoint with a head of its own."""
    judge, tokenizer = load_judge(settings.name, settings)
    with torch.no_grad():
        return judge(tokenizer.encode(["how do I go"])).tolist()


SMALL = {
    "run_advanced": False, "samples": 1, "discovery": 24, "held_out": 16, "pairs": 8, "attributed": 2,
    "integration_steps": 2, "permutations": 19, "shuffles": 2, "candidates": 4, "baselines": 2, "edge_steps": 1,
    "random_subgraphs": 2, "ablations": 5,
}  # fmt: skip


@cache
def _judge():
    prompts = load_prompts(JudgeTaskSettings(count=400))
    settings = JudgeModelSettings(**MODEL | {"layers": 1, "pretrain_steps": 0})
    judge, tokenizer = build_judge(list(prompts["prompt"]), settings, max_length=16)
    other = copy.deepcopy(judge)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return judge, other, tokenizer, prompts


@cache
def _record(settings):
    judge, other, tokenizer, prompts = _judge()
    bench = MechanismBench(
        judge, tokenizer, prompts, JudgeAnalysisSettings.model_validate_json(settings), max_length=16
    )
    return json.dumps(bench.measure(other, 1))


def record_of(settings):
    return _record(settings.model_dump_json(exclude={"visualization_interval"}))


def ablation_of(settings):
    _, judge, tokenizer, prompts = _judge()
    some = prompts.head(8)
    neurons = pd.DataFrame({"layer": [1], "neuron": [2]})
    tokens = tokenizer.encode(list(some["prompt"]))
    return ablate_neurons(judge, tokens, some["label"].to_numpy(), neurons, settings.ablations)["random"]


def advanced(**change):
    return change | {"run_advanced": True}


@cache
def _pretrained():
    folder = TemporaryDirectory()
    set_up(identity(), folder=folder.name)
    return folder


def run_of(**blocks):
    with TemporaryDirectory() as folder:
        link_pretrained(Path(_pretrained().name) / PRETRAINED, folder)
        train(identity(**blocks), folder, "run")
        record = json.loads((Path(folder) / "phase1.json").read_text())
        record["metadata"].pop("train")
        return digest(folder, "phase1.json"), json.dumps(record)


WALKS = [
    Walk(
        JudgeTaskSettings,
        prompts_of,
        {
            "prompts": ["prompts.csv"],
            "format": {"format": "prompts", "prompts": ["prompts.csv"], "count": 40},
            "count": 80,
            "max_length": 6,
            "split": SplitSettings(train=0.4, validation=0.4, test=0.2),
            "split_seed": 1,
            "n_probe": 4,
        },
        {"kind": "there is one"},
        TASK,
    ),
    Walk(
        SplitSettings,
        str,
        {},
        dict.fromkeys(SplitSettings.model_fields, "shares add up to 1, so they change together: `split` of the task"),
    ),
    Walk(
        JudgeModelSettings,
        backbone_of,
        {
            "name": "checkpoint", "vocabulary": 310, "width": 16, "layers": 3, "heads": 1, "feedforward": 16,
            "pretrain_steps": 3, "pretrain_batch_size": 8, "pretrain_learning_rate": 0.01, "pretrain_seed": 1,
            "frozen_layers": 2, "dtype": "bfloat16",
        },
        {
            "gradient_checkpointing": "it saves memory and changes no number",
            "device_map": "it decides where weights lie, not what they are",
        },
        MODEL,
    ),
    Walk(
        JudgeTrainingSettings,
        lambda settings: run_of(training=settings.model_dump()),
        {
            "epochs": 3, "batch_size": 6, "accumulation": 2, "learning_rate": 0.02, "weight_decay": 1.0,
            "schedule": "constant", "warmup_steps": 3, "gradient_clip": 0.01, "label_smoothing": 0.3,
            "early_stopping": {"early_stopping": 1, "learning_rate": 50.0, "epochs": 4}, "checkpoint_every": 2,
            "balance": "none",
        },
        {
            "device": "a machine without a GPU has one",
            "processes": "it decides who computes, not what: the numbers are the same up to rounding",
        },
        TRAINING,
    ),
    Walk(
        JudgeTrackingSettings,
        lambda settings: run_of(tracking=settings.model_dump()),
        {
            "every": 3, "metrics": ["stable_rank"], "source": "batch", "centre": False, "layers": ["residual.1"],
        },
        {"rows": "a layer of a judge is one vector per prompt, which every choice leaves as it is"},
    ),
    Walk(
        JudgeModelSettings,
        answer_of,
        {
            "head": {"head": "new", "name": "classifier"},
            "unsafe_labels": {"unsafe_labels": ["toxic"], "name": "classifier"},
            "verdicts": {"verdicts": ("go", "ask"), "name": "guard", "head": "verdict", "template": "{prompt} is"},
            "template": {
                "template": "{prompt} is", "name": "guard", "head": "verdict", "verdicts": ("go", "ask"),
            },
        },
        base={"template": "say {prompt}", "verdicts": ("do", "how")},
    ),
    Walk(
        JudgeAnalysisSettings,
        record_of,
        {
            "run_advanced": True, "samples": 2, "discovery": 32, "held_out": 20, "pairs": 10, "attributed": 4,
            "integration_steps": 3, "shuffles": 3, "baselines": 4, "seed": 1, "edge_steps": advanced(edge_steps=2),
            "permutations": advanced(permutations=25), "candidates": advanced(candidates=5),
            "random_subgraphs": advanced(random_subgraphs=3), "faithfulness": advanced(faithfulness=0.5),
            "alpha": advanced(alpha=0.2),
        },
        base=SMALL,
    ),
    Walk(JudgeAnalysisSettings, ablation_of, {"ablations": 6}, base=SMALL),
    Walk(
        JudgeAnalysisSettings,
        lambda settings: epochs_looked_at(6, settings.visualization_interval),
        {"visualization_interval": 2},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_a_setting_acts(walk, name):
    walk.check(name)
