"""Activity from files: what is read, and what is refused."""

from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from ontogeny.connectome import activity_report, fit_connectome, read_activity, recovery_metrics, simulate_activity
from ontogeny.connectome.figures import plot_connectivity, plot_weights
from ontogeny.connectome.fit import edge_mask
from ontogeny.connectome.indicator import fitted_time_constant
from ontogeny.connectome.recorded import _sources_exist
from ontogeny.connectome.store import load_activity, save_activity
from ontogeny.errors import OntogenyError

RNG = np.random.Generator(np.random.PCG64(0))
WAVES = np.cumsum(RNG.standard_normal((2, 40, 3)), axis=1)


def write(folder, array, name="u.npz", **others):
    path = folder / name
    np.savez(path, u=array, **others) if name.endswith("npz") else np.savetxt(path, array, delimiter=",")
    return path


def test_differences_and_shapes(tmp_path):
    central = read_activity(write(tmp_path, WAVES), 0.5)
    assert central.u.shape == central.du.shape == (2, 38, 3)
    np.testing.assert_allclose(central.du[:, 0], WAVES[:, 2] - WAVES[:, 0])
    forward = read_activity(write(tmp_path, WAVES[0], "u.csv"), 0.5, difference="forward")
    np.testing.assert_allclose(forward.du[0], np.diff(WAVES[0], axis=0) / 0.5)
    given = read_activity(write(tmp_path, WAVES, du=WAVES**2), 0.5)
    np.testing.assert_array_equal(given.du, WAVES**2)


def test_names_of_types_become_numbers(tmp_path):
    (tmp_path / "types.txt").write_text("on\noff\non\n")
    np.savetxt(tmp_path / "W.csv", np.arange(9.0).reshape(3, 3), delimiter=",")
    activity = read_activity(
        write(tmp_path, WAVES), 1, types_file=tmp_path / "types.txt", connectivity_file=tmp_path / "W.csv"
    )
    assert activity.types.tolist() == [1, 0, 1]
    assert not activity.weights.diagonal().any()


@pytest.mark.parametrize(
    ("array", "others", "words"),
    [
        (np.where(WAVES.max() - 1e-9 < WAVES, np.nan, WAVES), {}, "every value must be finite"),
        (np.where(WAVES.max() - 1e-9 < WAVES, np.inf, WAVES), {}, "holds inf"),
        (np.ones((40, 3)), {}, "at rest in every frame"),
        (WAVES * 1e7, {}, "blows up"),
        (WAVES[0, :, 0], {}, "expected (frames, neurons) or (trajectories, frames, neurons)"),
        (WAVES[:, :5], {}, "at least 10 frames"),
        (WAVES, {"du": WAVES[:, 1:]}, "make them equal"),
        (WAVES, {"W": np.ones((3, 2))}, "expected 3 x 3 finite numbers"),
        (WAVES, {"types": np.zeros(4, int)}, "4 types for 3 neurons"),
        (WAVES, {"types": np.array([0, np.nan, 1])}, "neuron 1 has no type"),
        (WAVES, {"W": np.eye(3) + 0.5}, "W has the same value everywhere off its diagonal"),
        (WAVES * 1j, {}, "u is complex128: expected real numbers"),
        (np.dstack([WAVES, np.tile(0.1 * np.arange(40), (2, 1))]), {}, "column 4 counts the frames"),
        (np.array([["a", "b"]]), {}, "not an array of numbers"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_one_sentence(tmp_path, array, others, words):
    with pytest.raises(OntogenyError) as caught:
        read_activity(write(tmp_path, array, **others), 0.1)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["", "\ufeff", "a,b,c\n", "\ufeffa,b,c\n", "0,1,2\n", "# mV\n"])
def test_no_frame_is_taken_for_a_header_nor_a_header_for_a_frame(tmp_path, first):
    path = write(tmp_path, WAVES[0], "u.csv")
    path.write_text(first + path.read_text(), encoding="utf-8")
    np.testing.assert_allclose(read_activity(path, 1).u[0], WAVES[0, 1:-1])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(OntogenyError, match="does not exist"):
        read_activity(tmp_path / "none.csv", 0.1)
    with pytest.raises(OntogenyError, match="is a folder"):
        read_activity(tmp_path, 0.1)


def test_other_separators_are_told(tmp_path):
    for sign, told in ((";", "semicolons"), ("\t", "tabs")):
        np.savetxt(tmp_path / "u.csv", WAVES[0], delimiter=sign)
        with pytest.raises(OntogenyError, match=f"has {told} between its columns: put commas there"):
            read_activity(tmp_path / "u.csv", 0.1)


def test_a_first_frame_with_a_gap_is_no_header(tmp_path):
    path = tmp_path / "u.csv"
    np.savetxt(path, WAVES[0], delimiter=",")
    frames = path.read_text()
    for first, told in (
        ("NA,1" + ",2" * 30, "'NA'"),
        (",0.25" * 31, "an empty cell"),
        ("lost" + ",0.25" * 31, "'lost'"),
    ):
        path.write_text(f"{first}\n{frames}")
        with pytest.raises(
            OntogenyError, match=rf"line 1: {told} stands among numbers: give a header of names, or num"
        ):
            read_activity(path, 0.1)
    path.write_text("cell " + ",cell ".join(map(str, range(WAVES.shape[2]))) + "\n" + frames)
    assert len(read_activity(path, 0.1).u[0]) == len(WAVES[0]) - 2  # a derivative needs both neighbours


def test_a_column_of_text_in_a_table_is_named(tmp_path):
    path, table = tmp_path / "u.csv", pd.DataFrame(WAVES[0])
    dates = pd.date_range("2024-01-01", periods=len(table), freq="s", name="time")
    table.set_index(dates).to_csv(path)
    with pytest.raises(OntogenyError, match=r"column 1 \(time\) holds '2024-01-01 00:00:00' where a number is"):
        read_activity(path, 0.1)
    table.assign(group="a").to_csv(path, index=False)
    with pytest.raises(OntogenyError, match=r"column \d+ \(group\) holds 'a' where a number"):
        read_activity(path, 0.1)


def test_wiring_is_recovered_from_a_file_as_from_a_simulation(tmp_path):
    made = simulate_activity({"n_neurons": 12, "n_trajectories": 12, "n_frames": 60, "precision": "float64"}, seed=3)
    known = read_activity(write(tmp_path, made.u, W=made.weights, types=made.types), 0.01, difference="forward")
    np.testing.assert_allclose(known.du, made.du[:, :-1], atol=1e-9)
    report = activity_report(known)
    assert report["oracle_R2"] is None
    assert report["filling_factor"] > 0.9
    assert "alive" in report["verdict"]
    found = fit_connectome(known, settings={"n_steps": 40, "n_snapshots": 0})
    metrics = recovery_metrics(found, known)
    assert metrics["connectivity_R2"] > 0.999
    assert metrics["cluster_accuracy"] == 1.0
    assert metrics["phi_R2"] is None
    assert metrics["classification"] == "CONVERGED"
    assert metrics["test_R2"] > 0.99


def test_anatomy_rules_connections_out(tmp_path):
    possible = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], float)
    np.save(tmp_path / "mask.npy", possible)
    found = read_activity(write(tmp_path, WAVES), 0.1, mask_file=tmp_path / "mask.npy")
    np.testing.assert_array_equal(edge_mask(found, "all"), possible != 0)
    save_activity(found, tmp_path / "kept.safetensors")
    np.testing.assert_array_equal(load_activity(tmp_path / "kept.safetensors").mask, possible)
    np.save(tmp_path / "mask.npy", np.ones((4, 4)))
    with pytest.raises(OntogenyError, match="is of 4 neurons, but the activity has 3"):
        read_activity(write(tmp_path, WAVES), 0.1, mask_file=tmp_path / "mask.npy")


def test_the_state_behind_an_indicator_is_recovered(tmp_path):
    keep, seen = np.exp(-0.1 / 0.7), np.empty_like(WAVES)
    x = WAVES[:, 0]
    for frame in range(WAVES.shape[1]):
        x = keep * x + (1 - keep) * WAVES[:, frame]
        seen[:, frame] = x
    found = read_activity(write(tmp_path, seen), 0.1, indicator_time_constant=0.7)
    np.testing.assert_allclose(found.u, WAVES[:, 2:-1], atol=1e-9)
    with pytest.raises(OntogenyError, match="that of the indicator"):
        read_activity(write(tmp_path, seen, du=seen), 0.1, indicator_time_constant=0.7)


def test_the_time_constant_of_an_indicator_is_found(tmp_path):
    made = simulate_activity({"n_neurons": 8, "n_trajectories": 6, "n_frames": 60, "precision": "float64"}, seed=5)
    keep, x, seen = np.exp(-0.01 / 0.1), made.u[:, 0], np.empty_like(made.u)
    for frame in range(made.u.shape[1]):
        x = keep * x + (1 - keep) * made.u[:, frame]
        seen[:, frame] = x
    np.savez(tmp_path / "seen.npz", u=seen)
    found = read_activity(tmp_path / "seen.npz", 0.01, indicator_time_constant="fitted")
    assert found.settings["indicator_time_constant"] == pytest.approx(0.1, rel=0.01)
    with pytest.raises(OntogenyError, match="stands out"):
        fitted_time_constant(seen + 0.01 * RNG.standard_normal(seen.shape), 0.01)


@pytest.fixture
def nwb(tmp_path):
    """A function: writes an NWB file of time series, given as its arguments or put in place by a function of the file;
    the path."""
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    def written(add=None, **series):
        made = pynwb.NWBFile("a session", "one", datetime(2020, 1, 1, tzinfo=UTC))
        for name, given in series.items():
            made.add_acquisition(pynwb.TimeSeries(name=name, unit="V", **given))
        if add is not None:
            add(made, pynwb)
        with pynwb.NWBHDF5IO(str(tmp_path / "one.nwb"), "w") as io:
            io.write(made)
        return tmp_path / "one.nwb"

    return written


def test_a_series_of_an_nwb_file_is_read(nwb):
    series = {"data": WAVES[0], "conversion": 2.0, "rate": 10.0}
    path = nwb(traces=series, others=series)
    found = read_activity(path, 0.1, series="traces")
    np.testing.assert_allclose(found.u[0], 2 * WAVES[0, 1:-1])
    with pytest.raises(OntogenyError, match="in `series`: others, traces"):
        read_activity(path, 0.1)
    with pytest.raises(OntogenyError, match="apart, but delta_t is 1"):
        read_activity(path, 1.0, series="traces")


def test_series_of_the_same_name_are_told_apart_by_their_place(nwb):
    def second(made, pynwb):
        series = pynwb.TimeSeries(name="traces", data=3 * WAVES[0], unit="V", rate=10.0)
        made.create_processing_module("smoothed", "again").add(series)

    path = nwb(second, traces={"data": WAVES[0], "rate": 10.0})
    with pytest.raises(OntogenyError, match="in `series`: smoothed/traces, traces"):
        read_activity(path, 0.1)
    np.testing.assert_allclose(read_activity(path, 0.1, series="traces").u[0], WAVES[0, 1:-1])
    np.testing.assert_allclose(read_activity(path, 0.1, series="smoothed/traces").u[0], 3 * WAVES[0, 1:-1])


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"data": WAVES[0], "timestamps": np.full(40, np.nan)}, "frames of traces are nan to nan apart"),
        ({"data": WAVES[0, :1], "timestamps": [0.0]}, "has 1 frame of 3 neurons"),
        ({"data": WAVES[0, :, 0], "rate": 10.0}, "holds no time series of several neurons"),
    ],
    ids=["no times", "one frame", "one neuron"],
)
def test_a_series_without_times_or_neurons_is_one_sentence(nwb, series, words):
    with pytest.raises(OntogenyError, match=words):
        read_activity(nwb(traces=series), 0.1)


@pytest.mark.filterwarnings("ignore:.*Length of data does not match")
def test_a_series_without_a_time_for_every_row_is_one_sentence(nwb):
    path = nwb(traces={"data": WAVES[0], "timestamps": 0.1 * np.arange(40)})
    with h5py.File(path, "r+") as file:
        del file["acquisition/traces/timestamps"]
        times = file["acquisition/traces"].create_dataset("timestamps", data=0.1 * np.arange(39))
        times.attrs["interval"], times.attrs["unit"] = 1, "seconds"
    with pytest.raises(OntogenyError, match="40 rows and 3 columns for 39 time stamps"):
        read_activity(path, 0.1)


def _electrodes(made, pynwb, data, **given):
    device = made.create_device("probe")
    group = made.create_electrode_group("shank", description="one", location="x", device=device)
    for _ in range(3):
        made.add_electrode(location="x", group=group)
    region = made.create_electrode_table_region([0, 1, 2], "all")
    series = pynwb.ecephys.ElectricalSeries(name="field", data=data, electrodes=region, rate=10.0, **given)
    made.add_acquisition(series)


def test_channels_of_a_recording_have_conversions_of_their_own(nwb):
    def field(made, pynwb):
        _electrodes(made, pynwb, WAVES[0], conversion=2.0, channel_conversion=np.array([1.0, 2.0, 3.0]))

    np.testing.assert_allclose(read_activity(nwb(field), 0.1).u[0], WAVES[0, 1:-1] * [2.0, 4.0, 6.0])


@pytest.mark.filterwarnings("ignore:.*dimension")
def test_a_series_with_a_row_per_electrode_is_one_sentence(nwb):
    with pytest.raises(OntogenyError, match="3 rows and 40 columns for 3 neurons: write a row per frame"):
        read_activity(nwb(lambda made, pynwb: _electrodes(made, pynwb, WAVES[0].T)), 0.1)


def test_spikes_and_a_jittered_clock_are_refused(tmp_path):
    spikes = (RNG.random((60, 4)) < 0.2).astype(float)
    with pytest.raises(OntogenyError, match="as a spike raster does"):
        read_activity(write(tmp_path, spikes), 0.1)
    clock = np.cumsum(0.1 + 0.01 * RNG.standard_normal(40))
    with pytest.raises(OntogenyError, match="column 4 counts the frames"):
        read_activity(write(tmp_path, np.column_stack([WAVES[0], clock])), 0.1)
    stacked = np.column_stack([np.vstack(WAVES), np.tile(0.1 * np.arange(40), 2)])
    with pytest.raises(OntogenyError, match="column 4 counts the frames"):
        read_activity(write(tmp_path, stacked), 0.1)
    table = tmp_path / "table.csv"
    np.savetxt(
        table, np.column_stack([np.repeat([0, 1], 40), np.vstack(WAVES)]), "%g", ",", header="Trial,a,b,c", comments=""
    )
    with pytest.raises(
        OntogenyError, match=r"column 1 \(trial\) numbers trajectories, as no neuron does: give an array"
    ):
        read_activity(table, 0.1)


def test_unequal_trajectories_are_cut_into_pieces():
    made = simulate_activity({"n_neurons": 12, "n_trajectories": 12, "n_frames": 60}, seed=3)
    parts = [slice(0, 60 if k % 2 else 30) for k in range(12)]
    u, du = ([array[k, part] for k, part in enumerate(parts)] for array in (made.u, made.du))
    found = fit_connectome(u, du, settings={"n_steps": 40, "n_snapshots": 0})
    assert found.refined
    with pytest.raises(OntogenyError, match="agree in number and shape"):
        fit_connectome(u, du[:-1])


def test_a_wiring_without_standard_errors_is_not_drawn_as_edges():
    W = np.random.default_rng(0).standard_normal((6, 6))
    for errors, said in ((None, "none tested"), (np.full((6, 6), 0.01), "count as edges")):
        drawn, _ = plot_weights(SimpleNamespace(W=W, standard_errors=errors))
        assert said in drawn.axes[0].get_title("left")
        labels = [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
        assert ("indistinguishable from 0" in labels) == (errors is not None)


def test_neurons_along_a_matrix_are_whole():
    W = np.random.default_rng(0).standard_normal((14, 14))
    for true in (W, None):
        drawn, _ = plot_connectivity(W, true)
        for axis in (drawn.axes[0].xaxis, drawn.axes[0].yaxis):
            assert all(float(place).is_integer() for place in axis.get_majorticklocs())


@pytest.mark.parametrize("gone", [False, True])
def test_a_series_put_together_from_files_of_which_one_is_gone_is_refused(tmp_path, gone):
    with h5py.File(tmp_path / "part.h5", "w") as part:
        part["x"] = WAVES[0]
    layout = h5py.VirtualLayout(WAVES[0].shape, "f8")
    layout[:] = h5py.VirtualSource("part.h5", "x", WAVES[0].shape)
    with h5py.File(tmp_path / "whole.nwb", "w") as whole:
        whole.create_virtual_dataset("x", layout)
    if gone:
        (tmp_path / "part.h5").unlink()
    with h5py.File(tmp_path / "whole.nwb") as whole:
        series = SimpleNamespace(name="traces", data=whole["x"])
        if gone:
            with pytest.raises(OntogenyError, match=r"traces is put together from part\.h5, which does not exist"):
                _sources_exist(tmp_path / "whole.nwb", series)
        else:
            _sources_exist(tmp_path / "whole.nwb", series)
    _sources_exist(tmp_path / "whole.nwb", SimpleNamespace(name="traces", data=WAVES[0]))


@pytest.mark.parametrize(
    ("before", "header"), [("# at 100 Hz\n", "0,1,2\n"), ("\n# a\n#b\n", "x,y,z\n"), ("# x,y,z\n", "")]
)
def test_comments_before_the_numbers_are_none_of_the_frames(tmp_path, before, header):
    values = np.random.default_rng(0).normal(size=(20, 3)).cumsum(0)
    rows = "".join(",".join(map(repr, row)) + "\n" for row in values.tolist())
    (tmp_path / "u.csv").write_text(before + header + rows)
    np.testing.assert_allclose(read_activity(tmp_path / "u.csv", 0.01).u[0], values[1:-1])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("u.h5", b"\x89HDF\r\n\x1a\n\0\0", "is no UTF-8 text: give a CSV, npy, npz or NWB file"),
        ("u.csv", "a,b\n1,2\n".encode("utf-16"), "is no UTF-8 text"),
        ("u.npy", b"hello", "is no file of numpy.save"),
    ],
)
def test_what_is_no_table_of_numbers_is_told_in_words(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(OntogenyError, match=said):
        read_activity(tmp_path / name, 0.01)


@pytest.mark.parametrize("name", ["time", "Time (s)", "t", "frame"])
def test_times_that_are_not_even_are_no_neuron(tmp_path, name):
    generator = np.random.default_rng(0)
    values = np.column_stack([np.sort(generator.random(40) ** 2), generator.normal(size=(40, 2)).cumsum(0)])
    np.savetxt(tmp_path / "u.csv", values, delimiter=",", header=f"{name},a,b", comments="")
    with pytest.raises(OntogenyError, match=r"column 1 .* holds times, as no neuron does"):
        read_activity(tmp_path / "u.csv", 0.01)
