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


@lru_cache(maxsize=64)
def trained_nets(sizes, n, activation="leaky_relu", steps=500, seed=0, gate=None):
    """`n` networks trained as one batch on clean inputs; the ones that learned the gate."""
    from brute_force import FUNCTIONS

    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.tensor(v) for v in truth_table(sizes[0], gate=gate))
    pairs = list(itertools.pairwise(sizes))
    ws = [((torch.rand(n, b, a, generator=generator) * 2 - 1) / a**0.5).requires_grad_() for a, b in pairs]
    bs = [((torch.rand(n, b, 1, generator=generator) * 2 - 1) / a**0.5).requires_grad_() for a, b in pairs]
    optimiser = torch.optim.AdamW(ws + bs, lr=0.03)
    for _ in range(steps):
        h = x.T.expand(n, -1, -1)
        for w, b in zip(ws[:-1], bs[:-1]):
            h = FUNCTIONS[activation](w @ h + b)
        out = (ws[-1] @ h + bs[-1])[:, 0]
        loss = ((out - y.T) ** 2).mean(dim=1)
        optimiser.zero_grad()
        loss.sum().backward()
        optimiser.step()
    nets = []
    for k in np.flatnonzero(loss.detach().numpy() < 0.05):
        nets.append(([w[k].detach().numpy() for w in ws], [b[k, :, 0].detach().numpy() for b in bs]))
    return nets
