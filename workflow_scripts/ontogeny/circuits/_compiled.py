"""The search for perfect circuits, compiled: every choice of the upper layers, and under each the last hidden layer.

The algorithm is told, with a picture, in docs/explanation/enumeration.md. Up to the contributions to the output
everything is computed in the arithmetic of a masked float32 forward pass, so that float64 is in doubt only by the
rounding of the last sum; what is in doubt is decided by a float32 forward pass.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ontogeny.circuits._leaf import (
    build,
    build_by_rows,
    close_leaf,
    count_halves,
    keep,
    match,
    match_by_rows,
    missing_bits,
    new_right,
    open_leaf,
    open_left,
    right_size,
    settle_halves,
    step_left,
)
from ontogeny.circuits._problem import COUNT, LIST, SAMPLE, Network, Rows, Task
from ontogeny.circuits._ranks import count_by_ranks, middle, new_ranks
from ontogeny.circuits._state import (
    FOUND,
    HERE,
    INLINE,
    KEPT,
    LEAVES,
    OUTER,
    SCREEN,
    UNSURE,
    VISITED,
    new_leaf,
    new_walk,
)
from ontogeny.circuits._vectors import DOUBLES
from ontogeny.circuits._walk import advance, rounding_margin

__all__ = ["COUNT", "LIST", "SAMPLE", "rounding_margin", "search"]

_FEW_ROWS = 64  # more rows are compared one circuit at a time


@njit(**OUTER)
def _count(network, rows, task, strict):
    """Count all perfect circuits: (marginals, numbers)."""
    sizes = network.sizes
    depth = len(sizes) - 2
    n_rows = rows.weight.shape[0]
    by_rows = not strict or n_rows > _FEW_ROWS
    walk = new_walk(network, rows)
    leaf = new_leaf(network, n_rows, rows.pairs.shape[0], DOUBLES)
    right = new_right(sizes, n_rows, by_rows, rows.weight)
    bias = network.biases[depth, 0]
    while advance(network, rows, walk, task.most, task.part, 0.5 + task.margin):
        leaf.numbers[LEAVES] += 1
        leaf.numbers[HERE] = 0
        p = walk.count[depth - 1]
        allowed = task.most - walk.used[depth - 1]
        close, may = open_leaf(network, rows, walk, leaf, task.margin, strict)
        if may and allowed > 0:
            count_halves(leaf, right, walk, rows, bias, p, allowed, close, strict, by_rows)
            _close(leaf, walk, p)
    return leaf.marginals, leaf.numbers


@njit(**OUTER)
def _count_many(network, rows, task):
    """As `_count`, by ranks where right halves are many; no row may be wrong.

    A function of its own, because ranks take as long to compile as all else.
    """
    sizes = network.sizes
    depth = len(sizes) - 2
    n_rows = rows.weight.shape[0]
    walk = new_walk(network, rows)
    leaf = new_leaf(network, n_rows, rows.pairs.shape[0], DOUBLES)
    right = new_right(sizes, n_rows, False, rows.weight)
    ranks = new_ranks(sizes, n_rows, n_rows + rows.pairs.shape[0])
    bias = network.biases[depth, 0]
    while advance(network, rows, walk, task.most, task.part, 0.5 + task.margin):
        leaf.numbers[LEAVES] += 1
        leaf.numbers[HERE] = 0
        p = walk.count[depth - 1]
        allowed = task.most - walk.used[depth - 1]
        close, may = open_leaf(network, rows, walk, leaf, task.margin, True)
        if not may or allowed < 1:
            continue
        n_mid = middle(p, sizes[depth])
        if n_mid:
            count_by_ranks(ranks, leaf, walk, rows, bias, p, n_mid, allowed, close)
        else:
            count_halves(leaf, right, walk, rows, bias, p, allowed, close, True, False)
        _close(leaf, walk, p)
    return leaf.marginals, leaf.numbers


@njit(**INLINE)
def _close(leaf, walk, p):
    if leaf.numbers[HERE]:
        leaf.numbers[FOUND] += leaf.numbers[HERE]
        close_leaf(leaf, walk, 1 << p, p)


@njit(**OUTER)
def _pick(network, rows, task, strict):
    """List the perfect circuits, all or some: (codes, numbers)."""
    sizes = network.sizes
    depth = len(sizes) - 2
    n_rows = rows.weight.shape[0]
    by_rows = not strict or n_rows > _FEW_ROWS
    walk = new_walk(network, rows)
    leaf = new_leaf(network, n_rows, rows.pairs.shape[0], DOUBLES)
    right = new_right(sizes, n_rows, by_rows, rows.weight)
    bias = network.biases[depth, 0]
    names = walk.expand[depth - 1]
    codes = np.zeros(1024 if task.mode == LIST else max(1, len(task.ranks)), np.uint64)
    numbers = leaf.numbers
    while advance(network, rows, walk, task.most, task.part, 0.5 + task.margin):
        numbers[LEAVES] += 1
        p = walk.count[depth - 1]
        allowed = task.most - walk.used[depth - 1]
        close, may = open_leaf(network, rows, walk, leaf, task.margin, strict)
        if not may or allowed < 1:
            continue
        n_sets = 1 << p
        n_right, size = right_size(p, sizes[depth], n_rows if by_rows else SCREEN)
        n_left = sizes[depth] - n_right
        built = (0, 0, 1, np.float32(0.0), np.float32(0.0), np.float32(0.0))
        ready = False
        open_left(leaf, n_left)
        level = step_left(leaf, rows, names, 0, n_left, n_rows, p, allowed, close, strict, False)
        while level >= 0:
            numbers[VISITED] += 1
            missing = missing_bits(leaf, n_left, p, allowed)
            if not ready and by_rows:
                size, slack = build_by_rows(leaf, right, p, n_left, n_rows, close)
                built = (0, size, 1, slack, np.float32(0.0), np.float32(0.0))
            elif not ready:
                built = build(leaf, right, p, n_left, n_rows, close)
            ready = True
            if by_rows:
                first, stop, tally, doubt = match_by_rows(leaf, right, rows, n_left, n_rows, missing, size, built[3])
            else:
                first, stop, tally, doubt = match(leaf, right, n_left, n_rows, missing, built)
            if tally > 0 and (doubt > 0 or (n_rows > SCREEN and not by_rows)):
                least = 1 if n_rows > SCREEN and not by_rows else 2
                tally -= settle_halves(leaf, right, rows, bias, n_left, n_sets, close, first, stop, least)
            if tally > 0:
                if task.mode == LIST:
                    while numbers[KEPT] + tally > len(codes):
                        longer = np.zeros(2 * len(codes), np.uint64)
                        for k in range(len(codes)):
                            longer[k] = codes[k]
                        codes = longer
                keep(task, leaf, right, walk, n_left, p, first, stop, codes)
                if task.mode == LIST and numbers[FOUND] > task.limit:
                    return codes, numbers
                if task.mode == SAMPLE and numbers[KEPT] == len(task.ranks):
                    return codes, numbers
            level = step_left(leaf, rows, names, n_left - 1, n_left, n_rows, p, allowed, close, strict, False)
    return codes, numbers


@lru_cache(maxsize=256)
def _many(most_inputs: int, last: int) -> bool:
    """Whether the last hidden layer, of `last` neurons, may have so many right halves that ranks pay."""
    return any(middle.py_func(p, last) for p in range(1, most_inputs + 1))


def search(network: Network, rows: Rows, task: Task) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
    """Walk all circuits and keep the perfect ones: (number found, codes, marginals, number decided in float32).

    Codes are empty when counting; marginals[l, j, T], the number of perfect circuits in which neuron j of hidden layer
    l has input set T, are empty otherwise.
    """
    least = np.minimum.reduceat(rows.weight, rows.starts[:-1])
    strict = bool((rows.budget < least).all())
    if task.mode == COUNT:
        if strict and len(rows.weight) <= _FEW_ROWS and _many(int(network.sizes[-3]), int(network.sizes[-2])):
            marginals, numbers = _count_many(network, rows, task)
        else:
            marginals, numbers = _count(network, rows, task, strict)
        return int(numbers[FOUND]), np.zeros(0, np.uint64), marginals, int(numbers[UNSURE])
    codes, numbers = _pick(network, rows, task, strict)
    return int(numbers[FOUND]), codes[: numbers[KEPT]], np.zeros((0, 0, 0), np.int64), int(numbers[UNSURE])
