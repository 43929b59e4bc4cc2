"""Arguments that are none: each is told by its name, with what would be right."""

from __future__ import annotations

import contextlib
import inspect
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from ontogeny import (
    complexity,
    features,
    geometry,
    interventions,
    judge,
    jumps,
    models,
    neurons,
    phase1,
    plotting,
    statistics,
    tasks,
    tracking,
    trajectory,
)
from ontogeny.arguments import Reals, checks_arguments, plain
from ontogeny.connectome import simulate_activity, symbolic_form
from ontogeny.errors import OntogenyError
from ontogeny.tracking import estimators

torch.manual_seed(0)
MLP = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
X, Y = torch.randn(24, 8), torch.arange(24) % 3
A = np.random.default_rng(0).normal(size=(24, 6))
ON = (MLP, X, Y)
TABLE = pd.DataFrame({"layer": "a", "unit": range(3), "loss_change": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: neurons.ablation_importance(*ON, "Linear_0", chunk=-1), "chunk is -1: give a whole number of at"),
        (lambda: neurons.ablation_importance(*ON, "Linear_0", seed=None), "seed is None: give"),
        (lambda: neurons.ablation_importance(*ON, 0), "layer is 0: give text"),
        (lambda: neurons.ablation_importance(MLP, X, None, "Linear_0"), "labels is None: give the class of every"),
        (lambda: neurons.gradient_importance(MLP, "x.npy", Y, "Linear_0"), "inputs is 'x.npy': give real numbers"),
        (lambda: neurons.gradient_importance(nn.Linear(5, 2), X, Y, "Linear_0"), "not run on inputs of shape .2, 8."),
        (lambda: neurons.conductance_importance(*ON, "Linear_0", confidence=95), "a number between 0 and 1, as 0.95"),
        (lambda: neurons.class_selectivity(A.astype(str), Y.numpy()), "activations is of type ndarray and <U"),
        (lambda: neurons.neuron_statistics(A + 1j), "activations is of type ndarray and complex128: give real numbers"),
        (lambda: neurons.unit_health(A, threshold=float("nan")), "threshold is nan: give a number"),
        (lambda: neurons.against_control(A, A, "loss"), r"table is of type ndarray and float64: give a table"),
        (lambda: features.saliency(nn.Sequential, X), r"model is the class Sequential: give a torch\.nn\.Module"),
        (lambda: features.saliency(MLP.state_dict(), X), r"model is of type OrderedDict: give a torch\.nn\.Module"),
        (lambda: features.saliency(MLP, X.T), r"does not run on inputs of shape .8, 24. and float32: mat1"),
        (lambda: features.saliency(MLP, X, absolute="yes"), "absolute is 'yes': give True or False"),
        (lambda: features.smoothgrad(MLP, X, noisy_copies="ten"), "noisy_copies is 'ten': give a whole number"),
        (lambda: features.attention_maps("model.pt", X), r"model is 'model.pt': give a torch\.nn\.Module"),
        (lambda: features.top_inputs(MLP, X, "Linear_0", k=0), "k is 0: give a whole number of at least 1"),
        (lambda: interventions.run_intervention({"kind": "ablate"}, MLP, X, Y), "models is of type Sequential: give"),
        (lambda: geometry.cka(A, None), "second is None: give real numbers, as an array or a tensor"),
        (lambda: geometry.two_nn(A, confidence=-1), "confidence is -1: give a number between 0 and 1"),
        (lambda: geometry.procrustes(A + 1j, A), "first is of type ndarray and complex128: give real numbers"),
        (lambda: geometry.subspace_overlap(A, A, k=2.5), "k is 2.5: give a whole number of at least 1$"),
        (lambda: geometry.subspace_overlap(A, A, k=2.0), r"k is 2.0: give a .* 1, without a decimal point \(2\)"),
        (lambda: geometry.linear_probe(A, Y.numpy(), folds=1), "folds is 1: give a whole number of at least 2"),
        (lambda: geometry.fit_maps("matrices.npy"), "matrices is 'matrices.npy': give several, as a list"),
        (lambda: geometry.label_agreement(A[:, :2], Y.numpy()[:3]), "one label per sample, and fewer neighbours"),
        (lambda: geometry.margins(A, Y.numpy() - 5), "labels are class numbers from 0 to 5, as whole numbers"),
        (lambda: geometry.margins(A, Y.numpy()[:1]), "labels of shape .1,.: one label per sample expected"),
        (lambda: complexity.deep_linear_coefficient([3, 3], rank=-1), "rank is -1: give a whole number of at least 0"),
        (lambda: complexity.find_stages(pd.DataFrame({"step": [0]})), "lacks the columns llc, standard_error"),
        (lambda: judge.performance(A[:, 0], Y.numpy(), Y.numpy()), r"logits of shape .24,., 24 labels and"),
        (lambda: judge.read_record(3), "path is 3: give text or a path"),
        (lambda: judge.evolution([3]), "one of records is 3: each should be a mapping, as a dict"),
        (lambda: judge.evolution([{"epoch": 1}]), "a record lacks 'metrics': give records as read_records returns"),
        (lambda: plotting.save_figure(Figure(), "a.png", formats=["bmp"]), "unknown format of figures 'bmp'"),
        (lambda: plotting.save_figure(Figure(), "a.png", formats=[3]), "one of formats is 3: each should be text"),
        (lambda: neurons.importance_change(TABLE, TABLE, [(TABLE,)]), "one of quiet is .*: each should be a tuple"),
        (lambda: neurons.importance_change(TABLE, TABLE, [TABLE]), "one of quiet is of type DataFrame: each should be"),
        (lambda: neurons.importance_change(TABLE, TABLE[["layer"]], [(TABLE, TABLE)]), "unknown column 'unit'"),
        (lambda: features.preferred_input(MLP, "Linear_0", 0, (2.5,)), "a size of input_shape is 2.5: give whole"),
        (lambda: complexity.estimate_llc_of_mlps([], [], A, A), "weights should be one array"),
        (lambda: complexity.estimate_llc_of_mlps([A[None]], [], A, A), "biases should be one array"),
        (lambda: complexity.estimate_llc_of_mlps([A[None]], None, A, A[:3]), "y is .1, 3, 6.; expected .rows, 24."),
        (lambda: complexity.estimate_llc_of_mlps([A[None]], None, "x", A), "x is 'x': give an array of numbers"),
        (lambda: models.count_parameters("model.pt"), r"model is 'model.pt': give a torch\.nn\.Module"),
        (lambda: plotting.figure(rows="two"), "rows is 'two': give a whole number"),
        (lambda: trajectory.checkpoint_path("run", "last"), "step is 'last': give a whole number of at least 0"),
        (lambda: tracking.HighFrequencyTracker(MLP).save(None), "path is None: give text or a path"),
        (lambda: tracking.CollapseAlarm("ten", 6), "classes is 'ten': give a whole number of at least 1"),
        (lambda: tracking.to_rows(None), "the activation is None: give an array or a tensor, samples first"),
        (lambda: tracking.measure(A, metrics=3), "a list of metrics is expected, not int"),
        (lambda: tracking.representation_state(np.full(A.shape, "a"), Y.numpy()), "features is .*: give numbers"),
        (lambda: tracking.representation_state(A, Y.numpy() - 1), "the classes of the samples, as whole numbers from"),
        (lambda: symbolic_form(A[:, 0], A[1:]), "values .points, functions. are expected, not .24,. and .23, 6."),
        (lambda: symbolic_form(A[:, 0], A, most=0), "most is 0: give a whole number of at least 1"),
        (lambda: phase1.combine(["record.json"]), "one of records is .*: each should be a record .of read_p"),
        (lambda: phase1.phase1_from_results({"a": A}), "a table for layer 'a' of the results is expected, not ndarray"),
        (lambda: phase1.read_many("record.json"), "paths is 'record.json': give several, as a list"),
        (lambda: phase1.read_many([None]), "a path is expected, not NoneType"),
        (lambda: tasks.sample_gates("XOR", 0, n_repeats=2.5), "n_repeats is 2.5: give a whole number of at least 1"),
        (lambda: tasks.sample_gates("XOR", 0, weights=["a"]), "weights is .'a'.: give 'random' or 4 numbers"),
        (lambda: tasks.separate_output([A], [], 0), "an array of each for every layer"),
        (lambda: jumps.detect_jumps(A[:, 0], detector=["step"]), "unknown detector"),
        (lambda: jumps.detect_jumps(A[:, 0], surrogates="many"), "surrogates is 'many': give a whole number of 19"),
        (lambda: jumps.detect_transitions(A[:, 0], jumps=3), "a list of jumps, as detect_jumps gives it, is expected"),
    ],
)  # fmt: skip
def test_a_mistaken_argument_is_told_by_its_name(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


def test_what_fits_goes_through_as_it_was_given():
    @checks_arguments
    def f(values: Reals, seed: int | np.random.Generator = 0, *, at: Reals | None = None, name: str = "a", **others):
        return values, seed, at, name, others

    generator = np.random.default_rng(0)
    given = np.array([[1, 2], [3, 4]])
    found = f(given, generator, at=None, name="b", more=3)
    assert found[0] is given
    assert found[1:] == (generator, None, "b", {"more": 3})
    assert f(pd.DataFrame(given), np.int64(3))[1] == 3
    weights = torch.ones(3, requires_grad=True)
    assert not f(weights)[0].requires_grad
    assert weights.requires_grad
    for wrong in ([[1, 2], [3]], ["a"], None, 3.0, "abc", np.array([None, 1])):
        with pytest.raises(OntogenyError, match=r"values is .*: give real numbers"):
            f(wrong)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        f()


def test_a_held_function_is_the_same_to_everybody_else():
    assert list(inspect.signature(geometry.cka).parameters) == ["first", "second", "debiased"]
    assert pickle.loads(pickle.dumps(geometry.cka)) is geometry.cka
    assert geometry.cka.__doc__.startswith("Linear") or geometry.cka.__doc__


TO_WALK = (jumps, phase1, tasks, tracking)
STEPS = np.arange(60)


@pytest.fixture(scope="module")
def sound_calls(tmp_path_factory):
    """A call of each public function of these packages that is none of a mistake, by its name."""
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("walk")
    blocks = [
        pd.DataFrame({"run": run, "layer": layer, "step": STEPS, "metric": metric, "value": level})
        for run in ("r1", "r2")
        for layer, metric in (("a", "stable_rank"), ("b", "stable_rank"), (phase1.RUN_LEVEL, "loss"))
        for level in [rng.normal(size=STEPS.size) + 20 * (STEPS > 30)]
    ]
    record = phase1.phase1_from_frame(pd.concat(blocks, ignore_index=True))
    report = jumps.find_jumps(record, surrogates=0)
    plan = jumps.plan_captures(report, STEPS, run="r1")
    found, searched, values = report.table, jumps.searched_series(record.frame), blocks[0]["value"].to_numpy()
    known = jumps.characterise_jumps(found, record)
    groups = pd.DataFrame({"run": list("abcd"), "kind": list("xxyy"), "value": rng.normal(size=4), "depth": range(4)})
    paths = {name: str(folder / name) for name in ("record.json", "jumps.json", "plan.json", "other.json")}
    phase1.write_phase1(paths["record.json"], record)
    jumps.write_jumps(report, paths["jumps.json"])
    jumps.write_plan(plan, paths["plan.json"])
    layers = {"weights": [np.ones((3, 2)), np.ones((2, 3))], "biases": [np.zeros(3), np.zeros(2)]}
    inputs = torch.randn(8, 8)
    few, quick = {"n_resamples": 9, "seed": 0}, {"shuffles": 9, "seed": 0}
    series = {"values": values, "steps": STEPS, "noise_floor": 1e-6}
    return {
        "characterise_jumps": {"jumps": found, "record": record},
        "combine": {"records": [record, record]},
        "compare_groups": {"table": groups, "value": "value", "group": "kind", "run": "run", "block": None, **few},
        "detect_jumps": {**series, "detector": "step", "surrogates": 0},
        "detect_many": {**series, "values": values[None]},
        "detect_transitions": {**series, "jumps": None},
        "detector_agreement": {"jumps": {"step": found, "pelt": found}, "series": searched, "tolerance": 3}
        | {**quick, **few},
        "epoch_order": {"n": 5, "seed": 0, "epoch": 1},
        "false_alarm_rate": {"detector": "step", "length": 200, "repeats": 2, "seed": 0},
        "find_critical_periods": {"jumps": found, "record": record, "tolerance": 3, **quick},
        "find_jumps": {"frame": record, "settings": None, "detector": None, "seed": 0, "surrogates": 0},
        "find_progress": {"frame": record, "settings": None},
        "find_records": {"patterns": paths["record.json"]},
        "first_tensor": {"output": inputs},
        "get_gate": {"spec": "XOR"},
        "get_gates": {"specs": ["XOR"]},
        "jump_kinds": {"jumps": known, "most": 2, "references": 2, "seed": 0},
        "jump_rates": {"jumps": found, "series": searched},
        "layer_convergence": {"record": record, "metrics": ["stable_rank"], "band": 0.1, **quick, **few},
        "load_images": {"name": "digits", "path": None, "cache_dir": None, "fetch": None, "size": None},
        "locate_transition": {"record": record, "run": "r1", "metric": None, "settings": None},
        "locate_transitions": {"record": record, "report": report, "settings": None, "metric": None},
        "loss_relation": {"jumps": found, "record": record, "loss": "loss", "most_lag": 5, **quick},
        "match_events": {"a": STEPS, "b": STEPS, "tolerance": 3},
        "measure": {"activations": inputs, "metrics": None, "centre": False, "method": "gram"},
        "measure_probe": {"model": MLP, "probe": inputs, "layers": None, "metrics": None, "layout": "auto"},
        "mixed_model": {"table": groups, "value": "value", "factors": ["kind"], "covariates": ["depth"], "run": "run"},
        "phase1_from_frame": {"frame": record.frame, "metadata": None, "on_problem": "drop"},
        "phase1_from_results": {"results": {"a": record.wide("a", "r1")}, "metadata": None, "on_problem": "drop"},
        "phase1_json": {"record": record},
        "phase_table": {"jumps": known, "by": "layer", **few},
        "plan_captures": {"report": report, "steps_available": STEPS, "settings": None, "run": "r1", "phases": 3}
        | {"user_steps": (5,), "loss": None, "progress": None},
        "read_jumps": {"path": paths["jumps.json"]},
        "read_many": {"paths": [paths["record.json"]], "on_problem": "drop", "repair": True},
        "read_phase1": {"path": paths["record.json"], "on_problem": "drop", "run": None, "repair": True},
        "read_plan": {"path": paths["plan.json"]},
        "register_metric": {"name": "stable_rank", "function": tracking.METRICS["stable_rank"]},
        "repair_stable_rank": {"record": record, "judge": None, "rebuild": True},
        "representation_state": {"features": A, "labels": Y.numpy()},
        "run_battery": {"detector": "z_score", "lengths": (30,), "repeats": 1, "seed": 0, "nulls": {}, "planted": False}
        | {"further": False, "sigmas": (5,), "ramps": (2,), "settings": None, "keep_scores": None},
        "safe_name": {"name": "a/b"},
        "sample_gates": {"specs": "XOR", "seed": 0, "n_samples_train": 2, "n_samples_val": 2, "n_repeats": 1}
        | {"noise_std": 0.1, "noise_copies": 1, "weights": None},
        "searched_series": {"frame": record.frame, "metrics": ["stable_rank"], "run_level": False},
        "separate_output": {**layers, "output": 1},
        "settling": {"steps": STEPS, "values": values, "band": 0.1, **few},
        "singular_values": {"activations": inputs, "centre": False, "method": "gram"},
        "split_images": {"data": tasks.load_images(), "n_train": 9, "n_validation": 9, "n_probe": 9, "seed": 0},
        "surrogate_p_values": {"series": values, "events": [(31, 5.0, 20.0)], "detector": jumps.DETECTORS["step"]}
        | {"settings": {}, "surrogates": 19, "seed": 0},
        "to_rows": {"activation": inputs, "layout": "auto", "feature_axis": None},
        "truth_table": {"specs": "XOR"},
        "with_answers": {"report": report, "record": record, "settings": None},
        "write_jumps": {"report": report, "json_path": paths["other.json"], "csv_path": None},
        "write_phase1": {"path": paths["other.json"], "record": record, "metadata": None},
        "write_plan": {"plan": plan, "path": paths["other.json"]},
        "z_score_flags": {"values": values, "window": 20, "threshold": 3.0, "min_samples": 10},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("package", "name"),
    [
        pytest.param(package, name, id=name)
        for package in TO_WALK
        for name in sorted(package.__all__)
        if inspect.isfunction(getattr(package, name))
    ],
)
def test_no_argument_of_another_kind_ends_in_a_python_error(package, name, sound_calls, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimators, "METRICS", dict(tracking.METRICS))
    call, sound = getattr(package, name), sound_calls[name]
    call(**sound)
    for argument in sound:
        for wrong in (None, -1, math.nan, "no such", [None], object()):
            with contextlib.suppress(OntogenyError):
                call(**sound | {argument: wrong})


GROUPS = np.repeat([0, 1, 2], 8)
STEP = np.repeat([0.0, 3.0], 100) + np.random.default_rng(1).normal(0, 0.1, 200)
CONTAINERS = {
    "list": lambda a: a.tolist(),
    "tuple": lambda a: tuple(a.tolist()),
    "table or column": lambda a: (pd.DataFrame if a.ndim == 2 else pd.Series)(a, index=np.arange(len(a))[::-1]),
    "tensor with a gradient": lambda a: torch.tensor(a).requires_grad_(a.dtype.kind == "f"),
    "sparse tensor": lambda a: torch.tensor(a).to_sparse(),
    "objects": lambda a: a.astype(object),
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "read-only, not contiguous": lambda a: np.broadcast_to(a[..., None], (*a.shape, 2))[..., 0],
    "mask without effect": lambda a: np.ma.masked_array(a),
}


def numbers_of(result):
    parts = result if isinstance(result, tuple) else vars(result).values() if hasattr(result, "__dict__") else [result]
    return [float(part) for part in parts if isinstance(part, float | np.floating)]


@pytest.mark.parametrize("name", CONTAINERS)
@pytest.mark.parametrize(
    ("function", "given"),
    [
        (statistics.student_interval, (A[:, 0],)),
        (lambda x: statistics.permutation_test(x, A[:, 1], n_resamples=99), (A[:, 0],)),
        (geometry.cka, (A, A[::-1].copy())),
        (lambda x: geometry.procrustes(x, A[::-1]), (A,)),
        (lambda x: geometry.pca(x).total_variance, (A,)),
        (lambda first: geometry.agreement(first, np.roll(GROUPS, 3)), (GROUPS,)),
        (lambda x, y: geometry.linear_probe(x, y, folds=2), (A, GROUPS)),
        (lambda x, y: tuple(tracking.representation_state(x, y).values()), (A, GROUPS)),
        (lambda x: tuple(tracking.measure(x).values()), (A,)),
        (lambda x: jumps.detect_jumps(x, np.arange(200))[0].score, (STEP,)),
        (lambda x: jumps.detect_jumps(STEP, x)[0].score, (np.arange(0, 400, 2),)),
        (lambda x: jumps.settling(x, STEP), (np.arange(200.0),)),
    ],
)
def test_numbers_mean_the_same_in_any_container(function, given, name):
    told = [CONTAINERS[name](one) for one in given]
    assert numbers_of(function(*told)) == pytest.approx(numbers_of(function(*given)), rel=1e-6, nan_ok=True)


def test_what_is_masked_is_missing():
    hidden = np.ma.masked_array(STEP.copy(), np.arange(200) == 50)
    hidden.data[50] = 1e9
    missing = np.where(np.arange(200) == 50, np.nan, STEP)
    assert jumps.detect_jumps(hidden).missing == 1
    assert list(jumps.detect_jumps(hidden)) == list(jumps.detect_jumps(missing))
    assert np.isnan(tracking.measure(np.ma.masked_array(A, A.max() == A))["stable_rank"])
    with pytest.raises(OntogenyError, match="NaN"):
        geometry.cka(np.ma.masked_array(A, A.max() == A), A)


def test_numbers_of_a_network_keep_their_type_and_others_are_widened():
    half = torch.zeros(3, dtype=torch.bfloat16)
    assert plain(half, of_network=True).dtype == torch.bfloat16
    assert plain(half).dtype == torch.float32
    from_list = features.saliency(MLP, X.tolist()).values
    np.testing.assert_allclose(from_list, features.saliency(MLP, X).values, rtol=1e-6)
    assert plain([True, 2]).dtype.kind == "i"
    column = pd.Series([1.5, pd.NA], dtype="Float64").astype(object)
    assert plain(column).tolist() == pytest.approx([1.5, np.nan], nan_ok=True)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: statistics.bootstrap_interval(["a", "b"]), "values is \\['a', 'b'\\]: give real numbers"),
        (lambda: statistics.bootstrap_interval(A), r"values has the shape \(24, 6\): give one dimension"),
        (lambda: statistics.student_interval(A, axis=4), "it has no axis 4"),
        (lambda: statistics.adjust([None, pd.Timestamp(0)]), "p_values is .*: give real numbers"),
        (lambda: statistics.proportion_interval([1, 2], [3, 4, 5]), "give one total for each"),
        (lambda: statistics.bootstrap_mean(A[:, 0], np.ones((9, 3))), "give those of bootstrap_weights\\(24"),
        (lambda: geometry.pca(None), "the matrices are None: give one"),
        (lambda: geometry.pca([A, "b"]), "matrix 1 is 'b'"),
        (lambda: geometry.agreement([[0], [1, 2]], GROUPS), "the first partition is .*: give one entry per row"),
        (lambda: geometry.linear_probe(A, [[0], [1, 2]]), "labels is .*: give one label for every sample"),
        (lambda: tracking.measure([[0.0], [1.0, 2.0]]), "the activations are .*: give an array or a tensor"),
        (lambda: jumps.detect_many(pd.DataFrame(A)), "values is a table: give one row for each series"),
        (lambda: jumps.detect_jumps(STEP, [[1], [2, 3]]), "steps must be numbers"),
    ],
)
def test_no_numbers_are_told_by_their_name(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


def test_no_unit_is_too_large_and_what_cannot_be_estimated_is_nan():
    assert np.isnan(statistics.percentile_interval([])).all()
    for unit in (1e300, 1e-300):
        assert numbers_of(geometry.two_nn(unit * A)) == pytest.approx(numbers_of(geometry.two_nn(A)))
    assert neurons.class_selectivity(0 * A, GROUPS, permutations=19, n_resamples=100)["p_value"].isna().all()


def test_results_are_shown_in_one_line_and_survive_a_pickle():
    series = pd.DataFrame({"run": "a", "layer": "(run)", "step": range(200), "metric": "accuracy", "value": STEP})
    answer = jumps.locate_transition(series)
    activity = simulate_activity({"n_neurons": 4, "n_trajectories": 1, "n_frames": 30})
    shown = {
        "Answer(run='a', kind='jump', layer='(run)', metric='accuracy', step=100": answer,
        "PCA(6 components of 24 rows and 6 features)": geometry.pca(A),
        "Activity(u of shape (1, 30, 4), delta_t=0.01, with W": activity,
    }
    for begins, result in shown.items():
        assert repr(result).startswith(begins)
        assert len(repr(result)) < 200
        assert repr(pickle.loads(pickle.dumps(result))) == repr(result)


def test_a_folder_is_no_record_of_its_own(tmp_path):
    with pytest.raises(OntogenyError, match="is a folder: read the records in it with read_many"):
        phase1.read_phase1(tmp_path)
