"""What a fit and a stored fit say alike."""

from __future__ import annotations

import math
from typing import Any, Literal, Protocol, get_args

import numpy as np

from ontogeny.errors import OntogenyError

Kind = Literal["trusted", "undetermined", "wrong"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What a verdict on a recovered wiring can be, the best first."""


class Recovery(Protocol):
    """What was recovered of a population: what metrics, figures and formulas read of a fit or a stored fit.

    See `ontogeny.connectome.fit.Fit` for shapes and gauge.
    """

    @property
    def W(self) -> np.ndarray: ...
    @property
    def network_W(self) -> np.ndarray: ...
    @property
    def embedding(self) -> np.ndarray: ...
    @property
    def standard_errors(self) -> np.ndarray | None: ...
    @property
    def history(self) -> dict[str, list[float]]: ...
    @property
    def validation(self) -> dict[str, float]: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    @property
    def seed(self) -> int: ...
    @property
    def verdict(self) -> dict[str, Any]: ...
    @property
    def final_loss(self) -> float: ...
    @property
    def refined(self) -> bool: ...
    def psi(self, u: np.ndarray, /) -> np.ndarray: ...
    def phi(self, u: np.ndarray, /) -> np.ndarray: ...
    def derivative(self, state: np.ndarray, /) -> np.ndarray: ...


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


def check_recovery(result: Any) -> None:
    """Raises OntogenyError for what is neither a fit nor a stored fit."""
    if not hasattr(result, "standard_errors"):
        raise OntogenyError(f"what fit_connectome returned is expected as the result, not {type(result).__name__}")


__all__ = ["Outcome", "Recovery", "check_recovery"]
