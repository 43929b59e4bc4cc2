"""Logic gates as learning tasks: truth tables, and noisy or skewed samples of them.

A gate is its truth table, read in counting order with the first input as the most significant bit: for two inputs
the rows are 00, 01, 10, 11, so XOR is `0110`. Several gates over the same inputs make one task with one output each.

Sampling follows the published study of circuits in small networks (Méloux et al., arXiv 2502.20914): `n_samples`
counts samples for each combination of inputs, so a data set has n_samples * 2^n rows, each combination drawn
independently with equal, or skewed, probability. Only the sum bit of FULL_ADDER is an output, as published (that
makes it PARITY); the carry bit is MAJORITY, so ["FULL_ADDER", "MAJORITY"] is the whole adder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError, shown, unknown
from ontogeny.tasks.settings import GateTaskSettings
from ontogeny.words import counted

DEFAULTS = GateTaskSettings()

MAX_INPUTS = 16


@dataclass(frozen=True)
class Gate:
    """A Boolean function: `bits[k]` is the output for the inputs that spell k in binary, first input first."""

    name: str
    bits: tuple[int, ...]

    @property
    def n_inputs(self) -> int:
        """The number of inputs."""
        return len(self.bits).bit_length() - 1

    def __call__(self, inputs: ArrayLike) -> NDArray[np.float32]:
        """Outputs (rows,) for binary or noisy `inputs` (rows, n_inputs), which are cut at 0.5."""
        rows = np.asarray(inputs) >= 0.5
        index = rows @ (1 << np.arange(self.n_inputs)[::-1])
        return np.asarray(self.bits, dtype=np.float32)[index]


def _counted(name: str, n_inputs: int, rule: Callable[..., Any]) -> Gate:
    return Gate(name, tuple(int(rule(k.bit_count())) for k in range(2**n_inputs)))


GATES: dict[str, Gate] = {
    found.name: found
    for found in (
        Gate("IMP", (1, 1, 0, 1)),
        Gate("XOR", (0, 1, 1, 0)),
        Gate("AND", (0, 0, 0, 1)),
        Gate("OR", (0, 1, 1, 1)),
        Gate("NAND", (1, 1, 1, 0)),
        Gate("NOR", (1, 0, 0, 0)),
        Gate("NIMP", (0, 0, 1, 0)),
        _counted("MAJORITY", 3, lambda ones: ones >= 2),
        _counted("PARITY", 3, lambda ones: ones % 2),
        _counted("FULL_ADDER", 3, lambda ones: ones % 2),
        _counted("EXACT_2", 3, lambda ones: ones == 2),
    )
}
"""The named gates."""


def get_gate(spec: str | Sequence[int] | Gate) -> Gate:
    """The gate specified by `spec`: a name (case ignored), a truth table as text ("0110") or as a sequence of bits.

    Raises OntogenyError for an unknown name (naming the nearest), a table whose length is not a power of two, and an
    output that is not 0 or 1.
    """
    if isinstance(spec, Gate):
        return spec
    if isinstance(spec, str):
        text = spec.strip()
        if text.upper() in GATES:
            return GATES[text.upper()]
        if not text or not text.isdigit():
            raise unknown("gate", spec, GATES)
        spec = [int(character) for character in text]
    elif isinstance(spec, int | float | np.integer | np.floating):
        raise OntogenyError(f"gate {spec!r} is a number: write a truth table in quotes, such as '0110', or name a gate")
    try:
        values = [float(value) for value in spec]
    except (TypeError, ValueError):
        raise OntogenyError(f"gate {spec!r} is neither a name nor a sequence of 0 and 1") from None
    for position, value in enumerate(values):
        if value not in (0.0, 1.0):
            raise OntogenyError(f"truth table output {position} is {value:g}: every output of a gate must be 0 or 1")
    n_inputs = max(len(values), 1).bit_length() - 1
    if len(values) != 2**n_inputs or n_inputs < 1:
        lower, upper = 2 ** max(n_inputs, 1), 2 ** (n_inputs + 1)
        raise OntogenyError(
            f"a truth table of {counted(len(values), 'output')} fits no number of inputs: "
            f"n inputs need 2^n outputs, so {lower} or {upper} here"
        )
    if n_inputs > MAX_INPUTS:
        raise OntogenyError(f"a gate of {n_inputs} inputs is too large: at most {MAX_INPUTS} inputs are supported")
    bits = tuple(int(value) for value in values)
    return Gate("".join(map(str, bits)), bits)


@checks_arguments
def get_gates(specs: str | Gate | Sequence[str | Sequence[int] | Gate]) -> tuple[Gate, ...]:
    """The gates that `specs` mean, one for each output; a single name or Gate is a list of one.

    Raises OntogenyError as `get_gate` does, for an empty list, and where the gates differ in their inputs.
    """
    if isinstance(specs, str | Gate):
        specs = [specs]
    gates = tuple(get_gate(spec) for spec in specs)
    if not gates:
        raise OntogenyError("gates is empty: name at least one gate, such as XOR")
    for other in gates[1:]:
        if other.n_inputs != gates[0].n_inputs:
            raise OntogenyError(
                f"gates {gates[0].name} ({counted(gates[0].n_inputs, 'input')}) and {other.name} "
                f"({counted(other.n_inputs, 'input')}) cannot "
                "share a network: all gates of one task need the same number of inputs"
            )
    return gates


def truth_table(
    specs: str | Gate | Sequence[str | Sequence[int] | Gate],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All inputs (2^n, n) in counting order and the outputs of every gate (2^n, gates), float32."""
    gates = get_gates(specs)
    n = gates[0].n_inputs
    x = (np.arange(2**n)[:, None] >> np.arange(n)[::-1] & 1).astype(np.float32)
    return x, np.array([found.bits for found in gates], dtype=np.float32).T.copy()


@dataclass(frozen=True)
class GateSample:
    """Samples of one task: `x` (rows, inputs), `y` (rows, gates), float32, and the truth-table row of each sample."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    combination: NDArray[np.int64]


@dataclass(frozen=True)
class GateData:
    """The samples of one seed: for training, for validation, and a few (`repeats`) for probing circuits."""

    train: GateSample
    validation: GateSample
    repeats: GateSample
    weights: NDArray[np.float64] | None
    """Probability of each combination of inputs where the distribution is skewed, else None."""


def _probabilities(weights: str | Sequence[float] | None, n: int, stream: np.random.RandomState) -> Any:
    if weights is None:
        return None
    if isinstance(weights, str):
        if weights != "random":
            raise OntogenyError(f"unknown weights '{weights}': give 'random' or {2**n} numbers")
        drawn = stream.random_sample(2**n)
        return drawn / drawn.sum()
    try:
        values = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise OntogenyError(f"weights is {shown(weights)}: give 'random' or {2**n} numbers") from None
    if values.shape != (2**n,):
        raise OntogenyError(
            f"weights has {counted(values.size, 'entry')}: {n} inputs have {2**n} combinations, one weight each"
        )
    if not np.isfinite(values).all() or (values < 0).any() or values.sum() <= 0:
        raise OntogenyError("weights must be finite, none negative, and not all zero")
    return values / values.sum()


@checks_arguments
def sample_gates(
    specs: str | Gate | Sequence[str | Sequence[int] | Gate],
    seed: int,
    *,
    n_samples_train: int = DEFAULTS.n_samples_train,
    n_samples_val: int = DEFAULTS.n_samples_val,
    n_repeats: int = DEFAULTS.n_repeats,
    noise_std: float = DEFAULTS.noise_std,
    noise_copies: int = DEFAULTS.noise_copies,
    weights: str | Sequence[float] | None = None,
) -> GateData:
    """Draw the data of one seed; the same arguments give the same arrays, whatever else has been drawn.

    Every data set has `n * 2^inputs` combinations, drawn with replacement. `weights` skews them: one number for each
    combination, or "random" to draw these uniformly from the seed. With `noise_std` > 0 every drawn row is repeated
    `noise_copies` times, each with its own Gaussian noise of that standard deviation on every input (the published
    program makes as many copies as `n`; 1 keeps the sizes above).

    The stream is NumPy's frozen `RandomState(seed)`, in the order repeats, training, validation: without noise and
    weights these are the rows that the published program draws after seeding with `seed`.
    Raises OntogenyError for counts below 1, a negative or infinite noise, and weights that do not fit.
    """
    if not math.isfinite(noise_std) or noise_std < 0:
        raise OntogenyError(f"noise_std is {noise_std}: expected a finite standard deviation of at least 0")
    if seed >= 2**32:
        raise OntogenyError(f"seed is {seed}: expected a whole number from 0 to 4294967295")
    gates = get_gates(specs)
    x, y = truth_table(gates)
    stream = np.random.RandomState(int(seed))
    probabilities = _probabilities(weights, gates[0].n_inputs, stream)
    p = np.full(len(x), 1.0 / len(x)) if probabilities is None else probabilities

    def draw(count: int) -> GateSample:
        rows = stream.choice(len(x), size=int(count) * len(x), p=p)
        if noise_std == 0:
            return GateSample(x[rows], y[rows], rows)
        rows = np.repeat(rows, int(noise_copies))
        noise = stream.normal(0.0, noise_std, (len(rows), x.shape[1])).astype(np.float32)
        return GateSample(x[rows] + noise, y[rows], rows)

    repeats, train, validation = draw(n_repeats), draw(n_samples_train), draw(n_samples_val)
    return GateData(train=train, validation=validation, repeats=repeats, weights=probabilities)


@checks_arguments
def separate_output(
    weights: Sequence[NDArray], biases: Sequence[NDArray], output: int
) -> tuple[list[NDArray], list[NDArray]]:
    """The network of one output of a network of several: the last layer cut to its row `output`, the rest shared.

    `weights[l]` is (out, in), `biases[l]` is (out,). Raises OntogenyError for an output that does not exist, and for
    anything else than the weights and biases of layers.
    """
    layers = [np.ndim(each) for each in weights], [np.ndim(each) for each in biases]
    if not layers[0] or layers != ([2] * len(layers[0]), [1] * len(layers[0])):
        raise OntogenyError("give weights (out, in) and biases (out,), an array of each for every layer")
    n_outputs = len(weights[-1])
    if not 0 <= output < n_outputs:
        raise OntogenyError(f"output {output} does not exist: the network has outputs 0 to {n_outputs - 1}")
    rows = slice(output, output + 1)
    return [*weights[:-1], weights[-1][rows]], [*biases[:-1], biases[-1][rows]]
