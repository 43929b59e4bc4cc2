"""The search for perfect circuits in NumPy, for where Numba is missing: the same circuits, without its speed.

It takes and returns what `_compiled.search` does. Input sets of all hidden layers but the last are walked in Python;
the last layer is decided for blocks of combinations at once.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

COUNT, LIST, SAMPLE = 0, 1, 2
_BLOCK = 1 << 18


def activate(values: NDArray, kind: int, slope: float) -> NDArray:
    """The activation function numbered `kind`, in the precision of `values`."""
    one = values.dtype.type(1)
    if kind == 0:
        return np.where(values > 0, values, values * values.dtype.type(slope))
    if kind == 1:
        return np.maximum(values, 0)
    if kind == 2:
        return np.tanh(values)
    if kind == 3:
        return one / (one + np.exp(-values))
    return values


def reference(sets, sizes, weights, biases, samples, targets, rows_of, budget, kind, slope) -> bool:
    """Whether a circuit is perfect in float32: products and sums rounded one by one, in order, the bias last."""
    depth = len(sizes) - 2
    now = samples.astype(np.float32)
    for layer in range(depth):
        then = np.zeros((sizes[layer + 1], now.shape[1]), np.float32)
        for j in range(sizes[layer + 1]):
            if sets[layer, j]:
                total = np.zeros(now.shape[1], np.float32)
                for i in range(sizes[layer]):
                    if (int(sets[layer, j]) >> i) & 1:
                        total = total + np.float32(weights[layer, j, i]) * now[i]
                total = total + np.float32(biases[layer, j])
                then[j] = activate(total if kind < 2 else total.astype(np.float64), kind, slope)
        now = then
    total = np.zeros(now.shape[1], np.float32)
    for j in range(sizes[depth]):
        if sets[depth - 1, j]:
            total = total + np.float32(weights[depth, 0, j]) * now[j]
    out = total + np.float32(biases[depth, 0])
    good = np.where(targets == 0, np.abs(out) <= 0.5, (out > 0.5) & (out < 1.5))
    return int(rows_of[~good].sum()) <= budget


def rounding_margin(sizes, weights, biases, samples, kind, slope) -> float:
    """How far the output of any masked forward pass in float32 can be from the same in float64, at most.

    Intervals that hold every neuron for every circuit, sample by sample, and first-order running error analysis of
    the sums (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    """
    unit = 2.0**-24
    low = high = samples
    error = np.zeros_like(samples)
    for layer in range(len(sizes) - 1):
        matrix, b = weights[layer, : sizes[layer + 1], : sizes[layer]], biases[layer, : sizes[layer + 1], None]
        plus, minus = np.maximum(matrix, 0.0), np.minimum(matrix, 0.0)
        above, below = np.maximum(high, 0.0), np.minimum(low, 0.0)
        up, down = plus @ above + minus @ below, plus @ below + minus @ above
        # products are rounded once, partial sums (inputs - 1) times, and once more with the bias
        high, low = up + b, down + b
        rounded = up - down + (sizes[layer] - 1) * np.maximum(up, -down) + np.maximum(np.abs(high), np.abs(low))
        error = (plus - minus) @ error + unit * rounded
        if layer < len(sizes) - 2:
            high, low = activate(high, kind, slope), activate(low, kind, slope)
            error = error + 4 * unit * np.maximum(np.abs(high), np.abs(low))
    return float(1.01 * error.max() + 1e-12)


def _bits(t: int, width: int) -> list[int]:
    return [i for i in range(width) if (t >> i) & 1]


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
    """As `_compiled.search`; `pairs` is not used."""
    depth = len(sizes) - 2
    widest = int(max(sizes[:-1]))
    options = 1 << int(max(sizes[:depth]))
    last = int(sizes[depth])
    total_edges = int(sum(a * b for a, b in pairwise(sizes[: depth + 1])))
    shifts, used = np.zeros((depth, widest), np.int64), 0
    for layer in range(depth):
        for j in range(sizes[layer + 1]):
            used += int(sizes[layer])
            shifts[layer, j] = total_edges - used
    marginals = np.zeros((depth, widest, options), np.int64)
    codes: list[NDArray] = []
    state = {"found": 0, "kept": 0, "decided": 0, "leaves": 0, "visited": 0}

    def code_of(layer: int, j: int, t: int) -> int:
        back = sum(1 << (int(sizes[layer]) - 1 - i) for i in _bits(t, int(sizes[layer])))
        return back << int(shifts[layer, j])

    def tables(layer: int, hidden: dict[int, NDArray]) -> tuple[list[int], NDArray]:
        """Every set of active neurons, and the activations (neurons, sets, samples) for each."""
        names = sorted(hidden)
        sets = [sum(1 << names[i] for i in _bits(t, len(names))) for t in range(1 << len(names))]
        sums = np.repeat(biases[layer, : sizes[layer + 1], None, None], len(sets), axis=1)
        sums = np.repeat(sums, samples.shape[1], axis=2)
        for t in range(1, len(sets)):
            low = (t & -t).bit_length() - 1
            sums[:, t] = (
                sums[:, t & (t - 1)] + weights[layer, : sizes[layer + 1], names[low], None] * hidden[names[low]]
            )
        values = activate(sums, kind, slope)
        values[:, 0] = 0.0
        return sets, values

    def leaf(hidden: dict[int, NDArray], chosen: list[tuple[int, ...]], code: int, active: int) -> bool:
        """Decide all choices of the last hidden layer; True when enough has been found."""
        state["leaves"] += 1
        sets, values = tables(depth - 1, hidden)
        gains = values * weights[depth, 0, :last, None, None]
        n_sets, full = len(sets), len(sets) - 1
        base = biases[depth, 0] - targets
        grid = n_sets**last
        for start in range(0, grid, _BLOCK):
            index = np.arange(start, min(start + _BLOCK, grid))
            digits = [(index // n_sets**k) % n_sets for k in range(last)]
            union = np.bitwise_or.reduce(digits)
            count = sum((d > 0).astype(np.int64) for d in digits)
            live = np.flatnonzero((union == full) & (count + active <= max_active))
            wrong = np.zeros(len(live), np.int64)
            unsure = np.zeros(len(live), np.int64)
            for s in range(samples.shape[1]):
                if not len(live):
                    break
                error = np.full(len(live), base[s])
                for k in range(last):
                    error += gains[k, digits[k][live], s]
                error = np.abs(error)
                wrong += rows_of[s] * (error > 0.5 + margin)
                unsure += rows_of[s] * ((error > 0.5 - margin) & (error <= 0.5 + margin))
                keep = wrong <= budget
                live, wrong, unsure = live[keep], wrong[keep], unsure[keep]
            state["visited"] += len(live)
            good = np.ones(len(live), bool)
            for at in np.flatnonzero(wrong + unsure > budget):
                state["decided"] += 1
                picked = np.zeros((depth, widest), np.int64)
                for layer, row in enumerate(chosen):
                    picked[layer, : len(row)] = row
                picked[depth - 1, :last] = [sets[digits[k][live[at]]] for k in range(last)]
                good[at] = reference(picked, sizes, weights, biases, samples, targets, rows_of, budget, kind, slope)
            live = live[good]
            if not len(live):
                continue
            if mode == COUNT:
                for layer, row in enumerate(chosen):
                    for k, t in enumerate(row):
                        marginals[layer, k, t] += len(live)
                for k in range(last):
                    np.add.at(marginals[depth - 1, k], np.asarray(sets)[digits[k][live]], 1)
            else:
                own = np.full(len(live), code, np.uint64)
                for k in range(last):
                    lookup = np.array([code_of(depth - 1, k, t) for t in sets], np.uint64)
                    own |= lookup[digits[k][live]]
                if mode == SAMPLE:
                    begin, end = np.searchsorted(ranks, [state["found"], state["found"] + len(live)])
                    own = own[np.asarray(ranks[begin:end]) - state["found"]]
                codes.append(own)
                state["kept"] += len(own)
            state["found"] += len(live)
            if (mode == LIST and state["found"] > limit) or (mode == SAMPLE and state["kept"] == len(ranks)):
                return True
        return False

    def walk(layer: int, hidden: dict[int, NDArray], chosen: list[tuple[int, ...]], code: int, active: int) -> bool:
        if layer == depth - 1:
            return leaf(hidden, chosen, code, active)
        sets, values = tables(layer, hidden)
        for row in product(range(len(sets)), repeat=int(sizes[layer + 1])):
            if part >= 0 and layer == 0 and part != sum(t * len(sets) ** k for k, t in enumerate(row[1::-1])):
                continue
            if np.bitwise_or.reduce(row) != len(sets) - 1:
                continue
            alive = [k for k, t in enumerate(row) if t]
            if active + len(alive) >= max_active:
                continue
            below = {k: values[k, row[k]] for k in alive}
            names = tuple(sets[t] for t in row)
            add = sum(code_of(layer, k, names[k]) for k in alive)
            if walk(layer + 1, below, [*chosen, names], code | add, active + len(alive)):
                return True
        return False

    walk(0, {i: samples[i] for i in range(sizes[0])}, [], 0, 0)
    listed = np.concatenate(codes) if codes else np.zeros(0, np.uint64)
    return state["found"], listed, marginals, state["decided"], state["leaves"], state["visited"]
