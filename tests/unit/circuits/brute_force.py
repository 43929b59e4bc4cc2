"""A plain search for circuits, to compare with: every candidate is written out and run as a masked PyTorch network."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import torch

FUNCTIONS = {
    "leaky_relu": torch.nn.functional.leaky_relu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
OTHERS = {
    "identity": torch.clone,
    "elu": torch.nn.functional.elu,
    "gelu": torch.nn.functional.gelu,
    "silu": torch.nn.functional.silu,
    "softplus": torch.nn.functional.softplus,
}


def layer_masks(inputs, outputs):
    """All edge masks between active `inputs` and active `outputs` (0/1 lists) without an empty row or column."""
    ins, outs = np.flatnonzero(inputs), np.flatnonzero(outputs)
    found = []
    for bits in itertools.product((0, 1), repeat=len(ins) * len(outs)):
        block = np.array(bits, dtype=np.uint8).reshape(len(outs), len(ins))
        if block.any(axis=0).all() and block.any(axis=1).all():
            mask = np.zeros((len(outputs), len(inputs)), np.uint8)
            mask[np.ix_(outs, ins)] = block
            found.append(mask)
    return np.array(found).reshape(len(found), len(outputs), len(inputs))


@lru_cache(maxsize=8)
def candidates(sizes, published=False):
    """Every candidate as edge masks (n, out, in) a layer and node masks (n, neurons) a hidden layer, in order."""
    edges = [[] for _ in sizes[1:]]
    nodes = [[] for _ in sizes[1:-1]]
    choices = [list(itertools.product((0, 1), repeat=size)) for size in sizes[1:-1]]
    cached = lru_cache(maxsize=None)(layer_masks)
    for active in itertools.product(*choices):
        if published and all(map(all, active)):
            continue
        chain = [(1,) * sizes[0], *active, (1,)]
        options = [cached(a, b) for a, b in itertools.pairwise(chain)]
        index = np.indices([len(o) for o in options]).reshape(len(options), -1)
        for layer, option in enumerate(options):
            edges[layer].append(option[index[layer]])
        for layer, mask in enumerate(active):
            nodes[layer].append(np.tile(np.array(mask, np.uint8), (index.shape[1], 1)))
    return [np.concatenate(e) for e in edges], [np.concatenate(n) for n in nodes]


def perfect(weights, biases, x, y, activation="leaky_relu", threshold=0.99, published=False, block=20000, masks=None):
    """Indices, into `candidates`, of the perfect circuits."""
    sizes = (weights[0].shape[1], *(len(b) for b in biases))
    edges, nodes = candidates(sizes, published) if masks is None else masks
    weights = [torch.as_tensor(w, dtype=torch.float32) for w in weights]
    biases = [torch.as_tensor(b, dtype=torch.float32) for b in biases]
    x, y = torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y, dtype=torch.float32).reshape(1, -1)
    found = []
    for start in range(0, len(edges[0]), block):
        h = x[None].expand(min(block, len(edges[0]) - start), -1, -1)
        for layer, (w, b) in enumerate(zip(weights, biases)):
            masked = w * torch.from_numpy(edges[layer][start : start + block]).float()
            h = torch.baddbmm(b, h, masked.transpose(1, 2))
            if layer < len(weights) - 1:
                h = (FUNCTIONS | OTHERS)[activation](h) * torch.from_numpy(nodes[layer][start : start + block])[
                    :, None
                ].float()
        right = torch.round(h[..., 0]).eq(y).sum(dim=1).numpy() / y.shape[1]
        found.append(start + np.flatnonzero(right > threshold))
    return np.concatenate(found)
