"""The one shape in which records are written: columns by layer, with what belongs to the record in `metadata`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ontogeny.errors import OntogenyError

FORMAT = "ontogeny-phase1/1"
REPEATED = ("loss", "grad_norm")
"""Metrics of the whole run that stand in every layer, so that one layer alone can be read."""


def document(
    layers: Mapping[str, Mapping[str, Any]], run: str, metadata: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """`{layer: {"step": [...], metric: [...]}, "metadata": {"format", "run", ...}}`.

    Raises OntogenyError if a layer is called "metadata".
    """
    if "metadata" in layers:
        raise OntogenyError(
            "a layer is called 'metadata', which JSON records keep for something else: rename the layer"
        )
    columns = {layer: dict(found) for layer, found in layers.items()}
    return {**columns, "metadata": {"format": FORMAT, "run": run, **metadata}}
