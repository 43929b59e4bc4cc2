"""Sudden changes of training at a known step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

ABLATED = 0.25
"""Share of the first layer's units that an ablation sets to zero."""


@dataclass(frozen=True)
class Shock:
    """What changes (`kind`, see `ontogeny.training.settings.ShockSettings`), from which step, by which factor."""

    kind: str
    step: int
    factor: float

    def rate(self, before: Callable[[int], float]) -> Callable[[int], float]:
        """The learning rate with the shock."""
        if self.kind != "learning_rate":
            return before
        return lambda step: before(step) * (self.factor if step >= self.step else 1.0)

    def batch_size(self, before: int) -> int:
        """The size of a batch from the shock on."""
        return max(1, round(before * self.factor)) if self.kind == "batch_size" else before

    def samples(self, inputs: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
        """Images (n, channels, height, width) and labels (n,) as training sees them after the shock."""
        if self.kind == "data":
            height, width = inputs.shape[-2:]
            return torch.roll(inputs, (height // 4, max(width // 4, 1)), (-2, -1)), labels
        return (inputs, (labels + 1) % classes) if self.kind == "labels" else (inputs, labels)

    def after(self, model: nn.Module, step: int) -> None:
        """Set a quarter of the first layer's units to zero when the shock's step is reached."""
        if self.kind != "ablation" or step != self.step:
            return
        first = next(module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d))
        with torch.no_grad():
            for weight in (first.weight, first.bias):
                if weight is not None:
                    weight[: max(1, round(ABLATED * len(weight)))] = 0.0

    def truth(self) -> dict[str, Any]:
        """The shock as an entry of a run's truth."""
        place = float(self.step)
        about = {"name": self.kind.replace("_", " "), "quantity": self.kind}
        return about | {"start": place, "middle": place, "end": place, "from": "settings"}
