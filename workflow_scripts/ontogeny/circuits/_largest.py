"""Circuits whose largest output is the right one on enough rows, where more than two outputs are judged together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits._problem import COUNT, LIST, SAMPLE
from ontogeny.circuits.enumeration import Problem
from ontogeny.circuits.functions import Nonlinearity
from ontogeny.errors import OntogenyError

MOST = 2_000_000
"""Circuits that are looked at one by one, at most."""
_BLOCK = 2_000_000


class LargestOutput(Problem):
    """As `Problem`, of a network with several outputs, some rows of which may be wrong.

    The networks of `Problem` are here the differences of two outputs. No circuit is wrong on more rows of one of them
    than of all; those that are not are listed, and run in float32 with all outputs.
    """

    def __init__(
        self,
        *posed: Any,
        weights: Sequence[NDArray[np.float32]],
        biases: Sequence[NDArray[np.float32]],
        hidden: Sequence[Nonlinearity],
        x: NDArray[np.float32],
        labels: NDArray[Any],
        least: float,
    ) -> None:
        """weights, biases, hidden, x, labels (rows,): the whole network; least: a share of rows that right ones exceed,
        the rest as of `Problem`."""
        super().__init__(*posed)
        self.whole, self.hidden, self.least = list(zip(weights, biases)), hidden, least
        rows, self.share = np.unique(np.column_stack([x, labels]), axis=0, return_counts=True)
        self.x, self.labels = np.ascontiguousarray(rows[:, :-1], np.float32), rows[:, -1].astype(np.int64)

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
                f"more than {MOST:,} circuits tell each output from each other often enough, too many to look at what "
                "they get wrong together: raise accuracy_threshold so that no row may be wrong"
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
            h: NDArray[Any] = self.x
            masks = self.layout.edges(codes[start : start + size])
            for layer, (mask, (matrix, bias)) in enumerate(zip(masks, self.whole)):
                h = h @ (matrix * mask).transpose(0, 2, 1) + bias
                if layer < len(self.hidden):
                    h = np.asarray(self.hidden[layer](h.astype(np.float64)), np.float32)
            right = (h.argmax(axis=2) == self.labels) @ self.share
            found.append(right / self.share.sum() > self.least)
        return np.concatenate(found)
