"""Choices of the upper layer in classes that are alike on the rows which are still open.

On a row, many choices of a group (see `_boxes`) give the very same activations: a neuron on a row of zeros and ones
knows only those of its inputs that are 1. Where a box leaves few edges open, on few rows, the sums of all that is left
are looked at, a vector at a time, one lane for each tuple of classes of the upper neurons; a circuit of a tuple counts
as often as there are choices in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ontogeny.circuits._leaf import perfect
from ontogeny.circuits._problem import (
    Doubles2,
    Doubles3,
    Floats,
    Integers,
    Integers2,
    Integers3,
    Shorts,
    Words,
    Words2,
)
from ontogeny.circuits._records import Unset, piece
from ontogeny.circuits._state import BARE, INLINE, UNSURE
from ontogeny.circuits._vectors import (
    LANES,
    blank,
    close_to,
    count_bits,
    fold,
    fold_lanes,
    lowest_bit,
    respond,
    sum_side,
    weigh,
)
from ontogeny.nonlinearities.compiled import activate

ROWS = LANES // 2  # rows whose lower and upper bounds make one vector
WORK = 256  # vectors of sums that are looked at rather than divided further, at most, times the rows that are open
_CLASSES = 16 * LANES  # tuples of classes in a list, at most
_LISTS = 256  # lists of one group, a power of two
_ROOM = 1 << 20  # numbers in the tables of all lists
_VALUES = 1 << 17  # activations in all lists
_HEAVY = 1 << 19  # choices that a tuple may stand for: WORK * LANES times that is below 2^31


class Classes:
    """Lists of the classes of a group's choices, one list for each choice of open rows, and sums that are looked at.

    used (4,): how many lists, lanes, numbers in tables and activations are in use. list_of (_LISTS,): lists by a hash
    of their rows, or -1; rows_of (list,): the rows as bits; class_of (list, i, sets): the class of each set of upper
    neuron i, or -1; n_classes, first_of (list, i, ..): how many those are, and a set of each; n_lanes (list,): tuples
    of classes, 0 while what follows is not there, -1 where they are too many; at_lane, at_values, at_table (list,):
    where that begins. By lane: weight_of, times factor (list,), the choices that a tuple stands for; hits, the circuits
    in which one of them takes part. values: the activations of the upper neurons, row by row and neuron by neuron;
    table: what each neuron of the last layer adds with each input set, row by row, where filled (list, last) has a bit
    for the place of the set in the neuron's heap. A list of few tuples fills a vector several times over; from _ROOM on
    stand the same numbers once, width_of (list,) for each set, so that one vector takes several sets. counted (1,):
    circuits.

    side_of (last,): the side, 0 or 1, of a neuron with free edges, or -1; n_sums (2,): vectors of each side. partial:
    their sums, side by side and row by row; terms (last, 3): see `sum_side`; base: for each list, open row by open row,
    what the output is without the last layer, and 0 after all lists; found, unsure, doubts: see `weigh` and `close_to`;
    places, chosen (last,): input sets of one circuit; exact (last, 2, rows), sums (2, rows): what they add. times (i,
    class, missing): sets of a class that use no input of `missing`; sum_of (i, class), products, expanded (tuples,):
    work space.
    """

    used: Integers
    list_of: Integers
    rows_of: Words
    class_of: Integers3
    n_classes: Integers2
    first_of: Integers3
    n_lanes: Integers
    at_lane: Integers
    at_values: Integers
    at_table: Integers
    width_of: Integers
    weight_of: Shorts
    factor: Integers
    hits: Integers
    values: Floats
    table: Floats
    filled: Words2
    counted: Integers
    partial: Floats
    side_of: Integers
    n_sums: Integers
    terms: Integers2
    base: Floats
    unsure: Shorts
    found: Shorts
    doubts: Shorts
    places: Integers
    chosen: Integers
    exact: Doubles3
    sums: Doubles2
    times: Integers3
    sum_of: Integers2
    products: Integers
    expanded: Integers


def class_shapes(sizes: tuple[int, ...], n_rows: int) -> dict[str, Any]:
    """Shapes of the arrays of `Classes`."""
    n, last = sizes[-3], sizes[-2]
    sets = 1 << sizes[-4]
    return {
        "used": 4,
        "list_of": _LISTS,
        "rows_of": _LISTS,
        "class_of": (_LISTS, n, sets),
        "n_classes": (_LISTS, n),
        "first_of": (_LISTS, n, sets),
        "n_lanes": _LISTS,
        "at_lane": _LISTS,
        "at_values": _LISTS,
        "at_table": _LISTS,
        "width_of": _LISTS,
        "weight_of": Unset(_LISTS * _CLASSES),
        "factor": _LISTS,
        "hits": Unset(_LISTS * _CLASSES),
        "values": Unset(_VALUES),
        "table": Unset(2 * _ROOM + LANES),
        "filled": (_LISTS, last),
        "counted": 1,
        "partial": Unset(2 * n_rows * WORK * LANES),
        "side_of": last,
        "n_sums": 2,
        "terms": (last, 3),
        "base": _LISTS * n_rows,
        "unsure": WORK,
        "found": Unset(2 * WORK * LANES),
        "doubts": WORK,
        "places": last,
        "chosen": last,
        "exact": (last, 2, n_rows),
        "sums": (2, n_rows),
        "times": (n, sets, sets),
        "sum_of": (n, sets),
        "products": _CLASSES,
        "expanded": _CLASSES,
    }


@njit(**INLINE)
def set_of(order, p, leaf):
    """The input set that place `leaf` of a heap stands for, as bits of the p members."""
    t = 0
    for b in range(p):
        if (leaf >> b) & 1:
            t |= 1 << order[p - 1 - b]
    return t


@njit(**INLINE)
def node_of(state, k):
    return np.int64((state >> np.uint64(8 * k)) & np.uint64(255))


@piece(**BARE)
def _decide(rows, classes, bias, close):
    """Whether one circuit is perfect: in float64, and where that is close by a float32 forward pass.

    Returns 1 if it is, and 2 more if float64 could not tell. sums[0]: what all neurons but one add; sums[1]: that one.
    """
    edge = 0.5 + close
    closed = 0.5 - close
    unsure = False
    for s in range(rows.weight.shape[0]):
        x = abs(classes.sums[0, s] + classes.sums[1, s])
        if x > edge:
            return 0
        unsure = unsure or x >= closed
    if not unsure:
        return 1
    return 3 if perfect(classes.chosen, classes.exact, bias, rows) else 2


@piece(**BARE)
def _find_list(boxes, classes, level, p, n_sets, open_rows):
    """The list of the group's classes on the open rows, which is made if need be; -1 where none is free."""
    slot = np.int64((open_rows * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (_LISTS - 1)
    while classes.list_of[slot] >= 0:
        if classes.rows_of[classes.list_of[slot]] == open_rows:
            return classes.list_of[slot]
        slot = (slot + 1) & (_LISTS - 1)
    number = classes.used[0]
    if number == _LISTS - 1:
        return -1
    classes.used[0] += 1
    classes.list_of[slot] = number
    classes.rows_of[number] = open_rows
    classes.n_lanes[number] = 0
    n_tuples = 1
    for i in range(p):
        n_tuples *= _find_classes(boxes, classes, level, number, i, n_sets, open_rows)
    classes.at_lane[number] = n_tuples  # for now
    width = 1
    while width < min(n_tuples, LANES):
        width <<= 1
    classes.width_of[number] = width if n_tuples <= LANES else (n_tuples + LANES - 1) // LANES * LANES
    return number


@piece(**BARE)
def _find_classes(boxes, classes, level, number, i, n_sets, open_rows):
    """Put the sets of upper neuron i into classes of equal activations on the open rows; how many there are."""
    member = boxes.members[i]
    differ = boxes.differ[member]
    class_of = classes.class_of[number, i]
    first_of = classes.first_of[number, i]
    for t in range(n_sets):
        class_of[t] = -1
    n_classes = 0
    boxes.items[0] = boxes.group[level, i]
    n_items = 1
    while n_items:
        n_items -= 1
        node = boxes.items[n_items]
        if boxes.halves[member, node, 0] >= 0:
            boxes.items[n_items] = boxes.halves[member, node, 0]
            boxes.items[n_items + 1] = boxes.halves[member, node, 1]
            n_items += 2
            continue
        t = boxes.halves[member, node, 1]
        own = 0
        while own < n_classes and differ[t, first_of[own]] & open_rows:
            own += 1
        if own == n_classes:
            first_of[own] = t
            n_classes += 1
        class_of[t] = own
    classes.n_classes[number, i] = n_classes
    return n_classes


@piece(**BARE)
def _size_classes(classes, number, p, n_sets):
    """times (i, class, missing): how many sets of a class use no input of `missing`."""
    for i in range(p):
        for c in range(classes.n_classes[number, i]):
            for missing in range(n_sets):
                classes.times[i, c, missing] = 0
        for t in range(n_sets):
            c = classes.class_of[number, i, t]
            if c >= 0:
                for missing in range(n_sets):
                    classes.times[i, c, missing] += 1 if t & missing == 0 else 0


@piece(**BARE)
def _expand(classes, number, p, missing, first):
    """expanded (tuples,): `first` times the choices of each tuple of a list that use no input of `missing`."""
    classes.expanded[0] = first
    now = 1
    for i in range(p):
        for c in range(classes.n_classes[number, i] - 1, -1, -1):
            times = classes.times[i, c, missing]
            for v in range(now):
                classes.expanded[c * now + v] = classes.expanded[v] * times
        now *= classes.n_classes[number, i]


@piece(**BARE)
def _fill_list(walk, boxes, classes, number, p, n_sets):
    """Weights and activations of a list; False where there is no room. Where they are too many, n_lanes is -1."""
    last = boxes.order.shape[0]
    n_tuples = classes.at_lane[number]
    own_width = classes.width_of[number]
    width = max(own_width, LANES)
    n_open = count_bits(classes.rows_of[number])
    size = n_open * last * width << p
    n_values = n_open * p * width
    if n_tuples > _CLASSES or size > _ROOM or n_values > _VALUES:
        classes.n_lanes[number] = -1
        return True
    lane = classes.used[1]
    if classes.used[2] + size > _ROOM or classes.used[3] + n_values > _VALUES:
        return False
    _size_classes(classes, number, p, n_sets)
    for v in range(n_tuples):
        classes.products[v] = 0
    for missing in range(n_sets):
        if boxes.totals[missing]:
            _expand(classes, number, p, missing, boxes.totals[missing])
            for v in range(n_tuples):
                classes.products[v] += classes.expanded[v]
    classes.factor[number] = classes.products[0] if n_tuples == 1 else 1
    if n_tuples == 1:
        classes.products[0] = 1
    for v in range(width):
        own = v % own_width
        weight = classes.products[own] if own < n_tuples else 0
        if abs(weight) > _HEAVY:
            classes.n_lanes[number] = -1
            return True
        classes.weight_of[lane + v] = weight
        classes.hits[lane + v] = 0
    classes.n_lanes[number] = n_tuples
    classes.at_lane[number] = lane
    classes.at_table[number] = classes.used[2]
    classes.at_values[number] = classes.used[3]
    classes.used[1] += width
    classes.used[2] += size
    classes.used[3] += n_values
    for k in range(last):
        classes.filled[number, k] = np.uint64(0)
    at = classes.at_values[number]
    base = number * boxes.lowest.shape[2]
    rest = classes.rows_of[number]
    while rest:
        s = lowest_bit(rest)
        rest &= rest - np.uint64(1)
        classes.base[base] = boxes.base[(s // ROWS) * LANES + s % ROWS]
        base += 1
        step = 1
        for i in range(p):
            n_classes = classes.n_classes[number, i]
            v = 0
            while v < own_width:
                for c in range(n_classes):
                    x = walk.table[walk.choice.shape[0] - 2, boxes.members[i], classes.first_of[number, i, c], s]
                    for _ in range(step):
                        if v < own_width:
                            classes.values[at + v] = x
                            v += 1
            for v in range(own_width, width):
                classes.values[at + v] = classes.values[at + v - own_width]
            step *= n_classes
            at += width
    return True


@piece(**BARE)
def _fill_table(network, rows, boxes, classes, number, k, place, p):
    """What neuron k of the last layer adds with the input set at `place`, for each tuple of a list and open row.

    As a masked forward pass rounds, but for the scale of rows.
    """
    depth = network.sizes.shape[0] - 2
    last = network.sizes[depth]
    layer = depth - 1
    kind = network.kinds[layer]
    slope = network.slopes[layer]
    leaves = 1 << p
    own_width = classes.width_of[number]
    width = max(own_width, LANES)
    at = classes.at_table[number] + (k * leaves + place) * width
    at_packed = _ROOM + classes.at_table[number] + (k * leaves + place) * own_width
    values = classes.at_values[number]
    table = classes.table
    inputs = set_of(boxes.order[k], p, place)
    n_rows = rows.weight.shape[0]
    weights = (layer * network.weights.shape[1] + k) * network.weights.shape[2] * n_rows
    rest = classes.rows_of[number]
    while rest:
        s = lowest_bit(rest)
        rest &= rest - np.uint64(1)
        bias = network.biases[layer, k, s] if place > 0 else np.float32(0.0)
        gain = network.weights[depth, 0, k, s]
        scale = np.float32(rows.scale[s])
        respond(
            classes.values, values, inputs, boxes.members, network.weights, weights + s, n_rows, bias,
            slope if kind == 0 else np.float32(0.0), (gain, scale), kind > 1, table, at, width, at_packed, own_width,
        )  # fmt: skip
        if kind > 1 and place > 0:
            for v in range(at, at + width):
                table[v] = np.float32(activate(np.float64(table[v]), kind, slope)) * gain * scale
            for v in range(own_width if own_width < LANES else 0):
                table[at_packed + v] = table[at + v]
        at += last * leaves * width
        at_packed += last * leaves * own_width
        values += p * width


@piece(**BARE)
def share_lists(boxes, classes, p, n_sets):
    """Give what was counted class by class to the input sets of the upper neurons, and forget the lists."""
    for number in range(classes.used[0]):
        found = False
        n_tuples = max(classes.n_lanes[number], 0)
        lane = classes.at_lane[number]
        for v in range(classes.width_of[number], LANES if n_tuples else 0):
            classes.hits[lane + v % classes.width_of[number]] += classes.hits[lane + v]
        for v in range(n_tuples):
            found = found or classes.hits[lane + v] != 0
        if not found:
            continue
        _size_classes(classes, number, p, n_sets)
        for missing in range(n_sets):
            if boxes.totals[missing] == 0 and p == boxes.halves.shape[0]:
                continue
            for i in range(p):
                for c in range(classes.n_classes[number, i]):
                    classes.sum_of[i, c] = 0
            _expand(classes, number, p, missing, 1)
            whole = 0
            for v in range(n_tuples):
                classes.expanded[v] *= classes.hits[lane + v]
                whole += classes.expanded[v]
            boxes.open[missing] += whole
            classes.counted[0] += boxes.totals[missing] * whole
            step = 1
            for i in range(p):
                n_classes = classes.n_classes[number, i]
                v = 0
                while v < n_tuples:
                    for c in range(n_classes):
                        part = 0
                        for at in range(v, v + step):
                            part += classes.expanded[at]
                        classes.sum_of[i, c] += part
                        v += step
                step *= n_classes
            for i in range(p):
                member = boxes.members[i]
                for t in range(1, n_sets):
                    c = classes.class_of[number, i, t]
                    if c >= 0 and t & missing == 0:
                        share = classes.sum_of[i, c] // classes.times[i, c, missing]
                        boxes.upper_tags[member, boxes.leaf_of[member, t], missing] += share
    for slot in range(_LISTS):
        classes.list_of[slot] = -1
    for i in range(4):
        classes.used[i] = 0


@njit(**INLINE)
def _n_vectors(width, free, most):
    """How many vectors the sums of sets with `free` free edges fill, `most` of them of one neuron; see `width_of`."""
    return (max(width << most, LANES) // LANES) << (free - most)


@piece(**BARE)
def list_for(walk, boxes, classes, level, p, n_sets, open_rows, free, most):
    """The number of the list of the group's classes on the open rows, where that leaves little to look at; else -1.

    free: edges that are free, `most` of them of one neuron. Where there is no room, other lists are forgotten.
    """
    n_open = count_bits(open_rows)
    if _n_vectors(1, free, most) * n_open > WORK:
        return -1
    for _ in range(2):
        number = _find_list(boxes, classes, level, p, n_sets, open_rows)
        if number >= 0:
            if _n_vectors(classes.width_of[number], free, most) * n_open > WORK:
                return -1
            if classes.n_lanes[number] != 0 or _fill_list(walk, boxes, classes, number, p, n_sets):
                return number if classes.n_lanes[number] > 0 else -1
        share_lists(boxes, classes, p, n_sets)
    return -1


@piece(**BARE)
def _is_perfect(network, rows, walk, leaf, boxes, classes, bias, number, v, p):
    """Decide a circuit of tuple v of a list and the input sets classes.chosen, as `_decide` does."""
    depth = network.sizes.shape[0] - 2
    layer = depth - 1
    kind = network.kinds[layer]
    slope = network.slopes[layer]
    for s in range(rows.weight.shape[0]):
        classes.sums[0, s] = (np.float64(bias[s]) - rows.centre[s]) * rows.scale[s]
        classes.sums[1, s] = 0.0
    for k in range(network.sizes[depth]):
        t = classes.chosen[k]
        classes.chosen[k] = 1 if t > 0 else 0
        if t == 0:
            continue
        for s in range(rows.weight.shape[0]):
            total = np.float32(0.0)
            rest = v
            for i in range(p):
                own = classes.first_of[number, i, rest % classes.n_classes[number, i]]
                rest //= classes.n_classes[number, i]
                if (t >> i) & 1:
                    w = network.weights[layer, k, boxes.members[i], s]
                    total = total + w * walk.table[depth - 2, boxes.members[i], own, s]
            x = total + network.biases[layer, k, s]
            if kind == 0:
                x = x if x > 0 else x * np.float32(slope)
            elif kind == 1:
                x = x if x > 0 else np.float32(0.0)
            else:
                x = np.float32(activate(np.float64(x), kind, slope))
            classes.exact[k, 1, s] = np.float64(network.weights[depth, 0, k, s] * x) * rows.scale[s]
            classes.sums[0, s] += classes.exact[k, 1, s]
    return _decide(rows, classes, bias, leaf.close[0])


@piece(**BARE)
def _settle(network, rows, walk, leaf, boxes, classes, bias, number, v, p):
    """Decide the circuit of tuple v of a list and the input sets at classes.places, by the sum of what these add.

    In float64, and where that is close by a float32 forward pass; as `_decide`.
    """
    last = boxes.order.shape[0]
    width = max(classes.width_of[number], LANES)
    across = (last * width) << p
    edge = 0.5 + leaf.close[0]
    closed = 0.5 - leaf.close[0]
    good = True
    unsure = False
    start = classes.at_table[number] + v
    rest = classes.rows_of[number]
    while rest:
        s = lowest_bit(rest)
        rest &= rest - np.uint64(1)
        if rows.scale[s] != 1.0:
            for k in range(last):
                classes.chosen[k] = set_of(boxes.order[k], p, classes.places[k])
            return _is_perfect(network, rows, walk, leaf, boxes, classes, bias, number, v, p)
        x = np.float64(bias[s]) - rows.centre[s]
        total = np.float32(0.0)
        for k in range(last):
            g = classes.table[start + ((k << p) + classes.places[k]) * width]
            x += np.float64(g)
            total = total + g
        start += across
        if abs(x) > edge:
            return 0
        if abs(x) >= closed:
            out = total + bias[s]
            unsure = True
            good = good and rows.above[s] < out and out <= rows.upto[s]
    return (1 if good else 0) + (2 if unsure else 0)


@njit(**INLINE)
def _put_places(boxes, classes, state, p, side, digits):
    """Write into classes.places which sets of the neurons of a side the sum number `digits` is of."""
    for k in range(boxes.order.shape[0]):
        if classes.side_of[k] == side:
            free = boxes.free[node_of(state, k)]
            classes.places[k] = (node_of(state, k) << free) - (1 << p) + (digits & ((1 << free) - 1))
            digits >>= free


@piece(**BARE)
def _settle_close(
    network, rows, walk, leaf, boxes, classes, bias, number, state, best, column, n_own, n_open, outer, inner, sides, p
):
    """Decide one by one what `weigh` leaves in doubt, see `close_to`, and correct what it has found."""
    last = boxes.order.shape[0]
    n_rows = rows.weight.shape[0]
    n_tuples = classes.n_lanes[number]
    width = classes.width_of[number]
    across = max(width, LANES)
    step = WORK * LANES
    lane = classes.at_lane[number] + column
    for k in range(last):
        classes.places[k] = node_of(state, k) - (1 << p)
    n_places = 1 << boxes.free[node_of(state, best)]
    first = node_of(state, best) * n_places - (1 << p)
    wide = width >= LANES
    lanes = 0 if wide else lowest_bit(np.uint64(width))  # places in binary, as of other powers of 2 below
    own_sets = lowest_bit(np.uint64(n_own))
    in_vector = 0 if wide else lowest_bit(np.uint64(LANES)) - lanes  # sets
    for t in range(classes.n_sums[1]):
        if classes.unsure[t] == 0:
            continue
        _put_places(boxes, classes, state, p, 1, t >> own_sets)
        close_to(
            classes.partial, column, n_rows * step + t * across + column, step, across, n_open, classes.n_sums[0],
            inner, outer, sides, classes.doubts,
        )  # fmt: skip
        for c in range(classes.n_sums[0]):
            doubts = np.uint64(classes.doubts[c])
            if doubts == 0:
                continue
            _put_places(boxes, classes, state, p, 0, c)
            while doubts:
                v = lowest_bit(doubts)
                doubts &= doubts - np.uint64(1)
                own = column + v if wide else v & (width - 1)
                place = ((t & (n_own - 1)) << in_vector) + (0 if wide else v >> lanes)
                if own >= n_tuples or place >= n_places:
                    continue
                classes.places[best] = first + place
                decided = _settle(network, rows, walk, leaf, boxes, classes, bias, number, own, p)
                weight = np.int64(classes.weight_of[lane + v])
                if not decided & 1:
                    classes.found[c * LANES + v] -= weight
                    classes.found[step + t * LANES + v] -= weight
                    classes.hits[lane + v] -= 1
                if decided & 2:
                    leaf.numbers[UNSURE] += weight * classes.factor[number]


@piece(**BARE)
def _choose_sides(boxes, classes, number, state):
    """Share the neurons with free edges among two sides of about as many sums; the neuron whose sets begin side 1.

    Returns it, with most free edges, and how many vectors its sets fill.
    """
    last = boxes.order.shape[0]
    best = 0
    for k in range(1, last):
        if boxes.free[node_of(state, k)] > boxes.free[node_of(state, best)]:
            best = k
    most = boxes.free[node_of(state, best)]
    n_own = _n_vectors(min(classes.width_of[number], LANES), most, most)
    classes.n_sums[0] = 1
    classes.n_sums[1] = n_own
    for k in range(last):
        free = boxes.free[node_of(state, k)]
        classes.side_of[k] = -1
        if k != best and free > 0:
            side = 0 if classes.n_sums[0] <= classes.n_sums[1] else 1
            classes.side_of[k] = side
            classes.n_sums[side] <<= free
    return best, n_own


@piece(**BARE)
def _fill_tables(network, rows, boxes, classes, number, state, p):
    """Tabulate what the neurons of the last layer add with the sets of `state`, as far as that is not there."""
    for k in range(boxes.order.shape[0]):
        node = node_of(state, k)
        free = boxes.free[node]
        needed = (np.uint64(1) << np.uint64((1 << free) - 1) << np.uint64(1)) - np.uint64(1)
        needed = (needed << np.uint64((node << free) - (1 << p))) & ~classes.filled[number, k]
        classes.filled[number, k] |= needed
        while needed:
            _fill_table(network, rows, boxes, classes, number, k, lowest_bit(needed), p)
            needed &= needed - np.uint64(1)


@njit(**INLINE)
def _add_term(classes, n, first, across, number):
    """Make the n-th of `terms`; how many there are then."""
    classes.terms[n, 0] = first
    classes.terms[n, 1] = across
    classes.terms[n, 2] = number
    return n + 1


@piece(**BARE)
def _sum_sides(boxes, classes, number, state, best, n_own, n_rows, n_open, p):
    """Tabulate the sums of both sides, for each tuple of classes and open row."""
    last = boxes.order.shape[0]
    own_width = classes.width_of[number]
    width = max(own_width, LANES)
    step = WORK * LANES
    across = (last * width) << p
    start = classes.at_table[number]
    n = 0
    for k in range(last - 1, -1, -1):
        if classes.side_of[k] == 0:
            free = boxes.free[node_of(state, k)]
            place = (k << p) + (node_of(state, k) << free) - (1 << p)
            n = _add_term(classes, n, start + place * width, across, 1 << free)
    sum_side(
        classes.table, classes.terms, 0, n, classes.base, (_LISTS - 1) * n_rows, n_open, width, classes.partial, 0, step
    )
    first = (best << p) + (node_of(state, best) << boxes.free[node_of(state, best)]) - (1 << p)
    first = start + first * width if own_width == width else _ROOM + start + first * own_width
    n = _add_term(classes, 0, first, (last * own_width) << p, 1) if n_own == 1 else 0
    for k in range(last):
        if k != best and classes.side_of[k] < 0:
            place = (k << p) + node_of(state, k) - (1 << p)
            n = _add_term(classes, n, start + place * width, across, 1)
    n_fixed = n
    for k in range(last - 1, -1, -1):
        if classes.side_of[k] == 1:
            free = boxes.free[node_of(state, k)]
            place = (k << p) + (node_of(state, k) << free) - (1 << p)
            n = _add_term(classes, n, start + place * width, across, 1 << free)
    if n_own > 1:
        n = _add_term(classes, n, first, (last * own_width) << p, n_own)
    sum_side(
        classes.table, classes.terms, n_fixed, n, classes.base, number * n_rows, n_open, width, classes.partial,
        n_rows * step, step,
    )  # fmt: skip


@piece(**BARE)
def _share_sums(boxes, classes, number, state, best, n_own, p):
    """Give what was found for the sums of both sides to the input sets of their neurons."""
    last = boxes.order.shape[0]
    nodes = boxes.tags.shape[1]
    factor = classes.factor[number]
    width = classes.width_of[number]
    step = WORK * LANES
    one = classes.n_sums[0]
    other = classes.n_sums[1]
    for k in range(last - 1, -1, -1):
        if classes.side_of[k] < 0:
            continue
        free = boxes.free[node_of(state, k)]
        to = k * nodes + (node_of(state, k) << free)
        if classes.side_of[k]:
            other >>= free
            fold(classes.found, step, 1 << free, other, factor, boxes.tags, to)
        else:
            one >>= free
            fold(classes.found, 0, 1 << free, one, factor, boxes.tags, to)
    free = boxes.free[node_of(state, best)]
    to = best * nodes + (node_of(state, best) << free)
    total = fold_lanes(classes.found, step, min(width, LANES), 1 << free, factor, boxes.tags, to)
    for k in range(last):
        if k != best and classes.side_of[k] < 0:
            boxes.tags[k, node_of(state, k)] += total


@piece(**BARE)
def _sides(open_rows, open_sides):
    """Bits, as of `weigh`, of the rows of open_rows; -1 where both limits of a row may be missed. See `judge`."""
    sides = 0
    r = 0
    while open_rows:
        s = np.uint64(lowest_bit(open_rows))
        open_rows &= open_rows - np.uint64(1)
        below = np.int64((open_sides >> s) & np.uint64(1))
        if below and (open_sides >> (s + np.uint64(32))) & np.uint64(1):
            return -1
        sides |= below << r
        r += 1
    return sides


@piece(**BARE)
def count_classes(network, rows, walk, leaf, boxes, classes, bias, number, state, p, open_sides, outer, inner):
    """Count the circuits of `state` for all choices of the group, whose classes on the open rows are a list.

    The neurons are shared among two sides, whose sums are tabulated for each tuple of classes, a vector at a time.
    """
    n_rows = rows.weight.shape[0]
    width = classes.width_of[number]
    lane = classes.at_lane[number]
    step = WORK * LANES
    _fill_tables(network, rows, boxes, classes, number, state, p)
    best, n_own = _choose_sides(boxes, classes, number, state)
    blank(classes.found, 0, classes.n_sums[0] * LANES)
    blank(classes.found, step, classes.n_sums[1] * LANES)
    filled = min(width << boxes.free[node_of(state, best)], LANES)
    n_open = count_bits(classes.rows_of[number])
    _sum_sides(boxes, classes, number, state, best, n_own, n_rows, n_open, p)
    sides = _sides(classes.rows_of[number], open_sides)
    for column in range(0, width, LANES):
        weigh(
            classes.partial, column, n_rows * step + column, step, max(width, LANES), n_open, classes.n_sums[0],
            classes.n_sums[1], inner, outer, sides, classes.weight_of, filled, classes.hits, lane + column,
            classes.found, step, classes.unsure,
        )  # fmt: skip
        _settle_close(
            network,
            rows,
            walk,
            leaf,
            boxes,
            classes,
            bias,
            number,
            state,
            best,
            column,
            n_own,
            n_open,
            outer,
            inner,
            sides,
            p,
        )
    _share_sums(boxes, classes, number, state, best, n_own, p)
