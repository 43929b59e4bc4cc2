"""What all interventions share: the subject, its intact performance, and rows with intervals."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError, unknown
from ontogeny.interventions.settings import InterventionSettings
from ontogeny.models import get_handler, monitored_layers, trace_layers
from ontogeny.neurons.scores import evaluate, working_copy
from ontogeny.statistics import bootstrap_mean, bootstrap_weights

logger = logging.getLogger("ontogeny")

COLUMNS = [
    "intervention", "moment", "layer", "setting", "level", "metric",
    "value", "low", "high", "change", "change_low", "change_high", "intact", "samples", "repeats",
]  # fmt: skip
"""Columns of every intervention's table; an intervention may add more at the end."""


@dataclass
class Bench:
    """Networks (moment to model), data, and how intervals are made. The networks are copied before any change."""

    models: Mapping[str, nn.Module]
    inputs: Tensor
    labels: Tensor
    settings: InterventionSettings
    seed: int = 0
    _intact: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights of the bootstrap samples, (n_resamples, samples)."""
        return bootstrap_weights(len(self.inputs), self.settings.n_resamples, self.seed)

    def measure(self, model: nn.Module) -> tuple[np.ndarray, np.ndarray]:
        """Loss and correctness of every sample."""
        loss, right = evaluate(model, self.inputs, self.labels, self.settings.chunk)
        return loss.numpy(), right.numpy()

    def intact(self, moment: str) -> tuple[np.ndarray, np.ndarray]:
        """Loss and correctness of every sample with nothing changed."""
        if moment not in self._intact:
            self._intact[moment] = self.measure(working_copy(self.models[moment]))
        return self._intact[moment]

    def generator(self, *keys: int) -> torch.Generator:
        """A generator of its own for every combination of whole numbers."""
        state = np.random.SeedSequence([self.seed, *keys]).generate_state(1, np.uint64)[0]
        return torch.Generator().manual_seed(int(state >> np.uint64(1)))

    def rows(
        self,
        moment: str,
        measured: Sequence[tuple[np.ndarray, np.ndarray]],
        reference: tuple[np.ndarray, np.ndarray] | None = None,
        **labels: Any,
    ) -> list[dict[str, Any]]:
        """One row for the loss and one for the accuracy, from one measurement a repeat.

        Intervals are percentile bootstraps over samples and, where there are several, over repeats at once.
        """
        reference = self.intact(moment) if reference is None else reference
        rows = []
        for place, metric in enumerate(("loss", "accuracy")):
            values = np.stack([each[place] for each in measured])
            changes = values - reference[place]
            value, low, high = self._interval(values)
            change, change_low, change_high = self._interval(changes)
            rows.append(
                {"moment": moment, "metric": metric, "value": value, "low": low, "high": high, "change": change,
                 "change_low": change_low, "change_high": change_high, "intact": float(reference[place].mean()),
                 "samples": len(self.inputs), "repeats": len(measured), **labels}
            )  # fmt: skip
        return rows

    def _interval(self, values: np.ndarray) -> tuple[float, float, float]:
        if len(values) == 1:
            found = bootstrap_mean(values[0], self.weights, self.settings.confidence)
            return float(found[0]), float(found[1]), float(found[2])
        drawn = self.weights @ values.T
        rng = np.random.default_rng(self.seed)
        picked = rng.integers(len(values), size=(len(drawn), len(values)))
        spread = np.take_along_axis(drawn, picked, axis=1).mean(1)
        low, high = np.quantile(spread, [(1 - self.settings.confidence) / 2, (1 + self.settings.confidence) / 2])
        means = values.mean(1)
        mean = float(means[0]) if (means == means[0]).all() else float(means.mean())
        return (mean, float(low), float(high)) if np.ptp(values) else (mean, mean, mean)

    def moments(self, wanted: Any) -> list[str]:
        """The moments of a spec; None is all. Raises OntogenyError for one that does not exist."""
        names = list(self.models) if wanted is None else [wanted] if isinstance(wanted, str) else list(wanted)
        for name in names:
            if name not in self.models:
                raise unknown("moment", name, self.models)
        return names

    def layers(self, moment: str, wanted: Any, kinds: Sequence[str] | None = None) -> list[str]:
        """The layers of a spec, checked, by display name; None is all that are monitored (of `kinds`) and run once.

        Raises OntogenyError for an unknown layer, or if None leaves no layer.
        """
        model = self.models[moment]
        if wanted is None:
            layers = [layer for layer in get_handler(model).layers if kinds is None or layer.kind in kinds]
            followed = trace_layers(model, self.inputs[:2], layers)
            several = [layer.name for layer in layers if followed[layer.name].calls > 1]
            if several:
                logger.warning("left out, as they run several times in a forward pass: %s", ", ".join(several))
            found = [layer.name for layer in layers if layer.name not in several]
            if not found:
                raise OntogenyError(f"this {type(model).__name__} has no layer for this intervention: name the layers")
            return found
        return [layer.name for layer in monitored_layers(model, [wanted] if isinstance(wanted, str) else wanted)]


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the tidy table of intervention `name`."""
    frame = pd.DataFrame([{"intervention": name, "layer": "", "setting": "", "level": np.nan, **row} for row in rows])
    extra = [column for column in frame.columns if column not in COLUMNS]
    return frame[[*COLUMNS, *extra]]
