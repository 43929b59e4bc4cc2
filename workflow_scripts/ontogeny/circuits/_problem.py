"""What a search is given: layers, rows, and what is asked."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ontogeny.nonlinearities import KINDS

Integers = Annotated[NDArray[np.int64], 1]
Integers2 = Annotated[NDArray[np.int64], 2]
Integers3 = Annotated[NDArray[np.int64], 3]
Floats = Annotated[NDArray[np.float32], 1]
Floats2 = Annotated[NDArray[np.float32], 2]
Floats3 = Annotated[NDArray[np.float32], 3]
Floats4 = Annotated[NDArray[np.float32], 4]
Doubles = Annotated[NDArray[np.float64], 1]
Doubles2 = Annotated[NDArray[np.float64], 2]
Doubles3 = Annotated[NDArray[np.float64], 3]
Words = Annotated[NDArray[np.uint64], 1]
Words2 = Annotated[NDArray[np.uint64], 2]
Words3 = Annotated[NDArray[np.uint64], 3]
Shorts = Annotated[NDArray[np.int32], 1]
Flags = Annotated[NDArray[np.bool_], 1]

COUNT, LIST, SAMPLE, MINIMAL = 0, 1, 2, 3

OWN = len(KINDS)
"""The number of a function that only Python knows, in place of one of `KINDS`."""


class Network(NamedTuple):
    """Layers of the network as every row sees them, so that rows may belong to different networks of one shape.

    sizes (layers + 1,), inputs first; weights (layers, n, n, rows) and biases (layers, n, rows): float32, padded with
    zeros; kinds (layers,) and slopes (layers,): functions of the hidden layers, see `nonlinearities.compiled`.
    """

    sizes: Integers
    weights: Floats4
    biases: Floats3
    kinds: Integers
    slopes: Floats


class Rows(NamedTuple):
    """Distinct rows that a circuit is judged on: an output is right if above < output <= upto.

    inputs (inputs, rows) float32; above, upto (rows,) float32; centre, scale (rows,): (output - centre) * scale is
    within 1/2 of 0 where the output is right; weight (rows,): how many equal rows each stands for. Rows of network k
    are starts[k] to starts[k + 1], and as many as budget[k] of them may be wrong. pairs (pairs, 2): rows whose
    half-differences sharpen the bounds, where none may be wrong.
    """

    inputs: Floats2
    above: Floats
    upto: Floats
    centre: Doubles
    scale: Doubles
    weight: Integers
    starts: Integers
    budget: Integers
    pairs: Integers2


class Task(NamedTuple):
    """What is asked: COUNT, LIST (no more than `limit`), SAMPLE (circuits number `ranks`, sorted) or MINIMAL.

    MINIMAL: every circuit that contains no other, and maybe some that do.

    most: hidden neurons that a circuit may use; part: -1 for all circuits, or those in which the first two neurons of
    the first hidden layer have their `part`-th choice of input sets.
    """

    mode: int
    limit: int
    ranks: Integers
    most: int
    part: int


def no_errors(rows: Rows) -> bool:
    """Whether no row may be wrong."""
    if len(rows.budget) == 1:
        return bool(rows.budget[0] < rows.weight.min())
    return bool((rows.budget < np.minimum.reduceat(rows.weight, rows.starts[:-1])).all())
