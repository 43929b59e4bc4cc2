"""The learning coefficient along runs and ensembles: from trajectories to tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ontogeny.arguments import checks_arguments
from ontogeny.complexity.estimate import LLC, estimate_llc, estimate_llc_of_mlps
from ontogeny.complexity.groups import head_groups, parameter_groups
from ontogeny.complexity.landscape import Data, Loss
from ontogeny.complexity.settings import ComplexityAnalysisSettings
from ontogeny.complexity.stages import WHOLE
from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import Moment
from ontogeny.phase1 import RUN_LEVEL, Phase1
from ontogeny.statistics import adjust, bootstrap_interval, percentile_interval, resampling_p_value
from ontogeny.training.ensemble import EnsembleResult, gate_data
from ontogeny.trajectory import Trajectory
from ontogeny.trajectory.series import task_loss

_SHIFTS = (1, 2, 3)


@checks_arguments
def complexity_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment] = (),
    settings: ComplexityAnalysisSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """The learning coefficient of a run's network at evenly spaced steps and at its strongest events, by replay.

    One row per step, group of parameters, and localisation: step, kind (`frame`, `jump` or `transition`), group,
    localisation, llc, standard_error, r_hat, loss, mean_loss, n_beta, step_size, n_parameters, notes. The chains of all
    steps draw the same noise, so that differences between steps have smaller errors than the steps themselves. The loss
    is the mean cross-entropy over the training samples, without label smoothing, class weights and dropout. Of
    checkpoints of another program the steps are evenly spaced among those that were saved, and the samples are those of
    the probe (token sequences: the next token).
    """
    settings = settings or ComplexityAnalysisSettings()
    data, loss = training_data(trajectory)
    events = sorted((moment for moment in moments if moment.is_event), key=lambda moment: moment.rank)
    jumps = {moment.step: moment.kind for moment in events[: settings.strongest]}
    places = np.linspace(0, len(trajectory.steps) - 1, settings.frames).round().astype(int)
    steps = sorted({*(trajectory.steps[place] for place in places), *jumps})
    rows: list[dict[str, Any]] = []
    for done, (step, learner) in enumerate(trajectory.walk(steps), start=1):
        kind = jumps.get(step, "frame")
        for group, chosen in _estimates(learner.model, settings):
            llc = estimate_llc(learner.model, data, chosen, loss)
            rows.append(
                {"step": step, "kind": kind, "group": group, "localisation": chosen.localisation, **_columns(llc)}
            )
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


def _estimates(
    model: nn.Module, settings: ComplexityAnalysisSettings
) -> Iterator[tuple[str, ComplexityAnalysisSettings]]:
    """What is estimated at each step: the group and its settings, all parameters at the first localisation first."""
    for localisation in dict.fromkeys([settings.localisation, *settings.localisations]):
        yield WHOLE, settings.model_copy(update={"localisation": localisation})
    if settings.by_layer:
        for group, names in parameter_groups(model).items():
            yield group, settings.model_copy(update={"parameters": names})
    if settings.by_head:
        for group, names in head_groups(model).items():
            yield group, settings.model_copy(update={"parameters": names})


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


@checks_arguments
def complexity_of_ensemble(
    ensemble: EnsembleResult,
    settings: ComplexityAnalysisSettings | None = None,
    progress: Callable[[int, int], None] | None = None,
    history: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The learning coefficient of every network of an ensemble at evenly spaced epochs of its own training.

    history: seed and epoch, such as those at which circuits were counted: epochs are taken from these alone. One row
    per seed and epoch: seed, epoch, llc, standard_error, r_hat, loss, mean_loss, n_beta, step_size, n_parameters,
    notes. The loss is the mean squared error over the training samples, without penalties and dropout.
    """
    settings = settings or ComplexityAnalysisSettings()
    settings = settings.model_copy(update={"batch_size": None})
    counted = {} if history is None else {seed: np.sort(part) for seed, part in history.groupby("seed")["epoch"]}
    places = [
        (position, int(epoch))
        for position, (seed, last) in enumerate(zip(ensemble.seeds, ensemble.n_epochs))
        for epoch in _evenly(counted.get(int(seed), np.arange(last + 1)), settings.frames)
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


def _evenly(epochs: np.ndarray, count: int) -> np.ndarray:
    """`count` of the sorted epochs as evenly spaced as they allow, the ends among them; all, if there are no more."""
    wanted = np.linspace(epochs[0], epochs[-1], count)
    return np.unique(epochs[np.abs(epochs[:, None] - wanted).argmin(axis=0)])


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


@checks_arguments
def complexity_and_circuits(
    complexity: pd.DataFrame, history: pd.DataFrame, n_resamples: int = 999, seed: int = 0
) -> pd.DataFrame:
    """Does the learning coefficient change where the circuits of a network do?

    complexity: of `complexity_of_ensemble`. history: seed, epoch and numeric columns to compare with (such as the
    number of circuits, or a dimensionality). For each column the statistic is the rank correlation, within a network,
    of the sizes of changes from one estimate to the next, averaged over networks; and the same with the change of the
    logarithm of the loss taken out of both (a partial correlation), since all of them change while the loss falls. Two
    nulls: `shift`, the changes of the coefficient moved by one to three estimates, and `between_networks`, the column
    of another network with as many estimates, which are at the same shares of its training.

    Two rows per column: quantity, given (`nothing` or `loss`), n (networks), correlation, low and high (95 %, bootstrap
    over networks), signed (the correlation of the changes with their signs), correlation_shifted, p_shift,
    correlation_between, between_low and between_high (95 % of the null), p_between_networks, and
    p_between_networks_adjusted (for all rows together; Benjamini and Hochberg 1995). Networks in which either never
    changes are left out; NaN where fewer than two are left.
    """
    generator = np.random.default_rng(seed)
    columns = [c for c in history.columns if c not in ("seed", "epoch") and pd.api.types.is_numeric_dtype(history[c])]
    joined = complexity[["seed", "epoch", "llc", "loss"]].merge(history, on=["seed", "epoch"], how="inner")
    joined = joined.sort_values("epoch").assign(loss=lambda table: np.log(table["loss"].clip(lower=1e-300)))
    rows = []
    for column in columns:
        changes = _changes(joined, column)
        for given in ("nothing", "loss"):
            groups = [_standardised(part, given == "loss") for part in changes]
            found = _against_nulls([g for g in groups if len(g[0]) > 1], n_resamples, generator)
            rows.append({"quantity": column, "given": given, **found})
    table = pd.DataFrame(rows)
    table["p_between_networks_adjusted"] = adjust(table["p_between_networks"], "bh").p_values
    return table


def _changes(joined: pd.DataFrame, column: str) -> list[np.ndarray]:
    """Changes (networks, 3, estimates - 1) of the coefficient, of `column` and of the loss, by number of estimates."""
    groups: dict[int, list[np.ndarray]] = {}
    for _, part in joined.dropna(subset=["llc", column]).groupby("seed"):
        moved = np.diff(part[["llc", column, "loss"]].to_numpy(float), axis=0).T
        if moved.shape[1] > 2 + max(_SHIFTS) and (np.ptp(np.abs(moved[:2]), axis=1) > 0).all():
            groups.setdefault(moved.shape[1], []).append(moved)
    return [np.array(part) for part in groups.values()]


def _standardised(changes: np.ndarray, without_loss: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks of changes of the coefficient and of the other, (networks, estimates - 1), centred and of length 1, so that
    their product is a correlation; and the correlations (networks,) of the changes with their signs."""
    from scipy.stats import rankdata

    sizes, signed = _unit(rankdata(np.abs(changes), axis=2)), _unit(rankdata(changes, axis=2))
    if without_loss:
        sizes, signed = (_unit(r - (r * r[:, 2:]).sum(2, keepdims=True) * r[:, 2:]) for r in (sizes, signed))
    return sizes[:, 0], sizes[:, 1], (signed[:, 0] * signed[:, 1]).sum(1)


def _unit(ranks: np.ndarray) -> np.ndarray:
    """Centred on the last axis and of length 1; zeros where nothing varies."""
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-9)


def _against_nulls(
    groups: list[tuple[np.ndarray, np.ndarray, np.ndarray]], n_resamples: int, generator: np.random.Generator
) -> dict[str, float]:
    if not groups:
        names = (
            "correlation", "low", "high", "signed", "correlation_shifted", "p_shift", "correlation_between",
            "between_low", "between_high", "p_between_networks",
        )  # fmt: skip
        return {"n": 0, **dict.fromkeys(names, np.nan)}
    own = np.concatenate([(a * b).sum(1) for a, b, _ in groups])
    moves = [sign * shift for shift in _SHIFTS for sign in (1, -1)]
    by_shift = np.concatenate([np.stack([(np.roll(a, m, 1) * b).sum(1) for m in moves], 1) for a, b, _ in groups])
    drawn = generator.integers(len(moves), size=(n_resamples, len(own)))
    shifted = by_shift[np.arange(len(own)), drawn].mean(axis=1)
    total = np.zeros(n_resamples)
    for a, b, _ in groups:
        across, rows = a @ b.T, np.arange(len(a))
        total += [across[rows, _derangement(len(a), generator)].sum() for _ in range(n_resamples)]
    between = total / len(own)
    low, high = bootstrap_interval(own, n_resamples=max(n_resamples, 999), seed=generator)
    between_low, between_high = percentile_interval(between)
    return {
        "n": len(own),
        "correlation": float(own.mean()),
        "low": low,
        "high": high,
        "signed": float(np.concatenate([signed for *_, signed in groups]).mean()),
        "correlation_shifted": float(shifted.mean()),
        "p_shift": resampling_p_value(float(own.mean()), shifted),
        "correlation_between": float(between.mean()),
        "between_low": float(between_low),
        "between_high": float(between_high),
        "p_between_networks": resampling_p_value(float(own.mean()), between),
    }


def _derangement(count: int, generator: np.random.Generator) -> np.ndarray:
    """A random order in which nothing keeps its place."""
    while True:
        order = generator.permutation(count)
        if (order != np.arange(count)).all():
            return order
