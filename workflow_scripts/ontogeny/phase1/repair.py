"""Recognise stable ranks that were recorded wrongly, and rebuild them from the other metrics of the same record.

Some published records hold a stable rank that divides the squared Frobenius norm by itself instead of by the squared
spectral norm, so that it is 1 to within rounding at every step. With the singular values s of the activations, the
same records hold the nuclear norm ratio N = sum(s) / max(s) and the participation ratio P = sum(s)^2 / sum(s^2), and
the stable rank sum(s^2) / max(s)^2 (Rudelson and Vershynin 2007, J. ACM 54(4), section 1) is N^2 / P.
"""

from __future__ import annotations

import numpy as np

from ontogeny.arguments import checks_arguments
from ontogeny.phase1.clean import Judge
from ontogeny.phase1.record import Phase1, listed, tidy
from ontogeny.words import counted

ARTIFACT_TOLERANCE = 1e-6
_BOUND_SLACK = 1e-4
_ARTIFACT = "it is 1 within 1e-6 at every step, a known mistake of its recording"
_LOST = f"{_ARTIFACT}; without nuclear_norm_ratio and participation_ratio it cannot be rebuilt"
_OTHER_RATIO = f"{_ARTIFACT}; it cannot be rebuilt, as participation_ratio is not that of the singular values"


@checks_arguments
def repair_stable_rank(record: Phase1, judge: Judge | None = None, rebuild: bool = True) -> Phase1:
    """The record with every stable rank that is the known artifact flagged, rebuilt and marked as derived.

    A series is the artifact if all its values are within 1e-6 of 1 while N^2/P is not. A layer whose activations
    truly have rank one (N^2/P = 1 as well) stays as it is. If N or P is not recorded, or the two break
    1 <= N^2/P <= N (then P is the participation ratio of something else), the series is flagged and kept.
    With `rebuild=False` series are flagged only.
    """
    judge = judge or Judge("the record", notes=list(record.notes))
    held = {(run, layer, metric): (steps, values) for run, layer, metric, steps, values in record.each_series()}
    suspects = [
        key
        for key, (_, values) in held.items()
        if key[2] == "stable_rank" and key not in record.derived and np.abs(values - 1.0).max() <= ARTIFACT_TOLERANCE
    ]
    if not suspects:
        return record
    whole_runs = {run for run, _, _ in suspects} - {
        key[0] for key in held if key[2] == "stable_rank" and key not in suspects
    }
    derived = set(record.derived)
    notes_by_kind: dict[tuple[str, str, str], list[str]] = {}
    for key in suspects:
        run, layer, _ = key
        nuclear, ratio = held.get((run, layer, "nuclear_norm_ratio")), held.get((run, layer, "participation_ratio"))
        if nuclear is None or ratio is None:
            if run in whole_runs:
                notes_by_kind.setdefault((run, "flagged", _LOST), []).append(layer)
            continue
        steps, a, b = np.intersect1d(nuclear[0], ratio[0], assume_unique=True, return_indices=True)
        upper, lower = nuclear[1][a], ratio[1][b]
        with np.errstate(all="ignore"):
            rebuilt = upper**2 / lower
        usable = np.isfinite(rebuilt) & (lower > 0) & np.isin(steps, held[key][0])
        steps, rebuilt, upper = steps[usable], rebuilt[usable], upper[usable]
        if not len(steps) or np.abs(rebuilt - 1.0).max() <= ARTIFACT_TOLERANCE:
            continue
        if ((rebuilt < 1 - _BOUND_SLACK) | (rebuilt > upper * (1 + _BOUND_SLACK))).any():
            notes_by_kind.setdefault((run, "flagged", _OTHER_RATIO), []).append(layer)
            continue
        notes_by_kind.setdefault((run, "flagged", _ARTIFACT), []).append(layer)
        if rebuild:
            lost = len(held[key][0]) - len(steps)
            rest = f"; {lost} steps are left out, where one of the two is missing" if lost else ""
            notes_by_kind.setdefault(
                (run, "derived", f"rebuilt as nuclear_norm_ratio^2 / participation_ratio{rest}"), []
            ).append(layer)
            held[key] = (steps, rebuilt)
            derived.add(key)
    for (run, kind, text), layers in notes_by_kind.items():
        spot = {"layer": layers[0]} if len(layers) == 1 else {}
        where = "" if spot else f"in {counted(len(layers), 'layer')} ({listed(layers, 30)}) "
        judge.note(kind, where + text, run=run, metric="stable_rank", **spot)
    frame = tidy((*key, *series) for key, series in held.items()) if derived != record.derived else record.frame
    return Phase1(frame, judge.closed(), record.metadata, frozenset(derived))
