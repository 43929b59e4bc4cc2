"""Many seeds of one small network on logic gates, trained as one ensemble, with every epoch's weights.

The training loop is compiled (numba): float32 parameters, mean squared error, AdamW, as `torch.optim.AdamW` and
`torch.nn.MSELoss` compute them. Each seed is trained on its own inside the compiled loop, so a seed of an ensemble
equals that seed trained alone, bit for bit, whatever the other seeds, their order, chunks and threads.

All that is random is a function of the seed, and is drawn from the streams that PyTorch and NumPy use: the default
initialisation of `torch.nn.Linear` after `torch.manual_seed(seed)`, the order of a shuffling
`torch.utils.data.DataLoader` (both from a Mersenne twister), and the data from `numpy.random.RandomState(seed)`.
So an ordinary PyTorch loop with that seed follows the same path up to rounding. Only dropout masks have a stream of
their own, because PyTorch's depend on the device.

Without input noise there are only 2^n different rows. A batch is then its counts of each, 4 weighted rows in place
of 100; with dropout, rows that lose a neuron are taken singly and the others are counted.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ConfigDict

from ontogeny.errors import OntogenyError
from ontogeny.files import atomic, checksum_of, read_errors, verify_checksum
from ontogeny.models.settings import GateModelSettings
from ontogeny.nonlinearities import apply_nonlinearity
from ontogeny.tasks.gates import GateData, GateSample, get_gates, sample_gates, separate_output, truth_table
from ontogeny.tasks.settings import GateTaskSettings
from ontogeny.tracking.estimators import choose_metrics, measure_singular_values
from ontogeny.training._compiled import train_seed
from ontogeny.training.settings import GateTrainingSettings

ACTIVATIONS: tuple[str, ...] = get_args(GateModelSettings.model_fields["activation"].annotation)
FORMAT = "ontogeny-ensemble/1"
STOP_REASONS = ("loss_target", "early_stopping", "epochs")


class EnsembleSettings(GateTaskSettings, GateModelSettings, GateTrainingSettings):
    """What an ensemble learns and how: the blocks task, model and training of a run, as one.

    The defaults are the published XOR baseline. A seed stops after the first epoch whose mean training loss, penalties
    included, is below `loss_target`, after `early_stopping` epochs in a row without a new lowest loss, or after
    `epochs`. It has converged if that loss is at most `loss_target` and at least `accuracy_target` of the validation
    rows are right in every output after rounding. `l1_lambda` and `l2_lambda` multiply the sum of magnitudes and of
    squares of all weights and biases; `weight_decay` is AdamW's own. Dropout acts on hidden neurons, before the
    activation. Raises OntogenyError for settings that cannot be.

    `published_streams` draws as the published program did with circuit tracking on: the data of seed s come from
    seed s - 1 (of 0 for the first), and after each epoch the tracker builds a network for each output, which
    advances the random state. The published losses are then met to about 1e-7 for as long as rounding lets them.
    """

    model_config = ConfigDict(frozen=True)

    def __init__(self, **settings: Any) -> None:
        lists = {key: list(value) if isinstance(value, tuple) else value for key, value in settings.items()}
        super().__init__(**lists)
        object.__setattr__(self, "gates", [gate.name for gate in get_gates(self.gates)])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Neurons of each layer, inputs and outputs included."""
        return (get_gates(self.gates)[0].n_inputs, *self.hidden, len(self.gates))


@dataclass(frozen=True)
class EnsembleResult:
    """Every epoch of every seed: a table of rows, seed by seed, epoch 0 (the initial weights) to the last.

    `weights[l]` is (rows, out, in) and `biases[l]` (rows, out), float32; `offsets` (seeds + 1) says which rows are
    whose. `train_loss` (mean over batches, penalties and dropout included; NaN at epoch 0), `val_loss` and
    `val_accuracy` (after the epoch, nothing dropped) are (rows,), float64.
    """

    settings: EnsembleSettings
    seeds: NDArray[np.int64]
    offsets: NDArray[np.int64]
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    train_loss: NDArray[np.float64]
    val_loss: NDArray[np.float64]
    val_accuracy: NDArray[np.float64]

    @property
    def n_epochs(self) -> NDArray[np.int64]:
        """Epochs trained, for each seed."""
        return np.diff(self.offsets) - 1

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Whether each seed reached the loss target with its accuracy target."""
        last = self.offsets[1:] - 1
        settings = self.settings
        return (self.train_loss[last] <= settings.loss_target) & (self.val_accuracy[last] >= settings.accuracy_target)

    @property
    def stop_reason(self) -> list[str]:
        """Why each seed stopped: one of STOP_REASONS."""
        reached = self.train_loss[self.offsets[1:] - 1] < self.settings.loss_target
        early = self.n_epochs < self.settings.epochs
        return [STOP_REASONS[0 if hit else 1 if short else 2] for hit, short in zip(reached, early)]

    @cached_property
    def row_seed(self) -> NDArray[np.int64]:
        """The seed of every row."""
        return np.repeat(self.seeds, np.diff(self.offsets))

    @cached_property
    def row_epoch(self) -> NDArray[np.int64]:
        """The epoch of every row."""
        return np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], np.diff(self.offsets))

    def rows(self, seed: int) -> slice:
        """The rows of one seed. Raises OntogenyError for a seed that was not trained."""
        found = np.flatnonzero(self.seeds == seed)
        if not len(found):
            listed = ", ".join(map(str, self.seeds[:10])) + ", ..." * (len(self.seeds) > 10)
            raise OntogenyError(f"seed {seed} is not in this ensemble; its seeds: {listed}")
        return slice(int(self.offsets[found[0]]), int(self.offsets[found[0] + 1]))

    def network(
        self, seed: int, epoch: int | None = None, output: int | None = None
    ) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Weights (out, in) and biases (out,) of one seed after `epoch` (the last, if None), layer by layer.

        `output` cuts a network of several outputs to that one. Raises OntogenyError for an epoch it never reached.
        """
        rows = self.rows(seed)
        last = rows.stop - rows.start - 1
        epoch = last if epoch is None else epoch
        if not 0 <= epoch <= last:
            raise OntogenyError(f"seed {seed} has epochs 0 to {last}, not {epoch}")
        weights = [layer[rows.start + epoch] for layer in self.weights]
        biases = [layer[rows.start + epoch] for layer in self.biases]
        return (weights, biases) if output is None else separate_output(weights, biases, output)

    def dense(self, values: NDArray) -> NDArray:
        """`values` (rows, ...) as (epochs, seeds, ...): a seed that has stopped keeps its last value."""
        epochs = np.minimum(np.arange(self.n_epochs.max() + 1)[:, None], self.n_epochs[None, :])
        return values[self.offsets[:-1][None, :] + epochs]

    def data(self, seed: int) -> GateData:
        """The samples that this seed was trained and validated on."""
        return gate_data(self.settings, seed)

    def frame(self) -> pd.DataFrame:
        """One row for each seed and epoch: seed, epoch, train_loss, val_loss, val_accuracy."""
        return pd.DataFrame(
            {
                "seed": self.row_seed,
                "epoch": self.row_epoch,
                "train_loss": self.train_loss,
                "val_loss": self.val_loss,
                "val_accuracy": self.val_accuracy,
            }
        )

    def summary(self) -> pd.DataFrame:
        """One row for each seed: seed, epochs, converged, stop_reason and the last losses and accuracy."""
        last = self.offsets[1:] - 1
        return pd.DataFrame(
            {
                "seed": self.seeds,
                "epochs": self.n_epochs,
                "converged": self.converged,
                "stop_reason": self.stop_reason,
                "train_loss": self.train_loss[last],
                "val_loss": self.val_loss[last],
                "val_accuracy": self.val_accuracy[last],
            }
        )

    def select(self, seeds: Iterable[int]) -> EnsembleResult:
        """The same for some of the seeds, in the order given."""
        seeds = [int(seed) for seed in seeds]
        parts = [self.rows(seed) for seed in seeds]
        index = np.concatenate([np.arange(part.start, part.stop) for part in parts] or [np.zeros(0, np.int64)])
        lengths = [part.stop - part.start for part in parts]
        return EnsembleResult(
            settings=self.settings,
            seeds=np.array(seeds, dtype=np.int64),
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            weights=tuple(layer[index] for layer in self.weights),
            biases=tuple(layer[index] for layer in self.biases),
            train_loss=self.train_loss[index],
            val_loss=self.val_loss[index],
            val_accuracy=self.val_accuracy[index],
        )

    def save(self, path: str | os.PathLike) -> None:
        """Write all of it as one safetensors file, whole or not at all; the same result, the same bytes.

        Tensors are `layer{l}.weight` (rows, out, in), `layer{l}.bias` (rows, out), `train_loss`, `val_loss`,
        `val_accuracy`, `seeds` and `offsets`; the settings are JSON under the metadata key `ontogeny`.
        """
        from safetensors.numpy import save

        tensors = {name: np.ascontiguousarray(getattr(self, name)) for name in _TABLES}
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            tensors[f"layer{layer}.weight"] = np.ascontiguousarray(weight)
            tensors[f"layer{layer}.bias"] = np.ascontiguousarray(bias)
        text = json.dumps({"format": FORMAT, "settings": self.settings.model_dump()}, sort_keys=True)
        with atomic(path) as part:
            part.write_bytes(save(tensors, metadata={"ontogeny": json.dumps([text, checksum_of(text, tensors)])}))


_TABLES = ("seeds", "offsets", "train_loss", "val_loss", "val_accuracy")


def load_ensemble(path: str | os.PathLike) -> EnsembleResult:
    """Read what `EnsembleResult.save` wrote. Raises OntogenyError if it is missing, cut, or something else."""
    from safetensors import safe_open

    with read_errors(path, "a whole safetensors file"), safe_open(os.fspath(path), "np") as handle:
        text, checksum = json.loads((handle.metadata() or {}).get("ontogeny", '["", null]'))
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    try:
        header = json.loads(text)
        if header["format"] != FORMAT:
            raise OntogenyError(f"{path} has the format '{header['format']}': expected {FORMAT}")
        verify_checksum(path, checksum, text, tensors)
        settings = EnsembleSettings(**header["settings"])
        layers = range(len(settings.sizes) - 1)
        return EnsembleResult(
            settings=settings,
            weights=tuple(tensors[f"layer{layer}.weight"] for layer in layers),
            biases=tuple(tensors[f"layer{layer}.bias"] for layer in layers),
            **{name: tensors[name] for name in _TABLES},
        )
    except (KeyError, TypeError, json.JSONDecodeError):
        raise OntogenyError(f"{path} is not the record of an ensemble: its settings or tensors are missing") from None


def gate_data(settings: EnsembleSettings, seed: int) -> GateData:
    """The samples of one seed under `settings`."""
    return sample_gates(
        settings.gates,
        max(int(seed) - 1, 0) if settings.published_streams else seed,
        n_samples_train=settings.n_samples_train,
        n_samples_val=settings.n_samples_val,
        n_repeats=settings.n_repeats,
        noise_std=settings.noise_std,
        noise_copies=settings.noise_copies,
        weights=settings.weights,
    )


def train_ensemble(
    settings: EnsembleSettings,
    seeds: Iterable[int],
    *,
    done: EnsembleResult | None = None,
    checkpoint: Callable[[EnsembleResult], None] | None = None,
    chunk: int = 100,
    threads: int = 1,
) -> EnsembleResult:
    """Train one network for each of `seeds`.

    `checkpoint` is called with all that is finished after every `chunk` seeds; give that result back as `done` and
    only the other seeds are trained: the end result is the same, bit for bit. `threads` trains so many seeds at a
    time. Raises OntogenyError for repeated or impossible seeds, and where `done` has other settings.
    """
    asked = [int(seed) for seed in seeds]
    if len(set(asked)) != len(asked):
        twice = next(seed for seed in asked if asked.count(seed) > 1)
        raise OntogenyError(f"seed {twice} is listed twice: give every seed once")
    if not asked:
        raise OntogenyError("seeds is empty: give at least one seed")
    for seed in asked:
        if not 0 <= seed < 2**32:
            raise OntogenyError(f"seed is {seed}: give a whole number from 0 to 4294967295")
    if chunk < 1:
        raise OntogenyError(f"chunk is {chunk}: give a number of seeds, 1 or more")
    if threads < 1:
        raise OntogenyError(f"threads is {threads}: give 1 or more")
    finished: dict[int, tuple[NDArray, ...]] = {}
    if done is not None:
        if done.settings != settings:
            raise OntogenyError("done was trained with other settings: resume with its own settings, or start afresh")
        finished = {int(seed): _unpack(done, int(seed)) for seed in done.seeds if int(seed) in set(asked)}
    missing = [seed for seed in asked if seed not in finished]
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(missing), chunk):
            part = missing[start : start + chunk]
            run = map if threads == 1 else pool.map
            finished.update(zip(part, run(lambda seed: _train_one(settings, seed), part)))
            if checkpoint is not None:
                checkpoint(_pack(settings, {seed: finished[seed] for seed in asked if seed in finished}))
    return _pack(settings, {seed: finished[seed] for seed in asked})


def _pack(settings: EnsembleSettings, finished: dict[int, tuple[NDArray, ...]]) -> EnsembleResult:
    lengths = [len(parts[0]) for parts in finished.values()]
    parameters, train_loss, val_loss, val_accuracy = (
        np.concatenate([parts[k] for parts in finished.values()]) for k in range(4)
    )
    weights, biases, position = [], [], 0
    for n_in, n_out in zip(settings.sizes, settings.sizes[1:]):
        middle, end = position + n_in * n_out, position + (n_in + 1) * n_out
        weights.append(parameters[:, position:middle].reshape(-1, n_out, n_in))
        biases.append(parameters[:, middle:end])
        position = end
    return EnsembleResult(
        settings=settings,
        seeds=np.array(list(finished), dtype=np.int64),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        weights=tuple(map(np.ascontiguousarray, weights)),
        biases=tuple(map(np.ascontiguousarray, biases)),
        train_loss=train_loss,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
    )


def _unpack(result: EnsembleResult, seed: int) -> tuple[NDArray, ...]:
    rows = result.rows(seed)
    blocks = []
    for weight, bias in zip(result.weights, result.biases):
        blocks += [weight[rows].reshape(rows.stop - rows.start, -1), bias[rows]]
    return np.concatenate(blocks, axis=1), result.train_loss[rows], result.val_loss[rows], result.val_accuracy[rows]


def _distinct(sample: GateSample, settings: EnsembleSettings) -> tuple[NDArray, NDArray, NDArray]:
    """Different rows, their targets, and which of them each sample is."""
    if settings.noise_std > 0:
        return sample.x, sample.y, np.arange(len(sample.x), dtype=np.int64)
    x, y = truth_table(settings.gates)
    return x, y, sample.combination.astype(np.int64)


def _train_one(settings: EnsembleSettings, seed: int) -> tuple[NDArray, ...]:
    data = gate_data(settings, seed)
    x, y, which = _distinct(data.train, settings)
    val_x, val_y, val_which = _distinct(data.validation, settings)
    val_count = np.bincount(val_which, minlength=len(val_x))
    kept = val_count > 0
    sizes = np.array(settings.sizes, dtype=np.int64)
    n_parameters = int(((sizes[:-1] + 1) * sizes[1:]).sum())
    redraws = 0
    if settings.published_streams:
        redraws = int(sizes[-1]) * (n_parameters + int(sizes[-2]) + 1)
    return train_seed(
        np.uint32(seed),
        sizes,
        ACTIVATIONS.index(settings.activation),
        x,
        y,
        which,
        val_x[kept],
        val_y[kept],
        val_count[kept].astype(np.float64),
        settings.noise_std == 0,
        int(settings.batch_size),
        float(settings.learning_rate),
        float(settings.weight_decay),
        int(settings.epochs),
        float(settings.loss_target),
        int(settings.early_stopping),
        float(settings.l1_lambda),
        float(settings.l2_lambda),
        float(settings.dropout_rate),
        redraws,
    )


def layer_activations(
    weights: Sequence[NDArray], biases: Sequence[NDArray], x: NDArray, activation: str = "leaky_relu"
) -> list[NDArray[np.float64]]:
    """Activations of every layer, outputs last, for many networks at once: each (networks, rows, neurons), float64.

    `weights[l]` is (networks, out, in), `biases[l]` is (networks, out), `x` is (rows, inputs).
    Raises OntogenyError for an unknown activation.
    """
    values = np.broadcast_to(np.asarray(x, dtype=np.float64), (len(weights[0]), *np.shape(x)))
    layers = []
    for layer, (weight, bias) in enumerate(zip(weights, biases)):
        values = values @ np.asarray(weight, dtype=np.float64).swapaxes(1, 2) + bias[:, None, :]
        if layer < len(weights) - 1:
            values = apply_nonlinearity(values, activation)
        layers.append(values)
    return layers


def ensemble_phase1(
    result: EnsembleResult, metrics: Iterable[str] | None = None, centre: bool = False
) -> dict[str, pd.DataFrame]:
    """Dimensionality of each hidden layer on all 2^n inputs, for every seed and epoch.

    Keys are `Linear_0`, `Linear_1`, ... from the input on; columns are seed, step (the epoch), the metrics (those of
    `ontogeny.tracking.estimators`; all, if None) and loss (training). `centre` subtracts each neuron's mean first.
    """
    chosen = choose_metrics(metrics)
    x, _ = truth_table(result.settings.gates)
    frames = {}
    hidden = layer_activations(result.weights, result.biases, x, result.settings.activation)[:-1]
    for layer, values in enumerate(hidden):
        if centre:
            values = values - values.mean(axis=1, keepdims=True)
        sigma = np.linalg.svd(np.ascontiguousarray(values), compute_uv=False)
        measured = [measure_singular_values(row, chosen) for row in sigma]
        frame = pd.DataFrame(measured, columns=list(chosen))
        frame.insert(0, "seed", result.row_seed)
        frame.insert(1, "step", result.row_epoch)
        frame["loss"] = result.train_loss
        frames[f"Linear_{layer}"] = frame
    return frames
