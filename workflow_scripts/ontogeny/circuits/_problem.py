"""What a search is given: layers, rows, and what is asked."""

from __future__ import annotations

from typing import Any, NamedTuple

COUNT, LIST, SAMPLE = 0, 1, 2


class Network(NamedTuple):
    """Layers of the network as every row sees them, so that rows may belong to different networks of one shape.

    sizes (layers + 1,), inputs first; weights (layers, n, n, rows) and biases (layers, n, rows): float32, padded with
    zeros; kinds (layers,) and slopes (layers,): functions of the hidden layers, see `nonlinearities.compiled`.
    """

    sizes: Any
    weights: Any
    biases: Any
    kinds: Any
    slopes: Any


class Rows(NamedTuple):
    """Distinct rows that a circuit is judged on: an output is right if above < output <= upto.

    inputs (inputs, rows) float32; above, upto (rows,) float32; centre, scale (rows,): (output - centre) * scale is
    within 1/2 of 0 where the output is right; weight (rows,): how many equal rows each stands for. Rows of network k
    are starts[k] to starts[k + 1], and as many as budget[k] of them may be wrong. pairs (pairs, 2): rows whose
    half-differences sharpen the bounds, where none may be wrong.
    """

    inputs: Any
    above: Any
    upto: Any
    centre: Any
    scale: Any
    weight: Any
    starts: Any
    budget: Any
    pairs: Any


class Task(NamedTuple):
    """What is asked: COUNT, LIST (no more than `limit`) or SAMPLE (circuits number `ranks`, sorted).

    most: hidden neurons that a circuit may use; part: -1 for all circuits, or those in which the first two neurons of
    the first hidden layer have their `part`-th choice of input sets; margin: how far a scaled output in float32 may be
    from the same in float64.
    """

    mode: int
    limit: int
    ranks: Any
    most: int
    part: int
    margin: float
