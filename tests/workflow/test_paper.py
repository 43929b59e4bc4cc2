"""The figures of the published studies: all of them planned at full size, each made at a small size, with its table."""

import re

import pandas as pd
import pytest

from ontogeny.config import read_config, runs_of
from ontogeny.pipeline.cost import planned_jobs

from .conftest import ROOT, Pipeline

PAPER, SMALL = ROOT / "configs/paper.yaml", ROOT / "tests/configs/paper_small.yaml"


@pytest.fixture(scope="module")
def plans(tmp_path_factory):
    """The planned jobs of both configurations."""
    return {config: planned_jobs(config, ["figures"], tmp_path_factory.mktemp("plan")) for config in (PAPER, SMALL)}


def figures_of(jobs, config):
    """The figures among the outputs, whatever study and run they are of."""
    runs = sorted(map(re.escape, runs_of(read_config(config))), key=len, reverse=True)
    found = {path for job in jobs for path in job.outputs if re.search(r"results/figures/.*(\.png|heatmaps)$", path)}
    return {re.sub(rf"results/figures/[^/]+/(?:(?:{'|'.join(runs)})/)?", "", path) for path in found}


def test_the_paper_plans_every_kind_of_figure(plans):
    figures = figures_of(plans[PAPER], PAPER)
    circuits = {f"circuits_{name}.png" for name in ("counts", "sparsity", "losses", "overview", "effects", "snapshot")}
    phase1 = {"overview.png", "kinds.png", "critical_periods.png", "comparison.png", "heatmap.png", "heatmaps"}
    connectome = {"recovery.png", "learning.png", "scatter.png", "search_tree.png", "policies.png"}
    assert circuits | phase1 | connectome <= figures
    assert figures == figures_of(plans[SMALL], SMALL)


def test_the_paper_trains_all_architectures_on_both_sets(plans):
    trained = [job.name for job in plans[PAPER] if job.rule == "train_run"]
    assert len(trained) == 15 * 2 * 3
    assert sum(job.rule == "fit_connectome" for job in plans[PAPER]) == (6 + 6 + 5) * 3


def test_every_figure_is_planned_with_its_table(plans):
    for jobs in plans.values():
        for job in jobs:
            for path in job.outputs:
                if path.endswith(".png"):
                    assert path.replace(".png", ".csv") in job.outputs, path


def test_every_figure_of_the_finished_pipeline_has_its_table(finished):
    drawn = sorted((finished.results / "figures").rglob("*.png"))
    assert len(drawn) >= 19
    assert [path.name for path in drawn if not path.with_suffix(".csv").is_file()] == []


@pytest.mark.slow
def test_figures_of_circuits_are_made_at_a_small_size(project, tmp_path):
    """Those of connectomes: `test_connectome.py`."""
    pipeline = Pipeline(project, tmp_path)
    said = pipeline("circuits", "--config", "phase1_imports={}", config="tests/configs/paper_small.yaml")
    assert said.code == 0, said.text
    drawn = {path.name for path in (tmp_path / "results" / "figures").rglob("*.png")}
    assert figures_of(planned_jobs(SMALL, ["circuits"], tmp_path / "empty"), SMALL) == drawn
    for path in (tmp_path / "results" / "figures").rglob("*.png"):
        assert len(pd.read_csv(path.with_suffix(".csv"))) > 0, path
