"""Langevin chains around weights: the posterior at inverse temperature n_beta, held near the weights.

A step of stochastic gradient Langevin dynamics (Welling and Teh 2011), localised as by Lau et al. (2023):

    w' = w - (e / 2) G (n_beta grad L(w) + localisation (w - w0)) + sqrt(e G) noise

with G = 1, or (RMSProp; Li et al. 2016) G = 1 / (1e-3 + sqrt(running mean of the squared gradient)). The running mean
stops at the end of the burn-in: a G that went on changing with the chain would change what the chain samples.

Finite steps inflate the posterior: at a share of 0.9 of acceptable steps the estimate of a regular model is a tenth too
large, and where the loss is steeper than at the weights it can be far too large. `corrected` chains that see all
samples at each step are therefore Metropolis-adjusted: a step is taken with the probability that makes the posterior
exact, whatever the step size (Roberts and Tweedie 1996). With batches, and in large networks, the noise of each step is
averaged with that of the step before (Leimkuhler and Matthews 2013), which costs nothing and samples a quadratic loss
exactly.

The noise of networks with more than `LARGE` parameters is uniform, with mean 0 and variance 1, since drawing normal
numbers would take most of the time: averages over the chains depend on its first three moments alone, up to the order
of the step that the method has anyway (Kloeden and Platen 1992, section 14.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ontogeny.complexity.landscape import Landscape
from ontogeny.complexity.settings import ComplexitySettings

LARGE = 100_000
_FORGET, _FLOOR, _STEEP = 0.99, 1e-3, 1e3
_ODD = np.uint64(0x0101010101010101)
_SPREAD = math.sqrt((128**2 - 1) / 3)


class Preconditioner:
    """RMSProp: `scale` is G, from the running mean of the squared gradients it adapted to; 1 before the first."""

    def __init__(self, theta: Tensor) -> None:
        self.scale = torch.ones_like(theta)
        self._square, self._count = torch.zeros_like(theta), 0

    def adapt(self, gradient: Tensor) -> None:
        """Follow the size of a gradient (P, K) or (K, P)."""
        self._count += 1
        self._square.mul_(_FORGET).addcmul_(gradient, gradient, value=1 - _FORGET)
        self.scale = 1 / (_FLOOR + (self._square / (1 - _FORGET**self._count)).sqrt())


@dataclass(frozen=True)
class Chains:
    """`losses` (steps, K) of K chains; `accepted` (K,): the share of steps taken after the burn-in, NaN if unasked."""

    losses: Tensor
    accepted: Tensor


class AdjustedChains:
    """K Metropolis-adjusted Langevin chains on all samples, each step with a size of its own.

    The proposal keeps the localisation, a normal distribution, exactly (Cotter, Roberts, Stuart and White 2013, the
    preconditioned Crank-Nicolson Langevin proposal), so what is refused is the error in the loss alone. Without
    localisation it is that of MALA. `energy` (K,) is n_beta times the loss where the chains are.
    """

    def __init__(
        self,
        landscape: Landscape,
        owner: Tensor,
        n_beta: float,
        settings: ComplexitySettings,
        generator: torch.Generator,
    ) -> None:
        self.landscape, self.owner, self.generator = landscape, owner, generator
        self.n_beta, self.localisation = n_beta, settings.localisation
        self.start = landscape.start_of(owner)
        self.preconditioner = Preconditioner(self.start) if settings.sampler == "rmsprop" else None
        self.offset = torch.zeros_like(self.start)
        self.energy, self.slope = self._at(self.offset)
        self._seen = self.slope
        self.adapt()

    def adapt(self) -> None:
        """Let the preconditioner learn from the gradient seen last, where chains went or would have gone.

        At a minimum the gradient vanishes, so chains that learn from where they stay would go on refusing huge steps.
        """
        if self.preconditioner is not None:
            self.preconditioner.adapt(torch.nan_to_num(self._seen / self.n_beta, nan=_STEEP).clamp(-_STEEP, _STEEP))

    def _at(self, offset: Tensor) -> tuple[Tensor, Tensor]:
        """n_beta times the loss, (K,), and its gradient."""
        value, gradient = self.landscape.evaluate(self.start + offset, self.owner, None, self.generator)
        return self.n_beta * value.double(), self.n_beta * gradient

    def step(self, size: Tensor, move: bool = True) -> Tensor:
        """The probability (K,) that a step of `size` (K,) is accepted; the chains go there, or not, if they `move`."""
        axis = 1 - self.landscape.chain_axis
        rate = size.unsqueeze(axis).to(self.offset.dtype)
        if self.preconditioner is not None:
            rate = rate * self.preconditioner.scale
        pull = 0.5 * self.localisation * rate
        noise = torch.empty_like(self.offset).normal_(generator=self.generator)
        offset = ((2 - pull) * self.offset - rate * self.slope + 2 * rate.sqrt() * noise) / (2 + pull)
        energy, slope = self._at(offset)
        self._seen = slope
        moved, middle = offset - self.offset, 0.5 * pull * (offset + self.offset)
        forth = ((moved + middle) * self.slope + 0.25 * rate * self.slope.square()).sum(axis)
        back = ((middle - moved) * slope + 0.25 * rate * slope.square()).sum(axis)
        ratio = self.energy - energy + 0.5 * (forth - back).double()
        probability = torch.nan_to_num(ratio, nan=-torch.inf).clamp(max=0).exp()
        if move:
            taken = torch.rand(len(probability), generator=self.generator, dtype=torch.float64) < probability
            chosen = taken.unsqueeze(axis)
            self.offset = torch.where(chosen, offset, self.offset)
            self.slope = torch.where(chosen, slope, self.slope)
            self.energy = torch.where(taken, energy, self.energy)
        return probability


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
) -> Chains:
    """K chains of n_steps, with the losses of the weights from which each step starts.

    owner (K,): the network that each chain belongs to, whose weights it starts from; step_size (K,). The sampler
    `rmsprop` adapts G during the first `adapt_steps`. A chain whose loss is not finite stays so.
    """
    unasked = torch.full((len(owner),), math.nan, dtype=torch.float64)
    if landscape.n_parameters > LARGE and settings.sampler == "sgld" and landscape.start.device.type == "cpu":
        return Chains(_run_large(landscape, owner, step_size, n_steps, n_beta, settings, generator), unasked)
    whole = settings.batch_size is None or settings.batch_size >= landscape.n_samples
    if settings.corrected and whole and landscape.n_parameters <= LARGE:
        return _run_adjusted(
            AdjustedChains(landscape, owner, n_beta, settings, generator), step_size, n_steps, adapt_steps
        )
    localisation, start = settings.localisation, landscape.start_of(owner)
    step = step_size.unsqueeze(1 - landscape.chain_axis).to(start.dtype)
    theta, noise, noise_before = start.clone(), torch.empty_like(start), torch.zeros_like(start)
    preconditioner = Preconditioner(start) if settings.sampler == "rmsprop" else None
    losses = torch.empty(n_steps, len(owner), dtype=torch.float64)
    rate, width = step, step.sqrt()
    for t in range(n_steps):
        losses[t], gradient = landscape.evaluate(theta, owner, settings.batch_size, generator)
        if preconditioner is not None and t < adapt_steps:
            preconditioner.adapt(gradient)
            rate = step * preconditioner.scale
            width = rate.sqrt()
        noise.normal_(generator=generator)
        theta.lerp_(start, (0.5 * localisation) * rate)
        theta.addcmul_(gradient, rate, value=-0.5 * n_beta)
        if settings.corrected:
            theta.addcmul_(noise_before.add_(noise), width, value=0.5)
            noise, noise_before = noise_before, noise
        else:
            theta.addcmul_(noise, width)
    return Chains(losses, unasked)


def _run_adjusted(chains: AdjustedChains, step_size: Tensor, n_steps: int, adapt_steps: int) -> Chains:
    energies = torch.empty(n_steps, len(step_size), dtype=torch.float64)
    accepted = torch.zeros(len(step_size), dtype=torch.float64)
    for t in range(n_steps):
        energies[t] = chains.energy
        probability = chains.step(step_size)
        if t < adapt_steps:
            chains.adapt()
        else:
            accepted += probability
    return Chains(energies / chains.n_beta, accepted / (n_steps - adapt_steps))


def _run_large(
    landscape: Landscape,
    owner: Tensor,
    step_size: Tensor,
    n_steps: int,
    n_beta: float,
    settings: ComplexitySettings,
    generator: torch.Generator,
) -> Tensor:
    """`run_chains` without preconditioner, for networks so large that noise and passes over memory take the time."""
    from ontogeny.complexity._compiled import move

    start = landscape.start if landscape.n_networks == 1 else landscape.start_of(owner)
    theta = landscape.start_of(owner).clone()
    kind = start.numpy().dtype
    step = step_size.numpy()
    spread = _SPREAD * (2 if settings.corrected else 1)
    rates = [v.astype(kind) for v in (0.5 * settings.localisation * step, 0.5 * n_beta * step, np.sqrt(step) / spread)]
    uniform = np.random.Generator(np.random.SFC64(int(torch.randint(2**62, (1,), generator=generator))))
    before = np.zeros(theta.shape, np.int8)
    losses = torch.empty(n_steps, len(owner), dtype=torch.float64)
    for t in range(n_steps):
        losses[t], gradient = landscape.evaluate(theta, owner, settings.batch_size, generator)
        noise = _uniform(theta.shape, uniform)
        move(theta.numpy(), start.numpy(), gradient.numpy(), noise, before, *rates)
        if settings.corrected:
            before = noise
    return losses


def _uniform(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.int8]:
    """Odd numbers from -127 to 127, each as likely: mean 0, standard deviation _SPREAD."""
    count = math.prod(shape)
    drawn = generator.integers(0, 2**64, size=-(-count // 8), dtype=np.uint64) | _ODD
    return drawn.view(np.int8)[:count].reshape(shape)
