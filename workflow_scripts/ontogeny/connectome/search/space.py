"""The training settings that a search may change, and their ranges: those that act on this network, and the study's."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ontogeny.connectome.settings import FitSettings
from ontogeny.errors import OntogenyError
from ontogeny.settings import choices


@dataclass(frozen=True)
class Setting:
    """One training setting that a search may change.

    Args:
        name: the setting's name in `settings`.
        label: its short name in logs.
        low, high: range of a number, stepped by factors; None for a choice.
        values: what a choice may be; numbers in rising order.
        steps: factors by which a number is multiplied or divided.
        zero: whether the number may also be 0 (switched off).
        option: changed only from the fifth iteration of a block on.
        objective: what it acts on most, "W", "embedding" or "".
    """

    name: str
    label: str
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    steps: tuple[float, ...] = (2.0, 5.0)
    zero: bool = False
    option: bool = False
    objective: str = ""

    def __post_init__(self) -> None:
        if not self.values and not (self.low is not None and self.high is not None and 0 < self.low < self.high):
            raise OntogenyError(
                f"setting {self.name}: give `values`, or a range with 0 < low < high (got low={self.low}, "
                f"high={self.high})"
            )

    @property
    def numeric(self) -> bool:
        """Whether values are numbers, so that up and down mean something."""
        return not self.values or all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)

    @property
    def span(self) -> tuple[float, float]:
        """The ends of the range of a number. Raises OntogenyError for a choice, which has none."""
        if self.low is None or self.high is None:
            raise OntogenyError(f"setting {self.name} is one of {list(self.values)}: it has no range")
        return self.low, self.high

    def check(self, value: Any, where: str = "settings") -> None:
        """Raise OntogenyError unless `value` is allowed."""
        if self.values:
            if not any(type(value) is type(v) and value == v for v in self.values) and not (
                self.numeric and isinstance(value, int | float) and value in self.values
            ):
                raise OntogenyError(f"{where}: {self.name} is {value!r}; expected one of {list(self.values)}")
            return
        low, high = self.span
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if number and ((self.zero and value == 0) or low * (1 - 1e-9) <= value <= high * (1 + 1e-9)):
            return
        off = "0 or " if self.zero else ""
        raise OntogenyError(f"{where}: {self.name} is {value!r}; expected {off}a number in [{low:g}, {high:g}]")

    def direction(self, old: Any, new: Any) -> Any:
        """+1 or -1 for numbers that rise or fall; the new value itself for other choices."""
        return (1 if new > old else -1) if self.numeric else new

    def moves(self, value: Any) -> list[tuple[Any, str]]:
        """The values one step away from `value`, each with the law that leads there."""
        if self.values:
            if not self.numeric:
                return [(v, "choice") for v in self.values if v != value]
            at = min(range(len(self.values)), key=lambda i: abs(self.values[i] - value))
            near = [i for i in (at - 2, at - 1, at + 1, at + 2) if 0 <= i < len(self.values)]
            return [(self.values[i], f"step {i - at:+d}") for i in near]
        low, high = self.span
        if value == 0:
            middle = two_digits(math.sqrt(low * high))
            return [(low, "on, at the lower end"), (middle, "on, at the middle")]
        found: dict[float, str] = {}
        for factor in self.steps:
            for new, law in ((value * factor, f"x {factor:g}"), (value / factor, f"/ {factor:g}")):
                new = min(max(two_digits(new), low), high)
                if abs(math.log(new / value)) > 0.05:
                    found.setdefault(new, law)
        if self.zero:
            found.setdefault(0, "off")
        return list(found.items())

    def extreme(self, value: Any) -> Any:
        """The end of the range that is farther from `value`, in the logarithm."""
        low, high = (self.values[0], self.values[-1]) if self.values else self.span
        if value == 0 or low == 0:
            return high if abs(high - value) >= abs(value - low) else low
        return high if high / value >= value / low else low

    def sample(self, rng: np.random.Generator) -> Any:
        """A value drawn from the whole range: log-uniform for a number (0 one time in five where allowed)."""
        if self.values:
            return self.values[int(rng.integers(len(self.values)))]
        if self.zero and rng.random() < 0.2:
            return 0
        low, high = self.span
        new = two_digits(math.exp(rng.uniform(math.log(low), math.log(high))))
        return min(max(new, low), high)


def two_digits(value: float) -> float:
    """`value` rounded to two significant decimal digits."""
    return float(f"{value:.1e}")


def short(value: Any) -> str:
    """A setting's value as the study writes it: 2.0E-3, 0, 8, cosine."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if value == 0:
        return "0"
    if isinstance(value, int) or (0.1 <= abs(value) < 1e4):
        return f"{value:g}"
    mantissa, exponent = f"{value:.1E}".split("E")
    return f"{mantissa}E{int(exponent)}"


_FIT = FitSettings()

SPACE = (
    Setting("coeff_W_L1", "coeff_W_L1", 1e-2, 30.0, steps=(3.0, 10.0), zero=True, objective="W"),
    Setting("learning_rate_W_start", "lr_W", 1e-4, 1e-2, objective="W"),
    Setting("learning_rate_start", "lr", 1e-5, 1e-2),
    Setting("learning_rate_embedding_start", "lr_emb", 1e-5, 1e-2, objective="embedding"),
    Setting("batch_size", "batch_size", values=(64, 128, 256, 384, 512)),
    Setting("data_augmentation_loop", "data_aug", values=(50, 75, 100, 150, 200)),
    Setting("optimizer", "optimizer", values=choices(FitSettings, "optimizer"), option=True),
    Setting("schedule", "schedule", values=choices(FitSettings, "schedule"), option=True),
    Setting("gradient_clip", "clip", values=(0, 0.1, 1, 10), option=True),
    Setting("l1_mode", "L1_mode", values=choices(FitSettings, "l1_mode"), option=True, objective="W"),
    Setting("W_init", "W_init", values=choices(FitSettings, "W_init"), option=True, objective="W"),
    Setting("alternating_steps", "alternating", values=(0, 5, 20, 50), option=True, objective="embedding"),
    Setting("masked_share", "masked", values=(0, 0.1, 0.3), option=True),
)
"""The study's six settings, in ranges that bracket what recovers the wiring here, and its code changes as options.

The ranges of the learning rates hold the study's. L1 is measured against a loss in units of the variance of du/dt,
where values near 1 act, and batches are frames of all neurons at once.
"""

FIRST_SETTINGS = {setting.name: getattr(_FIT, setting.name) for setting in SPACE}
FIRST_SETTINGS |= {"coeff_W_L1": 0, "learning_rate_W_start": 3e-3}
"""Settings of the first iteration: the defaults of a fit, and numbers where those depend on the population."""

STUDY_SPACE = (
    Setting("coeff_W_L1", "coeff_W_L1", 1e-14, 1e-10, steps=(10.0, 100.0), objective="W"),
    Setting("learning_rate_W_start", "lr_W", 1e-4, 1e-2, objective="W"),
    Setting("learning_rate_start", "lr", 1e-5, 1e-3),
    Setting("learning_rate_embedding_start", "lr_emb", 1e-5, 1e-2, objective="embedding"),
    Setting("batch_size", "batch_size", values=(1, 2, 4, 8)),
    Setting("data_augmentation_loop", "data_aug", values=(25, 50, 100, 200, 400)),
)
"""The ranges in the study's instructions. Its range of L1 is far too small to act."""

STUDY_FIRST = {
    "coeff_W_L1": 1e-12,
    "learning_rate_W_start": 1e-3,
    "learning_rate_start": 5e-4,
    "learning_rate_embedding_start": 7.5e-4,
    "batch_size": 8,
    "data_augmentation_loop": 100,
}
"""The study's settings at the first iteration."""
