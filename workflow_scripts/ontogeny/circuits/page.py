"""One interactive HTML page for the circuits of one run: an epoch slider, the circuits, values under the pointer.

The page is a single file. It works from disk, loads nothing from anywhere (a content policy forbids it), and needs
no library: the network and the curves are SVG, drawn by the script in the page from the data in the page.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from ontogeny.circuits.animation import ACTIVATION
from ontogeny.circuits.frames import CircuitFrames
from ontogeny.files import write_text
from ontogeny.plotting.templates import template


def write_circuit_page(frames: CircuitFrames, path: str | os.PathLike, note: str = "") -> Path:
    """Write the page of one run to `path`, whole or not at all; the same frames give the same bytes.

    `frames.listed` are the circuits that can be looked at one by one; where an epoch has more, the page says how many
    are not listed. `note` is a sentence shown under the title. Title and note are escaped.
    """
    page = template("ontogeny.circuits", "page.html").render(
        title=frames.title or "Circuits", note=note, data=_page_data(frames)
    )
    path = Path(path)
    write_text(path, page)
    return path


def _number(value: float, digits: int = 4) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def _significant(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None


def _page_data(frames: CircuitFrames) -> dict[str, Any]:
    epochs = []
    for e in range(len(frames.epochs)):
        listed = frames.listed[e] if frames.listed else ()
        circuits = []
        if listed and len(listed[0]):
            flat = np.concatenate([mask.reshape(len(mask), -1) for mask in listed], axis=1)
            circuits = ["".join(map(str, row)) for row in flat.astype(int).tolist()]
        epochs.append(
            {
                "epoch": int(frames.epochs[e]),
                "count": int(frames.circuits[e]),
                "train": _significant(frames.train_loss[e]),
                "val": _significant(frames.val_loss[e]),
                "nodes": [[_number(v) for v in layer[e]] for layer in frames.node_share],
                "edges": [[[_number(v) for v in row] for row in layer[e]] for layer in frames.edge_share],
                "activation": [[_number(v) for v in layer[e]] for layer in frames.activation],
                "circuits": circuits,
            }
        )
    top = max((float(np.nanmax(np.abs(a))) for a in frames.activation if np.isfinite(a).any()), default=1.0)
    ramp = [[round(255 * c) for c in ACTIVATION(k / 8)[:3]] for k in range(9)]
    return {"sizes": list(frames.sizes), "jumps": list(frames.jumps), "top": top or 1.0, "ramp": ramp, "epochs": epochs}
