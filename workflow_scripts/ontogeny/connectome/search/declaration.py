"""The declaration of a search: its blocks, its space, its policy, and the rules that follow from records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ontogeny.connectome.search.policy import Policy, resolve_policy
from ontogeny.connectome.search.records import Record
from ontogeny.connectome.search.rules import L1_GUIDELINES, BlockEnd, Guideline, Rules, check_filling_factor, end_block
from ontogeny.connectome.search.space import FIRST_SETTINGS, SPACE, STUDY_FIRST, STUDY_SPACE, Setting
from ontogeny.connectome.settings import SearchSettings
from ontogeny.errors import OntogenyError
from ontogeny.files import plain

DEFAULTS = SearchSettings()


@dataclass(frozen=True)
class Search:
    """The declaration of a search.

    Args:
        config: name used in file names and titles.
        blocks: filling factor of each block; a level may come back.
        n_iter_block: iterations in each block.
        policy: "ucb", "random", "tpe" or a function `(history, rules, rng) -> Proposal`.
        ucb_c: exploration constant of the UCB score (the study: 1.414, nearly breadth-first in short blocks).
        space: the settings that may change.
        first: settings of the very first iteration; those not in `space` stay fixed.
        guidelines: L1 ranges per filling factor known beforehand; a block whose level is among them starts there.
        seed: seed of proposals and evaluations.
        sequential: whether a block's rules follow from the earlier blocks.
    """

    config: str = "connectome"
    blocks: tuple[float, ...] = tuple(DEFAULTS.levels)
    n_iter_block: int = DEFAULTS.n_iter_block
    policy: str | Policy = DEFAULTS.policy
    ucb_c: float = DEFAULTS.ucb_c
    space: tuple[Setting, ...] = SPACE
    first: Mapping[str, Any] = field(default_factory=lambda: dict(FIRST_SETTINGS))
    guidelines: tuple[Guideline, ...] = L1_GUIDELINES
    seed: int = DEFAULTS.seed
    sequential: bool = DEFAULTS.sequential

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        object.__setattr__(self, "space", tuple(self.space))
        object.__setattr__(self, "guidelines", tuple(self.guidelines))
        if not self.blocks:
            raise OntogenyError("a search needs at least one block: give filling factors in `blocks`")
        for level in self.blocks:
            check_filling_factor(level)
        if isinstance(self.n_iter_block, bool) or not isinstance(self.n_iter_block, int) or self.n_iter_block < 1:
            raise OntogenyError(f"n_iter_block is {self.n_iter_block!r}; expected a whole number of at least 1")
        if isinstance(self.ucb_c, bool) or not isinstance(self.ucb_c, int | float) or not 0 <= self.ucb_c < math.inf:
            raise OntogenyError(f"ucb_c is {self.ucb_c!r}; expected a number of at least 0 (the study: 0.5 to 3)")
        if not self.config or any(mark in self.config for mark in "/\\\n"):
            raise OntogenyError(f"config is {self.config!r}; expected a name that can be part of a file name")
        resolve_policy(self.policy)
        _ = self.rules(1)

    @property
    def policy_name(self) -> str:
        """The policy's name."""
        return self.policy if isinstance(self.policy, str) else getattr(self.policy, "__name__", "policy")

    def rules(self, block: int, earlier: Sequence[Record] = ()) -> Rules:
        """The rules of `block` (from 1), given the records of the blocks before it.

        Raises:
            OntogenyError: no such block, or a sequential search whose earlier blocks are not complete.
        """
        if not 1 <= block <= len(self.blocks):
            raise OntogenyError(f"there is no block {block}: the search has {len(self.blocks)}")
        if not self.sequential:
            return self._start(block, self.first, self.guidelines)
        whole = {record.block: 0 for record in earlier}
        for record in earlier:
            whole[record.block] += 1
        for before in range(1, block):
            if whole.get(before, 0) < self.n_iter_block:
                raise OntogenyError(
                    f"block {block} starts from what block {before} found, of which {whole.get(before, 0)} of "
                    f"{self.n_iter_block} iterations are there: finish it first, or set sequential to false"
                )
        return self.replay(earlier, block)[-1][0]

    def replay(self, records: Sequence[Record], blocks: int | None = None) -> list[tuple[Rules, BlockEnd | None]]:
        """The rules of each block and what it left (None while it is not complete), as far as they are known.

        Args:
            records: records of any blocks.
            blocks: how many blocks, all by default; a sequential search stops after the first incomplete one.
        """
        found: list[tuple[Rules, BlockEnd | None]] = []
        groups: dict[int, list[Record]] = {}
        for record in records:
            groups.setdefault(record.block, []).append(record)
        rules = self._start(1, self.first, self.guidelines)
        for block in range(1, (blocks or len(self.blocks)) + 1):
            if not self.sequential:
                rules = self._start(block, self.first, self.guidelines)
            elif block > 1:
                end = found[-1][1]
                if end is None:
                    break
                rules = self._start(block, end.best, end.guidelines, end.explore, end.focus)
            group = groups.get(block, [])
            found.append((rules, end_block(group, rules) if len(group) >= self.n_iter_block else None))
        return found

    def _start(
        self,
        block: int,
        settings: Mapping[str, Any],
        guidelines: tuple[Guideline, ...],
        explore: bool = False,
        focus: str = "",
    ) -> Rules:
        level = self.blocks[block - 1]
        first = dict(settings)
        known = next((g for g in guidelines if math.isclose(g.filling_factor, level)), None)
        l1 = next((s for s in self.space if s.name == "coeff_W_L1"), None)
        if known is not None and l1 is not None and not known.low <= first["coeff_W_L1"] <= known.high:
            value, (low, high) = known.middle, l1.span
            first["coeff_W_L1"] = value if value == 0 and l1.zero else min(max(value, low), high)
        return Rules(block, level, self.n_iter_block, first, self.space, self.ucb_c, explore, focus, guidelines)


def search_json(search: Search) -> dict[str, Any]:
    """The declaration of a search as JSON types."""
    return {
        **plain({k: v for k, v in asdict(search).items() if k not in ("space", "policy")}),
        "policy": search.policy_name,
        "space": [plain(asdict(setting)) for setting in search.space],
    }


def search_from(settings: SearchSettings, name: str) -> Search:
    """The search that `settings` declare; what their `fit` sets is where it starts.

    Raises OntogenyError if that lies outside the ranges searched.
    """
    space, first = (STUDY_SPACE, STUDY_FIRST) if settings.space == "published" else (SPACE, FIRST_SETTINGS)
    given = {key: getattr(settings.fit, key) for key in first if key in settings.fit.model_fields_set}
    return Search(
        config=name,
        blocks=tuple(settings.levels),
        n_iter_block=settings.n_iter_block,
        policy=settings.policy,
        ucb_c=settings.ucb_c,
        space=space,
        first={**first, **{key: value for key, value in given.items() if value != "recommended"}},
        seed=settings.seed,
        sequential=settings.sequential,
    )
