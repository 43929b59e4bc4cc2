"""The chemical wiring of C. elegans, as the package cect carries it."""

from __future__ import annotations

import json
import math
from importlib import resources

import numpy as np

from ontogeny.errors import OntogenyError

DATASET = "Cook2019HermReader"
"""The adult hermaphrodite of Cook et al. (2019, Nature 571), in cect's name for it."""


def celegans_wiring() -> tuple[np.ndarray, list[str]]:
    """Chemical synapses between the 302 neurons, (302, 302) with row = receiver, and the neurons' names.

    Numbers of synapses, scaled so that the rows' mean sum of squares is 1, as that of Gaussian wiring is. They have no
    sign: with `dale_law` each sender draws one.

    Raises OntogenyError if cect is not installed.
    """
    try:
        from cect.Cells import is_any_neuron
    except ImportError:
        raise OntogenyError("the wiring of C. elegans comes with cect: install it with `pip install cect`") from None
    text = resources.files("cect").joinpath(f"cache/{DATASET}.json").read_text(encoding="utf-8")
    stored = json.loads(text)
    neurons = [k for k, name in enumerate(stored["nodes"]) if is_any_neuron(name)]
    counts = np.asarray(stored["connections"]["Generic_CS"], np.float64)[np.ix_(neurons, neurons)].T
    np.fill_diagonal(counts, 0)
    size = math.sqrt(float((counts**2).sum()) / len(counts))
    return counts / size, [stored["nodes"][k] for k in neurons]


__all__ = ["celegans_wiring"]
