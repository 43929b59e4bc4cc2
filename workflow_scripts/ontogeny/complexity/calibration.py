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

from ontogeny.complexity.landscape import Landscape, ModuleLandscape
from ontogeny.complexity.sampling import run_chains
from ontogeny.complexity.settings import ComplexitySettings

SMALLEST, LARGEST = 1e-10, 10.0
_ROUNDS, _CHAINS, _STEPS = 7, 4, 20
_CHECKS, _WALK, _SHRINK = 8, 100, 1.5
_MOST_SAMPLES, _BATCHES, _BATCH_SHARE = 1024, 16, 0.05


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
    step shrinks until it serves there too. With a batch size, the noise of the batches' gradients may moreover be no
    more than a twentieth of the noise that a step adds.
    """
    whole = landscape
    if isinstance(landscape, ModuleLandscape):
        count = _MOST_SAMPLES if settings.batch_size is None else min(_MOST_SAMPLES, 4 * settings.batch_size)
        landscape = landscape.subsample(count, settings.seed)
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
            settings,
            generator,
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
    if settings.batch_size is not None and settings.batch_size < whole.n_samples:
        step = torch.minimum(step, _step_for_batches(whole, n_beta, settings.batch_size, generator))
    return Calibration(np.array(tried), np.array(accepted), step.numpy())


def _step_for_batches(landscape: Landscape, n_beta: float, batch_size: int, generator: torch.Generator) -> Tensor:
    """The step size of every network at which batches add _BATCH_SHARE of the variance that the noise adds.

    A step of size e adds the variance e by its noise, and (e n_beta / 2)^2 v by gradients of variance v.
    """
    n = landscape.n_networks
    owner = torch.arange(n).repeat_interleave(_BATCHES)
    start = landscape.start[owner]
    _, gradient = landscape.evaluate(start, owner, batch_size, generator)
    variance = gradient.double().view(n, _BATCHES, -1).var(1)
    typical = (variance**2).sum(1) / variance.sum(1).clamp(min=1e-300)
    return 4 * _BATCH_SHARE / (n_beta**2 * typical.clamp(min=1e-300))
