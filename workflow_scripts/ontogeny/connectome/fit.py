"""Recovery of wiring, cell types and functions from activity, by a graph network.

The network is that of Allier et al. (arXiv 2602.13325),

    du_i/dt = phi(u_i, a_i) + sum_j W_ij psi(u_j)                                                          (1)

with a learnable matrix W (zero diagonal), one embedding a_i per neuron, and two small networks psi and phi. psi sees
the sender alone, so all messages of a batch of frames are one matrix product. psi and phi are evaluated on a grid of
points and interpolated linearly; the grid is shifted at random in every step, so that no kink stays in one place and
the cost of the small networks does not grow with the batch.

Two ambiguities of (1) are fixed after training: psi(0) = 0 (a constant in psi moves into phi), and psi has root mean
square 1 over the data (its scale trades against that of W). `recovery_metrics` fits the one scale that is left.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.connectome.hidden import SHARED_LEAST, without_hidden
from ontogeny.connectome.observe import Rows, Split, derived_by, rows_of, split_frames
from ontogeny.connectome.outcome import Outcome
from ontogeny.connectome.recover import MANY, Recovered, again, recover
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.simulate import Activity, as_activity, check_activity
from ontogeny.connectome.verdict import Kind, Verdict, assess, unrefined
from ontogeny.errors import OntogenyError
from ontogeny.models.optimizers import eager
from ontogeny.nonlinearities.torch import MODULES
from ontogeny.settings import complete

_MOST_HELD = 2000
_MOST_FRAMES = 6000


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
    """Equation (1) as a module: `W` (N, N), `embedding` (N, d), `psi` and `phi`.

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


@dataclass(frozen=True)
class Fit(Outcome):
    """What a fit found.

    `W` (N, N) float64, row = receiver; `embedding` (N, d); `psi(u)` at points of any shape; `phi(u)` of every neuron
    at points (points,): (points, N). In all of them psi(0) = 0, psi has root mean square 1 over the data and rises.
    `history` has lists `step`, `loss` (all terms), `error` (mean square error over the variance of du/dt), `l1`,
    `phi_zero`.
    `snapshots` has `step` (S,), `W` (S, N, N), `embedding` (S, N, d), `loss` (S,): training as a trajectory.
    `network_W` is W before the refinement, `standard_errors` (N, N) those of W after it (None without).
    `validation` is the error on frames that were not trained on, held out in blocks, `before` and `after` the
    refinement, over their variance. `verdict` says whether W can be trusted (see `ontogeny.connectome.verdict`).
    """

    W: np.ndarray
    embedding: np.ndarray
    psi: Callable[[np.ndarray], np.ndarray]
    phi: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]
    history: dict[str, list[float]]
    snapshots: dict[str, np.ndarray]
    settings: dict[str, Any]
    seed: int
    network_W: np.ndarray
    validation: dict[str, float]
    standard_errors: np.ndarray | None = None
    verdict: dict[str, Any] = field(default_factory=dict)
    refinement: list[float] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def emptiness(W: Tensor | np.ndarray) -> float:
    """How much of W looks empty, 0..1, from the participation (mean|W|)^2 / mean(W^2) of its entries.

    Above 0.12 (a quarter of entries of a Lorentzian matrix, 0.27 for all of them, 0.64 for a Gaussian one) it is 0;
    below 0.04 it is 1.
    """
    square = float((W**2).mean()) if isinstance(W, Tensor) else float(np.mean(W**2))
    mean = float(W.abs().mean()) if isinstance(W, Tensor) else float(np.mean(np.abs(W)))
    participation = mean**2 / square if square > 0 else 1.0
    return min(max((0.12 - participation) / 0.08, 0.0), 1.0)


def total_steps(settings: FitSettings) -> int:
    """Optimisation steps of a fit."""
    return max(1, round(settings.n_steps * settings.data_augmentation_loop / 100))


def resolved_settings(settings: FitSettings, n_neurons: int, filling_factor: float) -> FitSettings:
    """`settings` with each value "recommended" replaced by what serves so many neurons and so full a matrix.

    L1 helps where W is sparse, the more the larger it is, and costs precision where W is full.
    """
    l1 = 0.0
    if filling_factor <= 0.15:
        l1 = 0.3 if n_neurons < 200 else 1.0 if n_neurons < 600 else 3.0 if filling_factor > 0.07 else 10.0
    served = {"coeff_W_L1": l1, "learning_rate_W_start": 5e-3 if n_neurons < 200 else 3e-3}
    chosen = {key: value for key, value in served.items() if getattr(settings, key) == "recommended"}
    return settings.model_copy(update=chosen)


def memory_needed(n_neurons: int, n_frames: int) -> int:
    """About how many bytes the refinement takes, beside the activity itself (measured: 0.53 GB for 150 neurons)."""
    rows = min(n_frames, max(_MOST_FRAMES, 8 * n_neurons))
    compared = min(n_frames, 16 * n_neurons) if n_neurons > MANY else 0
    whole = 12 * (rows * (7 * n_neurons + 3000) + 6 * n_neurons**2 + 48**2 * n_neurons)
    return whole + 16 * compared * n_neurons + 2**28


def check_memory(n_neurons: int, n_frames: int, available: int | None = None) -> None:
    """Raise OntogenyError if the refinement needs more than the `available` bytes (this machine's memory, if None)."""
    if available is None:
        try:
            available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (ValueError, OSError, AttributeError):
            return
    needed = memory_needed(n_neurons, n_frames)
    if needed <= available:
        return
    fits = next(
        (n for n in range(n_neurons, 0, -max(1, n_neurons // 100)) if memory_needed(n, n_frames) <= available), 1
    )
    raise OntogenyError(
        f"refining {n_neurons} neurons needs about {needed / 2**30:.1f} GB of memory, but there are "
        f"{available / 2**30:.1f} GB, enough for about {fits} neurons: use fewer, or set refine to false"
    )


def edge_mask(activity: Activity, edges: str | np.ndarray) -> np.ndarray:
    """Where W may be learned, (N, N) bool, never on the diagonal; see `FitSettings.edges`."""
    n = activity.n_neurons
    mask = ~np.eye(n, dtype=bool)
    if activity.mask is not None:
        mask &= activity.mask != 0
    if isinstance(edges, np.ndarray):
        if edges.shape != mask.shape:
            raise OntogenyError(f"edges has shape {edges.shape}: expected ({n}, {n})")
        return mask & (edges != 0)
    if edges == "all":
        return mask
    if activity.W is None:
        raise OntogenyError(
            f'edges is "{edges}", which needs the true W, but the activity comes without one: use "all"'
        )
    if activity.settings.get("connectivity_filling_factor") == 1.0:
        return mask
    return mask & ((activity.W if edges == "true" else activity.W.T) != 0)


def _rate(settings: FitSettings, share: float) -> float:
    if settings.schedule == "constant":
        return 1.0
    if settings.schedule == "step":
        return 1.0 if share < 0.6 else 0.1 if share < 0.85 else 0.01
    falling = 0.5 * (1 + math.cos(math.pi * share)) if settings.schedule == "cosine" else 1 - share
    return settings.final_rate + (1 - settings.final_rate) * falling


def _optimizer(network: ConnectomeNetwork, settings: FitSettings) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": [network.W], "lr": settings.learning_rate_W_start},
        {"params": [*network.psi.parameters(), *network.phi.parameters()], "lr": settings.learning_rate_start},
        {"params": [network.embedding], "lr": settings.learning_rate_embedding_start},
    ]
    if settings.optimizer == "sgd":
        return eager(torch.optim.SGD)(groups, momentum=0.9)
    if settings.optimizer == "rmsprop":
        return eager(torch.optim.RMSprop)(groups)
    kind = torch.optim.AdamW if settings.optimizer == "adamw" else torch.optim.Adam
    return eager(kind)(groups, fused=True)


def _pack(network: nn.Module, optimizer: torch.optim.Optimizer, generators: Mapping[str, torch.Generator]) -> dict:
    """The whole training state as a flat dict of arrays."""
    state = {f"network/{name}": value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}
    for index, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            array = value.detach().cpu().numpy().copy() if torch.is_tensor(value) else np.asarray(value)
            state[f"optimizer/{index}/{key}"] = array
    for name, generator in generators.items():
        state[f"generator/{name}"] = generator.get_state().numpy().copy()
    return state


def _unpack(
    state: Mapping[str, np.ndarray],
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    generators: Mapping[str, torch.Generator],
) -> None:
    values = {name[8:]: torch.from_numpy(np.array(value)) for name, value in state.items() if name[:8] == "network/"}
    try:
        network.load_state_dict(values)
    except RuntimeError as error:
        reason = " ".join(str(error).split("\n")[1:2]).strip()
        raise OntogenyError(f"the checkpoint to resume from belongs to another fit: {reason}") from None
    kept = optimizer.state_dict()
    entries: dict[int, dict[str, Any]] = {}
    for name, value in state.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/")
            entries.setdefault(int(index), {})[key] = torch.from_numpy(np.array(value))
    kept["state"] = entries
    optimizer.load_state_dict(kept)
    for name, generator in generators.items():
        generator.set_state(torch.from_numpy(np.array(state[f"generator/{name}"])))


def fit_connectome(
    activity: Activity | np.ndarray | list[np.ndarray],
    derivative: np.ndarray | list[np.ndarray] | None = None,
    settings: FitSettings | Mapping[str, Any] | None = None,
    seed: int = 0,
    edges: str | np.ndarray | None = None,
    progress: Callable[[dict[str, float]], None] | None = None,
    checkpoint: Callable[[dict[str, np.ndarray]], None] | None = None,
    resume: Mapping[str, np.ndarray] | None = None,
    device: str | torch.device | None = None,
) -> Fit:
    """Recover wiring, types and functions from activity and its time derivative.

    `activity`: an `Activity`, or an array (trajectories, frames, neurons) or (frames, neurons) with `derivative` shaped
    alike; trajectories of unequal length are lists of arrays (frames, neurons). `settings`: see `FitSettings`; `edges`
    overrides `settings.edges` and may be a boolean matrix (N, N).
    `progress` is called with the latest record of the history. `checkpoint` is called with the full state (flat dict
    of arrays) every `checkpoint_every` steps; given back as `resume`, training goes on from there and ends in the very
    same numbers. `device`: e.g. "cuda"; the CPU if None. The result follows from the arguments, on the CPU bit by bit.

    Raises OntogenyError on bad settings, on values that are not finite, on fewer than 5 frames, and on activity that is
    at rest or blows up.
    """
    import time

    settings = complete(FitSettings, settings, "fit")
    if isinstance(edges, str):
        settings = complete(FitSettings, {**settings.model_dump(), "edges": edges}, "fit")
    activity = as_activity(activity, derivative)
    level = activity.settings.get("connectivity_filling_factor", 1.0)
    settings = resolved_settings(settings, activity.n_neurons, level)
    if settings.n_trajectories > activity.u.shape[0]:
        raise OntogenyError(
            f"fit setting n_trajectories is {settings.n_trajectories}, but the activity has {activity.u.shape[0]}"
        )
    if settings.n_trajectories:
        part = slice(settings.n_trajectories)
        activity = dataclasses.replace(activity, u=activity.u[part], du=activity.du[part])
    count = activity.u.shape[0] * activity.u.shape[1]
    if count < 5:
        raise OntogenyError(
            f"the activity has {count} frames in all: a fit needs at least 5, of which it holds out one"
        )
    notes = check_activity(activity)
    if any("at rest" in note or "blows up" in note for note in notes):
        raise OntogenyError(notes[0])
    mask = edge_mask(activity, settings.edges if edges is None else edges)
    n = activity.n_neurons
    if settings.refine:
        check_memory(n, activity.u.shape[0] * activity.u.shape[1])
    started = time.process_time()
    u = activity.u.reshape(-1, n).astype(np.float32, copy=False)
    du = activity.du.reshape(-1, n).astype(np.float32, copy=False)
    drive = None if activity.input is None else activity.input.astype(np.float32)
    frames = activity.u.shape[1]
    split = split_frames(len(activity.u), frames, seed)
    held_out = np.flatnonzero(split.held.reshape(-1))
    held_out = held_out[:: max(1, len(held_out) // _MOST_HELD)]
    low, high = float(u.min()), float(u.max())
    sample = du[:: max(1, len(du) // 5000)]
    variance = float(
        np.var(sample if drive is None else sample - drive[np.arange(len(du))[:: max(1, len(du) // 5000)] % frames])
    )

    device = torch.device(device or "cpu")
    generators = {"data": torch.Generator().manual_seed(seed)}
    network = ConnectomeNetwork(
        n,
        settings,
        torch.from_numpy(mask.astype(np.float32)),
        low,
        high,
        max(float(np.sqrt(np.mean(u[:: max(1, len(u) // 5000)] ** 2))) / 8, 1e-6 * max(abs(low), abs(high))),
        torch.Generator().manual_seed(seed),
    ).to(device)
    optimizer = _optimizer(network, settings)
    rates = [group["lr"] for group in optimizer.param_groups]
    sparsity = float(settings.coeff_W_L1)
    total = total_steps(settings)
    kept = sorted(
        {round(k * total / settings.n_snapshots) for k in range(settings.n_snapshots + 1)}
        if settings.n_snapshots
        else set()
    )
    history: dict[str, list[float]] = {"step": [], "loss": [], "error": [], "l1": [], "phi_zero": []}
    snapshots: dict[str, list[Any]] = {"step": [], "W": [], "embedding": []}
    first, strength = 0, 1.0
    if resume is not None:
        _unpack(resume, network, optimizer, generators)
        first, strength = int(resume["step"]), float(resume["strength"])
        history = {key: np.asarray(resume[f"history/{key}"]).tolist() for key in history}
        snapshots = {key: list(np.asarray(resume[f"snapshots/{key}"])) for key in snapshots}
    elif settings.n_snapshots:
        _snapshot(snapshots, 0, network)

    U, Y = torch.from_numpy(u).to(device), torch.from_numpy(du).to(device)
    D = None if drive is None else torch.from_numpy(drive).to(device)
    keep = torch.from_numpy(np.flatnonzero(split.train.reshape(-1)))
    zero = torch.zeros(1, device=device)
    W_group, others = optimizer.param_groups[0], optimizer.param_groups[1:]
    for step in range(first, total):
        share = step / total
        for group, rate in zip(optimizer.param_groups, rates):
            group["lr"] = rate * _rate(settings, share)
        if settings.alternating_steps:
            resting = others if (step // settings.alternating_steps) % 2 == 0 else [W_group]
            for group in resting:
                group["lr"] = 0.0
        rows = keep[torch.randint(len(keep), (settings.batch_size,), generator=generators["data"])]
        shift = torch.rand((), generator=generators["data"]).item()
        receivers = None
        if settings.masked_share:
            count = max(1, round((1 - settings.masked_share) * n))
            receivers = torch.randperm(n, generator=generators["data"])[:count].to(device)
        batch, target = U[rows], Y[rows]
        if D is not None:
            target = target - D[rows % frames]
        if receivers is not None:
            target = target[:, receivers]
        predicted, sent = network(batch, shift if settings.batch_size > settings.grid_phi else None, receivers)
        error = (predicted - target).square().mean() / variance
        phi_zero = network.phi_at(zero).square().mean()
        if settings.l1_mode == "annealed":
            strength = min(1.0, 2 * share)
        elif settings.l1_mode == "adaptive" and step % 25 == 0:
            strength = emptiness(network.W.detach())
        l1 = network.W.abs().mean() * sent.square().mean().sqrt()
        loss = error + settings.coeff_phi_zero * phi_zero + sparsity * strength * l1
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if settings.gradient_clip:
            nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
        optimizer.step()
        done = step + 1
        if done % settings.log_every == 0 or done == total:
            record = {
                "step": done,
                "loss": loss.item(),
                "error": error.item(),
                "l1": l1.item(),
                "phi_zero": phi_zero.item(),
            }
            if not math.isfinite(record["loss"]):
                raise OntogenyError(
                    f"training diverged at step {done} (the loss is {record['loss']}): lower the learning rates "
                    f"(learning_rate_W_start is {settings.learning_rate_W_start:g}) or set gradient_clip"
                )
            for key, value in record.items():
                history[key].append(value)
            if progress is not None:
                progress(record)
        if done in kept:
            _snapshot(snapshots, done, network)
        if checkpoint is not None and done % settings.checkpoint_every == 0 and done < total:
            state = _pack(network, optimizer, generators)
            state.update({f"history/{key}": np.asarray(values) for key, values in history.items()})
            state.update({f"snapshots/{key}": np.asarray(values) for key, values in snapshots.items()})
            state.update(step=np.asarray(done), strength=np.asarray(strength))
            checkpoint(state)
    trained = time.process_time()

    network = network.cpu()
    stacked = {key: np.asarray(values) for key, values in snapshots.items()}
    logged = dict(zip(history["step"], history["loss"]))
    stacked["loss"] = np.array([logged.get(int(k), math.nan) for k in stacked["step"]])
    result = _from_network(network, u)
    slopes = du[held_out] if drive is None else du[held_out] - drive[held_out % frames]
    seen = u[held_out]
    held_variance = float(np.var(slopes)) or variance
    before = _relative_error(result["derivative"](seen), slopes, held_variance)
    validation = {"before": before}
    extra: dict[str, Any] = {}
    verdict = unrefined("the wiring is the network's own, without a refinement and so without standard errors")
    if settings.refine:
        full = bool(mask.sum() == n * (n - 1))
        training = int(split.train.sum())
        least = n if full else int(mask.sum(1).max())
        if training < least:
            what = f"{n} neurons" if full else f"the {least} weights of a neuron"
            notes.append(f"no refinement: {training} training frames are fewer than {what}")
            verdict = unrefined(notes[-1])
        else:
            improved, found, held = _refine(result, activity, split, None if full else mask, seed, settings)
            after = _relative_error(improved["derivative"](seen), slopes, held_variance)
            validation["after"] = after
            verdict = assess(found, held, None if full else mask, activity.delta_t, seed)
            if after < before:
                result = improved
                extra = {"standard_errors": found.refined.standard_errors, "refinement": found.refined.residuals}
                notes += _about(found, result, verdict)
            else:
                notes.append(
                    f"the refinement was dropped: its error on held-out frames is {after:.3g}, without it {before:.3g}"
                )
                kind: Kind = "wrong" if verdict.verdict == "wrong" else "undetermined"
                verdict = dataclasses.replace(verdict, verdict=kind, reason=f"{notes[-1]}; {verdict.reason}")
    return Fit(
        history=history,
        snapshots=stacked,
        settings=settings.model_dump(),
        seed=seed,
        network_W=_gauged(network, u)[0],
        validation=validation,
        verdict=verdict.to_json(),
        seconds={"training": trained - started, "refinement": time.process_time() - trained},
        notes=notes,
        **result,
        **extra,
    )


def _snapshot(snapshots: dict[str, list[Any]], step: int, network: ConnectomeNetwork) -> None:
    snapshots["step"].append(step)
    snapshots["W"].append(network.W.detach().cpu().numpy().copy())
    snapshots["embedding"].append(network.embedding.detach().cpu().numpy().copy())


def _relative_error(predicted: np.ndarray, target: np.ndarray, variance: float) -> float:
    return float(np.mean((predicted - target) ** 2, dtype=np.float64)) / variance


@torch.no_grad()
def _gauged(network: ConnectomeNetwork, u: np.ndarray) -> tuple[np.ndarray, float, float]:
    """W in the gauge of `Fit`, the factor by which it was multiplied, and psi(0) before."""
    sample = torch.from_numpy(u[:: max(1, len(u) // 500)])
    constant = float(network.psi_at(torch.zeros(1)))
    sent = network.psi_at(sample).double() - constant
    size = float(sent.square().mean().sqrt()) or 1.0
    rising = float(((sample - sample.mean()) * (sent - sent.mean())).sum())
    factor = -size if rising < 0 else size
    return network.W.numpy().astype(np.float64) * factor, factor, constant


def _from_network(network: ConnectomeNetwork, u: np.ndarray) -> dict[str, Any]:
    W, factor, constant = _gauged(network, u)
    offset = W.sum(1) / factor * constant

    @torch.no_grad()
    def psi(points: np.ndarray) -> np.ndarray:
        values = network.psi_at(torch.as_tensor(np.asarray(points), dtype=torch.float32))
        return (values.numpy().astype(np.float64) - constant) / factor

    @torch.no_grad()
    def phi(points: np.ndarray) -> np.ndarray:
        values = network.phi_at(torch.as_tensor(np.asarray(points), dtype=torch.float32)).numpy()
        return values.T.astype(np.float64) + offset

    @torch.no_grad()
    def derivative(state: np.ndarray) -> np.ndarray:
        rows = torch.as_tensor(np.asarray(state), dtype=torch.float32)
        pieces = [network(rows[k : k + 64])[0].numpy() for k in range(0, len(rows), 64)]
        return np.concatenate(pieces).astype(np.float64)

    return {
        "W": W,
        "embedding": network.embedding.detach().numpy().astype(np.float64),
        "psi": psi,
        "phi": phi,
        "derivative": derivative,
    }


def _refine(
    result: dict[str, Any],
    activity: Activity,
    split: Split,
    allowed: np.ndarray | None,
    seed: int,
    settings: FitSettings,
) -> tuple[dict[str, Any], Recovered, Rows]:
    n = activity.n_neurons
    differences = derived_by(activity)
    rows = rows_of(activity, split.train, max(_MOST_FRAMES, 8 * n), differences is not None)
    more = rows_of(activity, split.train, 16 * n, differences is not None) if n > MANY else None
    held = rows_of(activity, split.held, max(_MOST_FRAMES, 4 * n), differences is not None)
    points = np.linspace(rows.u.min(), rows.u.max(), 4001)
    found = recover(rows, (points, result["psi"](points)), allowed, activity.delta_t, differences, seed, more)
    record = found.refined
    if allowed is None and settings.hidden_inputs and found.share > SHARED_LEAST:
        cleared = without_hidden(found, settings.hidden_inputs, seed, again)
        if cleared is not None:
            record, common = cleared
            found = dataclasses.replace(found, common=common)
    spline, piecewise = record.spline, record.spline.polynomials(record.phi)

    def psi(points: np.ndarray) -> np.ndarray:
        return spline.values(record.psi, points)

    def phi(points: np.ndarray) -> np.ndarray:
        return spline.values(record.phi, np.asarray(points, np.float64))

    def derivative(state: np.ndarray) -> np.ndarray:
        state = np.asarray(state, np.float64)
        return spline.each(piecewise, state) + psi(state) @ record.W.T

    span = np.linspace(max(spline.breaks[0], -3.0), min(spline.breaks[-1], 3.0), 61)
    embedding = functions_embedding(phi(span), settings.embedding_dim)
    improved = {"W": record.W, "embedding": embedding, "psi": psi, "phi": phi, "derivative": derivative}
    return improved, found, held


def _about(found: Recovered, result: dict[str, Any], verdict: Verdict) -> list[str]:
    """What a person should know of how the wiring was found."""
    notes = []
    if found.substeps != 1:
        how = "as a continuous flow" if not found.substeps else f"in {found.substeps} Euler steps per frame"
        notes.append(f"differences between frames were corrected for what the model does between them, {how}")
    if found.windows is not None:
        notes.append(
            "the model was fitted in its integral form, which suffers less from noise of the states and long "
            "frames than differences between frames do"
        )
    if found.common is not None:
        notes.append(f"W was cleared of {found.common.shape[1]} inputs that neurons share and none of them carries")
    return notes + ([] if verdict.verdict == "trusted" else [f"{verdict.verdict}: {verdict.reason}"])


def functions_embedding(functions: np.ndarray, dimensions: int) -> np.ndarray:
    """The leading principal components (N, dimensions) of functions (points, N), in units of the first one's spread.

    Each component's sign is such that its largest entry is positive; components beyond the functions' rank are 0.
    """
    centred = (functions - functions[len(functions) // 2]).T
    centred = centred - centred.mean(0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    scores = np.zeros((len(left), dimensions))
    kept = min(dimensions, len(size))
    scores[:, :kept] = left[:, :kept] * size[:kept]
    signs = np.sign(scores[np.abs(scores).argmax(0), np.arange(dimensions)])
    return scores * signs / max(scores[:, 0].std(), 1e-300)
