"""Connectome studies in the pipeline: what is planned, what an edit reruns, what a mistake says."""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ontogeny.config import load_config
from ontogeny.errors import OntogenyError
from ontogeny.pipeline.cost import planned_jobs

from . import warm

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.usefixtures("compiled")
SMOKE, PAPER = (
    {name: yaml.safe_load((ROOT / "tests/configs" / file).read_text())["studies"][name]}
    for name, file in (("wiring", "smoke.yaml"), ("connectome", "paper_small.yaml"))
)


def snakemake(folder, studies, *arguments):
    (folder / "c.yaml").write_text(yaml.safe_dump({"studies": studies}))
    command = ["-s", ROOT / "Snakefile", "--directory", ".", "--configfile", "c.yaml", "--cores", "1", *arguments]
    return warm.snakemake(*command, folder=folder, environment={**os.environ, "OMP_NUM_THREADS": "1"})[:2]


def planned(text):
    """Jobs a rule, from a dry run."""
    lines = text.split("Job stats:")[1].split("total")[0].splitlines()[3:]
    return {name: int(count) for name, count in (line.split() for line in lines if line.strip())}


def with_condition(**changes):
    return {"wiring": {**SMOKE["wiring"], "runs": {"condition": changes}}}


def test_a_dry_run_shows_every_job(tmp_path):
    code, text = snakemake(tmp_path, SMOKE, "-n", "connectome")
    assert code == 0, text
    jobs = planned(text)
    assert jobs["fit_connectome"] == jobs["evaluate_connectome"] == 2
    assert jobs["simulate_activity"] == 2  # the conditions share one; the search has its own level
    assert jobs["search_connectome"] == 1
    assert {"compare_recovery", "draw_connectomes", "write_search_log", "animate_connectome"} <= set(jobs)


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ({"levels": [1.5]}, ("levels", "1.5", "less than or equal to 1")),
        ({"levels": [0.0]}, ("levels", "greater than 0")),
        ({"levels": [0.5, 0.5]}, ("same level appears twice",)),
        ({"fit": {"edges": "transpose"}}, ("fit.edges", "did you mean 'transposed'?")),
        ({"fit": {"learning_rate_w": 1e-3}}, ("unknown key", "learning_rate_W_start")),
        ({"fit": {"learning_rate_start": 5}}, ("learning_rate_start is 5",)),
        ({"fit": {"learning_rate_W_start": 5}}, ("fit.learning_rate_W_start is 5; it should be less than or equal",)),
        ({"fit": {"coeff_W_L1": -1}}, ("fit.coeff_W_L1 is -1; it should be greater than or equal to 0",)),
        ({"simulation": {"connectivity_filling_factor": 0.5}}, ("simulation: ", "say levels: [0.5]")),
        ({"fit": {"n_trajectories": 500}}, ("n_trajectories is 500",)),
        ({"simulation": {"connectivity_type": "file"}}, ("connectivity_file",)),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_before_anything_runs(condition, words):
    with pytest.raises(OntogenyError) as caught:
        load_config({"studies": with_condition(**condition)})
    for word in words:
        assert word in str(caught.value)


def test_a_matrix_that_is_not_square_is_one_sentence(tmp_path):
    (tmp_path / "W.csv").write_text("0,1,2\n1,0,3\n")
    condition = with_condition(simulation={"connectivity_type": "file", "connectivity_file": "W.csv", "n_neurons": 5})
    code, text = snakemake(tmp_path, condition, "connectome", "--until", "simulate_activity")
    assert code != 0
    assert "W.csv has shape 2 x 3: expected a square matrix (neurons x neurons)" in text
    assert "Traceback" not in text


def recorded(folder, **changes):
    """Files of a small population's activity, and the study of one condition that reads them."""
    import numpy as np

    from ontogeny.connectome import simulate_activity

    made = simulate_activity({"n_neurons": 12, "n_trajectories": 12, "n_frames": 60}, seed=3)
    np.savez(folder / "all.npz", u=made.u, W=made.weights, types=made.types)
    np.savetxt(folder / "one.csv", made.u[0], delimiter=",", header="a,b", comments="")
    data = {"file": "all.npz", "delta_t": 0.01, "difference": "forward", **changes}
    return {"own": {"kind": "connectome", "runs": {"mine": {"data": data, "fit": {"n_steps": 40}}}}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the study of `configs/paper.yaml` is made at a small size, and one of recorded activity."""
    folder = tmp_path_factory.mktemp("made")
    own = recorded(folder)
    own["own"]["runs"]["blind"] = {
        "data": {"file": "one.csv", "delta_t": 0.01},
        "fit": {"n_steps": 20, "refine": False},
    }
    studies = {**PAPER, **own}
    code, text = snakemake(folder, studies, "connectome", "--quiet")
    assert code == 0, text
    return folder, studies


@pytest.mark.slow
def test_recorded_activity_runs_to_the_end(made):
    results = made[0] / "results"
    known = json.loads((results / "runs/mine/s0/connectome/metrics.json").read_text())
    assert known["connectivity_R2"] > 0.99
    blind = json.loads((results / "runs/blind/s0/connectome/metrics.json").read_text())
    assert blind["connectivity_R2"] is None
    assert blind["test_pearson"] is not None
    reports = [json.loads(path.read_text()) for path in (results / "activity").glob("data-*.json")]
    assert len(reports) == 2
    assert all(report["components_99"] >= 1 and report["verdict"] for report in reports)
    assert (results / "figures/own/recovery.png").exists()


def test_recorded_activity_with_a_gap_is_one_sentence(tmp_path):
    study = recorded(tmp_path, file="one.csv")
    lines = (tmp_path / "one.csv").read_text().splitlines()
    lines[3] = "nan" + lines[3][lines[3].index(",") :]
    (tmp_path / "one.csv").write_text("\n".join(lines))
    code, text = snakemake(tmp_path, study, "connectome")
    assert code != 0
    assert "one.csv holds nan at trajectory 0, frame 2, neuron 0" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_every_planned_figure_is_drawn_each_with_its_table(made):
    folder, _ = made
    drawn = sorted((folder / "results/figures").rglob("*.png"))
    empty = folder / "empty"
    empty.mkdir()
    for name in ("all.npz", "one.csv"):
        shutil.copy(folder / name, empty)
    planned_figures = planned_jobs(folder / "c.yaml", ["connectome"], empty)
    assert {path.name for path in drawn} == {Path(name).name for job in planned_figures for name in job.outputs
                                             if name.endswith(".png")}  # fmt: skip
    assert all(len(pd.read_csv(path.with_suffix(".csv"))) for path in drawn)


@pytest.mark.slow
def test_an_edit_reruns_only_what_it_must(made):
    folder, studies = made
    search = folder / "results/studies/connectome/connectome/search"
    memory = search / "connectome_memory.md"
    assert "## Knowledge Base" in memory.read_text()
    code, text = snakemake(folder, studies, "-n", "connectome")
    assert "Nothing to be done" in text

    published = studies["connectome"]
    greedy = {**studies, "connectome": {**published, "search": {**published["search"], "ucb_c": 0.1}}}
    code, text = snakemake(folder, greedy, "-n", "connectome")
    again = {"search_connectome", "write_search_log", "search_policy", "plot_policies", "connectome"}
    assert set(planned(text)) == again

    evaluations = sorted((search / "evaluations").iterdir())
    before = [path.stat().st_mtime_ns for path in evaluations]
    memory.write_text("nonsense")
    code, text = snakemake(folder, greedy, memory.relative_to(folder), "--quiet")
    assert code == 0, text
    assert [path.stat().st_mtime_ns for path in sorted((search / "evaluations").iterdir())] == before
    assert (search / "connectome_memory_1.md").read_text() == "nonsense"
    assert "## Knowledge Base" in memory.read_text()
