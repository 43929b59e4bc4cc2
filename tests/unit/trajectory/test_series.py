"""Series of checkpoints in every format, with every defect planted, against the trajectory of the same training."""

import json
import re
import weakref

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from small_runs import small_run
from torch import nn

from ontogeny import CheckpointSeries, Trajectory
from ontogeny.activations.extract import extract_activations
from ontogeny.activations.store import read_activations
from ontogeny.changes.page import write_run_page
from ontogeny.changes.run import changes_of_run
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.interventions.moments import interventions_of_run
from ontogeny.interventions.settings import Patch
from ontogeny.jumps.plan import CapturePlan, Moment
from ontogeny.neurons.run import neurons_of_run
from ontogeny.phase1 import read_phase1
from ontogeny.trajectory.figures import plot_integrity
from ontogeny.trajectory.integrity import check_series, passport
from ontogeny.trajectory.series_run import import_series

STEPS = [0, 1, 2, 4, 8, 12, 16]
MODEL = {"model": {"name": "mlp", "hidden": [8, 6]}}
TASK = {"task": {"name": "digits", "n_train": 120, "n_validation": 48, "n_probe": 48}}


def weights(step):
    return {name: value.clone() for name, value in small_run().at(step).state_dict().items()}


class Wrapped(nn.Module):
    """As Lightning keeps a network."""

    def __init__(self, inner):
        super().__init__()
        self.net = inner


def write(form, folder, state, step):
    """A checkpoint of `state` in one of the formats; the path with {step} in it."""
    folder.mkdir(parents=True, exist_ok=True)
    half = sorted(state)[: len(state) // 2]
    if form == "safetensors":
        save_file(state, folder / f"step_{step}.safetensors")
        return folder / "step_{step}.safetensors"
    if form == "pt":
        torch.save(state, folder / f"step_{step}.pt")
        return folder
    if form == "pt with optimiser":
        held = {"model_state_dict": state, "optimizer_state_dict": {"state": {}}, "step": step}
        torch.save(held, folder / f"model-{step}.pth")
        return folder / "model-{step}.pth"
    if form == "lightning":
        held = {"state_dict": {f"net.{name}": value for name, value in state.items()}, "global_step": step}
        torch.save({**held, "optimizer_states": [{"state": {}}]}, folder / f"epoch={step // 4}-step={step}.ckpt")
        return folder
    place = folder / f"checkpoint-{step}"
    place.mkdir()
    torch.save({"state": {}}, place / "optimizer.pt")
    if form == "trainer":
        save_file({f"module.{name}": value for name, value in state.items()}, place / "model.safetensors")
    else:
        parts = {"model-1.safetensors": half, "model-2.safetensors": [name for name in state if name not in half]}
        for name, names in parts.items():
            save_file({each: state[each] for each in names}, place / name)
        index = {each: name for name, names in parts.items() for each in names}
        (place / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return folder / "checkpoint-{step}"


FORMS = ["safetensors", "pt", "pt with optimiser", "lightning", "trainer", "sharded"]


def series_of(tmp_path, form="safetensors", change=lambda step, state: state, **settings):
    path = None
    for step in STEPS:
        path = write(form, tmp_path / "saved", change(step, weights(step)), step)
    return CheckpointSeries(source={"path": str(path)}, network=MODEL, probe=TASK, **settings)


@pytest.mark.parametrize("form", FORMS)
def test_every_format_gives_the_networks_of_our_own_trajectory(tmp_path, form):
    series = series_of(tmp_path, form)
    assert series.steps == STEPS
    assert series.check().problems == {}
    x = series.probe[0]
    assert torch.equal(x, small_run().probe[0])
    for step, saved in series.walk([0, 4, 16]):
        assert torch.equal(saved.model(x), small_run().at(step)(x))
    with pytest.raises(OntogenyError, match="no checkpoint of step 3, and no way to train to it; the nearest is 2"):
        series.at(3)


def test_our_own_checkpoints_are_a_series(tmp_path):
    folder = small_run().folder / "checkpoints"
    series = CheckpointSeries(source=str(folder), network=MODEL, probe=TASK)
    assert series.steps == [0, 8, 16]
    assert series.check().kept == [0, 8, 16]


def test_the_record_equals_that_of_our_own_training(tmp_path):
    series = series_of(tmp_path, tracking={"metrics": ["stable_rank"]})
    identity = {**series.settings.model_dump(mode="json", exclude={"label", "capture_steps"}), "seed": 0}
    import_series(identity, tmp_path / "run", "imported")
    ours, theirs = (read_json(folder / "phase1.json") for folder in (small_run().folder, tmp_path / "run"))
    for layer in ("Linear_0", "Linear_1", "Linear_2"):
        by_step = dict(zip(ours[layer]["step"], ours[layer]["stable_rank"]))
        assert theirs[layer]["stable_rank"] == pytest.approx([by_step[step] for step in STEPS], rel=1e-12)
    run = Trajectory(tmp_path / "run")
    assert list(run.steps) == STEPS
    x = run.probe[0]
    assert torch.equal(run.at(8)(x), small_run().at(8)(x))
    with pytest.raises(OntogenyError, match="no checkpoint of step 5"):
        run.at(5)
    with pytest.raises(OntogenyError, match="it has networks, and no training"):
        run.learner_at(8)
    save_file(weights(12), tmp_path / "saved" / "step_8.safetensors")
    with pytest.raises(OntogenyError, match=r"step 8 .* is another than when the series was imported"):
        run.at(8)


def final(names=None):
    def change(state):
        end = weights(16)
        return {name: end[name] if names is None or name in names else value for name, value in state.items()}

    return change


def shard(state):
    return sorted(state)[: len(state) // 2]


DEFECTS = {
    "final weights at step 0": ((0,), final(), "those of step 16, bit for bit"),
    "first shard is the final one": ((4, 8), lambda state: final(shard(state))(state), "those of step 16, though"),
    "like the last but for noise": (
        (1,),
        lambda state: {k: v + 1e-4 * torch.randn_like(v) for k, v in final()(state).items()},
        "off the path",
    ),
    "stuck at the first": ((1, 2), lambda state: weights(0), "those of step 0, bit for bit"),
    "not a number": ((8,), lambda state: state | {"network.0.bias": torch.full((8,), torch.nan)}, "NaN"),
    "renamed": ((8,), lambda state: {k.replace("network.0", "network.9"): v for k, v in state.items()}, "missing"),
    "another shape": ((8,), lambda state: state | {"network.0.bias": torch.zeros(9)}, "is float32 \\(9,\\)"),
    "another type": ((8,), lambda state: {k: v.half() for k, v in state.items()}, "float16"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_planted_defects_are_found_and_nothing_else_is(tmp_path, defect):
    where, change, said = DEFECTS[defect]
    torch.manual_seed(0)
    series = series_of(tmp_path, "trainer", lambda step, state: change(state) if step in where else state)
    report = series.check()
    assert set(report.problems) == set(where)
    assert all(re.search(said, text[0]) for text in report.problems.values())
    assert report.kept == [step for step in STEPS if step not in where]
    assert str(where[0]) in report.sentence()
    fig = plot_integrity(report.table, "a series")
    assert fig.axes


def test_what_a_checkpoint_lacks_is_a_sentence(tmp_path):
    series_of(tmp_path, "sharded")
    place = tmp_path / "saved"
    (place / "checkpoint-4" / "model-2.safetensors").unlink()
    for file in (place / "checkpoint-8").glob("model*"):
        file.unlink()
    (place / "checkpoint-12" / "model-1.safetensors").write_bytes(b"nothing")
    series = CheckpointSeries(source=str(place / "checkpoint-{step}"), network=MODEL, probe=TASK)
    problems = series.check().problems
    assert "lacks the shard model-2.safetensors" in problems[4][0]
    assert "the optimiser only" in problems[8][0]
    assert "is damaged" in problems[12][0]
    assert set(problems) == {4, 8, 12}


def test_files_that_could_run_code_are_refused(tmp_path):
    torch.save(small_run().at(4), tmp_path / "step_4.pt")
    series = CheckpointSeries(source=str(tmp_path), network=MODEL, probe=TASK)
    with pytest.raises(OntogenyError, match=r"could run any code: save it again as safetensors"):
        series.at(4)


def test_a_false_series_stops_or_leaves_out(tmp_path):
    series = series_of(tmp_path, change=lambda step, state: weights(16) if step == 2 else state)
    identity = {**series.settings.model_dump(mode="json", exclude={"label", "capture_steps"}), "seed": 0}
    with pytest.raises(OntogenyError, match=r"step 2: the weights are those of step 16.*on_problem: drop"):
        import_series(identity, tmp_path / "run", "imported")
    assert (tmp_path / "run" / "integrity.csv").exists()
    import_series({**identity, "on_problem": "drop"}, tmp_path / "run", "imported")
    config = read_json(tmp_path / "run" / "config.json")
    assert config["series"]["left_out"] == [2]
    assert config["series"]["steps"] == [step for step in STEPS if step != 2]


def test_frozen_and_tied_weights_are_no_problem():
    generator = torch.Generator().manual_seed(0)
    frozen = torch.randn(5, 5, generator=generator)

    def state(step):
        moving = torch.arange(25.0).reshape(5, 5).sin() * step + frozen
        return {"frozen": frozen, "moving": moving, "tied": moving, "norm": torch.ones(5)}

    report = check_series(range(6), state)
    assert report.problems == {}
    assert report.notes == ["tied weights: moving = tied", "1 tensor never changes, among them frozen"]


def test_of_the_tensors_of_a_checkpoint_one_is_in_memory_at_a_time():
    read: list = []

    class Tensors(dict):
        def __getitem__(self, name):
            assert not [array for array in read if array() is not None], "the tensor before is still held"
            array = np.random.default_rng(len(read)).normal(size=5000).astype(np.float32)
            read.append(weakref.ref(array))
            return torch.from_numpy(array)

    names = "abcd"
    found = passport(0, Tensors.fromkeys(names))
    assert len(read) == found.parameters // 5000 == len(names)
    assert len(found.sample) == len(names) * 4096


def test_a_user_builds_the_network_and_gives_the_probe(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), "
        "nn.Linear(5, 3))\n"
    )
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))
    for step in (0, 10, 100):
        torch.save(network.state_dict(), tmp_path / f"step_{step}.pt")
        nn.init.normal_(network[1].weight)
    np.savez(
        tmp_path / "probe.npz", inputs=np.random.default_rng(0).random((20, 6), np.float32), labels=np.arange(20) % 3
    )
    series = CheckpointSeries(
        source=str(tmp_path),
        network={"build": f"{tmp_path / 'mine.py'}:build"},
        probe={"file": str(tmp_path / "probe.npz")},
    )
    identity = {**series.settings.model_dump(mode="json", exclude={"label", "capture_steps"}), "seed": 0}
    import_series(identity, tmp_path / "run", "mine")
    assert read_json(tmp_path / "run" / "config.json")["nonlinearities"] == {"Linear_0": "tanh", "Linear_1": "none"}
    with pytest.raises(OntogenyError, match=r"module\.py:build"):
        CheckpointSeries(source=str(tmp_path), network={"build": "mine"}, probe={"file": "x"}).network()


def test_revisions_of_a_hub_are_fetched_measured_and_dropped(tmp_path):
    fetched = []

    def fetch(step, place):
        fetched.append(step)
        place.mkdir(parents=True)
        save_file(weights(step), place / "model.safetensors")
        return place

    size = sum(value.numel() * 4 for value in weights(0).values())
    source = {"hub": "somebody/network", "steps": STEPS, "cache_limit": 2.5 * size / 1e9}
    series = CheckpointSeries(source=source, network=MODEL, probe=TASK, cache_dir=tmp_path, fetch=fetch)
    assert series.check().problems == {}
    assert fetched == STEPS
    assert len(list((tmp_path / "hub" / "somebody--network").iterdir())) <= 2
    series.at(16)
    assert fetched == STEPS, "what is there is not fetched again"


def test_a_small_language_model_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    settings = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
                "intermediate_size": 32, "max_position_embeddings": 16}  # fmt: skip
    torch.manual_seed(0)
    model = transformers.GPTNeoXForCausalLM(transformers.GPTNeoXConfig(**settings))
    tokens = torch.randint(50, (12, 10))
    optimiser = torch.optim.Adam(model.parameters(), 1e-2)
    losses = {}
    for step in range(9):
        if step in (0, 1, 2, 4, 8):
            model.save_pretrained(tmp_path / f"checkpoint-{step}")
            with torch.no_grad():
                losses[step] = float(model.eval()(tokens, labels=tokens).loss)
        optimiser.zero_grad()
        model.train()(tokens, labels=tokens).loss.backward()
        optimiser.step()
    np.savez(tmp_path / "probe.npz", inputs=tokens.numpy())
    series = CheckpointSeries(
        source=str(tmp_path / "checkpoint-{step}"), network={"auto": "AutoModelForCausalLM"},
        probe={"file": str(tmp_path / "probe.npz"), "tokens": True},
    )  # fmt: skip
    identity = {**series.settings.model_dump(mode="json", exclude={"label", "capture_steps"}), "seed": 0}
    import_series(identity, tmp_path / "run", "gpt")
    record = read_json(tmp_path / "run" / "phase1.json")
    layer = next(name for name in record if name != "metadata")
    assert record[layer]["loss"] == pytest.approx(list(losses.values()), rel=1e-5)
    assert record[layer]["step"] == [0, 1, 2, 4, 8]
    theirs = transformers.GPTNeoXForCausalLM.from_pretrained(tmp_path / "checkpoint-4", attn_implementation="eager")
    assert torch.equal(series.at(4)(tokens).logits, theirs(tokens).logits), "filled in place, under the library's names"
    for path in series.layers.values():
        alone, whole = series.weights(8, path), [each.clone() for each in series.at(8).get_submodule(path).parameters()]
        assert all(map(torch.equal, alone, whole))
        assert len(alone) == len(whole) > 0
    moments = [Moment("start", 0, 0, 0, phase="", reason=""), Moment("end", 8, 8, 8, phase="", reason="")]
    done = interventions_of_run(
        Trajectory(tmp_path / "run"), moments, [Patch(source="start", target="end", what="weights")]
    )
    loss = done[done["metric"] == "loss"].iloc[0]
    assert (loss["source_step"], loss["step"], loss["intact"]) == (0, 8, pytest.approx(losses[8], rel=1e-5))
    _check_changes(tmp_path, losses)


def _check_changes(folder, losses):
    """What changed around a step of the series in `folder`, and the page of it."""
    run = Trajectory(folder / "run")
    moments = [Moment("jump", 4, 2, 8, phase="", reason=""),
               Moment("control", 1, 0, 2, phase="", reason="", control_for=4)]  # fmt: skip
    extract_activations(run, {step for moment in moments for step in moment.steps}, folder / "activations.h5")
    with read_activations(folder / "activations.h5") as activations:
        units, _ = neurons_of_run(activations, moments)
        changes, flipped = changes_of_run(run, moments, activations, units)
    assert set(changes["family"]) == {"weights", "activations", "neurons", "attention", "predictions"}
    assert not len(flipped)
    here = changes[changes["step"] == 4].set_index(["quantity", "layer"])
    loss = here.loc["loss"].iloc[0]
    assert loss[["before", "during", "after"]].tolist() == pytest.approx([losses[k] for k in (2, 4, 8)], rel=1e-4)
    assert loss["control"] == pytest.approx(losses[2] - losses[0], rel=1e-3)
    name, path = next(iter(run.layers.items()))
    first, last = (
        torch.cat([each.detach().flatten() for each in run.at(step).get_submodule(path).parameters()]).double()
        for step in (2, 8)
    )
    moved = float((last - first).norm() / first.norm())
    assert here.loc[("relative change", name), "change"] == pytest.approx(moved)
    page = write_run_page(
        folder / "page.html", "gpt", "others", run.config, read_phase1(folder / "run" / "phase1.json"),
        CapturePlan("gpt", tuple(moments), 8), {"changes": changes}, {}, {},
    ).read_text()  # fmt: skip
    assert f"loss {losses[2]:.3g} before, {losses[8]:.3g} after." in page
    assert "flipped" not in page


def test_the_configuration_makes_a_series_a_run(tmp_path):
    from ontogeny.config import load_config
    from ontogeny.config.load import runs_of

    run = {"source": "somewhere/checkpoint-{step}", "network": {"model": "mlp"}, "probe": {"task": "digits"}}
    text = {**run, "probe": {"text": "lines.txt"}, "network": {"auto": "AutoModelForCausalLM"}}
    config = load_config({"trajectory_imports": {"others": {"runs": {"one": run, "two": text}}}})
    runs = runs_of(config)
    assert {name: each.kind for name, each in runs.items()} == {"one/s0": "dynamics", "two/s0": "series"}
    assert runs["one/s0"].identity()["source"]["path"] == "somewhere/checkpoint-{step}"
    with pytest.raises(OntogenyError, match="give exactly one of auto, model and build"):
        load_config({"trajectory_imports": {"others": {"runs": {"one": {**run, "network": {}}}}}})
