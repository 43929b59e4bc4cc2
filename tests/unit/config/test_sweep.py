"""Sweeps make runs with readable names, and mistakes in them are told where they were written."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ontogeny.config import load_config, read_config, runs_of
from ontogeny.config.sweep import LONGEST
from ontogeny.errors import OntogenyError

TEMPLATE = """\
studies:
  digits:
    defaults:
      model: {name: mlp, hidden: [32]}
    runs:
      mlp:
        training: {steps: 100}
        sweep:
          __SWEEP__
"""


def write(tmp_path, *sweep):
    path = tmp_path / "config.yaml"
    path.write_text(TEMPLATE.replace("__SWEEP__", "\n          ".join(sweep)))
    return path


def refused(tmp_path, *sweep):
    with pytest.raises(OntogenyError) as caught:
        read_config(write(tmp_path, *sweep))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def by_key(runs):
    """Runs of one seed by their key."""
    return {name.removesuffix("/s0") if f"{name.removesuffix('0')}1" not in runs else name: runs[name] for name in runs}


def names(sweep, kind="dynamics", run=None, **study):
    study = {"kind": kind, "runs": {"r": {**(run or {}), "sweep": sweep}}, **study}
    return by_key(runs_of(load_config({"studies": {"s": study}})))


def test_a_grid_is_every_combination_and_names_say_which(tmp_path):
    file = write(tmp_path, "grid: {training.learning_rate: [0.001, 0.01], model.hidden: [[16], [64, 32]]}")
    runs = by_key(runs_of(read_config(file)))
    assert list(runs) == [
        "mlp_lr0.001_hidden16",
        "mlp_lr0.001_hidden64-32",
        "mlp_lr0.01_hidden16",
        "mlp_lr0.01_hidden64-32",
    ]
    run = runs["mlp_lr0.01_hidden64-32"]
    assert (run.settings.training.learning_rate, run.settings.model.hidden) == (0.01, [64, 32])
    assert (run.settings.training.steps, run.settings.model.name) == (100, "mlp")
    assert run.settings.label == "mlp, lr 0.01, hidden 64-32"
    assert run.swept.key == "mlp"
    assert run.swept.values == {"training.learning_rate": 0.01, "model.hidden": [64, 32]}


def test_zip_goes_side_by_side_and_list_one_by_one():
    assert list(names({"zip": {"training.steps": [5, 6], "training.batch_size": [8, 9]}})) == [
        "r_steps5_bs8",
        "r_steps6_bs9",
    ]
    found = names({"list": [{"training.steps": 5}, {"model": "vit_tiny"}], "grid": {"training.warmup_steps": [0, 1]}})
    assert list(found) == ["r_ws0_steps5", "r_ws0_modelvit_tiny", "r_ws1_steps5", "r_ws1_modelvit_tiny"]


def test_a_study_sweeps_its_runs_and_a_run_may_have_its_own():
    raw = {
        "sweep": {"grid": {"training.steps": [5, 6]}},
        "runs": {"a": None, "b": {"sweep": {"grid": {"model.hidden": [[4]]}}}},
    }
    assert list(by_key(runs_of(load_config({"studies": {"s": raw}})))) == ["a_steps5", "a_steps6", "b_hidden4"]


def test_every_kind_can_be_swept_with_seeds_and_levels():
    circuits = names({"grid": {"training.l1_lambda": [0, 0.001]}}, "circuits")
    assert list(circuits) == ["r_ll0", "r_ll0.001"]
    arms = names({"grid": {"fit.n_steps": [50, 60]}}, "connectome", {"levels": [0.5], "seeds": 2})
    assert list(arms) == ["r_ns50-c50/s0", "r_ns50-c50/s1", "r_ns60-c50/s0", "r_ns60-c50/s1"]
    seeds = names({"grid": {"training.steps": [5]}}, run={"seeds": 2})
    assert list(seeds) == ["r_steps5/s0", "r_steps5/s1"]


def test_a_bare_model_keeps_its_name_and_alike_keys_are_told_apart():
    run = names({"grid": {"model.hidden": [[8]]}}, run={"model": "mlp_narrow"})["r_hidden8"]
    assert (run.settings.model.name, run.settings.model.hidden) == ("mlp_narrow", [8])
    assert list(names({"grid": {"model.width": [8], "model.depth": [1]}})) == ["r_width8_depth1"]
    alike = names({"grid": {"training.warmup_steps": [1], "training.weight_decay": [0], "task.split_seed": [1]}})
    assert list(alike) == ["r_ws1_wd0_ss1"]


def test_one_value_more_renames_nothing():
    few = names({"grid": {"training.learning_rate": [0.1, 0.2]}})
    more = names({"grid": {"training.learning_rate": [0.05, 0.2, 0.1]}})
    assert set(few) < set(more)
    assert few["r_lr0.1"].identity() == more["r_lr0.1"].identity()


def test_a_sweep_computes_what_the_runs_would_that_are_written_out():
    swept = names({"grid": {"training.steps": [7]}})["r_steps7"]
    plain = runs_of(load_config({"studies": {"s": {"runs": {"x": {"training": {"steps": 7}}}}}}))["x/s0"]
    assert swept.identity() == plain.identity()


def test_the_command_line_may_give_a_sweep_as_text():
    assert list(names({"grid": {"training.learning_rate": ["1e-3"]}})) == ["r_lr1e-3"]


@pytest.mark.parametrize(
    ("sweep", "parts"),
    [
        (["grid: {training.stepz: [5]}"], ["line 9", "sweep.grid.training.stepz", "did you mean 'steps'"]),
        (["grid: {trainin.steps: [5]}"], ["line 9", "sweep.grid.trainin.steps", "did you mean 'training'"]),
        (["grid:", "  training.steps:", "    - 5", "    - -1"], ["line 12", "training.steps[1] is -1", "greater"]),
        (["gird: {training.steps: [5]}"], ["line 9", "sweep.gird", "did you mean 'grid'"]),
        (["grid: {training.steps: 5}"], ["line 9", "sweep.grid.training.steps is 5", "list"]),
        (["grid: {training.steps: []}"], ["line 9", "training.steps", "at least 1"]),
        (
            ["zip: {training.steps: [1, 2], training.batch_size: [1]}"],
            ["line 8", "lists of equal length", "batch_size"],
        ),
        (["grid: {training.steps: [1]}", "zip: {training.steps: [1]}"], ["is swept twice"]),
        (["grid: {seeds: [1, 2]}"], ["seeds cannot be swept", "several seeds"]),
        (["grid: {training.steps: [5, 5]}"], ["line 8", "training.steps 5 appears twice"]),
        (["grid: {}"], ["the sweep is empty"]),
        (["list: [{training.steps: 5}, {training.steps: x}]"], ["line 9", "sweep.list[1].training.steps", '"x"']),
        (["grid: {training..steps: [5]}"], ["is not a setting"]),
    ],
)
def test_mistakes_are_told_where_they_were_written(tmp_path, sweep, parts):
    sentence = refused(tmp_path, *sweep)
    for part in parts:
        assert part in sentence, sentence


def test_a_sweep_of_a_billion_runs_is_refused_before_it_is_made():
    values = list(range(1, 2001))
    with pytest.raises(OntogenyError, match="8,000,000,000 runs"):
        names({"grid": {"training.steps": values, "training.batch_size": values, "training.checkpoint_every": values}})


def test_a_swept_name_that_a_run_has_already_is_refused():
    runs = {"r_steps5": None, "r": {"sweep": {"grid": {"training.steps": [5]}}}}
    with pytest.raises(OntogenyError, match="both have a run r_steps5"):
        load_config({"studies": {"s": {"runs": runs}}})


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=90)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6, unique=True))
def test_names_are_distinct_and_safe_whatever_the_values(values):
    found = names({"grid": {"task.path": values}})
    assert len({name.lower() for name in found}) == len(values)
    assert all(re.fullmatch(rf"[A-Za-z0-9][A-Za-z0-9_.+-]{{0,{LONGEST - 1}}}", name) for name in found)
    assert [run.settings.task.path for run in found.values()] == values


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["grid", "training.steps", "seeds"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["grid", "zip", "list", "training.steps", "model", "a.b"]), inner, max_size=3
            )
        ),
        max_leaves=8,
    )
)
def test_nonsense_ends_in_one_sentence(sweep):
    said = ""
    try:
        names(sweep)
    except OntogenyError as error:
        said = str(error)
    assert "\n" not in said


def test_the_page_of_the_reference_explains_sweeps():
    config = yaml.safe_load("studies: {s: {sweep: {zip: {model.hidden: [[4]]}}, runs: {r: {}}}}")
    assert list(by_key(runs_of(load_config(config)))) == ["r_hidden4"]
