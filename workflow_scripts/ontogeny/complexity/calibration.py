"""The step size of the chains: the largest whose steps a Metropolis test would hardly ever refuse.

Langevin steps that are too large sample something else than the posterior; the share that a Metropolis-adjusted
sampler (MALA; Roberts and Tweedie 1996) refuses tells how much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ontogeny.arguments import checks_arguments
from ontogeny.complexity.landscape import Landscape, ModuleLandscape
from ontogeny.complexity.sampling import AdjustedChains
from ontogeny.complexity.settings import SCALE_STEPS, ComplexitySettings

SMALLEST, LARGEST = 1e-10, 10.0
_WALK, _CHAINS = 100, 2
_GAIN, _DECAY = 3.0, 0.6
_PULL = {True: 1.0, False: 0.2}
"""The largest step times localisation: corrected chains sample the pull exactly, others 5 % too widely at this."""
_MOST_SAMPLES, _BATCHES, _BATCH_SHARE = 1024, 16, 0.05


@dataclass(frozen=True)
class Calibration:
    """Step sizes that were tried, (steps, networks), the share accepted at each, and the one chosen, (networks,)."""

    tried: NDArray[np.float64]
    accepted: NDArray[np.float64]
    chosen: NDArray[np.float64]


@checks_arguments
def calibrate(landscape: Landscape, n_beta: float, settings: ComplexitySettings) -> Calibration:
    """The step size of every network at which `settings.acceptance` of the steps would be accepted.

    Two Metropolis-adjusted chains per network walk for 100 steps and change their step size on the way: up where more
    than the share asked for is accepted, down where less is (Robbins and Monro 1951; Andrieu and Thoms 2008, algorithm
    4), by less and less. The choice is the geometric mean over the second half, within about a quarter. Its scale is
    found before, by bisection over single steps from the weights. All networks walk at once: 216 losses per network,
    of at most 1,024 samples. With a batch size, the noise of the batches' gradients may moreover be no more than a
    twentieth of the noise that a step adds.
    """
    whole = landscape
    most = LARGEST if not settings.localisation else min(LARGEST, _PULL[settings.corrected] / settings.localisation)
    if isinstance(landscape, ModuleLandscape):
        count = _MOST_SAMPLES if settings.batch_size is None else min(_MOST_SAMPLES, 4 * settings.batch_size)
        landscape = landscape.subsample(count, settings.seed)
    generator = torch.Generator().manual_seed(settings.seed + 1)
    n = landscape.n_networks
    walk = AdjustedChains(landscape, torch.arange(n).repeat_interleave(_CHAINS), n_beta, settings, generator)
    low = torch.full((n,), np.log(SMALLEST), dtype=torch.float64)
    high = torch.full((n,), np.log(most), dtype=torch.float64)
    tried: list[NDArray[np.float64]] = []
    accepted: list[NDArray[np.float64]] = []

    def share_accepted(step: Tensor, move: bool) -> Tensor:
        share = walk.step(step.exp().repeat_interleave(_CHAINS), move).view(n, _CHAINS).mean(1)
        if move:
            walk.adapt()
        tried.append(step.exp().numpy())
        accepted.append(share.numpy())
        return share

    for _ in range(SCALE_STEPS):
        middle = (low + high) / 2
        good = share_accepted(middle, move=False) >= 0.5
        low, high = torch.where(good, middle, low), torch.where(good, high, middle)
    step = low
    for t in range(_WALK):
        share = share_accepted(step, move=True)
        step = step + _GAIN / (1 + t / 10) ** _DECAY * (share - settings.acceptance)
        step = step.clamp(np.log(SMALLEST), np.log(most))
    chosen = torch.as_tensor(np.exp(np.log(np.array(tried[-_WALK // 2 :])).mean(0)))
    if settings.batch_size is not None and settings.batch_size < whole.n_samples:
        chosen = torch.minimum(chosen, _step_for_batches(whole, n_beta, settings.batch_size, generator))
    return Calibration(np.array(tried), np.array(accepted), chosen.numpy())


def _step_for_batches(landscape: Landscape, n_beta: float, batch_size: int, generator: torch.Generator) -> Tensor:
    """The step size of every network at which batches add _BATCH_SHARE of the variance that the noise adds.

    A step of size e adds the variance e by its noise, and (e n_beta / 2)^2 v by gradients of variance v.
    """
    n = landscape.n_networks
    owner = torch.arange(n).repeat_interleave(_BATCHES)
    start = landscape.start_of(owner)
    _, gradient = landscape.evaluate(start, owner, batch_size, generator)
    variance = gradient.double().view(n, _BATCHES, -1).var(1)
    typical = (variance**2).sum(1) / variance.sum(1).clamp(min=1e-300)
    return 4 * _BATCH_SHARE / (n_beta**2 * typical.clamp(min=1e-300))
