"""The search for perfect circuits, compiled.

A circuit is a choice of one input set for every hidden neuron. The neurons of all hidden layers but the last
are chosen by an odometer, with a table of every neuron's activations for each of its input sets. After each choice
intervals over whatever is still free, propagated through all later layers, tell whether any circuit is left; if not,
the choice is dropped (for as long as that happens often enough to pay). On trained 2-4-4-4-1 and 2-3-3-3-1 networks
this drops between nothing and 95 % of the combinations, and makes a count up to 4 times faster. What remains
is to pick the input sets of the last hidden layer, whose contributions to the output add up: there the neurons
are split in two. All sums of the right half are tabulated and put into buckets by the sample on which they vary
most; the left half is walked depth first and cut as soon as interval bounds show, on some sample or on some
half-difference of two samples, that no completion can bring every output within 1/2 of its target. Where right
halves are many and no row may be wrong, they are counted by ranks: for each sample and rank a bit set holds the
right halves below it, so that an AND of bit sets over the undecided samples is the answer for a left half, and for
all that add nearly the same; of the right halves found, those count that use every input which the left one does not.
Elsewhere, what is left is one bucket window, compared in vector form in float32 with a slack that covers its rounding;
everything close to a boundary is decided again in float64, and what is close even there as by `reference`, which
repeats the float32 arithmetic of a masked forward pass.
Up to the contributions to the output everything is computed in that arithmetic, so that float64 is in doubt only by the
rounding of the last sum.
"""

from __future__ import annotations

import numpy as np
from numba import njit

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

COUNT, LIST, SAMPLE = 0, 1, 2
_RIGHT = 4096
_BUCKETS = 256
_FEWEST = 256  # combinations of middle neurons to rank, at least
_RANKS = 512
_PLANES = 80  # bit sets in the vertical counters of one weight
_ALIKE = 0.1  # input sets that differ by less buckets are taken together
_FLAT = 0.2  # the same for a neuron that would take one or two groups
_FEW = 2  # a neuron with so few different input sets is better bounded last
_TRIES = 256  # bounds of early layers are tried this often before their use is judged
_PAYS = 32  # a cut saves about as much as this many bounds cost


@njit(cache=True, nogil=True, inline="always")
def _activate(value, kind, slope):
    if kind == 0:
        return value if value > 0.0 else value * slope
    if kind == 1:
        return value if value > 0.0 else 0.0
    if kind == 2:
        return np.tanh(value)
    if kind == 3:
        return 1.0 / (1.0 + np.exp(-value))
    return value


@njit(cache=True, nogil=True)
def reference(sets, sizes, weights, biases, samples, targets, rows_of, budget, kind, slope):
    """Whether a circuit is perfect in float32: products and sums rounded one by one, in order, the bias last.

    `sets[l, j]` is the input set of neuron j of hidden layer l as bits. Half-even rounding of the output.
    """
    depth = len(sizes) - 2
    now = np.zeros(sizes.max(), np.float32)
    then = np.zeros(sizes.max(), np.float32)
    bad = 0
    for s in range(samples.shape[1]):
        for i in range(sizes[0]):
            now[i] = np.float32(samples[i, s])
        for layer in range(depth):
            for j in range(sizes[layer + 1]):
                then[j] = np.float32(0.0)
                if sets[layer, j]:
                    total = np.float32(0.0)
                    for i in range(sizes[layer]):
                        if (sets[layer, j] >> i) & 1:
                            total = total + np.float32(weights[layer, j, i]) * now[i]
                    total = total + np.float32(biases[layer, j])
                    if kind == 0:
                        then[j] = total if total > 0 else total * np.float32(slope)
                    else:
                        then[j] = np.float32(_activate(np.float64(total), kind, slope))
            for j in range(sizes[layer + 1]):
                now[j] = then[j]
        total = np.float32(0.0)
        for j in range(sizes[depth]):
            if sets[depth - 1, j]:
                total = total + np.float32(weights[depth, 0, j]) * now[j]
        out = np.float64(total + np.float32(biases[depth, 0]))
        if targets[s] == 0:
            good = -0.5 <= out <= 0.5
        else:
            good = 0.5 < out < 1.5
        if not good:
            bad += rows_of[s]
    return bad <= budget


@njit(cache=True, nogil=True)
def rounding_margin(sizes, weights, biases, samples, kind, slope):
    """As `_plain.rounding_margin`."""
    unit = 2.0**-24
    widest = sizes.max()
    worst = 0.0
    values = np.zeros((2, 3, widest))
    for s in range(samples.shape[1]):
        now = 0
        for i in range(sizes[0]):
            values[0, 0, i] = samples[i, s]
            values[0, 1, i] = samples[i, s]
            values[0, 2, i] = 0.0
        for layer in range(len(sizes) - 1):
            for j in range(sizes[layer + 1]):
                up = 0.0
                down = 0.0
                error = 0.0
                for i in range(sizes[layer]):
                    w = weights[layer, j, i]
                    below = w * min(values[now, 0, i], 0.0)
                    above = w * max(values[now, 1, i], 0.0)
                    up += max(below, above)
                    down += min(below, above)
                    error += abs(w) * values[now, 2, i]
                low = down + biases[layer, j]
                high = up + biases[layer, j]
                error += unit * (up - down + (sizes[layer] - 1) * max(up, -down) + max(abs(low), abs(high)))
                if layer < len(sizes) - 2:
                    low = _activate(low, kind, slope)
                    high = _activate(high, kind, slope)
                    error += 4 * unit * max(abs(low), abs(high))
                values[1 - now, 0, j] = low
                values[1 - now, 1, j] = high
                values[1 - now, 2, j] = error
            now = 1 - now
        worst = max(worst, values[now, 2, 0])
    return 1.01 * worst + 1e-12


@njit(cache=True, nogil=True, _nrt=False, fastmath={"nnan", "nsz"})
def _scan(values, lacking, offsets, at, first, stop, missing, top, sure, matched):
    """Mark the right halves in first..stop whose errors on samples at..at+3 are <= top; count them, and the close ones.

    Marks are 0, 1, and 2 or more where an error is above `sure`. All integers stay 32 bits wide, so that the loop is
    compiled to vector instructions.
    """
    a0 = offsets[at]
    a1 = offsets[at + 1]
    a2 = offsets[at + 2]
    a3 = offsets[at + 3]
    v0 = values[at, first:stop]
    v1 = values[at + 1, first:stop]
    v2 = values[at + 2, first:stop]
    v3 = values[at + 3, first:stop]
    lacks = lacking[first:stop]
    marks = matched[first:stop]
    zero = np.int32(0)
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
        m = np.int32(1) if e0 <= top else zero
        m = m if np.int32(lacks[r] & missing) == zero else zero
        d = m if e0 > sure else zero
        marks[r] = np.int32(m + d)
        tally = np.int32(tally + m)
        doubt = np.int32(doubt + d)
    return tally, doubt


@njit(cache=True, nogil=True, _nrt=False, fastmath={"nnan", "nsz"})
def _scan_again(values, offsets, first, stop, top, sure, matched):
    """As `_scan` on samples 4 to 7, among the right halves already marked."""
    a0 = offsets[4]
    a1 = offsets[5]
    a2 = offsets[6]
    a3 = offsets[7]
    v0 = values[4, first:stop]
    v1 = values[5, first:stop]
    v2 = values[6, first:stop]
    v3 = values[7, first:stop]
    marks = matched[first:stop]
    zero = np.int32(0)
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
        m = marks[r] if e0 <= top else zero
        m = np.int32(m | np.int32(2)) if (m > zero) and (e0 > sure) else m
        marks[r] = m
        tally = np.int32(tally + (np.int32(1) if m > zero else zero))
        doubt = np.int32(doubt + (np.int32(1) if m > np.int32(1) else zero))
    return tally, doubt


@njit(cache=True, nogil=True, _nrt=False)
def _tally_hits(hits, matched, first, stop):
    mine = hits[first:stop]
    marks = matched[first:stop]
    for r in range(mine.shape[0]):
        mine[r] = np.int32(mine[r] + marks[r])


@njit(cache=True, nogil=True, _nrt=False)
def _perfect(chosen, gains, bias, n_samples, targets, rows_of, budget):
    """As `reference`, for input sets `chosen` (neurons,) of the last hidden layer, from what they add (`gains`)."""
    bad = 0
    for s in range(n_samples):
        total = np.float32(0.0)
        for k in range(chosen.shape[0]):
            if chosen[k] > 0:
                total = total + np.float32(gains[k, chosen[k], s])
        out = np.float64(total + np.float32(bias))
        if targets[s] == 0:
            good = -0.5 <= out <= 0.5
        else:
            good = 0.5 < out < 1.5
        if not good:
            bad += rows_of[s]
            if bad > budget:
                return False
    return True


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, _nrt=False)
def _rank(values, at, size, start, floor, scale, n_buckets, n_words, bucket_of, below):
    """below, from start + q * n_words on: the combinations m < size with values[at + m] in one of the first q buckets.

    Bucket int((x - floor) * scale) in float32.
    """
    clear(below, start, (n_buckets + 1) * n_words)
    divide(values, at, floor, scale, size, n_buckets, bucket_of)
    for m in range(size):
        below[start + (bucket_of[m] + 1) * n_words + (m >> 6)] |= np.uint64(1) << np.uint64(m & 63)
    accumulate(below, start, n_buckets + 1, n_words)


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, _nrt=False)
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


@njit(cache=True, nogil=True, inline="always")
def _complete(
    p,
    n_mid,
    level,
    n_open,
    partial,
    gains,
    order,
    low,
    high,
    closed,
    edge,
    slack,
    n_groups,
    apart,
    union,
    room,
    tight,
    cover,
    n_buckets,
    n_words,
    ways,
    bits_in,
    accepted,
    space,
):
    """Count the perfect completions of a left half but for its last neuron, for all input sets of that neuron.

    partial[level] (samples,): sums so far; gains[order[level]] (sets, rows): what the last left neuron adds; low, high
    [level]: what it and all after it add at least and at most. Its input sets come in groups, `apart` at most, and
    one of each group is bounded for all; the masks of `_bound` tell which are left. The sums of the n_mid middle
    neurons are ranked when needed. With `tight` room for active neurons the empty set is a group of its own, the
    first. Adds perfect circuits to numbers (sets,), or to by_slot (see `_list_keys`) where they are as many for every
    set of a slot; input sets with which nothing can go wrong to accepted (lacking inputs,) too; and to hits, and
    `planes` of `added` sets, circuits in which a combination takes part. What float64 cannot decide goes to
    doubtful (n,): left set and combination as bits 0 and 6 up. Returns (perfect circuits, n, groups looked at).
    """
    (lists, _, _, _, open_, masks, mids, mids32, bucket_of, below, floors, scales, known, covers, _) = space[0]
    (numbers, by_slot, hits, planes, added, meets, places, flips, sums, own, live, doubtful) = space[1]
    (leaders, _, begin, members, built, counts, keys, times, slot_of, sets_of, exact, settled) = space[2]
    n_rows = partial.shape[1]
    n_samples = floors.shape[0]
    step = sums.shape[0]
    stride = leaders.shape[0]
    neuron = order[level]
    n_sets = 1 << p
    size = 1 << (p * n_mid)
    missing = (n_sets - 1) & ~union
    base = missing * n_sets
    if not built[missing]:
        built[missing] = True
        _list_keys(missing, n_sets, n_groups, begin, members, counts, keys, times, slot_of, sets_of)
    one = np.uint64(1)
    total = 0
    n_doubtful = 0
    visited = 0
    n_places = -1
    todo = masks[2 * level]
    sure = masks[2 * level + 1]
    while todo:
        group = lowest_bit(todo)
        todo &= todo - one
        certain = (sure >> np.uint64(group)) & one
        first = begin[group]
        few = min(room - (1 if tight and group > 0 else 0), n_mid)
        if few < 0:
            continue
        first_slot = base + first
        last_slot = first_slot + counts[base + group]
        if certain and few == n_mid:
            for slot in range(first_slot, last_slot):
                number = ways[p, n_mid, bits_in[keys[slot]]]
                by_slot[slot] += number
                total += times[slot] * number
                accepted[keys[slot]] += times[slot]
            continue
        if n_places < 0:
            # where the limits of every sample lie among the ranks, for all input sets at once
            if not known[n_samples]:
                known[n_samples] = True
                n_left = order.shape[0] - n_mid
                _sums(gains, order, n_left, order.shape[0], n_sets, n_samples, step, size, mids, mids32)
                for s in range(n_samples):
                    known[s] = False
                    lo = low[n_left, s] - 2 * slack
                    floors[s] = np.float32(lo)
                    scales[s] = np.float32((n_buckets - 0.01) / (high[n_left, s] + 2 * slack - lo))
            n_places = 0
            for i in range(n_open):
                s = open_[i]
                row_of = s * (n_buckets + 1)
                if not known[s]:
                    known[s] = True
                    _rank(
                        mids32,
                        s * size,
                        size,
                        row_of * n_words,
                        floors[s],
                        scales[s],
                        n_buckets,
                        n_words,
                        bucket_of,
                        below,
                    )
                v = partial[level, s]
                floor = v + np.float64(floors[s])
                row = (level * n_rows + s) * stride
                for side in range(2):
                    if not (v + low[level, s] <= -closed if side else v + high[level, s] >= closed):
                        continue
                    sign = -1.0 if side else 1.0
                    for far in range(2):
                        limit = edge + slack + apart if far else closed - slack - apart
                        locate(
                            lists,
                            row,
                            np.float32(sign * limit - floor),
                            scales[s],
                            1 - side if far else side,
                            n_buckets,
                            row_of,
                            n_words,
                            n_groups,
                            places,
                            (2 * n_places + far) * stride,
                        )
                    flips[n_places] = ~np.uint64(0) if side else np.uint64(0)
                    n_places += 1
        visited += 1
        met = meet(below, places, flips, n_places, stride, group, covers, cover + few * n_words, n_words, meets)
        if met == 0:
            continue
        n_keys = last_slot - first_slot
        summed = False
        for slot in range(first_slot, last_slot):
            at_sets = 0
            here = met
            if n_keys > 1 or keys[slot] > 0:
                at_sets = 2 * n_words
                here = among(meets, covers, cover + (keys[slot] * (n_mid + 1) + few) * n_words, n_words, at_sets)
                if here == 0:
                    continue
            number = here >> 1
            if here & 1:
                if not summed:
                    summed = True
                    at = (neuron * gains.shape[1] + leaders[group]) * n_rows
                    add(partial, level * n_rows, gains, at, step, sums, 0)
                for w in range(at_sets, at_sets + n_words):
                    unsure = meets[n_words + w]
                    while unsure:
                        bit = unsure & (~unsure + one)
                        m = 64 * (w - at_sets) + lowest_bit(unsure)
                        unsure ^= bit
                        # where the ranks cannot tell, its own sums do
                        kind = errors(sums, mids, m * step, live, step, closed - apart, edge + apart)
                        if kind == 0:
                            meets[w] |= bit
                            number += 1
                        elif kind == 1:
                            add(partial, level * n_rows, mids, m * step, step, own, 0)
                            settle(exact, stride, own, n_samples, n_sets, closed, edge, settled)
                            right = settled[0] & sets_of[slot]
                            while right:
                                numbers[lowest_bit(right)] += 1
                                hits[m] += 1
                                total += 1
                                right &= right - one
                            perhaps = settled[1] & sets_of[slot]
                            while perhaps:
                                doubtful[n_doubtful] = (m << 6) | lowest_bit(perhaps)
                                perhaps &= perhaps - one
                                n_doubtful += 1
            if number:
                total += times[slot] * number
                by_slot[slot] += number
                weight = 0
                while times[slot] >> weight:
                    if (times[slot] >> weight) & 1:
                        tally(planes, weight * _PLANES * n_words, added[weight], n_words, meets, at_sets)
                        added[weight] += 1
                    weight += 1
    return total, n_doubtful, visited


@njit(cache=True, nogil=True, _nrt=False)
def _group(p, n_mid, gains, order, low, high, n_rows, n_samples, n_buckets, level, tight, leaders, group):
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


@njit(cache=True, nogil=True, _nrt=False)
def _by_ranks(
    p,
    n_mid,
    names,
    gains,
    order,
    low,
    high,
    partial,
    allowed,
    close,
    bias,
    targets,
    rows_of,
    budget,
    ways,
    bits_in,
    left_union,
    left_active,
    picked,
    chosen,
    accepted,
    any_accepted,
    last_marginals,
    cover,
    space,
):
    """Count the perfect choices of the last hidden layer, its right halves by their ranks.

    names (sets,): the input sets as bits of the layer; accepted and any_accepted get what any choice completes.
    Returns (number, left halves visited, number decided by `_perfect`).
    """
    (lists, starts, lows, highs, open_, masks, _, _, _, _, _, _, known, covers, classes_known) = space[0]
    (numbers, by_slot, hits, planes, added, _, _, _, _, _, _, doubtful) = space[1]
    (leaders, group, begin, members, built, _, _, _, slot_of, _, exact, _) = space[2]
    last = order.shape[0]
    n_rows = partial.shape[1]
    n_samples = targets.shape[0]
    stride = leaders.shape[0]
    n_sets = 1 << p
    full_union = n_sets - 1
    n_left = last - n_mid
    size = 1 << (p * n_mid)
    n_words = _words(size)
    n_buckets = _buckets(size)
    closed = 0.5 - close
    edge = 0.5 + close
    one = np.uint64(1)
    tight = allowed < last
    found = 0
    visited = 0
    decided = 0
    listed = False
    n_groups = 0
    apart = 0.0
    biggest = 0.0
    for s in range(n_samples):
        biggest = max(biggest, abs(partial[0, s]) + max(-low[0, s], high[0, s]))
    slack = 1e-6 * (1.0 + biggest)  # more than float32 rounds in bounds and ranks
    if not classes_known[p]:
        classes_known[p] = True
        _classes(p, n_mid, n_words, cover, covers)
    known[n_samples] = False
    left_union[0] = 0
    left_active[0] = 0
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
                        p, n_mid, gains, order, low, high, n_rows, n_samples, n_buckets, level, tight, leaders, group
                    )
                    at = 0
                    for g in range(n_groups):
                        begin[g] = at
                        for t in range(n_sets):
                            if group[t] == g:
                                members[at] = t
                                at += 1
                        for s in range(n_rows):
                            lists[(level * n_rows + s) * stride + g] = np.float32(gains[order[level], leaders[g], s])
                    begin[n_groups] = at
                    for s in range(n_samples):
                        for t in range(n_sets):
                            exact[s * stride + t] = gains[order[level], t, s]
                n_lists = n_groups
                beyond = apart
            elif not listed:
                listed = True
                for a in range(n_left - 1):
                    for s in range(n_rows):
                        for t in range(n_sets):
                            lists[(a * n_rows + s) * stride + t] = np.float32(gains[order[a], t, s])
            n_open = _bound(
                partial,
                lists,
                stride,
                low,
                high,
                level,
                n_samples,
                n_lists,
                closed,
                edge + slack + beyond,
                closed - slack - beyond,
                starts,
                lows,
                highs,
                open_,
                masks,
            )
            if level == n_left - 1:
                total, n_doubtful, more = _complete(
                    p,
                    n_mid,
                    level,
                    n_open,
                    partial,
                    gains,
                    order,
                    low,
                    high,
                    closed,
                    edge,
                    slack,
                    n_groups,
                    apart,
                    left_union[level],
                    allowed - left_active[level],
                    tight,
                    cover,
                    n_buckets,
                    n_words,
                    ways,
                    bits_in,
                    accepted[n_left],
                    space,
                )
                visited += more
                decided += n_doubtful
                for at in range(n_doubtful):
                    t = doubtful[at] & 63
                    rest = doubtful[at] >> 6
                    for a in range(level):
                        chosen[order[a]] = picked[a]
                    chosen[order[level]] = t
                    for a in range(n_left, last):
                        chosen[order[a]] = rest % n_sets
                        rest //= n_sets
                    if _perfect(chosen, gains, bias, n_samples, targets, rows_of, budget):
                        numbers[t] += 1
                        hits[doubtful[at] >> 6] += 1
                        total += 1
                if total:
                    found += total
                    for a in range(level):
                        last_marginals[order[a], names[picked[a]]] += total
                level -= 1
                continue
        if masks[2 * level] == 0:
            level -= 1
            continue
        t = lowest_bit(masks[2 * level])
        masks[2 * level] &= masks[2 * level] - one
        picked[level] = t
        left_union[level + 1] = left_union[level] | t
        left_active[level + 1] = left_active[level] + (1 if t > 0 else 0)
        free = last - level - 1
        if (masks[2 * level + 1] >> np.uint64(t)) & one and allowed - left_active[level + 1] >= free:
            # whatever the other neurons do, every output is right
            lack = full_union & ~left_union[level + 1]
            number = ways[p, free, bits_in[lack]]
            found += number
            for a in range(level + 1):
                last_marginals[order[a], names[picked[a]]] += number
            accepted[level + 1, lack] += 1
            any_accepted[level + 1] = True
            continue
        for s in range(n_rows):
            partial[level + 1, s] = partial[level, s] + gains[order[level], t, s]
        level += 1
        fresh = True
    for weight in range(added.shape[0]):
        if added[weight]:
            _empty(planes, weight * _PLANES * n_words, n_words, added[weight], weight, hits)
            added[weight] = 0
    if n_groups:
        any_accepted[n_left] = True
        for missing in range(n_sets):
            if built[missing]:
                built[missing] = False
                base = missing * n_sets
                for i in range(n_sets):
                    numbers[members[i]] += by_slot[slot_of[base + i]]
                by_slot[base : base + n_sets] = 0
        for t in range(n_sets):
            last_marginals[order[n_left - 1], names[t]] += numbers[t]
            numbers[t] = 0
        for m in range(size):
            if hits[m]:
                rest = m
                for a in range(n_left, last):
                    last_marginals[order[a], names[rest % n_sets]] += hits[m]
                    rest //= n_sets
                hits[m] = 0
    return found, visited, decided


@njit(cache=True, nogil=True, _nrt=False)
def _hopeless(
    layer,
    j,
    sizes,
    weights,
    biases,
    choice,
    table,
    lowest,
    highest,
    kind,
    slope,
    targets,
    rows_of,
    budget,
    edge,
    bounds,
):
    """Whether no choice of the neurons after j of hidden layer `layer`, and of later layers, can be perfect.

    Intervals of what every later neuron gives, over all its input sets, sample by sample. table[layer] (neurons, sets,
    samples): activations, between lowest[layer] and highest[layer] (neurons, samples); bounds (2, 2, neurons): work
    space.
    """
    depth = len(sizes) - 2
    bad = 0
    for s in range(targets.shape[0]):
        for k in range(sizes[layer + 1]):
            if k > j:
                bounds[0, 0, k] = lowest[layer, k, s]
                bounds[0, 1, k] = highest[layer, k, s]
            else:
                x = table[layer, k, choice[layer, k], s] if choice[layer, k] > 0 else 0.0
                bounds[0, 0, k] = x
                bounds[0, 1, k] = x
        now = 0
        for later in range(layer + 1, depth):
            for k in range(sizes[later + 1]):
                lo = biases[later, k]
                hi = biases[later, k]
                for i in range(sizes[later]):
                    w = weights[later, k, i]
                    a = w * bounds[now, 0, i]
                    b = w * bounds[now, 1, i]
                    lo += min(a, b, 0.0)
                    hi += max(a, b, 0.0)
                bounds[1 - now, 0, k] = min(_activate(lo, kind, slope), 0.0)
                bounds[1 - now, 1, k] = max(_activate(hi, kind, slope), 0.0)
            now = 1 - now
        lo = biases[depth, 0] - targets[s]
        hi = lo
        for i in range(sizes[depth]):
            w = weights[depth, 0, i]
            a = w * bounds[now, 0, i]
            b = w * bounds[now, 1, i]
            lo += min(a, b)
            hi += max(a, b)
        if lo > edge or hi < -edge:
            bad += rows_of[s]
            if bad > budget:
                return True
    return False


@njit(cache=True, nogil=True)
def _middle(p, last):
    """How many neurons with p inputs to rank together; 0 where ranks do not pay."""
    n_mid = 1
    while n_mid < (last + 1) // 2 and 1 << (p * n_mid) < _FEWEST:
        n_mid += 1
    return n_mid if n_mid < last and p <= 6 and p * (last - 1) < 62 and 1 << (p * n_mid) >= _FEWEST else 0


@njit(cache=True, nogil=True, inline="always")
def _words(size):
    """Words of a bit set over `size` combinations."""
    return (size + 64 * WORDS - 1) // (64 * WORDS) * WORDS


@njit(cache=True, nogil=True, inline="always")
def _buckets(size):
    """Buckets to rank `size` combinations by."""
    return min(_RANKS, size // 2)


@njit(cache=True, nogil=True)
def search(
    sizes,
    weights,
    biases,
    samples,
    targets,
    rows_of,
    budget,
    margin,
    kind,
    slope,
    max_active,
    pairs,
    mode,
    limit,
    ranks,
    part,
):
    """Walk all circuits with at most `max_active` hidden neurons and keep the perfect ones.

    weights (layers, n, n), biases (layers, n): padded with zeros, float64 copies of float32 numbers; samples
    (inputs, S): distinct inputs, the most telling first; targets (S,) 0 or 1; rows_of (S,): rows per sample;
    `budget`: rows that may be wrong; pairs (X, 2): samples whose half-differences sharpen the bounds (only valid
    when no sample may be wrong); mode COUNT, LIST (stop beyond `limit`) or SAMPLE (circuits number `ranks`, sorted);
    `part`: -1 for all circuits, or, with two hidden layers or more, those in which the first two neurons of the first
    have their `part`-th choice of input sets.

    Returns (number found, codes, marginals, number decided by `reference`, leaves, visited):
    marginals[l, j, T] is the number of perfect circuits in which neuron j of hidden layer l has input set T.
    """
    depth = len(sizes) - 2
    n_inputs = sizes[0]
    n_samples = samples.shape[1]
    n_pairs = pairs.shape[0] if budget < rows_of.min() else 0
    strict = budget < rows_of.min()
    rows = n_samples + n_pairs
    widest = sizes[:-1].max()
    options = 1 << sizes[:depth].max()
    last = sizes[depth]
    screen = min(n_samples, 8)
    offsets = np.zeros(8, np.float32)

    # shift of neuron (l, j)'s reversed input set inside a code: the first edge is the highest bit
    total_edges = 0
    for layer in range(depth):
        total_edges += sizes[layer] * sizes[layer + 1]
    shifts = np.zeros((depth, widest), np.int64)
    used = 0
    for layer in range(depth):
        for j in range(sizes[layer + 1]):
            used += sizes[layer]
            shifts[layer, j] = total_edges - used
    reversed_bits = np.zeros((depth, options), np.uint64)
    for layer in range(depth):
        for t in range(1 << sizes[layer]):
            back = 0
            for i in range(sizes[layer]):
                if (t >> i) & 1:
                    back |= 1 << (sizes[layer] - 1 - i)
            reversed_bits[layer, t] = np.uint64(back)

    # state of the odometer over the hidden layers before the last
    table = np.zeros((depth, widest, options, n_samples), np.float32)
    hidden = np.zeros((depth + 1, widest, n_samples), np.float32)
    active = np.zeros((depth + 1, widest), np.int64)
    count_active = np.zeros(depth + 1, np.int64)
    choice = np.zeros((depth, widest), np.int64)
    union = np.zeros((depth, widest + 1), np.int64)
    filled = np.zeros((depth, widest + 1), np.int64)
    codes_up = np.zeros((depth, widest + 1), np.uint64)
    actives_up = np.zeros(depth + 1, np.int64)
    expand = np.zeros((depth, options), np.int64)
    lowest = np.zeros((depth, widest, n_samples))
    highest = np.zeros((depth, widest, n_samples))
    bounds = np.zeros((2, 2, widest))
    tried = np.zeros((depth, widest), np.int64)
    cut = np.zeros((depth, widest), np.int64)
    sums = np.zeros((options, n_samples), np.float32)

    # the last hidden layer
    gains = np.zeros((last + 1, options, rows))  # the last for vectors that read on
    low = np.zeros((last + 1, rows))
    high = np.zeros((last + 1, rows))
    spread = np.zeros(last)
    order = np.zeros(last, np.int64)
    partial = np.zeros((last + 1 + DOUBLES, rows))
    picked = np.zeros(last, np.int64)
    left_union = np.zeros(last + 1, np.int64)
    left_active = np.zeros(last + 1, np.int64)
    last_codes = np.zeros((last, options), np.uint64)
    left_code = np.zeros(last + 1, np.uint64)
    room_right = 1
    for a in range(1, sizes[depth - 1] + 1):
        n_table = 1 << a
        n_right = 1
        while n_right < (last + 1) // 2 and n_table << a <= _RIGHT:
            n_right += 1
            n_table <<= a
        room_right = max(room_right, n_table)
    right_values = np.zeros((8, room_right), np.float32)
    right_raw = np.zeros((8, room_right), np.float32)
    right_union = np.zeros(room_right, np.int32)
    right_active = np.zeros(room_right, np.int32)
    lacking = np.zeros(room_right, np.int32)
    right_index = np.zeros(room_right, np.int32)
    bucket_of = np.zeros(room_right, np.int32)
    bucket_start = np.zeros(_BUCKETS + 2, np.int64)
    matched = np.zeros(room_right, np.int32)
    hits = np.zeros(room_right, np.int32)
    chosen = np.zeros(last, np.int64)

    # counting by ranks
    by_rank = mode == COUNT and strict and n_samples <= 64
    room_middle = 1
    n_ranked = 0
    room_covers = 0
    cover_at = np.zeros(sizes[depth - 1] + 1, np.int64)
    if by_rank:
        for p in range(1, sizes[depth - 1] + 1):
            n_mid = _middle(p, last)
            if n_mid:
                n_ranked = p
                room_middle = max(room_middle, 1 << (p * n_mid))
                cover_at[p] = room_covers
                room_covers += (n_mid + 1) * _words(1 << (p * n_mid)) << p
    by_rank = room_middle > 1
    room_words = _words(room_middle)
    n_lists = 1 << n_ranked
    stride = max(LANES, n_lists)
    step = (n_samples + DOUBLES - 1) // DOUBLES * DOUBLES
    mids = np.zeros(room_middle * step)
    below = np.zeros(n_samples * (_buckets(room_middle) + 1) * room_words if by_rank else 1, np.uint64)
    floors = np.zeros(n_samples, np.float32)
    scales = np.zeros(n_samples, np.float32)
    known = np.zeros(n_samples + 1, np.bool_)
    covers = np.zeros(room_covers, np.uint64)
    classes_known = np.zeros(sizes[depth - 1] + 1, np.bool_)
    lists = np.zeros(last * rows * stride if by_rank else 1, np.float32)
    starts = np.zeros(rows + 1, np.int64)
    lows = np.zeros(rows + 1, np.float32)
    highs = np.zeros(rows + 1, np.float32)
    open_ = np.zeros(rows + 1, np.int64)
    masks = np.zeros(2 * last, np.uint64)
    mid_hits = np.zeros(64 * room_words, np.int64)
    numbers = np.zeros(options, np.int64)
    n_slots = n_lists * n_lists if by_rank else 1
    by_slot = np.zeros(n_slots, np.int64)
    planes = np.zeros(7 * _PLANES * room_words, np.uint64)
    added = np.zeros(7, np.int64)
    meets = np.zeros(4 * room_words, np.uint64)
    places = np.zeros(4 * n_samples * stride, np.int32)
    flips = np.zeros(2 * n_samples, np.uint64)
    left_sums = np.zeros(step)
    live = np.zeros(step)
    live[:n_samples] = 1.0
    doubtful = np.empty(n_lists * room_middle, np.int32)
    space = (
        (
            lists,
            starts,
            lows,
            highs,
            open_,
            masks,
            mids,
            np.zeros(n_samples * room_middle + LANES, np.float32),
            np.zeros(room_middle, np.int32),
            below,
            floors,
            scales,
            known,
            covers,
            classes_known,
        ),
        (
            numbers,
            by_slot,
            mid_hits,
            planes,
            added,
            meets,
            places,
            flips,
            left_sums,
            np.zeros(step),
            live,
            doubtful,
        ),
        (
            np.zeros(stride, np.int64),
            np.zeros(stride, np.int64),
            np.zeros(stride + 1, np.int64),
            np.zeros(stride, np.int64),
            np.zeros(n_lists, np.bool_),
            np.zeros(n_slots, np.int64),
            np.zeros(n_slots, np.int64),
            np.zeros(n_slots, np.int64),
            np.zeros(n_slots, np.int64),
            np.zeros(n_slots, np.uint64),
            np.zeros(n_samples * stride if by_rank else 1),
            np.zeros(2, np.uint64),
        ),
    )
    weights32 = weights.astype(np.float32)
    biases32 = biases.astype(np.float32)
    slope32 = np.float32(slope)

    # completions of a left part by m free neurons over p inputs when q inputs are still unused: ways[p, m, q]
    most_inputs = sizes[depth - 1]
    ways = np.zeros((most_inputs + 1, last + 1, most_inputs + 1), np.int64)
    choose = np.zeros((most_inputs + 1, most_inputs + 1), np.int64)
    for a in range(most_inputs + 1):
        choose[a, 0] = 1
        for b in range(1, a + 1):
            choose[a, b] = choose[a - 1, b - 1] + choose[a - 1, b]
    for a in range(1, most_inputs + 1):
        for m in range(last + 1):
            for q in range(a + 1):
                for i in range(q + 1):
                    if (a - i) * m < 63:
                        sign = -1 if i % 2 else 1
                        ways[a, m, q] += sign * choose[q, i] * (1 << ((a - i) * m))
    accepted = np.zeros((last + 1, options), np.int64)
    any_accepted = np.zeros(last + 1, np.bool_)
    free_sets = np.zeros(options, np.int64)
    bits_in = np.zeros(options, np.int64)
    for t in range(1, options):
        bits_in[t] = bits_in[t >> 1] + (t & 1)

    marginals = np.zeros((depth, widest, options), np.int64)
    last_marginals = np.zeros((last, options), np.int64)
    capacity = 1024
    if mode == COUNT:
        capacity = 1
    elif mode == SAMPLE:
        capacity = max(1, len(ranks))
    codes = np.zeros(capacity, np.uint64)
    found = 0
    kept = 0
    decided = 0
    leaves = 0
    visited = 0
    axis = 0
    size = 0
    n_buckets = 1
    slack = np.float32(0.0)
    floor = np.float32(0.0)
    scale = np.float32(0.0)

    for i in range(n_inputs):
        active[0, i] = i
        for s in range(n_samples):
            hidden[0, i, s] = samples[i, s]
    count_active[0] = n_inputs
    layer = 0
    j = 0
    fresh = True  # the table of `layer` must be made
    while True:
        p = count_active[layer]
        if fresh:
            # activations of every neuron of this layer for every set of active inputs
            n_sets = 1 << p
            for t in range(1, n_sets):
                full = 0
                for i in range(p):
                    if (t >> i) & 1:
                        full |= 1 << active[layer, i]
                expand[layer, t] = full
            is_last = layer == depth - 1
            for k in range(sizes[layer + 1]):
                # in float32, product by product and the bias last, as `reference`
                b = biases32[layer, k]
                v = weights32[depth, 0, k] if is_last else np.float32(1.0)
                top = 0
                for s in range(n_samples):
                    sums[0, s] = np.float32(0.0)
                for t in range(1, n_sets):
                    if t >> (top + 1):
                        top += 1
                    rest = t - (1 << top)
                    w = weights32[layer, k, active[layer, top]]
                    for s in range(n_samples):
                        x = sums[rest, s] + w * hidden[layer, top, s]
                        sums[t, s] = x
                        x += b
                        if kind == 0:
                            x = x if x > 0 else x * slope32
                        elif kind == 1:
                            x = x if x > 0 else np.float32(0.0)
                        else:
                            x = np.float32(_activate(np.float64(x), kind, slope))
                        if is_last:
                            gains[k, t, s] = v * x
                        else:
                            table[layer, k, t, s] = x
                if not is_last:
                    for s in range(n_samples):
                        lowest[layer, k, s] = 0.0
                        highest[layer, k, s] = 0.0
                    for t in range(1, n_sets):
                        for s in range(n_samples):
                            x = table[layer, k, t, s]
                            lowest[layer, k, s] = min(lowest[layer, k, s], x)
                            highest[layer, k, s] = max(highest[layer, k, s], x)
            fresh = False
            if is_last:
                # ---------------------------------------------------------------- leaf
                leaves += 1
                allowed = max_active - actives_up[layer]
                full_union = n_sets - 1
                for s in range(rows):
                    low[last, s] = 0.0
                    high[last, s] = 0.0
                if allowed >= 1:
                    # neurons that vary most go left, where they are bounded first
                    rounded = 0.0
                    for s in range(n_samples):
                        low[0, s] = 0.0
                        high[0, s] = 0.0
                    for k in range(last):
                        best = 0.0
                        widest_sum = 0.0
                        for s in range(n_samples):
                            lo = 0.0
                            hi = 0.0
                            for t in range(1, n_sets):
                                g = gains[k, t, s]
                                lo = min(lo, g)
                                hi = max(hi, g)
                            best += hi - lo
                            low[0, s] += lo
                            high[0, s] += hi
                            widest_sum = max(widest_sum, max(high[0, s], -low[0, s]))
                        if k > 0:
                            rounded += widest_sum
                        if k == last - 1:
                            rounded += widest_sum + abs(biases[depth, 0])
                        spread[k] = best
                        order[k] = k
                    for a in range(1, last):
                        b = a
                        while b > 0 and spread[order[b]] > spread[order[b - 1]]:
                            swap = order[b]
                            order[b] = order[b - 1]
                            order[b - 1] = swap
                            b -= 1
                    for a in range(last - 1, -1, -1):
                        k = order[a]
                        for s in range(n_samples):
                            lo = 0.0
                            hi = 0.0
                            for t in range(1, n_sets):
                                g = gains[k, t, s]
                                lo = min(lo, g)
                                hi = max(hi, g)
                            low[a, s] = low[a + 1, s] + lo
                            high[a, s] = high[a + 1, s] + hi
                    for s in range(n_samples):
                        partial[0, s] = biases[depth, 0] - targets[s]
                    # what adds up is exact in float32: only the sum of the last layer is rounded
                    close = min(margin, 1.01 * 2.0**-24 * rounded + 1e-12)
                    edge = 0.5 + close
                    bad = 0
                    for s in range(n_samples):
                        if partial[0, s] + low[0, s] > edge or partial[0, s] + high[0, s] < -edge:
                            bad += rows_of[s]
                    if bad <= budget:
                        for x in range(n_pairs):
                            plus = pairs[x, 0]
                            minus = pairs[x, 1]
                            at = n_samples + x
                            partial[0, at] = 0.5 * (partial[0, plus] - partial[0, minus])
                            for a in range(last - 1, -1, -1):
                                k = order[a]
                                lo = 0.0
                                hi = 0.0
                                for t in range(1, n_sets):
                                    g = 0.5 * (gains[k, t, plus] - gains[k, t, minus])
                                    gains[k, t, at] = g
                                    lo = min(lo, g)
                                    hi = max(hi, g)
                                low[a, at] = low[a + 1, at] + lo
                                high[a, at] = high[a + 1, at] + hi
                            if partial[0, at] + low[0, at] > edge or partial[0, at] + high[0, at] < -edge:
                                bad = budget + 1
                                break
                    if bad <= budget:
                        # right half: every sum of the last `n_right` neurons
                        n_right = 1
                        n_table = n_sets
                        while n_right < (last + 1) // 2 and n_table * n_sets <= _RIGHT:
                            n_right += 1
                            n_table *= n_sets
                        n_left = last - n_right
                        if mode != COUNT:
                            for k in range(last):
                                for t in range(1, n_sets):
                                    last_codes[k, t] = reversed_bits[layer, expand[layer, t]] << np.uint64(
                                        shifts[layer, k]
                                    )
                        built = False
                        leaf_found = 0
                        level = 0
                        n_mid = _middle(p, last) if by_rank else 0
                        if n_mid:
                            leaf_found, more, unsure = _by_ranks(
                                p,
                                n_mid,
                                expand[layer],
                                gains,
                                order,
                                low,
                                high,
                                partial,
                                allowed,
                                close,
                                biases[depth, 0],
                                targets,
                                rows_of,
                                budget,
                                ways,
                                bits_in,
                                left_union,
                                left_active,
                                picked,
                                chosen,
                                accepted,
                                any_accepted,
                                last_marginals,
                                cover_at[p],
                                space,
                            )
                            found += leaf_found
                            visited += more
                            decided += unsure
                            level = -1
                        # left half, depth first
                        left_union[0] = 0
                        left_active[0] = 0
                        left_code[0] = 0
                        if n_left > 0:
                            picked[0] = -1
                        while level >= 0:
                            if level < n_left:
                                picked[level] += 1
                                t = picked[level]
                                if t >= n_sets:
                                    level -= 1
                                    continue
                                k = order[level]
                                bad = 0
                                if t == 0:
                                    for s in range(rows):
                                        partial[level + 1, s] = partial[level, s]
                                else:
                                    for s in range(rows):
                                        partial[level + 1, s] = partial[level, s] + gains[k, t, s]
                                if strict:
                                    worst = 0.0
                                    for s in range(rows):
                                        v = partial[level + 1, s]
                                        worst = max(worst, max(v + low[level + 1, s], -v - high[level + 1, s]))
                                    if worst > edge:
                                        continue
                                else:
                                    for s in range(n_samples):
                                        v = partial[level + 1, s]
                                        if v + low[level + 1, s] > edge or v + high[level + 1, s] < -edge:
                                            bad += rows_of[s]
                                    if bad > budget:
                                        continue
                                left_union[level + 1] = left_union[level] | t
                                left_active[level + 1] = left_active[level] + (1 if t > 0 else 0)
                                free = last - level - 1
                                if mode == COUNT and allowed - left_active[level + 1] >= free and free * p < 62:
                                    worst = 0.0
                                    for s in range(n_samples):
                                        v = partial[level + 1, s]
                                        worst = max(worst, max(v + high[level + 1, s], -v - low[level + 1, s]))
                                    if worst < 0.5 - close:
                                        # whatever the other neurons do, every output is right
                                        lack = full_union & ~left_union[level + 1]
                                        number = ways[p, free, bits_in[lack]]
                                        found += number
                                        leaf_found += number
                                        for a in range(level + 1):
                                            last_marginals[order[a], expand[layer, picked[a]]] += number
                                        accepted[level + 1, lack] += 1
                                        any_accepted[level + 1] = True
                                        continue
                                left_code[level + 1] = left_code[level] | (last_codes[k, t] if t > 0 else np.uint64(0))
                                level += 1
                                if level < n_left:
                                    picked[level] = -1
                                    continue
                            # a complete left half: look for right halves
                            visited += 1
                            if not built:
                                built = True
                                # the sample on which the right half varies most decides the buckets
                                axis = 0
                                for s in range(1, screen):
                                    if high[n_left, s] - low[n_left, s] > high[n_left, axis] - low[n_left, axis]:
                                        axis = s
                                size = 1
                                for s in range(8):
                                    right_raw[s, 0] = np.float32(0.0)
                                right_union[0] = 0
                                right_active[0] = 0
                                biggest = 0.0
                                for s in range(screen):
                                    biggest = max(biggest, abs(partial[0, s]) + max(-low[0, s], high[0, s]))
                                slack = np.float32(close + (2 * n_right + 3) * 6e-8 * biggest)
                                for a in range(n_left, last):
                                    k = order[a]
                                    for t in range(n_sets - 1, -1, -1):
                                        base = t * size
                                        grow = 1 if t > 0 else 0
                                        for s in range(screen):
                                            g = np.float32(gains[k, t, s]) if t > 0 else np.float32(0.0)
                                            for r in range(size):
                                                right_raw[s, base + r] = right_raw[s, r] + g
                                        for r in range(size):
                                            right_union[base + r] = right_union[r] | t
                                            right_active[base + r] = right_active[r] + grow
                                    size *= n_sets
                                floor = np.float32(low[n_left, axis]) - slack
                                width = np.float32(high[n_left, axis] - low[n_left, axis]) + np.float32(2.0) * slack
                                n_buckets = min(_BUCKETS, max(1, size // 2))
                                scale = np.float32(n_buckets - 1) / width if width > 0 else np.float32(0.0)
                                for q in range(n_buckets + 2):
                                    bucket_start[q] = 0
                                for r in range(size):
                                    bucket_of[r] = np.int32((right_raw[axis, r] - floor) * scale)
                                for r in range(size):
                                    bucket_start[bucket_of[r] + 1] += 1
                                for q in range(1, n_buckets + 1):
                                    bucket_start[q] += bucket_start[q - 1]
                                for r in range(size):
                                    bucket_of[r] = bucket_start[bucket_of[r]]
                                    bucket_start[np.int64((right_raw[axis, r] - floor) * scale)] += 1
                                for q in range(n_buckets, 0, -1):
                                    bucket_start[q] = bucket_start[q - 1]
                                bucket_start[0] = 0
                                for r in range(size):
                                    to = bucket_of[r]
                                    right_index[to] = r
                                    right_values[0, to] = right_raw[0, r]
                                for s in range(1, screen):
                                    for r in range(size):
                                        right_values[s, bucket_of[r]] = right_raw[s, r]
                                bucket_start[n_buckets + 1] = size
                                # bits that a right half lacks; above them, one bit for its number of active neurons
                                for r in range(size):
                                    lacking[bucket_of[r]] = (full_union & ~right_union[r]) | (
                                        1 << (p + right_active[r])
                                    )
                                    hits[r] = 0
                            missing = full_union & ~left_union[n_left]
                            room = allowed - left_active[n_left]
                            for a in range(max(room + 1, 0), n_right + 1):
                                missing |= 1 << (p + a)
                            missing = np.int32(missing)
                            tally = np.int32(0)
                            doubt = np.int32(0)
                            first = 0
                            stop = size
                            for s in range(screen):
                                offsets[s] = np.float32(partial[n_left, s])
                            if strict:
                                v = offsets[axis]
                                half = np.float32(0.5) + np.float32(2.0) * slack
                                lo_at = (-v - half - floor) * scale - np.float32(0.01)
                                hi_at = (-v + half - floor) * scale + np.float32(0.01)
                                if lo_at > 0:
                                    first = bucket_start[min(np.int64(lo_at), n_buckets)]
                                if hi_at < n_buckets:
                                    stop = bucket_start[np.int64(hi_at) + 1] if hi_at >= 0 else 0
                                top = np.float32(0.5) + slack
                                sure = np.float32(0.5) - slack
                                if first < stop:
                                    tally, doubt = _scan(
                                        right_values, lacking, offsets, 0, first, stop, missing, top, sure, matched
                                    )
                                    if tally > 0 and n_samples > 4:
                                        tally, more = _scan_again(
                                            right_values, offsets, first, stop, top, sure, matched
                                        )
                                        doubt = more
                            else:
                                for r in range(size):
                                    m = np.int32(1) if (lacking[r] & missing) == 0 else np.int32(0)
                                    if m:
                                        bad = 0
                                        for s in range(screen):
                                            e = abs(right_values[s, r] + offsets[s])
                                            if e > np.float32(0.5) + slack:
                                                bad += rows_of[s]
                                        if bad > budget:
                                            m = np.int32(0)
                                    matched[r] = m
                                    tally = np.int32(tally + m)
                            if tally > 0 and (doubt > 0 or n_samples > screen or not strict):
                                # decide again, in float64, what float32 on four samples cannot settle
                                least = 1 if n_samples > screen or not strict else 2
                                for r in range(first, stop):
                                    if matched[r] < least:
                                        continue
                                    matched[r] = np.int32(1)
                                    rest = np.int64(right_index[r])
                                    for a in range(n_left, last):
                                        picked[a] = rest % n_sets
                                        rest //= n_sets
                                    wrong = 0
                                    unsure = 0
                                    for s in range(n_samples):
                                        v = partial[n_left, s]
                                        for a in range(n_left, last):
                                            if picked[a] > 0:
                                                v += gains[order[a], picked[a], s]
                                        v = abs(v)
                                        if v > edge:
                                            wrong += rows_of[s]
                                            if wrong > budget:
                                                break
                                        elif v > 0.5 - close:
                                            unsure += rows_of[s]
                                    ok = wrong <= budget
                                    if ok and wrong + unsure > budget:
                                        decided += 1
                                        for a in range(last):
                                            chosen[order[a]] = picked[a]
                                        ok = _perfect(
                                            chosen, gains, biases[depth, 0], n_samples, targets, rows_of, budget
                                        )
                                    if not ok:
                                        matched[r] = np.int32(0)
                                        tally = np.int32(tally - 1)
                            if tally > 0:
                                if mode == COUNT:
                                    _tally_hits(hits, matched, first, stop)
                                    for a in range(n_left):
                                        last_marginals[order[a], expand[layer, picked[a]]] += tally
                                elif mode == LIST or (kept < len(ranks) and ranks[kept] < found + tally):
                                    at = found
                                    above = left_code[n_left] | (
                                        codes_up[layer - 1, sizes[layer]] if layer > 0 else np.uint64(0)
                                    )
                                    for r in range(first, stop):
                                        if matched[r] == 0:
                                            continue
                                        take = 1
                                        if mode == SAMPLE:
                                            take = 0
                                            while kept + take < len(ranks) and ranks[kept + take] == at:
                                                take += 1
                                        at += 1
                                        if take == 0:
                                            continue
                                        rest = np.int64(right_index[r])
                                        code = above
                                        for a in range(n_left, last):
                                            t = rest % n_sets
                                            rest //= n_sets
                                            if t > 0:
                                                code |= last_codes[order[a], t]
                                        for _ in range(take):
                                            if kept == capacity:
                                                capacity *= 2
                                                longer = np.zeros(capacity, np.uint64)
                                                longer[:kept] = codes
                                                codes = longer
                                            codes[kept] = code
                                            kept += 1
                                found += tally
                                leaf_found += tally
                                if (mode == LIST and found > limit) or (mode == SAMPLE and kept == len(ranks)):
                                    break
                            level -= 1
                            if n_left == 0:
                                level = -1
                        if mode == COUNT and leaf_found > 0:
                            for r in range(size if built else 0):
                                if hits[r]:
                                    rest = np.int64(right_index[r])
                                    for a in range(n_left, last):
                                        last_marginals[order[a], expand[layer, rest % n_sets]] += hits[r]
                                        rest //= n_sets
                            for a in range(1, last + 1):
                                if any_accepted[a]:
                                    any_accepted[a] = False
                                    for t in range(n_sets):
                                        free_sets[t] = 0
                                    for lack in range(n_sets):
                                        number = accepted[a, lack]
                                        if number:
                                            accepted[a, lack] = 0
                                            for t in range(n_sets):
                                                free_sets[t] += number * ways[p, last - a - 1, bits_in[lack & ~t]]
                                    for b in range(a, last):
                                        for t in range(n_sets):
                                            last_marginals[order[b], expand[layer, t]] += free_sets[t]
                            for a in range(depth - 1):
                                for k in range(sizes[a + 1]):
                                    marginals[a, k, expand[a, choice[a, k]]] += leaf_found
                        if mode == LIST and found > limit:
                            break
                        if mode == SAMPLE and kept == len(ranks):
                            break
                # ---------------------------------------------------------------- end of the leaf
                if layer == 0:
                    break
                layer -= 1
                j = sizes[layer + 1] - 1
                continue
            j = 0
            choice[layer, 0] = -1
            union[layer, 0] = 0
            filled[layer, 0] = 0
            codes_up[layer, 0] = codes_up[layer - 1, sizes[layer]] if layer > 0 else np.uint64(0)
        # next input set of neuron j of this layer
        choice[layer, j] += 1
        t = choice[layer, j]
        p = count_active[layer]
        if t >= 1 << p:
            j -= 1
            if j < 0:
                layer -= 1
                if layer < 0:
                    break
                j = sizes[layer + 1] - 1
            continue
        if part >= 0 and layer == 0 and j == min(1, sizes[1] - 1) and part != (choice[0, 0] << (p * j)) + j * t:
            continue
        union[layer, j + 1] = union[layer, j] | t
        at = filled[layer, j]
        filled[layer, j + 1] = at
        codes_up[layer, j + 1] = codes_up[layer, j]
        if t > 0:
            active[layer + 1, at] = j
            for s in range(n_samples):
                hidden[layer + 1, at, s] = table[layer, j, t, s]
            filled[layer, j + 1] = at + 1
            codes_up[layer, j + 1] |= reversed_bits[layer, expand[layer, t]] << np.uint64(shifts[layer, j])
        # cut what bounds exclude, as long as that happens often enough to pay
        if (j + 1 < sizes[layer + 1] or layer + 2 < depth) and (
            tried[layer, j] < _TRIES or _PAYS * cut[layer, j] >= tried[layer, j]
        ):
            tried[layer, j] += 1
            if _hopeless(
                layer,
                j,
                sizes,
                weights,
                biases,
                choice,
                table,
                lowest,
                highest,
                kind,
                slope,
                targets,
                rows_of,
                budget,
                0.5 + margin,
                bounds,
            ):
                cut[layer, j] += 1
                continue
        if j + 1 < sizes[layer + 1]:
            j += 1
            choice[layer, j] = -1
            continue
        if union[layer, j + 1] != (1 << p) - 1 or filled[layer, j + 1] == 0:
            continue
        if actives_up[layer] + filled[layer, j + 1] >= max_active:
            continue
        count_active[layer + 1] = filled[layer, j + 1]
        actives_up[layer + 1] = actives_up[layer] + filled[layer, j + 1]
        layer += 1
        fresh = True
    for k in range(last):
        for t in range(options):
            marginals[depth - 1, k, t] = last_marginals[k, t]
    return found, codes[:kept], marginals, decided, leaves, visited
