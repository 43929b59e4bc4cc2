"""A Llama with tied weights, a ViT and a CNN, trained here, saved as their tools do it, and with defects planted."""

import re
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from ontogeny import CheckpointSeries, HighFrequencyTracker
from ontogeny.files import read_json
from ontogeny.trajectory.places import found
from ontogeny.trajectory.series_run import import_series

transformers = pytest.importorskip("transformers")

STEPS = [0, 1, 2, 4, 8, 16]
WORDS = 30
CODE = """
import torch
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.shared = nn.Conv2d(1, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.fc, self.head = nn.BatchNorm2d(6), nn.Linear(96, 12), nn.Linear(12, 3)

    def forward(self, x):
        x = F.relu(self.stem(x))
        x = x + F.relu(self.norm(self.shared(x)))
        return {"logits": self.head(F.silu(self.fc(F.max_pool2d(x, 2).flatten(1))))}


def build():
    return Net()
"""
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}


def images():
    torch.manual_seed(1)
    labels = torch.arange(48) % 3
    return torch.randn(48, 1, 8, 8) + labels[:, None, None, None], labels


def llama(folder):
    """A plain loop; `save_pretrained` in shards, which keep tied weights once."""
    settings = {
        "vocab_size": WORDS,
        "num_key_value_heads": 1,
        "max_position_embeddings": 16,
        "tie_word_embeddings": True,
    }
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**SMALL, **settings))
    tokens = torch.randint(WORDS, (24, 10))
    np.savez(folder / "probe.npz", inputs=tokens.numpy())

    def save(step):
        model.save_pretrained(folder / f"step{step}", max_shard_size="8KB")
        torch.save({"state": {}}, folder / f"step{step}" / "optimizer.pt")

    def loss():
        return model(tokens, labels=tokens).loss

    tracker = plain_loop(model, loss, tokens, save)
    return tracker, {
        "source": str(folder / "step{step}"),
        "network": {"auto": "AutoModelForCausalLM"},
        "probe": {"file": str(folder / "probe.npz"), "tokens": True},
    }


def cnn(folder):
    """A plain loop; a file of the user's, of safetensors and of Lightning."""
    (folder / "mine.py").write_text(CODE)
    names: dict = {}
    exec(CODE, names)
    model, (x, y) = names["build"](), images()
    np.savez(folder / "probe.npz", inputs=x.numpy(), labels=y.numpy())

    def save(step):
        state = {name: value.clone() for name, value in model.state_dict().items()}
        torch.save({"model_state_dict": state, "optimizer_state_dict": {"state": {}}}, folder / f"step_{step}.pt")
        save_file(state, folder / f"step_{step:04d}.safetensors")
        held = {"state_dict": {f"net.{name}": value for name, value in state.items()}, "optimizer_states": [{}]}
        torch.save({**held, "global_step": step}, folder / f"epoch={step // 2}-step={step}.ckpt")

    tracker = plain_loop(model, lambda: F.cross_entropy(model(x)["logits"], y), x, save)
    return tracker, {
        "source": str(folder / "epoch=*-step={step}.ckpt"),
        "network": {"build": f"{folder / 'mine.py'}:build"},
        "probe": {"file": str(folder / "probe.npz")},
    }


def vit(folder):
    """The Trainer, whose folders hold the optimiser too."""
    pytest.importorskip("accelerate")
    settings = {"image_size": 8, "patch_size": 4, "num_channels": 1, "num_labels": 3}
    model = transformers.ViTForImageClassification(transformers.ViTConfig(**SMALL, **settings))
    x, y = images()
    np.savez(folder / "probe.npz", inputs=x.numpy(), labels=y.numpy())
    tracker = HighFrequencyTracker(model, probe=x)

    class Rows(torch.utils.data.Dataset):
        def __len__(self):
            return len(x)

        def __getitem__(self, index):
            return {"pixel_values": x[index], "labels": y[index]}

    class Measure(transformers.TrainerCallback):
        def on_train_begin(self, args, state, control, model=None, **others):
            tracker.log(0, 0.0)
            model.save_pretrained(folder / "checkpoint-0")

        def on_step_end(self, args, state, control, **others):
            control.should_save = state.global_step in STEPS
            if control.should_save:
                tracker.log(state.global_step, 0.0)

    arguments = transformers.TrainingArguments(
        str(folder), max_steps=STEPS[-1], per_device_train_batch_size=16, learning_rate=2e-3, save_steps=1000,
        report_to=[], use_cpu=True, disable_tqdm=True, logging_steps=1000, lr_scheduler_type="constant",
    )  # fmt: skip
    transformers.Trainer(model, arguments, train_dataset=Rows(), callbacks=[Measure()]).train()
    tracker.close()
    return tracker, {
        "source": str(folder / "checkpoint-{step}"),
        "network": {"auto": "AutoModelForImageClassification"},
        "probe": {"file": str(folder / "probe.npz")},
    }


def plain_loop(model, loss, probe, save):
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    with HighFrequencyTracker(model, probe=probe) as tracker:
        for step in range(STEPS[-1] + 1):
            if step in STEPS:
                save(step)
                with torch.no_grad():
                    tracker.log(step, loss() if model.eval() else 0.0)
                model.train()
            optimiser.zero_grad()
            loss().backward()
            optimiser.step()
        tracker.get_results()
    return tracker


@pytest.fixture(scope="module", params=[llama, cnn, vit], ids=["llama", "cnn", "vit"])
def trained(request, tmp_path_factory):
    """Kind of network, folder, what the tracker measured while it was trained, and the settings of the series."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    torch.manual_seed(0)
    tracker, settings = request.param(folder)
    return request.param.__name__, folder, tracker.get_results(), settings


def test_numbers_are_those_of_the_training(trained, tmp_path):
    kind, folder, results, settings = trained
    paths = [settings["source"]]
    if kind == "cnn":
        paths += [str(folder / "step_{step}.pt"), str(folder / "step_{step}.safetensors")]
    for number, path in enumerate(paths):
        import_series({**settings, "source": {"path": path}, "seed": 0}, tmp_path / str(number), kind)
        record = read_json(tmp_path / str(number) / "phase1.json")
        assert set(record) - {"metadata"} == set(results)
        for layer, table in results.items():
            assert record[layer]["step"] == STEPS
            for metric in ("stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio"):
                assert record[layer][metric] == pytest.approx(table[metric].tolist(), rel=1e-5)
            if kind != "vit":
                assert record[layer]["loss"] == pytest.approx(table["loss"].tolist(), rel=1e-5)


def files_of(place):
    return sorted(place.glob("model*.safetensors")) if place.is_dir() else [place]


def rewrite(place, change):
    """Change the weights of one checkpoint, each file in its own format."""
    for file in files_of(place):
        if file.suffix == ".safetensors":
            save_file(change(load_file(file)), file, {"format": "pt"})
        else:
            held = torch.load(file, weights_only=True)
            torch.save({**held, "state_dict": change(held["state_dict"])}, file)


def copied(places, source, target):
    for file in files_of(places[source]):
        shutil.copy(file, places[target] / file.name if places[target].is_dir() else places[target])


def some_of(places, source, target):
    """A shard of another step, or half of its tensors where there is one file."""
    first = files_of(places[source])[0]
    if places[source].is_dir() and len(files_of(places[source])) > 1:
        shutil.copy(first, places[target] / first.name)
        return
    other = load_file(first) if first.suffix == ".safetensors" else torch.load(first, weights_only=True)["state_dict"]
    half = sorted(other)[: len(other) // 2]
    rewrite(places[target], lambda state: state | {name: other[name] for name in half})


def first(state):
    return next(name for name, value in sorted(state.items()) if value.ndim > 1)


def without_weights(places):
    if places[8].is_dir():
        for file in places[8].glob("model*"):
            file.unlink()
        torch.save({"state": {}}, places[8] / "optimizer.pt")
    else:
        torch.save({"optimizer_states": [{"state": {}}], "global_step": 8}, places[8])


def renamed(state):
    return {name + ("_old" if name == first(state) else ""): value for name, value in state.items()}


def noise(state):
    torch.manual_seed(3)
    return {name: v + 4 * v.std() * torch.randn_like(v) if v.ndim > 1 else v for name, v in state.items()}


def cut(state):
    return state | {first(state): state[first(state)][:-1].clone()}


def halved(state):
    return {name: value.half() for name, value in state.items()}


def lost(state):
    return state | {first(state): state[first(state)] * torch.nan}


DEFECTS = {
    "final weights at three steps": (
        (0, 2, 4),
        lambda at: [copied(at, 16, s) for s in (0, 2, 4)],
        "those of step 16, bit",
    ),
    "stuck at the start": ((1, 2), lambda at: [copied(at, 0, s) for s in (1, 2)], "those of step 0, bit for bit"),
    "another step's shard": ((4,), lambda at: some_of(at, 16, 4), "those of step 16, though"),
    "off the path": ((8,), lambda at: rewrite(at[8], noise), "off the path"),
    "another name": ((2,), lambda at: rewrite(at[2], renamed), "missing|lacks"),
    "another shape": ((2,), lambda at: rewrite(at[2], cut), "is float32"),
    "another type": ((1,), lambda at: rewrite(at[1], halved), "float16"),
    "not a number": ((4,), lambda at: rewrite(at[4], lost), "NaN"),
    "missing shard": (
        (4,),
        lambda at: files_of(at[4])[-1].unlink(),
        "lacks the shard|does not exist|the optimiser only",
    ),
    "optimiser only": ((8,), without_weights, "the optimiser only"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_defects_are_named_by_their_steps(trained, tmp_path, defect):
    _, folder, _, settings = trained
    where, plant, said = DEFECTS[defect]
    name = settings["source"].rsplit("/", 1)[1]
    for each in folder.glob(name.replace("{step}", "*")):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, tmp_path / each.name)
    settings = settings | {"source": str(tmp_path / name)}
    clean = CheckpointSeries(settings).check()
    assert clean.problems == {}, "nothing but what is planted"
    plant(found(settings["source"]))
    series = CheckpointSeries(settings)
    if 4 not in series.steps:
        return  # a file that is missing is no step
    report = series.check()
    assert set(report.problems) == set(where), report.problems
    assert all(any(re.search(said, text) for text in texts) for texts in report.problems.values()), report.problems
    assert all(str(step) in report.sentence() for step in where)
    assert report.kept == [step for step in STEPS if step not in where]


def test_tied_weights_are_a_note(trained):
    kind, _, _, settings = trained
    report = CheckpointSeries(settings).check()
    assert report.problems == {}
    assert kind != "llama" or not any("lm_head" in note for note in report.notes), "kept once by the library"
