"""A reading of the scatter of learned against true weights, in numbers and in one line.

Four things can be seen in such a scatter, and the study names them: points along a line (good recovery); the same,
with a slope that is off (the scale of psi took part of it); a horizontal band at 0 (true weights that were learned as
nothing); and a cross (a horizontal band and, beside it, weights learned where there are none). Where there is none of
them, it is a cloud.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.connectome.wiring import off_diagonal

DIAGNOSES = ("diagonal", "tilted", "horizontal band", "cross", "cloud")


@checks_arguments
def diagnose_scatter(learned: Reals, true: Reals) -> dict[str, Any]:
    """Read the scatter of learned (N, N) against true (N, N) weights, diagonal left out.

    Keys:
        `slope`: of the line through 0 that predicts learned from true weights, all pairs.
        `slope_on_line`: the same over the pairs outside the horizontal band.
        `band`: share of clear true weights (|w| > half their root mean square) learned as less than a tenth of what
            the line gives them; 0 for good recovery.
        `vertical`: share of the learned weights' sum of squares that lies where the true weight is next to nothing
            (|w| below a tenth of the root mean square of the true edges); what noise puts there.
        `spread`: root mean square distance from the line, over that of the line itself.
        `cross`: the smaller of `band` and `vertical`, each over 0.25, at most 1.
        `diagnosis`: one of `DIAGNOSES`: "cross" if band and vertical both exceed 0.1, "horizontal band" if band alone
            does, "cloud" if the points are farther from the line than it reaches (spread above 1), "tilted" if the
            spread is at most 0.3 and the slope is outside 0.8..1.25, else "diagonal".
        `text`: the line for the log, beginning with "Scatter:".
    """
    l, w = off_diagonal(learned, true)  # noqa: E741
    edges = np.abs(w) > 0
    size = float(np.sqrt(np.mean(w[edges] ** 2))) if edges.any() else 0.0
    slope = float(w @ l / (w @ w)) if edges.any() else 0.0
    clear = np.abs(w) > 0.5 * size
    steep = float(np.median(l[clear] / w[clear])) if clear.any() else 0.0
    on_line = clear & (np.copysign(1, slope) * l * np.sign(w) > 0.3 * abs(slope) * np.abs(w))
    on_slope = float(w[on_line] @ l[on_line] / (w[on_line] @ w[on_line])) if on_line.any() else slope
    reference = on_slope or steep or 1.0
    band = float((np.abs(l[clear]) < 0.1 * abs(reference) * np.abs(w[clear])).mean()) if clear.any() else 0.0
    power = float(l @ l)
    vertical = float((l[np.abs(w) < 0.1 * size] ** 2).sum() / power) if power > 0 else 0.0
    line = float(np.sqrt(np.mean((slope * w) ** 2)))
    spread = float(np.sqrt(np.mean((l - slope * w) ** 2))) / line if line > 0 else float("inf")
    cross = min(band / 0.25, vertical / 0.25, 1.0)
    if band > 0.1 and vertical > 0.1:
        diagnosis = "cross"
    elif band > 0.1:
        diagnosis = "horizontal band"
    elif spread > 1:
        diagnosis = "cloud"
    elif spread <= 0.3 and not 0.8 <= slope <= 1.25:
        diagnosis = "tilted"
    else:
        diagnosis = "diagonal"
    text = f"Scatter: slope={slope:.3f}, {_words(diagnosis, band, vertical, spread, on_slope)}"
    return {
        "slope": slope,
        "slope_on_line": on_slope,
        "band": band,
        "vertical": vertical,
        "spread": spread,
        "cross": cross,
        "diagnosis": diagnosis,
        "text": text,
    }


def _words(diagnosis: str, band: float, vertical: float, spread: float, on_slope: float) -> str:
    tightness = "tight" if spread < 0.1 else "loose" if spread < 0.5 else "diffuse"
    if diagnosis == "cross":
        return f"cross pattern ({band:.0%} of clear weights in a band at 0, {vertical:.0%} of power off the true edges)"
    if diagnosis == "horizontal band":
        return f"horizontal band at 0 ({band:.0%} of clear weights; the others on a line of slope {on_slope:.2f})"
    if diagnosis == "cloud":
        return f"cloud without a line (spread {spread:.2f})"
    if diagnosis == "tilted":
        return f"{tightness} line, its slope off 1: psi carries the rest of the scale (spread {spread:.2f})"
    return f"{tightness} diagonal (spread {spread:.2f})"
