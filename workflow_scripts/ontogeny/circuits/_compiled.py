"""The search for perfect circuits, compiled: every choice of the upper layers, and under each the last hidden layer.

The algorithm is told, with a picture, in docs/explanation/enumeration.md. Up to the contributions to the output
everything is computed in the arithmetic of a masked float32 forward pass, so that float64 is in doubt only by the
rounding of the last sum; what is in doubt is decided by a float32 forward pass.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._boxes import Boxes, box_shapes, by_boxes, count_boxes, share_done, try_boxes
from ontogeny.circuits._classes import Classes, class_shapes
from ontogeny.circuits._leaf import (
    Found,
    Right,
    close_leaf,
    match_by_rows,
    most_right,
    open_leaf,
    right_shapes,
    search_halves,
)
from ontogeny.circuits._plain import Functions, applied
from ontogeny.circuits._problem import COUNT, LIST, MINIMAL, OWN, Network, Rows, Task, no_errors
from ontogeny.circuits._ranks import Bounds, Groups, Tallies, count_by_ranks, middle, rank_shapes
from ontogeny.circuits._records import CALLED, Plan, Program, call
from ontogeny.circuits._state import (
    AT_ADDRESS,
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
from ontogeny.circuits._walk import advance, begin, enter, rounding_margin
from ontogeny.circuits.masks import count_candidates
from ontogeny.compilation import compiled, compiled_at

_FEW_ROWS = 64  # more rows are compared one circuit at a time
_FEW_CODES = 4096  # room for those that are listed, at first
_MANY_CODES = 1 << 22
_FEW_VISITS = 200_000  # of boxes, before ranks are thought of
_CHECKED = 0.5  # of the time that ranks take, after which it is seen how far boxes have come
_CLEARLY = 8.0  # times as long as another way, about, which needs no closer look
_LONG = 100.0  # seconds by ranks that need no closer look
_NO_LIMIT = 1 << 62
_EASY = 100_000_000  # candidates of deeper networks, searched without boxes until that has taken as long as to compile
_EASY_SECONDS = 2.0
_SECONDS_EACH = 1.5e-9  # of a candidate, about

_CALLED_BACK = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)

_easy_spent = 0.0


class Others:
    """Addresses of functions that a search calls, 0 where it does without."""

    by_ranks: int
    by_rows: int
    own: int


_program = Program([Network, Rows, Task, Found, Walk, Leaf, Right, Bounds, Tallies, Groups, Boxes, Classes, Others])
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
_boxes_of = _program.reader(Boxes)
_classes_of = _program.reader(Classes)
_others_of = _program.reader(Others)
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


@compiled_at(CALLED, **AT_ADDRESS)
def _by_rows(table, n_left, missing, first):
    """Mark the right halves that complete the left half, see `match_by_rows`."""
    network = _network_of(table)
    n_rows = network.biases.shape[2]
    p = _walk_of(table).count[network.sizes.shape[0] - 3]
    match_by_rows(_leaf_of(table), _right_of(table), _rows_of(table), p, n_left, n_rows, missing, first)


@compiled_at(CALLED, **AT_ADDRESS)
def _by_ranks(table, p, n_mid, allowed):
    """Count the perfect choices of the last hidden layer, which has p inputs, with n_mid of its neurons ranked."""
    network = _network_of(table)
    leaf = _leaf_of(table)
    bias = network.biases[network.sizes.shape[0] - 2, 0]
    count_by_ranks(
        _bounds_of(table), _tallies_of(table), _groups_of(table), leaf, _walk_of(table), _rows_of(table), bias, p,
        n_mid, allowed, leaf.close[0],
    )  # fmt: skip


@compiled(**OUTER)
def _search(table, strict, every):
    """Walk all circuits, or go on where there was no room left for codes; table: the records, see `_program`.

    every: only one of so many leaves is looked at.
    """
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
    by_ranks = _others_of(table).by_ranks
    by_rows = _others_of(table).by_rows
    own = _others_of(table).own
    # of a function of which nothing is known, its values are: only the last sum is rounded, see `open_leaf`
    margin = rounding_margin(network, rows, walk.bounds) if own == 0 else 1e30
    paused = numbers[PAUSED] == 1
    if not paused:
        begin(network, rows, walk)
        for s in range(bias.shape[0]):
            right.weight[s] = rows.weight[s]
    while paused or advance(table, own, network, rows, walk, task.most, task.part, 0.5 + margin, depth - 1):
        p = walk.count[depth - 1]
        allowed = task.most - walk.used[depth - 1]
        if not paused:
            numbers[LEAVES] += 1
            numbers[HERE] = 0
            if numbers[LEAVES] % every:
                continue
            if not open_leaf(table, own, network, rows, walk, leaf, margin, strict) or allowed < 1:
                continue
        paused = False
        n_mid = middle(p, last) if by_ranks else 0
        if n_mid:
            call(by_ranks, table, p, n_mid, allowed)
        elif search_halves(table, by_rows, task, _found_of(table), leaf, right, walk, rows, bias, p, allowed, strict):
            return
        if numbers[HERE]:
            numbers[FOUND] += numbers[HERE]
            close_leaf(leaf, walk, 1 << p, p)


@compiled(**OUTER)
def _search_boxes(table, limit, number):
    """Count all circuits box by box, with `limit` visits at most, or go on where it paused; or try `number`, if any."""
    network = _network_of(table)
    rows = _rows_of(table)
    task = _task_of(table)
    walk = _walk_of(table)
    leaf = _leaf_of(table)
    depth = network.sizes.shape[0] - 2
    numbers = leaf.numbers
    margin = rounding_margin(network, rows, walk.bounds)
    if not numbers[PAUSED]:
        begin(network, rows, walk)
    while numbers[PAUSED] or advance(table, 0, network, rows, walk, task.most, task.part, 0.5 + margin, depth - 2):
        if not numbers[PAUSED]:
            numbers[LEAVES] += 1
            numbers[HERE] = 0
            enter(table, 0, network, walk, depth - 2)
        if number:
            try_boxes(network, rows, walk, leaf, _boxes_of(table), _classes_of(table), margin, number)
            return
        count_boxes(network, rows, walk, leaf, _boxes_of(table), _classes_of(table), margin, limit)
        if numbers[PAUSED]:
            return
        numbers[FOUND] += numbers[HERE]


@lru_cache(maxsize=64)
def _plan(sizes: tuple[int, ...], n_rows: int, n_pairs: int, n_networks: int, by_rows: bool, ranked: bool) -> Plan:
    """Where the arrays of a search lie."""
    shapes: dict[type, dict[str, Any]] = {
        Walk: walk_shapes(sizes, n_rows, n_networks),
        Leaf: leaf_shapes(sizes, n_rows, n_pairs, DOUBLES),
        Right: right_shapes(sizes, n_rows, by_rows),
    }
    if ranked:
        shapes |= rank_shapes(sizes, n_rows, n_rows + n_pairs)
    shapes[Others] = {"by_ranks": _by_ranks() if ranked else 0, "by_rows": _by_rows() if by_rows else 0, "own": 0}
    return _program.plan(shapes)


@lru_cache(maxsize=64)
def _boxes_plan(sizes: tuple[int, ...], n_rows: int, n_networks: int) -> Plan:
    """Where the arrays of a count box by box lie."""
    return _program.plan(
        {
            Walk: walk_shapes(sizes, n_rows, n_networks),
            Leaf: leaf_shapes(sizes, n_rows, 0, DOUBLES),
            Boxes: box_shapes(sizes, n_rows),
            Classes: class_shapes(sizes, n_rows),
        }
    )


@lru_cache(maxsize=256)
def _many(most_inputs: int, last: int) -> bool:
    """Whether the last hidden layer, of `last` neurons, may have so many right halves that ranks pay."""
    return any(middle.py_func(p, last) for p in range(1, most_inputs + 1))


def count_by_boxes(
    network: Network, rows: Rows, task: Task
) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int] | None:
    """As `search` for a count of all circuits, box by box; None where that is not possible, or ranks look quicker.

    Boxes may take long where many circuits lie near a boundary. So they begin with few visits; where these are not
    enough, both are tried on a sample, and boxes go on from there or are given up. After half the time of ranks, and
    whenever that has doubled, they are given up where what is left would take longer than ranks.
    """
    sizes, n_rows = tuple(network.sizes.tolist()), len(rows.weight)
    if task.mode != COUNT or task.part >= 0 or task.most < sum(sizes[1:-1]) or not no_errors(rows):
        return None
    ranked = _many(sizes[-3], sizes[-2])
    if not by_boxes(sizes, n_rows) or not (ranked or len(sizes) > 4) or (not ranked and _is_easy(sizes)):
        return None
    plan = _boxes_plan(sizes, n_rows, len(rows.budget))
    limit = _FEW_VISITS if ranked and len(sizes) == 4 else _NO_LIMIT
    table, block = plan.place()
    numbers = plan.read(block, Leaf, "numbers")
    _give(table, network, rows, task, Found(np.empty(0, np.uint64)))
    _search_boxes(table, 0, 0)  # reads or compiles the code, which is not to be timed
    spent = by_ranks = 0.0
    while numbers[PAUSED]:
        began = time.thread_time()
        _search_boxes(table, limit, 0)
        spent += time.thread_time() - began
        if not numbers[PAUSED]:
            break
        if not by_ranks:
            by_ranks = _seconds_by_ranks(network, rows, task, sizes)
            if _seconds_by_boxes(network, rows, task, sizes, by_ranks) > by_ranks:
                return None
            limit = int(limit * max(2.0, _CHECKED * by_ranks / spent))
            continue
        names = ("where", "group", "half", "divided", "halves", "sets")
        done = share_done(*(plan.read(block, Boxes, name) for name in names))
        if (spent * (1.0 / done - 1.0) if done else spent) > by_ranks:
            return None
        limit *= 2
    found = int(numbers[FOUND])
    marginals = plan.read(block, Leaf, "marginals").copy()
    upper = marginals[-2, : sizes[-3]]
    upper[:, 0] = found - upper[:, 1:].sum(axis=1)
    return found, np.zeros(0, np.uint64), marginals, int(numbers[UNSURE])


def _is_easy(sizes: tuple[int, ...]) -> bool:
    """Whether a network is better searched without boxes: it takes milliseconds, boxes seconds to compile."""
    global _easy_spent
    if _easy_spent >= _EASY_SECONDS or (number := count_candidates(sizes)) > _EASY:
        _easy_spent = _EASY_SECONDS
        return False
    _easy_spent += _SECONDS_EACH * number
    return True


def _timed(
    plan: Plan, network: Network, rows: Rows, task: Task, walk: Callable[..., None], *how: int
) -> tuple[float, int]:
    """Seconds of this thread that a count by `walk` takes, which is given a table of `plan` and `how`; and HERE."""
    table, block = plan.place()
    _give(table, network, rows, task, Found(np.empty(0, np.uint64)))
    began = time.thread_time()
    walk(table, *how)
    return time.thread_time() - began, int(plan.read(block, Leaf, "numbers")[HERE])


def _seconds_by_boxes(network: Network, rows: Rows, task: Task, sizes: tuple[int, ...], by_ranks: float) -> float:
    """What a count box by box may take, about, from a sample of groups of choices of the upper layer.

    by_ranks: seconds that a count by ranks takes, of which the sample takes little.
    """
    plan = _boxes_plan(sizes, len(rows.weight), len(rows.budget))
    n_choices = float((1 << sizes[-4]) - 1) ** sizes[-3]
    expected = 0.0
    for sampled in (2, 8):
        seconds, tried = _timed(plan, network, rows, task, _search_boxes, _NO_LIMIT, sampled)
        expected = seconds / max(1, tried) * n_choices
        if seconds > 0.01 * by_ranks or not by_ranks / _CLEARLY < expected < by_ranks * _CLEARLY:
            break
    return expected


def _seconds_by_ranks(network: Network, rows: Rows, task: Task, sizes: tuple[int, ...]) -> float:
    """What a count by ranks may take, from a sample of its leaves."""
    plan = _plan(sizes, len(rows.weight), len(rows.pairs), len(rows.budget), False, True)

    def seconds(every: int) -> float:
        return _timed(plan, network, rows, task, _search, True, every)[0]

    seconds(_NO_LIMIT)  # reads the code
    without = seconds(_NO_LIMIT)
    expected = 0.0
    n_leaves = float(1 << sizes[0]) ** sizes[1]
    for n_sampled in (16, min(256, n_leaves / 16)):
        every = max(1, int(n_leaves / n_sampled)) | 1
        expected = without + max(0.0, seconds(every) - without) * every
        if expected > _LONG:
            break
    return expected


class _OwnFunctions:
    """Functions that only Python knows, which a search calls on the sums of a whole layer. failed: what went wrong."""

    def __init__(self, network: Network, functions: Functions, plan: Plan, block: NDArray[np.uint8]) -> None:
        self.network, self.functions = network, functions
        self.table, self.gains = plan.read(block, Walk, "table"), plan.read(block, Leaf, "gains")
        self.failed: BaseException | None = None
        self.called = _CALLED_BACK(self._apply)
        self.address = ctypes.cast(self.called, ctypes.c_void_p).value or 0

    def _apply(self, _: int, layer: int, p: int, __: int) -> None:
        """Put values in the place of sums: of all neurons of a layer and all sets of its p active inputs."""
        sizes, n_rows = self.network.sizes, self.network.biases.shape[2]
        arrays = self.gains if layer == len(sizes) - 3 else self.table[layer]
        sums = arrays[: sizes[layer + 1], 1 : 1 << p, :n_rows]
        try:
            if self.failed is None:
                sums[...] = applied(self.network, layer, sums.astype(np.float32), self.functions)
                if not np.isfinite(sums).all():
                    raise FloatingPointError("a function of neurons is infinite or no number")
        except BaseException as error:  # nothing can be raised through compiled code
            self.failed = error
            sums[...] = 0.0


def search(
    network: Network, rows: Rows, task: Task, functions: Functions | None = None
) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
    """Walk all circuits and keep the perfect ones: (number found, codes, marginals, number decided in float32).

    Codes are empty when counting; marginals[l, j, T], the number of perfect circuits in which neuron j of hidden layer
    l has input set T, are empty otherwise. functions: of the hidden layers, where only Python knows them; raises
    FloatingPointError where they have values that are not finite.
    """
    sizes = tuple(network.sizes.tolist())
    n_rows = len(rows.weight)
    strict = no_errors(rows)
    by_rows = not strict or n_rows > _FEW_ROWS
    ranked = task.mode == COUNT and not by_rows and _many(sizes[-3], sizes[-2])
    if functions is None and (counted := count_by_boxes(network, rows, task)):
        return counted
    plan = _plan(sizes, n_rows, len(rows.pairs), len(rows.budget), by_rows, ranked)
    table, block = plan.place()
    own = None
    if functions is not None:
        own = _OwnFunctions(network, functions, plan, block)
        table[_program.place(Others, "own")] = own.address
        network = network._replace(kinds=np.full_like(network.kinds, OWN))
    numbers = plan.read(block, Leaf, "numbers")
    room = len(task.ranks)
    if task.mode in (LIST, MINIMAL):
        room = max(_FEW_CODES, 2 * most_right(sizes, n_rows if by_rows else 1))
    kept = [np.empty(room, np.uint64)]
    while True:
        _give(table, network, rows, task, Found(kept[-1]))
        _search(table, strict, 1)
        if own is not None and own.failed is not None:
            raise own.failed
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
