"""Matched prompts: one safe, one unsafe, of the same number of tokens, that differ in few of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.network import SAFE, UNSAFE, lengths
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD
from ontogeny.words import counted

ROLES = ("before", "differing", "next", "later", "read")
"""Positions of a pair, alike in pairs of all lengths: before the first differing token, the differing tokens, the one
after the last of them, those between that and the end, and the token that the judge reads, first or last."""


@dataclass(frozen=True)
class Pairs:
    """Matched pairs: unsafe and safe tokens, int64 (pairs, length), padded alike; group, int64 (pairs,)."""

    unsafe: Tensor
    safe: Tensor
    group: np.ndarray

    def __post_init__(self) -> None:
        if self.unsafe.shape != self.safe.shape or not torch.equal(self.unsafe != PAD, self.safe != PAD):
            raise OntogenyError("the two prompts of a pair differ in length: give pairs of as many tokens")
        if bool((self.unsafe == self.safe).all(1).any()):
            raise OntogenyError("a pair holds the same prompt twice: its prompts must differ")

    def __len__(self) -> int:
        return len(self.unsafe)

    def role(self, read: Tensor | None = None) -> Tensor:
        """The index into ROLES of every real token, -1 for padding, (pairs, length).

        read: the position of the token that the judge reads, (pairs,); the last one, if not given.
        """
        differ = self.unsafe != self.safe
        place = torch.arange(differ.shape[1])[None]
        start = differ.int().argmax(1)[:, None]
        end = differ.shape[1] - 1 - differ.flip(1).int().argmax(1)[:, None]
        last = (lengths(self.unsafe) - 1)[:, None]
        role = torch.full(differ.shape, ROLES.index("later"))
        role[place < start] = ROLES.index("before")
        role[(place >= start) & (place <= end)] = ROLES.index("differing")
        role[place == end + 1] = ROLES.index("next")
        role[place == (last if read is None else read[:, None])] = ROLES.index("read")
        role[place > last] = -1
        return role

    def take(self, chosen: Any) -> Pairs:
        """These pairs alone, with no more padding than they need."""
        index = torch.as_tensor(np.asarray(chosen, dtype=np.int64))
        width = int(lengths(self.unsafe[index]).max())
        return Pairs(self.unsafe[index, :width], self.safe[index, :width], self.group[index.numpy()])

    def relabelled(self, seed: int) -> Pairs:
        """The same pairs under random labels: in a random half of them the two prompts change places."""
        order = np.random.default_rng(seed).permutation(len(self))
        swap = torch.zeros(len(self), 1, dtype=torch.bool)
        swap[torch.from_numpy(order[: len(self) // 2])] = True
        return replace(
            self, unsafe=torch.where(swap, self.safe, self.unsafe), safe=torch.where(swap, self.unsafe, self.safe)
        )

    def halves(self, seed: int) -> tuple[Pairs, Pairs]:
        """Two parts that share no template where there are several, and about half of each template otherwise."""
        rng = np.random.default_rng(seed)
        names = rng.permutation(np.unique(self.group))
        sizes = np.cumsum([int((self.group == name).sum()) for name in names])
        cut = 1 + int(np.argmin(np.abs(sizes - len(self) / 2)))
        inside = np.isin(self.group, names[:cut])
        if inside.all() or not 0.3 <= inside.mean() <= 0.7:
            inside = np.zeros(len(self), dtype=bool)
            inside[rng.permutation(len(self))[: len(self) // 2]] = True
        return self.take(np.flatnonzero(inside)), self.take(np.flatnonzero(~inside))


@checks_arguments
def minimal_pairs(
    prompts: pd.DataFrame, tokens: Tensor, count: int = DEFAULTS.pairs, seed: int = DEFAULTS.seed
) -> Pairs:
    """Up to `count` pairs among `prompts` (columns label, pair, group; rows as in `tokens`) that match in length.

    A pair is a safe and an unsafe prompt with the same value of `pair`. Pairs are drawn evenly over groups. Raises
    OntogenyError if fewer than four pairs match.
    """
    if len(prompts) != len(tokens):
        raise OntogenyError(
            f"{counted(len(prompts), 'prompt')}, but {counted(len(tokens), 'row')} of tokens: give as many"
        )
    size = lengths(tokens).numpy()
    groups = pd.factorize(prompts["group"])[0]
    labels = prompts["label"].to_numpy()
    found: list[tuple[int, int, int]] = []
    known = prompts["pair"].notna().to_numpy() & (prompts["pair"].astype(str) != "").to_numpy()
    for _, rows in pd.Series(np.arange(len(prompts)))[known].groupby(prompts["pair"].to_numpy()[known], sort=True):
        sides = [[row for row in rows if labels[row] == label] for label in (UNSAFE, SAFE)]
        matching = [
            (one, two)
            for one in sides[0]
            for two in sides[1]
            if size[one] == size[two] and not torch.equal(tokens[one], tokens[two])
        ]
        if matching:
            found.append((*matching[0], int(groups[matching[0][0]])))
    if len(found) < 4:
        raise OntogenyError(
            f"{counted(len(found), 'pair')} of a safe and an unsafe prompt with the same number of tokens; at "
            "least 4 are "
            "needed (the column pair names the two of a pair)"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(found))
    by_group: dict[int, int] = {}
    rank = []
    for index in order:
        by_group[found[index][2]] = by_group.get(found[index][2], 0) + 1
        rank.append(by_group[found[index][2]])
    chosen = np.sort(order[np.argsort(rank, kind="stable")][:count])
    table = np.array([found[index] for index in chosen])
    width = int(size[table[:, :2]].max())
    index = torch.from_numpy(table)
    return Pairs(tokens[index[:, 0], :width], tokens[index[:, 1], :width], table[:, 2])
