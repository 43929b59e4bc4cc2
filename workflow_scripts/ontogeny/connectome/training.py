"""The training of a graph network on frames of activity: continued after a stop, it ends in the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.connectome.network import ConnectomeNetwork
from ontogeny.connectome.observe import Split
from ontogeny.connectome.settings import FitSettings
from ontogeny.connectome.simulate import Activity
from ontogeny.errors import OntogenyError
from ontogeny.models.optimizers import eager

_MOST_HELD = 2000
_MOST_SAMPLED = 5000


@dataclass(frozen=True)
class Frames:
    """The frames of activity as rows, trajectory after trajectory, in single precision.

    u, du (rows, N): states and their derivatives; drive (frames, N): the known input, the same in every trajectory, or
    None. train, held: numbers of the rows to learn from, and of up to about 2,000 that are held out.
    """

    u: np.ndarray
    du: np.ndarray
    drive: np.ndarray | None
    train: np.ndarray
    held: np.ndarray

    @property
    def sampled(self) -> slice:
        """Rows, evenly spread, that stand for all."""
        return slice(None, None, max(1, len(self.u) // _MOST_SAMPLED))

    def slopes(self, rows: np.ndarray | slice) -> np.ndarray:
        """The derivatives less the known input, of some rows."""
        if self.drive is None:
            return self.du[rows]
        return self.du[rows] - self.drive[np.arange(len(self.du))[rows] % len(self.drive)]


def frames_of(activity: Activity, split: Split) -> Frames:
    """The rows of `activity`, divided by `split`."""
    u, du = (
        values.reshape(-1, activity.n_neurons).astype(np.float32, copy=False) for values in (activity.u, activity.du)
    )
    held = np.flatnonzero(split.held.reshape(-1))
    return Frames(
        u=u,
        du=du,
        drive=None if activity.input is None else activity.input.astype(np.float32),
        train=np.flatnonzero(split.train.reshape(-1)),
        held=held[:: max(1, len(held) // _MOST_HELD)],
    )


def network_for(frames: Frames, settings: FitSettings, mask: np.ndarray, seed: int) -> ConnectomeNetwork:
    """An untrained network whose grids cover the states of `frames`; mask (N, N): where W may differ from 0."""
    low, high = float(frames.u.min()), float(frames.u.max())
    size = float(np.sqrt(np.mean(frames.u[frames.sampled] ** 2)))
    return ConnectomeNetwork(
        len(mask),
        settings,
        torch.from_numpy(mask.astype(np.float32)),
        low,
        high,
        max(size / 8, 1e-6 * max(abs(low), abs(high))),
        torch.Generator().manual_seed(seed),
    )


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


class Training:
    """A network in training, with all that changes from step to step.

    history: lists `step`, `loss` (all terms), `error`, `l1`, `phi_zero`. snapshots: lists `step`, `W`, `embedding`.
    """

    def __init__(self, network: ConnectomeNetwork, frames: Frames, settings: FitSettings, seed: int) -> None:
        self.network, self.settings = network, settings
        self.optimizer = _optimizer(network, settings)
        self.total = total_steps(settings)
        self.history: dict[str, list[float]] = {"step": [], "loss": [], "error": [], "l1": [], "phi_zero": []}
        self.snapshots: dict[str, list[Any]] = {"step": [], "W": [], "embedding": []}
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._generators = {"data": torch.Generator().manual_seed(seed)}
        self._first, self._strength = 0, 1.0
        count = settings.n_snapshots
        self._kept = {round(k * self.total / count) for k in range(count + 1)} if count else set()
        device = network.W.device
        self._u, self._du = torch.from_numpy(frames.u).to(device), torch.from_numpy(frames.du).to(device)
        self._drive = None if frames.drive is None else torch.from_numpy(frames.drive).to(device)
        self._train = torch.from_numpy(frames.train)
        self._variance = float(np.var(frames.slopes(frames.sampled)))

    @property
    def variance(self) -> float:
        """Variance of the slopes, in units of which the error is measured."""
        return self._variance

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from what `state` gave. Raises OntogenyError if that was of another fit."""
        _unpack(state, self.network, self.optimizer, self._generators)
        self._first, self._strength = int(state["step"]), float(state["strength"])
        self.history = {key: np.asarray(state[f"history/{key}"]).tolist() for key in self.history}
        self.snapshots = {key: list(np.asarray(state[f"snapshots/{key}"])) for key in self.snapshots}

    def state(self, done: int) -> dict[str, np.ndarray]:
        """All that training after `done` steps follows from, as a flat dict of arrays."""
        state = _pack(self.network, self.optimizer, self._generators)
        state.update({f"history/{key}": np.asarray(values) for key, values in self.history.items()})
        state.update({f"snapshots/{key}": np.asarray(values) for key, values in self.snapshots.items()})
        state.update(step=np.asarray(done), strength=np.asarray(self._strength))
        return state

    def stacked_snapshots(self) -> dict[str, np.ndarray]:
        """`step` (S,), `W` (S, N, N), `embedding` (S, N, d), and the `loss` (S,) where it was logged, NaN elsewhere."""
        stacked = {key: np.asarray(values) for key, values in self.snapshots.items()}
        logged = dict(zip(self.history["step"], self.history["loss"]))
        stacked["loss"] = np.array([logged.get(int(step), math.nan) for step in stacked["step"]])
        return stacked

    def run(
        self,
        progress: Callable[[dict[str, float]], None] | None = None,
        checkpoint: Callable[[dict[str, np.ndarray]], None] | None = None,
    ) -> None:
        """Take all steps that are left; arguments as in `fit_connectome`. Raises OntogenyError if the loss diverges."""
        settings = self.settings
        if self._kept and not self._first:
            self._take_snapshot(0)
        for step in range(self._first, self.total):
            self._set_rates(step)
            terms = self._take_step(step)
            done = step + 1
            if done % settings.log_every == 0 or done == self.total:
                record = {"step": done, **{name: term.item() for name, term in terms.items()}}
                self._log(record)
                if progress is not None:
                    progress(record)
            if done in self._kept:
                self._take_snapshot(done)
            if checkpoint is not None and done % settings.checkpoint_every == 0 and done < self.total:
                checkpoint(self.state(done))

    def _set_rates(self, step: int) -> None:
        groups, turn = self.optimizer.param_groups, self.settings.alternating_steps
        for group, rate in zip(groups, self._rates):
            group["lr"] = rate * _rate(self.settings, step / self.total)
        if turn:
            for group in groups[1:] if (step // turn) % 2 == 0 else groups[:1]:
                group["lr"] = 0.0

    def _take_step(self, step: int) -> dict[str, Tensor]:
        """One step of the optimiser; the terms of its loss."""
        settings, network = self.settings, self.network
        error, sent = self._error()
        phi_zero = network.phi_at(torch.zeros(1, device=self._u.device)).square().mean()
        if settings.l1_mode == "annealed":
            self._strength = min(1.0, 2 * step / self.total)
        elif settings.l1_mode == "adaptive" and step % 25 == 0:
            self._strength = emptiness(network.W.detach())
        l1 = network.W.abs().mean() * sent.square().mean().sqrt()
        loss = error + settings.coeff_phi_zero * phi_zero + float(settings.coeff_W_L1) * self._strength * l1
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if settings.gradient_clip:
            nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
        self.optimizer.step()
        return {"loss": loss, "error": error, "l1": l1, "phi_zero": phi_zero}

    def _error(self) -> tuple[Tensor, Tensor]:
        """The mean square error on a batch drawn at random, over the variance, and psi at the states of the batch."""
        settings, data, n = self.settings, self._generators["data"], self._u.shape[1]
        rows = self._train[torch.randint(len(self._train), (settings.batch_size,), generator=data)]
        shift = torch.rand((), generator=data).item()
        receivers = None
        if settings.masked_share:
            count = max(1, round((1 - settings.masked_share) * n))
            receivers = torch.randperm(n, generator=data)[:count].to(self._u.device)
        batch, target = self._u[rows], self._du[rows]
        if self._drive is not None:
            target = target - self._drive[rows % len(self._drive)]
        if receivers is not None:
            target = target[:, receivers]
        predicted, sent = self.network(batch, shift if settings.batch_size > settings.grid_phi else None, receivers)
        return (predicted - target).square().mean() / self._variance, sent

    def _log(self, record: dict[str, float]) -> None:
        if not math.isfinite(record["loss"]):
            raise OntogenyError(
                f"training diverged at step {record['step']} (the loss is {record['loss']}): lower the learning rates "
                f"(learning_rate_W_start is {self.settings.learning_rate_W_start:g}) or set gradient_clip"
            )
        for key, value in record.items():
            self.history[key].append(value)

    def _take_snapshot(self, step: int) -> None:
        self.snapshots["step"].append(step)
        self.snapshots["W"].append(self.network.W.detach().cpu().numpy().copy())
        self.snapshots["embedding"].append(self.network.embedding.detach().cpu().numpy().copy())


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
