"""Connectome studies in the pipeline: what is planned, what an edit reruns, what a mistake says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ontogeny.config import load_config
from ontogeny.errors import OntogenyError

ROOT = Path(__file__).parents[2]
SMOKE = {"wiring": yaml.safe_load((ROOT / "tests/configs/smoke.yaml").read_text())["studies"]["wiring"]}


def snakemake(folder, studies, *arguments):
    (folder / "c.yaml").write_text(yaml.safe_dump({"studies": studies}))
    command = [str(Path(sys.executable).with_name("snakemake")), "-s", str(ROOT / "Snakefile"), "--directory", "."]
    done = subprocess.run(
        [*command, "--configfile", "c.yaml", "--cores", "1", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout + done.stderr


def planned(text):
    """Jobs a rule, from a dry run."""
    lines = text.split("Job stats:")[1].split("total")[0].splitlines()[3:]
    return {name: int(count) for name, count in (line.split() for line in lines if line.strip())}


def with_arm(**changes):
    return {"wiring": {**SMOKE["wiring"], "runs": {"arm": changes}}}


def test_a_dry_run_shows_every_job(tmp_path):
    code, text = snakemake(tmp_path, SMOKE, "-n", "connectome")
    assert code == 0, text
    jobs = planned(text)
    assert jobs["fit_connectome"] == jobs["evaluate_connectome"] == 2
    assert jobs["simulate_activity"] == 2  # the arms share one; the search has its own level
    assert jobs["search_connectome"] == 2
    assert {"compare_recovery", "plot_recovery", "plot_search", "write_search_log", "animate_connectome"} <= set(jobs)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ({"levels": [1.5]}, ("levels", "1.5", "less than or equal to 1")),
        ({"levels": [0.0]}, ("levels", "greater than 0")),
        ({"levels": [0.5, 0.5]}, ("same level is there twice",)),
        ({"fit": {"edges": "transpose"}}, ("fit.edges", "did you mean 'transposed'?")),
        ({"fit": {"learning_rate_w": 1e-3}}, ("unknown key", "learning_rate_W_start")),
        ({"fit": {"learning_rate_start": 5}}, ("learning_rate_start is 5",)),
        ({"fit": {"n_trajectories": 500}}, ("n_trajectories is 500",)),
        ({"simulation": {"connectivity_type": "file"}}, ("connectivity_file",)),
    ],
    ids=str,
)
def test_a_mistake_is_one_sentence_before_anything_runs(arm, words):
    with pytest.raises(OntogenyError) as caught:
        load_config({"studies": with_arm(**arm)})
    for word in words:
        assert word in str(caught.value)


def test_a_matrix_that_is_not_square_is_one_sentence(tmp_path):
    (tmp_path / "W.csv").write_text("0,1,2\n1,0,3\n")
    arm = with_arm(simulation={"connectivity_type": "file", "connectivity_file": "W.csv", "n_neurons": 5})
    code, text = snakemake(tmp_path, arm, "connectome", "--until", "simulate_activity")
    assert code != 0
    assert "W.csv has shape 2 x 3: a square matrix (neurons x neurons) is wanted" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_the_study_runs_and_an_edit_reruns_only_what_it_must(tmp_path):
    code, text = snakemake(tmp_path, SMOKE, "connectome", "--quiet")
    assert code == 0, text
    memory = tmp_path / "results/studies/wiring/connectome/search/wiring_memory.md"
    assert (tmp_path / "results/figures/wiring/recovery.png").exists()
    assert "## Knowledge Base" in memory.read_text()
    code, text = snakemake(tmp_path, SMOKE, "-n", "connectome")
    assert "Nothing to be done" in text

    greedy = {"wiring": {**SMOKE["wiring"], "search": {**SMOKE["wiring"]["search"], "ucb_c": 0.1}}}
    code, text = snakemake(tmp_path, greedy, "-n", "connectome")
    assert set(planned(text)) == {"search_connectome", "write_search_log", "plot_search", "connectome"}

    evaluations = sorted((memory.parent / "evaluations").iterdir())
    before = [path.stat().st_mtime_ns for path in evaluations]
    memory.write_text("nonsense")
    code, text = snakemake(tmp_path, greedy, "connectome", "--quiet")
    assert code == 0, text
    assert [path.stat().st_mtime_ns for path in sorted((memory.parent / "evaluations").iterdir())] == before
    assert (memory.parent / "wiring_memory_1.md").read_text() == "nonsense"
    assert "## Knowledge Base" in memory.read_text()
