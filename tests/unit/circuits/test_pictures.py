"""Circuits drawn: what is shown agrees with the circuits, files are whole, small and quick, pages stand alone."""

import itertools
import json
import re

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ontogeny.circuits import enumerate_circuits, records_from_weights
from ontogeny.circuits.animation import (
    SHARE_FLOOR,
    animate_circuits,
    draw_epoch,
    frame_epochs,
    save_snapshot,
    smallest_circuits,
    snapshot_table,
)
from ontogeny.circuits.figures import plot_curves, plot_losses, plot_overview, plot_regularisers
from ontogeny.circuits.frames import frames_from_ensemble, frames_from_record
from ontogeny.circuits.page import write_circuit_page
from ontogeny.circuits.statistics import compare_conditions, ensemble_history, seed_table
from ontogeny.errors import OntogenyError
from ontogeny.plotting.style import save_figure
from ontogeny.training.ensemble import EnsembleSettings, train_ensemble


@pytest.fixture(scope="module")
def result():
    return train_ensemble(EnsembleSettings(published_streams=True), range(6))


@pytest.fixture(scope="module")
def frames(result):
    return frames_from_ensemble(result, 1, "XOR, seed 1", jumps=[20, 9])


def record_of(result, seed, epochs):
    """A record in the published layout, written out circuit by circuit."""
    data, record = result.data(seed).validation, []
    for epoch in epochs:
        outputs = []
        for output in range(len(result.settings.gates)):
            weights, biases = result.network(seed, epoch, output)
            circuits = []
            for circuit in enumerate_circuits(weights, biases, data.x, data.y[:, output : output + 1]):
                values, neurons = data.x.astype(float), []
                for layer, (w, b, mask) in enumerate(zip(weights, biases, circuit.edge_masks)):
                    values = values @ (w * mask).T + b
                    if layer < len(weights) - 1:
                        values = np.where(values > 0, values, 0.01 * values)
                    active = circuit.node_masks[layer + 1]
                    neurons += [
                        {"layer": layer + 1, "neuron_idx": int(i), "mean_activation": float(values[:, i].mean())}
                        for i in np.flatnonzero(active)
                    ]
                circuits.append(
                    {
                        "circuit_idx": len(circuits),
                        "node_masks": [mask.tolist() for mask in circuit.node_masks],
                        "edge_masks": [mask.tolist() for mask in circuit.edge_masks],
                        "neurons": neurons,
                    }
                )
            outputs.append(
                {"output_idx": output, "n_circuits": len(circuits), "avg_sparsity": 0.0, "circuits": circuits}
            )
        rows = result.rows(seed)
        record.append(
            {
                "epoch": epoch,
                "train_loss": float(result.train_loss[rows][epoch]),
                "val_loss": float(result.val_loss[rows][epoch]),
                "total_circuits": sum(output["n_circuits"] for output in outputs),
                "outputs": outputs,
            }
        )
    return record


def assert_same_frames(one, two):
    assert one.sizes == two.sizes
    assert np.array_equal(one.circuits, two.circuits)
    for name in ("node_share", "edge_share", "activation"):
        for a, b in zip(getattr(one, name), getattr(two, name)):
            np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(one.listed, two.listed):
        for mask, other in zip(a, b):
            assert np.array_equal(mask, other)


def test_a_record_and_its_ensemble_show_the_same(result, frames, tmp_path):
    last = int(result.n_epochs[1])
    record = record_of(result, 1, range(last + 1))
    assert_same_frames(frames_from_record(record), frames)
    path = tmp_path / "record.json"
    path.write_text(json.dumps(record))
    again = frames_from_record(path, jumps=[9, 20, 9])
    assert again.jumps == frames.jumps == (9, 20)
    assert np.array_equal(again.epochs, frames.epochs)


def test_what_records_are_written_from_is_drawn_too(result, frames):
    data, rows = result.data(1).validation, result.rows(1)
    entries = records_from_weights(
        [layer[rows] for layer in result.weights], [layer[rows] for layer in result.biases], data.x, data.y,
        epochs=frames.epochs,
    )  # fmt: skip
    assert_same_frames(frames_from_record(entries), frames)


def test_two_outputs_are_drawn_together():
    result = train_ensemble(EnsembleSettings(gates=("AND", "XOR")), [0])
    last = int(result.n_epochs[0])
    frames = frames_from_ensemble(result, 0)
    assert frames.sizes == (2, 3, 3, 2)
    picked = record_of(result, 0, [last])
    assert picked[0]["total_circuits"] == frames.circuits[-1] > 0
    from_record = frames_from_record(picked)
    np.testing.assert_allclose(from_record.node_share[3][0], frames.node_share[3][-1])
    assert frames.node_share[3][-1].sum() == pytest.approx(1)
    np.testing.assert_allclose(from_record.edge_share[2][0], frames.edge_share[2][-1])
    assert len(draw_epoch(frames, last).axes) == 4


def test_too_many_circuits_show_the_whole_network(result, frames):
    few = frames_from_ensemble(result, 1, most_averaged=10, most_listed=3)
    assert np.array_equal(few.circuits, frames.circuits)
    np.testing.assert_allclose(few.node_share[1], frames.node_share[1])
    assert max(len(listed[0]) for listed in few.listed) <= 3


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ([], "no epochs"),
        ([{"epoch": 1, "total_circuits": 0, "outputs": [{"circuits": []}]}], "give its sizes"),
        ([{"epoch": 1}], "not a record of circuits"),
        ([{"epoch": 1, "total_circuits": 1, "outputs": [{"circuits": [{"node_masks": [[1]]}]}]}], "not a record"),
    ],
)
def test_what_is_no_record(record, says):
    with pytest.raises(OntogenyError, match=says):
        frames_from_record(record)


def test_a_record_cut_or_clashing(result, tmp_path):
    record = record_of(result, 1, [30])
    text = json.dumps(record)
    (tmp_path / "cut.json").write_text(text[: len(text) // 2])
    with pytest.raises(OntogenyError, match=r"cut.json ends in the middle"):
        frames_from_record(tmp_path / "cut.json")
    record[0]["outputs"][0]["circuits"][3]["edge_masks"][1] = [[1, 1]]
    with pytest.raises(OntogenyError, match=r"circuit 3 has a mask of shape \(1, 2\) in layer 1"):
        frames_from_record(record)
    empty = [{"epoch": 1, "total_circuits": 0, "outputs": [{"circuits": []}]}]
    assert frames_from_record(empty, sizes=[2, 3, 1]).circuits.tolist() == [0]


def test_the_drawing_shows_the_shares(frames):
    last = int(frames.epochs[-1])
    figure = draw_epoch(frames, last)
    network = figure.axes[0]
    edges = next(c for c in network.collections if c.get_zorder() == 1)
    nodes = next(c for c in network.collections if c.get_zorder() == 2)
    share = np.concatenate([layer[-1].ravel() for layer in frames.edge_share])
    opacity = edges.get_colors()[:, 3]
    np.testing.assert_allclose(opacity, np.where(share > 0, np.maximum(share, SHARE_FLOOR), 0))
    widths = np.array(edges.get_linewidths())
    assert np.all(np.diff(widths[np.argsort(opacity, kind="stable")]) >= -1e-9)
    used = np.concatenate([layer[-1] for layer in frames.node_share])
    borders = np.array(nodes.get_linewidths())
    assert np.all(np.diff(borders[np.argsort(used, kind="stable")]) >= -1e-9)
    texts = [text.get_text() for text in figure.texts]
    assert f"epoch {last}  ·  {frames.circuits[-1]} perfect circuits" in texts
    early = draw_epoch(frames, 0)
    faces = next(c for c in early.axes[0].collections if c.get_zorder() == 2).get_facecolors()
    assert frames.circuits[0] == 0
    assert np.allclose(faces[:, 0], faces[:, 1])


def test_the_smallest_circuit_is_outlined_and_labelled(result, frames):
    assert smallest_circuits(frames)[0] is None
    data = result.data(1).validation
    kept = 0
    for epoch, before, chosen in zip(frames.epochs[1:], smallest_circuits(frames), smallest_circuits(frames)[1:]):
        circuits = enumerate_circuits(*result.network(1, int(epoch)), data.x, data.y)
        if not len(circuits):
            assert chosen is None
            continue
        flat = np.concatenate([mask.reshape(len(circuits), -1) for mask in circuits.edge_masks], axis=1)
        edges = flat.sum(axis=1)
        smallest = {tuple(row) for row in flat[edges == edges.min()].tolist()}
        assert tuple(chosen.edges.astype(int).tolist()) in smallest
        assert f"{edges.min()} edges" in chosen.label
        assert ("of the" in chosen.label) == (len(smallest) > 1)
        if before is not None and tuple(before.edges.astype(int).tolist()) in smallest:
            assert np.array_equal(before.edges, chosen.edges)
            kept += 1
    assert kept > 0
    figure = draw_epoch(frames, int(frames.epochs[-1]))
    outline = next(c for c in figure.axes[0].collections if c.get_zorder() == 0.8)
    assert np.array_equal(np.array(outline.get_linewidths()) > 0, chosen.edges)
    assert chosen.label in [text.get_text() for text in figure.texts]


def test_all_networks_of_a_picture_share_one_colour_scale(result):
    runs = [frames_from_ensemble(result, seed) for seed in (0, 1)]
    largest = max(np.nanmax(np.abs(layer)) for run in runs for layer in run.activation[1:])
    bar = draw_epoch(runs, 30).axes[-1]
    assert bar.get_xlim() == pytest.approx((0, largest))


def test_snapshots_in_every_format(frames, tmp_path):
    paths = save_snapshot(frames, 12, tmp_path / "epoch_12")
    assert [path.name for path in paths] == ["epoch_12.png", "epoch_12.pdf", "epoch_12.svg", "epoch_12.csv"]
    first = [path.read_bytes() for path in paths]
    assert first == [path.read_bytes() for path in save_snapshot(frames, 12, tmp_path / "epoch_12.png")]
    with pytest.raises(OntogenyError, match="epoch -1 was not tracked"):
        draw_epoch(frames, -1)


def test_the_table_of_a_snapshot_holds_what_is_drawn(frames):
    last = len(frames.epochs) - 1
    table = snapshot_table([frames, frames], int(frames.epochs[-1]))
    assert len(table) == 2 * (sum(frames.sizes) + sum(a * b for a, b in itertools.pairwise(frames.sizes)))
    edge = table[(table["layer"] == 2) & (table["neuron"] == 1) & (table["source"] == 2)]
    assert edge["share"].tolist() == [frames.edge_share[1][last, 1, 2]] * 2
    neuron = table[(table["layer"] == 1) & (table["neuron"] == 0) & table["source"].isna()]
    assert neuron["share"].tolist() == [frames.node_share[1][last, 0]] * 2
    np.testing.assert_array_equal(neuron["activation"], [frames.activation[1][last, 0]] * 2)


def test_an_animation_has_a_frame_for_every_epoch(frames, tmp_path):
    path = animate_circuits(frames, tmp_path / "run.mp4", fps=5, hold=0.2)
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert count == len(frame_epochs(frames))
    assert seconds == pytest.approx(count / 5, abs=0.3)
    again = animate_circuits(frames, tmp_path / "again.mp4", fps=5, hold=0.2)
    assert path.read_bytes() == again.read_bytes()
    with Image.open(animate_circuits(frames, tmp_path / "run.gif", dpi=60)) as gif:
        assert gif.n_frames == count
        assert gif.size == draw_epoch(frames, 7, dpi=60).canvas.get_width_height()
        assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.mp4", "run.gif", "run.mp4"]


def test_frames_hold_the_drawing_of_their_epoch(frames, tmp_path):
    path = animate_circuits(frames, tmp_path / "run.gif", dpi=60)
    epochs = frame_epochs(frames)
    for place in (0, len(epochs) // 2, len(epochs) - 1):
        figure = draw_epoch(frames, epochs[place], dpi=60)
        figure.canvas.draw()
        drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
        with Image.open(path) as gif:
            gif.seek(place)
            shown = np.asarray(gif.convert("RGB")).astype(int)
        assert np.abs(drawn - shown).mean() < 1
        for x, y in ((0.36, 0.68), (0.64, 0.68), (0.64, 0.51)):
            middle = int((1 - y) * drawn.shape[0]), int(x * drawn.shape[1])
            assert np.abs(drawn[middle] - shown[middle]).max() < 24


def test_side_by_side_and_in_a_grid(result, tmp_path):
    runs = [frames_from_ensemble(result, seed, f"seed {seed}") for seed in range(4)]
    first = min(int(run.epochs[run.circuits > 0][0]) for run in runs)
    assert frame_epochs(runs) == list(range(first - 1, max(int(run.epochs[-1]) for run in runs) + 1))
    path = animate_circuits(runs, tmp_path / "grid.mp4", dpi=60, most_frames=20)
    assert imageio_ffmpeg.count_frames_and_secs(str(path))[0] >= 20
    wide = draw_epoch(runs[:2], 500)
    assert wide.get_figwidth() > wide.get_figheight()
    assert any("stopped at epoch" in text.get_text() for text in wide.texts)


def test_long_runs_are_thinned_but_keep_what_matters(frames):
    chosen = frame_epochs(frames, most=5)
    first = int(frames.epochs[np.flatnonzero(frames.circuits)[0]])
    assert {first - 1, 20, first, int(frames.epochs[-1])} <= set(chosen)
    assert min(chosen) == first - 1
    assert len(chosen) <= 8


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [("run.avi", {}, "written as .mp4 or .gif"), ("run.gif", {"fps": 0}, "fps is 0")],
)
def test_animations_that_cannot_be(frames, tmp_path, name, settings, says):
    with pytest.raises(OntogenyError, match=says):
        animate_circuits(frames, tmp_path / name, **settings)
    with pytest.raises(OntogenyError, match="no run"):
        animate_circuits([], tmp_path / "run.gif")


@pytest.mark.benchmark
def test_42_frames_take_half_a_megabyte_at_most(result, tmp_path):
    long = train_ensemble(EnsembleSettings(l1_lambda=1e-3, published_streams=True, epochs=41), [0])
    frames = frames_from_ensemble(long, 0, "XOR, L1 0.001")
    assert len(frames.epochs) == 42
    path = animate_circuits(frames, tmp_path / "run.mp4")
    assert path.stat().st_size < 500_000


def test_a_page_stands_alone_and_escapes(frames, tmp_path):
    from dataclasses import replace

    bad = '</script><img src=x onerror=alert(1)> @DATA@ & "quotes"'
    path = write_circuit_page(replace(frames, title=bad), tmp_path / "run.html", note=bad)
    text = path.read_text(encoding="utf-8")
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert "default-src 'none'" in text
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', text, re.S)[1])
    assert data["sizes"] == [2, 3, 3, 1]
    assert data["jumps"] == [9, 20]
    assert len(data["epochs"]) == len(frames.epochs)
    last = data["epochs"][-1]
    assert last["count"] == frames.circuits[-1] == len(last["circuits"])
    assert set("".join(last["circuits"])) == {"0", "1"}
    assert {len(code) for code in last["circuits"]} == {18}
    bits = np.array([[int(bit) for bit in code] for code in last["circuits"]])
    shares = np.concatenate([np.ravel(layer) for layer in last["edges"]])
    np.testing.assert_allclose(bits.mean(0), shares, atol=1e-4)
    again = write_circuit_page(replace(frames, title=bad), tmp_path / "again.html", note=bad)
    assert again.read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def history(result):
    other = train_ensemble(EnsembleSettings(dropout_rate=0.01, published_streams=True), range(6))
    return pd.concat(
        [
            ensemble_history(result, "baseline", epochs=range(0, 200, 4)),
            ensemble_history(other, "dropout 0.01", epochs=range(0, 200, 4)),
        ],
        ignore_index=True,
    )


def test_curves_and_effects_are_drawn(history, tmp_path):
    for name, (figure, table) in {
        "circuits": plot_curves(history),
        "sparsity": plot_curves(history, "sparsity"),
        "losses": plot_losses(history),
        "overview": plot_overview(history),
    }.items():
        assert set(table.condition) == {"baseline", "dropout 0.01"}
        assert (table.epoch > 0).all()
        written = save_figure(figure, tmp_path / name, table, formats=["png"])
        assert [path.suffix for path in written] == [".png", ".csv"]
    seeds = seed_table(history)
    effects = compare_conditions(seeds)
    figure = plot_regularisers(seeds, effects)
    assert "all candidates" in figure.axes[0].get_ylabel()
    shown = effects[(effects.measure == "circuits") & effects.effect.notna()]
    of_the_interval = [f"p = {row.p_value:.2g}, Holm {row.p_holm:.2g}" for row in shown.itertuples()]
    assert [text.get_text() for text in figure.axes[2].texts] == of_the_interval
    save_figure(figure, tmp_path / "effects", formats=["pdf"])
    with pytest.raises(OntogenyError, match="did you mean 'circuits'"):
        plot_curves(history, "circuit")


def test_nothing_converged_is_drawn_too(history):
    none = history.assign(converged=False)
    seeds = seed_table(none)
    plot_regularisers(seeds, compare_conditions(seeds))
    plot_overview(none[none.seed == 0])
