"""Every circuit of a small network that computes its function perfectly: listed, counted or sampled."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from math import comb, inf, isfinite, log10
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits import _plain
from ontogeny.circuits._plain import Functions
from ontogeny.circuits._problem import COUNT, LIST, SAMPLE, Network, Rows, Task, no_errors
from ontogeny.circuits.masks import (
    Circuits,
    CircuitSample,
    CircuitSet,
    Sparsity,
    count_candidates,
    items,
    layer_sizes,
    layout_of,
    log2_candidates,
    max_active_neurons,
    surjections,
)
from ontogeny.circuits.outputs import ROUNDED, AnyRule, OutputRule, Tolerance, check_rule
from ontogeny.circuits.settings import DEFAULTS
from ontogeny.errors import OntogenyError, check_number, check_word, is_number, shown
from ontogeny.nonlinearities import KINDS
from ontogeny.statistics import generator
from ontogeny.words import counted

ACTIVATIONS: tuple[str, ...] = KINDS
"""Activation functions of hidden neurons that the search knows by name."""

_WORTH_THREADS = 0.5  # seconds that a count may take before it is shared among threads
_CALL_SECONDS = 1e-4  # of a function that only Python knows
_FEW_SECONDS = 0.1  # that functions of Python take without compiling
_PLAIN_SECONDS = 1.0  # spent on small networks before anything is compiled
_SMALL = 1_000_000  # candidates times rows of a small network

_MOST_SCREENED = 100_000  # circuits that are right on the rows of a screen and looked at on all

_FEW_NUMBERS = 4096  # inputs of all rows together, whose samples are kept

_MOST_LISTED = 2**62
_MOST_TABULATED = 16  # inputs of a neuron whose sets are tabulated

_MOST_INPUTS = 63  # of a neuron

_MOST_BITS = 900.0  # of a number of candidates or seconds that is reckoned with

_NO_PAIRS = np.zeros((0, 2), np.int64)
_FEW_PAIRS = [np.triu_indices(n, 1) for n in range(5)]

_LARGEST = float(np.finfo(np.float32).max)
_BOUNDED = ("tanh", "sigmoid")  # functions whose values are at most 1

_plain_spent = 0.0


def _compiled_engine() -> Any:
    from ontogeny.circuits import _compiled

    return _compiled


def _engine(name: str | None, small: bool = False) -> Any:
    """The module that searches: `_compiled`, or `_plain` where Numba is missing or a small network is quicker there."""
    if name is not None:
        check_word(name, "engine", ["compiled", "plain"])
    if name == "plain" or (name is None and small and _plain_spent < _PLAIN_SECONDS):
        return _plain
    try:
        return _compiled_engine()
    except ImportError:
        if name == "compiled":
            raise OntogenyError("the compiled engine needs Numba, which is not installed") from None
        return _plain


def as_array(value: Any, what: str) -> NDArray[np.float32]:
    """`value` (array, nested lists, or tensor) as float32. Raises OntogenyError if it is not finite numbers."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        with np.errstate(over="ignore"):
            array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise OntogenyError(f"{what} is not an array of numbers: {error}") from None
    if not np.isfinite(array).all():
        of_network = what.startswith(("weights", "biases"))
        then = "; a network that diverged has no circuits to count" if of_network else " in float32"
        raise OntogenyError(f"{what} holds NaN or infinite values{then}")
    return array


Checked = tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], tuple[int, ...]]
"""Weights (out, in) and biases (out,) of each layer, and the sizes of the layers."""


def check_weights(weights: Sequence[Any], biases: Sequence[Any]) -> Checked:
    """Weights (out, in) and biases (out,) per layer as float32, and layer sizes. Raises OntogenyError on a clash."""
    for what, arrays in (("weights", weights), ("biases", biases)):
        try:
            len(arrays)
        except TypeError:
            raise OntogenyError(
                f"{what} is of type {type(arrays).__name__}: give a list of arrays, one per layer (from_torch reads "
                "models)"
            ) from None
    if len(weights) != len(biases) or len(weights) < 2:
        raise OntogenyError(
            f"{counted(len(weights), 'weight array')} and {counted(len(biases), 'bias array')} do not make a "
            "network: give one of each per layer, "
            "two layers at least"
        )
    matrices = [as_array(w, f"weights[{layer}]") for layer, w in enumerate(weights)]
    vectors = [as_array(b, f"biases[{layer}]") for layer, b in enumerate(biases)]
    for layer, (w, b) in enumerate(zip(matrices, vectors)):
        if w.ndim != 2 or b.shape != w.shape[:1]:
            raise OntogenyError(
                f"layer {layer} has weights of shape {w.shape} and biases of shape {b.shape}; "
                "they must be (out, in) and (out,)"
            )
        if layer and w.shape[1] != matrices[layer - 1].shape[0]:
            raise OntogenyError(
                f"weights[{layer}] takes {counted(w.shape[1], 'input')} but layer {layer - 1} has "
                f"{matrices[layer - 1].shape[0]} "
                "neurons"
            )
    return matrices, vectors, (matrices[0].shape[1], *(len(b) for b in vectors))


@dataclass(frozen=True)
class Samples:
    """Distinct validation rows: what a circuit is judged on.

    inputs (inputs, S) float64, targets (S,) numbers of targets in `rule`, rows (S,) how many rows each stands for,
    `budget`: how many rows may be wrong, `rule`: which outputs are right.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.int64]
    rows: NDArray[np.int64]
    budget: int
    rule: OutputRule = ROUNDED

    @property
    def n_rows(self) -> int:
        """The number of validation rows."""
        return int(self.rows.sum())

    @cached_property
    def as_rows(self) -> Rows:
        """What a search of one network judged by rounding is given."""
        rows = Rows(
            self.inputs.astype(np.float32),
            *ROUNDED.limits(self.targets),
            self.targets.astype(np.float64),
            np.ones(len(self.rows)),
            self.rows,
            np.array([0, len(self.rows)]),
            np.array([self.budget]),
            _NO_PAIRS,
        )
        return rows._replace(pairs=_pairs(rows))

    @classmethod
    def of(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        n_inputs: int,
        accuracy_threshold: float = DEFAULTS.accuracy_threshold,
        rule: AnyRule = ROUNDED,
    ) -> Samples:
        """Merge equal rows of x (rows, inputs) and y (rows, 1) and put the most telling samples first.

        A circuit is perfect when its share of right rows is above `accuracy_threshold`. Raises OntogenyError when
        shapes clash, a target is not one of the rule's (0 or 1, or any number within a tolerance), or the threshold is
        outside [0, 1).
        """
        xs, ys = as_array(x, "x"), as_array(y, "y")
        check_rule(rule)
        if isinstance(rule, Tolerance):
            rule, ys = rule.for_targets(ys)
        if not is_number(accuracy_threshold) or not 0 <= accuracy_threshold < 1:
            raise OntogenyError(f"accuracy_threshold is {shown(accuracy_threshold)}: give a share of rows in [0, 1)")
        if xs.size > _FEW_NUMBERS:
            return _merged_samples(xs, ys, n_inputs, accuracy_threshold, rule)
        return _samples_of(xs.tobytes(), xs.shape, ys.tobytes(), ys.shape, n_inputs, accuracy_threshold, rule)


def _merged_samples(
    xs: NDArray[np.float32],
    ys: NDArray[np.float32],
    n_inputs: int,
    accuracy_threshold: float,
    rule: OutputRule,
) -> Samples:
    if ys.ndim == 2 and ys.shape[1] != 1:
        raise OntogenyError(f"y has {counted(ys.shape[1], 'output')}; circuits are enumerated for one output at a time")
    ys = ys.reshape(-1)
    if xs.ndim != 2 or xs.shape[1] != n_inputs or len(xs) != len(ys) or not len(xs):
        raise OntogenyError(
            f"x has shape {xs.shape} and y {counted(len(ys), 'row')}; x must be (rows, {n_inputs}) and y (rows, 1)"
        )
    known = np.isin(ys, np.arange(len(rule.upto)))
    if not known.all():
        raise OntogenyError(
            f"y holds {ys[~known][0]:g}; a logic gate's output is 0 or 1, and other numbers are judged with "
            "rule=within(tolerance)"
        )
    table = np.ascontiguousarray(np.concatenate([xs + np.float32(0), ys[:, None]], axis=1))
    number: dict[bytes, int] = {}
    for name in [row.tobytes() for row in table]:
        number[name] = number.get(name, 0) + 1
    distinct = np.frombuffer(b"".join(number), np.float32).reshape(len(number), -1).astype(np.float64)
    rows = np.fromiter(number.values(), np.int64, len(number))
    order = _telling(distinct)
    total = len(xs)
    return Samples(
        np.ascontiguousarray(distinct[order, :-1].T),
        distinct[order, -1].astype(np.int64),
        rows[order],
        errors_allowed(total, accuracy_threshold),
        rule,
    )


def errors_allowed(rows: int, accuracy_threshold: float) -> int:
    """How many of so many rows may be wrong where the share of right ones must exceed a threshold."""
    errors = min(rows - 1, int(rows * (1 - accuracy_threshold)) + 1)
    while not (rows - errors) / rows > accuracy_threshold:
        errors -= 1
    return errors


@lru_cache(maxsize=64)
def _samples_of(x: bytes, x_shape: tuple[int, ...], y: bytes, y_shape: tuple[int, ...], *judged: Any) -> Samples:
    """The samples of few rows, which are the same at every epoch and in every run."""
    xs, ys = np.frombuffer(x, np.float32).reshape(x_shape), np.frombuffer(y, np.float32).reshape(y_shape)
    return _merged_samples(xs, ys, *judged)


def _telling(points: NDArray[np.float64]) -> NDArray[np.int64]:
    """An order that puts points far from each other first, eight of them; the rest as they come."""
    n = len(points)
    if n <= 4:
        return np.arange(n)
    chosen = [0]
    distance = np.abs(points - points[0]).sum(axis=1)
    for _ in range(min(n, 8) - 1):
        distance[chosen] = -1
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.abs(points - points[chosen[-1]]).sum(axis=1))
    return np.array(chosen + [i for i in range(n) if i not in set(chosen)])


@dataclass(frozen=True)
class CircuitCount:
    """Perfect circuits, counted. Shares are of `count` and 0 where there are none.

    candidates: circuits that were decided on. node_participation: one array (neurons,) per layer, inputs first;
    edge_participation: one array (out, in) per layer, the output layer included. mean_sparsity: means over the circuits
    of the node, edge and combined sparsity. decided_in_float32: circuits too close to a boundary for float64.
    """

    count: int
    candidates: int
    node_participation: list[NDArray[np.float64]]
    edge_participation: list[NDArray[np.float64]]
    mean_sparsity: Sparsity
    decided_in_float32: int = 0


class Problem:
    """One network, or several of one shape, with the rows that each is judged on, ready for the search.

    A circuit is perfect when it is perfect in every one of the networks on its own rows.
    """

    def __init__(
        self,
        networks: Sequence[tuple[Sequence[ArrayLike], Sequence[ArrayLike]] | Checked],
        samples: Sequence[Samples],
        activation: str | Sequence[str] = "leaky_relu",
        candidates: str = DEFAULTS.candidates,
        min_sparsity: float = DEFAULTS.min_sparsity,
        negative_slope: float | Sequence[float] = 0.01,
        functions: Functions | None = None,
    ) -> None:
        checked = [network if len(network) == 3 else check_weights(*network) for network in networks]
        self.sizes = checked[0][2]
        if any(sizes != self.sizes for _, _, sizes in checked):
            raise OntogenyError("networks of different sizes have no circuits in common")
        self.layout = layout_of(self.sizes)
        self.most = max_active_neurons(self.layout.n_hidden, candidates, min_sparsity)
        self.candidates, self.min_sparsity, self.functions = candidates, min_sparsity, functions
        depth = len(self.sizes) - 2
        names = [activation] * depth if isinstance(activation, str) else items(activation)
        if callable(activation) or not names:
            given = "a function" if callable(activation) else shown(activation)
            raise OntogenyError(
                f"activation is {given}; name one of {', '.join(ACTIVATIONS)} (from_torch reads models with others)"
            )
        for name in names:
            check_word(name, "activation", ACTIVATIONS)
        if isinstance(negative_slope, Sequence) and not isinstance(negative_slope, str):
            slopes = list(negative_slope)
        else:
            slopes = [_plain.slope_of(name, negative_slope) for name in names]
        for name, slope in zip(names, slopes):
            if name == "leaky_relu" or not is_number(slope) or not isfinite(slope):
                check_number(slope, "negative_slope", "a slope from 0 to 1", 0, 1)
        for what, number in (("activation", len(names)), ("slope", len(slopes))):
            if number != depth:
                raise OntogenyError(
                    f"{counted(number, what)} for a network of {counted(depth, 'hidden layer')}: give one per layer"
                )
        self.network = _expanded(checked, [len(own.rows) for own in samples], names, slopes)
        if functions is None:
            _check_range(self.network, samples, names)
        self.rows = _merged(self.network, samples, functions)
        if len(samples) > 1 and self.strict:
            self._interleave([len(own.rows) for own in samples])

    @property
    def strict(self) -> bool:
        """Whether no row may be wrong."""
        return no_errors(self.rows)

    def _interleave(self, counts: list[int]) -> None:
        """Put the most telling rows of all networks first, which then are judged as one."""
        place = np.concatenate([np.arange(n) for n in counts])
        order = np.argsort(place, kind="stable")
        rows, network = self.rows, self.network
        turned = {
            name: np.ascontiguousarray(getattr(rows, name)[..., order])
            for name in ("inputs", "above", "upto", "centre", "scale", "weight")
        }
        starts = np.array([0, len(order)])
        self.rows = rows._replace(**turned, starts=starts, budget=rows.budget.min(keepdims=True))
        self.rows = self.rows._replace(pairs=_pairs(self.rows))
        self.network = network._replace(
            weights=np.ascontiguousarray(network.weights[..., order]),
            biases=np.ascontiguousarray(network.biases[..., order]),
        )

    @property
    def one_by_one(self) -> bool:
        """Whether a layer has more inputs than sets of them can be tabulated for."""
        return max(self.sizes[:-2]) > _MOST_TABULATED

    @property
    def n_candidates(self) -> int:
        """How many circuits are decided on."""
        return count_candidates(self.sizes, self.candidates, self.min_sparsity)

    def cost(self) -> float:
        """Seconds of CPU that a search may take, see `estimate_cost`."""
        n_rows = len(self.rows.weight)
        known = _cost(self.sizes, n_rows, self.candidates, self.min_sparsity)
        if self.functions is None or self.one_by_one:
            return known
        own = _plain.cost(self.sizes, n_rows)
        return min(own, known + _CALL_SECONDS * _plain.n_walks(self.sizes)) if find_spec("numba") else own

    @property
    def parts(self) -> range:
        """Numbers of the parts of all circuits, by the inputs of the first two hidden neurons; -1 if they are one."""
        if len(self.sizes) < 4 or self.one_by_one or self.functions is not None:
            return range(-1, 0)
        return range(1 << self.sizes[0] * min(2, self.sizes[1]))

    def check_cost(self, max_seconds: float | None) -> None:
        """Raise OntogenyError if a search may take longer than `max_seconds`, or that is no number."""
        if max_seconds is not None and not is_number(max_seconds):
            raise OntogenyError(f"max_seconds is {shown(max_seconds)}: give seconds as a number, or None for no limit")
        if max_seconds is not None and (cost := self.cost()) > max_seconds:
            if not isfinite(cost):
                exponent = int(log2_candidates(self.sizes, self.most) * log10(2))
                raise OntogenyError(
                    f"a network of sizes {list(self.sizes)} has more than 1e+{exponent} candidate circuits, which no "
                    "search gets through: take fewer or smaller hidden layers"
                )
            raise OntogenyError(
                f"a network of sizes {list(self.sizes)} has {self.n_candidates:.3g} candidate circuits, about "
                f"{_duration(cost)} of work, which is above the limit of {_duration(max_seconds)}: take fewer or "
                "smaller hidden layers, or raise max_seconds"
            )

    def check_cost_of_drawing(self, max_seconds: float | None) -> None:
        """As `check_cost`, of circuits that are drawn, which takes two searches."""
        self.check_cost(max_seconds / 2 if max_seconds is not None and is_number(max_seconds) else max_seconds)

    def search(
        self, engine: str | None, mode: int, limit: int = 0, ranks: NDArray[np.int64] | None = None, part: int = -1
    ) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
        """Number found, codes (unless counting), marginals (when counting), and number decided in float32.

        Raises OntogenyError for neurons with more inputs than a search holds.
        """
        global _plain_spent
        if mode != COUNT:
            self.layout.check_codes()
        ranks = np.zeros(0, np.int64) if ranks is None else ranks
        task = Task(mode, limit, ranks, self.most, part)
        if self.one_by_one:
            if max(self.sizes[:-2]) > _MOST_INPUTS:
                raise OntogenyError(
                    f"a network of sizes {list(self.sizes)} has neurons with {max(self.sizes[:-2])} inputs, and at "
                    f"most {_MOST_INPUTS} are searched: take smaller layers"
                )
            return _plain.one_by_one(self.network, self.rows, task, self.functions)
        if self.functions is not None:
            chosen = _engine(engine, _plain.cost(self.sizes, len(self.rows.weight)) < _FEW_SECONDS)
            try:
                return chosen.search(self.network, self.rows, task, self.functions)
            except FloatingPointError:
                return _plain.search(self.network, self.rows, task, self.functions)
        small = _plain_spent < _PLAIN_SECONDS and self.n_candidates * len(self.rows.weight) < _SMALL
        chosen = _engine(engine, small)
        began = time.perf_counter()
        if mode != SAMPLE and chosen is not _plain and (screened := self._search_screened(chosen, mode, limit, part)):
            return screened
        found = chosen.search(self.network, self.rows, task)
        if engine is None and chosen is _plain:
            _plain_spent += time.perf_counter() - began
        return found

    def _search_screened(
        self, engine: Any, mode: int, limit: int, part: int
    ) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int] | None:
        """As `search`, by first asking for circuits that are right on some of many rows, with all the errors allowed.

        None where rows are few, or too many circuits pass.
        """
        rows = self.rows
        screen = max(64, 12 * int(rows.budget[0]))
        if len(rows.budget) > 1 or len(rows.weight) < 4 * screen or self.layout.n_hidden_edges > 64:
            return None
        at = np.linspace(0, len(rows.weight) - 1, screen).round().astype(np.int64)
        some, network = (
            _rows_at(rows, at),
            self.network._replace(
                weights=np.ascontiguousarray(self.network.weights[..., at]),
                biases=np.ascontiguousarray(self.network.biases[..., at]),
            ),
        )
        task = Task(LIST, _MOST_SCREENED, np.zeros(0, np.int64), self.most, part)
        found, codes, *_ = engine.search(network, some, task)
        if found > _MOST_SCREENED:
            return None
        right, decided = _plain.right_on_all(self.layout, codes, self.network, rows)
        codes = codes[right]
        if mode != COUNT:
            return len(codes), codes[: limit + 1] if mode == LIST else codes, np.zeros((0, 0, 0), np.int64), decided
        return len(codes), np.zeros(0, np.uint64), self._marginals(codes), decided

    def _marginals(self, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
        """(layers, neurons, input sets): how many of the circuits have each input set at each neuron."""
        n_sets = 1 << max(self.sizes[:-2])
        marginals = np.zeros((len(self.sizes) - 2, max(self.sizes), n_sets), np.int64)
        for layer, mask in enumerate(self.layout.edges(codes)[:-1]):
            sets = mask.astype(np.int64) @ (1 << np.arange(mask.shape[2]))
            for neuron in range(mask.shape[1]):
                marginals[layer, neuron] = np.bincount(sets[:, neuron], minlength=n_sets)
        return marginals

    def count(self, engine: str | None = None, threads: int | None = 1) -> tuple[int, NDArray[np.int64], int]:
        """Number found, marginals and number decided in float32, as of `search`, with up to `threads` threads.

        Raises OntogenyError for fewer than one thread.
        """
        threads = _available_threads() if threads is None else threads
        if not isinstance(threads, int | np.integer) or threads < 1:
            raise OntogenyError(f"threads is {shown(threads)}: give 1 or more, or None for as many as there are")
        if threads == 1 or len(self.parts) == 1 or self.cost() < _WORTH_THREADS:
            found, _, marginals, decided = self.search(engine, COUNT)
            return found, marginals, decided
        chosen = _engine(engine)
        if chosen is not _plain:
            whole = chosen.count_by_boxes(self.network, self.rows, Task(COUNT, 0, np.zeros(0, np.int64), self.most, -1))
            if whole is not None:
                return whole[0], whole[2], whole[3]
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(lambda part: self.search(engine, COUNT, part=part), self.parts))
        return sum(r[0] for r in results), np.sum([r[2] for r in results], axis=0), sum(r[3] for r in results)

    def counted(self, engine: str | None = None, threads: int | None = None) -> CircuitCount:
        """How many circuits there are, and what they have in common; arguments as of `count_circuits`."""
        found, marginals, decided = self.count(engine, threads)
        return summarise(self.sizes, found, marginals, self.n_candidates, decided)

    def listed(self, limit: int, engine: str | None = None) -> CircuitSet | None:
        """All circuits, or None where there are more than `limit`. Raises OntogenyError if that is no whole number."""
        check_number(limit, "limit", "a whole number of circuits", 0, whole=True)
        found, codes, *_ = self.search(engine, LIST, min(int(limit), _MOST_LISTED))
        return CircuitSet(self.layout.in_order(codes), self.layout) if found <= limit else None

    def sampled(self, n: int, seed: int | np.random.Generator, found: int, engine: str | None = None) -> CircuitSample:
        """`n` of `found` circuits, which are all there are, drawn uniformly without replacement.

        Raises OntogenyError where `n` is no whole number, or below 0, or `seed` is no seed.
        """
        if not is_number(n, whole=True) or n < 0:
            raise OntogenyError(f"a sample of {shown(n)} circuits cannot be drawn: give a whole number")
        rng = generator(seed)
        ranks = np.arange(found) if n >= found else distinct(rng, found, n)
        codes = self.search(engine, SAMPLE, ranks=ranks)[1] if len(ranks) else np.zeros(0, np.uint64)
        return CircuitSample(self.layout.in_order(codes), self.layout, found)

    def all_or_sample(
        self, most: int, seed: int | np.random.Generator, n: int | None = None
    ) -> tuple[Circuits, CircuitCount | None]:
        """All circuits where there are at most `most`, else `n` of them (None: `most`), drawn, and the count of all."""
        if (everything := self.listed(most)) is not None:
            return everything, None
        counted = self.counted()
        return self.sampled(most if n is None else n, seed, counted.count), counted


def _rows_at(rows: Rows, at: NDArray[np.int64]) -> Rows:
    """Some of the rows of one network, with the number of errors allowed among all."""
    names = ("inputs", "above", "upto", "centre", "scale", "weight")
    some = {name: np.ascontiguousarray(getattr(rows, name)[..., at]) for name in names}
    return rows._replace(**some, starts=np.array([0, len(at)]), pairs=_NO_PAIRS)


def _expanded(
    networks: Sequence[Checked],
    counts: Sequence[int],
    activations: Sequence[str],
    slopes: Sequence[float],
) -> Network:
    """The networks as one, with each one's weights at its own rows."""
    sizes = networks[0][2]
    n, layers = max(sizes), len(sizes) - 1
    weights = np.zeros((layers, n, n, sum(counts)), np.float32)
    biases = np.zeros((layers, n, sum(counts)), np.float32)
    start = 0
    for (matrices, vectors, _), count in zip(networks, counts):
        for layer, (w, b) in enumerate(zip(matrices, vectors)):
            weights[layer, : w.shape[0], : w.shape[1], start : start + count] = w[:, :, None]
            biases[layer, : len(b), start : start + count] = b[:, None]
        start += count
    kinds = np.array([ACTIVATIONS.index(name) for name in activations], np.int64)
    return Network(np.array(sizes), weights, biases, kinds, np.array(slopes, np.float32))


def _check_range(network: Network, samples: Sequence[Samples], activations: Sequence[str]) -> None:
    """Raise OntogenyError if numbers of some circuit may be too large for float32."""
    weights, biases = network.weights, network.biases
    matrix, bias = (max(float(part.max()), -float(part.min())) for part in (weights, biases))
    most = max(float(np.abs(own.inputs).max()) for own in samples)
    for function in (*activations, "identity"):
        sums = weights.shape[1] * matrix * most + bias
        if sums > _LARGEST:
            raise OntogenyError(
                f"weights and inputs are so large that sums of a circuit may pass {_LARGEST:.2g}, the largest number "
                "of float32, in which circuits are judged: scale them down"
            )
        most = 1.0 if function in _BOUNDED else sums + 1


def _merged(network: Network, samples: Sequence[Samples], functions: Functions | None) -> Rows:
    """The rows of all networks, one network after another, with the limits of their outputs."""
    if len(samples) == 1 and samples[0].rule is ROUNDED:
        return samples[0].as_rows
    inputs = np.concatenate([own.inputs for own in samples], axis=1)
    limits = [own.rule.limits(own.targets) for own in samples]
    above, upto = (np.concatenate([pair[side] for pair in limits]) for side in (0, 1))
    counts = [len(own.rows) for own in samples]
    targets = np.concatenate([own.targets for own in samples])
    centre, scale = targets.astype(np.float64), np.ones(sum(counts))
    if any(own.rule is not ROUNDED for own in samples):
        low, high, _ = _plain.output_range(network, inputs, functions)
        room = 2.0 * (np.maximum(np.abs(low), np.abs(high)) + 1.0)
        start = 0
        for own, count in zip(samples, counts):
            part = slice(start, start + count)
            start += count
            if own.rule is not ROUNDED:
                centre[part], scale[part] = _centred(above[part], upto[part], room[part])
    rows = Rows(
        np.ascontiguousarray(inputs, np.float32),
        above,
        upto,
        centre,
        scale,
        np.concatenate([own.rows for own in samples]),
        np.cumsum([0, *counts]),
        np.array([own.budget for own in samples], np.int64),
        np.zeros((0, 2), np.int64),
    )
    return rows._replace(pairs=_pairs(rows))


def _centred(
    above: NDArray[np.float32], upto: NDArray[np.float32], room: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middle of what is right, and what makes it 1 wide; where it has no end, it goes as far as outputs can, and where
    nothing is right it lies beyond."""
    low, high = above.astype(np.float64), upto.astype(np.float64)
    low, high = np.where(low == np.inf, room, low), np.where(high == -np.inf, -room, high)
    no_low, no_high = np.isinf(low), np.isinf(high)
    ends = np.where(no_low, 0.0, np.abs(low)) + np.where(no_high, 0.0, np.abs(high)) + room
    everything = no_low & no_high
    high = np.where(no_high, np.where(no_low, 0.0, low) + ends, high)
    low = np.where(everything, -ends, np.where(no_low, high - ends, low))
    return (low + high) / 2, 1.0 / (high - low)


def _pairs(rows: Rows) -> NDArray[np.int64]:
    """Rows whose half-differences sharpen the bounds: those with different centres, where rows are few."""
    n = len(rows.weight)
    if n > 8:
        return _NO_PAIRS
    first, second = np.triu_indices(n, 1) if n > 4 else _FEW_PAIRS[n]
    other = rows.centre[first] != rows.centre[second]
    return np.stack([first[other], second[other]], axis=1)


def _available_threads() -> int:
    """OMP_NUM_THREADS where it is a number, as Snakemake sets it for a job, else the processors of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _duration(seconds: float) -> str:
    for unit, length in (("years", 3.15e7), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}" if seconds < 1e13 else f"{seconds / length:.3g} {unit}"
    return f"{seconds:.2g} s"


def estimate_cost(
    sizes: Sequence[int],
    n_samples: int = 4,
    candidates: str = DEFAULTS.candidates,
    min_sparsity: float = DEFAULTS.min_sparsity,
) -> float:
    """Seconds of CPU that a search may take, from measurements on trained networks for which it took long.

    Networks of one size differ: hard ones take up to three times this, easy ones a hundredth or less. Never more than
    deciding every candidate by itself would take.

    `sizes`: layer sizes, inputs first, 1 last; `n_samples`: distinct validation rows; others as in
    `enumerate_circuits`.

    Raises OntogenyError for sizes that are not those of inputs, hidden layers and one output, and for other arguments
    that are none of these.
    """
    check_number(n_samples, "n_samples", "a whole number of rows, 1 or more", 1, whole=True)
    checked = layer_sizes(sizes)
    max_active_neurons(sum(checked[1:-1]), candidates, min_sparsity)
    return _cost(checked, n_samples, candidates, min_sparsity)


@lru_cache(maxsize=256)
def _cost(sizes: tuple[int, ...], n_samples: int, candidates: str, min_sparsity: float) -> float:
    bits = log2_candidates(sizes, max_active_neurons(sum(sizes[1:-1]), candidates, min_sparsity))
    if bits > _MOST_BITS:
        return inf
    one_by_one = 2e-4 * 2.0**bits
    if max(sizes[:-2]) > _MOST_TABULATED or sum(a * b for a, b in pairwise(sizes[:-1])) > _MOST_BITS:
        return one_by_one
    before = {sizes[0]: 1.0}
    for size in sizes[1:-2]:
        grown: dict[int, float] = {}
        for upstream, number in before.items():
            for now in range(1, size + 1):
                grown[now] = grown.get(now, 0.0) + number * comb(size, now) * surjections(upstream, now)
        before = grown
    last, seconds = sizes[-2], 0.0
    for upstream, number in before.items():
        options = 2.0**upstream
        right = 1
        while right < (last + 1) // 2 and options ** (right + 1) <= 4096:
            right += 1
        table = options**right
        left = options ** (last - right)
        leaf = 4e-7 + 4e-9 * last * options * n_samples + 2e-9 * table
        leaf += 0.015 * left * (5e-8 + 1e-10 * table * max(1.0, n_samples / 4))
        seconds += number * leaf
    return min(seconds, one_by_one)


def problem_of(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str,
    accuracy_threshold: float,
    activation: str | Sequence[str],
    min_sparsity: float,
    negative_slope: float,
    rule: AnyRule,
) -> Problem:
    """What the search is given. Arguments and errors as in `enumerate_circuits`."""
    checked = check_weights(weights, biases)
    samples = Samples.of(x, y, checked[2][0], accuracy_threshold, rule)
    return Problem([checked], [samples], activation, candidates, min_sparsity, negative_slope)


def enumerate_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str | Sequence[str] = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    rule: AnyRule = ROUNDED,
    limit: int = 50_000_000,
    max_seconds: float | None = 3600.0,
    engine: str | None = None,
) -> CircuitSet:
    """All perfect circuits of a network with one output, in the order of the published enumeration.

    A circuit is a set of edges into hidden layers such that every input is used and every active hidden neuron has
    an incoming and an outgoing edge; active neurons of the last hidden layer feed the output. Inactive neurons
    contribute 0, active ones keep their bias. It is perfect when its output, rounded half to even, equals y on more
    than `accuracy_threshold` of the rows: y = 0 accepts [-0.5, 0.5] and y = 1 accepts (0.5, 1.5). Meloux et al.,
    arXiv 2502.20914.

    weights[l] (out, in), biases[l] (out,); x (rows, inputs), y (rows, 1) of 0 and 1, or of any numbers for the rule
    `within`; taken as float32. candidates:
    "all", or "published", which leaves out the circuits that use all hidden neurons (2-3-3-1: 3,000 of 9,625).
    activation: of hidden neurons, one of `ACTIVATIONS` or one per hidden layer, with `negative_slope` for leaky_relu.
    rule: which outputs are right, the published one or that of `above` or `within`. min_sparsity: keep node
    sparsities strictly above it; 0 is off. limit: the most circuits to list (8 bytes each). max_seconds: refuse a
    search that is estimated to cost more (None: never). engine: "compiled" or "plain"; None takes the faster there is.

    Decisions are made in float64; a circuit with an output within float32 rounding of a boundary is decided by a
    float32 forward pass. Raises OntogenyError for arrays that are not such a network or task, for a search that
    would take too long, and when more than `limit` circuits are perfect.
    """
    problem = problem_of(
        weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope, rule
    )
    problem.check_cost(max_seconds)
    circuits = problem.listed(limit, engine)
    if circuits is None:
        raise OntogenyError(
            f"more than {limit:,} of the {problem.n_candidates:.3g} candidates are perfect circuits, too many to list: "
            "count_circuits counts them all, sample_circuits draws from them, and limit raises the bound"
        )
    return circuits


def count_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str | Sequence[str] = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    rule: AnyRule = ROUNDED,
    max_seconds: float | None = 3600.0,
    engine: str | None = None,
    threads: int | None = None,
) -> CircuitCount:
    """How many perfect circuits there are, how often each node and edge takes part, and their mean sparsity.

    Nothing is listed, so memory does not grow with the count. Arguments and errors as in `enumerate_circuits`. threads:
    at most so many share a count that may take long (None: OMP_NUM_THREADS, or one for each processor); the result is
    the same.
    """
    problem = problem_of(
        weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope, rule
    )
    problem.check_cost(max_seconds)
    return problem.counted(engine, threads)


@lru_cache(maxsize=16)
def _members(n: int) -> NDArray[np.int64]:
    """(2^n, n): which of n inputs belong to each input set."""
    return (np.arange(1 << n)[:, None] >> np.arange(n)) & 1


def summarise(
    sizes: tuple[int, ...], found: int, marginals: NDArray[np.int64], candidates: int, decided: int = 0
) -> CircuitCount:
    """The `CircuitCount` that belongs to marginal counts (layers, neurons, input sets) of a search."""
    share = 1.0 / found if found else 0.0
    nodes = [np.full(sizes[0], found, np.int64)]
    edges = []
    for layer, (a, b) in enumerate(pairwise(sizes[:-1])):
        if max(sizes[:-2]) > _MOST_TABULATED:
            edges.append(marginals[layer, :b, :a])
            nodes.append(marginals[layer, :b, -1])
        else:
            table = marginals[layer, :b, : 1 << a]
            edges.append(table @ _members(a))
            nodes.append(table[:, 1:].sum(axis=1))
    edges.append(nodes[-1][None, :].copy())
    nodes.append(np.array([found], np.int64))
    n_hidden = sum(sizes[1:-1])
    n_edges = sum(mask.size for mask in edges)
    active = sum(int(v.sum()) for v in nodes[1:-1]) * share
    used = sum(int(v.sum()) for v in edges) * share
    mean = Sparsity(
        (n_hidden - active) / n_hidden if found else 0.0,
        (n_edges - used) / n_edges if found else 0.0,
        (n_hidden + n_edges - active - used) / (n_hidden + n_edges) if found else 0.0,
    )
    return CircuitCount(
        found, candidates, [_shares(v, found) for v in nodes], [_shares(v, found) for v in edges], mean, decided
    )


def _shares(numbers: NDArray[np.int64], of: int) -> NDArray[np.float64]:
    """Shares of a number (0 if that is), which are 1 for all of it and for nothing less."""
    shares = numbers / max(of, 1)
    if of >> 53:  # beyond what float64 tells apart
        return np.where(numbers < of, np.minimum(shares, np.nextafter(1.0, 0.0)), shares)
    return shares


def sample_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    n: int,
    seed: int | np.random.Generator = 0,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str | Sequence[str] = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    rule: AnyRule = ROUNDED,
    max_seconds: float | None = 3600.0,
    engine: str | None = None,
) -> CircuitSample:
    """`n` of the perfect circuits, drawn uniformly without replacement (all of them when there are fewer).

    Two passes, one to count and one to pick, and memory for `n` circuits only. Arguments and errors as in
    `enumerate_circuits`; `seed`: a number or a NumPy generator.

    Raises OntogenyError as it does, and if `n` is negative.
    """
    if not is_number(n, whole=True) or n < 0:
        raise OntogenyError(f"cannot draw {shown(n)} circuits: give a whole number of 0 or more")
    problem = problem_of(
        weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope, rule
    )
    problem.check_cost_of_drawing(max_seconds)
    return problem.sampled(n, seed, problem.count(engine, threads=None)[0], engine)


def distinct(rng: np.random.Generator, below: int, n: int) -> NDArray[np.int64]:
    """`n` different integers in [0, below), uniform, sorted."""
    if below <= 4 * n:
        return np.sort(rng.permutation(below)[:n])
    chosen: set[int] = set()
    while len(chosen) < n:
        chosen.update(rng.integers(0, below, n - len(chosen)).tolist())
    return np.sort(np.fromiter(chosen, np.int64, n))
