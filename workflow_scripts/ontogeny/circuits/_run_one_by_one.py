"""Circuits that are run one by one, where what makes their outputs right is no range of a sum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._problem import COUNT, LIST, SAMPLE
from ontogeny.circuits.enumeration import Problem
from ontogeny.circuits.functions import Nonlinearity, masked_sums
from ontogeny.errors import OntogenyError

MOST = 2_000_000
"""Circuits that are looked at one by one, at most."""
_BLOCK = 2_000_000


class RunOneByOne(Problem):
    """As `Problem`, whose networks and rows only tell which circuits may be perfect: these are run in float32."""

    def __init__(
        self,
        *posed: Any,
        weights: Sequence[NDArray[np.float32]],
        biases: Sequence[NDArray[np.float32]],
        hidden: Sequence[Nonlinearity],
        x: NDArray[np.float32],
        targets: NDArray[Any],
        right: Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.bool_]],
        least: float,
    ) -> None:
        """posed: as of `Problem`. weights, biases, hidden: the network that is run; right: which of its sums (circuits,
        rows, outputs) are right for targets (rows,), (circuits, rows); least: the share of rows that must be exceeded.
        """
        super().__init__(*posed)
        self.whole, self.right, self.least = (weights, biases, hidden), right, least
        rows, self.share = np.unique(np.column_stack([x, targets]), axis=0, return_counts=True)
        self.x, self.targets = np.ascontiguousarray(rows[:, :-1], np.float32), rows[:, -1].astype(np.int64)

    @property
    def parts(self) -> range:
        """All circuits are one part."""
        return range(-1, 0)

    def search(
        self, engine: str | None, mode: int, limit: int = 0, ranks: NDArray[np.int64] | None = None, part: int = -1
    ) -> tuple[int, NDArray[np.uint64], NDArray[np.int64], int]:
        """As of `Problem`. Raises OntogenyError where there are too many circuits to look at each of them."""
        found, codes, *_ = super().search(engine, LIST, MOST)
        if found > MOST:
            raise OntogenyError(
                f"more than {MOST:,} circuits may be perfect, too many to run each of them, as this rule needs: read "
                "the model without its output function, or allow no wrong rows"
            )
        codes = codes[self._right(codes)]
        none = np.zeros((0, 0, 0), np.int64)
        if mode == COUNT:
            return len(codes), np.zeros(0, np.uint64), self._marginals(codes), 0
        if mode == SAMPLE and ranks is not None:
            return len(ranks), codes[ranks], none, 0
        return len(codes), codes[: limit + 1] if mode == LIST else codes, none, 0

    def _right(self, codes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Whether each circuit gets enough rows right."""
        found = [np.zeros(0, bool)]
        size = max(1, _BLOCK // (len(self.x) * max(self.sizes)))
        for start in range(0, len(codes), size):
            sums = masked_sums(self.x, *self.whole, self.layout.edges(codes[start : start + size]))
            found.append(self.right(sums, self.targets) @ self.share / self.share.sum() > self.least)
        return np.concatenate(found)
