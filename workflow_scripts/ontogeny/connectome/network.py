"""The graph network of a fit: du_i/dt = phi(u_i, a_i) + sum_j W_ij psi(u_j).

The network is that of Allier et al. (arXiv 2602.13325), with a learnable matrix W (zero diagonal), one embedding a_i
per neuron, and two small networks psi and phi. psi sees the sender alone, so all messages of a batch of frames are one
matrix product. psi and phi are evaluated on a grid of points and interpolated linearly; the grid is shifted at random
in every step, so that no kink stays in one place and the cost of the small networks does not grow with the batch.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.connectome.settings import FitSettings
from ontogeny.nonlinearities.torch import MODULES


class _Interpolation(torch.autograd.Function):
    """Rows of `table` (rows, points) at fractional positions; gradient for the table only."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, lower: Tensor, share: Tensor) -> Tensor:
        ctx.save_for_backward(lower, share)
        ctx.shape = table.shape
        flat = table.reshape(-1)
        left = flat[lower]
        return left + share * (flat[lower + 1] - left)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        lower, share = ctx.saved_tensors
        rows, points = ctx.shape
        lower = lower.reshape(-1)
        right = (gradient * share).reshape(-1)
        left = gradient.reshape(-1) - right
        total = torch.zeros(rows * points, dtype=gradient.dtype, device=gradient.device)
        total.index_add_(0, lower, left)
        total.index_add_(0, lower + 1, right)
        return total.reshape(rows, points), None, None


class Grid:
    """Points dense around 0 and sparse far out (equal steps in asinh(u / scale)) that cover `low`..`high`."""

    def __init__(self, low: float, high: float, scale: float, points: int) -> None:
        self.first, last = math.asinh(low / scale), math.asinh(high / scale)
        self.step = max(last - self.first, 1e-6) / (points - 2)
        self.points, self.scale = points, scale

    def draw(self, shift: float, like: Tensor) -> Tensor:
        """The points (points,) with the whole grid moved down by `shift` (0..1) steps."""
        places = self.first + (torch.arange(self.points, device=like.device, dtype=like.dtype) - shift) * self.step
        return self.scale * torch.sinh(places)

    def place(self, u: Tensor, grid: Tensor, shift: float) -> tuple[Tensor, Tensor]:
        """Index of the grid point below each of `u`, and the share of the way to the next."""
        lower = ((torch.asinh(u / self.scale) - self.first) / self.step + shift).long().clamp_(0, self.points - 2)
        left = grid[lower]
        return lower, (u - left) / (grid[lower + 1] - left)


def _mlp(inputs: int, settings: FitSettings, generator: torch.Generator) -> nn.Sequential:
    sizes = [inputs] + [settings.hidden_dim] * (settings.n_layers - 1) + [1]
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(sizes)):
        with torch.random.fork_rng(devices=[]):
            layer = nn.Linear(before, after)
        bound = 1 / math.sqrt(before)
        with torch.no_grad():
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
        layers.append(layer)
        if index < len(sizes) - 2:
            layers.append(MODULES[settings.activation]())
    return nn.Sequential(*layers)


class ConnectomeNetwork(nn.Module):
    """The equation of this module as a network: `W` (N, N), `embedding` (N, d), `psi` and `phi`.

    `mask` (N, N) is 1 where W may differ from 0; `low`..`high` is the range of u that the grids
    cover, `scale` the size of u below which they are dense.
    """

    mask: Tensor

    def __init__(
        self,
        n_neurons: int,
        settings: FitSettings,
        mask: Tensor,
        low: float,
        high: float,
        scale: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.psi = _mlp(1, settings, generator)
        self.phi = _mlp(1 + settings.embedding_dim, settings, generator)
        self.embedding = nn.Parameter(torch.ones(n_neurons, settings.embedding_dim))
        spread = {"zeros": 0.0, "scaled": settings.W_init_scale / math.sqrt(n_neurons), "normal": 1.0}[settings.W_init]
        shape = (n_neurons, n_neurons)
        draw = torch.randn(shape, generator=generator) * spread if spread else torch.zeros(shape)
        self.W = nn.Parameter(draw * mask)
        self.register_buffer("mask", mask, persistent=False)
        self.W.register_post_accumulate_grad_hook(self._hold_absent_edges)
        self.grid_psi = Grid(low, high, scale, settings.grid_psi)
        self.grid_phi = Grid(low, high, scale, settings.grid_phi)

    def _hold_absent_edges(self, W: Tensor) -> None:
        if W.grad is not None:
            W.grad.mul_(self.mask)

    def psi_at(self, u: Tensor) -> Tensor:
        """psi at `u` of any shape, by the network itself."""
        return self.psi(u.reshape(-1, 1)).reshape(u.shape)

    def phi_at(self, u: Tensor) -> Tensor:
        """phi of every neuron at the points `u` (points,): (neurons, points)."""
        first, *rest = self.phi
        weight, bias = first.get_parameter("weight"), first.get_parameter("bias")
        of_u = torch.outer(u, weight[:, 0])
        of_a = self.embedding @ weight[:, 1:].T + bias
        hidden = of_a[:, None, :] + of_u[None]
        for layer in rest:
            hidden = layer(hidden)
        return hidden[..., 0]

    def forward(self, u: Tensor, shift: float | None = None, receivers: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """du/dt (frames, neurons) at `u` (frames, neurons), and psi's values at `u`.

        With `shift` in 0..1 the two functions are interpolated on grids moved by so many steps; without, they are
        evaluated at every point. `receivers` restricts the result to those neurons.
        """
        mine = u if receivers is None else u[:, receivers]
        W = self.W if receivers is None else self.W[receivers]
        if shift is None:
            sent = self.psi_at(u)
            rows = torch.cat([mine[..., None], self._embedded(receivers).expand(len(u), -1, -1)], -1)
            own = self.phi(rows)[..., 0]
        else:
            grid = self.grid_psi.draw(shift, u)
            lower, share = self.grid_psi.place(u, grid, shift)
            sent = _Interpolation.apply(self.psi_at(grid)[None], lower, share)
            grid = self.grid_phi.draw(shift, u)
            lower, share = self.grid_phi.place(mine, grid, shift)
            table = self.phi_at(grid)
            table = table if receivers is None else table[receivers]
            lower = lower + torch.arange(len(table), device=u.device) * self.grid_phi.points
            own = _Interpolation.apply(table, lower, share)
        return own + sent @ W.T, sent

    def _embedded(self, receivers: Tensor | None) -> Tensor:
        return self.embedding if receivers is None else self.embedding[receivers]
