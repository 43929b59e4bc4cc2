"""The search over training settings: its declaration, its files, one iteration, the loop, and policies compared.

`ontogeny.connectome.explore` runs a whole search; `run_iteration` runs one iteration from the files of those
before, so that iterations can be jobs of their own and blocks run side by side. Both leave

    records/block_01/iter_001.json    one iteration each (`Record`)
    evaluations/{key}.json            what was computed, by what was asked: settings, level, seed and identity
    cost/{key}.json                   what computing it took; the one kind of file that differs between two makings
    rules.json, *.csv, *.md, ucb_scores.txt    see `ontogeny.connectome.logbook`

A search that was interrupted goes on where it stopped. After a change of `ucb_c`, of the policy or of its rules, the
iterations that would still be proposed stay, the others are proposed anew, and whatever was computed before is taken
from `evaluations`, which nothing overwrites.

With `sequential=True`, as in the study, the rules of a block follow from the records of all earlier blocks: it starts
from the best settings of the block before, with what was added to the rules at its end. With `sequential=False` the
rules of a block depend on its own filling factor and the guidelines given at the start alone, so that blocks may run
side by side; how the rules would change at each block's end is recorded all the same, and the logbook reads the same.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.connectome.policy import (
    UCB_C,
    BlockEnd,
    Guideline,
    Policy,
    Proposal,
    Record,
    Rules,
    Setting,
    check_filling_factor,
    end_block,
    follows,
    propose,
    record_from_json,
    resolve_policy,
    success,
)
from ontogeny.connectome.space import FIRST_SETTINGS, L1_GUIDELINES, SPACE
from ontogeny.errors import OntogenyError
from ontogeny.files import json_text, plain, read_json, write_json

LEVELS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05)
"""The study's filling factors, in its order."""

COST = ("training_time_min",)
"""Metrics that tell of the machine: kept in the files of cost, away from the data."""

Evaluate = Callable[[Mapping[str, Any], float, int], Mapping[str, Any]]
"""`evaluate(settings, filling_factor, seed) -> metrics`: metrics hold `connectivity_R2` and `cluster_accuracy`."""


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
    blocks: tuple[float, ...] = LEVELS
    n_iter_block: int = 6
    policy: str | Policy = "ucb"
    ucb_c: float = UCB_C
    space: tuple[Setting, ...] = SPACE
    first: Mapping[str, Any] = field(default_factory=lambda: dict(FIRST_SETTINGS))
    guidelines: tuple[Guideline, ...] = L1_GUIDELINES
    seed: int = 0
    sequential: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", tuple(self.blocks))
        object.__setattr__(self, "space", tuple(self.space))
        object.__setattr__(self, "guidelines", tuple(self.guidelines))
        if not self.blocks:
            raise OntogenyError("a search needs at least one block: give filling factors in `blocks`")
        for level in self.blocks:
            check_filling_factor(level)
        if isinstance(self.n_iter_block, bool) or not isinstance(self.n_iter_block, int) or self.n_iter_block < 1:
            raise OntogenyError(f"n_iter_block is {self.n_iter_block!r}; a whole number of at least 1 is wanted")
        if isinstance(self.ucb_c, bool) or not isinstance(self.ucb_c, int | float) or not 0 <= self.ucb_c < math.inf:
            raise OntogenyError(f"ucb_c is {self.ucb_c!r}; a number of at least 0 is wanted (the study: 0.5 to 3)")
        if not self.config or any(mark in self.config for mark in "/\\\n"):
            raise OntogenyError(f"config is {self.config!r}; a name that can be part of a file name is wanted")
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
        self, block: int, settings: Mapping[str, Any], guidelines: tuple[Guideline, ...], explore=False, focus=""
    ) -> Rules:
        level = self.blocks[block - 1]
        first = dict(settings)
        known = next((g for g in guidelines if math.isclose(g.filling_factor, level)), None)
        l1 = next((s for s in self.space if s.name == "coeff_W_L1"), None)
        if known is not None and l1 is not None and not known.low <= first["coeff_W_L1"] <= known.high:
            value = known.middle
            first["coeff_W_L1"] = value if value == 0 and l1.zero else min(max(value, l1.low), l1.high)
        return Rules(block, level, self.n_iter_block, first, self.space, self.ucb_c, explore, focus, guidelines)


# Files


def record_path(folder: str | os.PathLike, block: int, iteration: int) -> Path:
    """Where an iteration's record lies: `records/block_01/iter_001.json`."""
    return Path(folder) / "records" / f"block_{block:02d}" / f"iter_{iteration:03d}.json"


def read_records(folder: str | os.PathLike, search: Search | None = None) -> list[Record]:
    """The records in `folder`, block by block; each block up to the first iteration that is missing.

    With `search`, only its blocks and iterations.

    Raises:
        OntogenyError: a file that is not a record, or whose numbers are not those of its name.
    """
    found = []
    for path in sorted((Path(folder) / "records").glob("block_*/iter_*.json")):
        try:
            block, iteration = int(path.parent.name[6:]), int(path.stem[5:])
        except ValueError:
            continue
        if search is not None and (block > len(search.blocks) or iteration > search.n_iter_block):
            continue
        record = record_from_json(read_json(path), str(path))
        if (record.block, record.iteration) != (block, iteration):
            raise OntogenyError(
                f"{path} holds block {record.block}, iteration {record.iteration}: put it where it belongs"
            )
        found.append(record)
    found.sort(key=lambda record: (record.block, record.iteration))
    whole: list[Record] = []
    for _, group in itertools.groupby(found, key=lambda record: record.block):
        for place, record in enumerate(group, start=1):
            if record.iteration != place:
                break
            whole.append(record)
    return whole


def evaluation_key(settings: Mapping[str, Any], filling_factor: float, seed: int, identity: Any = None) -> str:
    """The name of an evaluation: a digest of all that determines it; 8 and 8.0 are one value."""
    numbers = {
        k: float(v) if isinstance(v, int) and not isinstance(v, bool) else v for k, v in sorted(settings.items())
    }
    text = json_text([numbers, float(filling_factor), int(seed), identity], indent=None)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def cost_path(folder: str | os.PathLike, key: str) -> Path:
    """Where a search in `folder` keeps what the evaluation `key` took; times differ from one making to the next."""
    return Path(folder) / "cost" / f"{key}.json"


def training_minutes(folder: str | os.PathLike, records: Sequence[Record]) -> dict[str, float]:
    """CPU minutes of training of each record's evaluation, by its key, as far as the files of cost know them.

    What a person reads about; nothing is decided by it.
    """
    found = {}
    for record in records:
        try:
            value = read_json(cost_path(folder, record.evaluation)).get("training_time_min")
        except (OntogenyError, AttributeError):
            continue
        if isinstance(value, int | float) and not isinstance(value, bool):
            found[record.evaluation] = float(value)
    return found


def _evaluate(evaluate: Evaluate, folder: Path, proposal: Proposal, level: float, identity: Any) -> dict[str, Any]:
    key = evaluation_key(proposal.settings, level, proposal.seed, identity)
    path = folder / "evaluations" / f"{key}.json"
    if path.exists():
        stored = read_json(path)
        if not isinstance(stored, dict) or not isinstance(stored.get("metrics"), dict):
            raise OntogenyError(f"{path} is not an evaluation: delete it, and it is computed again")
        return {**stored, "key": key}
    wall, cpu = time.perf_counter(), time.process_time()
    metrics = plain(dict(evaluate(dict(proposal.settings), level, proposal.seed)))
    cost = {"cpu_s": round(time.process_time() - cpu, 3), "wall_s": round(time.perf_counter() - wall, 3)}
    cost |= {name: metrics.pop(name) for name in COST if name in metrics}
    for name in ("connectivity_R2", "cluster_accuracy"):
        value = metrics.get(name, "missing")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise OntogenyError(f"evaluate must return a number as '{name}'; it is {value!r}")
    asked = {"settings": plain(dict(proposal.settings)), "filling_factor": level, "seed": proposal.seed}
    stored = {**asked, "identity": plain(identity), "metrics": metrics}
    write_json(cost_path(folder, key), cost)
    write_json(path, stored)
    return {**stored, "key": key}


def run_iteration(
    evaluate: Evaluate, folder: str | os.PathLike, search: Search, block: int, iteration: int, identity: Any = None
) -> Record:
    """Run one iteration from the records of those before it, and write its record.

    A record that is there and still is what the policy proposes is left as it is. A proposal that was evaluated
    before is not evaluated again.

    Args:
        evaluate: `evaluate(settings, filling_factor, seed) -> metrics`, a pure function of its arguments and of
            what `identity` names.
        folder: the search's folder.
        search: its declaration.
        block, iteration: which, both from 1.
        identity: JSON value that names the data and the code behind `evaluate`; evaluations under another identity
            are not taken over.

    Raises:
        OntogenyError: iterations before this one are missing, or `evaluate` returns no usable metrics.
    """
    return ensure_iteration(evaluate, folder, search, block, iteration, identity)[0]


def ensure_iteration(
    evaluate: Evaluate, folder: str | os.PathLike, search: Search, block: int, iteration: int, identity: Any = None
) -> tuple[Record, bool]:
    """The record of one iteration, and whether its file was written just now; see `run_iteration`."""
    folder = Path(folder)
    if not 1 <= iteration <= search.n_iter_block:
        raise OntogenyError(f"there is no iteration {iteration}: a block has {search.n_iter_block}")
    records = read_records(folder, search)
    rules = search.rules(block, [record for record in records if record.block < block])
    history = [record for record in records if record.block == block][: iteration - 1]
    if len(history) < iteration - 1:
        raise OntogenyError(
            f"iteration {iteration} of block {block} needs the records of iterations 1 to {iteration - 1}; "
            f"{len(history)} are in {record_path(folder, block, 1).parent}"
        )
    proposal = propose(history, rules, search.seed, search.policy)
    path = record_path(folder, block, iteration)
    key = evaluation_key(proposal.settings, rules.filling_factor, proposal.seed, identity)
    if path.exists():
        old = record_from_json(read_json(path), str(path))
        same = follows(old, proposal) and old.evaluation == key and old.node == rules.node(iteration)
        if same and math.isclose(old.filling_factor, rules.filling_factor) and old.rule == proposal.rule:
            return old, False
    done = _evaluate(evaluate, folder, proposal, rules.filling_factor, identity)
    record = Record(
        block=block,
        iteration=iteration,
        node=rules.node(iteration),
        parent=proposal.parent,
        filling_factor=rules.filling_factor,
        settings=plain(dict(proposal.settings)),
        mutation=plain(dict(proposal.mutation)),
        strategy=proposal.strategy,
        rule=proposal.rule,
        metrics=done["metrics"],
        seed=proposal.seed,
        evaluation=key,
    )
    write_json(path, record.to_json())
    return record, True


def search_json(search: Search) -> dict[str, Any]:
    """The declaration of a search as JSON types."""
    return {
        **plain({k: v for k, v in asdict(search).items() if k not in ("space", "policy")}),
        "policy": search.policy_name,
        "space": [plain(asdict(setting)) for setting in search.space],
    }


# Policies compared


@dataclass(frozen=True)
class PolicyComparison:
    """Policies compared over seeds.

    `curves`: policy, iteration, mean, low, high of the best score so far, averaged over blocks, with a 95% interval
    over seeds. `table`: one row a policy. `differences`: every policy against the reference, paired by seed.
    `verdict`: one paragraph of what may be claimed.
    """

    curves: pd.DataFrame
    table: pd.DataFrame
    differences: pd.DataFrame
    verdict: str


def best_so_far(records: Sequence[Record]) -> np.ndarray:
    """The best score up to each iteration, (blocks, iterations); blocks of unequal length are cut to the shortest."""
    curves = [
        np.maximum.accumulate([record.score for record in group])
        for _, group in itertools.groupby(
            sorted(records, key=lambda r: (r.block, r.iteration)), key=lambda record: record.block
        )
    ]
    if not curves:
        raise OntogenyError("a history without records cannot be compared")
    return np.stack([curve[: min(map(len, curves))] for curve in curves])


def compare_policies(
    histories: Mapping[str, Sequence[Sequence[Record]]], reference: str | None = None, level: float = 0.95
) -> PolicyComparison:
    """Which policy found good settings sooner, with intervals over seeds and paired tests.

    Three numbers a search, each averaged over its blocks: the mean of the best-so-far curve ("sooner": 1 would be
    perfect from the first iteration on), the best score at the end, and the number of iterations until the first
    success (one more than the block has where there was none). Policies are compared with `reference` by seed; p
    comes from all sign flips of the differences (exact; at most 4,096, then drawn), and is corrected by Holm over
    policies and the first two numbers. With k seeds p cannot fall under 2^(1-k): five seeds cannot show 0.05.

    The best of noisy evaluations is biased upwards, more so where settings differ little: read differences smaller
    than the spread between robustness-tests as none.

    Args:
        histories: `{policy: [records of seed 0, records of seed 1, ...]}`; equal seeds at equal places.
        reference: the policy to compare with; "random" where it is there, else the first.
        level: of the intervals (Student's t over seeds).
    """
    from scipy import stats

    if not histories or any(len(runs) == 0 for runs in histories.values()):
        raise OntogenyError("compare_policies needs at least one search of every policy")
    reference = reference or ("random" if "random" in histories else next(iter(histories)))
    if reference not in histories:
        raise OntogenyError(f"the reference policy {reference!r} is not among {sorted(histories)}")

    def interval(values: np.ndarray) -> tuple[float, float, float]:
        mean = float(np.mean(values))
        if len(values) < 2:
            return mean, math.nan, math.nan
        half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
        return mean, mean - float(half), mean + float(half)

    curve_rows, table_rows = [], []
    numbers: dict[str, dict[str, np.ndarray]] = {}
    for policy, runs in histories.items():
        curves = [best_so_far(records).mean(axis=0) for records in runs]
        length = min(map(len, curves))
        stacked = np.stack([curve[:length] for curve in curves])
        for i in range(length):
            mean, low, high = interval(stacked[:, i])
            row = {"policy": policy, "iteration": i + 1, "mean": mean, "low": low, "high": high, "seeds": len(runs)}
            curve_rows.append(row)
        waits = []
        for records in runs:
            first: dict[int, int] = {}
            count: dict[int, int] = {}
            for record in records:
                count[record.block] = max(count.get(record.block, 0), record.iteration)
                if success(record.metrics):
                    first[record.block] = min(first.get(record.block, record.iteration), record.iteration)
            waits.append(np.mean([first.get(block, last + 1) for block, last in count.items()]))
        numbers[policy] = {"sooner": stacked.mean(axis=1), "final": stacked[:, -1], "wait": np.array(waits)}
        row: dict[str, Any] = {"policy": policy, "seeds": len(runs)}
        for name, values in numbers[policy].items():
            row[name], row[f"{name}_low"], row[f"{name}_high"] = interval(values)
        table_rows.append(row)

    rows = []
    for policy in histories:
        if policy == reference:
            continue
        for name in ("sooner", "final"):
            ours, theirs = numbers[policy][name], numbers[reference][name]
            pairs = min(len(ours), len(theirs))
            difference = ours[:pairs] - theirs[:pairs]
            mean, low, high = interval(difference)
            rows.append(
                {
                    "policy": policy,
                    "reference": reference,
                    "number": name,
                    "difference": mean,
                    "low": low,
                    "high": high,
                    "seeds": pairs,
                    "p": _sign_flip_p(difference),
                }
            )
    differences = pd.DataFrame(
        rows, columns=["policy", "reference", "number", "difference", "low", "high", "seeds", "p"]
    )
    differences["p_holm"] = holm(differences["p"].to_numpy(float))
    table = pd.DataFrame(table_rows)
    return PolicyComparison(pd.DataFrame(curve_rows), table, differences, _verdict(differences, table, reference))


def _sign_flip_p(differences: np.ndarray) -> float:
    """Two-sided p of the mean of paired differences under random signs."""
    count = len(differences)
    if count < 2 or not np.any(differences):
        return 1.0
    if count <= 12:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), size=(4096, count))
        signs[0] = 1.0
    means = np.abs(signs @ differences)
    return float(np.mean(means >= means[0] * (1 - 1e-12)))


def holm(p_values: np.ndarray) -> np.ndarray:
    """P values corrected by Holm (1979) for their number."""
    p_values = np.asarray(p_values, dtype=float)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * (len(p_values) - np.arange(len(p_values)))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(scaled), 1.0) if len(p_values) else scaled
    return corrected


def _verdict(differences: pd.DataFrame, table: pd.DataFrame, reference: str) -> str:
    lead = table.sort_values("sooner", ascending=False, kind="stable").iloc[0]
    parts = [
        f"Highest mean of the best score so far: {lead['policy']} ({lead['sooner']:.3f}, {int(lead['seeds'])} seeds)."
    ]
    for row in differences[differences["number"] == "sooner"].itertuples():
        better = "sooner" if row.difference > 0 else "later"
        sure = row.p_holm < 0.05
        claim = f"found good settings {better} than {reference}" if sure else f"cannot be told from {reference}"
        parts.append(
            f"{row.policy} {claim}: difference {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}] over "
            f"{row.seeds} seeds, Holm-corrected p = {row.p_holm:.2g}."
        )
    return " ".join(parts)


__all__ = [
    "LEVELS",
    "PolicyComparison",
    "Search",
    "best_so_far",
    "compare_policies",
    "ensure_iteration",
    "evaluation_key",
    "read_records",
    "record_path",
    "run_iteration",
    "search_json",
    "training_minutes",
]
