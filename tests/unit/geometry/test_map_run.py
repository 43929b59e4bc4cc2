"""The map and the boundary of a run, by replay."""

import numpy as np
import pytest

from ontogeny.config import load_config, runs_of
from ontogeny.errors import OntogenyError
from ontogeny.geometry.boundary import read_regions, write_regions
from ontogeny.geometry.map_run import boundary_of_run, map_of_run
from ontogeny.geometry.settings import BoundarySettings, MapSettings
from ontogeny.jumps.plan import Moment
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory

RUN = {
    "task": {"n_train": 300, "n_validation": 50, "n_probe": 60},
    "model": {"name": "vit_tiny", "width": 16, "depth": 1, "heads": 2, "feedforward": 16},
    "training": {"steps": 40, "batch_size": 32, "checkpoint_every": 25, "learning_rate": 0.003},
    "tracking": {"every": 5},
}
MOMENTS = [
    Moment("start", 0, 0, 5, "early", ""),
    Moment("jump", 12, 7, 17, "early", "", score=9.0),
    Moment("jump", 20, 15, 25, "early", "", score=5.0),
    Moment("control", 30, 25, 35, "late", "", control_for=12),
    Moment("end", 40, 35, 40, "late", ""),
]


@pytest.fixture(scope="module")
def trajectory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    identity = runs_of(load_config({"studies": {"s": {"runs": {"run": RUN}}}}))["run/s0"].identity()
    train(identity, folder, "run")
    return Trajectory(folder)


def test_the_map_of_a_run_holds_its_start_its_jumps_and_its_end(trajectory):
    settings = {"frames": 4, "samples": 40}
    places, quality = map_of_run(trajectory, MOMENTS, MapSettings(**settings))
    kinds = {0: "start", 4: "frame", 12: "jump", 18: "frame", 20: "jump", 40: "end"}
    assert dict(zip(quality["step"], quality["kind"])) == kinds
    assert set(places["layer"]) == {list(trajectory.layers)[-2]}
    assert set(quality["neighbours"]) == {10.0}
    assert places.groupby("step").size().tolist() == [40] * 6
    again, _ = map_of_run(trajectory, MOMENTS, MapSettings(**settings))
    assert again.equals(places)
    with pytest.raises(OntogenyError, match="unknown layer"):
        map_of_run(trajectory, MOMENTS, MapSettings(layer="Linear_99"))


def test_the_boundary_of_a_run_compares_jumps_with_their_controls(trajectory, tmp_path):
    settings = {"frames": 3, "strongest": 1, "planes": 2, "resolution": 12, "samples": 30}
    by_step, by_plane, changes, arrays = boundary_of_run(trajectory, MOMENTS, BoundarySettings(**settings))
    assert by_step["step"].tolist() == [0, 7, 10, 17, 25, 35, 40]
    assert changes["kind"].tolist() == ["jump", "control", "frame", "frame"]
    assert changes["before"].tolist() == [7, 25, 0, 10]
    assert by_plane.groupby(["step", "plane"])["share"].sum().to_numpy() == pytest.approx(1.0)
    write_regions(tmp_path / "a.npz", arrays)
    write_regions(tmp_path / "b.npz", boundary_of_run(trajectory, MOMENTS, BoundarySettings(**settings))[3])
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    read = read_regions(tmp_path / "a.npz")
    assert all(np.array_equal(read[name], arrays[name]) for name in arrays)


def test_a_file_that_holds_no_regions_is_refused(tmp_path):
    with pytest.raises(OntogenyError, match="does not exist"):
        read_regions(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no regions")
    with pytest.raises(OntogenyError, match="cannot be read as an archive of regions"):
        read_regions(tmp_path / "text.npz")
