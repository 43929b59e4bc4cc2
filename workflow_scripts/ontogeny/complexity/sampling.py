"""Langevin chains around weights: the posterior at inverse temperature n_beta, held near the weights.

A step of stochastic gradient Langevin dynamics (Welling and Teh 2011), localised as by Lau et al. (2023):

    w' = w - (e / 2) G (n_beta grad L(w) + localisation (w - w0)) + sqrt(e G) noise

with G = 1, or (RMSProp; Li et al. 2016) G = 1 / (1e-3 + sqrt(running mean of the squared gradient)). The running mean
stops at the end of the burn-in: a G that went on changing with the chain would change what the chain samples.

Finite steps inflate the posterior: at a share of 0.9 of acceptable steps the estimate of a regular model is a tenth too
large. Averaging the noise of each step with that of the step before (Leimkuhler and Matthews 2013) costs nothing and
samples a quadratic loss exactly; `corrected` chains do that.

The noise of networks with more than `LARGE` parameters is uniform, with mean 0 and variance 1, since drawing normal
numbers would take most of the time: averages over the chains depend on its first three moments alone, up to the order
of the step that the method has anyway (Kloeden and Platen 1992, section 14.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ontogeny.complexity.landscape import Landscape
from ontogeny.complexity.settings import ComplexitySettings

LARGE = 100_000
_FORGET, _FLOOR = 0.99, 1e-3
_ODD = np.uint64(0x0101010101010101)
_SPREAD = math.sqrt((128**2 - 1) / 3)


@dataclass(frozen=True)
class Chains:
    """What the chains did: losses (steps, K), of the weights that each step starts from; `accepted` (K,), the mean
    probability that a Metropolis test accepts a step, if it was asked for."""

    losses: Tensor
    accepted: Tensor | None


def run_chains(
    landscape: Landscape,
    owner: Tensor,
    step_size: Tensor,
    n_steps: int,
    n_beta: float,
    settings: ComplexitySettings,
    generator: torch.Generator,
    *,
    adapt_steps: int,
    acceptance_from: int = -1,
) -> Chains:
    """Run K chains for `n_steps` steps.

    owner (K,): the network that each chain belongs to, whose weights it starts from; step_size (K,). The sampler
    `rmsprop` adapts G during the first `adapt_steps`. From the step `acceptance_from` on, unless it is negative,
    acceptance is measured; all of the data are then used at every step, and steps are not corrected. A chain whose
    loss is not finite stays so.
    """
    first, localisation = landscape.chain_axis == 0, settings.localisation
    start = landscape.start[:, owner] if not first else landscape.start[owner]
    if landscape.n_networks == 1:
        start = landscape.start.expand_as(start)
    step = (step_size[:, None] if first else step_size).to(start.dtype)
    theta, noise, noise_before = start.clone(), torch.empty_like(start), torch.zeros_like(start)
    scale = torch.ones((), dtype=start.dtype)
    square = torch.zeros_like(start) if settings.sampler == "rmsprop" else None
    losses = torch.empty(n_steps, len(owner), dtype=torch.float64)
    accepted = torch.zeros(len(owner), dtype=torch.float64) if acceptance_from >= 0 else None
    axis = 1 - landscape.chain_axis
    batch_size = settings.batch_size if accepted is None else None
    uniform = None
    if landscape.n_parameters > LARGE and accepted is None:
        uniform = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, (1,), generator=generator))))
    unit = 1.0 if uniform is None else _SPREAD
    rate = step * scale
    width = rate.sqrt() / unit
    before: tuple[Tensor, ...] | None = None
    for t in range(n_steps):
        value, gradient = landscape.evaluate(theta, owner, batch_size, generator)
        losses[t] = value
        if square is not None and t < adapt_steps:
            square.mul_(_FORGET).addcmul_(gradient, gradient, value=1 - _FORGET)
            scale = 1 / (_FLOOR + (square / (1 - _FORGET ** (t + 1))).sqrt())
            rate = step * scale
            width = rate.sqrt() / unit
        if accepted is not None:
            offset = theta - start
            pull = (gradient * n_beta).add_(offset, alpha=localisation)
            energy = n_beta * value.double() + 0.5 * localisation * (offset * offset).sum(axis).double()
            if before is not None and t > acceptance_from:
                old, energy_old, noise_old, scale_old = before
                back = (old - theta).add_(pull * step * scale_old, alpha=0.5)
                reverse = (back * back / (step * scale_old)).sum(axis).double()
                ratio = energy_old - energy + 0.5 * (noise_old - reverse)
                accepted += torch.nan_to_num(ratio, nan=-torch.inf).clamp(max=0).exp()
        if uniform is None:
            noise.normal_(generator=generator)
        else:
            _uniform(noise, uniform)
        if accepted is not None:
            before = (theta.clone(), energy, (noise * noise).sum(axis).double(), scale)
        theta.lerp_(start, (0.5 * localisation) * rate)
        theta.addcmul_(gradient, rate, value=-0.5 * n_beta)
        if settings.corrected and accepted is None:
            theta.addcmul_(noise_before.add_(noise), width, value=0.5)
            noise, noise_before = noise_before, noise
        else:
            theta.addcmul_(noise, width)
    return Chains(losses, None if accepted is None else accepted / max(n_steps - 1 - acceptance_from, 1))


def _uniform(noise: Tensor, generator: np.random.Generator) -> None:
    """Fill `noise` with the odd numbers from -127 to 127, each as likely: mean 0, standard deviation _SPREAD."""
    count = noise.numel()
    drawn = generator.integers(0, 2**64, size=-(-count // 8), dtype=np.uint64) | _ODD
    noise.view(-1).copy_(torch.from_numpy(drawn.view(np.int8)[:count]))
