"""Circuits as bits: one circuit, a sequence of circuits, and how many there can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from math import comb, log2, prod
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from ontogeny.circuits.settings import CANDIDATES, DEFAULTS
from ontogeny.errors import OntogenyError, check_number, check_word, expect, is_number, shown

_CODE_BITS = 64


class Sparsity(NamedTuple):
    """Shares of hidden neurons, of edges, and of both together that a circuit leaves out, each in [0, 1]."""

    node: float
    edge: float
    combined: float


def is_collection(value: Any) -> bool:
    """Whether something holds things one after another; text does not, nor does an array without axes."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes) and getattr(value, "ndim", 1) != 0


def items(value: Any) -> list[Any]:
    """What a list, an array or another collection holds; nothing of text, and of what holds nothing."""
    return list(value) if is_collection(value) else []


def whole_numbers(sizes: object) -> tuple[int, ...]:
    """`sizes` as integers; none where they are no list of whole numbers."""
    given = items(sizes)
    return tuple(map(int, given)) if all(is_number(size, whole=True) for size in given) else ()


@dataclass(frozen=True)
class Layout:
    """Where the edges of a network of `sizes` lie inside a code.

    A code is an unsigned 64-bit integer with one bit for each edge into a hidden layer: layer by layer, neuron by
    neuron, input by input, the first edge highest. The edges into the output follow from it: every active neuron of
    the last hidden layer feeds the output.
    """

    sizes: tuple[int, ...]

    def __post_init__(self) -> None:
        sizes = whole_numbers(self.sizes)
        if len(sizes) < 3 or sizes[-1] != 1 or min(sizes) < 1:
            raise OntogenyError(
                f"layer sizes {shown(list(sizes) or self.sizes)} do not describe a network with hidden layers and one "
                "output: give inputs, one or more hidden layers, and 1 (separate several outputs first)"
            )
        object.__setattr__(self, "sizes", sizes)

    def check_codes(self) -> None:
        """Raise OntogenyError if a code has no room for the network's edges, so that its circuits cannot be listed."""
        if self.n_hidden_edges > _CODE_BITS:
            raise OntogenyError(
                f"circuits of a network of sizes {list(self.sizes)} cannot be listed or drawn: it has "
                f"{self.n_hidden_edges} edges into hidden layers, and {_CODE_BITS} fit a code; count them instead"
            )

    @property
    def hidden(self) -> tuple[int, ...]:
        """Sizes of the hidden layers."""
        return self.sizes[1:-1]

    @property
    def n_hidden(self) -> int:
        """The number of hidden neurons."""
        return sum(self.sizes[1:-1])

    @property
    def n_hidden_edges(self) -> int:
        """The number of edges into hidden layers: the bits of a code."""
        return sum(a * b for a, b in zip(self.sizes[:-2], self.sizes[1:-1]))

    @property
    def n_edges(self) -> int:
        """The number of all edges."""
        return self.n_hidden_edges + self.sizes[-2]

    def edges(self, codes: NDArray[np.uint64]) -> list[NDArray[np.uint8]]:
        """Edge masks, one array (codes, out, in) per layer, the output layer included."""
        self.check_codes()
        shifts = np.arange(self.n_hidden_edges - 1, -1, -1, dtype=np.uint64)
        bits = ((codes[:, None] >> shifts) & np.uint64(1)).astype(np.uint8)
        masks: list[NDArray[np.uint8]] = []
        at = 0
        for a, b in zip(self.sizes[:-2], self.sizes[1:-1]):
            masks.append(bits[:, at : at + a * b].reshape(-1, b, a))
            at += a * b
        masks.append(masks[-1].max(axis=2, initial=0)[:, None, :])
        return masks

    def nodes(self, edges: list[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
        """Node masks (codes, neurons) per layer, inputs first, that belong to `edges` (see `edges`)."""
        inputs = np.ones((len(edges[0]), self.sizes[0]), np.uint8)
        return [inputs, *(mask.max(axis=2, initial=0) for mask in edges)]

    def encode(self, edge_masks: Sequence[NDArray]) -> NDArray[np.uint64]:
        """Codes of edge masks (circuits, out, in) per layer; the output layer may be left out."""
        self.check_codes()
        hidden = zip(edge_masks, pairwise(self.sizes[:-1]))
        flat = np.concatenate([np.asarray(mask).reshape(len(mask), a * b) for mask, (a, b) in hidden], axis=1)
        shifts = np.arange(self.n_hidden_edges - 1, -1, -1, dtype=np.uint64)
        return np.bitwise_or.reduce((flat != 0).astype(np.uint64) << shifts, axis=1, initial=np.uint64(0))

    @cached_property
    def neuron_masks(self) -> NDArray[np.uint64]:
        """For every hidden neuron, in order, the code bits of its incoming edges."""
        found, at = [], self.n_hidden_edges
        for a, b in zip(self.sizes[:-2], self.sizes[1:-1]):
            for _ in range(b):
                at -= a
                found.append(((1 << a) - 1) << at)
        masks = np.array(found, dtype=np.uint64)
        masks.flags.writeable = False  # networks of one shape share them
        return masks

    def node_codes(self, codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Which hidden neurons are active, as bits, the first neuron highest."""
        out = np.zeros(len(codes), np.uint64)
        for mask in self.neuron_masks:
            out = (out << np.uint64(1)) | (codes & mask != 0).astype(np.uint64)
        return out

    def counts(self, codes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For each code, the number of active hidden neurons and of edges."""
        active = np.bitwise_count(self.node_codes(codes)).astype(np.int64)
        edges = np.bitwise_count(codes).astype(np.int64)
        for mask in self.neuron_masks[-self.sizes[-2] :]:
            edges += codes & mask != 0
        return active, edges

    def sparsity(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        """(codes, 3): the triple of `Sparsity`."""
        active, edges = self.counts(codes)
        node, edge = self.n_hidden - active, self.n_edges - edges
        return np.stack(
            [node / self.n_hidden, edge / self.n_edges, (node + edge) / (self.n_hidden + self.n_edges)], axis=1
        )

    def in_order(self, codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Codes sorted as the published enumeration visits them: by active neurons, then by edges."""
        if self.n_hidden + self.n_hidden_edges <= _CODE_BITS:
            bits = np.uint64(self.n_hidden_edges)
            keys = np.sort((self.node_codes(codes) << bits) | codes)
            return keys & np.uint64((1 << self.n_hidden_edges) - 1)
        return codes[np.lexsort((codes, self.node_codes(codes)))]


@lru_cache(maxsize=64)
def layout_of(sizes: tuple[int, ...]) -> Layout:
    """The layout of networks of `sizes`, the same one each time: checks would be a few per cent of a small one."""
    return Layout(sizes)


class Circuit:
    """One circuit of a network of `sizes`: a subset of its edges, kept as bits (`code`, see `Layout`).

    Masks are decoded when they are asked for. `a <= b` says that every edge of `a` is in `b`.
    """

    __slots__ = ("code", "layout")

    def __init__(self, code: int, layout: Layout | Sequence[int]) -> None:
        """Raises OntogenyError for a code that is no whole number, and sizes that are none of a network."""
        try:
            self.code = int(code)
        except (TypeError, ValueError, OverflowError, np.ma.MaskError):
            raise OntogenyError(f"the code of a circuit is {shown(code)}: give a whole number") from None
        self.layout = layout if isinstance(layout, Layout) else Layout(tuple(items(layout)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes of the network, inputs first."""
        return self.layout.sizes

    @property
    def edge_masks(self) -> list[NDArray[np.uint8]]:
        """One array (out, in) of 0 and 1 per layer, the output layer included."""
        return [mask[0] for mask in self.layout.edges(np.array([self.code], np.uint64))]

    @property
    def node_masks(self) -> list[NDArray[np.uint8]]:
        """One array (neurons,) of 0 and 1 per layer, inputs first, the output last."""
        return [mask[0] for mask in self.layout.nodes(self.layout.edges(np.array([self.code], np.uint64)))]

    @property
    def sparsity(self) -> Sparsity:
        """Shares of hidden neurons, edges and both that the circuit leaves out."""
        return Sparsity(*self.layout.sparsity(np.array([self.code], np.uint64))[0].tolist())

    def __le__(self, other: Circuit) -> bool:
        return self.sizes == other.sizes and self.code & ~other.code == 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Circuit) and (self.code, self.sizes) == (other.code, other.sizes)

    def __hash__(self) -> int:
        return hash((self.code, self.sizes))

    def __repr__(self) -> str:
        sets = []
        for mask in self.edge_masks[:-1]:
            sets.append(" ".join("".join(map(str, row.tolist())) for row in mask))
        return f"Circuit({'-'.join(map(str, self.sizes))}: {' | '.join(sets)})"


class Circuits(Sequence[Circuit]):
    """Circuits of one network, 8 bytes each, in the order of the published enumeration: all of them, or a sample.

    `codes` (n,) holds them as bits (see `Layout`). Indexing gives a `Circuit`, slicing another of its own kind;
    `in` and `index` look up by code. `CircuitSet` and `CircuitSample` say which it is.
    """

    def __init__(self, codes: NDArray[np.uint64], layout: Layout | Sequence[int]) -> None:
        """Raises OntogenyError for codes that are no whole numbers, and sizes that are none of a network."""
        try:
            self.codes = np.asarray(codes, dtype=np.uint64)
        except (TypeError, ValueError, OverflowError, RuntimeError):
            raise OntogenyError(
                f"the codes of circuits are {shown(codes)}: give whole numbers (n,), 0 or more"
            ) from None
        if self.codes.ndim != 1:
            raise OntogenyError(f"the codes of circuits have shape {self.codes.shape}; they must be (n,)")
        self.layout = layout if isinstance(layout, Layout) else Layout(tuple(items(layout)))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes of the network, inputs first."""
        return self.layout.sizes

    @property
    def edge_masks(self) -> list[NDArray[np.uint8]]:
        """One array (circuits, out, in) per layer, the output layer included."""
        return self.layout.edges(self.codes)

    @property
    def node_masks(self) -> list[NDArray[np.uint8]]:
        """One array (circuits, neurons) per layer, inputs first."""
        return self.layout.nodes(self.edge_masks)

    @property
    def sparsity(self) -> NDArray[np.float64]:
        """(circuits, 3): node, edge and combined sparsity."""
        return self.layout.sparsity(self.codes)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Circuit: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int] | NDArray[Any]) -> Circuits: ...
    def __getitem__(self, index: int | slice | Sequence[int] | NDArray[Any]) -> Circuit | Circuits:
        if isinstance(index, slice) or np.ndim(index):
            return self._part(self.codes[index])
        return Circuit(int(self.codes[index]), self.layout)

    def __iter__(self) -> Iterator[Circuit]:
        for code in self.codes.tolist():
            yield Circuit(code, self.layout)

    def __contains__(self, circuit: object) -> bool:
        return (
            isinstance(circuit, Circuit)
            and circuit.sizes == self.sizes
            and bool((self.codes == np.uint64(circuit.code)).any())
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuits) or type(self) is not type(other) or self.sizes != other.sizes:
            return False
        return np.array_equal(self.codes, other.codes)

    __hash__ = None  # type: ignore[assignment]

    def _part(self, codes: NDArray[np.uint64]) -> Circuits:
        raise NotImplementedError


class CircuitSet(Circuits):
    """All circuits of some kind: those of a network, the minimal ones among them, those that two epochs share."""

    def _part(self, codes: NDArray[np.uint64]) -> CircuitSet:
        return CircuitSet(codes, self.layout)

    def __repr__(self) -> str:
        return f"<{len(self):,} circuits of {'-'.join(map(str, self.sizes))}>"


class CircuitSample(Circuits):
    """Some of a network's circuits, drawn uniformly without replacement from `population` of them.

    Nothing that needs all circuits takes it: whether a circuit is minimal, new or gone cannot be told from a sample.
    Raises OntogenyError for a population that is no whole number, or less than there are circuits.
    """

    def __init__(self, codes: NDArray[np.uint64], layout: Layout | Sequence[int], population: int) -> None:
        super().__init__(codes, layout)
        check_number(population, "population", "how many circuits there are", len(self), whole=True)
        self.population = int(population)

    def _part(self, codes: NDArray[np.uint64]) -> CircuitSample:
        return CircuitSample(codes, self.layout, self.population)

    def __repr__(self) -> str:
        return f"<{len(self):,} of {self.population:,} circuits of {'-'.join(map(str, self.sizes))}>"


def whole(circuits: Circuits, what: str) -> CircuitSet:
    """`circuits` if they are all there are. Raises OntogenyError for a sample, from which `what` cannot be told."""
    expect(circuits, Circuits, "a CircuitSet")
    if isinstance(circuits, CircuitSet):
        return circuits
    raise OntogenyError(f"{what} cannot be told from a sample, {circuits!r}: give a CircuitSet, which holds them all")


def max_active_neurons(
    n_hidden: int, candidates: str = DEFAULTS.candidates, min_sparsity: float = DEFAULTS.min_sparsity
) -> int:
    """The most hidden neurons a candidate may use.

    `candidates` "published" leaves out the circuits that use all of them, as the published enumeration does by an
    oversight; `min_sparsity` above 0 asks for a node sparsity strictly greater. Raises OntogenyError for an unknown
    `candidates` and a sparsity outside [0, 1).
    """
    check_word(candidates, "set of candidates", CANDIDATES)
    if not is_number(min_sparsity) or not 0 <= min_sparsity < 1:
        raise OntogenyError(f"min_sparsity is {shown(min_sparsity)}: give a node sparsity in [0, 1), 0 for none")
    most = n_hidden - (candidates == "published")
    if min_sparsity > 0:
        while most > 0 and not (n_hidden - most) / n_hidden > min_sparsity:
            most -= 1
    return most


def _all_candidates(sizes: tuple[int, ...]) -> int:
    """The number of circuits, whatever neurons they use.

    With H_l(k), the ways from layer l on where its neurons choose among k inputs and need not use each: from the last
    hidden layer to the first, ways(a) = sum_i (-1)^i C(a, i) H_l(a - i).
    """
    ways = [0] + [1] * sizes[-2]
    for layer in range(len(sizes) - 3, -1, -1):
        before, size = sizes[layer : layer + 2]
        weighted = [comb(size, b) * way for b, way in enumerate(ways)]
        free = []
        for k in range(before + 1):
            total, options = 0, (1 << k) - 1
            for part in reversed(weighted):
                total = total * options + part
            free.append(total)
        used = range(before + 1) if layer else [before]
        ways = [sum((-1) ** i * comb(a, i) * free[a - i] for i in range(a + 1)) for a in used]
    return ways[-1]


def surjections(a: int, b: int) -> int:
    """Ways to give each of `b` neurons a non-empty set of `a` inputs so that every input is used."""
    return sum((-1) ** i * comb(a, i) * (2 ** (a - i) - 1) ** b for i in range(a + 1))


def count_candidates(
    sizes: Sequence[int], candidates: str = DEFAULTS.candidates, min_sparsity: float = DEFAULTS.min_sparsity
) -> int:
    """The number of circuits that an enumeration has to decide on, exactly.

    The sum over active sets of prod C(n_l, a_l) f(a_(l-1), a_l), f(a, b) = sum_i (-1)^i C(a, i) (2^(a-i) - 1)^b;
    2-3-3-1 has 9,625 candidates, of which 3,000 are "published". Arguments as in `enumerate_circuits`.

    Raises OntogenyError for sizes that are not those of inputs, hidden layers and one output.
    """
    checked = layer_sizes(sizes)
    return _candidates_below(checked, max_active_neurons(sum(checked[1:-1]), candidates, min_sparsity))


_MANY_BITS = 1000
"""Bits of a number of candidates from which a bound stands in for it: it is quicker, and nobody counts so far."""


def log2_candidates(sizes: tuple[int, ...], most: int) -> float:
    """Binary logarithm of how many circuits use at most `most` hidden neurons; of a number of more than 1,000 bits it
    may be less.

    The bound fixes one neuron for each of the others to reach, and leaves all other edges free.
    """
    active = list(sizes[:-1])
    while sum(active[1:]) > most and max(active[1:]) > 1:
        largest = 1 + active[1:].index(max(active[1:]))
        active[largest] -= 1
    least = sum((a - 1) * (b - 1) for a, b in pairwise(active))
    return float(least if least > _MANY_BITS else log2(max(_candidates_below(sizes, most), 1)))


def layer_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """Layer sizes of a network with one output. Raises OntogenyError where they are none, or no whole numbers."""
    given = whole_numbers(sizes)
    if len(given) < 3 or min(given) < 1 or given[-1] != 1:
        said = shown(list(sizes) if isinstance(sizes, tuple) and sizes else sizes)
        raise OntogenyError(f"layer sizes {said} are not those of inputs, hidden layers and one output, as (2, 3, 1)")
    return given


@lru_cache(maxsize=1024)
def _candidates_below(sizes: tuple[int, ...], most: int) -> int:
    """The number of circuits that use at most `most` hidden neurons."""
    n_hidden = sum(sizes[1:-1])
    if most >= n_hidden - 1:
        full = prod(surjections(a, b) for a, b in pairwise(sizes[:-1])) if most < n_hidden else 0
        return _all_candidates(sizes) - full
    onto = lru_cache(None)(surjections)
    ways = {(sizes[0], 0): 1}
    for size in sizes[1:-1]:
        grown: dict[tuple[int, int], int] = {}
        for (before, total), number in ways.items():
            for now in range(1, size + 1):
                if total + now <= most:
                    key = (now, total + now)
                    grown[key] = grown.get(key, 0) + number * comb(size, now) * onto(before, now)
        ways = grown
    return sum(ways.values())
