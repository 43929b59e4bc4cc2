"""What the rules ask the configuration for."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from ontogeny.config.yaml_files import parse_yaml
from ontogeny.connectome.populations import Populations
from ontogeny.errors import OntogenyError
from ontogeny.pipeline.entry import as_reported
from ontogeny.pipeline.workflow import Workflow

ROOT = Path(__file__).parents[3]


def workflow(**analyses):
    study = {"kind": "dynamics", "defaults": {"task": "digits", "seeds": [3, 4]}, "runs": {"a": {"model": "mlp"}}}
    circuits = {"kind": "circuits", "runs": {"gate": {"task": "XOR", "seeds": 2}}}
    return Workflow({"studies": {"one": study, "two": circuits}, "analyses": analyses}, [], ROOT)


def test_files_are_those_of_the_kinds_asked_for():
    plan = workflow()
    assert plan.files("{study}/{run}") == ["one/a/s3", "one/a/s4", "two/gate"]
    assert plan.files("{run}", "circuits") == ["gate"]
    assert plan.files("{run}", "judge") == []


@pytest.mark.parametrize(("seeds", "expected"), [("all", ["a/s3", "a/s4"]), ("first", ["a/s3"]), ("none", [])])
def test_runs_are_looked_at_as_configured(seeds, expected):
    assert workflow(seeds=seeds).looked_at("{run}", "dynamics", "judge") == expected


def test_no_label_ends_a_script_of_the_report():
    raw = {"studies": {"s": {"title": "p < 0.05", "runs": {"r": {"label": "</script><script>alert(1)", "seeds": [1]}}}}}
    assert as_reported(raw, ["snakemake", "-n"]) == raw
    for told in (["--report"], ["--report", "r.zip"], ["--report=r.zip"]):
        shown = as_reported(raw, ["snakemake", *told])["studies"]["s"]
        assert shown["title"] == "p < 0.05"
        assert shown["runs"]["r"] == {"label": "\uff1c/script>\uff1cscript>alert(1)", "seeds": [1]}


def test_the_report_lists_studies_in_the_order_of_the_configuration():
    plan = workflow()
    assert [plan.chapter_of(study) for study in plan.config.groups] == ["1. one", "2. two"]


def test_the_exploration_constant_of_a_search_reaches_the_policy_that_has_it_alone():
    """What is asked for decides which jobs run again."""

    def asked(policy, constant):
        study = {"kind": "connectome", "runs": {"a": {}}, "search": {"ucb_c": constant, "compare": ["random", "ucb"]}}
        populations = Populations(Workflow({"studies": {"s": study}}, [], ROOT))
        return populations.search(SimpleNamespace(study="s", policy=policy, seed="0"))

    assert asked("random", 0.1) == asked("random", 1.414)
    assert asked("ucb", 0.1) != asked("ucb", 1.414)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("studies:\n  s:\n    runs:\n      r:\n        task: {name: cifar10, path: no.npz}\n        sweep: "
         "{grid: {training.steps: [5]}}", "own.yaml, line 5: studies.s.runs.r.task.path: no.npz does not exist"),
        ("studies:\n  s:\n    runs:\n      r:\n        sweep: {grid: {task.path: [a.npz, b.npz]}}",
         "own.yaml, line 5: studies.s.runs.r.sweep.grid.task.path[0]: a.npz does not exist"),
        ("studies: {a: {runs: {r: {}}},\n b: {runs: {r: {}}}}", "own.yaml, line 2: studies.b.runs.r: the study 'a' "),
        ("studies: {s: {runs: {r: {}}}}\nphase1_imports: {s: x}", "own.yaml, line 2: phase1_imports.s: a study has"),
        ("studies: {s: {runs: {\n r_steps5: {},\n r: {sweep: {grid: {training.steps: [5]}}}}}}",
         "own.yaml, line 3: studies.s.runs.r.sweep: the sweep and the study both have a run r_steps5"),
        ("phase1_imports:\n  t: nowhere/*", "own.yaml, line 2: phase1_imports.t: 'nowhere/*' finds no Phase 1 record"),
        ("trajectory_imports: {t: {runs: {r: {\n source: {path: nowhere}, network: {auto: n.json},\n probe: {text: "
         "own.yaml}}}}}", "own.yaml, line 2: trajectory_imports.t.runs.r.source.path: nowhere is not a folder"),
        ("studies: {s: {runs: {\n r: {task: {name: cifar10, path: 'my {run}.npz'}}}}}",
         "own.yaml, line 2: studies.s.runs.r.task.path: 'my {run}.npz' cannot be an input of Snakemake, which puts a"),
        ("phase1_imports:\n  t: '*.csv'", "own.yaml, line 2: phase1_imports.t: '{a, b}.csv' cannot be an input of"),
        ("compare:\n - a\n - b", "own.yaml, line 1: compare: a does not exist"),
    ],
)  # fmt: skip
def test_a_mistake_of_names_or_files_is_told_with_file_line_and_key(tmp_path, monkeypatch, text, said):
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(text)
    for name in ("my {run}.npz", "{a, b}.csv"):
        Path(name).write_text("step,loss\n0,1\n")
    with pytest.raises((OntogenyError, SystemExit), match=re.escape(said)):
        ask_for_files("own.yaml")


def ask_for_files(file):
    plan = Workflow(parse_yaml(file), [file], ROOT)
    for study in plan.config.phase1_imports:
        plan.records(SimpleNamespace(study=study))
    for name in plan.runs:
        plan.data(SimpleNamespace(run=name))
    plan.compared(None)
