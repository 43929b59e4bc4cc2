"""Scripts for the published package run with the names of `ontogeny.compat`."""

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.compat import (
    ActivationCapture,
    ArchitectureHandler,
    CNNHandler,
    HighFrequencyTracker,
    Jump,
    JumpDetector,
    MLPHandler,
    compute_all_metrics,
    create_interactive_plot,
    create_multi_layer_plot,
    cumulative_energy_90,
    detect_architecture,
    export_to_csv,
    export_to_hdf5,
    export_to_json,
    get_default_config,
    get_handler,
    get_layers_for_model,
    load_config,
    load_from_csv,
    load_from_hdf5,
    load_from_json,
    plot_jumps,
    plot_metrics_comparison,
    plot_phases,
    plot_single_metric,
    save_config,
    setup_logger,
    stable_rank,
)
from ontogeny.errors import OntogenyError
from ontogeny.phase1 import read_phase1


@pytest.fixture(scope="module")
def results():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    tracker = HighFrequencyTracker(model, sampling_frequency=1)
    for step in range(40):
        loss = nn.functional.cross_entropy(model(torch.randn(32, 8)), torch.randint(0, 4, (32,)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        tracker.log(step, loss.item())
    assert detect_architecture(model)
    return tracker.get_results()


def test_a_tracking_script(results, tmp_path):
    for write, name in ((export_to_csv, "r.csv"), (export_to_hdf5, "r.h5"), (export_to_json, "r.json")):
        write(results, tmp_path / name)
        layers = list(results)
        steps, values = read_phase1(tmp_path / name).series(layers[0], "stable_rank")
        assert len(steps) == 40
    assert set(load_from_json(tmp_path / "r.json")) == set(results)
    for name in ("r.csv", "r.h5", "r.json"):
        steps, values = read_phase1(tmp_path / name).series(layers[0], "stable_rank")
        np.testing.assert_allclose(values, results[layers[0]]["stable_rank"], rtol=1e-6)
    with pytest.raises(OntogenyError, match="does not end in"):
        export_to_hdf5(results, tmp_path / "r.txt")


def test_an_estimator_script():
    matrix = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    rank, participation, ninety, nuclear = compute_all_metrics(matrix)
    assert rank == pytest.approx(14 / 9) == stable_rank(matrix)
    assert participation == pytest.approx(36 / 14)
    assert nuclear == pytest.approx(2)
    assert ninety == cumulative_energy_90(matrix) == 2
    assert cumulative_energy_90(matrix, threshold=0.5) == 1


def test_a_jump_script(results):
    rng = np.random.default_rng(0)
    values = [*rng.standard_normal(120), *(10 + rng.standard_normal(80))]
    detector = JumpDetector(window_size=50, z_threshold=5.0, min_samples=20)
    (jump, *_) = detector.detect_jumps(values, metric_name="stable_rank", step_offset=1000)
    assert (jump.step, jump.metric_name) == (1120, "stable_rank")
    assert jump.value_after - jump.value_before == pytest.approx(10, abs=2)
    assert jump.z_score > 5
    assert detector.detect_jumps_with_direction(values, direction="up")[0].step == 120
    assert detector.detect_jumps_with_direction(values, direction="down") == []
    mean, spread, score = detector.compute_rolling_statistics(values)
    assert mean[120] == pytest.approx(np.mean(values[70:120]))
    assert score[120] == pytest.approx(abs(values[120] - mean[120]) / spread[120])
    with pytest.raises(OntogenyError, match="window_size"):
        JumpDetector(window_size=1)
    found = JumpDetector().detect_all_jumps(results)
    assert set(found) == set(results)


def test_a_script_with_thresholds_and_titles(tmp_path):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(6, 9), nn.Linear(9, 2)

        def forward(self, x):
            return self.last(self.first(x).relu())

    torch.manual_seed(1)
    model, names = Net(), ["First_6-9", "Last_9-2"]
    tracker = HighFrequencyTracker(
        model,
        layers=[model.first, model.last],
        layer_names=names,
        sampling_frequency=1,
        enable_jump_detection=True,
        device=torch.device("cpu"),
    )
    for step in range(80):
        model(torch.randn(64, 6) * (1.0 if step < 60 else torch.tensor([20.0, *[0.0] * 5]))).sum().backward()
        tracker.log(step, 0.1, grad_norm=torch.nn.utils.clip_grad_norm_(model.parameters(), float("inf")).item())
    few, many = (tracker.detect_jumps(metric="stable_rank", threshold_z=z)["First_6-9"] for z in (4.0, 2.0))
    assert 0 < len(few) <= len(many)
    assert few[0].step == 60
    assert few[0].metric_name == "stable_rank"
    assert len(few) == len(tracker.detect_jumps("First_6-9", threshold_z=4.0)["First_6-9"])
    table = tracker.get_results(layer_name="Last_9-2")
    for figure in (
        plot_phases(tracker.get_results(), metric="stable_rank", title="Every step"),
        plot_metrics_comparison(table, layer_name="Last_9-2", title="Every step"),
        plot_jumps(table, few, layer_name="Last_9-2", title="Every step"),
    ):
        figure.savefig(tmp_path / "figure.png")
        assert "Every step" in "".join(text.get_text() for text in figure.findobj() if hasattr(text, "get_text"))
    with pytest.raises(ValueError, match="2 layers"):
        HighFrequencyTracker(model, layers=[model.first, model.last], layer_names=["one"])
    with pytest.raises(ValueError, match="at least two axes"):
        stable_rank(torch.ones(3))


def test_jumps_are_made_by_hand_and_noise_free_steps_are_found():
    jump = Jump(step=100, z_score=-5.2, value_before=20.0, value_after=10.0, metric_name="stable_rank")
    assert (jump.size, jump.direction, jump.score) == (-10.0, "down", 5.2)
    assert "step=100" in repr(jump)
    assert "stable_rank" in repr(jump)
    detector = JumpDetector(window_size=20, z_threshold=3.0, min_samples=10)
    assert detector.detect_jumps([10.0] * 100) == []
    assert detector.detect_jumps([10.0] * 50 + [20.0] * 50, metric_name="m")[0].step in (50, 51)
    with pytest.raises(ValueError, match="direction"):
        detector.detect_jumps_with_direction([1, 2, 3], direction="sideways")


def test_an_architecture_script():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    handler = detect_architecture(model)
    assert isinstance(handler, MLPHandler)
    assert handler.get_name() == "MLP"
    assert handler.get_activation_layers(model) == [model[0], model[2]]
    assert get_handler(model, "mlp").get_layer_names(model) == ["Linear_0", "Linear_1"]
    assert not CNNHandler().validate_model(model)
    assert detect_architecture(nn.ReLU()) is None
    with pytest.raises(OntogenyError, match="looks like 'mlp', not 'cnn'"):
        get_handler(model, "cnn")
    layers, names = get_layers_for_model(model)
    assert layers == [model[0], model[2]]
    capture = ActivationCapture()
    capture.register_hooks(model, layers, names)
    model(torch.randn(4, 3))
    assert {name: tuple(value.shape) for name, value in capture.get_all_activations().items()} == {
        names[0]: (4, 5),
        names[1]: (4, 2),
    }
    capture.remove_hooks()


class Halves(ArchitectureHandler):
    """A handler as users of the published package write them."""

    def get_activation_layers(self, model):
        return [model[0]]

    def get_layer_names(self, model):
        return ["first"]


def test_a_handler_of_a_user():
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    handler = Halves()
    assert handler.validate_model(model)
    assert handler.get_name() == "Halves"
    layers = handler.get_activation_layers(model)
    tracker = HighFrequencyTracker(model, layers=layers, layer_names=handler.get_layer_names(model))
    model(torch.randn(4, 3))
    tracker.log(0, 1.0)
    assert list(tracker.get_results()) == ["first"]


def test_a_configuration_script(tmp_path, capsys):
    config = get_default_config() | {"sampling_frequency": 2}
    save_config(config, tmp_path / "tracker.yaml")
    assert load_config(tmp_path / "tracker.yaml") == config
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    with HighFrequencyTracker(model, **load_config(tmp_path / "tracker.yaml")) as tracker:
        for step in range(4):
            model(torch.randn(4, 3))
            tracker.log(step, 1.0)
    assert list(tracker.get_results()["Linear_0"]["step"]) == [0, 2]
    (tmp_path / "bad.yaml").write_text("[1, 2")
    with pytest.raises(OntogenyError, match="not valid YAML"):
        load_config(tmp_path / "bad.yaml")
    (tmp_path / "list.yaml").write_text("- 1")
    with pytest.raises(OntogenyError, match="holds no settings"):
        load_config(tmp_path / "list.yaml")
    logger = setup_logger("published", log_file=tmp_path / "logs" / "run.log")
    logger.info("hello")
    assert len(setup_logger("published").handlers) == 1
    assert (tmp_path / "logs" / "run.log").read_text().endswith("- published - INFO - hello\n")
    assert "hello" in capsys.readouterr().err


def test_a_figure_script(results):
    name, table = next(iter(results.items()))
    assert plot_phases(results, metric="stable_rank").axes
    assert plot_single_metric(table, metric="stable_rank", layer_name=name).axes
    assert plot_metrics_comparison(table, layer_name=name).axes
    assert plot_jumps(table, [], metric="stable_rank", layer_name=name).axes
    assert plot_jumps(results, {name: []}).axes
    assert len(create_multi_layer_plot(results).data) == len(results)
    assert len(create_interactive_plot(table, layer_name=name).data) == 5


def test_results_come_back_from_files(results, tmp_path):
    export_to_hdf5(results, tmp_path / "r.h5", metadata={"model": "MLP"})
    tables, metadata = load_from_hdf5(tmp_path / "r.h5")
    assert metadata["model"] == "MLP"
    export_to_csv(results, tmp_path / "layers", separate_files=True)
    for found in (tables, load_from_csv(tmp_path / "layers", separate_files=True)):
        assert set(found) == set(results)
        for layer, table in results.items():
            np.testing.assert_allclose(found[layer]["stable_rank"], table["stable_rank"])
            np.testing.assert_allclose(found[layer]["loss"], table["loss"])
