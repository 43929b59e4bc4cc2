"""Where the compiled search stands: in the upper layers, and in the last hidden one."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np

from ontogeny.circuits._problem import (
    Doubles,
    Doubles2,
    Doubles3,
    Flags,
    Floats,
    Floats3,
    Floats4,
    Integers,
    Integers2,
    Integers3,
    Words2,
)
from ontogeny.circuits._records import PartCompiler, WholeCompiler

RIGHT = 4096  # sums of a right half, at most
CELLS = 1 << 24  # sums of a right half times rows, at most
SCREEN = 8  # rows on which the right halves are compared first
BUCKETS = 256
_PLAIN: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}  # nothing is allocated
_UNWRAPPED: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
OUTER: dict[str, Any] = _PLAIN | {"pipeline_class": WholeCompiler, "no_cfunc_wrapper": True}
AT_ADDRESS: dict[str, Any] = _PLAIN | {"pipeline_class": WholeCompiler}
INLINE = _PLAIN | {"inline": "always"}
BARE: dict[str, Any] = _PLAIN | _UNWRAPPED | {"pipeline_class": PartCompiler}


class Walk:
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

    place: Integers
    choice: Integers2
    active: Integers2
    count: Integers
    used: Integers
    values: Floats3
    union: Integers2
    filled: Integers2
    codes: Words2
    expand: Integers2
    table: Floats4
    lowest: Floats3
    highest: Floats3
    tried: Integers2
    cut: Integers2
    backwards: Words2
    shifts: Integers2
    bounds: Doubles3
    sums: Floats
    outs: Floats
    bad: Integers


class Leaf:
    """The last hidden layer under one choice of all others: what its neurons add to each output, and what is open.

    gains (n + 1, sets, rows + pairs): what a neuron adds with each input set, scaled; least, most (n, rows +
    pairs): in what range; order (n,): neurons, those that vary most first; low, high (n + 1, rows + pairs): least
    and most that a neuron and all after it add; partial (n + 1, rows + pairs): sums of the neurons before. picked,
    union, used, codes: input sets of the left half, and what they leave, level by level. ways[p, m, q]: input sets
    of m neurons over p inputs that use q given ones; bits (sets,): sizes of sets; accepted (n + 1, sets): left
    parts with which nothing can go wrong, by inputs that they leave unused; any_accepted (n + 1,); free (sets,).
    marginals (layers, n, sets): perfect circuits in which a neuron has an input set. numbers (9,): see `FOUND` and
    after; close (2,): how far from a boundary float64 is in doubt, and how large the
    output may be.
    """

    gains: Doubles3
    least: Doubles2
    most: Doubles2
    low: Doubles2
    high: Doubles2
    spread: Doubles
    order: Integers
    partial: Doubles2
    picked: Integers
    chosen: Integers
    union: Integers
    used: Integers
    ways: Integers3
    bits: Integers
    accepted: Integers2
    any_accepted: Flags
    free: Integers
    marginals: Integers3
    numbers: Integers
    close: Doubles


FOUND, KEPT, UNSURE, LEAVES, VISITED, HERE, PAUSED, MATCHED, CLOSE = range(9)  # places in `Leaf.numbers`


def walk_shapes(sizes: tuple[int, ...], n_rows: int, n_networks: int) -> dict[str, Any]:
    """Shapes of the arrays of a `Walk`, and those that stay as they are."""
    depth = len(sizes) - 2
    n = max(sizes[:-1])
    sets = 1 << max(sizes[:depth])
    shifts = np.zeros((depth, n), np.int64)
    backwards = np.zeros((depth, sets), np.uint64)
    below = 0
    for layer in range(depth - 1, -1, -1):
        for j in range(sizes[layer + 1] - 1, -1, -1):
            shifts[layer, j] = below
            below += sizes[layer]
        for i in range(sizes[layer]):
            listens = (np.arange(1 << sizes[layer], dtype=np.uint64) >> np.uint64(i)) & np.uint64(1)
            backwards[layer, : len(listens)] |= listens << np.uint64(sizes[layer] - 1 - i)
    return {
        "place": 2,
        "choice": (depth, n),
        "active": (depth + 1, n),
        "count": depth + 1,
        "used": depth + 1,
        "values": (depth + 1, n, n_rows),
        "union": (depth, n + 1),
        "filled": (depth, n + 1),
        "codes": (depth, n + 1),
        "expand": (depth, sets),
        "table": (max(depth - 1, 1), n, sets if depth > 1 else 1, n_rows),
        "lowest": (depth, n, n_rows),
        "highest": (depth, n, n_rows),
        "tried": (depth, n),
        "cut": (depth, n),
        "backwards": backwards,
        "shifts": shifts,
        "bounds": (2, 3, n),
        "sums": sets,
        "outs": sets,
        "bad": n_networks,
    }


def leaf_shapes(sizes: tuple[int, ...], n_rows: int, n_pairs: int, spare: int) -> dict[str, Any]:
    """The same of a `Leaf`, with room behind `partial` for vectors that read `spare` rows on."""
    depth = len(sizes) - 2
    n = sizes[depth]
    most = sizes[depth - 1]
    sets = 1 << max(sizes[:depth])
    width = n_rows + n_pairs
    ways = np.zeros((most + 1, n + 1, most + 1), np.int64)
    for a in range(most + 1):
        for m in range(n + 1):
            for q in range(a + 1):
                terms = ((-1) ** i * comb(q, i) << (a - i) * m for i in range(q + 1))
                ways[a, m, q] = min(sum(terms), np.iinfo(np.int64).max)
    bits = np.zeros(sets, np.int64)
    for t in range(1, sets):
        bits[t] = bits[t >> 1] + (t & 1)
    return {
        "gains": (n + 1, sets, width),
        "least": (n, width),
        "most": (n, width),
        "low": (n + 1, width),
        "high": (n + 1, width),
        "spread": n,
        "order": n,
        "partial": (n + 1 + spare, width),
        "picked": n,
        "chosen": n,
        "union": n + 1,
        "used": n + 1,
        "ways": ways,
        "bits": bits,
        "accepted": (n + 1, sets),
        "any_accepted": n + 1,
        "free": sets,
        "marginals": (depth, max(sizes[: depth + 1]), sets),
        "numbers": 9,
        "close": 2,
    }
