"""The learner: a network together with everything that decides its next training step.

Training advances a learner, a checkpoint freezes one, and replay advances one again. That all three use this class
is why a replayed network is the trained one, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.models.optimizers import eager
from ontogeny.trajectory.checkpoints import trained_state, whole

Batch = tuple[Tensor, Tensor]


class Learner:
    """A network, its optimiser, its random state and its place in the data.

    `batch(step)` gives the inputs and targets of a step and must be a pure function of the step. `rate(step)` gives
    the learning rate. `loss(outputs, targets)` is a mean over samples. With `accumulation` a batch goes through the
    network in so many parts of equal size, whose gradients add up to that of the batch. Random numbers that the
    network draws (dropout) come from a stream of the learner's own, seeded by `seed`; the global stream is left as it
    was. `after(model, step)` is called when a step is done, and may change the weights.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        batch: Callable[[int], Batch],
        loss: Callable[[Any, Tensor], Tensor],
        rate: Callable[[int], float],
        seed: int,
        gradient_clip: float | None = None,
        accumulation: int = 1,
        after: Callable[[nn.Module, int], None] | None = None,
    ) -> None:
        self.model, self.optimizer = model, optimizer
        self.batch, self.loss, self.rate = batch, loss, rate
        self.gradient_clip, self.accumulation, self.after = gradient_clip, accumulation, after
        self.step = 0
        self.device = next(model.parameters()).device
        self._random = _seeded_state(seed, self.device)

    def gradient(self) -> tuple[float, float]:
        """Compute the loss of this step's batch and its gradient; return `(loss, norm of the gradient)`."""
        inputs, targets = self.batch(self.step)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        with own_random_numbers(self):
            for part, wanted in zip(inputs.chunk(self.accumulation), targets.chunk(self.accumulation)):
                share = len(wanted) / len(targets)
                loss = self.loss(self.model(part), wanted)
                (loss if share == 1 else loss * share).backward()
                total += float(loss.detach()) * share
        limit = math.inf if self.gradient_clip is None else self.gradient_clip
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        return total, float(norm)

    def update(self) -> None:
        """Take the optimiser's step with the gradient that `gradient` left; then `step` is one more."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(self.step)
        self.optimizer.step()
        self.step += 1
        if self.after is not None:
            self.after(self.model, self.step)

    def advance_to(self, step: int) -> None:
        """Train on to exactly `step`. Raises OntogenyError if the learner is already past it."""
        if step < self.step:
            raise OntogenyError(f"a learner at step {self.step} cannot go back to step {step}")
        while self.step < step:
            self.gradient()
            self.update()

    def state(self) -> dict[str, Tensor]:
        """Everything that decides the next step, less what is frozen, as named tensors (copies)."""
        tensors = {f"model.{name}": tensor.detach().clone() for name, tensor in trained_state(self.model).items()}
        for index, entry in self.optimizer.state_dict()["state"].items():
            for key, value in entry.items():
                if value is not None:
                    tensors[f"optimizer.{index:06d}.{key}"] = whole(torch.as_tensor(value)).detach().clone()
        for name, value in self._random.items():
            tensors[f"rng.{name}"] = value.clone()
        return tensors

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """Become the learner that `state` described at `step`.

        Raises OntogenyError if the tensors do not fit this network.
        """
        weights = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
        try:
            if weights.keys() != trained_state(self.model).keys():
                raise RuntimeError("other parameters are trained")
            self.model.load_state_dict(weights, strict=False)
        except RuntimeError as error:
            raise OntogenyError(
                f"the checkpoint does not fit the network: {str(error).splitlines()[-1].strip()}"
            ) from None
        entries: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                entries.setdefault(int(index), {})[key] = tensor.clone()
        blank = self.optimizer.state_dict()
        self.optimizer.load_state_dict({"state": entries, "param_groups": blank["param_groups"]})
        self._random = {name[4:]: tensor.clone() for name, tensor in tensors.items() if name.startswith("rng.")}
        self.step = step


@contextmanager
def own_random_numbers(learner: Learner) -> Iterator[None]:
    """A block in which random numbers come from a learner's own stream; the global one is left as it was."""
    outer = _random_state(learner.device)
    _set_random_state(learner._random)
    try:
        yield
    finally:
        learner._random = _random_state(learner.device)
        _set_random_state(outer)


def make_optimizer(
    model: nn.Module, name: str, learning_rate: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """The optimiser `adamw`, `adam` or `sgd` over all parameters that are trained."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if name == "sgd":
        return eager(torch.optim.SGD)(trained, lr=learning_rate, momentum=momentum, weight_decay=weight_decay)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return eager(kind)(trained, lr=learning_rate, weight_decay=weight_decay)


def rate_schedule(learning_rate: float, schedule: str, steps: int, warmup_steps: int) -> Callable[[int], float]:
    """The learning rate as a function of the step: linear warm-up, then constant or half a cosine down to 0."""

    def rate(step: int) -> float:
        if step < warmup_steps:
            return learning_rate * (step + 1) / warmup_steps
        if schedule == "constant":
            return learning_rate
        progress = (step - warmup_steps) / max(1, steps - warmup_steps)
        return learning_rate * 0.5 * (1 + math.cos(math.pi * progress))

    return rate


def _seeded_state(seed: int, device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.Generator().manual_seed(seed).get_state()}
    if device.type == "cuda":
        state["cuda"] = torch.Generator(device).manual_seed(seed).get_state()
    return state


def _random_state(device: torch.device) -> dict[str, Tensor]:
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def _set_random_state(state: dict[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"])
