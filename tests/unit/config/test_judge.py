"""Settings of judge studies."""

from types import SimpleNamespace

import pytest

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.pipeline.judges import Judges


def _config(**run):
    return {"studies": {"judge": {"kind": "judge", "runs": {"one": run}}}}


def test_names_and_paths_alone_stand_for_tasks_and_models():
    run = runs_of(load_config(_config(task=["a.csv", "b.csv"], model="some/checkpoint")))["one/s0"]
    assert run.settings.task.prompts == ["a.csv", "b.csv"]
    assert run.settings.model.name == "some/checkpoint"
    assert set(run.identity()) == {"task", "model", "training", "tracking", "seed"}
    assert run.identity()["task"]["kind"] == "prompts"


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({"model": {"width": 30, "heads": 4}}, "width is 30"),
        ({"model": {"frozen_layers": 7}}, "only 6 layers"),
        ({"task": {"split": {"train": 0.9}}}, "add up to 1.3"),
        ({"task": {"format": "toxichat"}}, "did you mean 'toxicchat'"),
        ({"training": {"epoch": 3}}, "did you mean 'epochs'"),
    ],
)
def test_mistakes_are_told(run, sentence):
    with pytest.raises(OntogenyError, match=sentence):
        load_config(_config(**run))


def test_runs_that_differ_after_pretraining_share_it():
    runs = {
        "a": {"seeds": 2},
        "b": {"model": {"frozen_layers": 0}, "training": {"epochs": 2}},
        "c": {"model": {"pretrain_steps": 1}},
    }

    config = load_config({"studies": {"judge": {"kind": "judge", "runs": runs}}})
    judges = Judges(SimpleNamespace(config=config, runs=runs_of(config)))
    assert len(judges.backbones) == 2
    assert judges._of_run["a/s0"] == judges._of_run["a/s1"] == judges._of_run["b/s0"] != judges._of_run["c/s0"]
