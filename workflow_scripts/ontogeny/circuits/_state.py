"""Where the compiled search stands: in the upper layers, and in the last hidden one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

RIGHT = 4096  # sums of a right half, at most
CELLS = 1 << 24  # sums of a right half times rows, at most
SCREEN = 8  # rows on which the right halves are compared first
BUCKETS = 256
OUTER: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
INLINE: dict[str, Any] = OUTER | {"inline": "always"}
INNER: dict[str, Any] = OUTER | {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
BARE: dict[str, Any] = INNER | {"_nrt": False}  # of functions that allocate nothing


class Walk(NamedTuple):
    """An odometer over the input sets of the neurons of all hidden layers but the last.

    place (2,): the layer and neuron that are turned next; choice (layers, n): input sets among the active neurons of
    the layer before, as bits; active (layers, n), count (layers,), used (layers,): which those are, how many, and how
    many hidden neurons in all layers up to there; values (layers, n, rows): their activations. After each neuron of a
    layer: union, filled and codes (layers, n + 1): inputs that are used, neurons that are active, and edges as bits.
    expand (layers, sets): input sets as bits of the whole layer before. table (layers, n, sets, rows): activations for
    each input set, between lowest and highest (layers, n, rows). tried, cut (layers, n): bounds that were asked for,
    and that helped. backwards (layers, sets) and shifts (layers, n): where edges lie in a code. bounds, sums, outs:
    work space; bad (networks,): rows that are wrong.
    """

    place: Any
    choice: Any
    active: Any
    count: Any
    used: Any
    values: Any
    union: Any
    filled: Any
    codes: Any
    expand: Any
    table: Any
    lowest: Any
    highest: Any
    tried: Any
    cut: Any
    backwards: Any
    shifts: Any
    bounds: Any
    sums: Any
    outs: Any
    bad: Any


class Leaf(NamedTuple):
    """The last hidden layer under one choice of all others: what its neurons add to each output, and what is open.

    gains (n + 1, sets, rows + pairs): what a neuron adds with each input set, scaled; least, most (n, rows +
    pairs): in what range; order (n,): neurons, those that vary most first; low, high (n + 1, rows + pairs): least
    and most that a neuron and all after it add; partial (n + 1, rows + pairs): sums of the neurons before. picked,
    union, used, codes: input sets of the left half, and what they leave, level by level. ways[p, m, q]: input sets
    of m neurons over p inputs that use q given ones; bits (sets,): sizes of sets; accepted (n + 1, sets): left
    parts with which nothing can go wrong, by inputs that they leave unused; any_accepted (n + 1,); free (sets,).
    marginals (layers, n, sets): perfect circuits in which a neuron has an input set. numbers (8,): see `FOUND` and
    after.
    """

    gains: Any
    least: Any
    most: Any
    low: Any
    high: Any
    spread: Any
    order: Any
    partial: Any
    picked: Any
    chosen: Any
    union: Any
    used: Any
    codes: Any
    ways: Any
    bits: Any
    accepted: Any
    any_accepted: Any
    free: Any
    marginals: Any
    numbers: Any


FOUND, KEPT, UNSURE, LEAVES, VISITED, HERE = 0, 1, 2, 3, 4, 5  # places in `Leaf.numbers`


@njit(**INNER)
def widest(sizes, layers):
    """The largest of the first `layers` layers."""
    most = 0
    for layer in range(layers):
        most = max(most, sizes[layer])
    return most


@njit(**INNER)
def new_walk(network, rows):
    """A `Walk` before its first step."""
    sizes = network.sizes
    n_rows = rows.weight.shape[0]
    depth = len(sizes) - 2
    n = widest(sizes, depth + 1)
    sets = 1 << widest(sizes, depth)
    shifts = np.zeros((depth, n), np.int64)
    backwards = np.zeros((depth, sets), np.uint64)
    below = 0
    for layer in range(depth - 1, -1, -1):
        for j in range(sizes[layer + 1] - 1, -1, -1):
            shifts[layer, j] = below
            below += sizes[layer]
        for t in range(1 << sizes[layer]):
            back = 0
            for i in range(sizes[layer]):
                if (t >> i) & 1:
                    back |= 1 << (sizes[layer] - 1 - i)
            backwards[layer, t] = np.uint64(back)
    active = np.zeros((depth + 1, n), np.int64)
    for i in range(n):
        active[0, i] = i
    count = np.zeros(depth + 1, np.int64)
    count[0] = sizes[0]
    values = np.zeros((depth + 1, n, n_rows), np.float32)
    for i in range(sizes[0]):
        for s in range(n_rows):
            values[0, i, s] = rows.inputs[i, s]
    place = np.zeros(2, np.int64)
    place[1] = -1
    choice = np.zeros((depth, n), np.int64)
    for layer in range(depth):
        for k in range(n):
            choice[layer, k] = -1
    return Walk(
        place,
        choice,
        active,
        count,
        np.zeros(depth + 1, np.int64),
        values,
        np.zeros((depth, n + 1), np.int64),
        np.zeros((depth, n + 1), np.int64),
        np.zeros((depth, n + 1), np.uint64),
        np.zeros((depth, sets), np.int64),
        np.zeros((max(depth - 1, 1), n, sets if depth > 1 else 1, n_rows), np.float32),
        np.zeros((depth, n, n_rows), np.float32),
        np.zeros((depth, n, n_rows), np.float32),
        np.zeros((depth, n), np.int64),
        np.zeros((depth, n), np.int64),
        backwards,
        shifts,
        np.zeros((2, 2, n), np.float64),
        np.zeros(sets, np.float32),
        np.zeros(sets, np.float32),
        np.zeros(rows.budget.shape[0], np.int64),
    )


@njit(**INNER)
def new_leaf(network, n_rows, n_pairs, spare):
    """A `Leaf`, with room behind `partial` for vectors that read `spare` rows on."""
    sizes = network.sizes
    depth = len(sizes) - 2
    n = sizes[depth]
    most = sizes[depth - 1]
    sets = 1 << widest(sizes, depth)
    width = n_rows + n_pairs
    choose = np.zeros((most + 1, most + 1), np.int64)
    ways = np.zeros((most + 1, n + 1, most + 1), np.int64)
    for a in range(most + 1):
        choose[a, 0] = 1
        for b in range(1, a + 1):
            choose[a, b] = choose[a - 1, b - 1] + choose[a - 1, b]
        for m in range(n + 1):
            for q in range(a + 1):
                for i in range(q + 1):
                    if (a - i) * m < 63:
                        ways[a, m, q] += (-1 if i % 2 else 1) * choose[q, i] * (1 << ((a - i) * m))
    bits = np.zeros(sets, np.int64)
    for t in range(1, sets):
        bits[t] = bits[t >> 1] + (t & 1)
    return Leaf(
        np.zeros((n + 1, sets, width), np.float64),
        np.zeros((n, width), np.float64),
        np.zeros((n, width), np.float64),
        np.zeros((n + 1, width), np.float64),
        np.zeros((n + 1, width), np.float64),
        np.zeros(n, np.float64),
        np.zeros(n, np.int64),
        np.zeros((n + 1 + spare, width), np.float64),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.int64),
        np.zeros(n + 1, np.uint64),
        ways,
        bits,
        np.zeros((n + 1, sets), np.int64),
        np.zeros(n + 1, np.bool_),
        np.zeros(sets, np.int64),
        np.zeros((depth, widest(sizes, depth + 1), sets), np.int64),
        np.zeros(8, np.int64),
    )
