"""Right halves counted by their ranks, where they are many and no row may be wrong.

For each row and rank a bit set holds the right halves below it, so that an AND of bit sets over the undecided rows is
the answer for a left half, and for all that add nearly the same; of the right halves found, those count that use every
input which the left one does not. What ranks leave open is decided in float64, and what is close even there by
`_leaf.perfect`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ontogeny.circuits._leaf import accept, perfect, tally_left
from ontogeny.circuits._problem import Doubles, Flags, Floats, Integers, Shorts, Words
from ontogeny.circuits._records import piece
from ontogeny.circuits._state import BARE, HERE, INLINE, UNSURE, VISITED
from ontogeny.circuits._vectors import (
    DOUBLES,
    LANES,
    WORDS,
    accumulate,
    add,
    among,
    clear,
    divide,
    errors,
    locate,
    lowest_bit,
    meet,
    reach,
    settle,
    shift,
    tally,
)

_FEWEST = 256  # combinations of middle neurons to rank, at least; twice as many where left halves are few
_RANKS = 512
_PLANES = 80  # bit sets in the vertical counters of one weight
_ALIKE = 0.1  # input sets that differ by less buckets are taken together
_FLAT = 0.2  # the same for a neuron that would take one or two groups
_FEW = 2  # a neuron with so few different input sets is better bounded last


class Bounds:
    """Bounds and ranks of one leaf.

    lists: what each left neuron adds, row by row, in float32; starts, lows, highs, open: work space of `_bound`, and
    masks, its answers. mids, mids32: sums of the middle neurons; bucket, below, floors, scales, known: their ranks, row
    by row; covers, ready: see `_classes`, and where those of p inputs begin (starts_of).
    """

    lists: Floats
    starts: Integers
    lows: Floats
    highs: Floats
    open: Integers
    masks: Words
    mids: Doubles
    mids32: Floats
    bucket: Shorts
    below: Words
    floors: Floats
    scales: Floats
    known: Flags
    covers: Words
    ready: Flags
    starts_of: Integers


class Tallies:
    """Circuits that were found: by last left set (numbers), by slot, by combination of middle neurons (hits; planes and
    added count them in bits), and work space."""

    numbers: Integers
    by_slot: Integers
    hits: Integers
    planes: Words
    added: Integers
    meets: Words
    places: Shorts
    flips: Words
    sums: Doubles
    own: Doubles
    live: Doubles
    doubtful: Shorts


class Groups:
    """Input sets of the last left neuron in groups that add nearly the same, see `_alike` and `_list_keys`."""

    leaders: Integers
    group: Integers
    begin: Integers
    members: Integers
    built: Flags
    counts: Integers
    keys: Integers
    times: Integers
    slot_of: Integers
    sets_of: Words
    exact: Doubles
    settled: Words


@piece(**BARE)
def middle(p, last):
    """How many neurons with p inputs to rank together; 0 where ranks do not pay."""
    n_mid = 1
    while n_mid < (last + 1) // 2 and 1 << (p * n_mid) < _FEWEST:
        n_mid += 1
    fewest = _FEWEST if last - n_mid > 2 else 2 * _FEWEST
    return n_mid if n_mid < last and p <= 6 and p * (last - 1) < 62 and 1 << (p * n_mid) >= fewest else 0


@njit(**INLINE)
def _words(size):
    """Words of a bit set over `size` combinations."""
    return (size + 64 * WORDS - 1) // (64 * WORDS) * WORDS


@njit(**INLINE)
def _buckets(size):
    """Buckets to rank `size` combinations by."""
    return min(_RANKS, size // 2)


def rank_shapes(sizes: tuple[int, ...], n_rows: int, width: int) -> dict[type, dict[str, Any]]:
    """Shapes of the arrays of `Bounds`, `Tallies` and `Groups`, and those that stay as they are.

    For n_rows rows, and pairs of them (width, with the rows).
    """
    depth = len(sizes) - 2
    last = sizes[depth]
    room = 1
    n_ranked = 0
    room_covers = 0
    starts_of = np.zeros(sizes[depth - 1] + 1, np.int64)
    for p in range(1, sizes[depth - 1] + 1):
        n_mid = middle.py_func(p, last)
        if n_mid:
            n_ranked = p
            room = max(room, 1 << (p * n_mid))
            starts_of[p] = room_covers
            room_covers += (n_mid + 1) * _words.py_func(1 << (p * n_mid)) << p
    n_words = _words.py_func(room)
    n_lists = 1 << n_ranked
    stride = max(LANES, n_lists)
    step = (n_rows + DOUBLES - 1) // DOUBLES * DOUBLES
    n_slots = n_lists * n_lists
    live = np.zeros(step, np.float64)
    live[:n_rows] = 1.0
    bounds = {
        "lists": last * width * stride,
        "starts": width + 1,
        "lows": width + 1,
        "highs": width + 1,
        "open": width + 1,
        "masks": 2 * last,
        "mids": room * step,
        "mids32": n_rows * room + LANES,
        "bucket": room,
        "below": n_rows * (_buckets.py_func(room) + 1) * n_words,
        "floors": n_rows,
        "scales": n_rows,
        "known": n_rows + 1,
        "covers": room_covers,
        "ready": sizes[depth - 1] + 1,
        "starts_of": starts_of,
    }
    tallies = {
        "numbers": n_lists,
        "by_slot": n_slots,
        "hits": 64 * n_words,
        "planes": 7 * _PLANES * n_words,
        "added": 7,
        "meets": 4 * n_words,
        "places": 4 * n_rows * stride,
        "flips": 2 * n_rows,
        "sums": step,
        "own": step,
        "live": live,
        "doubtful": n_lists * room,
    }
    groups = {
        "leaders": stride,
        "group": stride,
        "begin": stride + 1,
        "members": stride,
        "built": n_lists,
        "counts": n_slots,
        "keys": n_slots,
        "times": n_slots,
        "slot_of": n_slots,
        "sets_of": n_slots,
        "exact": n_rows * stride,
        "settled": 2,
    }
    return {Bounds: bounds, Tallies: tallies, Groups: groups}


@piece(**BARE)
def _bound(
    partial, lists, stride, low, high, level, n_samples, n_sets, closed, outer, inner, starts, lows, highs, open_, masks
):
    """Which input sets of neuron `level` may still do, and with which nothing can go wrong, as bits.

    partial[level] (rows,): sums so far; lists, from (level * rows + s) * stride on: what the neuron adds with each set;
    low[level], high[level] (rows,): what it and all after it add at least and at most. Rows that cannot come to
    `closed` are left out; the samples among the others go to `open_`, and their number is returned. In
    masks[2 * level] the sets with which the outputs need not go beyond `outer`, in the next those with which they
    cannot come to `inner`. In float32; starts, lows, highs: work space.
    """
    n_rows = partial.shape[1]
    n = 0
    n_open = 0
    for s in range(n_rows):
        v = partial[level, s]
        starts[n] = (level * n_rows + s) * stride
        lows[n] = np.float32(v + low[level + 1, s])
        highs[n] = np.float32(v + high[level + 1, s])
        open_[n] = s
        n += np.int64((v + high[level, s] >= closed) | (-v - low[level, s] >= closed))
        if s == n_samples - 1:
            n_open = n
    reach(lists, starts, lows, highs, n_open, n, n_sets, np.float32(outer), np.float32(inner), masks, 2 * level)
    return n_open


@piece(**BARE)
def _classes(p, n_mid, n_words, start, covers):
    """Bit sets over the combinations of `n_mid` neurons with input sets among p inputs.

    covers, from start + (missing * (n_mid + 1) + few) * n_words on: those that have all inputs of `missing`, and at
    most `few` active neurons.
    """
    n_sets = 1 << p
    for m in range(n_sets**n_mid):
        rest = m
        union = 0
        now = 0
        for _ in range(n_mid):
            t = rest % n_sets
            rest //= n_sets
            union |= t
            now += 1 if t > 0 else 0
        bit = np.uint64(1) << np.uint64(m & 63)
        missing = union
        while True:
            for few in range(now, n_mid + 1):
                covers[start + (missing * (n_mid + 1) + few) * n_words + (m >> 6)] |= bit
            if missing == 0:
                break
            missing = (missing - 1) & union


@piece(**BARE)
def _sums(gains, order, first, stop, n_sets, n_samples, step, size, out, alike):
    """out, from m * step on: what combination m of neurons first..stop of `order` adds to each sample.

    The first neuron changes fastest. alike, from s * size on: the same for sample s, in float32.
    """
    n_rows = gains.shape[2]
    for s in range(step):
        out[s] = 0.0
    for s in range(n_samples):
        alike[s * size] = np.float32(0.0)
    now = 1
    for a in range(first, stop):
        k = order[a]
        for t in range(n_sets):
            row = (k * gains.shape[1] + t) * n_rows
            for r in range(now):
                add(gains, row, out, r * step, step, out, (t * now + r) * step)
            for s in range(n_samples):
                shift(alike, s * size, np.float32(gains[k, t, s]), now, s * size + t * now)
        now *= n_sets


@piece(**BARE)
def _rank(values, at, size, start, floor, scale, n_buckets, n_words, bucket_of, below):
    """below, from start + q * n_words on: the combinations m < size with values[at + m] in one of the first q buckets.

    Bucket int((x - floor) * scale) in float32.
    """
    clear(below, start, (n_buckets + 1) * n_words)
    divide(values, at, floor, scale, size, n_buckets, bucket_of)
    for m in range(size):
        below[start + (bucket_of[m] + 1) * n_words + (m >> 6)] |= np.uint64(1) << np.uint64(m & 63)
    accumulate(below, start, n_buckets + 1, n_words)


@piece(**BARE)
def _empty(planes, start, n_words, number, weight, hits):
    """Add what `number` sets have counted in planes[start:] (see `tally`), 2^weight each, to hits, and clear them."""
    k = 0
    one = np.uint64(1)
    while number >> k:
        for w in range(n_words):
            at = start + 2 * k * n_words + w
            x = planes[at]
            y = planes[at + n_words] if (number >> k) & 1 else np.uint64(0)
            planes[at] = np.uint64(0)
            planes[at + n_words] = np.uint64(0)
            if x | y:
                for b in range(64):
                    by = np.uint64(b)
                    hits[64 * w + b] += np.int64(((x >> by) & one) + ((y >> by) & one)) << (k + weight)
        k += 1


@piece(**BARE)
def _alike(gains, neuron, n_sets, n_samples, apart, tight, leaders, group):
    """Put the input sets of a neuron that add nearly the same, `apart` at most, into groups: (number, how far apart).

    With `tight` the empty set stays alone. leaders (groups,): the first of each; group (sets,).
    """
    number = 0
    widest = 0.0
    for t in range(n_sets):
        group[t] = -1
        for r in range(1 if tight else 0, number):
            away = 0.0
            for s in range(n_samples):
                away = max(away, abs(gains[neuron, t, s] - gains[neuron, leaders[r], s]))
                if away > apart:
                    break
            if away <= apart:
                group[t] = r
                widest = max(widest, away)
                break
        if group[t] < 0:
            leaders[number] = t
            group[t] = number
            number += 1
    return number, widest


@piece(**BARE)
def _list_keys(missing, n_sets, n_groups, begin, members, counts, keys, times, slot_of, sets_of):
    """What the input sets of each group leave unused of `missing`: keys, and how many sets (times) leave each.

    Those of group g begin at slot missing * n_sets + begin[g] and are counts[missing * n_sets + g]; member i's is
    slot_of[missing * n_sets + i], and sets_of has all of a slot as bits.
    """
    base = missing * n_sets
    for group in range(n_groups):
        first = begin[group]
        n = 0
        for i in range(first, begin[group + 1]):
            lack = missing & ~members[i]
            at = 0
            while at < n and keys[base + first + at] != lack:
                at += 1
            if at == n:
                keys[base + first + at] = lack
                times[base + first + at] = 0
                sets_of[base + first + at] = 0
                n += 1
            times[base + first + at] += 1
            sets_of[base + first + at] |= np.uint64(1) << np.uint64(members[i])
            slot_of[base + i] = base + first + at
        counts[base + group] = n


@piece(**BARE)
def _rank_middle(bounds, leaf, n_left, n_sets, size, slack):
    """Sums of the middle neurons of this leaf, and the range of their ranks on every row."""
    n_rows = bounds.floors.shape[0]
    last = leaf.order.shape[0]
    step = (n_rows + DOUBLES - 1) // DOUBLES * DOUBLES
    n_buckets = _buckets(size)
    _sums(leaf.gains, leaf.order, n_left, last, n_sets, n_rows, step, size, bounds.mids, bounds.mids32)
    for s in range(n_rows):
        bounds.known[s] = False
        lo = leaf.low[n_left, s] - 2 * slack
        bounds.floors[s] = np.float32(lo)
        bounds.scales[s] = np.float32((n_buckets - 0.01) / (leaf.high[n_left, s] + 2 * slack - lo))


@piece(**BARE)
def _place_limits(bounds, tallies, leaf, level, n_open, n_groups, stride, size, closed, edge, slack, apart):
    """Where the limits of every open row lie among the ranks, for all input sets at once; the number of places."""
    n_words = _words(size)
    n_buckets = _buckets(size)
    width = leaf.partial.shape[1]
    low = leaf.low[level]
    high = leaf.high[level]
    n_places = 0
    for i in range(n_open):
        s = bounds.open[i]
        base = s * (n_buckets + 1)
        if not bounds.known[s]:
            bounds.known[s] = True
            _rank(
                bounds.mids32, s * size, size, base * n_words, bounds.floors[s], bounds.scales[s], n_buckets, n_words,
                bounds.bucket, bounds.below,
            )  # fmt: skip
        v = leaf.partial[level, s]
        floor = v + np.float64(bounds.floors[s])
        row = (level * width + s) * stride
        for side in range(2):
            if not (v + low[s] <= -closed if side else v + high[s] >= closed):
                continue
            sign = -1.0 if side else 1.0
            for far in range(2):
                limit = edge + slack + apart if far else closed - slack - apart
                locate(
                    bounds.lists, row, np.float32(sign * limit - floor), bounds.scales[s], 1 - side if far else side,
                    n_buckets, base, n_words, n_groups, tallies.places, (2 * n_places + far) * stride,
                )  # fmt: skip
            tallies.flips[n_places] = ~np.uint64(0) if side else np.uint64(0)
            n_places += 1
    return n_places


@piece(**BARE)
def _settle_slot(
    bounds, tallies, groups, partial, at, at_sets, n_words, slot, n_rows, n_sets, closed, edge, apart, n_doubtful
):
    """Decide by their own sums the combinations of a slot that ranks leave open: (combinations, circuits, doubtful).

    Combinations that do for all input sets of the slot are added to its meet; single circuits to numbers and hits;
    what float64 cannot decide to doubtful, as left set and combination in bits 0 and 6 up.
    """
    one = np.uint64(1)
    step = tallies.sums.shape[0]
    stride = groups.leaders.shape[0]
    combinations = 0
    circuits = 0
    for w in range(at_sets, at_sets + n_words):
        unsure = tallies.meets[n_words + w]
        while unsure:
            bit = unsure & (~unsure + one)
            m = 64 * (w - at_sets) + lowest_bit(unsure)
            unsure ^= bit
            kind = errors(tallies.sums, bounds.mids, m * step, tallies.live, step, closed - apart, edge + apart)
            if kind == 0:
                tallies.meets[w] |= bit
                combinations += 1
            elif kind == 1:
                add(partial, at, bounds.mids, m * step, step, tallies.own, 0)
                settle(groups.exact, stride, tallies.own, n_rows, n_sets, closed, edge, groups.settled)
                right = groups.settled[0] & groups.sets_of[slot]
                while right:
                    tallies.numbers[lowest_bit(right)] += 1
                    tallies.hits[m] += 1
                    circuits += 1
                    right &= right - one
                perhaps = groups.settled[1] & groups.sets_of[slot]
                while perhaps:
                    tallies.doubtful[n_doubtful] = (m << 6) | lowest_bit(perhaps)
                    perhaps &= perhaps - one
                    n_doubtful += 1
    return combinations, circuits, n_doubtful


@njit(**INLINE)
def _complete(
    bounds, tallies, groups, leaf, p, n_mid, level, n_open, closed, edge, slack, n_groups, apart, room, tight
):
    """Count the perfect completions of a left half but for its last neuron, for all input sets of that neuron.

    Its input sets come in groups, `apart` at most, and one of each group is bounded for all; the masks of `_bound` tell
    which are left. The sums of the n_mid middle neurons are ranked when needed. With `tight` room for active neurons
    the empty set is a group of its own, the first. Adds perfect circuits to numbers (sets,), or to by_slot (see
    `_list_keys`) where they are as many for every set of a slot; input sets with which nothing can go wrong to accepted
    too; and to hits, and `planes` of `added` sets, circuits in which a combination takes part. Returns (perfect
    circuits, doubtful ones, groups looked at).
    """
    n_samples = bounds.floors.shape[0]
    width = leaf.partial.shape[1]
    stride = groups.leaders.shape[0]
    neuron = leaf.order[level]
    n_sets = 1 << p
    size = 1 << (p * n_mid)
    step = tallies.sums.shape[0]
    n_words = _words(size)
    cover = bounds.starts_of[p]
    missing = (n_sets - 1) & ~leaf.union[level]
    base = missing * n_sets
    n_left = leaf.order.shape[0] - n_mid
    if not groups.built[missing]:
        groups.built[missing] = True
        _list_keys(
            missing, n_sets, n_groups, groups.begin, groups.members, groups.counts, groups.keys, groups.times,
            groups.slot_of, groups.sets_of,
        )  # fmt: skip
    one = np.uint64(1)
    total = 0
    n_doubtful = 0
    visited = 0
    n_places = -1
    todo = bounds.masks[2 * level]
    sure = bounds.masks[2 * level + 1]
    while todo:
        group = lowest_bit(todo)
        todo &= todo - one
        certain = (sure >> np.uint64(group)) & one
        first = groups.begin[group]
        few = min(room - (1 if tight and group > 0 else 0), n_mid)
        if few < 0:
            continue
        first_slot = base + first
        last_slot = first_slot + groups.counts[base + group]
        if certain and few == n_mid:
            for slot in range(first_slot, last_slot):
                number = leaf.ways[p, n_mid, leaf.bits[groups.keys[slot]]]
                tallies.by_slot[slot] += number
                total += groups.times[slot] * number
                leaf.accepted[n_left, groups.keys[slot]] += groups.times[slot]
            continue
        if n_places < 0:
            if not bounds.known[n_samples]:
                bounds.known[n_samples] = True
                _rank_middle(bounds, leaf, n_left, n_sets, size, slack)
            n_places = _place_limits(
                bounds, tallies, leaf, level, n_open, n_groups, stride, size, closed, edge, slack, apart
            )
        visited += 1
        met = meet(
            bounds.below, tallies.places, tallies.flips, n_places, stride, group, bounds.covers,
            cover + few * n_words, n_words, tallies.meets,
        )  # fmt: skip
        if met == 0:
            continue
        n_keys = last_slot - first_slot
        summed = False
        for slot in range(first_slot, last_slot):
            at_sets = 0
            here = met
            if n_keys > 1 or groups.keys[slot] > 0:
                at_sets = 2 * n_words
                key = cover + (groups.keys[slot] * (n_mid + 1) + few) * n_words
                here = among(tallies.meets, bounds.covers, key, n_words, at_sets)
                if here == 0:
                    continue
            number = here >> 1
            if here & 1:
                if not summed:
                    summed = True
                    at = (neuron * leaf.gains.shape[1] + groups.leaders[group]) * width
                    add(leaf.partial, level * width, leaf.gains, at, step, tallies.sums, 0)
                more, circuits, n_doubtful = _settle_slot(
                    bounds, tallies, groups, leaf.partial, level * width, at_sets, n_words, slot, n_samples, n_sets,
                    closed, edge, apart, n_doubtful,
                )  # fmt: skip
                number += more
                total += circuits
            if number:
                total += groups.times[slot] * number
                tallies.by_slot[slot] += number
                weight = 0
                while groups.times[slot] >> weight:
                    if (groups.times[slot] >> weight) & 1:
                        tally(
                            tallies.planes, weight * _PLANES * n_words, tallies.added[weight], n_words, tallies.meets,
                            at_sets,
                        )  # fmt: skip
                        tallies.added[weight] += 1
                    weight += 1
    return total, n_doubtful, visited


@piece(**BARE)
def _group(p, gains, order, low, high, n_rows, n_samples, n_buckets, level, tight, leaders, group):
    """Put the input sets of the last left neuron, number `level` of `order`, into groups: (number, how far apart).

    A last neuron of few different sets is better bounded there than ranked: it takes that place.
    """
    n_sets = 1 << p
    last = order.shape[0]
    if level > 0:
        widest = 0.0
        for s in range(n_samples):
            widest = max(widest, high[level, s] - low[level, s] - high[last - 1, s] + low[last - 1, s])
        n_groups, away = _alike(
            gains, order[last - 1], n_sets, n_samples, _FLAT * widest / n_buckets, tight, leaders, group
        )
        if n_groups <= (_FEW + 1 if tight else _FEW):
            k = order[last - 1]
            for a in range(last - 1, level, -1):
                order[a] = order[a - 1]
            order[level] = k
            for a in range(last - 1, level, -1):
                for s in range(n_rows):
                    lo = 0.0
                    hi = 0.0
                    for t in range(1, n_sets):
                        lo = min(lo, gains[order[a], t, s])
                        hi = max(hi, gains[order[a], t, s])
                    low[a, s] = low[a + 1, s] + lo
                    high[a, s] = high[a + 1, s] + hi
            return n_groups, away
    widest = 0.0
    for s in range(n_samples):
        widest = max(widest, high[level + 1, s] - low[level + 1, s])
    return _alike(gains, order[level], n_sets, n_samples, _ALIKE * widest / n_buckets, tight, leaders, group)


@piece(**BARE)
def _list_groups(bounds, groups, leaf, level, n_groups, n_rows, n_sets):
    """The members of each group, one after another, and what the first of each adds."""
    stride = groups.leaders.shape[0]
    width = leaf.partial.shape[1]
    gains = leaf.gains[leaf.order[level]]
    at = 0
    for g in range(n_groups):
        groups.begin[g] = at
        for t in range(n_sets):
            if groups.group[t] == g:
                groups.members[at] = t
                at += 1
        for s in range(width):
            bounds.lists[(level * width + s) * stride + g] = np.float32(gains[groups.leaders[g], s])
    groups.begin[n_groups] = at
    for s in range(n_rows):
        for t in range(n_sets):
            groups.exact[s * stride + t] = gains[t, s]


@piece(**BARE)
def _list_left(bounds, leaf, n_left, stride, n_sets):
    """What each left neuron but the last adds with each input set."""
    width = leaf.partial.shape[1]
    for a in range(n_left - 1):
        for s in range(width):
            for t in range(n_sets):
                bounds.lists[(a * width + s) * stride + t] = np.float32(leaf.gains[leaf.order[a], t, s])


@piece(**BARE)
def _settle_doubtful(tallies, leaf, rows, bias, level, n_left, n_sets, n_doubtful):
    """Decide as `perfect` what float64 could not; how many circuits are perfect."""
    found = 0
    for at in range(n_doubtful):
        t = tallies.doubtful[at] & 63
        rest = tallies.doubtful[at] >> 6
        for a in range(level):
            leaf.chosen[leaf.order[a]] = leaf.picked[a]
        leaf.chosen[leaf.order[level]] = t
        for a in range(n_left, leaf.order.shape[0]):
            leaf.chosen[leaf.order[a]] = rest % n_sets
            rest //= n_sets
        if perfect(leaf.chosen, leaf.gains, bias, rows):
            tallies.numbers[t] += 1
            tallies.hits[tallies.doubtful[at] >> 6] += 1
            found += 1
    return found


@piece(**BARE)
def _tally_leaf(tallies, groups, leaf, names, n_left, n_groups, n_sets, size):
    """Add what was found in this leaf to the input sets of its last left and its middle neurons."""
    own = leaf.marginals[leaf.marginals.shape[0] - 1]
    n_words = _words(size)
    for weight in range(tallies.added.shape[0]):
        if tallies.added[weight]:
            at = weight * _PLANES * n_words
            _empty(tallies.planes, at, n_words, tallies.added[weight], weight, tallies.hits)
            tallies.added[weight] = 0
    if n_groups == 0:
        return
    leaf.any_accepted[n_left] = True
    for missing in range(n_sets):
        if groups.built[missing]:
            groups.built[missing] = False
            base = missing * n_sets
            for i in range(n_sets):
                tallies.numbers[groups.members[i]] += tallies.by_slot[groups.slot_of[base + i]]
            for i in range(n_sets):
                tallies.by_slot[base + i] = 0
    for t in range(n_sets):
        own[leaf.order[n_left - 1], names[t]] += tallies.numbers[t]
        tallies.numbers[t] = 0
    for m in range(size):
        if tallies.hits[m]:
            rest = m
            for a in range(n_left, leaf.order.shape[0]):
                own[leaf.order[a], names[rest % n_sets]] += tallies.hits[m]
                rest //= n_sets
            tallies.hits[m] = 0


@piece(**BARE)
def count_by_ranks(bounds, tallies, groups, leaf, walk, rows, bias, p, n_mid, allowed, close):
    """Count the perfect choices of the last hidden layer into HERE and the marginals, right halves by their ranks."""
    names = walk.expand[walk.choice.shape[0] - 1]
    last = leaf.order.shape[0]
    width = leaf.partial.shape[1]
    n_rows = bias.shape[0]
    stride = groups.leaders.shape[0]
    n_sets = 1 << p
    n_left = last - n_mid
    size = 1 << (p * n_mid)
    closed = 0.5 - close
    edge = 0.5 + close
    one = np.uint64(1)
    tight = allowed < last
    listed = False
    n_groups = 0
    apart = 0.0
    biggest = 0.0
    for s in range(n_rows):
        biggest = max(biggest, abs(leaf.partial[0, s]) + max(-leaf.low[0, s], leaf.high[0, s]))
    slack = 1e-6 * (1.0 + biggest)  # more than float32 rounds in bounds and ranks
    if not bounds.ready[p]:
        bounds.ready[p] = True
        _classes(p, n_mid, _words(size), bounds.starts_of[p], bounds.covers)
    bounds.known[n_rows] = False
    leaf.union[0] = 0
    leaf.used[0] = 0
    level = 0
    fresh = True
    while level >= 0:
        if fresh:
            fresh = False
            n_lists = n_sets
            beyond = 0.0
            if level == n_left - 1:
                if n_groups == 0:
                    n_groups, apart = _group(
                        p, leaf.gains, leaf.order, leaf.low, leaf.high, width, n_rows, _buckets(size), level,
                        tight, groups.leaders, groups.group,
                    )  # fmt: skip
                    _list_groups(bounds, groups, leaf, level, n_groups, n_rows, n_sets)
                n_lists = n_groups
                beyond = apart
            elif not listed:
                listed = True
                _list_left(bounds, leaf, n_left, stride, n_sets)
            n_open = _bound(
                leaf.partial, bounds.lists, stride, leaf.low, leaf.high, level, n_rows, n_lists, closed,
                edge + slack + beyond, closed - slack - beyond, bounds.starts, bounds.lows, bounds.highs, bounds.open,
                bounds.masks,
            )  # fmt: skip
            if level == n_left - 1:
                room = allowed - leaf.used[level]
                total, n_doubtful, more = _complete(
                    bounds,
                    tallies,
                    groups,
                    leaf,
                    p,
                    n_mid,
                    level,
                    n_open,
                    closed,
                    edge,
                    slack,
                    n_groups,
                    apart,
                    room,
                    tight,
                )
                leaf.numbers[VISITED] += more
                if n_doubtful:
                    leaf.numbers[UNSURE] += n_doubtful
                    total += _settle_doubtful(tallies, leaf, rows, bias, level, n_left, n_sets, n_doubtful)
                if total:
                    leaf.numbers[HERE] += total
                    tally_left(leaf, names, level, total)
                level -= 1
                continue
        if bounds.masks[2 * level] == 0:
            level -= 1
            continue
        t = lowest_bit(bounds.masks[2 * level])
        bounds.masks[2 * level] &= bounds.masks[2 * level] - one
        leaf.picked[level] = t
        leaf.union[level + 1] = leaf.union[level] | t
        leaf.used[level + 1] = leaf.used[level] + (1 if t > 0 else 0)
        certain = (bounds.masks[2 * level + 1] >> np.uint64(t)) & one
        if certain and allowed - leaf.used[level + 1] >= last - level - 1:
            accept(leaf, names, level, p)
            continue
        k = leaf.order[level]
        for s in range(width):
            leaf.partial[level + 1, s] = leaf.partial[level, s] + leaf.gains[k, t, s]
        level += 1
        fresh = True
    _tally_leaf(tallies, groups, leaf, names, n_left, n_groups, n_sets, size)
