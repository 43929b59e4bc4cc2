"""Policies compared over seeds: who found good settings sooner."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.arguments import checks_arguments
from ontogeny.connectome.search.records import Record, success
from ontogeny.errors import OntogenyError, expect, shown
from ontogeny.statistics import adjust, sign_flip_test, student_interval


@dataclass(frozen=True)
class PolicyComparison:
    """Policies compared over seeds.

    `curves`: policy, iteration, mean, low, high of the best score so far, averaged over blocks, with a 95% interval
    over seeds. `table`: one row per policy. `differences`: every policy against the reference, paired by seed.
    `verdict`: one paragraph of what may be claimed.
    """

    curves: pd.DataFrame
    table: pd.DataFrame
    differences: pd.DataFrame
    verdict: str


def best_so_far(records: Sequence[Record]) -> np.ndarray:
    """The best score up to each iteration, (blocks, iterations); blocks of unequal length are cut to the shortest.

    Raises OntogenyError for a history without records.
    """
    curves = [
        np.maximum.accumulate([record.score for record in group])
        for _, group in itertools.groupby(
            sorted(records, key=lambda r: (r.block, r.iteration)), key=lambda record: record.block
        )
    ]
    if not curves:
        raise OntogenyError("a history without records cannot be compared")
    return np.stack([curve[: min(map(len, curves))] for curve in curves])


@checks_arguments
def compare_policies(
    histories: Mapping[str, Sequence[Sequence[Record]]], reference: str | None = None, confidence: float = 0.95
) -> PolicyComparison:
    """Which policy found good settings sooner, with intervals over seeds and paired tests.

    Three numbers per search, each averaged over its blocks: the mean of the best-so-far curve ("sooner": 1 would be
    perfect from the first iteration on), the best score at the end, and the number of iterations until the first
    success (one more than the block has where there was none). Policies are compared with `reference` by seed; p
    comes from sign flips of the differences (all of them up to 14 seeds, then drawn), and is corrected by Holm over
    policies and the first two numbers. With k seeds p cannot fall under 2^(1-k): five seeds cannot show 0.05.

    The best of noisy evaluations is biased upwards, more so where settings differ little: read differences smaller
    than the spread between robustness-tests as none.

    Args:
        histories: `{policy: [records of seed 0, records of seed 1, ...]}`; equal seeds at equal places.
        reference: the policy to compare with; "random" where it is there, else the first.
        confidence: of the intervals (Student's t over seeds).

    Raises OntogenyError if a policy has no search, a search is no list of records, or the reference is none of the
    policies.
    """
    expect(histories, Mapping, "a mapping of policies to their searches")
    for policy, runs in histories.items():
        expect(runs, Sequence, f"a list with the records of each seed, as policy '{policy}',")
        for records in runs:
            expect(records, Sequence, f"a list of records, as a search of policy '{policy}',")
            for record in records:
                expect(record, Record, f"a record in a search of policy '{policy}'")
    if not histories or any(len(runs) == 0 for runs in histories.values()):
        raise OntogenyError("compare_policies needs at least one search of every policy")
    reference = reference if reference is not None else ("random" if "random" in histories else next(iter(histories)))
    if not isinstance(reference, str) or reference not in histories:
        raise OntogenyError(f"the reference policy {shown(reference)} is not among {sorted(histories)}")

    curve_rows, table_rows = [], []
    numbers: dict[str, dict[str, np.ndarray]] = {}
    for policy, runs in histories.items():
        curves = [best_so_far(records).mean(axis=0) for records in runs]
        length = min(map(len, curves))
        stacked = np.stack([curve[:length] for curve in curves])
        for i in range(length):
            mean, low, high = map(float, student_interval(stacked[:, i], confidence))
            point = {"policy": policy, "iteration": i + 1, "mean": mean, "low": low, "high": high, "seeds": len(runs)}
            curve_rows.append(point)
        waits = np.array([_wait(records) for records in runs])
        numbers[policy] = {"sooner": stacked.mean(axis=1), "final": stacked[:, -1], "wait": waits}
        row: dict[str, Any] = {"policy": policy, "seeds": len(runs)}
        for name, values in numbers[policy].items():
            row[name], row[f"{name}_low"], row[f"{name}_high"] = map(float, student_interval(values, confidence))
        table_rows.append(row)

    rows = []
    for policy in histories:
        if policy == reference:
            continue
        for name in ("sooner", "final"):
            ours, theirs = numbers[policy][name], numbers[reference][name]
            pairs = min(len(ours), len(theirs))
            difference = ours[:pairs] - theirs[:pairs]
            mean, low, high = map(float, student_interval(difference, confidence))
            rows.append(
                {
                    "policy": policy,
                    "reference": reference,
                    "number": name,
                    "difference": mean,
                    "low": low,
                    "high": high,
                    "seeds": pairs,
                    "p": float(sign_flip_test(difference)),
                }
            )
    differences = pd.DataFrame(
        rows, columns=["policy", "reference", "number", "difference", "low", "high", "seeds", "p"]
    )
    differences["p_holm"] = adjust(differences["p"].to_numpy(float)).p_values
    table = pd.DataFrame(table_rows)
    return PolicyComparison(pd.DataFrame(curve_rows), table, differences, _verdict(differences, table, reference))


def _wait(records: Sequence[Record]) -> float:
    """Iterations until the first success, the mean over blocks; one more than a block has where there was none."""
    first: dict[int, int] = {}
    count: dict[int, int] = {}
    for record in records:
        count[record.block] = max(count.get(record.block, 0), record.iteration)
        if success(record.metrics):
            first[record.block] = min(first.get(record.block, record.iteration), record.iteration)
    return float(np.mean([first.get(block, last + 1) for block, last in count.items()]))


def _verdict(differences: pd.DataFrame, table: pd.DataFrame, reference: str) -> str:
    lead = table.sort_values("sooner", ascending=False, kind="stable").iloc[0]
    parts = [
        f"Highest mean of the best score so far: {lead['policy']} ({lead['sooner']:.3f}, {int(lead['seeds'])} seeds)."
    ]
    for row in differences[differences["number"] == "sooner"].itertuples():
        better = "sooner" if row.difference > 0 else "later"
        sure = row.p_holm < 0.05
        claim = (
            f"found good settings {better} than {reference}" if sure else f"cannot be distinguished from {reference}"
        )
        parts.append(
            f"{row.policy} {claim}: difference {row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}] over "
            f"{row.seeds} seeds, Holm-corrected p = {row.p_holm:.2g}."
        )
    return " ".join(parts)
