"""The local learning coefficient (LLC) of a network: how slowly the loss grows around its weights.

LLC = n_beta (mean loss along localised Langevin chains - loss at the weights), with n_beta = n / log(n)
(Lau, Furman, Wang, Murfet and Wei 2023). At a regular minimum it is half the number of parameters; the more degenerate
the loss, the smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ontogeny.arguments import checks_arguments
from ontogeny.complexity.calibration import calibrate
from ontogeny.complexity.landscape import Data, Landscape, Loss, MLPLandscape, ModuleLandscape, layers_of
from ontogeny.complexity.sampling import run_chains
from ontogeny.complexity.settings import ComplexitySettings
from ontogeny.errors import OntogenyError
from ontogeny.settings import complete
from ontogeny.words import counted

_TOGETHER = 4_000
"""Chains of small MLPs that run side by side: as many as stay in a processor's cache."""
_LEAST_ACCEPTED = 0.1


@dataclass(frozen=True)
class LLC:
    """An estimate of the local learning coefficient.

    `value` with its `standard_error` over chains; `by_chain` (chains,); `r_hat`, the split R-hat of the losses (Gelman
    and others 2013; above 1.1 the chains disagree); `loss` at the weights and `mean_loss` along the chains; `n_beta`,
    `step_size`, `n_parameters`; `losses` (steps, chains), burn-in included, if they were kept; `notes`, what speaks
    against the estimate, empty if nothing does.
    """

    value: float
    standard_error: float
    by_chain: NDArray[np.float64]
    r_hat: float
    loss: float
    mean_loss: float
    n_beta: float
    step_size: float
    n_parameters: int
    notes: tuple[str, ...]
    losses: NDArray[np.float64] | None = None


@checks_arguments
def estimate_llc(
    model: nn.Module,
    data: Data,
    settings: ComplexitySettings | Mapping[str, Any] | None = None,
    loss: Loss | None = None,
) -> LLC:
    """The LLC of any PyTorch network at its present weights.

    data: (inputs, targets), or a mapping of tensors for networks that take them by name; `loss` as in
    `ModuleLandscape`. settings: also a mapping of names to values. `settings.parameters` restricts the chains to some
    parameters. Everything is drawn from `settings.seed`; the model and the global random state are left as they were.

    Raises OntogenyError for a loss that is not a finite mean over samples, or patterns that match no parameter.
    """
    settings = complete(ComplexitySettings, settings, "learning coefficient")
    landscape = ModuleLandscape(model, data, loss, patterns=settings.parameters)
    return _estimate(landscape, settings, keep_losses=True)[0]


@checks_arguments
def estimate_llc_of_mlps(
    weights: Sequence[Any],
    biases: Sequence[Any] | None,
    x: Any,
    y: Any,
    counts: Any = None,
    activation: str = "leaky_relu",
    settings: ComplexitySettings | Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[LLC]:
    """The LLCs of N small MLPs of one shape under the mean squared error, all chains at once.

    Arrays as in `MLPLandscape`: weights[l] (N, out, in), biases[l] (N, out), x (rows, inputs) and y (rows, outputs) or
    with a leading N, counts (rows,) or (N, rows). `settings.parameters` may name `weights.0`, `biases.0`, ...
    `progress(done, total)` counts networks. Raises OntogenyError if shapes do not fit.
    """
    settings = complete(ComplexitySettings, settings, "learning coefficient")
    if settings.parameters is not None:
        raise OntogenyError("parameters restricts estimates of PyTorch networks; leave it out for arrays of MLPs")
    layers, shifts = layers_of(weights, biases)
    total = len(layers[0])
    size = max(1, _TOGETHER // settings.chains)
    found: list[LLC] = []
    for begin in range(0, total, size):
        part = slice(begin, begin + size)
        each = [
            value if value is None or np.ndim(value) < full else value[part]
            for value, full in ((x, 3), (y, 3), (counts, 2))
        ]
        landscape = MLPLandscape(
            [w[part] for w in layers],
            None if shifts is None else [b[part] for b in shifts],
            each[0],
            each[1],
            each[2],
            activation,
        )
        found += _estimate(landscape, settings.model_copy(update={"seed": settings.seed + begin}), keep_losses=False)
        if progress is not None:
            progress(min(begin + size, total), total)
    return found


def _estimate(landscape: Landscape, settings: ComplexitySettings, keep_losses: bool) -> list[LLC]:
    n, chains = landscape.n_networks, settings.chains
    if settings.n_beta is None and landscape.n_samples < 3:
        raise OntogenyError(
            f"the loss is of {counted(landscape.n_samples, 'sample')}; n / log(n) needs 3 or more, so give n_beta"
        )
    n_beta = settings.n_beta or landscape.n_samples / math.log(landscape.n_samples)
    if settings.step_size == "calibrated":
        step = torch.as_tensor(calibrate(landscape, n_beta, settings).chosen)
    else:
        step = torch.full((n,), float(settings.step_size), dtype=torch.float64)
    generator = torch.Generator().manual_seed(settings.seed)
    owner = torch.arange(n).repeat_interleave(chains)
    initial, gradient = landscape.evaluate(landscape.start, torch.arange(n), None, generator)
    ran = run_chains(
        landscape,
        owner,
        step[owner],
        settings.burn_in + settings.draws,
        n_beta,
        settings,
        generator,
        adapt_steps=settings.burn_in,
    )
    losses = ran.losses.numpy().reshape(-1, n, chains)
    accepted = ran.accepted.view(n, chains).mean(1).numpy()
    slope = gradient.double().norm(dim=1 - landscape.chain_axis).numpy()
    kept = losses[settings.burn_in :]
    with np.errstate(invalid="ignore", over="ignore"):
        return [
            _summary(
                kept[:, k],
                float(initial[k]),
                float(slope[k]),
                n_beta,
                float(step[k]),
                float(accepted[k]),
                landscape.n_parameters,
                losses[:, k] if keep_losses else None,
            )
            for k in range(n)
        ]


def _summary(
    kept: NDArray[np.float64],
    loss: float,
    slope: float,
    n_beta: float,
    step_size: float,
    accepted: float,
    n_parameters: int,
    losses: NDArray[np.float64] | None,
) -> LLC:
    """The estimate from the losses (draws, chains) of one network."""
    diverged = np.asarray(~np.isfinite(kept).all(axis=0))
    by_chain = n_beta * (kept.mean(0) - loss)
    good = by_chain[~diverged]
    value = float(good.mean()) if len(good) else math.nan
    error = float(good.std(ddof=1) / math.sqrt(len(good))) if len(good) > 1 else math.nan
    r_hat = split_r_hat(kept[:, ~diverged]) if len(good) > 1 else math.nan
    notes = []
    if diverged.any():
        notes.append(
            f"{int(diverged.sum())} of {len(diverged)} chains diverged: the step size {step_size:.2g} is too large"
        )
    if accepted < _LEAST_ACCEPTED:
        notes.append(f"{accepted:.1%} of the steps were accepted: the step size {step_size:.2g} is too large")
    if len(good):
        if value < -2 * error if error == error else value < 0:
            notes.append(
                f"the estimate is negative: the loss falls along the chains, so these weights are not at a minimum "
                f"(gradient norm {slope:.2g})"
            )
        if value - 2 * (error if error == error else 0.0) > n_parameters / 2 * 1.1:
            notes.append(
                f"the estimate is above {n_parameters / 2:g}, the most that "
                f"{counted(n_parameters, 'parameter')} can have: "
                "the step size is too large, or the chains left the neighbourhood; raise localisation"
            )
        if r_hat > 1.1:
            notes.append(f"the chains disagree (R-hat {r_hat:.2f}): use more draws or a longer burn-in")
    return LLC(
        value, error, by_chain, r_hat, loss, float(kept[:, ~diverged].mean()) if len(good) else math.nan, n_beta,
        step_size, n_parameters, tuple(notes), losses,
    )  # fmt: skip


def split_r_hat(draws: NDArray[np.float64]) -> float:
    """The split R-hat of draws (draws, chains): each chain in two halves (Gelman and others 2013, section 11.4)."""
    half = len(draws) // 2
    parts = np.concatenate([draws[:half], draws[half : 2 * half]], axis=1)
    within = parts.var(0, ddof=1).mean()
    if within == 0:
        return 1.0
    between = half * parts.mean(0).var(ddof=1)
    return float(np.sqrt(((half - 1) / half * within + between / half) / within))
