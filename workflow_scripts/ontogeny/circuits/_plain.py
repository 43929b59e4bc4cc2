"""The search for perfect circuits in NumPy: the same circuits as `_compiled`, without its speed, and without compiling.

It serves where Numba is missing, small networks while nothing is compiled, and activations that are not always finite.
Input sets of all hidden layers but the last are walked in Python; the last layer is decided for blocks of combinations
at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import reduce
from itertools import combinations, pairwise, product
from operator import or_
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._problem import COUNT, LIST, SAMPLE, Network, Rows, Task
from ontogeny.circuits.masks import Layout
from ontogeny.nonlinearities import KINDS

_BLOCK = 1 << 18


def activate(values: NDArray[Any], kind: int, slope: float) -> NDArray[Any]:
    """The activation function numbered `kind` (see `KINDS`), in the precision of `values`."""
    one = values.dtype.type(1)
    name = KINDS[kind]
    if name == "leaky_relu":
        return np.where(values > 0, values, values * values.dtype.type(slope))
    if name == "relu":
        return np.maximum(values, 0)
    if name == "tanh":
        return np.tanh(values)
    if name == "sigmoid":
        return one / (one + np.exp(-values))
    if name == "elu":
        return np.where(values > 0, values, values.dtype.type(slope) * np.expm1(np.minimum(values, 0)))
    if name == "gelu":
        from scipy.special import erf

        return values * (one + erf(values * values.dtype.type(0.7071067811865476))) / 2
    if name == "silu":
        return values / (one + np.exp(-values))
    if name == "softplus":
        return np.logaddexp(values.dtype.type(0), values)
    return values


def slope_of(name: str, negative_slope: float) -> float:
    """The number that belongs to a function by name: `negative_slope` of leaky_relu, 1 of elu, as PyTorch has it."""
    return 1.0 if name == "elu" else negative_slope


def activate_by_name(values: NDArray[Any], name: str, negative_slope: float = 0.01) -> NDArray[Any]:
    """The activation function called `name`, in the precision of `values`."""
    return activate(values, KINDS.index(name), slope_of(name, negative_slope))


class Function(Protocol):
    """A function of a layer's neurons that only Python knows, in place of a network's own."""

    def __call__(self, values: NDArray[Any], axis: int = -1) -> NDArray[Any]:
        """Of values with neurons along `axis`."""

    def of(self, neuron: int) -> Function:
        """The function of one neuron."""


Functions = Sequence[Function]
"""Of the hidden layers."""


def _function(network: Network, layer: int, own: Functions | None, axis: int) -> Callable[[NDArray[Any]], NDArray[Any]]:
    if own is not None:
        return lambda values: own[layer](values, axis)
    return lambda values: activate(values, int(network.kinds[layer]), float(network.slopes[layer]))


def applied(
    network: Network,
    layer: int,
    sums: NDArray[np.float32],
    own: Functions | None,
    axis: int = 0,
    neuron: int | None = None,
) -> NDArray[np.float32]:
    """Activations of a hidden layer, or of one neuron, from sums with neurons along `axis`.

    Piecewise linear ones are computed in float32, others in float64 and rounded.
    """
    exact = own is None and KINDS[int(network.kinds[layer])] in ("leaky_relu", "relu", "identity")
    function = _function(network, layer, own, axis)
    if own is not None and neuron is not None:
        function = own[layer].of(neuron)
    with np.errstate(all="ignore") if own is not None else nullcontext():
        return np.asarray(function(sums if exact else sums.astype(np.float64)), np.float32)


def outputs_of(
    sets: Sequence[NDArray[np.int64]], network: Network, inputs: NDArray[Any], own: Functions | None = None
) -> NDArray[np.float32]:
    """Outputs (rows,) of one circuit in float32: products and sums rounded one by one, in order, the bias last.

    sets[l] (neurons,): the input set of each neuron of hidden layer l, as bits.
    """
    sizes = network.sizes
    depth = len(sizes) - 2
    now = inputs.astype(np.float32)
    for layer in range(depth):
        then = np.zeros((sizes[layer + 1], now.shape[1]), np.float32)
        for j in range(sizes[layer + 1]):
            chosen = int(sets[layer][j])
            if chosen:
                total = np.zeros(now.shape[1], np.float32)
                for i in range(sizes[layer]):
                    if (chosen >> i) & 1:
                        total = total + network.weights[layer, j, i] * now[i]
                then[j] = applied(network, layer, total + network.biases[layer, j], own, 0, j)
        now = then
    total = np.zeros(now.shape[1], np.float32)
    for j in range(sizes[depth]):
        if sets[depth - 1][j]:
            total = total + network.weights[depth, 0, j] * now[j]
    return np.asarray(total + network.biases[depth, 0], np.float32)


def _within_budget(wrong: NDArray[np.bool_], rows: Rows) -> NDArray[np.bool_]:
    """Whether in every network as many rows (..., rows) may be wrong."""
    weights = np.where(wrong, rows.weight, 0)
    good = np.ones(wrong.shape[:-1], bool)
    for part, budget in enumerate(rows.budget):
        good &= weights[..., rows.starts[part] : rows.starts[part + 1]].sum(axis=-1) <= budget
    return good


def reference(sets: Sequence[NDArray[np.int64]], network: Network, rows: Rows, own: Functions | None = None) -> bool:
    """Whether a circuit is perfect by a float32 forward pass."""
    out = outputs_of(sets, network, rows.inputs, own)
    return bool(_within_budget(~((out > rows.above) & (out <= rows.upto)), rows))


def right_on_all(
    layout: Layout, codes: NDArray[np.uint64], network: Network, rows: Rows
) -> tuple[NDArray[np.bool_], int]:
    """Which circuits of one network are perfect on all rows, (codes,), and how many a float32 pass had to decide."""
    good = np.zeros(len(codes), bool)
    unsure = np.zeros(len(codes), bool)
    edge = 2 * rounding_margin(network, rows)  # this pass is in float32 too, in another order than `reference`
    matrices = network.weights[..., 0]
    block = max(1, 1_000_000 // len(rows.weight))
    for start in range(0, len(codes), block):
        part = slice(start, start + block)
        masks = layout.edges(codes[part])
        h: NDArray[Any] = rows.inputs
        for layer, mask in enumerate(masks):
            matrix = matrices[layer, : mask.shape[1], : mask.shape[2]] * mask
            h = matrix @ h + network.biases[layer, : mask.shape[1], 0][:, None]
            if layer < len(masks) - 1:
                h = np.where(mask.max(axis=2)[:, :, None] > 0, applied(network, layer, h, None), np.float32(0))
        error = np.abs((h[:, 0] - rows.centre) * rows.scale)
        wrong = (error > 0.5 + edge) @ rows.weight
        good[part] = wrong <= rows.budget[0]
        unsure[part] = good[part] & ((error > 0.5 - edge) @ rows.weight > rows.budget[0])
    for place in np.flatnonzero(unsure):
        masks = layout.edges(codes[place : place + 1])[:-1]
        sets = [mask[0].astype(np.int64) @ (1 << np.arange(mask.shape[2])) for mask in masks]
        good[place] = reference(sets, network, rows)
    return good, int(unsure.sum())


def rounding_margin(network: Network, rows: Rows, own: Functions | None = None) -> float:
    """How far the scaled output of any masked forward pass in float32 can be from the same in float64, at most.

    Intervals that hold every neuron for every circuit, row by row, and first-order running error analysis of the sums
    (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    """
    margin = float(1.01 * (output_range(network, rows.inputs, own)[2] * rows.scale).max() + 1e-12)
    return np.inf if np.isnan(margin) else margin


def output_range(
    network: Network, inputs: NDArray[Any], own: Functions | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Least and largest output (rows,) of any circuit, and how much float32 may round it."""
    unit = 2.0**-24
    sizes = network.sizes
    low = high = inputs.astype(np.float64)
    error = np.zeros_like(low)
    for layer in range(len(sizes) - 1):
        matrix = network.weights[layer, : sizes[layer + 1], : sizes[layer]].astype(np.float64)
        bias = network.biases[layer, : sizes[layer + 1]]
        above, below = np.maximum(high, 0.0), np.minimum(low, 0.0)
        up = (np.maximum(matrix, 0.0) * above + np.minimum(matrix, 0.0) * below).sum(axis=1)
        down = (np.maximum(matrix, 0.0) * below + np.minimum(matrix, 0.0) * above).sum(axis=1)
        # products are rounded once, partial sums (inputs - 1) times, and once more with the bias
        high, low = up + bias, down + bias
        rounded = up - down + (sizes[layer] - 1) * np.maximum(up, -down) + np.maximum(np.abs(high), np.abs(low))
        error = (np.abs(matrix) * error).sum(axis=1) + unit * rounded
        if layer < len(sizes) - 2:
            function = _function(network, layer, own, -2)
            ends = [function(low), function(high)]
            dip = {"gelu": -0.17, "silu": -0.2785}.get(KINDS[int(network.kinds[layer])])
            if own is not None or dip is not None:  # neither monotone nor known: look along the way
                along = function(low + (high - low) * np.linspace(0, 1, 65)[:, None, None])
                spare = 0.05 * (along.max(axis=0) - along.min(axis=0)) + 1e-3
                ends += [along.min(axis=0) - spare, along.max(axis=0) + spare]
            high, low = np.maximum.reduce(ends), np.minimum.reduce(ends)
            steep = 4.0 if own is not None else 1.15 if dip is not None else 1.0
            error = steep * error + 4 * unit * np.maximum(np.abs(high), np.abs(low))
    return low[0], high[0], error[0]


def _bits(t: int, width: int) -> list[int]:
    return [i for i in range(width) if (t >> i) & 1]


class _Search:
    """A search under way: what was found, and how it is written down."""

    def __init__(self, network: Network, rows: Rows, task: Task, own: Functions | None) -> None:
        self.network, self.rows, self.task, self.own = network, rows, task, own
        self.sizes = [int(size) for size in network.sizes]
        self.depth = len(self.sizes) - 2
        self.last = self.sizes[self.depth]
        self.margin = rounding_margin(network, rows, own)
        widest = max(self.sizes[:-1])
        self.marginals = np.zeros((self.depth, widest, 1 << max(self.sizes[: self.depth])), np.int64)
        self.codes: list[NDArray[np.uint64]] = []
        self.found = self.kept = self.decided = 0
        self.shifts, below = np.zeros((self.depth, widest), np.int64), 0
        for layer in range(self.depth - 1, -1, -1):
            for j in range(self.sizes[layer + 1] - 1, -1, -1):
                self.shifts[layer, j] = below
                below += self.sizes[layer]

    def code_of(self, layer: int, j: int, t: int) -> int:
        """The bits of a code that stand for input set t of neuron j."""
        back = sum(1 << (self.sizes[layer] - 1 - i) for i in _bits(t, self.sizes[layer]))
        return back << int(self.shifts[layer, j])

    def tables(self, layer: int, hidden: dict[int, NDArray[Any]]) -> tuple[list[int], NDArray[np.float32]]:
        """Every set of active neurons, and the activations (neurons, sets, rows) for each, as a float32 pass rounds."""
        names = sorted(hidden)
        sets = [sum(1 << names[i] for i in _bits(t, len(names))) for t in range(1 << len(names))]
        n, network = self.sizes[layer + 1], self.network
        sums = np.zeros((n, len(sets), len(self.rows.weight)), np.float32)
        for t in range(1, len(sets)):
            top = t.bit_length() - 1
            product_ = network.weights[layer, :n, names[top]] * hidden[names[top]]
            sums[:, t] = sums[:, t - (1 << top)] + product_
        sums += network.biases[layer, :n, None]
        values = applied(network, layer, sums, self.own)
        values[:, 0] = 0.0
        return sets, values

    def leaf(self, hidden: dict[int, NDArray[Any]], chosen: list[tuple[int, ...]], code: int, active: int) -> bool:
        """Decide all choices of the last hidden layer; True when enough has been found."""
        network, rows, last, depth = self.network, self.rows, self.last, self.depth
        sets, values = self.tables(depth - 1, hidden)
        gains = (network.weights[depth, 0, :last, None] * values).astype(np.float64) * rows.scale
        base = (network.biases[depth, 0].astype(np.float64) - rows.centre) * rows.scale
        n_sets, grid = len(sets), len(sets) ** last
        for start in range(0, grid, _BLOCK):
            index = np.arange(start, min(start + _BLOCK, grid))
            digits = [(index // n_sets**k) % n_sets for k in range(last)]
            union = np.bitwise_or.reduce(digits)
            count = np.sum([d > 0 for d in digits], axis=0)
            live = np.flatnonzero((union == n_sets - 1) & (count + active <= self.task.most))
            live = live[self._good(live, digits, gains, base, sets, chosen)]
            if len(live) and self._take(live, digits, sets, chosen, code):
                return True
        return False

    def _good(self, live, digits, gains, base, sets, chosen) -> NDArray[np.bool_]:
        """Which of the combinations `live` are perfect."""
        rows, good = self.rows, np.ones(len(live), bool)
        unsure_of = np.zeros(len(live), bool)
        for part, budget in enumerate(rows.budget):
            at = np.flatnonzero(good)
            wrong, unsure = np.zeros(len(at), np.int64), np.zeros(len(at), np.int64)
            for s in range(rows.starts[part], rows.starts[part + 1]):
                if not len(at):
                    break
                error = np.full(len(at), base[s])
                for k in range(self.last):
                    error += gains[k, digits[k][live[at]], s]
                error = np.abs(error)
                far = ~(error <= 0.5 + self.margin)
                wrong += rows.weight[s] * far
                unsure += rows.weight[s] * ((error > 0.5 - self.margin) & ~far)
                keep = wrong <= budget
                good[at[~keep]] = False
                at, wrong, unsure = at[keep], wrong[keep], unsure[keep]
            unsure_of[at] |= wrong + unsure > budget
        for place in np.flatnonzero(good & unsure_of):
            self.decided += 1
            own = np.array([sets[digits[k][live[place]]] for k in range(self.last)], np.int64)
            picked = [*(np.array(row, np.int64) for row in chosen), own]
            good[place] = reference(picked, self.network, rows, self.own)
        return good

    def _take(self, live, digits, sets, chosen, code) -> bool:
        """Write perfect combinations down; True when enough has been found."""
        if self.task.mode == COUNT:
            for layer, row in enumerate(chosen):
                for k, t in enumerate(row):
                    self.marginals[layer, k, t] += len(live)
            for k in range(self.last):
                np.add.at(self.marginals[self.depth - 1, k], np.asarray(sets)[digits[k][live]], 1)
        else:
            own = np.full(len(live), code, np.uint64)
            for k in range(self.last):
                lookup = np.array([self.code_of(self.depth - 1, k, t) for t in sets], np.uint64)
                own |= lookup[digits[k][live]]
            if self.task.mode == SAMPLE:
                ranks = self.task.ranks
                begin, end = np.searchsorted(ranks, [self.found, self.found + len(live)])
                own = own[np.asarray(ranks[begin:end]) - self.found]
            self.codes.append(own)
            self.kept += len(own)
        self.found += len(live)
        over = self.task.mode == LIST and self.found > self.task.limit
        return over or (self.task.mode == SAMPLE and self.kept == len(self.task.ranks))

    def walk(self, layer: int, hidden, chosen: list[tuple[int, ...]], code: int, active: int) -> bool:
        """Decide all choices from `layer` on; True when enough has been found."""
        if layer == self.depth - 1:
            return self.leaf(hidden, chosen, code, active)
        sets, values = self.tables(layer, hidden)
        part = self.task.part
        for row in product(range(len(sets)), repeat=self.sizes[layer + 1]):
            if part >= 0 and layer == 0 and part != sum(t * len(sets) ** k for k, t in enumerate(row[1::-1])):
                continue
            if np.bitwise_or.reduce(row) != len(sets) - 1:
                continue
            alive = [k for k, t in enumerate(row) if t]
            if active + len(alive) >= self.task.most:
                continue
            below = {k: values[k, row[k]] for k in alive}
            names = tuple(sets[t] for t in row)
            add = sum(self.code_of(layer, k, names[k]) for k in alive)
            if self.walk(layer + 1, below, [*chosen, names], code | add, active + len(alive)):
                return True
        return False


def search(
    network: Network, rows: Rows, task: Task, own: Functions | None = None
) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
    """As `_compiled.search`."""
    found = _Search(network, rows, task, own)
    inputs = {i: rows.inputs[i] for i in range(int(network.sizes[0]))}
    found.walk(0, inputs, [], 0, 0)
    codes = np.concatenate(found.codes) if found.codes else np.zeros(0, np.uint64)
    return found.found, codes, found.marginals, found.decided


def cost(sizes: Sequence[int], n_rows: int) -> float:
    """Seconds that `search` may take: of all choices of input sets, and of those of all layers but the last."""
    choices = _power_of_two(sum(int(a) * int(b) for a, b in pairwise(sizes[:-1])))
    return (6e-5 * n_walks(sizes) + 6e-8 * choices) * max(1.0, n_rows / 4)


def n_walks(sizes: Sequence[int]) -> float:
    """Choices of input sets of all hidden layers but the last."""
    return _power_of_two(sum(int(a) * int(b) for a, b in pairwise(sizes[:-2])))


def _power_of_two(exponent: int) -> float:
    return 2.0**exponent if exponent < 1000 else math.inf


def _subsets(whole: int) -> Iterator[int]:
    """The sets but the empty one of the inputs in `whole`, all as bits, in rising order."""
    subset = 0
    while subset != whole:
        subset = ((subset | ~whole) + 1) & whole
        yield subset


def every_candidate(sizes: Sequence[int], most: int) -> Iterator[list[NDArray[np.int64]]]:
    """Input sets (neurons,) of each hidden layer, as bits, of every candidate with at most `most` hidden neurons."""
    depth = len(sizes) - 2

    def grow(layer: int, before: tuple[int, ...], left: int) -> Iterator[list[NDArray[np.int64]]]:
        if layer == depth:
            yield []
            return
        whole = sum(1 << i for i in before)
        for size in range(1, min(sizes[layer + 1], left - (depth - 1 - layer)) + 1):
            for active in combinations(range(sizes[layer + 1]), size):
                subsets = [whole] if size == 1 else list(_subsets(whole))
                for chosen in product(subsets, repeat=size):
                    if reduce(or_, chosen) != whole:
                        continue
                    sets = np.zeros(sizes[layer + 1], np.int64)
                    sets[list(active)] = chosen
                    for rest in grow(layer + 1, active, left - size):
                        yield [sets, *rest]

    yield from grow(0, tuple(range(sizes[0])), most)


def one_by_one(
    network: Network, rows: Rows, task: Task, own: Functions | None = None
) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
    """As `search`, candidate by candidate: for layers of so many inputs that their sets cannot be tabulated.

    marginals[l, j, i] is the number of circuits in which neuron j listens to i; the last, in which it is active.
    """
    sizes = [int(size) for size in network.sizes]
    found, codes = 0, []
    shifts, below = [], 0
    for layer in range(len(sizes) - 3, -1, -1):
        for j in range(sizes[layer + 1] - 1, -1, -1):
            shifts.append((layer, j, below))
            below += sizes[layer]
    marginals = np.zeros((len(sizes) - 2, max(sizes[:-1]), max(sizes[:-1]) + 1), np.int64)
    for sets in every_candidate(sizes, task.most):
        if reference(sets, network, rows, own):
            found += 1
            for layer, chosen in enumerate(sets):
                for j, t in enumerate(chosen.tolist()):
                    marginals[layer, j, _bits(t, sizes[layer])] += 1
                    marginals[layer, j, -1] += t > 0
            if task.mode != COUNT:
                code = 0
                for layer, j, shift in shifts:
                    width = sizes[layer]
                    back = sum(1 << (width - 1 - i) for i in _bits(int(sets[layer][j]), width))
                    code |= back << shift
                codes.append(code)
                if task.mode == LIST and found > task.limit:
                    break
    listed = np.array(codes, np.uint64)
    listed = listed[task.ranks] if task.mode == SAMPLE else listed
    return found, listed, marginals, found
