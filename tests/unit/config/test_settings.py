"""Every key of `config.yaml` that is no subject's own changes what the rules are given."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from settings_walk import Walk, cases

from ontogeny.config.models import (
    Analyses,
    CircuitRunSettings,
    CircuitsStudy,
    Config,
    DynamicsStudy,
    ImportSettings,
    JudgeRunSettings,
    JudgeStudy,
    RunSettings,
    SeriesStudy,
)
from ontogeny.connectome.settings import ConnectomeStudy
from ontogeny.errors import OntogenyError
from ontogeny.pipeline.workflow import Workflow
from ontogeny.settings import Settings, Sweep
from ontogeny.tasks.settings import SplitSettings


def planned(raw):
    """What the rules are given for the configuration `raw`: of every run, of every study, and of the whole."""
    plan = Workflow(raw, [], ".")
    runs = {
        name: [
            run.study, run.kind, run.identity(), plan.label(run), plan.is_looked_at(run),
            list(getattr(run.settings, "capture_steps", ())), asdict(run.swept) if run.swept else None,
        ]
        for name, run in plan.runs.items()
    }  # fmt: skip
    blocks = [block for block in Analyses.model_fields if block != "seeds"]
    groups = {
        name: [plan.title_of(name), [plan.study_analysis(block, SimpleNamespace(study=name)) for block in blocks]]
        for name in (*plan.config.groups, *plan.config.phase1_imports)
    }
    imports = {name: [group.records, group.on_problem] for name, group in plan.config.phase1_imports.items()}
    whole = [plan.config.cache, plan.config.container, plan.config.compare]
    return json.dumps([runs, groups, imports, whole], default=str)


def said(settings: Settings):
    """As it would stand in `config.yaml`: only what was set."""
    return settings.model_dump(mode="json", exclude_unset=True)


def study(kind):
    return lambda settings: planned({"studies": {"a": {**said(settings), "kind": kind}}})


def run_of(kind):
    return lambda settings: planned({"studies": {"a": {"kind": kind, "runs": {"r": said(settings)}}}})


def swept(settings):
    return planned({"studies": {"a": {"runs": {"r": {"sweep": said(settings)}}}}})


KIND = {"kind": "it names the study's own form and has one value"}
SWEEP = {"grid": {"training.batch_size": [16, 32]}}
SHARED = {"title": "A title", "runs": {"q": {}}}
GRID = {"training.steps": [10, 20]}

SERIES = {"source": "saved/step_{step}.pt", "network": {"model": "mlp"}, "probe": {"task": "digits"}}

WALKS = [
    Walk(
        SeriesStudy,
        lambda settings: planned({"trajectory_imports": {"t": said(settings)}}),
        {
            "title": "A title", "defaults": {"on_problem": "drop"}, "analyses": {"jumps": {"metrics": ["loss"]}},
            "runs": {"other": SERIES},
        },
        base={"runs": {"r": SERIES}},
    ),
    Walk(
        Config,
        lambda settings: planned(said(settings)),
        {
            "studies": {"a": {"runs": {"r": {}}}}, "phase1_imports": {"p": {"records": ["x.json"]}},
            "analyses": {"analyses": {"jumps": {"detector": "pelt"}}, "studies": {"a": {"runs": {"r": {}}}}},
            "trajectory_imports": {"t": {"runs": {"r": SERIES}}},
            "cache": "elsewhere", "container": "image.sif", "compare": ["a.yaml", "b.yaml"],
        },
    ),
    Walk(
        DynamicsStudy,
        study("dynamics"),
        {
            **SHARED, "defaults": {"training": {"steps": 7}}, "analyses": {"jumps": {"metrics": ["loss"]}},
            "sweep": SWEEP,
        },
        KIND,
        {"runs": {"r": {}}},
    ),
    Walk(
        CircuitsStudy,
        study("circuits"),
        {**SHARED, "defaults": {"training": {"epochs": 7}}, "analyses": {"circuits": {"window": 9}}, "sweep": SWEEP},
        KIND,
        {"runs": {"r": {}}},
    ),
    Walk(
        ConnectomeStudy,
        study("connectome"),
        {
            **SHARED, "defaults": {"fit": {"n_steps": 7}}, "analyses": {"jumps": {"metrics": ["loss"]}},
            "sweep": {"grid": {"fit.batch_size": [4, 8]}},
        },
        {**KIND, "search": "its own settings are walked by the connectome, which reads them"},
        {"runs": {"r": {}}},
    ),
    Walk(
        JudgeStudy,
        study("judge"),
        {**SHARED, "defaults": {"training": {"epochs": 7}}, "analyses": {"judge": {"samples": 50}}, "sweep": SWEEP},
        KIND,
        {"runs": {"r": {}}},
    ),
    Walk(
        RunSettings,
        run_of("dynamics"),
        {
            "task": {"name": "mnist"}, "model": {"name": "cnn_shallow"}, "training": {"steps": 7},
            "tracking": {"every": 2}, "seeds": [0, 1], "label": "A label", "sweep": {"grid": GRID},
            "capture_steps": [5],
        },
    ),
    Walk(
        CircuitRunSettings,
        run_of("circuits"),
        {
            "task": {"gates": ["AND"]}, "model": {"hidden": [2]}, "training": {"epochs": 7}, "seeds": [0, 1],
            "label": "A label", "sweep": {"grid": {"training.epochs": [10, 20]}},
        },
    ),
    Walk(
        JudgeRunSettings,
        run_of("judge"),
        {
            "task": {"count": 100}, "model": {"width": 32}, "training": {"epochs": 7}, "tracking": {"every": 7},
            "seeds": [0, 1], "label": "A label", "sweep": {"grid": {"training.epochs": [10, 20]}}, "capture_steps": [5],
        },
    ),
    Walk(
        Sweep,
        swept,
        {
            "grid": {"training.steps": [1, 2, 3]}, "zip": {"training.batch_size": [1, 2], "model.width": [4, 8]},
            "list": [{"training.learning_rate": 0.5}],
        },
        base={"grid": GRID},
    ),
    Walk(
        ImportSettings,
        lambda settings: planned({"phase1_imports": {"p": said(settings)}}),
        {
            "records": ["y.json"], "title": "A title", "on_problem": "stop",
            "analyses": {"jumps": {"metrics": ["stable_rank"]}},
        },
        base={"records": ["x.json"]},
    ),
    Walk(
        Analyses,
        lambda settings: planned({"studies": {"a": {"runs": {"r": {"seeds": 2}}}}, "analyses": said(settings)}),
        {
            "seeds": "all", "jumps": {"detector": "pelt"}, "validity": {"repeats": 7}, "captures": {"window": 7},
            "geometry": {"components": 3}, "maps": {"frames": 5}, "boundary": {"planes": 1},
            "neurons": {"threshold": 0.5}, "importance": {"samples": 64}, "features": {"samples": 3},
            "interventions": [{"kind": "ablate"}], "changes": {"seed": 3}, "circuits": {"window": 9},
            "judge": {"samples": 50}, "complexity": {"chains": 3},
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_key_changes_what_the_rules_are_given(walk, name):
    walk.check(name)


def kinds_of(settings):
    for kind in settings.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def test_settings_of_every_kind_that_are_made_by_hand_and_refused_end_in_a_sentence():
    kinds = list(kinds_of(Settings))
    assert len(kinds) > 50
    for kind in kinds:
        with pytest.raises(OntogenyError, match=f"unknown setting 'nonsense' in {kind.__name__}: "):
            kind(nonsense=1)
    with pytest.raises(OntogenyError, match=r"^SplitSettings: the shares add up to 1\.5; they should add up to 1$"):
        SplitSettings(train=0.5, validation=0.5, test=0.5)
