"""A small folder of results made by the library itself, with names and prompts that are script tags."""

import importlib.util
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ontogeny.circuits.statistics import compare_conditions, condition_table, ensemble_history, seed_table
from ontogeny.config import load_config, runs_of
from ontogeny.connectome.recovery import METRICS, recovery_table
from ontogeny.connectome.search.run import explore
from ontogeny.files import write_csv, write_json
from ontogeny.judge import MechanismBench
from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.jumps.locate import with_answers
from ontogeny.jumps.report import find_jumps, write_jumps
from ontogeny.models.judge import Judge, train_tokenizer
from ontogeny.phase1 import read_phase1
from ontogeny.training.ensemble import load_ensemble
from ontogeny.training.ensemble_run import train_ensemble_run
from ontogeny.training.loop import train

ATTACK = "<script>alert(1)</script>"
SMALL = {
    "discovery": 24, "held_out": 24, "pairs": 8, "attributed": 4, "integration_steps": 4, "edge_steps": 2,
    "permutations": 20, "shuffles": 3, "ablations": 2, "random_subgraphs": 2, "candidates": 4, "baselines": 2,
}  # fmt: skip


def _small_judges():
    path = Path(__file__).parents[1] / "judge" / "small_judges.py"
    spec = importlib.util.spec_from_file_location("small_judges_of_the_dashboard", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _prompts():
    rows = []
    for index in range(48):
        split = "train" if index % 4 < 2 else "validation"
        for label, word in ((0, "paint"), (1, "smash")):
            text = f"How do I {word} the {('boat', 'door', 'lamp')[index % 3]}? {ATTACK}"
            rows.append((text, label, "made", f"{split}{index % 4}", f"pair {index}", index % 3 == 0, split))
    return pd.DataFrame(rows, columns=["prompt", "label", "source", "group", "pair", "decoy", "split"])


def _identity(kind, settings):
    return runs_of(load_config({"studies": {"s": {"kind": kind, "runs": {"run": settings}}}}))[
        "run" if kind == "circuits" else "run/s0"
    ].identity()


def _make_judges(runs):
    prompts = _prompts()
    tokenizer = train_tokenizer(prompts["prompt"], 300)
    small = _small_judges().make_judge("llama", layers=2, width=16, heads=2).backbone
    small.resize_token_embeddings(tokenizer.size, mean_resizing=False)
    with torch.no_grad():
        small.get_input_embeddings().weight.normal_(0, 0.3, generator=torch.Generator().manual_seed(0))
    judge = Judge(small, 1, 0).eval()
    bench = MechanismBench(judge, tokenizer, prompts, JudgeAnalysisSettings(**SMALL))
    generator = torch.Generator().manual_seed(1)
    for epoch in (0, 1, 3):
        record = bench.measure(judge, epoch, 4 * epoch)
        for run in ("judge", ATTACK):
            write_json(runs / run / "mechanism" / f"epoch_{epoch}.json", record | {"run": run}, indent=None)
        with torch.no_grad():
            for parameter in judge.parameters():
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def _make_dynamics(runs):
    settings = {
        "task": {"n_train": 100, "n_validation": 20, "n_probe": 16},
        "model": {"name": "mlp", "hidden": [8]},
        "training": {"steps": 110, "batch_size": 10, "checkpoint_every": 55},
    }
    train(_identity("dynamics", settings), runs / "digits" / "s0", "digits/s0", cache_dir=runs.parent / "cache")
    record = read_phase1(runs / "digits" / "s0" / "phase1.json")
    report = with_answers(find_jumps(record.frame, surrogates=19), record.frame)
    write_jumps(report, runs / "digits" / "s0" / "jumps.json", runs / "digits" / "s0" / "jumps.csv")


def _make_circuits(results):
    folder = results / "runs" / "xor"
    train_ensemble_run(_identity("circuits", {"seeds": 4, "training": {"epochs": 25}}), folder, "xor")
    history = ensemble_history(load_ensemble(folder / "ensemble.safetensors"), "baseline")
    write_csv(folder / "circuits" / "history.csv", history)
    seeds = seed_table(history)
    write_csv(results / "studies" / "gates" / "circuits" / "conditions.csv", condition_table(seeds))
    write_csv(results / "studies" / "gates" / "circuits" / "effects.csv", compare_conditions(seeds))


def objective(settings, filling_factor, seed):
    """A smooth landscape with a little noise, in the place of a fit."""
    rng = np.random.default_rng([seed, int(filling_factor * 1000), int(1e6 * settings["learning_rate_W_start"])])
    r2 = math.exp(-((math.log10(settings["learning_rate_W_start"]) + 2.3) ** 2)) + 0.01 * rng.normal()
    return {
        "connectivity_R2": float(np.clip(r2, 0, 1)), "cluster_accuracy": float(rng.uniform(0.3, 1)), "test_R2": 0.9,
        "test_pearson": 0.95, "final_loss": 0.01, "scatter": ATTACK,
    }  # fmt: skip


def _make_connectome(results):
    folder = results / "studies" / "wiring" / "connectome"
    explore(objective, folder / "search", blocks=(1.0, 0.1), n_iter_block=5)
    rng = np.random.default_rng(0)
    rows = [
        {"condition": name, "filling_factor": level, "classification": "CONVERGED",
         **dict.fromkeys(METRICS, rng.uniform())}
        for name in ("all", ATTACK) for level in (0.1, 0.75) for _ in range(2)
    ]  # fmt: skip
    write_csv(folder / "recovery.csv", recovery_table(pd.DataFrame(rows)))


def edit(path, change):
    """Change a JSON file as a person with an editor would, who takes out its checksum too."""
    value = json.loads(path.read_text())
    value.pop("checksum", None)
    change(value)
    path.write_text(json.dumps(value))


@pytest.fixture(scope="session")
def edited():
    return edit


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The folder of results; nobody changes it."""
    results = tmp_path_factory.mktemp("dashboard") / "results"
    _make_judges(results / "runs")
    _make_dynamics(results / "runs")
    _make_circuits(results)
    _make_connectome(results)
    return results


@pytest.fixture
def results(made, tmp_path):
    """A copy of the folder of results, to be damaged."""
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results"
