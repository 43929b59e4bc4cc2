"""The upper layers: every choice of input sets for the neurons of all hidden layers but the last, one after another.

An odometer, neuron by neuron. After each choice, intervals over whatever is still free, propagated through all later
layers, tell whether any circuit is left; if not, the choice is dropped, for as long as that happens often enough to
pay. On trained 2-4-4-4-1 and 2-3-3-3-1 networks this drops between nothing and 95 % of the combinations.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ontogeny.circuits._problem import OWN
from ontogeny.circuits._records import call, piece
from ontogeny.circuits._state import BARE, INLINE
from ontogeny.nonlinearities.compiled import activate, lowest_between

_TRIES = 256  # bounds of upper layers are tried this often before their use is judged
_PAYS = 32  # a cut saves about as much as this many bounds cost
_ROWS = 64  # bounds of upper layers look at so many rows at most


@piece(**BARE)
def begin(network, rows, walk):
    """Stand before the first choice."""
    walk.place[1] = -1
    for layer in range(walk.choice.shape[0]):
        for j in range(walk.choice.shape[1]):
            walk.choice[layer, j] = -1
    walk.count[0] = network.sizes[0]
    for i in range(network.sizes[0]):
        walk.active[0, i] = i
        for s in range(rows.inputs.shape[1]):
            walk.values[0, i, s] = rows.inputs[i, s]


@njit(**INLINE)
def activations(weights, bias, inputs, active, p, kind, slope, s, sums, out):
    """out (sets,): a neuron's activation on row s for every set of its p active inputs, in float32.

    weights (n, rows), bias (rows,), inputs (n, rows). Product by product in order, and the bias last, as a masked
    forward pass rounds. sums (sets,): work space.
    """
    sums[0] = np.float32(0.0)
    for top in range(p):
        x = weights[active[top], s] * inputs[top, s]
        for rest in range(1 << top):
            sums[(1 << top) + rest] = sums[rest] + x
    b = bias[s]
    if kind == 0:
        leak = np.float32(slope)
        for t in range(1, 1 << p):
            x = sums[t] + b
            out[t] = x if x > 0 else x * leak
    elif kind == 1:
        for t in range(1, 1 << p):
            x = sums[t] + b
            out[t] = x if x > 0 else np.float32(0.0)
    else:
        for t in range(1, 1 << p):
            out[t] = np.float32(activate(np.float64(sums[t] + b), kind, slope))


@njit(**INLINE)
def expand_sets(active, p, expand):
    """expand (sets,): sets of p active neurons, as bits of all neurons of the layer."""
    for t in range(1, 1 << p):
        whole = 0
        for i in range(p):
            if (t >> i) & 1:
                whole |= 1 << active[i]
        expand[t] = whole


@piece(**BARE)
def enter(table, own, network, walk, layer):
    """Tabulate the neurons of an upper layer under the choices before it, and stand before its first choice.

    own: address of what applies functions that only Python knows to sums in `walk.table`, or 0.
    """
    p = walk.count[layer]
    expand_sets(walk.active[layer], p, walk.expand[layer])
    kind = network.kinds[layer]
    slope = network.slopes[layer]
    outs = walk.outs
    for turn in range(2 if kind == OWN else 1):
        if turn == 1:
            call(own, table, layer, p, 0)
        for k in range(network.sizes[layer + 1]):
            weights = network.weights[layer, k]
            bias = network.biases[layer, k]
            values = walk.table[layer, k]
            for s in range(bias.shape[0]):
                if turn == 1:
                    for t in range(1, 1 << p):
                        outs[t] = values[t, s]
                else:
                    activations(
                        weights, bias, walk.values[layer], walk.active[layer], p, kind, slope, s, walk.sums, outs
                    )  # fmt: skip
                low = np.float32(0.0)
                high = np.float32(0.0)
                for t in range(1, 1 << p):
                    x = outs[t]
                    values[t, s] = x
                    low = min(low, x)
                    high = max(high, x)
                walk.lowest[layer, k, s] = low
                walk.highest[layer, k, s] = high
    walk.choice[layer, 0] = -1
    walk.union[layer, 0] = 0
    walk.filled[layer, 0] = 0
    walk.codes[layer, 0] = walk.codes[layer - 1, network.sizes[layer]] if layer > 0 else np.uint64(0)


@njit(**INLINE)
def _hopeless(network, rows, walk, layer, j, edge):
    """Whether no choice of the neurons after j of hidden layer `layer`, and of later layers, can be perfect.

    Intervals of what every later neuron gives, over all its input sets, row by row.
    """
    sizes = network.sizes
    depth = len(sizes) - 2
    bounds = walk.bounds
    part = 0
    walk.bad[0] = 0
    for s in range(min(_ROWS, walk.values.shape[2])):
        while s >= rows.starts[part + 1]:
            part += 1
            walk.bad[part] = 0
        for k in range(sizes[layer + 1]):
            low = np.float64(walk.lowest[layer, k, s])
            high = np.float64(walk.highest[layer, k, s])
            if k <= j:
                t = walk.choice[layer, k]
                low = np.float64(walk.table[layer, k, t, s]) if t > 0 else 0.0
                high = low
            bounds[0, 0, k] = low
            bounds[0, 1, k] = high
        now = 0
        for later in range(layer + 1, depth + 1):
            for k in range(sizes[later + 1]):
                low = np.float64(network.biases[later, k, s])
                high = low
                for i in range(sizes[later]):
                    w = np.float64(network.weights[later, k, i, s])
                    a = w * bounds[now, 0, i]
                    b = w * bounds[now, 1, i]
                    low += min(a, b, 0.0)
                    high += max(a, b, 0.0)
                if later < depth:
                    kind = network.kinds[later]
                    slope = network.slopes[later]
                    least = lowest_between(low, high, kind, slope)
                    high = max(activate(low, kind, slope), activate(high, kind, slope), 0.0)
                    low = min(least, 0.0)
                bounds[1 - now, 0, k] = low
                bounds[1 - now, 1, k] = high
            now = 1 - now
        low = (bounds[now, 0, 0] - rows.centre[s]) * rows.scale[s]
        high = (bounds[now, 1, 0] - rows.centre[s]) * rows.scale[s]
        if low > edge or high < -edge:
            walk.bad[part] += rows.weight[s]
            if walk.bad[part] > rows.budget[part]:
                return True
    return False


@njit(**INLINE)
def _take(walk, layer, j, t):
    """Give neuron j of an upper layer the input set t."""
    walk.union[layer, j + 1] = walk.union[layer, j] | t
    at = walk.filled[layer, j]
    walk.filled[layer, j + 1] = at
    walk.codes[layer, j + 1] = walk.codes[layer, j]
    if t > 0:
        walk.active[layer + 1, at] = j
        for s in range(walk.values.shape[2]):
            walk.values[layer + 1, at, s] = walk.table[layer, j, t, s]
        walk.filled[layer, j + 1] = at + 1
        edges = walk.backwards[layer, walk.expand[layer, t]]
        walk.codes[layer, j + 1] |= edges << np.uint64(walk.shifts[layer, j])


@piece(**BARE)
def advance(table, own, network, rows, walk, most, part, edge, stop):
    """Go to the next complete choice of the upper layers that may be part of a circuit; False when there is none.

    own: as in `enter`; with it nothing is known about functions between two sums, and no choice is dropped. most:
    hidden neurons that may be active; part: see `Task`; edge: how far a scaled output may be from its centre; stop: how
    many hidden layers are chosen.
    """
    sizes = network.sizes
    depth = len(sizes) - 2
    layer = walk.place[0]
    j = walk.place[1]
    if j < 0:
        walk.place[1] = 0
        if stop == 0:
            return True
        enter(table, own, network, walk, layer)
        j = 0
    elif stop == 0:
        return False
    while True:
        walk.choice[layer, j] += 1
        t = walk.choice[layer, j]
        p = walk.count[layer]
        if t >= 1 << p:
            j -= 1
            if j < 0:
                layer -= 1
                if layer < 0:
                    return False
                j = sizes[layer + 1] - 1
            continue
        if part >= 0 and layer == 0 and j == min(1, sizes[1] - 1) and part != (walk.choice[0, 0] << (p * j)) + j * t:
            continue
        _take(walk, layer, j, t)
        if walk.used[layer] + walk.filled[layer, j + 1] + depth - 1 - layer > most:
            continue
        more = j + 1 < sizes[layer + 1]
        worth = walk.tried[layer, j] < _TRIES or _PAYS * walk.cut[layer, j] >= walk.tried[layer, j]
        if (more or layer + 2 < depth) and worth and own == 0:
            walk.tried[layer, j] += 1
            if _hopeless(network, rows, walk, layer, j, edge):
                walk.cut[layer, j] += 1
                continue
        if more:
            j += 1
            walk.choice[layer, j] = -1
            continue
        filled = walk.filled[layer, j + 1]
        if walk.union[layer, j + 1] != (1 << p) - 1 or filled == 0 or walk.used[layer] + filled >= most:
            continue
        walk.count[layer + 1] = filled
        walk.used[layer + 1] = walk.used[layer] + filled
        layer += 1
        if layer == stop:
            walk.place[0] = layer - 1
            walk.place[1] = sizes[layer] - 1
            return True
        enter(table, own, network, walk, layer)
        j = 0


@piece(**BARE)
def rounding_margin(network, rows, values):
    """As `_plain.rounding_margin`; values (2, 3, neurons): work space."""
    sizes = network.sizes
    unit = 2.0**-24
    worst = 0.0
    for s in range(rows.weight.shape[0]):
        now = 0
        for i in range(sizes[0]):
            x = np.float64(rows.inputs[i, s])
            values[0, 0, i] = x
            values[0, 1, i] = x
            values[0, 2, i] = 0.0
        for layer in range(len(sizes) - 1):
            for j in range(sizes[layer + 1]):
                up = 0.0
                down = 0.0
                error = 0.0
                for i in range(sizes[layer]):
                    w = np.float64(network.weights[layer, j, i, s])
                    below = w * min(values[now, 0, i], 0.0)
                    above = w * max(values[now, 1, i], 0.0)
                    up += max(below, above)
                    down += min(below, above)
                    error += abs(w) * values[now, 2, i]
                low = down + network.biases[layer, j, s]
                high = up + network.biases[layer, j, s]
                error += unit * (up - down + (sizes[layer] - 1) * max(up, -down) + max(abs(low), abs(high)))
                if layer < len(sizes) - 2:
                    kind = network.kinds[layer]
                    slope = network.slopes[layer]
                    least = lowest_between(low, high, kind, slope)
                    high = max(activate(low, kind, slope), activate(high, kind, slope))
                    low = least
                    error = (1.15 if kind > 5 else 1.0) * error + 4 * unit * max(abs(low), abs(high))
                values[1 - now, 0, j] = low
                values[1 - now, 1, j] = high
                values[1 - now, 2, j] = error
            now = 1 - now
        worst = max(worst, values[now, 2, 0] * rows.scale[s])
    return 1.01 * worst + 1e-12
