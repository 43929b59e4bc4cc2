"""The learning coefficient along runs and ensembles: from trajectories to tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ontogeny.complexity.estimate import LLC, estimate_llc, estimate_llc_of_mlps
from ontogeny.complexity.landscape import Data, Loss
from ontogeny.complexity.settings import ComplexityAnalysisSettings
from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import Moment
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.statistics import resampling_p_value
from ontogeny.training.ensemble import EnsembleResult, gate_data
from ontogeny.trajectory import Trajectory
from ontogeny.trajectory.series import task_loss

WHOLE = "all"
"""The group of all parameters."""

_SHIFTS = (1, 2, 3)


def complexity_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment] = (),
    settings: ComplexityAnalysisSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The learning coefficient of a run's network at evenly spaced steps and at its strongest jumps, by replay.

    One row per step and group of parameters: step, kind (`frame` or `jump`), group, llc, standard_error, r_hat, loss,
    mean_loss, n_beta, step_size, n_parameters, notes. The loss is the mean cross-entropy over the training samples,
    without label smoothing, class weights and dropout. Of checkpoints of another program the steps are evenly spaced
    among those that were saved, and the samples are those of the probe (token sequences: the next token).
    """
    settings = settings or ComplexityAnalysisSettings()
    data, loss = training_data(trajectory)
    jumps = [moment.step for moment in moments if moment.kind == "jump"][: settings.strongest]
    places = np.linspace(0, len(trajectory.steps) - 1, settings.frames).round().astype(int)
    steps = sorted({*(trajectory.steps[place] for place in places), *jumps})
    rows: list[dict[str, Any]] = []
    for done, (step, learner) in enumerate(trajectory.walk(steps), start=1):
        kind = "jump" if step in jumps else "frame"
        for group, llc in _by_group(learner.model, data, settings, loss).items():
            rows.append({"step": step, "kind": kind, "group": group, **_columns(llc)})
        if progress is not None:
            progress(done, len(steps))
    return pd.DataFrame(rows)


def training_data(trajectory: Trajectory) -> tuple[Data, Loss]:
    """The inputs and labels of all training samples of a run, on its device, as one epoch goes through them; its loss.

    Of checkpoints of another program they are those of the probe.

    Raises OntogenyError for tasks whose batches do not join.
    """
    cross_entropy = nn.functional.cross_entropy
    if trajectory.series is not None:
        return trajectory.series.probe, lambda outputs, targets: task_loss(outputs, targets)[0]
    if trajectory.config["settings"]["task"].get("kind") == "prompts":
        from ontogeny.trajectory.prompts import judge_data

        _, tokens, labels = judge_data(trajectory.config["settings"], trajectory.folder).split("train")
        return (tokens, labels), cross_entropy
    learner = trajectory.learner_at(0)
    parts = [learner.batch(step) for step in range(trajectory.config["data"]["steps_per_epoch"])]
    try:
        whole = torch.cat([inputs for inputs, _ in parts]), torch.cat([labels for _, labels in parts])
    except RuntimeError:
        raise OntogenyError(
            f"the batches of {trajectory.folder} differ in shape, so that its training samples cannot be taken together"
        ) from None
    return whole, cross_entropy


def parameter_groups(model: nn.Module) -> dict[str, list[str]]:
    """The trained parameters of each layer, as patterns by its name: of each block where there are numbered ones.

    `net.0.weight` belongs to `net.0`, `blocks.3.attention.out.weight` to `blocks.3`, `embed.weight` to `embed`.
    """
    groups: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            block = re.match(r"^(.*?\.?\d+)\.", name)
            groups.setdefault(block.group(1) if block else name.rpartition(".")[0] or name, []).append(name)
    return groups


def _by_group(model: nn.Module, data: Data, settings: ComplexityAnalysisSettings, loss: Loss) -> dict[str, LLC]:
    found = {WHOLE: estimate_llc(model, data, settings, loss)}
    if settings.by_layer:
        for group, names in parameter_groups(model).items():
            found[group] = estimate_llc(model, data, settings.model_copy(update={"parameters": names}), loss)
    return found


def _columns(llc: LLC) -> dict[str, Any]:
    return {
        "llc": llc.value,
        "standard_error": llc.standard_error,
        "r_hat": llc.r_hat,
        "loss": llc.loss,
        "mean_loss": llc.mean_loss,
        "n_beta": llc.n_beta,
        "step_size": llc.step_size,
        "n_parameters": llc.n_parameters,
        "notes": "; ".join(llc.notes),
    }


def complexity_of_ensemble(
    ensemble: EnsembleResult,
    settings: ComplexityAnalysisSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The learning coefficient of every network of an ensemble at evenly spaced epochs of its own training.

    One row per seed and epoch: seed, epoch, llc, standard_error, r_hat, loss, mean_loss, n_beta, step_size,
    n_parameters, notes. The loss is the mean squared error over the training samples, without penalties and dropout.
    """
    settings = settings or ComplexityAnalysisSettings()
    settings = settings.model_copy(update={"batch_size": None})
    places = [
        (position, int(epoch))
        for position, last in enumerate(ensemble.n_epochs)
        for epoch in np.unique(np.linspace(0, last, settings.frames).round().astype(int))
    ]
    rows = np.array([ensemble.offsets[position] + epoch for position, epoch in places])
    x, y, counts = _rows_of(ensemble)
    which = np.array([position for position, _ in places])
    found = estimate_llc_of_mlps(
        [w[rows] for w in ensemble.weights],
        [b[rows] for b in ensemble.biases],
        x if x.ndim == 2 else x[which],
        y if y.ndim == 2 else y[which],
        counts[which],
        ensemble.settings.activation,
        settings,
        progress,
    )
    return pd.DataFrame(
        [
            {"seed": int(ensemble.seeds[position]), "epoch": epoch, **_columns(llc)}
            for (position, epoch), llc in zip(places, found)
        ]
    )


def _rows_of(ensemble: EnsembleResult) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows (rows, in) or (seeds, rows, in), their targets, and how often each seed has each, (seeds, rows)."""
    samples = [gate_data(ensemble.settings, int(seed)).train for seed in ensemble.seeds]
    if ensemble.settings.noise_std > 0:
        x, y = np.stack([s.x for s in samples]), np.stack([s.y for s in samples])
        return x, y, np.ones(x.shape[:2])
    first = samples[0]
    _, place = np.unique(first.combination, return_index=True)
    counts = np.stack([np.bincount(s.combination, minlength=int(first.combination.max()) + 1) for s in samples])
    kept = np.unique(first.combination)
    return first.x[place], first.y[place], counts[:, kept]


def changes_beside(history: pd.DataFrame, record: Phase1) -> pd.DataFrame:
    """What may change with the coefficient: seed, epoch, circuits (log10 of 1 + their number), and dimensionalities.

    history: of `ensemble_history`, with seed, epoch and circuits. record: the ensemble's Phase 1 record, whose metrics
    become columns `layer metric`.
    """
    beside = history[["seed", "epoch"]].assign(circuits=np.log10(1 + history["circuits"].astype(float)))
    columns = []
    for run, layer, metric, steps, values in record.each_series():
        if layer == RUN_LEVEL:
            continue
        digits = re.search(r"(\d+)$", run)
        if digits:
            columns.append(
                pd.DataFrame({"seed": int(digits[1]), "epoch": steps, "name": f"{layer} {metric}", "value": values})
            )
    if not columns:
        return beside
    wide = pd.concat(columns).pivot_table(index=["seed", "epoch"], columns="name", values="value").reset_index()
    return beside.merge(wide, on=["seed", "epoch"], how="left")


def complexity_and_circuits(
    complexity: pd.DataFrame, history: pd.DataFrame, n_resamples: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Does the learning coefficient change where the circuits of a network do?

    complexity: of `complexity_of_ensemble`. history: seed, epoch and numeric columns to compare with (such as the
    number of circuits, or a dimensionality). For each column the statistic is the rank correlation, within a network,
    of the sizes of changes from one estimate to the next, averaged over networks. Two nulls: `shift`, the changes of
    the coefficient moved by one to three estimates, and `between_networks`, the column of another network.

    One row per column: quantity, n (networks), correlation, correlation_shifted, p_shift, correlation_between,
    p_between_networks. A correlation is NaN where nothing varies.
    """
    generator = np.random.default_rng(seed)
    columns = [c for c in history.columns if c not in ("seed", "epoch") and pd.api.types.is_numeric_dtype(history[c])]
    joined = complexity[["seed", "epoch", "llc"]].merge(history, on=["seed", "epoch"], how="inner").sort_values("epoch")
    rows = []
    for column in columns:
        changes = []
        for _, part in joined.dropna(subset=["llc", column]).groupby("seed"):
            moved = np.abs(np.diff(part["llc"])), np.abs(np.diff(part[column].to_numpy(float)))
            if len(moved[0]) > 2 + max(_SHIFTS) and np.ptp(moved[0]) > 0 and np.ptp(moved[1]) > 0:
                changes.append((_ranks(moved[0]), _ranks(moved[1])))
        rows.append({"quantity": column, "n": len(changes), **_against_nulls(changes, n_resamples, generator)})
    return pd.DataFrame(rows)


def _ranks(values: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(values)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    length = min(len(first), len(second))
    a, b = first[:length], second[:length]
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0


def _against_nulls(
    changes: list[tuple[np.ndarray, np.ndarray]], n_resamples: int, generator: np.random.Generator
) -> dict[str, float]:
    if len(changes) < 2:
        names = ("correlation", "correlation_shifted", "p_shift", "correlation_between", "p_between_networks")
        return dict.fromkeys(names, np.nan)
    observed = float(np.mean([_correlation(a, b) for a, b in changes]))
    moves = np.array([sign * shift for shift in _SHIFTS for sign in (1, -1)])
    by_shift = np.array([[_correlation(np.roll(a, move), b) for move in moves] for a, b in changes])
    drawn = generator.integers(len(moves), size=(n_resamples, len(changes)))
    shifted = by_shift[np.arange(len(changes)), drawn].mean(axis=1)
    across = np.array([[_correlation(a, b) for _, b in changes] for a, _ in changes])
    np.fill_diagonal(across, np.nan)
    orders = [_derangement(len(changes), generator) for _ in range(n_resamples)]
    between = np.array([across[np.arange(len(changes)), order].mean() for order in orders])
    return {
        "correlation": observed,
        "correlation_shifted": float(shifted.mean()),
        "p_shift": resampling_p_value(observed, shifted),
        "correlation_between": float(between.mean()),
        "p_between_networks": resampling_p_value(observed, between),
    }


def _derangement(count: int, generator: np.random.Generator) -> np.ndarray:
    """A random order in which nothing keeps its place."""
    while True:
        order = generator.permutation(count)
        if (order != np.arange(count)).all():
            return order
