"""Anything in the place of any argument of a function of circuits ends in a sentence, or in a result."""

import inspect
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ontogeny.circuits import (
    ROUNDED,
    Circuit,
    CircuitSet,
    CircuitSettings,
    DetailedCircuitTracker,
    Layout,
    ablate,
    ablate_ensemble,
    ablation_summary,
    above,
    appearance_epochs,
    appearances_at_jumps,
    check_record,
    circuits_of,
    coincidence_table,
    count_candidates,
    count_circuits,
    enumerate_circuits,
    estimate_cost,
    evaluate_formula,
    find_minimal_circuits,
    from_torch,
    gate_name,
    ground,
    interchange_accuracies,
    lineages,
    map_formula,
    neuron_activations,
    random_subnetworks,
    read_history,
    records_from_weights,
    sample_circuits,
    schedule,
    trace_ensemble,
    turnover,
    two_level_formulas,
    within,
    write_convergence,
    write_record,
)
from ontogeny.circuits._ranks import middle
from ontogeny.circuits.enumeration import Samples
from ontogeny.connectome import (
    baseline_table,
    classify,
    compare_policies,
    recovery_metrics,
    simulate_activity,
    ucb_scores,
)
from ontogeny.errors import OntogenyError
from ontogeny.jumps.agreement import match_events
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
Y = np.array([[0], [1], [1], [0]], np.float32)
FORMULA = {"l": ("NAND", "x0", "x1"), "r": ("OR", "x0", "x1"), "out": ("AND", "l", "r")}
WRONG = {
    "-1": -1,
    "None": None,
    "text": "many",
    "empty list": [],
    "2.5": 2.5,
    "NaN": float("nan"),
    "something": object(),
    "list of None": [None],
    "ragged": [[1], [2, 3]],
    "square": np.zeros((2, 2)),
    "words": np.array(["a", "b"]),
    "table": pd.DataFrame({"q": [1]}),
    "dict": {"a": 1},
    "enormous": 10**400,
    "enormous ones": [10**400],
    "structured": np.zeros(4, [("a", float), ("b", int)]),
    "array of no axes": np.array(3),
    "tensor of no axes": torch.tensor(3),
}


@lru_cache(maxsize=1)
def calls():
    """Functions by name, each with arguments that are right."""
    made = train_ensemble(
        EnsembleSettings(epochs=6, loss_target=0, learning_rate=0.01, n_samples_train=40, n_samples_val=4), [1, 3]
    )
    settings = CircuitSettings(accuracy_threshold=0.6)
    weights, biases = made.network(1, output=0)
    network = {"weights": weights, "biases": biases}
    problem = {**network, "x": X, "y": Y}
    judged = {**problem, "candidates": "all", "accuracy_threshold": 0.4, "activation": "relu", "min_sparsity": 0.0}
    more = {"negative_slope": 0.01, "rule": ROUNDED, "max_seconds": 9.0, "engine": None}
    found = enumerate_circuits(**judged)
    few = CircuitSet(found.codes[:3], found.layout)
    lives, _ = trace_ensemble(made, settings)
    jumps = pd.DataFrame({"run": ["x/s1", "x/s3"], "step": [4, 5], "significant": True})
    rows = made.rows(1)
    chosen = slice(rows.start + 1, rows.stop)
    trained = [[layer[chosen] for layer in part] for part in (made.weights, made.biases)]
    epochs = len(trained[0][0])
    history = list(records_from_weights(*trained, X, Y, settings=settings))
    entries = [epoch.as_dict() for epoch in history]
    losses = [0.1] * epochs
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    read = from_torch(model, torch.tensor(X))
    tracker = DetailedCircuitTracker(1, X, Y)
    asked = {"y": Y, "rule": "sign", "settings": settings, "output": 0}
    followed = {"epochs": [1], "sets": [few]}
    return {
        "ablate": (
            ablate,
            {"edge_masks": few.edge_masks, **problem, "settings": settings, "activation": "relu", "rule": ROUNDED}
            | {"negative_slope": 0.01, "seed": 0},
        ),
        "ablate_ensemble": (ablate_ensemble, {"ensemble": made, "settings": settings, "progress": None}),
        "ablation_summary": (
            ablation_summary,
            {"table": ablate_ensemble(made, settings), "confidence": 0.9, "n_resamples": 9},
        ),
        "random_subnetworks": (random_subnetworks, {"circuits": few, "seed": 0, "tries": 3}),
        "appearances_at_jumps": (
            appearances_at_jumps,
            {"appearances": [[3, 4], [2]], "jumps": [[3], [4]], "spans": [(0, 9), (0, 9)], "window": 3}
            | {"numbers": [[1, 1], [1]], "clocks": [3.0, 4.0], "n_resamples": 9, "seed": 0},
        ),
        "count_circuits": (count_circuits, judged | more),
        "find_minimal_circuits": (
            find_minimal_circuits,
            judged | {key: more[key] for key in ("negative_slope", "rule", "max_seconds")},
        ),
        "count_candidates": (count_candidates, {"sizes": (2, 3, 1), "candidates": "all", "min_sparsity": 0.1}),
        "estimate_cost": (estimate_cost, {"sizes": (2, 3, 1), "n_samples": 3}),
        "above": (above, {"threshold": 1.0}),
        "within": (within, {"tolerance": 1.0}),
        "CircuitSettings": (CircuitSettings, {"noise": [0.1], "frames": 3, "records": "all", "compress": True}),
        "minimal": (read.minimal, asked | {"max_seconds": 9.0}),
        "sample_circuits": (sample_circuits, judged | more | {"n": 3, "seed": 0}),
        "evaluate_formula": (evaluate_formula, {"formula": FORMULA, "x": X, "fixed": {"l": [0, 0, 1, 1]}}),
        "gate_name": (gate_name, {"table": [0, 1]}),
        "ground": (ground, {"circuit": found[0], **network, "activation": "relu", "negative_slope": 0.01}),
        "interchange_accuracies": (interchange_accuracies, {"formula": FORMULA, **network, "circuit": found[0]}),
        "map_formula": (map_formula, {"formula": FORMULA, **network, "activation": "relu", "least": 1.0}),
        "two_level_formulas": (two_level_formulas, {"bits": [0, 1, 1, 0], "exclude_xor": True}),
        "check_record": (check_record, {"history": entries, "candidates": "all"}),
        "circuits_of": (circuits_of, {"output": entries[-1]["outputs"][0], "sizes": (2, 3, 3, 1)}),
        "read_history": (read_history, {"path": "record.json", "sizes": (2, 3, 3, 1)}),
        "write_record": (write_record, {"path": "record.json", "epochs": history, "compress": False}),
        "write_convergence": (
            write_convergence,
            {"path": "table.csv", "history": history, "l1_lambda": 0.0, "l2_lambda": 0.0, "dropout_rate": 0.0},
        ),
        "neuron_activations": (
            neuron_activations,
            {"circuits": few, **network, "samples": Samples.of(X, Y, 2, 0.4), "activation": "relu"},
        ),
        "records_from_weights": (
            records_from_weights,
            {"weights": trained[0], "biases": trained[1], "x": X, "y": Y, "epochs": list(range(1, epochs + 1))}
            | {"train_loss": losses, "val_loss": losses, "settings": settings, "activation": "relu", "seed": 0}
            | {"negative_slope": 0.01, "most_listed": 10, "max_seconds": 9.0},
        ),
        "coincidence_table": (
            coincidence_table,
            {"ensemble": made, "lives": lives, "jumps": jumps, "settings": settings},
        ),
        "trace_ensemble": (trace_ensemble, {"ensemble": made.select([1]), "settings": settings, "progress": None}),
        "DetailedCircuitTracker": (
            DetailedCircuitTracker,
            {"tracking_frequency": 1, "x_val": X, "y_val": Y, "accuracy_threshold": 0.9, "min_sparsity": 0.0}
            | {"candidates": "all", "rule": "rounded", "most_listed": 3, "activation": "tanh"},
        ),
        "track_epoch": (
            lambda **given: DetailedCircuitTracker(1, X, Y).track_epoch(**given),
            {"epoch": 1, "model": model, "train_loss": 0.1, "val_loss": 0.2, "logger": None},
        ),
        "should_track": (tracker.should_track, {"epoch": 1}),
        "save_to_json": (tracker.save_to_json, {"filepath": "record.json"}),
        "load_from_json": (tracker.load_from_json, {"filepath": "record.json"}),
        "appearance_epochs": (appearance_epochs, followed),
        "lineages": (lineages, followed),
        "turnover": (turnover, followed),
        "schedule": (schedule, {"last": 3, "frequency": 1}),
        "count": (read.count, asked | {"max_seconds": 9.0}),
        "enumerate": (read.enumerate, asked | {"max_seconds": 9.0, "limit": 1000}),
        "sample": (read.sample, asked | {"n": 2, "seed": 0}),
        "right": (read.right, {"y": Y, "rule": "sign", "output": 0}),
        "forward": (read.forward, {"x": X}),
        "Layout": (Layout, {"sizes": (2, 3, 1)}),
        "CircuitSet": (CircuitSet, {"codes": few.codes, "layout": few.layout}),
        "Circuit": (Circuit, {"code": 63, "layout": (2, 3, 1)}),
        "match_events": (match_events, {"a": [1, 2], "b": [1], "tolerance": 1.0}),
        "baseline_table": (baseline_table, {"activity": small(), "seed": 0}),
        "classify": (classify, {"metrics": {"connectivity_R2": 0.5, "cluster_accuracy": 0.9}}),
        "recovery_metrics": (recovery_metrics, {"result": None, "truth": small()}),
        "ucb_scores": (ucb_scores, {"records": [{"node": 1, "metrics": {"connectivity_R2": 0.5}}], "c": 1.0}),
        "compare_policies": (compare_policies, {"histories": {"random": []}, "reference": "random"}),
    }


def small():
    return simulate_activity({"n_neurons": 4, "n_trajectories": 1, "n_frames": 30})


def test_a_function_that_compiled_functions_alone_call_is_none_of_python():
    """It ended the process: it has no entry for Python."""
    with pytest.raises(TypeError, match="compiled functions alone call this one"):
        middle(2, 3)


def test_a_loss_and_an_epoch_may_be_numbers_of_numpy_and_a_loss_may_have_diverged():
    tracker = DetailedCircuitTracker(1, X, Y)
    entry = tracker.track_epoch(np.int64(1), calls()["track_epoch"][1]["model"], np.float32(0.5), np.inf)
    assert (entry["epoch"], entry["train_loss"], entry["val_loss"]) == (2, 0.5, None)


@pytest.mark.filterwarnings("ignore")
def test_anything_in_place_of_an_argument_ends_in_a_sentence_or_a_result(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    unexplained = []
    for name, (function, arguments) in calls().items():
        if name not in ("recovery_metrics", "compare_policies", "read_history", "load_from_json"):
            function(**arguments)
        for argument in arguments:
            for kind, wrong in WRONG.items():
                try:
                    result = function(**arguments | {argument: wrong})
                    if inspect.isgenerator(result):
                        list(result)
                except OntogenyError as error:
                    if "\n" in str(error):
                        unexplained.append((name, argument, kind, f"more than one line: {error}"))
                except Exception as error:
                    unexplained.append((name, argument, kind, f"{type(error).__name__}: {error}"))
    assert not unexplained, "\n".join(map(str, unexplained))


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("ablate", {"edge_masks": [np.ones((1, 3, 2))]}, r"edge_masks have the shapes .*\(circuits, out, in\) with"),
        ("ablate", {"activation": "rleu"}, "unknown activation 'rleu': did you mean 'relu'"),
        ("ablate_ensemble", {"ensemble": 3}, "an ensemble, which train_ensemble or load_ensemble gives, is expected"),
        ("ablation_summary", {"table": pd.DataFrame({"seed": [1]})}, "unknown column 'ablation' in the table of"),
        (
            "coincidence_table",
            {"jumps": pd.DataFrame({"run": ["x"], "step": [1], "significant": True})},
            "of a run 'x'",
        ),
        ("coincidence_table", {"lives": pd.DataFrame({"epoch": [1]})}, "unknown column 'seed' in the turnover"),
        (
            "check_record",
            {"history": "record.json"},
            "a list of epochs, not str: read the file of one with",
        ),
        ("check_record", {"history": [{"epoch": 1}]}, "entry 1 of the record has no 'total_circuits'"),
        ("write_record", {"epochs": [3]}, "entry 1 of the record is not an epoch but int"),
        ("write_record", {"path": None}, "a path is expected, not NoneType"),
        ("write_convergence", {"l1_lambda": "no"}, "l1_lambda is 'no': give a number of 0 or more"),
        ("records_from_weights", {"train_loss": ["low"] * 6}, "train_loss holds 'low': give one number per epoch"),
        (
            "records_from_weights",
            {"weights": 3},
            r"a list of arrays \(epochs, ...\), one per layer, as weights is",
        ),
        ("evaluate_formula", {"formula": {"out": "AND"}}, "node 'out' is 'AND': give a gate and its arguments"),
        ("evaluate_formula", {"fixed": {"left": [0] * 4}}, "unknown node 'left' in fixed"),
        ("gate_name", {"table": [0, 1, 1]}, r"the truth table is \[0, 1, 1\]: give 2, 4, 8, ... bits"),
        ("match_events", {"tolerance": -1}, "tolerance is -1: give a distance of 0 or more"),
        ("track_epoch", {"train_loss": "low"}, "train_loss is 'low': give one number"),
        ("track_epoch", {"epoch": "first"}, "epoch is 'first': give a whole number, counted from 0"),
        (
            "count_circuits",
            {"x": 1e30 * X, "weights": [1e5 * np.ones((3, 2)), 1e5 * np.ones((3, 3)), np.ones((1, 3))]},
            r"so large that sums of a circuit may pass 3.4e\+38",
        ),
        ("sample_circuits", {"seed": "lucky"}, "the seed is 'lucky': give a whole number of 0 or more, or a NumPy"),
        ("baseline_table", {"activity": X}, "activity is of type ndarray and float32: give a recording"),
        ("recovery_metrics", {"result": 3}, "what fit_connectome returned is expected as the result, not int"),
        ("classify", {"metrics": 0.5}, "metrics is 0.5: give a mapping"),
        ("compare_policies", {"histories": {"random": [[3]]}}, "a record in a search of policy 'random' is expected"),
        ("ucb_scores", {"records": [{"node": "a"}]}, "'node' of a record is 'a': give a whole number"),
    ],
)
def test_a_mistaken_call_is_told_in_a_sentence(name, given, said):
    function, arguments = calls()[name]
    with pytest.raises(OntogenyError, match=said):
        function(**arguments | given)


def test_settings_and_schedules_that_cannot_be_are_told():
    with pytest.raises(OntogenyError, match="CircuitSettings: accuracy_threshold is 2; it should be less than 1"):
        CircuitSettings(accuracy_threshold=2)
    with pytest.raises(OntogenyError, match="unknown setting 'frame' in CircuitSettings: did you mean 'frames'"):
        CircuitSettings(frame=3)
    with pytest.raises(OntogenyError, match="gives more than 10,000,000 epochs"):
        schedule(10**12, 2)
    with pytest.raises(ZeroDivisionError):
        calls()["trace_ensemble"][0](**calls()["trace_ensemble"][1] | {"progress": lambda done, of: done / 0})
