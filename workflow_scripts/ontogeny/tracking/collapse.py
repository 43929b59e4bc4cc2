"""Watching for the collapse of a representation while its network trains.

`representation_state` takes three numbers of the features that the last layer reads, in a small part of the time of a
training step; `CollapseAlarm` turns their course into events. Neither needs PyTorch, and neither touches the network.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ontogeny.arguments import checks_arguments, plain
from ontogeny.errors import OntogenyError, shown

MOST_SAMPLES = 128
SPREAD_FLOOR = 1e-6
PATIENCE = 5

_CRITERION = (
    "collapsed: for {patience} measurements on end, samples differ by less than {spread:g} of their energy, or vary in "
    "fewer than {low:.3g} effective dimensions; healthy: at least {high:.3g} dimensions, for as long; what starts "
    "collapsed counts only if it is so at the end"
)


def representation_state(features: Any, labels: Any) -> dict[str, float]:
    """How a batch of features is spread: dimension, spread, within_between; all without unit.

    features: (samples, features). labels: (samples,), whole numbers from 0.

    - dimension: participation ratio of the covariance spectrum, (sum lambda)^2 / sum(lambda^2) (Gao et al. 2017,
      eq. 3), which needs no eigenvalues; of the first 128 samples where both sides are larger. Never above the
      effective rank of Roy and Vetterli (2007).
    - spread: variance over mean square, 0 if all samples are alike, 1 if they are centred.
    - within_between: variance within classes over variance between them, tr(S_W) / tr(S_B); NaN without the latter.

    Features of zeros have dimension 0 and spread 0; numbers that are not finite give NaN. Raises OntogenyError for
    shapes that do not fit.
    """
    try:
        values, labels = np.asarray(plain(features), dtype=np.float64), np.asarray(plain(labels))
    except (TypeError, ValueError):
        raise OntogenyError(f"features is {shown(features)}: give numbers (samples, features)") from None
    if values.ndim != 2 or labels.shape != values.shape[:1] or not len(values):
        raise OntogenyError(
            f"features (samples, features) and one label per sample are expected, not {values.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise OntogenyError("labels are the classes of the samples, as whole numbers from 0")
    largest = float(np.abs(values).max(initial=0.0))
    if not math.isfinite(largest):
        return dict.fromkeys(("dimension", "spread", "within_between"), math.nan)
    if largest == 0:
        return {"dimension": 0.0, "spread": 0.0, "within_between": math.nan}
    values = values / largest
    count = len(values)
    groups = np.zeros((int(labels.max()) + 1, count))
    groups[labels, np.arange(count)] = 1.0
    mean = values.mean(axis=0)
    centred = values - mean
    total = float(np.vdot(centred, centred))
    energy = total + count * float(mean @ mean)
    sums = groups @ centred
    sizes = groups.sum(axis=1)
    between = float((np.einsum("cf,cf->c", sums, sums) / np.maximum(sizes, 1)).sum())
    few = centred
    if min(centred.shape) > MOST_SAMPLES:
        few = values[:MOST_SAMPLES] - values[:MOST_SAMPLES].mean(axis=0)
    gram = few.T @ few if few.shape[1] <= few.shape[0] else few @ few.T
    squares = float(np.vdot(gram, gram))
    noise = (16 * np.finfo(np.float64).eps) ** 2 * energy
    return {
        "dimension": float(gram.trace()) ** 2 / squares if squares > noise**2 else 0.0,
        "spread": total / energy if total > noise else 0.0,
        "within_between": max(total - between, 0.0) / between if between > noise else math.nan,
    }


class CollapseAlarm:
    """Says when a representation collapses and when it recovers, from its `representation_state` at every step.

    A representation of `classes` classes in `width` features needs k = min(classes - 1, width) dimensions. It is low
    below 1 + 0.1 (k - 1) effective dimensions, or where its spread is below 1e-6, and high at or above
    1 + 0.2 (k - 1). It has collapsed when it was low `patience` measurements on end after it had been high as long,
    and has recovered when it was high as long again; nothing in between changes anything. An untrained network may
    start low; that is reported only if training ends there. Neural collapse, where the classes' means keep all k
    dimensions, does not count.

    state: "forming", "healthy" or "collapsed". events: {"step", "event", "dimension", "spread"} in order.
    """

    @checks_arguments
    def __init__(self, classes: int, width: int, patience: int = PATIENCE) -> None:
        needed = max(min(classes - 1, width), 1)
        self.low, self.high, self.patience = 1 + 0.1 * (needed - 1), 1 + 0.2 * (needed - 1), patience
        self.state = "forming"
        self.events: list[dict[str, Any]] = []
        self._run = 0
        self._since: tuple[int, Mapping[str, float]] = (0, {})

    @property
    def criterion(self) -> str:
        """When it fires, in words."""
        return _CRITERION.format(patience=self.patience, spread=SPREAD_FLOOR, low=self.low, high=self.high)

    def is_low(self, dimension: float, spread: float) -> bool:
        """Whether one measurement is low; what cannot be measured is."""
        return not (spread >= SPREAD_FLOOR and dimension >= self.low)

    def update(self, step: int, measured: Mapping[str, float]) -> str | None:
        """Take in one measurement; a sentence if the state changed in a way that a person should hear of."""
        dimension, spread = (math.nan if measured[key] is None else measured[key] for key in ("dimension", "spread"))
        low = self.is_low(dimension, spread)
        wanted = low if self.state == "healthy" else not low and dimension >= self.high
        if not wanted:
            self._run = 0
            return None
        if self._run == 0:
            self._since = (step, {"dimension": dimension, "spread": spread})
        self._run += 1
        if self._run < self.patience:
            return None
        before, self.state, self._run = self.state, "collapsed" if self.state == "healthy" else "healthy", 0
        if before == "forming" or self._since is None:
            return None
        assert self._since is not None
        event = "collapsed" if self.state == "collapsed" else "recovered"
        self.events.append({"step": self._since[0], "event": event, **self._since[1]})
        values = f"{dimension:.3g} effective dimensions, spread {spread:.2g}"
        return f"the representation has {event} at step {self._since[0]} ({values} at step {step})"

    def verdict(self) -> dict[str, Any]:
        """The outcome so far as JSON types: state ("never formed" while forming), events, criterion, low, high."""
        state = "never formed" if self.state == "forming" else self.state
        return {"state": state, "events": list(self.events), "criterion": self.criterion} | {
            "low": self.low,
            "high": self.high,
        }
