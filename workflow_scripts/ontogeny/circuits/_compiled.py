"""The search for perfect circuits, compiled: every choice of the upper layers, and under each the last hidden layer.

The algorithm is told, with a picture, in docs/explanation/enumeration.md. Up to the contributions to the output
everything is computed in the arithmetic of a masked float32 forward pass, so that float64 is in doubt only by the
rounding of the last sum; what is in doubt is decided by a float32 forward pass.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._leaf import (
    Found,
    Right,
    close_leaf,
    most_right,
    open_leaf,
    right_shapes,
    search_halves,
)
from ontogeny.circuits._problem import COUNT, LIST, MINIMAL, Network, Rows, Task, no_errors
from ontogeny.circuits._ranks import Bounds, Groups, Tallies, count_by_ranks, middle, rank_shapes
from ontogeny.circuits._records import Plan, Program
from ontogeny.circuits._state import (
    FOUND,
    HERE,
    KEPT,
    LEAVES,
    OUTER,
    PAUSED,
    UNSURE,
    Leaf,
    Walk,
    leaf_shapes,
    walk_shapes,
)
from ontogeny.circuits._vectors import DOUBLES
from ontogeny.circuits._walk import advance, begin, rounding_margin
from ontogeny.compilation import compiled

_FEW_ROWS = 64  # more rows are compared one circuit at a time
_FEW_CODES = 4096  # room for those that are listed, at first
_MANY_CODES = 1 << 22

_program = Program([Network, Rows, Task, Found, Walk, Leaf, Right, Bounds, Tallies, Groups])
_network_of = _program.reader(Network)
_rows_of = _program.reader(Rows)
_task_of = _program.reader(Task)
_found_of = _program.reader(Found)
_walk_of = _program.reader(Walk)
_leaf_of = _program.reader(Leaf)
_right_of = _program.reader(Right)
_bounds_of = _program.reader(Bounds)
_tallies_of = _program.reader(Tallies)
_groups_of = _program.reader(Groups)
_put_network = _program.writer(Network)
_put_rows = _program.writer(Rows)
_put_task = _program.writer(Task)
_put_found = _program.writer(Found)


@compiled(**OUTER)
def _give(table, network, rows, task, found):
    """Put what a search is given into the table."""
    _put_network(table, network)
    _put_rows(table, rows)
    _put_task(table, task)
    _put_found(table, found)


@compiled(**OUTER)
def _search(table, strict, by_rows, ranked):
    """Walk all circuits, or go on where there was no room left for codes; table: the records, see `_program`."""
    network = _network_of(table)
    rows = _rows_of(table)
    task = _task_of(table)
    walk = _walk_of(table)
    leaf = _leaf_of(table)
    right = _right_of(table)
    depth = network.sizes.shape[0] - 2
    last = network.sizes[depth]
    bias = network.biases[depth, 0]
    numbers = leaf.numbers
    margin = rounding_margin(network, rows, walk.bounds)
    paused = numbers[PAUSED] == 1
    if not paused:
        begin(network, rows, walk)
        for s in range(bias.shape[0]):
            right.weight[s] = rows.weight[s]
    while paused or advance(network, rows, walk, task.most, task.part, 0.5 + margin):
        p = walk.count[depth - 1]
        allowed = task.most - walk.used[depth - 1]
        if not paused:
            numbers[LEAVES] += 1
            numbers[HERE] = 0
            if not open_leaf(network, rows, walk, leaf, margin, strict) or allowed < 1:
                continue
        paused = False
        n_mid = middle(p, last) if ranked else 0
        if n_mid:
            count_by_ranks(
                _bounds_of(table), _tallies_of(table), _groups_of(table), leaf, walk, rows, bias, p, n_mid, allowed,
                leaf.close[0],
            )  # fmt: skip
        elif search_halves(task, _found_of(table), leaf, right, walk, rows, bias, p, allowed, strict, by_rows):
            return
        if numbers[HERE]:
            numbers[FOUND] += numbers[HERE]
            close_leaf(leaf, walk, 1 << p, p)


@lru_cache(maxsize=64)
def _plan(sizes: tuple[int, ...], n_rows: int, n_pairs: int, n_networks: int, by_rows: bool, ranked: bool) -> Plan:
    """Where the arrays of a search lie."""
    shapes = {
        Walk: walk_shapes(sizes, n_rows, n_networks),
        Leaf: leaf_shapes(sizes, n_rows, n_pairs, DOUBLES),
        Right: right_shapes(sizes, n_rows, by_rows),
    }
    return _program.plan(shapes | (rank_shapes(sizes, n_rows, n_rows + n_pairs) if ranked else {}))


@lru_cache(maxsize=256)
def _many(most_inputs: int, last: int) -> bool:
    """Whether the last hidden layer, of `last` neurons, may have so many right halves that ranks pay."""
    return any(middle.py_func(p, last) for p in range(1, most_inputs + 1))


def search(network: Network, rows: Rows, task: Task) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
    """Walk all circuits and keep the perfect ones: (number found, codes, marginals, number decided in float32).

    Codes are empty when counting; marginals[l, j, T], the number of perfect circuits in which neuron j of hidden layer
    l has input set T, are empty otherwise.
    """
    sizes = tuple(network.sizes.tolist())
    n_rows = len(rows.weight)
    strict = no_errors(rows)
    by_rows = not strict or n_rows > _FEW_ROWS
    ranked = task.mode == COUNT and not by_rows and _many(sizes[-3], sizes[-2])
    plan = _plan(sizes, n_rows, len(rows.pairs), len(rows.budget), by_rows, ranked)
    table, block = plan.place()
    numbers = plan.read(block, Leaf, "numbers")
    room = len(task.ranks)
    if task.mode in (LIST, MINIMAL):
        room = max(_FEW_CODES, 2 * most_right(sizes, n_rows if by_rows else 1))
    kept = [np.empty(room, np.uint64)]
    while True:
        _give(table, network, rows, task, Found(kept[-1]))
        _search(table, strict, by_rows, ranked)
        n = int(numbers[KEPT])
        if not numbers[PAUSED]:
            break
        room = min(4 * room, max(room, _MANY_CODES))
        if task.mode == MINIMAL:
            kept = [np.concatenate([kept[0][:n], np.empty(room, np.uint64)])]
        else:
            kept = [*kept[:-1], kept[-1][:n], np.empty(room, np.uint64)]
            numbers[KEPT] = 0
    kept[-1] = kept[-1][:n]
    codes = np.concatenate(kept) if len(kept) > 1 else kept[0]
    marginals = plan.read(block, Leaf, "marginals").copy() if task.mode == COUNT else np.zeros((0, 0, 0), np.int64)
    return int(numbers[FOUND]), codes, marginals, int(numbers[UNSURE])
