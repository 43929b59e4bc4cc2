"""Plausible mistakes in calls from Python: each ends in one sentence that says what would be right."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ontogeny import CheckpointSeries, HighFrequencyTracker
from ontogeny.circuits import (
    DetailedCircuitTracker,
    ablate,
    compare_within,
    core,
    core_of_count,
    count_candidates,
    count_circuits,
    count_in_all,
    enumerate_circuits,
    estimate_cost,
    find_minimal_circuits,
    from_torch,
    inclusions,
    overlaps,
    random_subnetworks,
)
from ontogeny.connectome import (
    baseline_table,
    diagnose_scatter,
    edge_table,
    explore,
    fit_connectome,
    learning_table,
    principles,
    read_activity,
    recovery_metrics,
    simulate_activity,
    symbolic_functions,
)
from ontogeny.connectome.simulate import Activity, check_activity
from ontogeny.errors import OntogenyError
from ontogeny.features import saliency
from ontogeny.interventions import run_intervention
from ontogeny.jumps import (
    detect_many,
    find_jumps,
    find_progress,
    jump_kinds,
    layer_convergence,
    locate_transition,
    loss_relation,
    searched_series,
    write_jumps,
    write_plan,
    z_score_flags,
)
from ontogeny.models import MODELS, ModelSpec, build_model
from ontogeny.phase1 import read_phase1, write_phase1
from ontogeny.tasks import IMAGE_SETS, ImageSet, load_images
from ontogeny.tracking import METRICS, measure
from ontogeny.trajectory.setup import get_device

MODEL = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
WIDE = nn.Sequential(nn.Linear(2, 80), nn.ReLU(), nn.Linear(80, 64), nn.ReLU(), nn.Linear(64, 1))
X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
SERIES = np.arange(200.0)
U = np.ones((20, 3))
NOT_HERE = "cuda:77"


def small():
    return simulate_activity({"n_neurons": 4, "n_trajectories": 1, "n_frames": 10})


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: HighFrequencyTracker(MODEL, probe=X * float("nan")), "the probe holds NaN.*leave those rows out"),
        (lambda: HighFrequencyTracker(MODEL, probe=X[:0]), r"the probe has no rows \(its shape is \(0, 2\)\)"),
        (lambda: saliency(MODEL, X[:0], X[:0, 0].long()), r"there are no samples: the inputs have shape \(0, 2\)"),
        (lambda: run_intervention({"kind": "ablate"}, {"a": MODEL}, X[:0], X[:0, 0].long()), "there are no samples"),
        (lambda: HighFrequencyTracker(MODEL, probe=X.T).log(0, 1.0), "give what the model takes"),
        (lambda: HighFrequencyTracker(MODEL).save("none.json"), "nothing was measured yet: call log"),
        (lambda: detect_many(SERIES), "values has 1 dimension: .* an array .series, n."),
        (lambda: find_jumps(SERIES), "a record is expected.*detect_jumps and detect_transitions search an array"),
        (
            lambda: locate_transition(pd.DataFrame({"step": SERIES, "accuracy": SERIES})),
            "the table lacks the columns run, layer, metric, value: a record's frame has a row for each value",
        ),
        (lambda: locate_transition(SERIES), "a record is expected.*not ndarray: detect_jumps and.*search an array"),
        (lambda: from_torch(nn.Sequential, X), "the model is the class Sequential: give a module"),
        (lambda: from_torch(MODEL.state_dict(), X), "the model is of type OrderedDict: give a module"),
        (lambda: DetailedCircuitTracker(1, X, X[:3, :1]), "x_val has 4 rows and y_val 3 rows: give a target for each"),
        (lambda: from_torch(MODEL, X).count([0, 1, 1, 0], "argmax"), "argmax compares outputs, two or more"),
        (lambda: from_torch(WIDE, X).count([0, 1, 1, 0]), r"more than 1e\+\d+ candidate circuits, which no search"),
        (lambda: from_torch(WIDE, X).sample([0, 1, 1, 0], 5), r"more than 1e\+\d+ candidate circuits, which no search"),
        (
            lambda: from_torch(WIDE, X).count([0, 1, 1, 0], settings={"min_sparsity": 0.98}),
            "neurons with 80 inputs, and at most 63 are searched",
        ),
        (lambda: DetailedCircuitTracker(1, X, X[:, :1]).track_epoch(0, WIDE), "which no search gets through"),
        (lambda: from_torch(MODEL, X).count(X), "y has 2 outputs but"),
        (lambda: fit_connectome("recording.npy"), "'recording.npy': read the file with read_activity"),
        (lambda: fit_connectome(U.astype(str), U), "the activity is of str.*give real numbers"),
        (lambda: edge_table(small()), "what fit_connectome returned is expected as the result, not Activity"),
        (
            lambda: recovery_metrics(small(), small()),
            "what fit_connectome returned is expected as the result, not Activity",
        ),
        (lambda: symbolic_functions(small(), small()), "what fit_connectome returned is expected as the result, not"),
        (lambda: learning_table(None, small()), "result is None: give a fit .of fit_connectome."),
        (lambda: diagnose_scatter("x", np.eye(3)), "learned is 'x': give real numbers"),
        (lambda: simulate_activity({}, seed=-1), "seed is -1: give a whole number of at least 0"),
        (lambda: fit_connectome(small(), seed=None), "seed is None: give a whole number"),
        (lambda: fit_connectome(small(), device="gpu"), "device is 'gpu': give one that torch knows"),
        (lambda: fit_connectome(small(), device=NOT_HERE), f"device is '{NOT_HERE}', but PyTorch finds no such device"),
        (lambda: HighFrequencyTracker(MODEL, device=NOT_HERE), f"device is '{NOT_HERE}', but PyTorch finds no such"),
        (lambda: get_device("xpu:77"), "training.device is 'xpu:77', but PyTorch finds no such device"),
        (lambda: fit_connectome(1e200 * U, U), r"reaches 1e\+200: it blows up"),
        (lambda: read_activity("u.npy", "0.01"), "delta_t is '0.01': give the time between frames, a number above 0"),
        (lambda: read_activity("u.npy"), r"delta_t is missing: .*read_activity\(file, delta_t=0.01\)"),
        (lambda: read_activity("u.npy", deltat=1), "unknown setting 'deltat' in read_activity: did you mean 'delta_t'"),
        (lambda: baseline_table(SERIES), "activity is .*: give a recording"),
        (lambda: principles(None, None), "records is None: give several"),
        (lambda: explore(None, "x"), "evaluate is None: give a function"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda sigma: 1 / 0, r"failed \(ZeroDivisionError: division by zero\)"),
        (lambda sigma: sigma, r"one real number, but what it returned is of type ndarray and float64, shape \(4,\)"),
        (lambda sigma: "3", "returned is '3'"),
        (lambda sigma: None, "returned is None"),
    ],
)
def test_a_metric_that_is_wrong_is_named(monkeypatch, function, said):
    monkeypatch.setitem(METRICS, "mine", function)
    with pytest.raises(OntogenyError, match=f"metric 'mine' .*{said}"):
        measure(np.eye(4), ["mine"])
    for probe in (X, None):
        with pytest.warns(UserWarning, match="metric 'mine' .*: NaN is recorded") as told:
            found = measured_by_tracker(["mine", "stable_rank"], probe)
        assert len(told) == 1
        assert np.isnan(found["mine"])
        assert found["stable_rank"] >= 1


def measured_by_tracker(metrics, probe):
    with HighFrequencyTracker(MODEL, metrics=metrics, probe=probe) as tracker:
        for step in range(2):
            MODEL(X)
            tracker.log(step, 0.0)
        return tracker.latest["Linear_0"]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (ModelSpec(lambda input_shape, classes: None), "'mine' should return a torch.nn.Module, .* is None"),
        (ModelSpec(lambda input_shape, classes: MODEL, {"width": 3}), "'mine' .*take input_shape, classes, width"),
        (lambda input_shape, classes: MODEL, "a ModelSpec as the entry 'mine' of MODELS is expected, not function"),
    ],
)
def test_a_model_that_is_wrong_is_named(monkeypatch, spec, said):
    monkeypatch.setitem(MODELS, "mine", spec)
    with pytest.raises(OntogenyError, match=said):
        build_model("mine", (1, 8, 8), 2, 0)


@pytest.mark.parametrize("remote", [True, False])
@pytest.mark.parametrize(
    ("given", "said"), [(np.ones((9, 1, 8, 8)), "of type ndarray"), (None, "None"), ((1, 2, 3), "3 things")]
)
def test_a_data_set_that_is_wrong_is_named(monkeypatch, given, said, remote):
    monkeypatch.setitem(IMAGE_SETS, "mine", ImageSet(lambda fetch: given, (1, 8, 8), 2, "here", remote))
    with pytest.raises(OntogenyError, match=f"data set 'mine' should return images and labels, .* is {said}"):
        load_images("mine", fetch=lambda **_: given)


WEIGHTS = [np.ones((3, 2)), np.ones((1, 3))]
NET = (WEIGHTS, [np.zeros(3), np.zeros(1)], X, [0, 1, 1, 0])
CIRCUITS = enumerate_circuits(*NET, accuracy_threshold=0.1)


@pytest.mark.parametrize("wrong", ["many", None, [], True, np.float64("nan")])
@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("limit", enumerate_circuits),
        ("negative_slope", count_circuits),
        ("accuracy_threshold", count_circuits),
        ("min_sparsity", count_circuits),
        ("n_samples", lambda **given: estimate_cost((2, 3, 1), **given)),
        ("min_sparsity", lambda **given: estimate_cost((2, 3, 1), **given)),
        ("min_sparsity", lambda **given: count_candidates((2, 3, 1), **given)),
        ("most", lambda **given: compare_within(CIRCUITS, **given)),
        ("window", lambda **given: z_score_flags(SERIES, **given)),
        ("min_samples", lambda **given: z_score_flags(SERIES, **given)),
    ],
)
def test_what_is_no_number_is_told_by_its_name(name, call, wrong):
    given = NET if call in (enumerate_circuits, count_circuits) else ()
    said = rf"{name} (is .*: give|= .* must be a whole number)|^0 slopes for a network of 1 hidden layer: give"
    with pytest.raises(OntogenyError, match=said):
        call(*given, **{name: wrong})


@pytest.mark.parametrize("sizes", [3, None, "231", (2, "a", 1), (2, 2.5, 1), (2, 3), (2, 0, 1), ()])
@pytest.mark.parametrize("call", [count_candidates, estimate_cost])
def test_sizes_that_are_none_of_a_network_are_told(call, sizes):
    with pytest.raises(OntogenyError, match="are not those of inputs, hidden layers and one output, as"):
        call(sizes)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: count_circuits(*NET, activation=3), "activation is 3; name one of"),
        (lambda: count_circuits(*NET, max_seconds=[1]), "max_seconds is .1.: give seconds"),
        (lambda: count_in_all(3, X, NET[3]), "a list of .weights, biases. as networks is expected, not int"),
        (lambda: count_in_all([NET[:2]], X, NET[3], but_not=[WEIGHTS[0]]), "but_not holds something else than pairs"),
        (lambda: core(3), "a CircuitSet is expected, not int"),
        (
            lambda: core_of_count(CIRCUITS),
            "what count_circuits gives .core takes circuits. is expected, not CircuitSet",
        ),
        (lambda: find_minimal_circuits(*NET, max_seconds=0), "above the limit of 0 s"),
        (lambda: overlaps(3), "a CircuitSet or a CircuitSample is expected, not int"),
        (lambda: overlaps(CIRCUITS, 3), "a CircuitSet or a CircuitSample is expected, not int"),
        (lambda: inclusions("a"), "a CircuitSet or a CircuitSample is expected, not str"),
        (lambda: compare_within("a"), "a CircuitSet or a CircuitSample is expected, not str"),
        (lambda: random_subnetworks(3), "a CircuitSet or a CircuitSample is expected, not int"),
        (lambda: ablate(CIRCUITS, *NET), "give circuits.edge_masks"),
        (lambda: ablate(enumerate_circuits(*NET), *NET), "give circuits.edge_masks"),
        (lambda: DetailedCircuitTracker("ten", X, X[:, :1]), "tracking_frequency is 'ten': give a number of epochs"),
        (lambda: searched_series(3), r"frame is 3: give a table .pandas\.DataFrame."),
        (lambda: loss_relation(3, 4), "jumps is 3: give a table"),
        (lambda: jump_kinds(SERIES), "jumps is of type ndarray and float64: give a table"),
        (lambda: layer_convergence(3), "record is 3: give a record .of read_phase1. or a table"),
        (lambda: find_progress(3), "a record is expected.*not int"),
        (lambda: write_plan(3, "plan.json"), "plan is 3: give a plan .of plan_captures."),
        (lambda: write_jumps(3, "jumps.json"), "report is 3: give a report .of find_jumps."),
        (lambda: z_score_flags("a"), "values must be numbers"),
    ],
)
def test_something_of_another_kind_is_told(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


@pytest.mark.filterwarnings("error")
def test_a_recording_without_numbers_is_refused_in_a_sentence_and_nothing_else(tmp_path):
    (tmp_path / "empty.csv").write_text("a,b\n")
    with pytest.raises(OntogenyError, match=r"empty.csv holds no numbers: give a CSV, npy, npz or NWB file"):
        read_activity(tmp_path / "empty.csv", delta_t=0.1)


def test_what_json_does_not_hold_is_told(tmp_path):
    with HighFrequencyTracker(MODEL, probe=X) as tracker:
        tracker.log(0, 0.0)
        with pytest.warns(UserWarning, match=r"the run is called 'a', .*|does not hold metadata\.kind") as told:
            tracker.save(tmp_path / "a.json", {"run": object(), "kind": torch.float32, "sizes": (2, np.int64(3))})
    assert len(told) == 2
    record = read_phase1(tmp_path / "a.json")
    assert record.runs == ["a"]
    assert record.metadata["kind"] == "torch.float32"
    assert record.metadata["sizes"] == [2, 3]
    with pytest.raises(OntogenyError, match=r"metadata\.x\[0\] is nothing that JSON holds"):
        write_phase1(tmp_path / "b.json", record, {"x": [object()]})


@pytest.mark.parametrize("whole", [True, False])
def test_a_series_of_which_nothing_can_be_used_says_why(tmp_path, whole):
    for step in (0, 10):
        path = tmp_path / f"step_{step}.pt"
        torch.save(MODEL, path) if whole else path.write_bytes(b"nothing")
    series = CheckpointSeries(
        source=str(tmp_path / "step_{step}.pt"), network={"build": "mine.py:build"}, probe={"file": "probe.npz"}
    )
    why = f"no step of the series is left: step 0: .*{'needs more than weights' if whole else 'damaged or not a'}"
    with pytest.raises(OntogenyError, match=why):
        list(series.walk([]))
    kept = series.check().kept
    with pytest.raises(OntogenyError, match=why):
        series.use(kept)


def test_what_is_no_neuron_of_a_recording_is_told(tmp_path):
    waves = np.random.default_rng(0).normal(size=(40, 3)).cumsum(0)
    pd.DataFrame(waves).to_csv(tmp_path / "index.csv")
    with pytest.raises(OntogenyError, match=r"the first column, whose name is empty, is the index .*index=False"):
        read_activity(tmp_path / "index.csv", 1)
    pd.DataFrame(waves, columns=list("abc")).to_csv(tmp_path / "named.csv")
    with pytest.raises(OntogenyError, match=r"column 1 counts the frames.*index=False"):
        read_activity(tmp_path / "named.csv", 1)
    np.save(tmp_path / "large.npy", 1e200 * waves)
    with pytest.raises(OntogenyError, match=r"too large for the single precision \(float32\) of fits"):
        read_activity(tmp_path / "large.npy", 1)
    flat = Activity(u=waves.T[None], du=waves.T[None])
    assert any("transpose it if rows are neurons" in note for note in check_activity(flat))
