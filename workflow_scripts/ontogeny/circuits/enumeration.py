"""Every circuit of a small network that computes its function perfectly: listed, counted or sampled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, pairwise
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits.masks import (
    CircuitSample,
    CircuitSet,
    Layout,
    Sparsity,
    count_candidates,
    max_active_neurons,
)
from ontogeny.circuits.settings import DEFAULTS
from ontogeny.errors import OntogenyError, unknown

ACTIVATIONS = {"leaky_relu": 0, "relu": 1, "tanh": 2, "sigmoid": 3, "identity": 4}
"""Known activation functions of hidden neurons and their numbers inside the search."""

COUNT, LIST, SAMPLE = 0, 1, 2
_NONE = np.zeros(0, np.int64)
_WORTH_THREADS = 0.5  # seconds that a count may take before it is shared among threads


def _engine(name: str | None):
    """The module that searches: `_compiled` where Numba is installed, else `_plain`."""
    if name not in (None, "compiled", "plain"):
        raise unknown("engine", name, ["compiled", "plain"])
    if name != "plain":
        try:
            from ontogeny.circuits import _compiled
        except ImportError:
            if name == "compiled":
                raise OntogenyError("the compiled engine needs Numba, which is not installed") from None
        else:
            return _compiled
    from ontogeny.circuits import _plain

    return _plain


def as_array(value: Any, what: str) -> NDArray[np.float32]:
    """`value` (array, nested lists, or tensor) as float32. Raises OntogenyError if it is not finite numbers."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        array = np.asarray(value, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise OntogenyError(f"{what} is not an array of numbers: {error}") from None
    if not np.isfinite(array).all():
        raise OntogenyError(f"{what} holds NaN or infinite values; a network that diverged has no circuits to count")
    return array


def check_weights(
    weights: Sequence[Any], biases: Sequence[Any]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], tuple[int, ...]]:
    """Weights (out, in) and biases (out,) per layer as float32, and layer sizes. Raises OntogenyError on a clash."""
    if len(weights) != len(biases) or len(weights) < 2:
        raise OntogenyError(
            f"{len(weights)} weight and {len(biases)} bias arrays do not make a network: give one of each per layer, "
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
                f"weights[{layer}] takes {w.shape[1]} inputs but layer {layer - 1} has {matrices[layer - 1].shape[0]} "
                "neurons"
            )
    return matrices, vectors, (matrices[0].shape[1], *(len(b) for b in vectors))


@dataclass(frozen=True)
class Samples:
    """Distinct validation rows: what a circuit is judged on.

    inputs (inputs, S) float64, targets (S,) 0 or 1, rows (S,) how many rows each stands for, `budget`: how many rows
    may be wrong; pairs (X, 2): samples whose half-difference bounds the search.
    """

    inputs: NDArray[np.float64]
    targets: NDArray[np.int64]
    rows: NDArray[np.int64]
    budget: int
    pairs: NDArray[np.int64] = field(repr=False)

    @property
    def n_rows(self) -> int:
        """The number of validation rows."""
        return int(self.rows.sum())

    @classmethod
    def of(
        cls, x: ArrayLike, y: ArrayLike, n_inputs: int, accuracy_threshold: float = DEFAULTS.accuracy_threshold
    ) -> Samples:
        """Merge equal rows of x (rows, inputs) and y (rows, 1) and put the most telling samples first.

        A circuit is perfect when its share of right rows is above `accuracy_threshold`. Raises OntogenyError when
        shapes clash, a target is not 0 or 1, or the threshold is outside [0, 1).
        """
        xs, ys = as_array(x, "x"), as_array(y, "y")
        if ys.ndim == 2 and ys.shape[1] != 1:
            raise OntogenyError(f"y has {ys.shape[1]} outputs; circuits are enumerated for one output at a time")
        ys = ys.reshape(-1)
        if xs.ndim != 2 or xs.shape[1] != n_inputs or len(xs) != len(ys) or not len(xs):
            raise OntogenyError(
                f"x has shape {xs.shape} and y {len(ys)} rows; x must be (rows, {n_inputs}) and y (rows, 1)"
            )
        if not ((ys == 0) | (ys == 1)).all():
            odd = ys[(ys != 0) & (ys != 1)][0]
            raise OntogenyError(f"y holds {odd:g}; a logic gate's output is 0 or 1")
        if not 0 <= accuracy_threshold < 1:
            raise OntogenyError(f"accuracy_threshold is {accuracy_threshold}; give a share of rows in [0, 1)")
        table = np.ascontiguousarray(np.concatenate([xs + np.float32(0), ys[:, None]], axis=1))
        names = table.view(np.dtype((np.void, table.shape[1] * 4))).ravel().tolist()
        number: dict[bytes, int] = {}
        for name in names:
            number[name] = number.get(name, 0) + 1
        distinct = np.frombuffer(b"".join(number), np.float32).reshape(len(number), -1).astype(np.float64)
        rows = np.fromiter(number.values(), np.int64, len(number))
        order = _telling(distinct)
        total = len(xs)
        budget = min(total - 1, int(total * (1 - accuracy_threshold)) + 1)
        while not (total - budget) / total > accuracy_threshold:
            budget -= 1
        targets = distinct[order, -1].astype(np.int64)
        pairs = [(a, b) for a, b in combinations(range(len(order)), 2) if targets[a] != targets[b]]
        few = pairs if len(order) <= 8 else []
        return cls(
            np.ascontiguousarray(distinct[order, :-1].T),
            targets,
            rows[order],
            budget,
            np.array(few, np.int64).reshape(-1, 2),
        )


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
    """A checked network with its samples, ready for the search."""

    def __init__(
        self, weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, slope, samples=None
    ) -> None:
        matrices, vectors, sizes = check_weights(weights, biases)
        if activation not in ACTIVATIONS:
            raise unknown("activation", activation, ACTIVATIONS)
        self.sizes, self.layout = sizes, Layout(sizes)
        self.samples = Samples.of(x, y, sizes[0], accuracy_threshold) if samples is None else samples
        self.max_active = max_active_neurons(self.layout.n_hidden, candidates, min_sparsity)
        self.candidates, self.min_sparsity = candidates, min_sparsity
        widest = max(sizes)
        self.weights = np.zeros((len(matrices), widest, widest))
        self.biases = np.zeros((len(matrices), widest))
        for layer, (w, b) in enumerate(zip(matrices, vectors)):
            self.weights[layer, : w.shape[0], : w.shape[1]] = w
            self.biases[layer, : len(b)] = b
        self.kind, self.slope = ACTIVATIONS[activation], slope
        if not 0 <= slope <= 1:
            raise OntogenyError(f"negative_slope is {slope}; give a slope from 0 to 1")

    @property
    def n_candidates(self) -> int:
        return count_candidates(self.sizes, self.candidates, self.min_sparsity)

    def check_cost(self, max_seconds: float | None) -> None:
        if max_seconds is None:
            return
        cost = estimate_cost(self.sizes, len(self.samples.rows))
        if cost > max_seconds:
            raise OntogenyError(
                f"a network of sizes {list(self.sizes)} has {self.n_candidates:.3g} candidate circuits, about "
                f"{_duration(cost)} of work, which is above the limit of {_duration(max_seconds)}: take fewer or "
                "smaller hidden layers, or raise max_seconds"
            )

    def search(self, engine: str | None, mode: int, limit: int = 0, ranks: NDArray[np.int64] = _NONE, part: int = -1):
        s, chosen, sizes = self.samples, _engine(engine), np.array(self.sizes)
        margin = chosen.rounding_margin(sizes, self.weights, self.biases, s.inputs, self.kind, self.slope)
        return chosen.search(
            sizes,
            self.weights,
            self.biases,
            s.inputs,
            s.targets,
            s.rows,
            s.budget,
            margin,
            self.kind,
            self.slope,
            self.max_active,
            s.pairs,
            mode,
            limit,
            ranks,
            part,
        )

    def count(self, engine: str | None, threads: int | None) -> tuple[int, NDArray[np.int64], int]:
        """Number found, marginals and number decided in float32, as of `search`, with up to `threads` threads."""
        threads = _available_threads() if threads is None else threads
        if threads < 1:
            raise OntogenyError(f"threads is {threads}; give 1 or more, or None for as many as there are")
        if threads == 1 or len(self.sizes) < 4 or estimate_cost(self.sizes, len(self.samples.rows)) < _WORTH_THREADS:
            found, _, marginals, decided, *_ = self.search(engine, COUNT)
            return int(found), marginals, int(decided)
        parts = range(1 << self.sizes[0] * min(2, self.sizes[1]))
        with ThreadPoolExecutor(threads) as pool:
            results = list(pool.map(lambda part: self.search(engine, COUNT, part=part), parts))
        return sum(int(r[0]) for r in results), sum(r[2] for r in results), sum(int(r[3]) for r in results)


def _available_threads() -> int:
    """OMP_NUM_THREADS where it is a number, as Snakemake sets it for a job, else the processors of this process."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    if wanted.isdecimal() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _duration(seconds: float) -> str:
    for unit, length in (("years", 3.15e7), ("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} s"


def estimate_cost(sizes: Sequence[int], n_samples: int = 4) -> float:
    """Seconds of CPU that a search may take, from measurements on trained networks for which it took long.

    Networks of one size differ: hard ones take up to three times this, easy ones a hundredth or less.

    `sizes`: layer sizes, inputs first, 1 last; `n_samples`: distinct validation rows.
    """
    sizes = [int(size) for size in sizes]
    before = {sizes[0]: 1.0}
    for size in sizes[1:-2]:
        grown: dict[int, float] = {}
        for upstream, number in before.items():
            for now in range(1, size + 1):
                ways = comb(size, now) * sum(
                    (-1) ** i * comb(upstream, i) * (2.0 ** (upstream - i) - 1) ** now for i in range(upstream + 1)
                )
                grown[now] = grown.get(now, 0.0) + number * ways
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
    return seconds


def enumerate_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
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

    weights[l] (out, in), biases[l] (out,); x (rows, inputs), y (rows, 1) of 0 and 1; taken as float32. candidates:
    "all", or "published", which leaves out the circuits that use all hidden neurons (2-3-3-1: 3,000 of 9,625).
    activation: of hidden neurons, one of `ACTIVATIONS`, with `negative_slope` for leaky_relu. min_sparsity: keep node
    sparsities strictly above it; 0 is off. limit: the most circuits to list (8 bytes each). max_seconds: refuse a
    search that is estimated to cost more (None: never). engine: "compiled" or "plain"; None takes the faster there is.

    Decisions are made in float64; a circuit with an output within float32 rounding of a boundary is decided by a
    float32 forward pass. Raises OntogenyError for arrays that are not such a network or task, for a search that
    would take too long, and when more than `limit` circuits are perfect.
    """
    problem = Problem(weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope)
    problem.check_cost(max_seconds)
    found, codes, *_ = problem.search(engine, LIST, limit)
    if found > limit:
        raise OntogenyError(
            f"more than {limit:,} of the {problem.n_candidates:.3g} candidates are perfect circuits, too many to list: "
            "count_circuits counts them all, sample_circuits draws from them, and limit raises the bound"
        )
    return CircuitSet(problem.layout.in_order(codes), problem.layout)


def count_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    max_seconds: float | None = 3600.0,
    engine: str | None = None,
    threads: int | None = None,
) -> CircuitCount:
    """How many perfect circuits there are, how often each node and edge takes part, and their mean sparsity.

    Nothing is listed, so memory does not grow with the count. Arguments and errors as in `enumerate_circuits`. threads:
    at most so many share a count that may take long (None: OMP_NUM_THREADS, or one for each processor); the result is
    the same.
    """
    problem = Problem(weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope)
    problem.check_cost(max_seconds)
    found, marginals, decided = problem.count(engine, threads)
    return summarise(problem.sizes, found, marginals, problem.n_candidates, decided)


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
    return CircuitCount(found, candidates, [v * share for v in nodes], [v * share for v in edges], mean, decided)


def sample_circuits(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    n: int,
    seed: int | np.random.Generator,
    candidates: str = DEFAULTS.candidates,
    accuracy_threshold: float = DEFAULTS.accuracy_threshold,
    activation: str = "leaky_relu",
    min_sparsity: float = DEFAULTS.min_sparsity,
    *,
    negative_slope: float = 0.01,
    max_seconds: float | None = 3600.0,
    engine: str | None = None,
) -> CircuitSample:
    """`n` of the perfect circuits, drawn uniformly without replacement (all of them when there are fewer).

    Two passes, one to count and one to pick, and memory for `n` circuits only. Arguments and errors as in
    `enumerate_circuits`; `seed`: a number or a NumPy generator.
    """
    if n < 0:
        raise OntogenyError(f"cannot draw {n} circuits; give a number of 0 or more")
    problem = Problem(weights, biases, x, y, candidates, accuracy_threshold, activation, min_sparsity, negative_slope)
    problem.check_cost(None if max_seconds is None else max_seconds / 2)
    found, *_ = problem.count(engine, threads=None)
    rng = np.random.default_rng(seed)
    if n == 0 or found == 0:
        return CircuitSample(np.zeros(0, np.uint64), problem.layout, found)
    ranks = np.arange(found) if n >= found else distinct(rng, found, n)
    codes = problem.search(engine, SAMPLE, ranks=ranks)[1]
    return CircuitSample(problem.layout.in_order(codes), problem.layout, found)


def distinct(rng: np.random.Generator, below: int, n: int) -> NDArray[np.int64]:
    """`n` different integers in [0, below), uniform, sorted."""
    if below <= 4 * n:
        return np.sort(rng.permutation(below)[:n])
    chosen: set[int] = set()
    while len(chosen) < n:
        chosen.update(rng.integers(0, below, n - len(chosen)).tolist())
    return np.sort(np.fromiter(chosen, np.int64, n))
