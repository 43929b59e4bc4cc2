"""What holds throughout a block of a search, and what a finished block leaves to the next."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ontogeny.connectome.search.records import Record, metric_value
from ontogeny.connectome.search.space import Setting, short, two_digits
from ontogeny.connectome.settings import SearchSettings
from ontogeny.errors import OntogenyError

UCB_C = SearchSettings().ucb_c
"""The published exploration constant; the published instructions allow 0.5 to 3."""


@dataclass(frozen=True)
class Guideline:
    """What is known of the L1 coefficient at one filling factor: a range that served, and a note."""

    filling_factor: float
    low: float
    high: float
    note: str = ""

    @property
    def middle(self) -> float:
        """The geometric middle of the range, or its upper end where the range starts at 0."""
        return two_digits(math.sqrt(self.low * self.high)) if self.low > 0 else self.high


@dataclass(frozen=True)
class Rules:
    """What holds throughout one block. Everything that a policy may use besides the records of the block.

    Args:
        block: number of the block, from 1.
        filling_factor: fraction of nonzero connections, in (0, 1].
        n_iter_block: iterations in the block.
        first: settings of the first iteration; what is not in `space` stays as it is.
        space: the settings that may change.
        ucb_c: exploration constant.
        explore: whether the exploration rule holds: after two steps down one chain, leave it.
        focus: "W" or "embedding" where a focus rule holds: mutate what acts on it three times as often.
        guidelines: L1 ranges per filling factor.
        principles: lines that a person added to the memory.
    """

    block: int
    filling_factor: float
    n_iter_block: int
    first: Mapping[str, Any]
    space: tuple[Setting, ...]
    ucb_c: float = UCB_C
    explore: bool = False
    focus: str = ""
    guidelines: tuple[Guideline, ...] = ()
    principles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_filling_factor(self.filling_factor)
        for setting in self.space:
            if setting.name not in self.first:
                raise OntogenyError(f"the first settings lack {setting.name}, which the search may change")
            setting.check(self.first[setting.name], "first settings")

    def node(self, iteration: int) -> int:
        """The number over all blocks of one iteration of this block."""
        return (self.block - 1) * self.n_iter_block + iteration

    def open_settings(self, iteration: int) -> list[Setting]:
        """What may change at `iteration`: options only from the fifth on."""
        return [s for s in self.space if iteration > 4 or not s.option]


def check_filling_factor(value: Any) -> None:
    """Raise OntogenyError unless `value` is a number in (0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise OntogenyError(f"connectivity_filling_factor is {value!r}; expected a number in (0, 1]")


@dataclass(frozen=True)
class BlockEnd:
    """How a block ended, and what it hands over.

    `branching_rate` is the share of iterations after the first whose parent is not the iteration before. `changes`
    says in the study's words what was changed in the rules; `explore`, `focus` and `guidelines` hold from then on;
    `best` is the settings of the best node.
    """

    block: int
    filling_factor: float
    branches: int
    branching_rate: float
    best_node: int
    best: Mapping[str, Any]
    explore: bool
    focus: str
    guidelines: tuple[Guideline, ...]
    changes: tuple[str, ...]


def end_block(records: Sequence[Record], rules: Rules) -> BlockEnd:
    """Adapt the rules to the records of a finished block.

    - Branching rate under 20%: the exploration rule is added. At 20% or more it stays as it is.
    - R2 above 0.9 was reached and clusters were not (and rose by less than 0.05 over the block's second half):
      a focus-embedding rule is added. The reverse: focus-W. A focus whose objective was reached is removed.
    - The L1 guideline of this filling factor becomes the range of `coeff_W_L1` among the records within 0.02 of the
      best reward; a block whose best reward is under 0.5 leaves no guideline.

    Raises OntogenyError for a block without records.
    """
    if not records:
        raise OntogenyError(f"block {rules.block} has no records to end with")
    later = list(zip(records[1:], records))
    branches = sum(record.parent != before.node for record, before in later)
    rate = branches / len(later) if later else 1.0
    best = max(records, key=lambda record: (record.score, -record.node))
    changes = []
    explore = rules.explore or rate < 0.2
    if explore and not rules.explore:
        changes.append(
            "added rule [exploration: after two steps down one chain, take the best node outside it] "
            f"(branching rate {branches}/{len(later)} = {rate:.0%}, under 20%)"
        )
    focus, change = _focus_after(records, rules)
    changes += change
    guidelines, change = _guidelines_after(records, rules, best)
    changes += change
    return BlockEnd(
        rules.block, rules.filling_factor, branches, rate, best.node, dict(best.settings), explore, focus, guidelines,
        tuple(changes),
    )  # fmt: skip


def _focus_after(records: Sequence[Record], rules: Rules) -> tuple[str, list[str]]:
    """The focus after a block, and what is said of it if it changed."""
    r2 = [metric_value(record.metrics, "connectivity_R2") for record in records]
    cluster = [metric_value(record.metrics, "cluster_accuracy") for record in records]
    half = len(records) // 2

    def stuck(values: list[float]) -> bool:
        return max(values) <= 0.9 and (half == 0 or max(values[half:]) - max(values[:half]) < 0.05)

    focus = rules.focus
    if max(r2) > 0.9 and stuck(cluster):
        focus = "embedding"
    elif max(cluster) > 0.9 and stuck(r2):
        focus = "W"
    elif focus and max({"W": r2, "embedding": cluster}[focus]) > 0.9:
        focus = ""
    if focus == rules.focus:
        return focus, []
    if not focus:
        return focus, [f"modified [focus-{rules.focus}: removed, the objective was reached]"]
    good, bad = ("R2", cluster) if focus == "embedding" else ("clusters", r2)
    name = "cluster_accuracy" if focus == "embedding" else "connectivity_R2"
    return focus, [
        f"added rule [focus-{focus}: mutate what acts on the {focus} three times as often] "
        f"({good} good, {name} stuck at {max(bad):.2f})"
    ]


def _guidelines_after(records: Sequence[Record], rules: Rules, best: Record) -> tuple[tuple[Guideline, ...], list[str]]:
    """The guidelines after a block, and what is said of them if they changed."""
    if best.score < 0.5 or "coeff_W_L1" not in best.settings:
        return rules.guidelines, []
    near = sorted(float(r.settings["coeff_W_L1"]) for r in records if r.score >= best.score - 0.02)
    note = f"best score {best.score:.3f} at L1={short(best.settings['coeff_W_L1'])}, {len(near)} of {len(records)}"
    new = Guideline(rules.filling_factor, near[0], near[-1], f"{note} iterations within 0.02 of it")
    old = next((g for g in rules.guidelines if math.isclose(g.filling_factor, rules.filling_factor)), None)
    others = [g for g in rules.guidelines if g is not old]
    guidelines = tuple(sorted([*others, new], key=lambda g: -g.filling_factor))
    if old is not None and (old.low, old.high) == (new.low, new.high):
        return guidelines, []
    verb = "added rule" if old is None else "modified"
    was = "" if old is None else f", was {range_text(old)}"
    return guidelines, [f"{verb} [Sparsity-L1 guideline {rules.filling_factor:.4g}: {range_text(new)}]{was}"]


def range_text(guideline: Guideline) -> str:
    """The range of a guideline as text, such as `0.1 to 3`."""
    low, high = short(guideline.low), short(guideline.high)
    return low if low == high else f"{low} to {high}"


L1_GUIDELINES = (
    Guideline(1.0, 0.0, 0.0, "dense wiring needs no L1"),
    Guideline(0.1, 0.3, 10.0, "sparse wiring needs L1, more of it the larger the network"),
    Guideline(0.05, 0.3, 10.0, "sparse wiring needs L1, more of it the larger the network"),
)
"""What is known of L1 before a search starts."""
