"""The published tracker: circuits of a PyTorch model, followed inside somebody's own training loop."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ontogeny.circuits.door import RULES, ReadNetwork, from_torch
from ontogeny.circuits.enumeration import ACTIVATIONS, as_array
from ontogeny.circuits.functions import IDENTITY
from ontogeny.circuits.record_read import read_history
from ontogeny.circuits.record_write import summary, write_record
from ontogeny.circuits.records import EpochCircuits, OutputCircuits, known_loss, output_circuits
from ontogeny.circuits.settings import CANDIDATES, DEFAULTS, complete_settings
from ontogeny.errors import OntogenyError, check_number, check_word, shown
from ontogeny.words import counted

MAX_SECONDS = 3600.0
"""CPU time that the circuits of one epoch may be expected to take."""


class DetailedCircuitTracker:
    """Follows the perfect circuits of an MLP during training, with the published class's methods.

        tracker = DetailedCircuitTracker(5, x_val, y_val)
        for epoch in range(epochs):
            ...
            if tracker.should_track(epoch):
                tracker.track_epoch(epoch, model, train_loss, val_loss)
        tracker.save_to_json("detailed_circuits_....json")

    tracking_frequency: epochs between two looks; x_val (rows, inputs), y_val (rows, outputs): what circuits are judged
    on. accuracy_threshold, min_sparsity, candidates: as in `enumerate_circuits`, with the published candidates by
    default, so that counts are those of the published class. use_gpu_batching and gpu_batch_size are accepted and not
    needed. rule: which outputs are right, "rounded" as published, or "sign" of a logit or "probability", as of
    `from_torch`, which reads the model. most_listed: circuits written out for an epoch at most. activation: need not be
    named, as it is read from the model; if it is, a model of which another function is read is refused.

    The model is run once on x_val and read; no random state, no training mode, no gradient is touched.
    """

    def __init__(
        self,
        tracking_frequency: int,
        x_val: ArrayLike,
        y_val: ArrayLike,
        accuracy_threshold: float = DEFAULTS.accuracy_threshold,
        min_sparsity: float = DEFAULTS.min_sparsity,
        use_gpu_batching: bool = False,
        gpu_batch_size: int = 128,
        *,
        candidates: str = "published",
        rule: str = "rounded",
        most_listed: int = 1_000_000,
        activation: str | None = None,
    ) -> None:
        check_number(tracking_frequency, "tracking_frequency", "a number of epochs, 1 or more", 1, whole=True)
        check_number(most_listed, "most_listed", "a whole number of circuits, 1 or more", 1, whole=True)
        check_word(rule, "output rule", RULES)
        if rule == "argmax":
            raise OntogenyError(
                "argmax judges all outputs together, and a record holds the circuits of each: "
                "count them with from_torch(model, x).count(y, 'argmax')"
            )
        check_word(candidates, "set of candidates", CANDIDATES)
        self.tracking_frequency = int(tracking_frequency)
        rows, targets = _rows(x_val), _rows(y_val)
        if rows is not None and targets is not None and rows != targets:
            raise OntogenyError(
                f"x_val has {counted(rows, 'row')} and y_val {counted(targets, 'row')}: give a target for each row"
            )
        self.x_val, self.y_val = x_val, y_val
        self.use_gpu_batching, self.gpu_batch_size = use_gpu_batching, gpu_batch_size
        self.settings = complete_settings(
            {
                "candidates": candidates,
                "accuracy_threshold": accuracy_threshold,
                "min_sparsity": 0.0 if min_sparsity is None else min_sparsity,
            }
        )
        if activation is not None:
            check_word(activation, "activation", ACTIVATIONS)
        self.rule, self.most_listed, self.activation = rule, most_listed, activation
        self._warned = False
        self.epochs: list[EpochCircuits | dict[str, Any]] = []

    @property
    def history(self) -> list[dict[str, Any]]:
        """As `get_history`."""
        return self.get_history()

    def should_track(self, epoch: int) -> bool:
        """Whether circuits are looked for after `epoch` (counted from 0). Raises OntogenyError for no whole number."""
        check_number(epoch, "epoch", "a whole number, counted from 0", 0, whole=True)
        return (epoch + 1) % self.tracking_frequency == 0

    def track_epoch(
        self,
        epoch: int,
        model: Any,
        train_loss: float | None = None,
        val_loss: float | None = None,
        logger: Any = None,
    ) -> dict[str, Any]:
        """Find the circuits of `model` now, after `epoch` (counted from 0); keep and return the entry of the record.

        Raises OntogenyError for a model that `from_torch` cannot read, targets that do not fit its outputs, and a
        network too large to enumerate; for an epoch or a loss that is no number, and a logger that has no `info`.
        """
        check_number(epoch, "epoch", "a whole number, counted from 0", 0, whole=True)
        losses = [_loss(name, value) for name, value in (("train_loss", train_loss), ("val_loss", val_loss))]
        if logger is not None and not callable(getattr(logger, "info", None)):
            raise OntogenyError(f"logger is {shown(logger)}: give one of Python's logging, or another with .info(text)")
        network = from_torch(model, self.x_val)
        read = {function.name or "one without a name" for function in network.hidden}
        if self.activation is not None and read != {self.activation}:
            raise OntogenyError(
                f"the hidden neurons of the model have the activation {' and '.join(sorted(read))}, not "
                f"{self.activation}: leave out activation, which is read from the model"
            )
        if self.rule == "rounded" and not self._warned and self._looks_like_logits(network):
            self._warned = True
            warnings.warn(
                "the signs of all outputs are right, but not the outputs rounded: if they are logits, "
                "give DetailedCircuitTracker rule='sign'",
                stacklevel=2,
            )
        outputs = tuple(self._circuits(network, output) for output in range(network.n_outputs))
        entry = EpochCircuits(int(epoch) + 1, losses[0], losses[1], outputs)
        self.epochs.append(entry)
        if logger is not None:
            for index, output in enumerate(entry.outputs):
                logger.info(
                    f"Epoch {entry.epoch}, output {index}: {output.count} circuits "
                    f"({self.settings.candidates} candidates), mean node sparsity {output.mean_sparsity:.4f}"
                )
        return entry.as_dict()

    def _circuits(self, network: ReadNetwork, output: int) -> OutputCircuits:
        problem = network.problem(self.y_val, self.rule, self.settings, output)
        problem.check_cost(MAX_SECONDS)
        found = problem.all_or_sample(self.most_listed, 0)
        samples = network.samples(self.y_val, self.rule, self.settings, output)
        weights, biases, function = network.alone(output)
        if self.rule == "sign" and len(biases[-1]) == 1:
            function = IDENTITY
        return output_circuits(*found, weights, biases, samples, functions=[*network.hidden, function])

    def _looks_like_logits(self, network: ReadNetwork) -> bool:
        """Whether every output of the whole network is right by its sign, and some are wrong when rounded."""
        out, targets = network.forward(network.x), as_array(self.y_val, "y_val")
        if len(targets) == len(out):
            targets = targets.reshape(len(out), -1)
        if network.output.name != "identity" or targets.shape != out.shape:
            return False
        return bool(((out > 0) == (targets > 0)).all() and (np.round(out) != targets).any())

    def get_history(self) -> list[dict[str, Any]]:
        """One entry per tracked epoch, in the published layout."""
        return [entry if isinstance(entry, dict) else entry.as_dict() for entry in self.epochs]

    def save_to_json(self, filepath: str | os.PathLike) -> None:
        """Write the record; a name that ends in .gz is compressed. Raises OntogenyError for what is no path."""
        write_record(filepath, self.epochs)

    @classmethod
    def load_from_json(cls, filepath: str | os.PathLike) -> DetailedCircuitTracker:
        """A tracker that holds the record in `filepath`, for reading. Raises OntogenyError as `read_history` does."""
        tracker = cls(1, np.zeros((1, 2), np.float32), np.zeros((1, 1), np.float32))
        tracker.epochs = list(read_history(filepath))
        return tracker

    def to_summary_dict(self) -> dict[str, list]:
        """Epochs, circuit_counts, avg_sparsities, total_circuits, train_losses and val_losses as lists."""
        return summary(self.epochs)


def _rows(value: Any) -> int | None:
    """How many rows something has, or None where that cannot be told yet."""
    try:
        return len(value)
    except TypeError:
        return None


def _loss(name: str, value: Any) -> float | None:
    """A loss, number or tensor of one, as a record holds it. Raises OntogenyError for what is none."""
    try:
        return None if value is None else known_loss(float(value if not isinstance(value, str) else "no number"))
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise OntogenyError(f"{name} is {shown(value)}: give one number, or None where it is not known") from None
