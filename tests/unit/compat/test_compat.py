"""Scripts for the published package run with the names of `ontogeny.compat`."""

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.compat import (
    ActivationCapture,
    HighFrequencyTracker,
    JumpDetector,
    compute_all_metrics,
    cumulative_energy_90,
    detect_architecture,
    export_to_csv,
    export_to_hdf5,
    export_to_json,
    plot_jumps,
    plot_metrics_comparison,
    plot_phases,
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
        np.testing.assert_allclose(values, results[layers[0]]["stable_rank"], rtol=1e-6)
    with pytest.raises(OntogenyError, match="does not end in"):
        export_to_hdf5(results, tmp_path / "r.txt")


def test_an_estimator_script():
    matrix = np.diag([3.0, 2.0, 1.0])
    found = compute_all_metrics(matrix)
    assert found["stable_rank"] == pytest.approx(14 / 9) == stable_rank(matrix)
    assert found["participation_ratio"] == pytest.approx(36 / 14)
    assert found["nuclear_norm_ratio"] == pytest.approx(2)
    assert cumulative_energy_90(torch.tensor(matrix)) == 2


def test_a_jump_script(results):
    rng = np.random.default_rng(0)
    values = rng.standard_normal(200) + 10.0 * (np.arange(200) >= 120)
    (jump, *_) = JumpDetector(window_size=50, z_threshold=5.0).detect_jumps(values, "stable_rank")
    assert jump.step == 120
    assert jump.value_after - jump.value_before == pytest.approx(10, abs=2)
    assert jump.z_score > 5
    found = JumpDetector().detect_all_jumps(results)
    assert set(found) == set(results)


def test_a_hook_script():
    model = nn.Sequential(nn.Linear(3, 5))
    with ActivationCapture(model) as capture:
        model(torch.randn(2, 3))
        assert next(iter(capture.get_all_activations().values())).shape == (2, 5)


def test_a_figure_script(results):
    assert plot_phases(results, "stable_rank").axes
    assert plot_metrics_comparison(results).axes
    assert plot_jumps(results, {next(iter(results)): []}).axes
