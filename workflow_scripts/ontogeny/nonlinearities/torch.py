"""The elementwise functions of neurons, for PyTorch: modules by name, and functions with their slopes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ontogeny.nonlinearities import LEAK


class Square(nn.Module):
    """x squared: with it, two layers can add numbers modulo p exactly (Gromov 2023, arXiv:2301.02679)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square()


MODULES: dict[str, type[nn.Module]] = {
    "none": nn.Identity,
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "softplus": nn.Softplus,
    "square": Square,
}
"""The module of every function of `NONLINEARITIES`, with PyTorch's default settings."""

SLOPES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor], Tensor]]] = {
    "leaky_relu": (
        lambda z: torch.where(z > 0, z, z * LEAK),
        lambda z, a: torch.where(z > 0, z.new_tensor(1.0), z.new_tensor(LEAK)),
    ),
    "relu": (torch.relu, lambda z, a: (z > 0).to(z.dtype)),
    "tanh": (torch.tanh, lambda z, a: 1 - a * a),
    "sigmoid": (torch.sigmoid, lambda z, a: a * (1 - a)),
    "none": (lambda z: z, lambda z, a: torch.ones((), dtype=z.dtype)),
}
"""Functions whose slope follows from their input z and output a: each function, and its slope as a function of both."""
