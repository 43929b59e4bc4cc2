"""Every reader of the library on a small valid file of its kind: what the tests of damaged and hostile files try."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ontogeny.activations.store import FORMAT as ACTIVATIONS
from ontogeny.activations.store import read_activations
from ontogeny.circuits import CircuitSettings, read_history, records_from_weights, write_record
from ontogeny.connectome.recorded import read_activity
from ontogeny.connectome.search.declaration import Search
from ontogeny.connectome.search.logbook import write_logbook
from ontogeny.connectome.search.memory import read_memory
from ontogeny.connectome.search.records import read_records as read_search
from ontogeny.connectome.search.run import explore
from ontogeny.connectome.simulate import ActivitySettings, read_connectivity, simulate_activity
from ontogeny.connectome.store import load_activity, save_activity
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, read_table, write_csv, write_hdf5, write_json
from ontogeny.geometry.boundary import read_regions, write_regions
from ontogeny.judge.record import FORMAT as MECHANISM
from ontogeny.judge.record import read_record
from ontogeny.jumps.plan import CapturePlan, Moment, read_plan, write_plan
from ontogeny.jumps.report import find_jumps, read_jumps, write_jumps
from ontogeny.phase1 import phase1_from_frame, read_phase1, write_phase1
from ontogeny.tasks.prompt_files import read_prompts
from ontogeny.tasks.settings import JudgeTaskSettings
from ontogeny.tasks.synthetic_prompts import synthetic_prompts
from ontogeny.training.ensemble import EnsembleSettings, load_ensemble, train_ensemble
from ontogeny.trajectory.checkpoints import load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, how it is made in a path, how it is read, and whether reading notices any change."""

    name: str
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]
    checked: bool


def fingerprint(value: Any) -> str:
    """A digest of a value that a reader returned: equal for equal values, NaN equal to NaN."""
    digest = hashlib.sha256()
    _add(digest, value)
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        value = value.detach().numpy()
    if isinstance(value, pd.DataFrame):
        value = {name: value[name].tolist() for name in value}
    if isinstance(value, np.ndarray) and value.dtype != object:
        digest.update(f"{value.dtype}{value.shape}".encode() + value.tobytes())
    elif dataclasses.is_dataclass(value):
        _add(digest, {field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    elif isinstance(value, dict):
        for key in sorted(value, key=repr):
            digest.update(f"key {key!r}".encode())
            _add(digest, value[key])
    elif isinstance(value, list | tuple):
        digest.update(f"list {len(value)}".encode())
        for item in value:
            _add(digest, item)
    elif isinstance(value, set | frozenset):
        _add(digest, sorted(map(repr, value)))
    else:
        digest.update(repr(value).encode())


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _frame(runs: int = 2) -> pd.DataFrame:
    rng, rows = _rng(), []
    for run in range(runs):
        for layer in ("first", "second"):
            for metric in ("stable_rank", "participation_ratio"):
                values = rng.normal(size=40).cumsum() + 30 * (np.arange(40) > 20)
                rows += [(f"run{run}", layer, 5 * k, metric, float(v)) for k, v in enumerate(values)]
    return pd.DataFrame(rows, columns=["run", "layer", "step", "metric", "value"])


def _record(runs: int = 1) -> Any:
    return phase1_from_frame(_frame(runs), {"note": "made for a test", "seed": 3})


def _checkpoint(path: Path) -> None:
    values = torch.from_numpy(_rng().normal(size=(6, 5)))
    tensors = {"model.weight": values, "model.bias": values[0].float(), "rng": torch.arange(16, dtype=torch.uint8)}
    save_checkpoint(path, tensors, {"identity": "abc", "step": 40, "rows": 40})


def _activations(path: Path) -> None:
    store = {"compression": "gzip", "shuffle": True, "fletcher32": True}
    with write_hdf5(path) as file:
        file.attrs["format"], file.attrs["run"], file.attrs["identity"] = ACTIVATIONS, "test", "abc"
        file.attrs["layers"] = json.dumps({"first": "0", "second": "2"})

        def put(name: str, values: np.ndarray) -> None:
            file.create_dataset(name, data=values, **store)

        put("probe/inputs", _rng().normal(size=(8, 3)).astype(np.float32))
        put("probe/labels", np.arange(8))
        for step in (40, 45):
            for layer in ("first", "second"):
                put(f"step_{step}/{layer}", _rng().normal(size=(8, 6)).astype(np.float32))
            file[f"step_{step}"].attrs["step"], file[f"step_{step}"].attrs["digest"] = step, "0" * 32


def _read_activations(path: Path) -> Any:
    with read_activations(path, "abc") as file:
        arrays = {(step, layer): file.array(step, layer) for step in file.steps for layer in file.layers}
        return file.layers, file.inputs, file.labels, arrays


def _ensemble(path: Path) -> None:
    train_ensemble(EnsembleSettings(epochs=3, n_samples_train=40, batch_size=20), [0, 1]).save(path)


def _activity() -> Any:
    return simulate_activity(ActivitySettings(n_neurons=6, n_frames=20, n_trajectories=2), seed=1)


def _jumps(path: Path) -> None:
    write_jumps(find_jumps(_frame(1), surrogates=19), path)


def _plan(path: Path) -> None:
    moments = (Moment("start", 0, 0, 5, "early", "the beginning"), Moment("end", 110, 105, 110, "late", "the end"))
    write_plan(CapturePlan("test", moments, 5, ("a note",)), path)


def _history(path: Path) -> None:
    weights, biases = (
        [_rng().normal(size=(2, 3, 2)), _rng().normal(size=(2, 1, 3))],
        [np.zeros((2, 3)), np.ones((2, 1))],
    )
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    settings = CircuitSettings(accuracy_threshold=0.0)
    write_record(path, records_from_weights(weights, biases, x, np.array([1, 1, 1, 1]), settings=settings))


def _scores(settings: dict, level: float, seed: int) -> dict:
    rng = np.random.default_rng([seed, int(1e9 * settings["learning_rate_W_start"])])
    r2, cluster = rng.uniform(size=2)
    return {"connectivity_R2": r2, "cluster_accuracy": cluster, "test_R2": 0.9, "test_pearson": 0.9, "final_loss": 0.1}


def _memory(path: Path) -> None:
    folder = path.parent / "search"
    records = explore(_scores, folder, blocks=(1.0, 0.5), n_iter_block=3, config="demo")
    write_logbook(folder, Search("demo", (1.0, 0.5), 3, sequential=True), records)
    path.write_bytes((folder / "demo_memory.md").read_bytes())


def _iteration(path: Path) -> None:
    folder = path.parent / "iteration"
    explore(_scores, folder, blocks=(1.0,), n_iter_block=2, config="demo")
    path.write_bytes((folder / "records" / "block_01" / "iter_001.json").read_bytes())


def _read_iteration(path: Path) -> Any:
    place = path.parent / f"search_of_{path.stem}" / "records" / "block_01" / "iter_001.json"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(path.read_bytes())
    try:
        return read_search(place.parents[2])
    except OntogenyError as error:
        raise OntogenyError(str(error).replace(str(place), str(path))) from None


def _recording(path: Path) -> None:
    u = np.cumsum(_rng().normal(size=(2, 20, 3)), axis=1)
    if path.suffix == ".npz":
        np.savez_compressed(path, u=u, W=_rng().normal(size=(3, 3)), types=np.array([0, 1, 1]))
    elif path.suffix == ".npy":
        np.save(path, u)
    else:
        np.savetxt(path, u[0], delimiter=",")


def _prompts(path: Path) -> None:
    frame = synthetic_prompts(JudgeTaskSettings(count=64))[["prompt", "label", "source"]]
    if path.suffix == ".csv":
        write_csv(path, frame)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict(orient="records")))


def _mechanism(path: Path) -> None:
    write_json(path, {"format": MECHANISM, "run": "test", "epoch": 1, "metrics": {"auc": 0.75, "loss": [0.5, 0.25]}})


def _regions(path: Path) -> None:
    write_regions(path, {"share": _rng().uniform(size=(5, 5)), "labels": np.arange(5)})


def _run_config(path: Path) -> None:
    write_json(path, {"format": "ontogeny-run/1", "run": "test", "identity": "abc", "settings": {"rate": 0.001}})


def _matrix(path: Path) -> None:
    np.savetxt(path, _rng().normal(size=(4, 4)), delimiter=",")


def _table(path: Path) -> None:
    write_csv(path, _frame(1))


KINDS = [
    Kind("checkpoint.safetensors", _checkpoint, lambda path: load_checkpoint(path, "abc"), True),
    Kind("activations.h5", _activations, _read_activations, True),
    Kind("ensemble.safetensors", _ensemble, load_ensemble, True),
    Kind("activity.safetensors", lambda path: save_activity(_activity(), path), load_activity, True),
    Kind("phase1.json", lambda path: write_phase1(path, _record()), read_phase1, True),
    Kind("phase1.parquet", lambda path: write_phase1(path, _record(2)), read_phase1, True),
    Kind("phase1.h5", lambda path: write_phase1(path, _record(2)), read_phase1, True),
    Kind("jumps.json", _jumps, read_jumps, True),
    Kind("capture_plan.json", _plan, read_plan, True),
    Kind("config.json", _run_config, read_json, True),
    Kind("mechanism.json", _mechanism, read_record, True),
    Kind("circuits.json.gz", _history, read_history, True),
    Kind("regions.npz", _regions, read_regions, True),
    Kind("recording.npz", _recording, lambda path: read_activity(path, 0.1), True),
    Kind("recording.npy", _recording, lambda path: read_activity(path, 0.1), False),
    Kind("recording.csv", _recording, lambda path: read_activity(path, 0.1), False),
    Kind("connectivity.csv", _matrix, read_connectivity, False),
    Kind("phase1.csv", lambda path: write_phase1(path, _record()), read_phase1, False),
    Kind("circuits.json", _history, read_history, False),
    Kind("iteration.json", _iteration, _read_iteration, False),
    Kind("memory.md", _memory, read_memory, False),
    Kind("prompts.csv", _prompts, read_prompts, False),
    Kind("prompts.jsonl", _prompts, read_prompts, False),
    Kind("table.csv", _table, read_table, False),
]


def make_all(folder: Path, kinds: list[Kind] = KINDS) -> dict[str, Path]:
    """A valid file of every kind in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind in kinds:
        made[kind.name] = folder / kind.name
        kind.make(made[kind.name])
    return made
