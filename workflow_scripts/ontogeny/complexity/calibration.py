"""The step size of the chains: the largest whose steps a Metropolis test would hardly ever refuse.

Langevin steps that are too large sample something else than the posterior; the share that a Metropolis-adjusted
sampler (MALA; Roberts and Tweedie 1996) would refuse tells how much. It is measured, not applied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ontogeny.complexity.landscape import Landscape
from ontogeny.complexity.sampling import run_chains
from ontogeny.complexity.settings import ComplexitySettings

SMALLEST, LARGEST = 1e-10, 10.0
_ROUNDS, _CHAINS, _STEPS = 7, 4, 20
_CHECKS, _WALK, _SHRINK = 8, 100, 1.5


@dataclass(frozen=True)
class Calibration:
    """Step sizes that were tried, (rounds, networks), the share accepted at each, and the one chosen, (networks,)."""

    tried: NDArray[np.float64]
    accepted: NDArray[np.float64]
    chosen: NDArray[np.float64]


def calibrate(landscape: Landscape, n_beta: float, settings: ComplexitySettings) -> Calibration:
    """The largest step size of every network at which `settings.acceptance` of the steps would be accepted.

    By bisection on a logarithmic scale, all networks at once; within a factor of 1.5. Where the loss is flat at the
    weights and steep further out, the step that serves at the start is too large later: so chains then walk, and the
    step shrinks until it serves there too.
    """
    generator = torch.Generator().manual_seed(settings.seed + 1)
    n = landscape.n_networks
    owner = torch.arange(n).repeat_interleave(_CHAINS)
    low = torch.full((n,), np.log(SMALLEST), dtype=torch.float64)
    high = torch.full((n,), np.log(LARGEST), dtype=torch.float64)
    tried, accepted = [], []

    def share_accepted(step: Tensor, n_steps: int) -> Tensor:
        chains = run_chains(
            landscape,
            owner,
            step[owner],
            n_steps,
            n_beta,
            settings.localisation,
            generator,
            sampler=settings.sampler,
            adapt_steps=n_steps,
            acceptance_from=n_steps - _STEPS,
        )
        assert chains.accepted is not None
        return chains.accepted.view(n, _CHAINS).mean(1)

    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        share = share_accepted(middle.exp(), _STEPS)
        good = share >= settings.acceptance
        low, high = torch.where(good, middle, low), torch.where(good, high, middle)
        tried.append(middle.exp().numpy())
        accepted.append(share.numpy())
    step = low.exp()
    for _ in range(_CHECKS):
        share = share_accepted(step, _WALK)
        tried.append(step.numpy())
        accepted.append(share.numpy())
        bad = share < settings.acceptance
        if not bad.any():
            break
        step = torch.where(bad, step / _SHRINK, step)
    return Calibration(np.array(tried), np.array(accepted), step.numpy())
