"""Circuits through training without listing them: exact at a billion circuits as at a hundred.

A circuit that is perfect under the weights of two epochs is one that is right on the rows of both, each row with the
weights of its own epoch, so that how many there are is a count like any other. Appearances, disappearances and
survival follow from the counts at two epochs and the count of what they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._problem import LIST
from ontogeny.circuits.enumeration import Problem, Samples, check_weights
from ontogeny.circuits.outputs import ROUNDED, OutputRule
from ontogeny.circuits.settings import DEFAULTS, GivenSettings, complete_settings
from ontogeny.circuits.tracking import TURNOVER, turnover_row
from ontogeny.errors import OntogenyError, expect

Weights = tuple[Sequence[ArrayLike], Sequence[ArrayLike]]
"""Weights (out, in) and biases (out,) of a network, layer by layer."""

MOST_LISTED = 100_000
"""Circuits of an epoch that are listed, to be compared with those of the next; more are counted jointly."""

MOST_EXCLUDED = 10
"""Networks in which a circuit must not be perfect, at most: each doubles the counts that are needed."""


def count_in_all(
    networks: Sequence[Weights],
    x: ArrayLike,
    y: ArrayLike,
    settings: GivenSettings = DEFAULTS,
    *,
    but_not: Sequence[Weights] = (),
    activation: str | Sequence[str] = "leaky_relu",
    negative_slope: float = 0.01,
    rule: OutputRule = ROUNDED,
    max_seconds: float | None = 3600.0,
    threads: int | None = None,
) -> int:
    """How many circuits are perfect under every one of `networks`, and under none of `but_not`, exactly.

    Networks have one shape and one output, such as the epochs of one training. By inclusion and exclusion over
    `but_not`, at most ten of them. Other arguments and errors as in `enumerate_circuits`.

    Raises OntogenyError also without a network, and for more than ten networks in `but_not`.
    """
    settings = complete_settings(settings)
    for name, given in (("networks", networks), ("but_not", but_not)):
        expect(given, Sequence, f"a list of (weights, biases) as {name}")
        for network in given:
            if not isinstance(network, Sequence) or len(network) != 2:
                raise OntogenyError(f"{name} holds something else than pairs (weights, biases), one for each network")
    if not networks:
        raise OntogenyError("no network was given: give those in which a circuit must be perfect")
    if len(but_not) > MOST_EXCLUDED:
        raise OntogenyError(
            f"{len(but_not)} networks in which a circuit must not be perfect need {2.0 ** len(but_not):.3g} counts; "
            f"give at most {MOST_EXCLUDED}"
        )
    checked = [check_weights(*network) for network in (*networks, *but_not)]
    samples = Samples.of(x, y, checked[0][2][0], settings.accuracy_threshold, rule)

    def shared(chosen: Sequence[Weights]) -> int:
        problem = Problem(
            chosen,
            [samples] * len(chosen),
            activation,
            settings.candidates,
            settings.min_sparsity,
            negative_slope,
        )
        problem.check_cost(max_seconds)
        return problem.count(None, threads)[0]

    total = 0
    found: dict[tuple[int, ...], int] = {}
    for size in range(len(but_not) + 1):
        for others in combinations(range(len(but_not)), size):
            if size and any(found[part] == 0 for part in combinations(others, size - 1)):
                found[others] = 0  # nothing is in all of them if nothing is in all but one
                continue
            found[others] = shared([*networks, *(but_not[k] for k in others)])
            total += (-1) ** size * found[others]
    return total


def dynamics(
    epochs: Sequence[int],
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    settings: GivenSettings = DEFAULTS,
    *,
    activation: str | Sequence[str] = "leaky_relu",
    negative_slope: float = 0.01,
    rule: OutputRule = ROUNDED,
    max_seconds: float | None = 3600.0,
    threads: int | None = 1,
) -> pd.DataFrame:
    """The table of `turnover` of one output through training, whatever the number of circuits.

    weights[l] (epochs, out, in), biases[l] (epochs, out), the last with one output; x (rows, inputs), y (rows, 1).
    Where two epochs have few circuits both are listed and compared, elsewhere they are counted jointly: the numbers are
    the same. Other arguments and errors as in `enumerate_circuits`; max_seconds holds for one epoch.

    Raises OntogenyError also for epochs that do not increase, or are not as many as the weights.
    """
    settings = complete_settings(settings)
    numbers = [int(epoch) for epoch in epochs]
    if any(len(np.asarray(layer)) != len(numbers) for layer in (*weights, *biases)) or sorted(set(numbers)) != numbers:
        raise OntogenyError(
            f"{len(numbers)} increasing epochs need weights and biases of as many epochs in every layer"
        )
    samples: Samples | None = None
    rows = []
    before: tuple[Weights, int, NDArray[np.uint64] | None] | None = None
    since = 0
    for at, epoch in enumerate(numbers):
        network = ([np.asarray(w)[at] for w in weights], [np.asarray(b)[at] for b in biases])
        if samples is None:
            samples = Samples.of(x, y, np.shape(network[0][0])[1], settings.accuracy_threshold, rule)

        def problem_of(*networks: Weights, samples: Samples = samples) -> Problem:
            return Problem(
                networks,
                [samples] * len(networks),
                activation,
                settings.candidates,
                settings.min_sparsity,
                negative_slope,
            )

        problem = problem_of(network)
        if at == 0:
            problem.check_cost(max_seconds)
        count, codes = _listed_or_counted(problem, threads)
        kept = 0
        if before is not None and before[1] and count:
            if codes is not None and before[2] is not None:
                kept = len(np.intersect1d(before[2], codes, assume_unique=True))
            else:
                kept = problem_of(before[0], network).count(None, threads)[0]
        rows.append(turnover_row(epoch, since, before[1] if before else 0, count, kept))
        before, since = (network, count, codes), epoch
    return pd.DataFrame(rows, columns=TURNOVER)


def _listed_or_counted(problem: Problem, threads: int | None) -> tuple[int, NDArray[np.uint64] | None]:
    """How many circuits there are, and their codes, sorted, where they are few."""
    if problem.n_candidates < 50 * MOST_LISTED and problem.layout.n_hidden_edges <= 64:
        found, codes, *_ = problem.search(None, LIST, MOST_LISTED)
        if found <= MOST_LISTED:
            return found, np.sort(codes)
    return problem.count(None, threads)[0], None
