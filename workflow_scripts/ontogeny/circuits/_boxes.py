"""The last two hidden layers, counted box by box: many choices at once wherever all of them are right, or wrong.

Choices of the upper of the two layers are groups of input sets that give nearly the same activations, those of the last
layer are subcubes: some edges of a neuron are fixed, the others free. What a neuron adds to the output lies in a box,
an interval for each row. Where the sum of the boxes lies within the limits on all rows, all choices are counted; where
it is out of reach on one row, none; else a neuron is divided further, the one whose box is widest. Groups of the upper
layer form a tree: what a group leaves open is handed to its two halves.

Neurons of the upper layer must be listened to. So tuples of input sets among the neurons U are counted without that
condition, and the circuits follow by inclusion and exclusion over U; likewise for the inputs of the upper layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ontogeny.circuits._classes import ROWS, WORK, count_classes, list_for, node_of, share_lists
from ontogeny.circuits._problem import (
    Doubles,
    Doubles2,
    Doubles3,
    Floats,
    Floats3,
    Integers,
    Integers2,
    Integers3,
    Words,
    Words2,
    Words3,
)
from ontogeny.circuits._records import Unset, piece
from ontogeny.circuits._state import BARE, HERE, PAUSED, VISITED
from ontogeny.circuits._vectors import LANES, judge, lowest_bit, merge, widest
from ontogeny.nonlinearities.compiled import activate, lowest_between

_PENDING = 1 << 17  # choices that groups hand on at a time, all levels together: as many as stay in a cache
_STACK = 256
_STEP = 1  # edges of a neuron that are divided at a time
_MOST_LAST = 8  # neurons of the last layer, a byte each in a word
_MOST_INPUTS = 6  # inputs of a neuron
_TRIED = 64  # choices of a group that is tried, at most
_WIDER = 4.0  # a group is halved where it makes boxes so much wider than what is left to divide does


class Boxes:
    """Choices of the last two hidden layers that are still open.

    Of upper neuron i, as a tree over its input sets: lowest, highest (i, node, rows): in what range its activations
    lie; width (i, node); halves (i, node, 2): the node's halves, or -1 and its only set; sets (i, node, missing): how
    many of its sets use no input of `missing`; items, tree: work space.

    Of a group of choices of the upper layer, level by level (deeper ones are parts of it): group (levels, i): node of
    each neuron; boxes: from ((level * last + k) * nodes + node) * width on what neuron k of the last layer adds, lower
    bounds of 8 rows and the negated upper bounds of the same in one vector; spans, laid out alike: how much wider a
    box is on each of the 8 rows than the widest of its sets, and how wide that is. pending (levels, ..): choices that
    are handed to a level, stack (levels, ..): those under way; a choice is a word of 8 bits for each neuron, a node of
    its heap. stack_rows (levels, ..): the rows on which these may be too low, as bits, and 32 bits
    further those on which they may be too high. cursor, n_pending, n_stack, half,
    accepted, weight, divided (levels,): where the level stands.

    members (p,): upper neurons that may be listened to; order (last, p): these by influence; leaf_of (i, sets): the
    node of a set alone; tags (last, nodes), upper_tags (i, node, missing) and open (missing,): choices counted, to be
    shared out; totals (missing,): their coefficients; free (nodes,): edges that are free; start (i,): the node of each
    upper neuron to begin at; where (2,): the level, and the members as bits, at which a count has paused; differ (i,
    sets, sets): the rows, as bits, on which a neuron's activations with two sets differ. base, inputs, pre, reach,
    open_rows: work space.
    """

    lowest: Doubles3
    highest: Doubles3
    width: Doubles2
    halves: Integers3
    sets: Integers3
    items: Integers
    tree: Integers2
    group: Integers2
    boxes: Floats
    spans: Floats
    pending: Words2
    stack: Words2
    stack_rows: Words2
    open_rows: Words
    cursor: Integers
    n_pending: Integers
    n_stack: Integers
    half: Integers
    accepted: Integers
    weight: Integers
    divided: Integers
    order: Integers2
    tags: Integers2
    upper_tags: Integers3
    base: Floats
    inputs: Floats3
    members: Integers
    pre: Floats
    reach: Doubles
    totals: Integers
    start: Integers
    free: Integers
    open: Integers
    leaf_of: Integers2
    where: Integers
    differ: Words3


def box_shapes(sizes: tuple[int, ...], n_rows: int) -> dict[str, Any]:
    """Shapes of the arrays of `Boxes`."""
    before, n, last = sizes[-4], sizes[-3], sizes[-2]
    sets, nodes = 1 << before, 2 << n
    width = (n_rows + ROWS - 1) // ROWS * LANES
    levels = n * (sets - 2) + 2
    return {
        "lowest": (n, 2 * sets, n_rows),
        "highest": (n, 2 * sets, n_rows),
        "width": (n, 2 * sets),
        "halves": (n, 2 * sets, 2),
        "sets": (n, 2 * sets, sets),
        "items": sets,
        "tree": (2 * sets, 2),
        "group": (levels, n),
        "boxes": levels * last * nodes * width,
        "spans": levels * last * nodes * width,
        "pending": Unset((levels + 1, _PENDING // levels)),
        "stack": Unset((levels, _STACK)),
        "stack_rows": Unset((levels, _STACK)),
        "open_rows": 1 << _STEP,
        "cursor": levels + 1,
        "n_pending": levels + 1,
        "n_stack": levels,
        "half": levels,
        "accepted": levels,
        "weight": levels,
        "divided": levels,
        "order": (last, n),
        "tags": (last, nodes),
        "upper_tags": (n, 2 * sets, sets),
        "base": width,
        "inputs": (2, n, n_rows),
        "members": n,
        "pre": (nodes // 2) * width + width,
        "reach": n,
        "totals": sets,
        "start": n,
        "free": nodes,
        "open": sets,
        "leaf_of": (n, sets),
        "where": 2,
        "differ": (n, sets, sets),
    }


def by_boxes(sizes: tuple[int, ...], n_rows: int) -> bool:
    """Whether a count of a network without errors or bounds on its neurons may go box by box."""
    return (
        len(sizes) > 3
        and sizes[-2] <= _MOST_LAST
        and sizes[-3] <= _MOST_INPUTS
        and sizes[-4] <= _MOST_INPUTS
        and n_rows <= 4 * ROWS
    )


def share_done(
    where: Integers, group: Integers2, half: Integers, divided: Integers, halves: Integers3, sets: Integers3
) -> float:
    """Which share of the choices of the upper layer a count that has paused is done with; arrays as of `Boxes`.

    Of those in which all of its neurons are active: these are counted first, and are nearly all of the work. 0 where it
    cannot be told.
    """
    n = halves.shape[0]
    if where[1] < (1 << n) - 1:
        return 1.0
    done = 0.0
    for level in np.flatnonzero(half[: where[0]] == 1):
        i = divided[level]
        nodes = group[level].copy()
        nodes[i] = halves[i, nodes[i], 1]
        done += float(np.prod(sets[np.arange(n), nodes, 0] / sets[:, 0, 0]))
    return done


@piece(**BARE)
def _cluster(boxes, table, i, n_sets, n_rows):
    """The tree of neuron i over its input sets: halved at the widest gap of the row on which they vary most.

    table (sets, rows): its activations for each set but the empty one.
    """
    items = boxes.items
    tree = boxes.tree
    for t in range(1, n_sets):
        for other in range(1, n_sets):
            differ = np.uint64(0)
            for s in range(n_rows):
                differ |= np.uint64(table[t, s] != table[other, s]) << np.uint64(s)
            boxes.differ[i, t, other] = differ
    for t in range(n_sets - 1):
        items[t] = t + 1
    tree[0, 0] = 0
    tree[0, 1] = n_sets - 1
    n_nodes = 1
    node = 0
    while node < n_nodes:
        first = tree[node, 0]
        stop = tree[node, 1]
        widest = -1.0
        row = 0
        for s in range(n_rows):
            low = np.float64(table[items[first], s])
            high = low
            for a in range(first + 1, stop):
                x = np.float64(table[items[a], s])
                low = min(low, x)
                high = max(high, x)
            boxes.lowest[i, node, s] = low
            boxes.highest[i, node, s] = high
            if high - low > widest:
                widest = high - low
                row = s
        boxes.width[i, node] = widest
        for missing in range(n_sets):
            number = 0
            for a in range(first, stop):
                number += 1 if items[a] & missing == 0 else 0
            boxes.sets[i, node, missing] = number
            boxes.upper_tags[i, node, missing] = 0
        boxes.halves[i, node, 0] = -1
        boxes.halves[i, node, 1] = items[first]
        boxes.leaf_of[i, items[first]] = node
        if stop - first > 1:
            for a in range(first + 1, stop):
                item = items[a]
                b = a
                while b > first and table[items[b - 1], row] > table[item, row]:
                    items[b] = items[b - 1]
                    b -= 1
                items[b] = item
            cut = first + 1
            gap = -1.0
            for a in range(first + 1, stop):
                away = np.float64(table[items[a], row]) - np.float64(table[items[a - 1], row])
                if away > gap:
                    gap = away
                    cut = a
            boxes.halves[i, node, 0] = n_nodes
            boxes.halves[i, node, 1] = n_nodes + 1
            tree[n_nodes, 0] = first
            tree[n_nodes, 1] = cut
            tree[n_nodes + 1, 0] = cut
            tree[n_nodes + 1, 1] = stop
            n_nodes += 2
        node += 1


@piece(**BARE)
def _tabulate(network, rows, walk, boxes, level, p):
    """The boxes of one group: of every set of each neuron of the last layer, and of all subcubes."""
    depth = network.sizes.shape[0] - 2
    last = network.sizes[depth]
    layer = depth - 1
    kind = network.kinds[layer]
    slope = network.slopes[layer]
    leaky = np.float64(slope) if kind == 0 else 0.0
    n_rows = rows.weight.shape[0]
    width = boxes.base.shape[0]
    nodes = boxes.tags.shape[1]
    leaves = 1 << p
    group = boxes.group[level]
    low = boxes.inputs[0]
    high = boxes.inputs[1]
    for i in range(p):
        for s in range(n_rows):
            low[i, s] = np.float32(boxes.lowest[boxes.members[i], group[i], s])
            high[i, s] = np.float32(boxes.highest[boxes.members[i], group[i], s])
    pre = boxes.pre
    for k in range(last):
        start = (level * last + k) * nodes * width
        order = boxes.order[k]
        weights = network.weights[layer, k]
        bias = network.biases[layer, k]
        for b in range(p):
            i = order[p - 1 - b]
            own = 1 << b
            for s in range(n_rows):
                w = weights[boxes.members[i], s]
                x = w * low[i, s]
                y = w * high[i, s]
                at = own * width + (s // ROWS) * LANES + s % ROWS
                pre[at] = min(x, y)
                pre[at + ROWS] = -max(x, y)
            for rest in range(1, own):
                for at in range(width):
                    pre[(own + rest) * width + at] = pre[own * width + at] + pre[rest * width + at]
        for s in range(n_rows):
            at = (s // ROWS) * LANES + s % ROWS
            to = start + leaves * width + at
            boxes.boxes[to] = np.float32(0.0)
            boxes.boxes[to + ROWS] = np.float32(0.0)
            gain = np.float64(network.weights[depth, 0, k, s]) * rows.scale[s]
            shift = np.float64(bias[s])
            for _ in range(1, leaves):
                at += width
                to += width
                x = np.float64(pre[at]) + shift
                y = shift - np.float64(pre[at + ROWS])
                if kind < 2:
                    x = x if x > 0.0 else x * leaky
                    y = y if y > 0.0 else y * leaky
                else:
                    least = lowest_between(x, y, kind, slope)
                    y = max(activate(x, kind, slope), activate(y, kind, slope))
                    x = least
                x *= gain
                y *= gain
                boxes.boxes[to] = np.float32(min(x, y))
                boxes.boxes[to + ROWS] = -np.float32(max(x, y))
        for node in range(2 * leaves - 1, 0, -1):
            one = start + node * width
            if node >= leaves:
                merge(boxes.boxes, boxes.spans, one, one, one, width, True)
            else:
                left = start + 2 * node * width
                merge(boxes.boxes, boxes.spans, left, left + width, one, width, False)


@piece(**BARE)
def _order(network, rows, boxes, p):
    """Inputs of each neuron of the last layer by influence, and how far each input reaches the output."""
    depth = network.sizes.shape[0] - 2
    for i in range(p):
        boxes.reach[i] = 0.0
    for k in range(network.sizes[depth]):
        order = boxes.order[k]
        for i in range(p):
            most = 0.0
            whole = 0.0
            for s in range(rows.weight.shape[0]):
                w = abs(np.float64(network.weights[depth - 1, k, boxes.members[i], s]))
                span = max(abs(boxes.lowest[boxes.members[i], 0, s]), abs(boxes.highest[boxes.members[i], 0, s]))
                most = max(most, w * span)
                whole = max(whole, w * abs(network.weights[depth, 0, k, s]) * rows.scale[s])
            boxes.reach[i] += whole
            boxes.pre[i] = np.float32(most)
            b = i
            while b > 0 and most > boxes.pre[order[b - 1]]:
                order[b] = order[b - 1]
                b -= 1
            order[b] = i


@piece(**BARE)
def _open_group(network, rows, walk, boxes, level, p, n_sets):
    """Stand before what a group is handed: how it is halved, how many choices it stands for, and its boxes."""
    divided = -1
    widest = -1.0
    for i in range(p):
        node = boxes.group[level, i]
        reach = boxes.width[boxes.members[i], node] * boxes.reach[i]
        if boxes.halves[boxes.members[i], node, 0] >= 0 and reach > widest:
            widest = reach
            divided = i
    boxes.divided[level] = divided
    weight = 0
    for missing in range(n_sets):
        number = boxes.totals[missing]
        for i in range(p):
            number *= boxes.sets[boxes.members[i], boxes.group[level, i], missing]
        weight += number
    boxes.weight[level] = weight
    boxes.accepted[level] = 0
    boxes.half[level] = -1
    boxes.cursor[level] = 0
    boxes.n_stack[level] = 0
    boxes.n_pending[level + 1] = 0
    _tabulate(network, rows, walk, boxes, level, p)


@piece(**BARE)
def _close_group(boxes, level, p, n_sets):
    """Give what the group accepted to the input sets of its upper neurons."""
    number = boxes.accepted[level]
    if number == 0:
        return
    boxes.accepted[level] = 0
    for missing in range(n_sets):
        if boxes.totals[missing] == 0 and p == boxes.halves.shape[0]:
            continue
        whole = number
        for i in range(p):
            whole *= boxes.sets[boxes.members[i], boxes.group[level, i], missing]
            others = number
            for j in range(p):
                if j != i:
                    others *= boxes.sets[boxes.members[j], boxes.group[level, j], missing]
            boxes.upper_tags[boxes.members[i], boxes.group[level, i], missing] += others
        boxes.open[missing] += whole


@piece(**BARE)
def _rounding(rows, boxes, bias, last):
    """How far the sum of the last layer in float32 can be from float64, and how far from 0 it can be, scaled."""
    nodes = boxes.tags.shape[1]
    width = boxes.base.shape[0]
    worst = 0.0
    biggest = 0.0
    for s in range(rows.weight.shape[0]):
        rounded = 0.0
        low = 0.0
        high = 0.0
        for k in range(last):
            at = (k * nodes + 1) * width + (s // ROWS) * LANES + s % ROWS
            low += min(np.float64(boxes.boxes[at]), 0.0)
            high -= min(np.float64(boxes.boxes[at + ROWS]), 0.0)
            if k > 0:
                rounded += max(high, -low)
        own = abs(np.float64(bias[s])) * rows.scale[s]
        rounded += max(high, -low) + own
        worst = max(worst, rounded)
        biggest = max(biggest, max(high, -low) + own + abs(rows.centre[s]) * rows.scale[s])
    return 1.02 * 2.0**-24 * worst + 1e-12, biggest


@piece(**BARE)
def _roundings(rows, last):
    """How often sums of what the last layer adds are rounded, at most, each time by as much as the largest output."""
    for s in range(rows.weight.shape[0]):
        if rows.scale[s] != 1.0:
            return last + 6  # what a neuron adds times the scale: 2 of all together, which may be twice the largest
    return last + 2


@piece(**BARE)
def _begin_among(network, rows, walk, leaf, boxes, bias, p, n_sets, margin):
    """Stand before all choices of input sets among the p members."""
    last = boxes.order.shape[0]
    boxes.free[0] = 0
    for node in range(1, 2 << p):
        boxes.free[node] = p if node == 1 else boxes.free[node >> 1] - 1
        for k in range(last):
            boxes.tags[k, node] = 0
    root = np.uint64(0)
    for k in range(last):
        root |= np.uint64(1) << np.uint64(8 * k)
    for i in range(p):
        boxes.group[0, i] = boxes.start[i]
    _order(network, rows, boxes, p)
    _open_group(network, rows, walk, boxes, 0, p, n_sets)
    if p == boxes.halves.shape[0]:
        close, biggest = _rounding(rows, boxes, bias, last)
        leaf.close[0] = min(margin, close)
        leaf.close[1] = biggest
    boxes.pending[0, 0] = root
    boxes.n_pending[0] = 1


@piece(**BARE)
def _accept(boxes, state, level, number, free, weight, skip):
    """Count `number` times all choices of the neurons but `skip`, which are 2^free."""
    boxes.accepted[level] += number << free
    for k in range(boxes.order.shape[0]):
        if k != skip:
            node = node_of(state, k)
            boxes.tags[k, node] += (weight * number) << (free - boxes.free[node])


@piece(**BARE)
def _work_off(network, rows, walk, leaf, boxes, classes, bias, level, p, n_sets, outer, inner, wide, tight):
    """Decide what a group is handed, or hand it on to the halves of the group; the number handed on.

    Ends early where there is no room to hand on more: another call goes on.
    """
    last = boxes.order.shape[0]
    width = boxes.base.shape[0]
    nodes = boxes.tags.shape[1]
    boxes_at = level * last * nodes * width
    stack = boxes.stack[level]
    stack_rows = boxes.stack_rows[level]
    n_stack = boxes.n_stack[level]
    divided = boxes.divided[level]
    weight = boxes.weight[level]
    handed = boxes.pending[level + 1]
    n_handed = 0
    while n_handed < handed.shape[0]:
        if n_stack == 0:
            if boxes.cursor[level] == boxes.n_pending[level]:
                break
            n_stack = 1
            stack[0] = boxes.pending[level, boxes.cursor[level]]
            boxes.cursor[level] += 1
            verdict = judge(
                boxes.boxes, boxes_at, nodes * width, stack[0] >> np.uint64(8), last - 1, 1, boxes.base,
                node_of(stack[0], 0), 1, width, outer, inner, boxes.open_rows,
            )  # fmt: skip
            stack_rows[0] = boxes.open_rows[0]
            if verdict & 1:
                n_stack = 0
                continue
        n_stack -= 1
        state = stack[n_stack]
        leaf.numbers[VISITED] += 1
        open_sides = stack_rows[n_stack]
        open_rows = (open_sides | open_sides >> np.uint64(32)) & np.uint64(0xFFFFFFFF)
        free = 0
        most = 0
        for k in range(last):
            own_free = boxes.free[node_of(state, k)]
            free += own_free
            most = max(most, own_free)
        if open_rows == 0:
            _accept(boxes, state, level, 1, free, weight, -1)
            continue
        if 1 << free <= WORK * LANES:
            number = list_for(walk, boxes, classes, level, p, n_sets, open_rows, free, most)
            if number >= 0:
                count_classes(
                    network, rows, walk, leaf, boxes, classes, bias, number, state, p, open_sides, wide, tight
                )
                continue
        divide = widest(
            boxes.spans, boxes_at, nodes * width, state, last, width, boxes.free, open_rows, np.float32(_WIDER)
        )
        best = divide & 255
        if divided >= 0 and (best == last or divide >> 16):
            handed[n_handed] = state
            n_handed += 1
            continue
        node = node_of(state, best)
        down = min(_STEP, boxes.free[node])
        free -= boxes.free[node]
        own_free = boxes.free[node] - down
        first = node << down
        state &= ~(np.uint64(255) << np.uint64(8 * best))
        verdict = judge(
            boxes.boxes, boxes_at, nodes * width, state, last, 0, boxes.base, best * nodes + first, 1 << down, width,
            outer, inner, boxes.open_rows,
        )  # fmt: skip
        dead = verdict & 0xFFFFFFFF
        unsure = (verdict >> 32) & ~dead
        sure = ((1 << (1 << down)) - 1) & ~dead & ~unsure
        number = 0
        while sure:
            boxes.tags[best, first + lowest_bit(np.uint64(sure))] += weight << free
            sure &= sure - 1
            number += 1
        while unsure:
            child = lowest_bit(np.uint64(unsure))
            stack[n_stack] = state | (np.uint64(first + child) << np.uint64(8 * best))
            stack_rows[n_stack] = boxes.open_rows[child]
            unsure &= unsure - 1
            n_stack += 1
        if number:
            _accept(boxes, state, level, number << own_free, free, weight, best)
    share_lists(boxes, classes, p, n_sets)
    boxes.n_stack[level] = n_stack
    boxes.n_pending[level + 1] = n_handed
    return n_handed


@piece(**BARE)
def _count_among(network, rows, walk, leaf, boxes, classes, bias, p, n_sets, margin, limit):
    """Count tuples of input sets among the members, whether or not they use all of them.

    Beyond `limit` visits PAUSED is set; another call goes on, and counts the rest.
    """
    level = 0
    if leaf.numbers[PAUSED]:
        leaf.numbers[PAUSED] = 0
        level = boxes.where[0]
    else:
        _begin_among(network, rows, walk, leaf, boxes, bias, p, n_sets, margin)
    slack = 2.0 * margin + 1e-7 * (boxes.order.shape[0] + 4) * leaf.close[1]
    outer = np.float32(0.5 + slack)
    inner = np.float32(0.5 - slack)
    slack = leaf.close[0] + 1.02 * 2.0**-24 * _roundings(rows, boxes.order.shape[0]) * leaf.close[1] + 1e-7
    wide = np.float32(0.5 + slack)
    tight = np.float32(0.5 - slack)
    total = 0
    classes.counted[0] = 0
    while level >= 0:
        if _work_off(network, rows, walk, leaf, boxes, classes, bias, level, p, n_sets, outer, inner, wide, tight):
            side = 0
        else:
            total += boxes.weight[level] * boxes.accepted[level]
            _close_group(boxes, level, p, n_sets)
            level -= 1
            side = boxes.half[max(level, 0)] + 1
        if level >= 0 and side < 2:
            boxes.half[level] = side
            for i in range(p):
                boxes.group[level + 1, i] = boxes.group[level, i]
            i = boxes.divided[level]
            boxes.group[level + 1, i] = boxes.halves[boxes.members[i], boxes.group[level, i], 1 - side]
            level += 1
            _open_group(network, rows, walk, boxes, level, p, n_sets)
        if level >= 0 and leaf.numbers[VISITED] > limit:
            leaf.numbers[PAUSED] = 1
            boxes.where[0] = level
            break
    return total + classes.counted[0]


@piece(**BARE)
def _share_among(walk, leaf, boxes, p, n_sets, r):
    """Give what was counted among the members to the input sets of both layers."""
    depth = walk.choice.shape[0]
    upper = leaf.marginals[depth - 2]
    lower = leaf.marginals[depth - 1]
    names = walk.expand[depth - 2]
    leaves = 1 << p
    for k in range(boxes.order.shape[0]):
        for node in range(2, 2 * leaves):
            boxes.tags[k, node] += boxes.tags[k, node >> 1]
        for at in range(leaves):
            t = 0
            for b in range(p):
                if (at >> b) & 1:
                    t |= 1 << boxes.members[boxes.order[k, p - 1 - b]]
            lower[k, t] += boxes.tags[k, leaves + at]
    for i in range(p):
        k = boxes.members[i]
        for node in range(2 * n_sets - 3):
            half = boxes.halves[k, node, 0]
            for missing in range(n_sets):
                tag = boxes.upper_tags[k, node, missing]
                boxes.upper_tags[k, node, missing] = 0
                if half >= 0:
                    boxes.upper_tags[k, half, missing] += tag
                    boxes.upper_tags[k, boxes.halves[k, node, 1], missing] += tag
                elif boxes.halves[k, node, 1] & missing == 0:
                    upper[k, names[boxes.halves[k, node, 1]]] += boxes.totals[missing] * tag
    n = boxes.halves.shape[0]
    for k in range(n):
        inside = False
        for i in range(p):
            inside = inside or boxes.members[i] == k
        if inside:
            continue
        for missing in range(n_sets):
            for t in range(1, n_sets):
                if t & missing == 0:
                    upper[k, names[t]] -= _coefficient(missing, n_sets, r - 1) * boxes.open[missing]
    for missing in range(n_sets):
        boxes.open[missing] = 0


@piece(**BARE)
def _coefficient(missing, n_sets, r):
    """(-1)^m (2 - 2^q)^r, where m inputs are missing and q not: r neurons that are off or use none of the missing."""
    size = n_sets
    sign = 1
    for b in range(_MOST_INPUTS):
        if (missing >> b) & 1:
            size >>= 1
            sign = -sign
    for _ in range(r):
        sign *= 2 - size
    return sign


@piece(**BARE)
def _begin_boxes(network, rows, walk, boxes, classes):
    """Trees of the upper neurons, and what the output is without the last layer."""
    depth = network.sizes.shape[0] - 2
    n_sets = 1 << walk.count[depth - 2]
    for s in range(rows.weight.shape[0]):
        at = (s // ROWS) * LANES + s % ROWS
        x = (np.float64(network.biases[depth, 0, s]) - rows.centre[s]) * rows.scale[s]
        boxes.base[at] = np.float32(x)
        boxes.base[at + ROWS] = -np.float32(x)
    share_lists(boxes, classes, 0, 0)
    for i in range(network.sizes[depth - 1]):
        _cluster(boxes, walk.table[depth - 2, i], i, n_sets, rows.weight.shape[0])
        boxes.start[i] = 0
        boxes.members[i] = i


@piece(**BARE)
def try_boxes(network, rows, walk, leaf, boxes, classes, margin, number):
    """Count `number` groups of some choices of the upper layer, all of its neurons active, drawn at random.

    What is counted is of no use; the time it takes tells what all choices take, about. HERE: how many they were.
    """
    depth = network.sizes.shape[0] - 2
    n = network.sizes[depth - 1]
    n_sets = 1 << walk.count[depth - 2]
    _begin_boxes(network, rows, walk, boxes, classes)
    random = np.uint64(1)
    tried = 0
    for missing in range(n_sets):
        boxes.totals[missing] = _coefficient(missing, n_sets, 0)
    _order(network, rows, boxes, n)
    for _ in range(number):
        choices = 1
        for i in range(n):
            boxes.start[i] = 0
            choices *= boxes.sets[i, 0, 0]
        while choices > _TRIED:
            best = 0
            for i in range(1, n):
                if (
                    boxes.width[i, boxes.start[i]] * boxes.reach[i]
                    > boxes.width[best, boxes.start[best]] * boxes.reach[best]
                ):
                    best = i
            node = boxes.start[best]
            random = random * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            size = boxes.sets[best, node, 0]
            first = boxes.sets[best, boxes.halves[best, node, 0], 0]
            draw = np.int64((random >> np.uint64(33)) % np.uint64(size))
            boxes.start[best] = boxes.halves[best, node, 0 if draw < first else 1]
            choices = choices // size * boxes.sets[best, boxes.start[best], 0]
        tried += choices
        _count_among(network, rows, walk, leaf, boxes, classes, network.biases[depth, 0], n, n_sets, margin, 1 << 62)
    leaf.numbers[HERE] = tried


@piece(**BARE)
def count_boxes(network, rows, walk, leaf, boxes, classes, margin, limit):
    """Count the perfect choices of the last two hidden layers into HERE and the marginals.

    Pauses beyond `limit` visits in all: then PAUSED is set, and another call goes on. Of upper neurons that are off
    the marginals say nothing.
    """
    depth = network.sizes.shape[0] - 2
    layer = depth - 2
    n = network.sizes[depth - 1]
    n_sets = 1 << walk.count[layer]
    bias = network.biases[depth, 0]
    if not leaf.numbers[PAUSED]:
        _begin_boxes(network, rows, walk, boxes, classes)
        boxes.where[1] = (1 << n) - 1
    for members in range(boxes.where[1], -1, -1):
        boxes.where[1] = members
        p = 0
        for i in range(n):
            if (members >> i) & 1:
                boxes.members[p] = i
                p += 1
        for missing in range(n_sets):
            boxes.totals[missing] = _coefficient(missing, n_sets, n - p)
        leaf.numbers[HERE] += _count_among(network, rows, walk, leaf, boxes, classes, bias, p, n_sets, margin, limit)
        if leaf.numbers[PAUSED]:
            return
        _share_among(walk, leaf, boxes, p, n_sets, n - p)
    for above in range(layer):
        for k in range(walk.choice.shape[1]):
            t = walk.choice[above, k]
            if t >= 0:
                leaf.marginals[above, k, walk.expand[above, t]] += leaf.numbers[HERE]
