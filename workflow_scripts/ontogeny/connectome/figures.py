"""Figures of simulated populations and of what was recovered from them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ontogeny.connectome.diagnose import diagnose_scatter
from ontogeny.connectome.metrics import (
    edge_threshold,
    find_types,
    function_range,
    rollout,
    rollout_metrics,
)
from ontogeny.connectome.outcome import KINDS, Recovery
from ontogeny.connectome.simulate import Activity
from ontogeny.connectome.wiring import connectivity_r2
from ontogeny.errors import OntogenyError
from ontogeny.plotting.style import COLOURS, DIVERGING, INK, MUTED, colour_map, figure, panel_letter, plain_ticks
from ontogeny.statistics import student_interval

_MOST_POINTS = 40_000
_WHICH_R2 = "R² is worked out after one factor scales the learned weights to the true ones"
_AS_RECORDED = 2.0
"""The place of recorded activity, which has no filling factor, beside the filling factors."""


def plot_activity(activity: Activity, neurons: int = 12, frames: int = 1000) -> tuple[Figure, pd.DataFrame]:
    """Traces of some neurons of each type in the first trajectory, coloured by type, and the table behind them."""
    u = activity.u[0, :frames].astype(np.float64)
    time = activity.delta_t * np.arange(len(u))
    types = np.zeros(u.shape[1], dtype=int) if activity.types is None else activity.types
    kinds = np.unique(types)
    each = max(1, neurons // len(kinds))
    shown = np.concatenate([np.flatnonzero(types == kind)[:each] for kind in kinds])
    colours = colour_map(kinds)
    fig, axes = figure(width=7.0, height=0.32 * len(shown) + 1.0)
    step = 2.2 * float(np.median(np.abs(u[:, shown]).max(0)))
    for row, neuron in enumerate(shown):
        axes.plot(time, u[:, neuron] - row * step, color=colours[types[neuron]], linewidth=0.9)
    axes.set_yticks([-row * step for row in range(len(shown))], [f"neuron {neuron}" for neuron in shown])
    axes.set_xlabel("time")
    axes.set_xlim(time[0], time[-1])
    axes.grid(False)
    axes.set_title(f"Activity of {len(shown)} of {u.shape[1]} neurons, coloured by type (spacing {step:.3g})")
    rows = [
        {"time": t, "neuron": int(n), "type": int(types[n]), "u": value}
        for n in shown
        for t, value in zip(time[::5], u[::5, n])
    ]
    return fig, pd.DataFrame(rows)


def _count_neurons(ax: Axes) -> None:
    """Mark whole neurons along both sides of a matrix."""
    ax.grid(False)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(5, integer=True))


def plot_connectivity(learned: np.ndarray, true: np.ndarray | None) -> tuple[Figure, pd.DataFrame]:
    """True and learned W (N, N) side by side, the learned one in the true scale, and what is left between them.

    The learned one alone, where the true one is not known.
    """
    if true is None:
        fig, ax = figure(width=4.2, height=3.6)
        limit = float(np.quantile(np.abs(learned), 0.98)) or 1.0
        image = ax.imshow(learned, cmap=DIVERGING, vmin=-limit, vmax=limit, rasterized=True)
        ax.set(title="Learned W", xlabel="sender j", ylabel="receiver i")
        _count_neurons(ax)
        fig.colorbar(image, ax=ax, shrink=0.85, label="weight", extend="both")
        return fig, pd.DataFrame({"matrix": ["learned"], "rms": [float(np.sqrt(np.mean(learned**2)))]})
    slope = connectivity_r2(learned, true)["slope"] or 1.0
    scaled = learned / slope
    limit = float(np.quantile(np.abs(true[true != 0]), 0.98)) if true.any() else 1.0
    error = scaled - true
    largest = float(np.abs(error).max()) or 1.0
    fig, axes = figure(1, 3, width=9.4, height=3.0, sharex=True, sharey=True)
    for ax, matrix, title, most in zip(
        axes, (true, scaled, error), ("True W", "Learned W", "Difference"), (limit, limit, min(limit, largest))
    ):
        image = ax.imshow(matrix, cmap=DIVERGING, vmin=-most, vmax=most, rasterized=True)
        if ax is axes[1]:
            fig.colorbar(image, ax=axes[:2], shrink=0.85, label="weight", extend="both")
        ax.set_title(title)
        ax.set_xlabel("sender j")
        _count_neurons(ax)
    axes[0].set_ylabel("receiver i")
    fig.colorbar(image, ax=axes[2], shrink=0.85, label="difference of weights", format="%.2g")
    size = lambda matrix: float(np.sqrt(np.mean(matrix**2)))  # noqa: E731
    table = pd.DataFrame({"matrix": ["true", "learned", "difference"], "rms": [size(true), size(scaled), size(error)]})
    return fig, table


def _scatter(ax: Axes, learned: np.ndarray, true: np.ndarray, seed: int = 0) -> dict[str, Any]:
    off = np.flatnonzero(~np.eye(len(true), dtype=bool).ravel())
    if len(off) > _MOST_POINTS:
        off = np.sort(np.random.Generator(np.random.PCG64(seed)).choice(off, _MOST_POINTS, replace=False))
    reading = diagnose_scatter(learned, true)
    x, y = true.ravel()[off], learned.ravel()[off]
    ax.scatter(x, y, s=2, color=COLOURS[0], alpha=0.35, linewidths=0, rasterized=True)
    limit = 1.05 * float(np.abs(true).max() or 1.0)
    line = np.array([-limit, limit])
    ax.plot(line, reading["slope"] * line, color=COLOURS[1], linewidth=1.1)
    ax.set_xlim(-limit, limit)
    ax.set_xlabel("true weight")
    ax.set_ylabel("learned weight")
    return reading


def plot_scatter(learned: np.ndarray, true: np.ndarray, title: str | None = None) -> tuple[Figure, pd.DataFrame]:
    """Learned against true weights, the fitted line, and the automatic reading above it."""
    fig, ax = figure(width=4.2, height=3.9)
    reading = _scatter(ax, learned, true)
    r2 = connectivity_r2(learned, true)["connectivity_R2"]
    ax.set_title(title or f"Connectivity R² = {r2:.4f}: {reading['diagnosis']}")
    ax.annotate(
        _wrap(reading["text"], 58) + "\n" + _wrap(_WHICH_R2, 58),
        (0, -0.2),
        xycoords="axes fraction",
        fontsize=7,
        color=INK,
        va="top",
    )
    return fig, pd.DataFrame([{"connectivity_R2": r2, **reading}])


def _wrap(text: str, width: int) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(text, width))


def plot_weights(result: Recovery) -> tuple[Figure, pd.DataFrame]:
    """How many learned weights have which size, and which count as edges (see `edge_threshold`).

    Without standard errors nothing can be told from 0, and the figure says so. Weights below a ten-thousandth of the
    largest are counted in the first bin.
    """
    off = ~np.eye(len(result.W), dtype=bool)
    sizes, cut = np.abs(result.W[off]), edge_threshold(result)[off]
    largest = float(sizes.max()) or 1.0
    edges = np.geomspace(1e-4 * largest, largest, 61)
    sizes = sizes.clip(edges[0])
    fig, ax = figure(width=4.6, height=3.2)
    found = int((sizes > cut).sum())
    tested = result.standard_errors is not None
    names = ("indistinguishable from 0", "edges") if tested else ("at most half of the usual size", "larger")
    for part, colour, name in zip((sizes <= cut, sizes > cut), (MUTED, COLOURS[0]), names):
        ax.hist(sizes[part], edges, color=colour, alpha=0.7, label=name)
    ax.set_xscale("log")
    plain_ticks(ax.xaxis)
    what = "count as edges" if tested else "are large, none tested"
    ax.set(xlabel="|learned weight|", ylabel="pairs", title=f"{found} of {len(sizes)} weights {what}")
    ax.legend()
    counts = {name: np.histogram(sizes[part], edges)[0] for name, part in (("all", ...), ("edges", sizes > cut))}
    return fig, pd.DataFrame({"low": edges[:-1], "high": edges[1:], **counts})


def plot_scatter_through_training(
    snapshots: dict[str, np.ndarray], true: np.ndarray, panels: int = 4
) -> tuple[Figure, pd.DataFrame]:
    """The scatter of W at `panels` moments of the training, evenly spaced over the snapshots that have a W.

    Raises OntogenyError if the fit kept no snapshots.
    """
    count = len(snapshots["step"])
    if count < 2:
        raise OntogenyError("the fit kept no snapshots of W: set n_snapshots to 2 or more")
    chosen = np.unique(np.linspace(1, count - 1, min(panels, count - 1)).round().astype(int))
    fig, axes = figure(1, len(chosen), width=2.5 * len(chosen), height=2.8, squeeze=False)
    rows = []
    for ax, k in zip(axes[0], chosen):
        reading = _scatter(ax, snapshots["W"][k], true)
        r2 = connectivity_r2(snapshots["W"][k], true)["connectivity_R2"]
        ax.set_title(f"step {int(snapshots['step'][k])}\nR² = {r2:.3f}, {reading['diagnosis']}", fontsize=8)
        ax.set_ylabel("")
        rows.append({"step": int(snapshots["step"][k]), "connectivity_R2": r2, **reading})
    axes[0][0].set_ylabel("learned weight")
    fig.supxlabel(_WHICH_R2, x=0.01, ha="left", fontsize=7, color=MUTED)
    return fig, pd.DataFrame(rows)


def plot_embedding(result: Recovery, truth: Activity) -> tuple[Figure, pd.DataFrame]:
    """The learned embeddings (first two dimensions), coloured by true type, or found type where that is not known."""
    types, origin = _types(result, truth)
    fig, ax = figure(width=4.2, height=3.6)
    embedding = result.embedding if result.embedding.shape[1] > 1 else np.c_[result.embedding, 0 * result.embedding]
    for kind, colour in colour_map(np.unique(types)).items():
        mine = types == kind
        ax.scatter(*embedding[mine, :2].T, s=14, color=colour, alpha=0.8, linewidths=0, label=f"type {kind}")
    ax.set_xlabel("embedding 1")
    ax.set_ylabel("embedding 2")
    ax.margins(0.12)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set_title(f"Embeddings, coloured by {origin} type")
    table = pd.DataFrame(embedding[:, :2], columns=["embedding_1", "embedding_2"])
    return fig, table.assign(neuron=np.arange(len(types)), type=types)


def _types(result: Recovery, truth: Activity) -> tuple[np.ndarray, str]:
    if truth.types is not None:
        return truth.types, "true"
    return find_types(result.phi(function_range(truth))), "found"


def _plot_found_functions(result: Recovery, truth: Activity) -> tuple[Figure, pd.DataFrame]:
    u, (types, origin) = function_range(truth, 201), _types(result, truth)
    phi, psi = result.phi(u), result.psi(u)
    fig, (left, right) = figure(1, 2, width=7.6, height=3.2)
    rows = []
    for kind, colour in colour_map(np.unique(types)).items():
        mine = np.flatnonzero(types == kind)
        left.plot(u, phi[:, mine[:60]], color=colour, linewidth=0.5, alpha=0.35)
        left.plot(u, np.median(phi[:, mine], axis=1), color=colour, label=f"{origin} type {kind}")
        middle = np.median(phi[:, mine], axis=1)
        rows += [{"function": f"phi, type {kind}", "u": x, "learned_median": m} for x, m in zip(u, middle)]
    left.legend(fontsize=7)
    left.set(xlabel="u", ylabel="φ(u, a)", title="Update functions")
    right.plot(u, psi, color=COLOURS[0], linewidth=2.2)
    right.set(xlabel="u", ylabel="ψ(u)", title="Transfer function")
    for ax, letter in zip((left, right), "ab"):
        panel_letter(ax, letter)
    return fig, pd.DataFrame(rows + [{"function": "psi", "u": x, "learned_median": p} for x, p in zip(u, psi)])


def plot_functions(result: Recovery, truth: Activity, reach: float = 5.0) -> tuple[Figure, pd.DataFrame]:
    """Learned (thin) against true (dashed) phi of every neuron by type, and psi in the true scale.

    Without known functions: the learned ones, with the median of every type.
    """
    if truth.params is None:
        return _plot_found_functions(result, truth)
    u = np.linspace(-reach, reach, 201)
    types = np.zeros(truth.n_neurons, dtype=int) if truth.types is None else truth.types
    kinds = np.unique(types)
    colours = colour_map(kinds)
    learned, true = result.phi(u), truth.phi(u)
    fig, (left, right) = figure(1, 2, width=7.6, height=3.2)
    rows = []
    for kind in kinds:
        mine = np.flatnonzero(types == kind)
        left.plot(u, learned[:, mine[:60]], color=colours[kind], linewidth=0.5, alpha=0.35)
        left.plot(u, true[:, mine[0]], color=INK, linewidth=1.1, linestyle="--")
        left.plot([], [], color=colours[kind], label=f"type {kind}")
        rows += [
            {"function": f"phi, type {kind}", "u": x, "true": t, "learned_median": m}
            for x, t, m in zip(u, true[:, mine[0]], np.median(learned[:, mine], axis=1))
        ]
    limit = 1.25 * float(np.abs(true).max())
    left.set_ylim(-limit, limit)
    left.plot([], [], color=INK, linestyle="--", label="true")
    left.legend(ncols=2, fontsize=7)
    left.set(xlabel="u", ylabel="φ(u, a)", title="Update functions")
    psi, target = result.psi(u), truth.psi(u)
    psi = psi * float(psi @ target / (psi @ psi))
    right.plot(u, psi, color=COLOURS[0], linewidth=2.2, label="learned, in the true scale")
    right.plot(u, target, color=INK, linewidth=1.1, linestyle="--", label="true")
    right.legend()
    right.set(xlabel="u", ylabel="ψ(u)", title="Transfer function")
    for ax, letter in zip((left, right), "ab"):
        panel_letter(ax, letter)
    rows += [{"function": "psi", "u": x, "true": t, "learned_median": p} for x, t, p in zip(u, target, psi)]
    return fig, pd.DataFrame(rows)


def plot_rollout(result: Recovery, truth: Activity, neurons: int = 6, frames: int = 400) -> tuple[Figure, pd.DataFrame]:
    """True and recovered network left alone from the same new state: traces about the true mean of each neuron.

    Without known functions: recorded activity that the fit did not see, and the recovered network from its first frame.
    """
    true, learned = rollout(result, truth, frames, 1)
    frames = true.shape[1]
    known = truth.params is not None and truth.W is not None
    scores = rollout_metrics(true, learned)
    time = truth.delta_t * np.arange(frames)
    moving = np.argsort(-true[0].std(0), kind="stable")
    neurons = min(neurons, len(moving))
    shown = moving[np.linspace(0, max(len(moving) // 2, neurons - 1), neurons).astype(int)]
    fig, ax = figure(width=7.0, height=0.5 * neurons + 1.2)
    level = true[0].mean(0)
    step = 2.4 * float(np.median(np.abs(true[0] - level)[:, shown].max(0))) or 1.0
    for row, neuron in enumerate(shown):
        ax.plot(
            time,
            true[0, :, neuron] - level[neuron] - row * step,
            color=INK,
            linewidth=2.2,
            alpha=0.3,
            label=("true" if known else "recorded") if not row else None,
        )
        low, high = true[0, :, neuron].min() - step, true[0, :, neuron].max() + step
        path = np.clip(learned[0, :, neuron], low, high) - level[neuron] - row * step
        ax.plot(time, path, color=COLOURS[1], linewidth=0.9, label="recovered" if not row else None)
    ax.set_yticks([-row * step for row in range(len(shown))], [f"neuron {n}" for n in shown])
    ax.set_xlabel("time")
    ax.set_xlim(0, time[-1])
    ax.grid(False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    start = "a new state" if known else "an unseen frame"
    ax.set_title(f"Rollout from {start}: R² = {scores['test_R2']:.4f}, Pearson = {scores['test_pearson']:.4f}")
    rows = [
        {"time": t, "neuron": int(n), "true": a, "recovered": b}
        for n in shown
        for t, a, b in zip(time, true[0, :, n], learned[0, :, n])
    ]
    return fig, pd.DataFrame(rows)


_MISSED = {"connectivity_R2": "1 − R²"}
"""Metrics near 1, of which the rest to 1 is drawn on a logarithmic axis, and its name."""
_LEAST_MISSED = 1e-6


def _missed(values: Any) -> Any:
    return np.maximum(1.0 - np.asarray(values, dtype=float), _LEAST_MISSED)


def _identity(values: Any) -> Any:
    return values


def plot_recovery(
    table: pd.DataFrame, metrics: Sequence[str] = ("connectivity_R2", "cluster_accuracy")
) -> tuple[Figure, pd.DataFrame]:
    """Metrics against the filling factor, one line per condition, with points per seed and 95% t intervals over seeds.

    `table` has columns filling_factor (empty for recorded activity), condition, seed and the metrics (empty if not
    known), and may have `verdict`, which the legend counts for each condition.

    Raises OntogenyError for a table that lacks a column.
    """
    for column in ("filling_factor", "condition", *metrics):
        if column not in table:
            raise OntogenyError(f"the recovery table lacks the column {column}")
    conditions = colour_map(table["condition"])
    table = table.assign(filling_factor=pd.to_numeric(table["filling_factor"]).fillna(_AS_RECORDED))
    levels = sorted(table["filling_factor"].unique())
    fig, axes = figure(1, len(metrics), width=3.6 * len(metrics), height=3.2, squeeze=False)
    rows: list[dict[str, object]] = []
    for ax, metric in zip(axes[0], metrics):
        rows += _recovery_panel(ax, table, metric, conditions, levels)
    handles, names = axes[0][0].get_legend_handles_labels()
    drawn = {str(row["condition"]) for row in rows}
    labels = [_with_verdicts(name, table, known=not drawn or name in drawn) for name in names]
    fig.legend(handles, labels, loc="outside lower center", ncols=min(4 if labels == names else 3, len(conditions)))
    columns = ["metric", "condition", "filling_factor", "mean", "low", "high", "seeds"]
    return fig, pd.DataFrame(rows, columns=columns).replace({"filling_factor": {_AS_RECORDED: np.nan}})


def _with_verdicts(condition: str, table: pd.DataFrame, known: bool) -> str:
    """The condition, and below it how many of its runs got which verdict on their wiring, and whether it has no points
    as nothing is `known` of the truth."""
    of_runs = table.loc[table["condition"].astype(str) == condition].get("verdict", pd.Series(dtype=str)).dropna()
    counts = of_runs.value_counts(sort=False)
    if not len(counts):
        return condition if known else f"{condition}\n(no truth was given)"
    verdicts = sorted(counts.index, key=KINDS.index)
    text = ", ".join(kind if len(of_runs) == 1 else f"{counts[kind]} {kind}" for kind in verdicts)
    return f"{condition}\n(wiring: {text}{'' if known else '; no truth was given'})"


def _recovery_panel(
    ax: Axes, table: pd.DataFrame, metric: str, conditions: dict[Hashable, str], levels: Sequence[float]
) -> list[dict[str, object]]:
    """Draw one metric of the recovery table; the rows of what is drawn."""
    place = {level: k for k, level in enumerate(levels)}
    rows: list[dict[str, object]] = []
    missed = _MISSED.get(metric)
    shown = _identity if missed is None else _missed
    for shift, (condition, colour) in zip(
        np.linspace(-0.06, 0.06, len(conditions)) if len(conditions) > 1 else [0.0], conditions.items()
    ):
        part = table[table["condition"] == condition]
        means = []
        for level in levels:
            values = pd.to_numeric(part.loc[part["filling_factor"] == level, metric], errors="coerce").dropna()
            if not len(values):
                continue
            mean, low, high = (float(end) for end in student_interval(values))
            x = place[level] + shift
            means.append((x, shown(mean)))
            ax.plot(np.full(len(values), x), shown(values), ".", color=colour, alpha=0.4, markersize=4)
            if np.isfinite(low):
                ends = shown(np.clip([low, high], -0.05, 1.05 if missed is None else 1.0))
                ax.plot([x, x], ends, color=colour, linewidth=2, alpha=0.6)
            rows.append(
                {
                    "metric": metric,
                    "condition": condition,
                    "filling_factor": level,
                    "mean": mean,
                    "low": low,
                    "high": high,
                    "seeds": len(values),
                }
            )
        ax.plot(*np.reshape(means, (-1, 2)).T, color=colour, marker="o", markersize=4, label=condition)
    if not rows:
        ax.update_datalim([(0, 1)])
        _say_unknown(ax)
    ax.axhline(shown(0.9), color=MUTED, linewidth=0.8, linestyle=":")
    ax.set_xticks(
        range(len(levels)), ["recorded" if level == _AS_RECORDED else f"{100 * level:g}%" for level in levels]
    )
    ax.set_xlim(-0.5, len(levels) - 0.5)
    ax.set_xlabel("connectivity")
    ax.set_title({"connectivity_R2": "Wiring", "cluster_accuracy": "Cell types"}.get(metric, metric))
    if missed is None:
        ax.set_ylim(-0.05, 1.05)
        ax.set_ylabel("share of neurons" if metric == "cluster_accuracy" else metric)
    else:
        ax.set_yscale("log")
        plain_ticks(ax.yaxis)
        ax.set_ylim(2 * max(1.0, ax.get_ylim()[1] / 2), min(0.01, max(ax.get_ylim()[0], _LEAST_MISSED)) / 2)
        ax.set_ylabel(f"{missed} (better upwards)")
    return rows


def _say_unknown(ax: Axes) -> None:
    ax.text(0.5, 0.3, "not known: no truth was given", transform=ax.transAxes, ha="center", va="center")


def plot_learning(table: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """How fits took shape: recovery of W, types found in the embeddings, and the shape of both, over the training.

    `table` has the columns of `ontogeny.connectome.learning_table`, and `run`, `condition` and `filling_factor`. One
    line per run, one colour per condition, paler where wiring is sparser; bands are 95% bootstrap intervals over
    neurons.
    """
    panels = {
        "connectivity_R2": "Connectivity R²",
        "type_ARI": "Types in the embeddings (ARI)",
        "W_share": "W: variance in 10 components",
        "embedding_PC1": "Embeddings: spread along PC1",
    }
    colours = colour_map(table["condition"])
    fig, axes = figure(2, 2, width=7.2, height=5.2, sharex=True)
    for ax, (column, title), letter in zip(axes.flat, panels.items(), "abcd"):
        for _, part in table.groupby("run", sort=False):
            values = pd.to_numeric(part[column], errors="coerce")
            condition = part["condition"].iloc[0]
            levels = sorted(
                table.loc[table["condition"] == condition, "filling_factor"].dropna().unique(), reverse=True
            )
            level = part["filling_factor"].iloc[0]
            colour = _paler(colours[condition], levels.index(level) / len(levels) if level in levels else 0.0)
            ax.plot(part["share"], values, color=colour, linewidth=1.1, marker=".", markersize=3, alpha=0.85)
            if column == "type_ARI":
                low, high = (pd.to_numeric(part[f"type_ARI_{end}"], errors="coerce") for end in ("low", "high"))
                ax.fill_between(part["share"], low, high, color=colour, alpha=0.08, linewidth=0)
        if pd.to_numeric(table[column], errors="coerce").isna().all():
            _say_unknown(ax)
        ax.set_title(title)
        panel_letter(ax, letter)
    for ax in axes[1]:
        ax.set_xlabel("share of the training, before refinement")
    axes[0][0].set_ylim(-0.05, 1.05)
    handles = [axes[0][0].plot([], [], color=colour, label=condition)[0] for condition, colour in colours.items()]
    several = table.groupby("condition")["filling_factor"].nunique().max() > 1
    shades = "paler: sparser wiring" if several else None
    fig.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), title=shades)
    return fig, table


def _paler(colour: str, share: float) -> tuple[float, float, float]:
    """`colour` with `share` of the way to white."""
    red, green, blue = to_rgb(colour)
    return red + share * (1 - red), green + share * (1 - green), blue + share * (1 - blue)


def plot_loss(result: Recovery) -> tuple[Figure, pd.DataFrame]:
    """Training loss and error over the steps, logarithmic."""
    table = pd.DataFrame(result.history)
    fig, ax = figure(width=4.6, height=3.0)
    ax.semilogy(table["step"], table["loss"], label="loss", linewidth=2.4)  # also seen where the error is all of it
    ax.semilogy(table["step"], table["error"], label="error / variance")
    low, high = np.log10([table[["loss", "error"]].to_numpy().min(), table[["loss", "error"]].to_numpy().max()])
    ax.set_ylim(10.0 ** np.floor(low), 10.0 ** np.ceil(high + 1e-9))
    plain_ticks(ax.yaxis)
    ax.set(xlabel="step", ylabel="loss", title="Training")
    ax.legend()
    return fig, table
