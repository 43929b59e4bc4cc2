"""Learning coefficients that are known exactly: what estimates are tested against."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError


@checks_arguments
def regular_coefficient(n_parameters: int) -> float:
    """d / 2, the coefficient of a regular model with `n_parameters` parameters (Schwarz 1978; Watanabe 2009)."""
    return n_parameters / 2


@checks_arguments
def reduced_rank_coefficient(n_inputs: int, n_hidden: int, n_outputs: int, rank: int) -> float:
    """The coefficient of reduced-rank regression, y = B A x, where the true map has rank `rank`.

    Aoyagi and Watanabe (2005), the four cases of their main theorem.
    """
    m, h, n, r = n_inputs, n_hidden, n_outputs, rank
    _check([m, h, n], r)
    if m + h < n + r:
        return (h * m - h * r + n * r) / 2
    if n + h < m + r:
        return (h * n - h * r + m * r) / 2
    if m + n < h + r:
        return m * n / 2
    whole = -((h + r) ** 2) - m**2 - n**2 + 2 * (h + r) * m + 2 * (h + r) * n + 2 * m * n
    return (whole + (m + h + n + r) % 2) / 8


@checks_arguments
def deep_linear_coefficient(widths: Sequence[int], rank: int) -> float:
    """The coefficient of a deep linear network with layers of `widths` (inputs first), true map of rank `rank`.

    Aoyagi (2024), Theorem 1, in which M_i = widths[i] - rank and the set of layers that counts is the one whose
    excess widths are smallest and balanced.
    """
    _check(widths, rank)
    excess = sorted(width - rank for width in widths)
    length = len(widths)
    for count in range(length, 1, -1):
        chosen, rest, ell = excess[:count], excess[count:], count - 1
        total = sum(chosen)
        if total >= ell * chosen[-1] and (not rest or (chosen[-1] < rest[0] and total < ell * rest[0])):
            break
    else:
        raise AssertionError("some set of layers always balances")
    level = ceil(total / ell)
    a = total - (level - 1) * ell
    pairs = sum(p * q for p, q in combinations(chosen, 2))
    outer = (-(rank**2) + rank * (widths[0] + widths[-1])) / 2
    return outer + a * (ell - a) / (4 * ell) - ell * (ell - 1) / 4 * (total / ell) ** 2 + pairs / 2


def _check(widths: Sequence[int], rank: int) -> None:
    if len(widths) < 2 or min(widths) < 1:
        raise OntogenyError(f"widths are {list(widths)}; expected two or more whole numbers from 1 up")
    if not 0 <= rank <= min(widths):
        raise OntogenyError(f"rank is {rank}; a network as narrow as {min(widths)} has ranks from 0 to {min(widths)}")
