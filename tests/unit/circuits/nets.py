"""Small networks for the tests: trained on a gate with PyTorch, or random."""

import itertools
from functools import lru_cache

import numpy as np
import torch


def truth_table(n_inputs, copies=1, noise=0.0, seed=0, gate=None):
    """Rows of all inputs, and the parity (or `gate`, bits in counting order) of each."""
    x = np.array(list(itertools.product((0, 1), repeat=n_inputs)), np.float32)
    y = x.sum(axis=1) % 2 if gate is None else np.array(gate, np.float32)
    x, y = np.tile(x, (copies, 1)), np.tile(y, copies)
    x = x + noise * np.random.default_rng(seed).normal(size=x.shape).astype(np.float32)
    return x.astype(np.float32), y[:, None].astype(np.float32)


def random_net(sizes, seed, scale=1.0):
    rng = np.random.default_rng(seed)
    weights = [(scale * rng.normal(size=(b, a))).astype(np.float32) for a, b in itertools.pairwise(sizes)]
    biases = [(0.5 * scale * rng.normal(size=b)).astype(np.float32) for b in sizes[1:]]
    return weights, biases


SLOPES = {  # of an activation, from what comes out of it
    "leaky_relu": lambda h: np.where(h > 0, np.float32(1), np.float32(0.01)),
    "relu": lambda h: (h > 0).astype(np.float32),
    "tanh": lambda h: 1 - h * h,
    "sigmoid": lambda h: h * (1 - h),
}


@lru_cache(maxsize=64)
def trained_nets(sizes, n, activation="leaky_relu", steps=500, seed=0, gate=None):
    """`n` networks trained as one batch on clean inputs, by AdamW; the ones that learned the gate.

    Gradients are written out: PyTorch takes twenty times as long for arrays as small as these.
    """
    from brute_force import FUNCTIONS

    rng = np.random.default_rng(seed)
    x, y = truth_table(sizes[0], gate=gate)
    shapes = [(n, b, a) for a, b in itertools.pairwise(sizes)] + [(n, b, 1) for b in sizes[1:]]
    fan_in = [*sizes[:-1], *sizes[:-1]]
    values = [rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(a**0.5) for shape, a in zip(shapes, fan_in)]
    first, second = ([np.zeros_like(v) for v in values] for _ in range(2))
    ws, bs = values[: len(sizes) - 1], values[len(sizes) - 1 :]
    for step in range(1, steps + 1):
        h = [np.broadcast_to(x.T, (n, *x.T.shape))]
        for w, b in zip(ws[:-1], bs[:-1]):
            h.append(FUNCTIONS[activation](torch.from_numpy(w @ h[-1] + b)).numpy())
        wrong = ws[-1] @ h[-1] + bs[-1] - y.T
        back, of_w, of_b = 2 / len(x) * wrong, [], []
        for layer in reversed(range(len(ws))):
            of_w.append(back @ h[layer].swapaxes(1, 2))
            of_b.append(back.sum(axis=2, keepdims=True))
            if layer:
                back = (ws[layer].swapaxes(1, 2) @ back) * SLOPES[activation](h[layer])
        for value, m, v, g in zip(values, first, second, [*of_w[::-1], *of_b[::-1]]):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            value *= 1 - 0.03 * 0.01
            value -= 0.03 / (1 - 0.9**step) * m / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    learned = np.flatnonzero((wrong[:, 0] ** 2).mean(axis=1) < 0.05)
    return [([w[k].copy() for w in ws], [b[k, :, 0].copy() for b in bs]) for k in learned]
