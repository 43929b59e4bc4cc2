"""What a fit and a stored fit say alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class Outcome:
    """The part of a fit that follows from its history and its standard errors."""

    W: np.ndarray
    history: dict[str, list[float]]
    snapshots: dict[str, np.ndarray]
    verdict: dict[str, Any]
    standard_errors: np.ndarray | None

    @property
    def final_loss(self) -> float:
        """The training loss, averaged over the last tenth of the logged steps."""
        tail = self.history["loss"][-max(1, len(self.history["loss"]) // 10) :]
        return float(np.mean(tail)) if tail else math.nan

    @property
    def refined(self) -> bool:
        """Whether W and the functions come from the refinement."""
        return self.standard_errors is not None
