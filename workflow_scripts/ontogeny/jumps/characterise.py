"""What kind of jumps there are: size, speed, direction, phase of training, and clusters with a justified number."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.jumps.comparison import need_columns
from ontogeny.phase1 import Phase1
from ontogeny.statistics import percentile_interval
from ontogeny.words import counted

PHASES = ("early", "middle", "late")
"""Thirds of training, by step."""

FEATURES = ("log_size", "log_duration", "fraction")
FEWEST_TO_CLUSTER = 20
_WINDOW = 8


@checks_arguments
def characterise_jumps(jumps: pd.DataFrame, record: Phase1 | pd.DataFrame) -> pd.DataFrame:
    """The table of jumps (run, layer, metric, step, size) with what is known of each.

    Added columns: `before` (`value_before` where the table has it, else the median of up to 8 points before),
    `relative_size` (size / |before|), `noise_size` (|size| over the standard deviation of single points nearby, from
    the median absolute first difference), `duration` (steps in which the series passes from 10% to 90% of the change:
    of a transition from `onset` to `end`; one sampling interval for a clean step), `speed` (|size|
    per step: |size| / duration), `fraction` (of training, 0 to 1), `phase` ('early', 'middle', 'late': thirds),
    `depth` (of the layer, 0 at the input), `relative_depth` (0 to 1; NaN for a single layer).

    Raises OntogenyError if a jump lies in a series or at a step that the record does not hold.
    """
    need_columns(jumps, ["run", "layer", "metric", "step", "size"], "the jumps")
    record = record if isinstance(record, Phase1) else Phase1(record)
    depths = {run: {layer: i for i, layer in enumerate(record.layers_of(run))} for run in record.runs}
    held = {(run, layer, metric): (s, v) for run, layer, metric, s, v in record.each_series()}
    rows = []
    for jump in jumps.to_dict(orient="records"):
        run, layer, metric, step, size = (jump[name] for name in ("run", "layer", "metric", "step", "size"))
        found = held.get((run, layer, metric))
        if found is None:
            raise OntogenyError(
                f"the jump at step {step} is in {run}, {layer}, {metric}, which the record does not hold"
            )
        steps, values = found
        index = int(np.searchsorted(steps, step))
        if index >= len(steps) or steps[index] != step:
            raise OntogenyError(f"there is no step {step} in {run}, {layer}, {metric}, where a jump is said to be")
        last = max(len(depths[run]) - 1, 0)
        depth = depths[run].get(layer, -1)
        fraction = (step - steps[0]) / max(steps[-1] - steps[0], 1)
        rows.append(
            {
                **_shape(steps, values, index, float(size), jump),
                "fraction": float(fraction),
                "phase": PHASES[min(int(3 * fraction), 2)],
                "depth": depth,
                "relative_depth": depth / last if last and depth >= 0 else np.nan,
            }
        )
    columns = ["before", "relative_size", "noise_size", "duration", "speed", "fraction", "phase", "depth"]
    added = pd.DataFrame(rows, columns=[*columns, "relative_depth"], index=jumps.index)
    return pd.concat([jumps, added], axis=1)


def _shape(
    steps: np.ndarray, values: np.ndarray, index: int, size: float, jump: dict[Hashable, Any]
) -> dict[str, float]:
    low, high = max(index - _WINDOW, 0), min(index + _WINDOW, len(values))
    before = float(jump.get("value_before", np.nan))
    if not np.isfinite(before):
        before = float(np.median(values[low:index])) if index > low else float(values[index])
    nearby = values[max(index - 5 * _WINDOW, 0) : index + 5 * _WINDOW]
    differences = np.diff(nearby)
    noise = (
        1.4826 * float(np.median(np.abs(differences - np.median(differences)))) / np.sqrt(2) if len(nearby) > 2 else 0.0
    )
    progress = (values[low:high] - before) / size if size else np.zeros(high - low)
    interval = float(np.median(np.diff(steps[low:high]))) if high - low > 1 else 1.0
    late = np.flatnonzero(progress >= 0.9)
    end = int(late[late >= index - low][0]) if (late >= index - low).any() else len(progress) - 1
    early = np.flatnonzero(progress[: end + 1] <= 0.1)
    start = int(early[-1]) if len(early) else max(end - 1, 0)
    at = steps[low:high]
    wide = jump.get("kind") == "transition"
    duration = float(jump["end"] - jump["onset"]) if wide else max(float(at[end] - at[start]), interval)
    return {
        "before": before,
        "relative_size": size / abs(before) if before else np.nan,
        "noise_size": abs(size) / noise if noise > 0 else np.inf,
        "duration": duration,
        "speed": abs(size) / duration,
    }


@dataclass(frozen=True)
class JumpKinds:
    """Clusters of jumps: `labels` (one a jump, 0.. in order of falling size of cluster; -1: not clustered), `k`, the
    `evidence` table for every k tried, the `profile` table of the clusters, and a sentence `reason` for k."""

    labels: np.ndarray
    k: int
    evidence: pd.DataFrame
    profile: pd.DataFrame
    reason: str


@checks_arguments
def jump_kinds(jumps: pd.DataFrame, most: int = 6, references: int = 50, seed: int = 0) -> JumpKinds:
    """Clusters of characterised jumps (see `characterise_jumps`), their number chosen by the gap statistic.

    Features: log10 of |relative_size|, log10 of duration (plus the shortest, dithered by half of it: a duration is
    known to one measurement) and fraction of training, each standardised. Direction is left to the profile: a feature
    of two values would always make two clusters.
    k-means for k = 1 .. `most`; the gap compares the within-cluster dispersion with that of uniform data in the box of
    the principal axes, and k is the smallest whose gap is within one standard error of the next (Tibshirani, Walther
    and Hastie 2001, J. R. Statist. Soc. B 63(2), rule in section 3). So structureless jumps give k = 1: one kind. In 36
    samples of one normal, uniform or skewed crowd none gave more; taking the highest gap instead gave 5.

    `evidence`: k, gap, se, silhouette, stability (mean adjusted Rand index between clusterings of bootstrap samples,
    on the jumps in both). `profile`: cluster, jumps, share, and the median with quartiles of size, duration and
    fraction, share of upward jumps. Fewer than 20 jumps are not clustered: k = 1.
    """
    need_columns(jumps, ["relative_size", "duration", "fraction", "size"], "the jumps")
    rng = np.random.default_rng(seed)
    x, usable = _features(jumps, rng)
    if len(x) < FEWEST_TO_CLUSTER:
        labels = np.where(usable, 0, -1)
        reason = f"{counted(len(x), 'jump')}: too few to tell kinds apart (at least {FEWEST_TO_CLUSTER} are needed)"
        return JumpKinds(labels, 1, pd.DataFrame(columns=_EVIDENCE), _profile(jumps, labels), reason)
    most = min(most, len(np.unique(x, axis=0)), len(x) // 5)
    evidence, fits = _evidence(x, most, references, rng)
    gap, error = evidence["gap"].to_numpy(), evidence["se"].to_numpy()
    passing = [i for i in range(len(gap) - 1) if gap[i] >= gap[i + 1] - error[i + 1]]
    k = passing[0] + 1 if passing else len(gap)
    order = np.argsort(-np.bincount(fits[k - 1], minlength=k), kind="stable")
    rank = np.empty(k, int)
    rank[order] = np.arange(k)
    labels = np.full(len(jumps), -1)
    labels[usable] = rank[fits[k - 1]]
    if k == 1:
        reason = f"one kind: the gap of one cluster, {gap[0]:.2f}, is not beyond one standard error below that of two"
        best = int(gap.argmax())
        if best and gap[best] - error[best] > gap[0]:
            reason += f" ({best + 1} would fit better, as a skewed crowd also does, and so are not taken for kinds)"
    elif not passing:
        reason = f"at least {k} kinds: the gap still grows at the largest number tried, so kinds shade into each other"
    else:
        row = evidence.iloc[k - 1]
        reason = (
            f"{k} kinds: the smallest number whose gap ({row['gap']:.2f}) is within one standard error of the next; "
            f"silhouette {row['silhouette']:.2f}, stability {row['stability']:.2f}"
        )
    return JumpKinds(labels, k, evidence, _profile(jumps, labels), reason)


_EVIDENCE = ["k", "gap", "se", "silhouette", "stability"]


def _features(jumps: pd.DataFrame, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    duration = jumps["duration"].to_numpy(float)
    shortest = duration.min() if len(duration) else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            "log_size": np.log10(np.abs(jumps["relative_size"].to_numpy(float))),
            "log_duration": np.log10(duration + shortest * rng.uniform(0.5, 1.5, len(duration))),
            "fraction": jumps["fraction"].to_numpy(float),
        }
    x = np.column_stack([columns[name] for name in FEATURES])
    usable = np.isfinite(x).all(axis=1)
    x = x[usable]
    if len(x):
        spread = x.std(axis=0)
        x = (x - x.mean(axis=0))[:, spread > 1e-12] / spread[spread > 1e-12]
    return x, usable


def _evidence(
    x: np.ndarray, most: int, references: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    centre = x.mean(axis=0)
    _, _, axes = np.linalg.svd(x - centre, full_matrices=False)
    turned = (x - centre) @ axes.T
    box = turned.min(axis=0), turned.max(axis=0)
    drawn = [rng.uniform(*box, turned.shape) @ axes + centre for _ in range(references)]
    samples = [rng.integers(0, len(x), len(x)) for _ in range(10)]
    rows, fits = [], []
    for k in range(1, most + 1):
        labels, inertia, _ = _kmeans(x, k, rng)
        reference = np.array([np.log(max(_kmeans(data, k, rng, starts=3)[1], 1e-300)) for data in drawn])
        fits.append(labels)
        row = {"k": k, "gap": reference.mean() - np.log(max(inertia, 1e-300))}
        row["se"] = reference.std() * np.sqrt(1 + 1 / references)
        if k > 1:
            row["silhouette"] = silhouette_score(x, labels) if len(np.unique(labels)) > 1 else np.nan
            placed = [_nearest(x, _kmeans(x[sample], k, rng, starts=3)[2]) for sample in samples]
            row["stability"] = np.mean([adjusted_rand_score(a, b) for a, b in zip(placed[::2], placed[1::2])])
        rows.append(row)
    return pd.DataFrame(rows, columns=_EVIDENCE), fits


def _kmeans(x: np.ndarray, k: int, rng: np.random.Generator, starts: int = 10) -> tuple[np.ndarray, float, np.ndarray]:
    from sklearn.cluster import KMeans

    if k == 1:
        return np.zeros(len(x), int), float(((x - x.mean(axis=0)) ** 2).sum()), x.mean(axis=0)[None]
    fit = KMeans(k, n_init=starts, random_state=int(rng.integers(2**31))).fit(x)
    return fit.labels_, float(fit.inertia_), fit.cluster_centers_


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((x[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)


def _profile(jumps: pd.DataFrame, labels: np.ndarray) -> pd.DataFrame:
    rows = []
    for label in sorted(set(labels.tolist()) - {-1}):
        part = jumps[labels == label]
        row = {"cluster": label, "jumps": len(part), "share": len(part) / len(jumps)}
        for name, values in (
            ("size", part["relative_size"].abs()),
            ("duration", part["duration"]),
            ("fraction", part["fraction"]),
        ):
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            row |= {f"{name}_low": low, name: middle, f"{name}_high": high}
        rows.append(row | {"upward": float((part["size"] > 0).mean())})
    names = [f"{name}{end}" for name in ("size", "duration", "fraction") for end in ("_low", "", "_high")]
    return pd.DataFrame(rows, columns=["cluster", "jumps", "share", *names, "upward"])


@checks_arguments
def phase_table(jumps: pd.DataFrame, by: str | None = None, n_resamples: int = 1999, seed: int = 0) -> pd.DataFrame:
    """Shares of jumps in the thirds of training and upward, with 95% intervals that resample runs.

    `jumps` is characterised. `by` gives one set of rows for each value of that column. Columns: [by], what ('early',
    'middle', 'late', 'upward'), jumps, share, low, high. Intervals are NaN with fewer than 3 runs.
    """
    need_columns(jumps, ["run", "phase", "size", *([by] if by else [])], "the jumps")
    rng = np.random.default_rng(seed)
    groups = list(jumps.groupby(by, sort=False, observed=True)) if by else [(None, jumps)]
    rows = []
    for key, part in groups:
        flags = {phase: (part["phase"] == phase).to_numpy() for phase in PHASES}
        flags["upward"] = (part["size"] > 0).to_numpy()
        runs, names = pd.factorize(part["run"])
        total = np.bincount(runs, minlength=len(names))
        drawn = rng.integers(0, max(len(names), 1), (n_resamples, len(names)))
        for what, flag in flags.items():
            hits = np.bincount(runs, weights=flag, minlength=len(names))
            row = {"what": what, "jumps": int(flag.sum()), "share": flag.mean() if len(flag) else np.nan}
            if len(names) > 2:
                boot = hits[drawn].sum(axis=1) / total[drawn].sum(axis=1)
                row["low"], row["high"] = percentile_interval(boot)
            rows.append(({by: key} if by else {}) | row)
    return pd.DataFrame(rows, columns=[*([by] if by else []), "what", "jumps", "share", "low", "high"])
