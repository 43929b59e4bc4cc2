"""Figures of records: they show the layers, runs and jumps they are given, and stand empty or hostile tables."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from ontogeny.jumps import figures, runs_figures
from ontogeny.jumps.agreement import detector_agreement
from ontogeny.jumps.characterise import characterise_jumps, jump_kinds
from ontogeny.jumps.comparison import compare_groups, jump_rates, searched_series
from ontogeny.jumps.convergence import layer_convergence
from ontogeny.jumps.critical_periods import find_critical_periods, loss_relation
from ontogeny.phase1 import find_records, phase1_from_frame, read_many
from ontogeny.plotting import save_figure
from ontogeny.plotting.style import figure, from_zero, step_axis

RESOURCES = Path(__file__).parents[3] / "resources" / "phase1"
RUN = "cnn_shallow_mnist"


@pytest.fixture(scope="module")
def record():
    return read_many(find_records(RESOURCES))


@pytest.fixture(scope="module")
def jumps(record):
    rng = np.random.default_rng(0)
    rows = []
    for run, layer, metric, steps, values in record.each_series():
        if layer != "(run)":
            for i in rng.integers(10, 390, 2):
                size = values[i + 5] - values[i - 5]
                rows.append((run, layer, metric, steps[i], i, size, "up" if size > 0 else "down"))
    return pd.DataFrame(rows, columns=["run", "layer", "metric", "step", "index", "size", "direction"])


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def labels(axis):
    return [tick.get_text() for tick in axis.get_yticklabels()]


def test_metrics_of_a_run(record, jumps, tmp_path):
    fig = figures.plot_metrics(record, RUN, jumps)
    assert fig.axes[0].get_ylabel() == "Stable rank\n(rebuilt)"
    assert len(fig.axes) == 5
    assert [len(axis.lines) for axis in fig.axes] == [3, 3, 3, 3, 1]
    assert sum(len(c.get_offsets()) for c in fig.axes[0].collections) == 6
    assert save_figure(fig, tmp_path / "metrics", record.wide("fc", RUN), formats=["png"])[0].stat().st_size > 10_000
    assert len(figures.plot_metrics(record.select([RUN]), metrics=["stable_rank"]).axes) == 2


def test_heat_map(record, jumps):
    fig = figures.plot_heat_map(record, RUN, jumps)
    assert labels(fig.axes[0]) == ["conv_layers.0", "conv_layers.3", "fc"]
    grid = fig.axes[0].collections[0].get_array()
    assert grid.shape == (3, 400)
    assert abs(np.ma.median(grid)) < 0.1


def test_figures_across_runs(record, jumps):
    described = characterise_jumps(jumps, record)
    rates = jump_rates(jumps, searched_series(record.frame))
    fig = runs_figures.plot_jump_overview(described, rates, {run: run.split("_")[0] for run in record.runs})
    assert labels(fig.axes[0]) == record.runs[:1] + [figures.shortened(run) for run in record.runs[1:]]
    assert len(fig.axes[1].patches) == len(record.runs)
    kinds = jump_kinds(described, references=5, most=3)
    assert len(runs_figures.plot_jump_kinds(described, kinds.labels, kinds.evidence, kinds.reason).axes) == 3
    rates = rates.assign(kind=rates["run"].str.startswith("mlp").map({True: "mlp", False: "other"}))
    fig = runs_figures.plot_comparison(rates, compare_groups(rates, "rate", "kind"), "rate", "kind")
    assert labels(fig.axes[0]) == ["other (3)", "mlp (3)"]
    found = layer_convergence(record, ["participation_ratio"], n_resamples=20, shuffles=99)
    fig = runs_figures.plot_convergence(found.layers, found.order, "participation_ratio")
    assert "settled" in fig.axes[0].get_title(loc="left")


@pytest.mark.parametrize("direction", ["up", "down"])
def test_overview_of_jumps_in_one_direction(record, jumps, direction):
    described = characterise_jumps(jumps, record)
    chosen = described[described["direction"] == direction]
    fig = runs_figures.plot_jump_overview(chosen, jump_rates(chosen, searched_series(record.frame)))
    assert fig.axes[0].get_title(loc="left") == f"{len(chosen)} jumps in {len(record.runs)} runs"
    chosen = chosen.assign(kind=["transition", *["jump"] * (len(chosen) - 1)])
    fig = runs_figures.plot_jump_overview(chosen, jump_rates(chosen, searched_series(record.frame)))
    said = f"{len(chosen) - 1} jumps and 1 transition in {len(record.runs)} runs"
    assert fig.axes[0].get_title(loc="left") == said


def test_critical_periods_and_agreement(record, jumps):
    found, relation = find_critical_periods(jumps, record, shuffles=50), loss_relation(jumps, record, shuffles=50)
    fig = runs_figures.plot_critical_periods(found.coordination, relation.table, sentence=relation.sentence)
    assert len(fig.axes) == 2
    assert "(all)" in labels(fig.axes[0])
    agreement = detector_agreement({"a": jumps, "b": jumps.iloc[::2]}, searched_series(record.frame), shuffles=20)
    assert len(runs_figures.plot_agreement(agreement).axes[0].texts) == 1


def test_nothing_found_still_makes_figures(record, tmp_path):
    none = pd.DataFrame(columns=["run", "layer", "metric", "step", "index", "size", "direction"])
    described = characterise_jumps(none, record)
    rates = jump_rates(none, searched_series(record.frame))
    kinds = jump_kinds(described)
    found, relation = find_critical_periods(none, record, shuffles=20), loss_relation(none, record, shuffles=20)
    flat = phase1_from_frame(
        pd.DataFrame({"run": "r", "layer": "a", "metric": "stable_rank", "step": range(100), "value": 2.0})
    )
    still = layer_convergence(flat, n_resamples=10)
    made = [
        figures.plot_metrics(record, RUN, none),
        figures.plot_heat_map(flat, "r", none),
        runs_figures.plot_jump_overview(described, rates),
        runs_figures.plot_jump_kinds(described, kinds.labels, kinds.evidence, kinds.reason),
        runs_figures.plot_convergence(still.layers, still.order, "stable_rank"),
        runs_figures.plot_critical_periods(found.coordination, relation.table, sentence=relation.sentence),
        runs_figures.plot_agreement(detector_agreement({"a": none, "b": none}, searched_series(record.frame))),
    ]
    for fig in made:
        fig.draw_without_rendering()


def test_hostile_names(tmp_path):
    name = "$\\frac{<script>" + "x" * 200 + "\n"
    frame = pd.DataFrame({"run": name, "layer": "$_{", "metric": "$^", "step": range(60), "value": np.arange(60.0)})
    record = phase1_from_frame(frame)
    for fig in (figures.plot_metrics(record), figures.plot_heat_map(record)):
        save_figure(fig, tmp_path / "hostile", formats=["png"])
    assert len(figures.shortened(name)) <= 34


@pytest.mark.parametrize(
    ("steps", "ticks"),
    [
        ([0, 1, 8, 64, 512, 4000, 143000], ["0", "1", "10", "100", "1000", "10000", "100000"]),
        ([512, 1024, 2048, 4096, 64000], ["1000", "10000"]),
        (range(0, 1000, 10), None),
        ([0, 10], None),
    ],
)
def test_an_axis_of_steps_is_logarithmic_where_they_are_spaced_so(steps, ticks):
    fig, axes = figure(1, 1)
    axes.plot(steps, np.ones(len(steps)))
    step_axis(axes, steps)
    fig.canvas.draw()
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert axes.get_xscale() == ("linear" if ticks is None else "symlog")
    assert ticks is None or shown == ticks
    low, high = axes.get_xlim()
    assert low <= steps[0] < steps[-1] <= high
    assert not any("$" in label for label in shown)


def test_labels_of_ticks_never_meet(tmp_path, monkeypatch):
    fig, axes = figure(width=3.5)
    axes.scatter([-0.19, 0], [0, 1])
    seen, save = [], type(fig).savefig
    monkeypatch.setattr(
        type(fig), "savefig", lambda fig, *a, **k: (seen.extend(map(_boxes, fig.axes)), save(fig, *a, **k))
    )
    save_figure(fig, tmp_path / "narrow", formats=["png"])
    (boxes,) = seen
    assert len(boxes) > 1
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def _boxes(axes):
    low, high = axes.get_xlim()
    labels = [label for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    return [label.get_window_extent(axes.figure.canvas.get_renderer()) for label in labels]


def test_rates_of_runs_without_a_change_start_at_zero(record):
    rates = jump_rates(pd.DataFrame(columns=["run", "layer", "metric", "fraction"]), searched_series(record.frame))
    nothing = pd.DataFrame(columns=["run", "fraction", "direction"])
    bars = runs_figures.plot_jump_overview(nothing, rates).axes[1]
    families = rates.assign(family=rates["run"].str.split("_").str[0])
    dots = runs_figures.plot_comparison(families, compare_groups(families, "rate", "family"), "rate", "family").axes[0]
    for axis in (bars, dots):
        low, high = axis.get_xlim()
        assert high == 1
        assert min(tick for tick in axis.get_xticks() if low <= tick <= high) == 0


def test_axes_start_at_zero_only_where_nothing_is_below():
    _, (first, second) = figure(1, 2, sharey=True)
    first.plot([0, 1], [0, 0])
    second.plot([0, 1], [0, 5])
    from_zero(first)
    assert second.get_ylim()[0] == 0
    assert second.get_ylim()[1] >= 5
    second.plot([0, 1], [0, -3])
    before = second.get_ylim()
    from_zero(first)
    assert second.get_ylim() == before


def test_titles_of_whole_figures_are_as_bold_as_those_of_panels(record, jumps):
    described = characterise_jumps(jumps.head(5), record)
    few = jump_kinds(described)
    fig = runs_figures.plot_jump_kinds(described, few.labels, few.evidence, few.reason)
    assert fig._suptitle.get_fontweight() == fig.axes[0].title.get_fontweight() == "bold"
