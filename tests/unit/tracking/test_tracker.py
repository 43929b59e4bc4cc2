"""The tracker inside training loops that know nothing of it."""

import json
import time
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.tracking import METRICS, HighFrequencyTracker, measure, measure_probe, to_rows


def mlp(inplace=False, widths=(20, 16, 12, 4), dropout=0.0):
    torch.manual_seed(0)
    layers = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.ReLU(inplace=inplace), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def linears(model):
    return [module for module in model if isinstance(module, nn.Linear)]


def batches(count, rows=32, features=20, classes=4):
    generator = torch.Generator().manual_seed(7)
    for step in range(count):
        yield (
            step,
            torch.randn(rows, features, generator=generator),
            torch.randint(classes, (rows,), generator=generator),
        )


def train(model, count, each_step=lambda step, loss, x: None, **batch):
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    for step, x, y in batches(count, **batch):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        each_step(step, loss, x)
    return model


def test_three_lines_in_a_training_script():
    model = mlp()
    with HighFrequencyTracker(model, layers=linears(model)) as tracker:
        train(model, 12, lambda step, loss, x: tracker.log(step, loss, grad_norm=1.5))
    results = tracker.get_results()
    assert list(results) == ["Linear_0", "Linear_1", "Linear_2"]
    frame = results["Linear_1"]
    assert list(frame.columns) == ["step", *METRICS, "loss", "grad_norm", "rows"]
    assert frame["step"].tolist() == list(range(12))
    assert set(frame["rows"]) == {32}
    assert frame.notna().all().all()
    assert tracker.get_results("Linear_1").equals(frame)
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("rows", [None, 8])
def test_logs_the_live_batch(inplace, every, rows):
    model = mlp(inplace)
    first, weights = linears(model)[0], []
    tracker = HighFrequencyTracker(model, [first], sampling_frequency=every, max_rows=rows)
    model.register_forward_pre_hook(lambda *_: weights.append([p.detach().clone() for p in first.parameters()]))
    expected = {}

    def after(step, loss, x):
        tracker.log(step, loss)
        if step % every == 0:
            expected[step] = measure(nn.functional.linear(x, *weights[-1])[:: 32 // (rows or 32)])

    train(model, 7, after)
    frame = tracker.get_results("Linear_0")
    assert frame["step"].tolist() == list(expected)
    assert set(frame["rows"]) == {rows or 32}
    for index, values in enumerate(expected.values()):
        assert frame.loc[index, list(METRICS)].to_dict() == pytest.approx(values, rel=1e-4)


def test_of_a_large_batch_some_rows_are_measured_and_of_a_probe_all():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(200, 8)
    sentences = nn.Sequential(nn.Linear(8, 5))
    trackers = [HighFrequencyTracker(model), HighFrequencyTracker(model, max_rows="all"),
                HighFrequencyTracker(model, probe=x), HighFrequencyTracker(sentences)]  # fmt: skip
    for step in range(3):
        model(x).sum().backward()
        sentences(x.reshape(20, 10, 8)).sum().backward()
        for tracker in trackers:
            tracker.log(step, 0.0)
    some, every, probe, tokens = (tracker.get_results("Linear_0") for tracker in trackers)
    assert [set(each["rows"]) for each in (some, every, probe, tokens)] == [{48}, {200}, {200}, {48}]
    assert every["stable_rank"].tolist() == probe["stable_rank"].tolist(), "together or alone, to the last bit"
    spread = model[0](x).detach()[torch.arange(48) * 200 // 48]
    assert some[list(METRICS)].iloc[0].to_dict() == measure(spread)
    spread = sentences[0](x).detach()[torch.arange(48) * 200 // 48]
    assert tokens[list(METRICS)].iloc[-1].to_dict() == measure(spread)


@pytest.mark.parametrize("inplace", [False, True])
def test_an_evaluation_between_steps_changes_nothing(inplace):
    def run(evaluate):
        model = mlp(inplace, dropout=0.2)
        tracker = HighFrequencyTracker(model, linears(model), sampling_frequency=2)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
        torch.manual_seed(3)
        for step, x, y in batches(8):
            loss = nn.functional.cross_entropy(model(x), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if evaluate:
                model.eval()
                with torch.no_grad():
                    model(10 * x + 1)
                model(20 * x)
                model.train()
                with torch.no_grad():
                    nn.Sequential(*linears(model)[:1])(x)
            tracker.log(step, loss)
        return tracker.get_results()

    quiet, disturbed = run(False), run(True)
    assert all(quiet[name].equals(disturbed[name]) for name in quiet)


def test_logging_only_now_and_then_or_by_force():
    model = mlp(inplace=True)
    tracker = HighFrequencyTracker(model, linears(model), sampling_frequency=5)
    train(
        model, 23, lambda step, loss, x: tracker.log(step, loss, force=step == 7) if step % 5 == 0 or step == 7 else 0
    )
    assert tracker.get_results("Linear_0")["step"].tolist() == [0, 5, 7, 10, 15, 20]
    assert tracker.get_results("Linear_0")["stable_rank"].notna().all()


@pytest.mark.parametrize("spectral", [False, True])
def test_tracking_does_not_change_training(spectral):
    def network():
        model = mlp(inplace=True, dropout=0.3)
        if spectral:  # a reading of its weight in training mode changes it
            torch.nn.utils.parametrizations.spectral_norm(linears(model)[0])
        return model

    plain, tracked, probed = network(), network(), network()
    tracker = HighFrequencyTracker(tracked, linears(tracked))
    prober = HighFrequencyTracker(probed, linears(probed), probe=torch.ones(9, 20))
    for model, log in ((plain, lambda step, loss: None), (tracked, tracker.log), (probed, prober.log)):
        torch.manual_seed(0)
        train(model, 6, lambda step, loss, x, log=log: log(step, loss))
    kept = plain.state_dict()
    for other in (tracked, probed):
        assert all(torch.equal(tensor, kept[name]) for name, tensor in other.state_dict().items())


class Noisy(nn.Module):
    """A layer that draws random numbers even in evaluation mode, and one that counts calls of train()."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 3)
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.switches = 0

    def train(self, mode=True):
        self.switches = getattr(self, "switches", 0) + 1
        return super().train(mode)

    def forward(self, x):
        x = self.drop(self.norm(self.conv(x)))
        return x + 0 * torch.rand(1)


def test_a_probe_leaves_the_model_as_it_was():
    model = Noisy()
    model.norm.eval()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    flags = [module.training for module in model.modules()]
    generator = torch.random.get_rng_state()
    probe = torch.randn(6, 2, 5, 5, generator=torch.Generator().manual_seed(0))
    tracker = HighFrequencyTracker(model, ["conv", "norm"], ["conv", "norm"], probe=probe)
    switches = model.switches
    tracker.log(0, 0.0)
    first = tracker.latest
    tracker.log(1, 0.0)
    assert tracker.latest == first
    assert first["conv"] == measure(to_rows(model.conv(probe).detach()))
    assert model.switches == switches
    assert [module.training for module in model.modules()] == flags
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(not module._forward_hooks for module in model.modules())


def test_a_probe_that_fails_leaves_the_model_as_it_was():
    model = Noisy()
    tracker = HighFrequencyTracker(model, ["conv"], probe=torch.zeros(6, 4, 5, 5))
    with pytest.raises(OntogenyError, match="the probe does not run"):
        tracker.log(0, 0.0)
    assert model.training
    assert model.norm.training
    assert not model.conv._forward_hooks


def test_probe_inputs_may_be_tuples_or_keywords():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3)

        def forward(self, a, b):
            return self.inner(a + b)

    model, x = Two(), torch.randn(5, 3)
    by_position = measure_probe(model, (x, x), ["inner"])
    assert by_position == measure_probe(model, {"a": x, "b": x}, ["inner"])
    assert by_position["Linear_0"] == pytest.approx(measure(model.inner(2 * x)))


@pytest.mark.parametrize(("layout", "features"), [("samples", 27), ("positions", 3), ("pooled", 3), ("auto", 27)])
def test_what_a_row_is_is_recorded(layout, features):
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(27, 4))
    x = torch.randn(6, 2, 5, 5).to(memory_format=torch.channels_last)
    tracker = HighFrequencyTracker(model, ["0", "2"], ["conv", "head"], layout=layout, max_rows="all")
    model(x)
    tracker.log(0, 0.0)
    measured = tracker.latest
    assert measured["conv"] == pytest.approx(measure(to_rows(model[0](x).detach(), layout)), rel=1e-6)
    record = tracker.metadata
    assert record["layers"] == {"conv": "0", "head": "2"}
    assert record["measurement"]["layout"] == {"conv": "samples" if layout == "auto" else layout, "head": "samples"}
    assert record["measurement"]["features"] == {"conv": features, "head": 4}
    assert record["measurement"]["rows"] == {"conv": 54 if layout == "positions" else 6, "head": 6}
    json.dumps(record)


def test_a_one_dimensional_convolution_has_its_channels_second():
    model = nn.Sequential(nn.Conv1d(2, 3, 2))
    x = torch.randn(5, 2, 9)
    output = model(x).detach()
    expected = output.permute(0, 2, 1).reshape(-1, 3)
    assert measure_probe(model, x, ["0"], layout="positions")["Conv1d_0"] == pytest.approx(measure(expected))
    assert measure_probe(model, x, ["0"])["Conv1d_0"] == pytest.approx(measure(output.reshape(5, -1)))


def test_a_transformer_with_tuple_outputs():
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2, enable_nested_tensor=False)
    tokens = torch.randn(4, 5, 8)
    layers = {"attention": "layers.0.self_attn", "feedforward": "layers.1.linear1"}
    tracker = HighFrequencyTracker(model, layers)
    model(tokens)
    tracker.log(0, 0.0)
    assert set(tracker.latest) == set(layers)
    assert tracker.metadata["measurement"]["rows"] == {"attention": 20, "feedforward": 20}
    probed = measure_probe(model, tokens, layers)
    assert all(np.isfinite(value) for metrics in probed.values() for value in metrics.values())


def test_a_change_of_rows_warns_once_and_is_recorded():
    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model)[:1])
    model(torch.randn(32, 20)), tracker.log(0, 0.0)
    model(torch.randn(10, 20))
    with pytest.warns(UserWarning, match="10 rows at step 1 and had 32"):
        tracker.log(1, 0.0)
    assert tracker.get_results("Linear_0")["rows"].tolist() == [32, 10]
    assert tracker.metadata["measurement"]["rows"] == {"Linear_0": [32, 10]}


def test_a_layer_without_output_is_nan_with_a_warning():
    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model))
    model(torch.randn(4, 20)), tracker.log(0, 0.0)
    with pytest.warns(UserWarning, match="had no output to measure at step 1"):
        tracker.log(1, 0.0)
    assert tracker.get_results("Linear_0")["stable_rank"].isna().tolist() == [False, True]
    assert tracker.get_results("Linear_0")["rows"].tolist() == [4, 0]


def test_a_network_that_diverges_is_recorded_as_nan():
    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model))
    model(torch.full((4, 20), torch.nan))
    tracker.log(0, float("nan"))
    assert all(np.isnan(value) for value in tracker.latest["Linear_0"].values())


def test_chosen_metrics_and_centring_are_recorded():
    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model)[:1], metrics=["cumulative_90"], centre=True)
    model(torch.randn(32, 20)), tracker.log(0, 0.0)
    assert list(tracker.get_results("Linear_0").columns) == ["step", "cumulative_90", "loss", "grad_norm", "rows"]
    assert tracker.metadata["measurement"]["centre"] is True


def test_layers_are_found_in_any_model():
    model = mlp(inplace=True)
    found = HighFrequencyTracker(model)
    assert found.layer_paths == {"Linear_0": "0", "Linear_1": "3", "Linear_2": "6"}
    assert HighFrequencyTracker(model, layer_names=["Linear_2", "0"]).layer_paths == {"Linear_2": "6", "Linear_0": "0"}
    assert HighFrequencyTracker(model, ["Linear_1"], ["hidden"]).layer_paths == {"hidden": "3"}


def test_a_record_is_written_and_read_back(tmp_path):
    from ontogeny.phase1 import read_phase1

    model = mlp()
    with HighFrequencyTracker(model, sampling_frequency=2) as tracker:
        train(model, 41, lambda step, loss, x: tracker.log(step, loss, grad_norm=float(step)))
    tracker.save(tmp_path / "phase1.json", {"run": "mine"})
    record = read_phase1(tmp_path / "phase1.json")
    for name, table in tracker.get_results().items():
        for metric in METRICS:
            steps, values = record.series(name, metric)
            assert steps.tolist() == table["step"].tolist()
            assert values.tolist() == table[metric].tolist()
    stored = json.loads((tmp_path / "phase1.json").read_text())
    assert stored["Linear_0"]["step"] == list(range(0, 41, 2))
    assert stored["Linear_0"]["grad_norm"][1] == 2.0
    assert stored["metadata"]["measurement"]["rows"]["Linear_0"] == 32
    assert stored["metadata"]["layers"] == {"Linear_0": "0", "Linear_1": "3", "Linear_2": "6"}
    tracker.export(tmp_path / "again.json", {"run": "mine"})
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "phase1.json").read_bytes()
    tracker.save(tmp_path / "seed_3.json")
    assert read_phase1(tmp_path / "seed_3.json").runs == ["seed_3"]


def test_measures_of_the_run_are_recorded_at_the_steps_that_they_are_given_for(tmp_path):
    from ontogeny.phase1 import RUN_LEVEL, read_phase1

    model = mlp()

    def log(step, loss, x):
        tracker.log(step, loss, val_accuracy=step / 100 if step % 5 == 0 else None, temperature=torch.tensor(2.0))

    with HighFrequencyTracker(model, sampling_frequency=2) as tracker:
        train(model, 11, log)
        with pytest.raises(OntogenyError, match="'stable_rank' is what the tracker measures of every layer"):
            tracker.log(12, 0.0, stable_rank=1.0)
        with pytest.raises(OntogenyError, match="val_accuracy is one number"):
            tracker.log(12, 0.0, val_accuracy="good")
        with pytest.warns(UserWarning, match="val_accuracy was given again for step 10"):
            tracker.log(10, 0.0, val_accuracy=0.5)
    assert tracker.measures.columns.tolist() == ["step", "val_accuracy", "temperature"]
    assert tracker.measures["val_accuracy"].dropna().tolist() == [0, 0.05, 0.1]
    tracker.save(tmp_path / "phase1.json")
    record = read_phase1(tmp_path / "phase1.json")
    steps, values = record.series(RUN_LEVEL, "val_accuracy")
    assert (steps.tolist(), values.tolist()) == ([0, 5, 10], [0, 0.05, 0.1])
    assert record.series(RUN_LEVEL, "temperature")[0].tolist() == list(range(11))
    assert record.series("Linear_0", "stable_rank")[0].tolist() == list(range(0, 11, 2))
    assert not [note for note in record.notes if "val_accuracy" in str(note)]


def test_measured_rows_are_out_of_reach_of_later_steps():
    model = nn.Sequential(nn.Identity(), nn.Linear(4, 2))
    tracker = HighFrequencyTracker(model, ["0"], ["input"])
    x, expected = torch.empty(16, 4), []
    for step in range(9):
        x.normal_()
        model(x).sum().backward()
        tracker.log(step, 0.0)
        expected.append(measure(x)["stable_rank"])
    assert tracker.get_results("input")["stable_rank"].tolist() == expected


def test_gradient_accumulation_and_checkpointing_measure_the_last_pass():
    from torch.utils.checkpoint import checkpoint

    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model)[:1])
    first, second = torch.randn(8, 20), torch.randn(8, 20)
    for x in (first, second):
        model(x).sum().backward()
    tracker.log(0, 0.0)
    assert tracker.latest["Linear_0"] == pytest.approx(measure(model[0](second)))
    for step, reentrant in ((1, True), (2, False)):
        checkpoint(model, first.clone().requires_grad_(), use_reentrant=reentrant).sum().backward()
        tracker.log(step, 0.0)
        assert tracker.latest["Linear_0"] == pytest.approx(measure(model[0](first)))


def test_half_precision_is_measured():
    model = mlp()
    tracker = HighFrequencyTracker(model, linears(model))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.randn(16, 20))
    tracker.log(0, 0.0)
    assert tracker.latest["Linear_0"]["stable_rank"] > 1


def test_a_planted_jump_is_found():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(20, 20, bias=False))
    tracker = HighFrequencyTracker(model, ["0"], ["layer"], jump_z_threshold=6.0)
    for step in range(240):
        x = torch.randn(64, 20)
        if step < 120:
            x = x[:, :1] * torch.ones(20) + 0.3 * x
        model(x)
        tracker.log(10 * step, 1.0)
    assert 1200 in [event.step for event in tracker.detect_jumps()["layer"]]
    assert list(tracker.detect_jumps("layer", "participation_ratio")) == ["layer"]


def test_mistakes_are_named():
    model = mlp()
    for wrong, message in (
        ({"max_rows": 2.5}, "max_rows is 2.5"),
        ({"max_rows": "3"}, "max_rows is '3'"),
        ({"device": "gpu"}, "device is 'gpu': give one that torch knows"),
    ):
        with pytest.raises(OntogenyError, match=message):
            HighFrequencyTracker(nn.Sequential(nn.Linear(2, 2)), **wrong)
    with pytest.raises(OntogenyError, match="sampling_frequency is 0"):
        HighFrequencyTracker(model, linears(model), sampling_frequency=0)
    with pytest.raises(OntogenyError, match="did you mean 'positions'"):
        HighFrequencyTracker(model, linears(model), layout="position")
    with pytest.raises(OntogenyError, match="unknown layer 'network"):
        HighFrequencyTracker(model, ["network.0"])
    with pytest.raises(OntogenyError, match=r"torch\.nn\.Module"):
        HighFrequencyTracker("model")
    tracker = HighFrequencyTracker(model, linears(model))
    with pytest.warns(UserWarning, match="had no output to measure at step 0"):
        tracker.log(0, 0.0)
    model(torch.randn(4, 20)), tracker.log(1, 0.0)
    with pytest.warns(UserWarning, match="step 1 was logged after step 1: it is passed over"):
        tracker.log(1, 0.0)
    assert tracker.get_results()["Linear_0"]["step"].tolist() == [0, 1]
    with pytest.raises(OntogenyError, match="did you mean 'Linear_"):
        tracker.get_results("Linear0")
    with pytest.raises(OntogenyError, match="did you mean 'stable_rank'"):
        tracker.detect_jumps(metric="stable_rnk")
    with pytest.raises(OntogenyError, match="disabled"):
        HighFrequencyTracker(model, linears(model), enable_jump_detection=False).detect_jumps()
    tracker.close()
    tracker.close()
    with pytest.raises(OntogenyError, match="closed"):
        tracker.log(1, 0.0)


@pytest.mark.benchmark
@pytest.mark.parametrize(("every", "rows", "limit"), [(10, "all", 0.06), (1, None, 0.20)])
def test_overhead(every, rows, limit):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(5):
            share = overhead(every, rows)
            if share < limit:
                break
    finally:
        torch.set_num_threads(threads)
    print(f"overhead at frequency {every} with {rows or 48} rows: {share:.1%} of a step")
    assert share < limit


def overhead(every, rows, steps=160):
    """CPU time in hooks and in log over the CPU time of the training steps themselves, in one and the same loop."""
    model = mlp(widths=(784, 512, 256, 10))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(128, 784), torch.randint(10, (128,))
    tracker = HighFrequencyTracker(model, linears(model), sampling_frequency=every, max_rows=rows)
    spent = [0.0]

    def timed(function):
        def call(*arguments):
            start = time.thread_time()
            function(*arguments)
            spent[0] += time.thread_time() - start

        return call

    for module in linears(model):
        for key, hook in module._forward_hooks.items():
            module._forward_hooks[key] = timed(hook)
    log = timed(tracker.log)
    for step in range(-20, steps):
        if step == 0:
            tracker.latest  # noqa: B018  (works off what is pending)
            spent[0], start = 0.0, time.thread_time()
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        log(step + 20, loss)
    timed(lambda: tracker.latest)()
    total = time.thread_time() - start
    return spent[0] / (total - spent[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("100", 1.0), "step '100' is not a whole number"),
        ((100.5, 1.0), "step 100.5 is not a whole number"),
        ((float("nan"), 1.0), "step nan is not a whole number"),
        ((None, 1.0), "step None is not a whole number"),
        ((0, torch.ones(3)), r"loss is one number, .* not of shape \(3,\)"),
        ((0, "low"), "loss is one number"),
        ((0, 1.0, [1.0, 2.0]), "grad_norm is one number"),
    ],
)
def test_what_is_logged_is_a_number(arguments, message):
    with HighFrequencyTracker(nn.Sequential(nn.Linear(2, 2))) as tracker, pytest.raises(OntogenyError, match=message):
        tracker.log(*arguments)


def test_an_empty_batch_is_a_gap():
    model = nn.Sequential(nn.Linear(4, 6))
    tracker = HighFrequencyTracker(model)
    for step, rows in enumerate((5, 0, 5)):
        model(torch.randn(rows, 4, generator=torch.Generator().manual_seed(step)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tracker.log(step, 1.0)
    assert tracker.get_results("Linear_0")["rows"].tolist() == [5, 0, 5]
    assert tracker.get_results("Linear_0")["stable_rank"].isna().tolist() == [False, True, False]
