"""The last hidden layer: what its neurons add to the output adds up, so that they are split in two.

All sums of the right half are tabulated. The left half is walked depth first and cut as soon as bounds show, on some
row or on some half-difference of two rows, that no completion can bring every output within 1/2 of its centre. Right
halves are sorted into buckets by the row on which they vary most; one window of buckets is compared in float32, with a
slack that covers its rounding. Where rows may be wrong, or are many, right halves are compared row by row instead, and
given up as soon as too many rows are wrong. What float32 leaves open is decided in float64, and what is close even
there by a float32 forward pass (`perfect`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ontogeny.circuits._problem import COUNT, LIST, MINIMAL, OWN, SAMPLE, Floats, Floats2, Integers, Shorts, Words
from ontogeny.circuits._records import between, call, piece
from ontogeny.circuits._state import (
    BARE,
    BUCKETS,
    CELLS,
    CLOSE,
    FOUND,
    HERE,
    INLINE,
    KEPT,
    MATCHED,
    PAUSED,
    RIGHT,
    SCREEN,
    UNSURE,
    VISITED,
)
from ontogeny.circuits._walk import activations, expand_sets


class Right:
    """Right halves in order of their bucket: see `build`.

    values (rows of the screen, halves), or (halves, rows) where all rows are compared: sums in float32. lacking
    (halves,): inputs that a half leaves unused as bits, and one bit above them for its number of active neurons; index
    (halves,): its input sets as digits; begin (buckets + 2,): where buckets begin. matched (halves,): 1 for those that
    complete a left half, 2 for those in doubt; hits (halves,): how often each did. raw, union, used, bucket: work
    space. offsets (rows,): sums of the left half in float32; weight (rows,): as in `Rows`, 32 bits wide.
    """

    values: Floats2
    lacking: Shorts
    index: Shorts
    begin: Integers
    matched: Shorts
    hits: Shorts
    raw: Floats2
    union: Shorts
    used: Shorts
    bucket: Shorts
    offsets: Floats
    weight: Shorts


class Found(NamedTuple):
    """Room for the codes of circuits that are listed or sampled."""

    codes: Words


@piece(**BARE)
def right_size(p, last, n_rows):
    """How many neurons with p inputs the right half has, and how many sums."""
    n_right = 1
    size = 1 << p
    while n_right < (last + 1) // 2 and size << p <= RIGHT and (size << p) * n_rows <= CELLS:
        n_right += 1
        size <<= p
    return n_right, size


def most_right(sizes: tuple[int, ...], n_rows: int) -> int:
    """The most right halves that a leaf may have, compared on n_rows rows."""
    return max(right_size.py_func(p, sizes[-2], n_rows)[1] for p in range(1, sizes[-3] + 1))


def right_shapes(sizes: tuple[int, ...], n_rows: int, by_rows: bool) -> dict[str, Any]:
    """Shapes of the arrays of a `Right`."""
    room = most_right(sizes, n_rows if by_rows else SCREEN)
    shape = (room, n_rows) if by_rows else (SCREEN, room)
    return {
        "values": shape,
        "lacking": room,
        "index": room,
        "begin": BUCKETS + 2,
        "matched": room,
        "hits": room,
        "raw": (1, 1) if by_rows else shape,
        "union": room,
        "used": room,
        "bucket": room,
        "offsets": max(n_rows, SCREEN),
        "weight": n_rows,
    }


@piece(**BARE)
def perfect(chosen, gains, bias, rows):
    """Whether outputs are right in float32: products and sums rounded one by one, in order, the bias last.

    chosen (neurons,): input sets of the last hidden layer; gains: what they add, scaled; bias (rows,).
    """
    for part in range(rows.budget.shape[0]):
        bad = 0
        for s in range(rows.starts[part], rows.starts[part + 1]):
            total = np.float32(0.0)
            for k in range(chosen.shape[0]):
                if chosen[k] > 0:
                    total = total + np.float32(gains[k, chosen[k], s] / rows.scale[s])
            out = total + bias[s]
            if not (rows.above[s] < out <= rows.upto[s]):
                bad += rows.weight[s]
                if bad > rows.budget[part]:
                    return False
    return True


@njit(**INLINE)
def too_many(rows, low, high, edge):
    """Whether so many rows are out of reach that no circuit is perfect: sums lie in low..high (rows,)."""
    for part in range(rows.budget.shape[0]):
        bad = 0
        for s in range(rows.starts[part], rows.starts[part + 1]):
            if low[s] > edge or high[s] < -edge:
                bad += rows.weight[s]
                if bad > rows.budget[part]:
                    return True
    return False


@piece(**BARE)
def open_leaf(table, own, network, rows, walk, leaf, margin, strict):
    """Tabulate the last hidden layer; False when no circuit can be left.

    own: address of what applies functions that only Python knows to sums in `leaf.gains`, or 0.
    """
    sizes = network.sizes
    depth = len(sizes) - 2
    last = sizes[depth]
    layer = depth - 1
    p = walk.count[layer]
    n_sets = 1 << p
    n_rows = network.biases.shape[2]
    expand_sets(walk.active[layer], p, walk.expand[layer])
    low = leaf.low
    high = leaf.high
    bias = network.biases[depth, 0]
    kind = network.kinds[layer]
    slope = network.slopes[layer]
    outs = walk.outs
    rounded = 0.0
    for s in range(n_rows):
        low[0, s] = 0.0
        high[0, s] = 0.0
    for turn in range(2 if kind == OWN else 1):
        raw = kind == OWN and turn == 0
        if turn == 1:
            call(own, table, layer, p, 0)
        for k in range(last):
            spread = 0.0
            widest = 0.0
            weights = network.weights[layer, k]
            own_bias = network.biases[layer, k]
            gains = leaf.gains[k]
            for s in range(n_rows):
                if turn == 1:
                    for t in range(1, n_sets):
                        outs[t] = np.float32(gains[t, s])
                else:
                    activations(
                        weights, own_bias, walk.values[layer], walk.active[layer], p, kind, slope, s, walk.sums, outs
                    )  # fmt: skip
                if raw:
                    for t in range(1, n_sets):
                        gains[t, s] = outs[t]
                    continue
                v = network.weights[depth, 0, k, s]
                scale = rows.scale[s]
                lo = 0.0
                hi = 0.0
                for t in range(1, n_sets):
                    g = np.float64(v * outs[t]) * scale
                    gains[t, s] = g
                    lo = min(lo, g)
                    hi = max(hi, g)
                leaf.least[k, s] = lo
                leaf.most[k, s] = hi
                spread += hi - lo
                low[0, s] += lo
                high[0, s] += hi
                widest = max(widest, max(high[0, s], -low[0, s]))
            if raw:
                continue
            rounded += widest if k > 0 else 0.0
            if k == last - 1:
                most = 0.0
                for s in range(n_rows):
                    most = max(most, abs(bias[s]) * rows.scale[s])
                rounded += widest + most
            leaf.spread[k] = spread
            b = k
            while b > 0 and spread > leaf.spread[leaf.order[b - 1]]:
                leaf.order[b] = leaf.order[b - 1]
                b -= 1
            leaf.order[b] = k
    # what adds up is exact in float32: only the sum of the last layer is rounded
    leaf.close[0] = min(margin, 1.01 * 2.0**-24 * rounded + 1e-12)
    edge = 0.5 + leaf.close[0]
    for s in range(n_rows):
        leaf.partial[0, s] = (np.float64(bias[s]) - rows.centre[s]) * rows.scale[s]
        low[last, s] = leaf.partial[0, s] + low[0, s]  # for now
        high[last, s] = leaf.partial[0, s] + high[0, s]
    hopeless = too_many(rows, low[last], high[last], edge)
    for s in range(low.shape[1]):
        low[last, s] = 0.0
        high[last, s] = 0.0
    if hopeless:
        return False
    if strict:
        for x in range(rows.pairs.shape[0]):
            plus = rows.pairs[x, 0]
            minus = rows.pairs[x, 1]
            at = n_rows + x
            leaf.partial[0, at] = 0.5 * (leaf.partial[0, plus] - leaf.partial[0, minus])
            least = 0.0
            most = 0.0
            for k in range(last):
                gains = leaf.gains[k]
                lo = 0.0
                hi = 0.0
                for t in range(1, n_sets):
                    g = 0.5 * (gains[t, plus] - gains[t, minus])
                    gains[t, at] = g
                    lo = min(lo, g)
                    hi = max(hi, g)
                leaf.least[k, at] = lo
                leaf.most[k, at] = hi
                least += lo
                most += hi
            if leaf.partial[0, at] + least > edge or leaf.partial[0, at] + most < -edge:
                return False
    for a in range(last - 1, -1, -1):
        k = leaf.order[a]
        for s in range(low.shape[1]):
            low[a, s] = low[a + 1, s] + leaf.least[k, s]
            high[a, s] = high[a + 1, s] + leaf.most[k, s]
    return True


@njit(**INLINE)
def _bucket(value, floor, scale):
    return np.int64((value - floor) * scale)


@piece(**BARE)
def build(leaf, right, p, n_left, n_rows, close):
    """Tabulate all right halves, by buckets of the row on which they vary most.

    Returns that row, and how many halves, how many buckets, slack, floor and scale.
    """
    last = leaf.order.shape[0]
    n_sets = 1 << p
    screen = min(n_rows, SCREEN)
    axis = 0
    biggest = 0.0
    for s in range(screen):
        if leaf.high[n_left, s] - leaf.low[n_left, s] > leaf.high[n_left, axis] - leaf.low[n_left, axis]:
            axis = s
        biggest = max(biggest, abs(leaf.partial[0, s]) + max(-leaf.low[0, s], leaf.high[0, s]))
        right.raw[s, 0] = np.float32(0.0)
    slack = np.float32(close + (2 * (last - n_left) + 3) * 6e-8 * biggest)
    size = _combine(leaf, right, p, n_left)
    now = 1
    for a in range(n_left, last):
        k = leaf.order[a]
        for t in range(n_sets - 1, -1, -1):
            for s in range(screen):
                g = np.float32(leaf.gains[k, t, s]) if t > 0 else np.float32(0.0)
                for r in range(now):
                    right.raw[s, t * now + r] = right.raw[s, r] + g
        now *= n_sets
    floor = np.float32(leaf.low[n_left, axis]) - slack
    width = np.float32(leaf.high[n_left, axis] - leaf.low[n_left, axis]) + np.float32(2.0) * slack
    n_buckets = min(BUCKETS, max(1, size // 2))
    scale = np.float32(n_buckets - 1) / width if width > 0 else np.float32(0.0)
    begin = right.begin
    for q in range(n_buckets + 2):
        begin[q] = 0
    for r in range(size):
        begin[_bucket(right.raw[axis, r], floor, scale) + 1] += 1
    for q in range(1, n_buckets + 1):
        begin[q] += begin[q - 1]
    full = n_sets - 1
    for r in range(size):
        q = _bucket(right.raw[axis, r], floor, scale)
        to = begin[q]
        begin[q] += 1
        right.bucket[r] = to
        right.index[to] = r
        right.lacking[to] = (full & ~right.union[r]) | (1 << (p + right.used[r]))
        right.hits[r] = 0
    for q in range(n_buckets, 0, -1):
        begin[q] = begin[q - 1]
    begin[0] = 0
    begin[n_buckets + 1] = size
    for s in range(screen):
        for r in range(size):
            right.values[s, right.bucket[r]] = right.raw[s, r]
    return axis, size, n_buckets, slack, floor, scale


@piece(**BARE)
def _combine(leaf, right, p, n_left):
    """Inputs that each right half uses, and its active neurons; the number of right halves."""
    n_sets = 1 << p
    size = 1
    right.union[0] = 0
    right.used[0] = 0
    for _ in range(n_left, leaf.order.shape[0]):
        for t in range(n_sets - 1, -1, -1):
            for r in range(size):
                right.union[t * size + r] = right.union[r] | t
                right.used[t * size + r] = right.used[r] + (1 if t > 0 else 0)
        size *= n_sets
    return size


@piece(**BARE)
def build_by_rows(leaf, right, p, n_left, n_rows, close):
    """Tabulate all right halves on all rows; the slack."""
    last = leaf.order.shape[0]
    n_sets = 1 << p
    biggest = 0.0
    for s in range(n_rows):
        biggest = max(biggest, abs(leaf.partial[0, s]) + max(-leaf.low[0, s], leaf.high[0, s]))
        right.values[0, s] = np.float32(0.0)
    size = _combine(leaf, right, p, n_left)
    now = 1
    for a in range(n_left, last):
        k = leaf.order[a]
        for t in range(n_sets - 1, 0, -1):
            for r in range(now):
                for s in range(n_rows):
                    right.values[t * now + r, s] = right.values[r, s] + np.float32(leaf.gains[k, t, s])
        now *= n_sets
    for r in range(size):
        right.index[r] = r
        right.lacking[r] = ((n_sets - 1) & ~right.union[r]) | (1 << (p + right.used[r]))
        right.hits[r] = 0
    return np.float32(close + (2 * (last - n_left) + 3) * 6e-8 * biggest)


@piece(**BARE, fastmath={"nnan", "nsz"})
def _scan(values, lacking, offsets, at, first, stop, missing, top, sure, marks):
    """Mark the right halves in first..stop whose errors on rows at..at+3 are <= top; count them, and the close ones.

    Marks are 0, 1, and 2 or more where an error is above `sure`. With at > 0 only halves already marked are kept. All
    integers stay 32 bits wide, so that the loop is compiled to vector instructions.
    """
    a0 = offsets[at]
    a1 = offsets[at + 1]
    a2 = offsets[at + 2]
    a3 = offsets[at + 3]
    v0 = between(values[at], first, stop)
    v1 = between(values[at + 1], first, stop)
    v2 = between(values[at + 2], first, stop)
    v3 = between(values[at + 3], first, stop)
    lacks = between(lacking, first, stop)
    mine = between(marks, first, stop)
    zero = np.int32(0)
    again = np.int32(1) if at > 0 else zero
    tally = zero
    doubt = zero
    for r in range(v0.shape[0]):
        e0 = abs(v0[r] + a0)
        e1 = abs(v1[r] + a1)
        e2 = abs(v2[r] + a2)
        e3 = abs(v3[r] + a3)
        e0 = e0 if e0 > e1 else e1
        e2 = e2 if e2 > e3 else e3
        e0 = e0 if e0 > e2 else e2
        m = mine[r] if again > zero else np.int32(1)
        m = m if e0 <= top else zero
        m = m if np.int32(lacks[r] & missing) == zero else zero
        m = np.int32(m | np.int32(2)) if (m > zero) and (e0 > sure) else m
        mine[r] = m
        tally = np.int32(tally + (np.int32(1) if m > zero else zero))
        doubt = np.int32(doubt + (np.int32(1) if m > np.int32(1) else zero))
    return tally, doubt


@piece(**BARE)
def match(leaf, right, n_left, n_rows, missing, built):
    """Mark the right halves that complete the left half as far as the screen tells: (first, stop, number, in doubt)."""
    axis, size, n_buckets, slack, floor, scale = built
    for s in range(min(n_rows, SCREEN)):
        right.offsets[s] = np.float32(leaf.partial[n_left, s])
    v = right.offsets[axis]
    half = np.float32(0.5) + np.float32(2.0) * slack
    lo = (-v - half - floor) * scale - np.float32(0.01)
    hi = (-v + half - floor) * scale + np.float32(0.01)
    first = right.begin[min(np.int64(lo), n_buckets)] if lo > 0 else 0
    stop = size
    if hi < n_buckets:
        stop = right.begin[np.int64(hi) + 1] if hi >= 0 else 0
    if first >= stop:
        return 0, 0, 0, 0
    top = np.float32(0.5) + slack
    sure = np.float32(0.5) - slack
    tally = np.int32(0)
    doubt = np.int32(0)
    for at in range(0, min(n_rows, SCREEN), 4):
        tally, doubt = _scan(
            right.values, right.lacking, right.offsets, at, first, stop, missing, top, sure, right.matched
        )
        if tally == 0:
            break
    return first, stop, np.int64(tally), np.int64(doubt)


@piece(**BARE)
def _errors(values, offsets, weight, first, stop, top, sure):
    """Weights of the rows first..stop whose errors are above `top`, and above `sure`."""
    mine = between(values, first, stop)
    shifts = between(offsets, first, stop)
    weights = between(weight, first, stop)
    zero = np.int32(0)
    wrong = zero
    unsure = zero
    for s in range(mine.shape[0]):
        e = abs(mine[s] + shifts[s])
        wrong = np.int32(wrong + (weights[s] if e > top else zero))
        unsure = np.int32(unsure + (weights[s] if e > sure else zero))
    return np.int64(wrong), np.int64(unsure)


@piece(**BARE)
def match_by_rows(leaf, right, rows, p, n_left, n_rows, missing, first):
    """As `match`, on all rows, of which as many may be wrong as the budget allows; the numbers into MATCHED and CLOSE.

    first: whether this is the first left half, and right halves are still to be tabulated.
    """
    if first:
        leaf.close[1] = build_by_rows(leaf, right, p, n_left, n_rows, leaf.close[0])
    slack = np.float32(leaf.close[1])
    size = 1 << (p * (leaf.order.shape[0] - n_left))
    for s in range(n_rows):
        right.offsets[s] = np.float32(leaf.partial[n_left, s])
    top = np.float32(0.5) + slack
    sure = np.float32(0.5) - slack
    tally = 0
    doubt = 0
    for r in range(size):
        mark = 0 if right.lacking[r] & missing else 1
        part = 0
        while mark and part < rows.budget.shape[0]:
            wrong = 0
            unsure = 0
            s = rows.starts[part]
            while s < rows.starts[part + 1] and wrong <= rows.budget[part]:
                stop = min(s + 64, rows.starts[part + 1])
                more, close = _errors(right.values[r], right.offsets, right.weight, s, stop, top, sure)
                wrong += more
                unsure += close
                s = stop
            if wrong > rows.budget[part]:
                mark = 0
            elif unsure > rows.budget[part]:
                mark = 2
            part += 1
        right.matched[r] = mark
        tally += 1 if mark else 0
        doubt += 1 if mark > 1 else 0
    leaf.numbers[MATCHED] = tally
    leaf.numbers[CLOSE] = doubt


@piece(**BARE)
def settle_halves(leaf, right, rows, bias, n_left, n_sets, close, first, stop, least):
    """Decide the right halves with marks of `least` or more in float64, and where that is close, as `perfect` does.

    Returns how many fall away.
    """
    last = leaf.order.shape[0]
    edge = 0.5 + close
    fallen = 0
    for r in range(first, stop):
        if right.matched[r] < least:
            continue
        rest = np.int64(right.index[r])
        for a in range(n_left, last):
            leaf.picked[a] = rest % n_sets
            rest //= n_sets
        good = True
        doubt = False
        for part in range(rows.budget.shape[0]):
            wrong = 0
            unsure = 0
            for s in range(rows.starts[part], rows.starts[part + 1]):
                v = leaf.partial[n_left, s]
                for a in range(n_left, last):
                    if leaf.picked[a] > 0:
                        v += leaf.gains[leaf.order[a], leaf.picked[a], s]
                v = abs(v)
                if v > edge:
                    wrong += rows.weight[s]
                    if wrong > rows.budget[part]:
                        break
                elif v > 0.5 - close:
                    unsure += rows.weight[s]
            good = good and wrong <= rows.budget[part]
            doubt = doubt or wrong + unsure > rows.budget[part]
        if good and doubt:
            leaf.numbers[UNSURE] += 1
            for a in range(last):
                leaf.chosen[leaf.order[a]] = leaf.picked[a]
            good = perfect(leaf.chosen, leaf.gains, bias, rows)
        right.matched[r] = 1 if good else 0
        fallen += 0 if good else 1
    return fallen


@piece(**BARE)
def step_left(leaf, rows, names, level, n_left, n_rows, p, allowed, close, strict, counting):
    """Go on from `level` to the next complete left half; its level, or -1 when there is none.

    When counting, a left part with which nothing can go wrong is counted at once with all its completions.
    """
    n_sets = 1 << p
    last = leaf.order.shape[0]
    edge = 0.5 + close
    while 0 <= level < n_left:
        leaf.picked[level] += 1
        t = leaf.picked[level]
        if t >= n_sets:
            level -= 1
            continue
        if t > 0 and leaf.used[level] >= allowed:
            leaf.picked[level] = n_sets
            continue
        k = leaf.order[level]
        now = leaf.partial[level + 1]
        low = leaf.low[level + 1]
        high = leaf.high[level + 1]
        if strict:
            worst = 0.0
            for s in range(now.shape[0]):
                v = leaf.partial[level, s] + leaf.gains[k, t, s]
                now[s] = v
                worst = max(worst, max(v + low[s], -v - high[s]))
            if worst > edge:
                continue
        else:
            for s in range(n_rows):
                now[s] = leaf.partial[level, s] + leaf.gains[k, t, s]
            if _out_of_reach(rows, now, low, high, edge):
                continue
        leaf.union[level + 1] = leaf.union[level] | t
        leaf.used[level + 1] = leaf.used[level] + (1 if t > 0 else 0)
        free = last - level - 1
        if counting and allowed - leaf.used[level + 1] >= free and free * p < 62:
            worst = 0.0
            for s in range(n_rows):
                worst = max(worst, max(now[s] + high[s], -now[s] - low[s]))
            if worst < 0.5 - close:
                accept(leaf, names, level, p)
                continue
        level += 1
        if level < n_left:
            leaf.picked[level] = -1
    return level


@piece(**BARE)
def _out_of_reach(rows, now, low, high, edge):
    """As `too_many`, of sums now + low to now + high."""
    for part in range(rows.budget.shape[0]):
        bad = 0
        for s in range(rows.starts[part], rows.starts[part + 1]):
            if now[s] + low[s] > edge or now[s] + high[s] < -edge:
                bad += rows.weight[s]
                if bad > rows.budget[part]:
                    return True
    return False


@piece(**BARE)
def accept(leaf, names, level, p):
    """Count all completions of the left part up to `level`: whatever the other neurons do, every output is right."""
    lack = ((1 << p) - 1) & ~leaf.union[level + 1]
    number = leaf.ways[p, leaf.order.shape[0] - level - 1, leaf.bits[lack]]
    leaf.numbers[HERE] += number
    tally_left(leaf, names, level + 1, number)
    leaf.accepted[level + 1, lack] += 1
    leaf.any_accepted[level + 1] = True


@njit(**INLINE)
def tally_left(leaf, names, stop, number):
    """Add circuits to the input sets that the first `stop` neurons have; names (sets,): sets as bits of the layer."""
    own = leaf.marginals[leaf.marginals.shape[0] - 1]
    for a in range(stop):
        own[leaf.order[a], names[leaf.picked[a]]] += number


@piece(**BARE)
def tally_right(leaf, right, names, n_left, n_sets, size):
    """Add the circuits in which each right half takes part to its input sets."""
    own = leaf.marginals[leaf.marginals.shape[0] - 1]
    for r in range(size):
        if right.hits[r]:
            rest = np.int64(right.index[r])
            for a in range(n_left, leaf.order.shape[0]):
                own[leaf.order[a], names[rest % n_sets]] += right.hits[r]
                rest //= n_sets


@piece(**BARE)
def close_leaf(leaf, walk, n_sets, p):
    """Add the circuits of this leaf to the input sets that accepted completions, and the upper layers, have."""
    last = leaf.order.shape[0]
    depth = walk.choice.shape[0]
    names = walk.expand[depth - 1]
    for a in range(1, last + 1):
        if not leaf.any_accepted[a]:
            continue
        leaf.any_accepted[a] = False
        for t in range(n_sets):
            leaf.free[t] = 0
        for lack in range(n_sets):
            number = leaf.accepted[a, lack]
            if number:
                leaf.accepted[a, lack] = 0
                for t in range(n_sets):
                    leaf.free[t] += number * leaf.ways[p, last - a - 1, leaf.bits[lack & ~t]]
        for b in range(a, last):
            for t in range(n_sets):
                leaf.marginals[depth - 1, leaf.order[b], names[t]] += leaf.free[t]
    for layer in range(depth - 1):
        for k in range(walk.choice.shape[1]):
            t = walk.choice[layer, k]
            if t >= 0:
                leaf.marginals[layer, k, walk.expand[layer, t]] += leaf.numbers[HERE]


@njit(**INLINE)
def missing_bits(leaf, level, p, allowed):
    """What a right half must not lack and have: inputs, and above them numbers of active neurons."""
    missing = ((1 << p) - 1) & ~leaf.union[level]
    for a in range(max(allowed - leaf.used[level] + 1, 0), leaf.order.shape[0] - level + 1):
        missing |= 1 << (p + a)
    return np.int32(missing)


@piece(**BARE)
def search_halves(table, by_rows, task, found, leaf, right, walk, rows, bias, p, allowed, strict):
    """Count the perfect choices of the last hidden layer into HERE and the marginals, or keep those asked for.

    by_rows: the address of a function that calls `match_by_rows` with what is in the table, 0 where rows are screened.

    True when enough has been found, or no room is left for more: then PAUSED is set, and another call goes on.
    """
    last = leaf.order.shape[0]
    n_sets = 1 << p
    n_rows = bias.shape[0]
    close = leaf.close[0]
    names = walk.expand[walk.choice.shape[0] - 1]
    numbers = leaf.numbers
    counting = task.mode == COUNT
    screened = n_rows > SCREEN and not by_rows
    n_right, size = right_size(p, last, n_rows if by_rows else SCREEN)
    n_left = last - n_right
    built = (0, 0, 1, np.float32(0.0), np.float32(0.0), np.float32(0.0))
    ready = False
    paused = numbers[PAUSED] == 1
    numbers[PAUSED] = 0
    level = n_left - 1
    if not paused:
        open_left(leaf, n_left)
        level = 0
    while True:
        if not paused and step_left(leaf, rows, names, level, n_left, n_rows, p, allowed, close, strict, counting) < 0:
            break
        paused = False
        level = n_left - 1
        if task.mode == MINIMAL and _holds_one(_left_code(leaf, walk, n_left), found.codes, numbers[KEPT]):
            continue
        missing = missing_bits(leaf, n_left, p, allowed)
        if by_rows:
            call(by_rows, table, n_left, missing, not ready)
            first, stop, tally, doubt = 0, size, numbers[MATCHED], numbers[CLOSE]
        else:
            if not ready:
                built = build(leaf, right, p, n_left, n_rows, close)
            first, stop, tally, doubt = match(leaf, right, n_left, n_rows, missing, built)
        ready = True
        if (task.mode == LIST or task.mode == MINIMAL) and numbers[KEPT] + tally > found.codes.shape[0]:
            numbers[PAUSED] = 1
            return True
        numbers[VISITED] += 1
        if tally > 0 and (doubt > 0 or screened):
            least = 1 if screened else 2
            tally -= settle_halves(leaf, right, rows, bias, n_left, n_sets, close, first, stop, least)
        if tally > 0 and counting:
            _tally_hits(right.hits, right.matched, first, stop)
            tally_left(leaf, names, n_left, tally)
            numbers[HERE] += tally
        elif tally > 0:
            _keep(task, leaf, right, walk, n_left, p, first, stop, found.codes)
            if task.mode == LIST and numbers[FOUND] > task.limit:
                return True
            if task.mode == SAMPLE and numbers[KEPT] == task.ranks.shape[0]:
                return True
    if ready and counting:
        tally_right(leaf, right, names, n_left, n_sets, size)
    return False


@piece(**BARE)
def _tally_hits(hits, matched, first, stop):
    mine = between(hits, first, stop)
    marks = between(matched, first, stop)
    for r in range(mine.shape[0]):
        mine[r] = np.int32(mine[r] + marks[r])


@piece(**BARE)
def _left_code(leaf, walk, n_left):
    """The code of the upper layers and the left half."""
    layer = walk.choice.shape[0] - 1
    names = walk.expand[layer]
    code = np.uint64(0)
    if layer > 0:
        code = walk.codes[layer - 1, walk.place[1] + 1]
    for a in range(n_left):
        code |= walk.backwards[layer, names[leaf.picked[a]]] << np.uint64(walk.shifts[layer, leaf.order[a]])
    return code


@piece(**BARE)
def _holds_one(code, codes, kept):
    """Whether a circuit contains one of the first `kept` of `codes`; those that are contained often come first."""
    for i in range(kept):
        part = codes[i]
        if part & code == part:
            before = i >> 1
            codes[i] = codes[before]
            codes[before] = part
            return True
    return False


@piece(**BARE)
def _keep(task, leaf, right, walk, n_left, p, first, stop, codes):
    """Write the codes of the circuits that the matched right halves complete, those that are asked for."""
    layer = walk.choice.shape[0] - 1
    names = walk.expand[layer]
    last = leaf.order.shape[0]
    n_sets = 1 << p
    above = _left_code(leaf, walk, n_left)
    at = leaf.numbers[FOUND]
    kept = leaf.numbers[KEPT]
    for r in range(first, stop):
        if right.matched[r] == 0:
            continue
        asked = task.mode != SAMPLE or (kept < task.ranks.shape[0] and task.ranks[kept] == at)
        at += 1
        if not asked:
            continue
        rest = np.int64(right.index[r])
        code = above
        for a in range(n_left, last):
            t = names[rest % n_sets]
            rest //= n_sets
            if t > 0:
                code |= walk.backwards[layer, t] << np.uint64(walk.shifts[layer, leaf.order[a]])
        if task.mode == MINIMAL and _holds_one(code, codes, kept):
            continue
        codes[kept] = code
        kept += 1
    leaf.numbers[FOUND] = at
    leaf.numbers[KEPT] = kept


@njit(**INLINE)
def open_left(leaf, n_left):
    """Stand before the first left half."""
    leaf.union[0] = 0
    leaf.used[0] = 0
    if n_left > 0:
        leaf.picked[0] = -1
