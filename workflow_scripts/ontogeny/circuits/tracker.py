"""The published tracker: circuits of a PyTorch model, followed inside somebody's own training loop."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits.enumeration import ACTIVATIONS, as_array
from ontogeny.circuits.record_read import read_history
from ontogeny.circuits.record_write import summary, write_record
from ontogeny.circuits.records import EpochCircuits, records_from_weights
from ontogeny.circuits.settings import CANDIDATES, DEFAULTS, CircuitSettings
from ontogeny.errors import OntogenyError, unknown


def network_arrays(model: Any) -> tuple[list[NDArray], list[NDArray]]:
    """Weights and biases of a PyTorch model's linear layers, in order, as copies; absent biases are 0.

    The model is only read. Raises OntogenyError where its linear layers are no chain from inputs to outputs.
    """
    layers = [
        module
        for module in model.modules()
        if getattr(getattr(module, "weight", None), "ndim", 0) == 2 and hasattr(module, "in_features")
    ]
    weights = [as_array(layer.weight, "a weight").copy() for layer in layers]
    biases = [
        np.zeros(len(w), np.float32) if layer.bias is None else as_array(layer.bias, "a bias").copy()
        for layer, w in zip(layers, weights)
    ]
    if len(weights) < 2 or any(a.shape[0] != b.shape[1] for a, b in pairwise(weights)):
        raise OntogenyError(
            f"linear layers of shapes {[w.shape for w in weights]} are no chain with a hidden layer; circuits are "
            "tracked in plain MLPs"
        )
    return weights, biases


def detect_activation(model: Any) -> tuple[str, float] | None:
    """Name and negative slope of the hidden activation function of a PyTorch model, or None if it does not show."""
    known = {"LeakyReLU": "leaky_relu", "ReLU": "relu", "Tanh": "tanh", "Sigmoid": "sigmoid"}
    seen = {}
    for module in model.modules():
        name = known.get(type(module).__name__)
        if name:
            seen[name] = float(getattr(module, "negative_slope", 0.01))
    if len(seen) == 1:
        return next(iter(seen.items()))
    named = getattr(model, "activation", None)
    return (named, 0.01) if isinstance(named, str) and named in ACTIVATIONS else None


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
    needed. activation: of hidden neurons; None reads it off the model's modules. most_listed: circuits written out
    for an epoch at most.

    The model is read and nothing else: no random state, no training mode, no gradient is touched.
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
        activation: str | None = None,
        most_listed: int = 1_000_000,
    ) -> None:
        if int(tracking_frequency) < 1:
            raise OntogenyError(f"tracking_frequency is {tracking_frequency}; give a number of epochs, 1 or more")
        if activation is not None and activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        if candidates not in CANDIDATES:
            raise unknown("set of candidates", candidates, CANDIDATES)
        self.tracking_frequency = int(tracking_frequency)
        self.x_val, self.y_val = x_val, y_val
        self.use_gpu_batching, self.gpu_batch_size = use_gpu_batching, gpu_batch_size
        self.settings = CircuitSettings(
            candidates=candidates, accuracy_threshold=accuracy_threshold, min_sparsity=min_sparsity or 0.0
        )
        self.activation, self.most_listed = activation, most_listed
        self.epochs: list[EpochCircuits | dict[str, Any]] = []

    @property
    def history(self) -> list[dict[str, Any]]:
        """As `get_history`."""
        return self.get_history()

    def should_track(self, epoch: int) -> bool:
        """Whether circuits are looked for after `epoch` (counted from 0)."""
        return (epoch + 1) % self.tracking_frequency == 0

    def track_epoch(
        self,
        epoch: int,
        model: Any,
        train_loss: float | None = None,
        val_loss: float | None = None,
        logger: Any = None,
    ) -> dict[str, Any]:
        """Find the circuits of `model` now, after `epoch` (counted from 0); keep and return the entry of the record."""
        weights, biases = network_arrays(model)
        activation, slope = self.activation, 0.01
        if activation is None:
            detected = detect_activation(model)
            if detected is None:
                raise OntogenyError(
                    "the model does not show one known activation function between its layers: name it with "
                    f"activation=, one of {', '.join(ACTIVATIONS)}"
                )
            activation, slope = detected
        targets = as_array(self.y_val, "y_val")
        entry = next(
            records_from_weights(
                [w[None] for w in weights],
                [b[None] for b in biases],
                self.x_val,
                targets[:, None] if targets.ndim == 1 else targets,
                [epoch + 1],
                [train_loss],
                [val_loss],
                self.settings,
                activation=activation,
                negative_slope=slope,
                most_listed=self.most_listed,
            )
        )
        self.epochs.append(entry)
        if logger:
            for index, output in enumerate(entry.outputs):
                logger.info(
                    f"Epoch {entry.epoch}, output {index}: {output.count} circuits "
                    f"({self.settings.candidates} candidates), mean node sparsity {output.mean_sparsity:.4f}"
                )
        return entry.as_dict()

    def get_history(self) -> list[dict[str, Any]]:
        """One entry per tracked epoch, in the published layout."""
        return [entry if isinstance(entry, dict) else entry.as_dict() for entry in self.epochs]

    def save_to_json(self, filepath: str | os.PathLike) -> None:
        """Write the record; a name that ends in .gz is compressed."""
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
