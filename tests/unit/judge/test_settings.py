"""Every setting of a judge's run changes what the run leaves, and every setting of its analysis the record."""

import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from settings_walk import Walk, cases

from ontogeny.config.models import JudgeRunSettings
from ontogeny.models.judge import build_judge, save_judge
from ontogeny.models.settings import JudgeModelSettings
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
        {"device": "a machine without a GPU has one"},
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
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_a_setting_acts(walk, name):
    walk.check(name)
