"""What the neurons of a circuit compute: logic gates that fit them, and formulas that fit their interchanges.

Definitions of Meloux et al., arXiv 2502.20914. A *grounding* reads every active neuron as a logic gate of its parents:
each neuron gets a threshold between two of its activation values, which turns it into a bit, and a truth table over
its parents' bits that agrees with those bits on all inputs (free where a pattern of parents never occurs). Neurons of
the first hidden layer are gates of all inputs. A neuron with one value on all inputs carries no bit: as in the
published code it is no gate, and no parent of one. A two-input gate past the first layer may not be XOR or XNOR, which
one neuron cannot compute.

The reverse is causal: a node of a formula is mapped to a set of neurons, and *interchange intervention accuracy* is
the share of pairs of inputs (base, source) for which giving those neurons the values they have on the source changes
the network's output as giving the node its value on the source changes the formula's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations, pairwise, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import activate_by_name
from ontogeny.circuits.enumeration import ACTIVATIONS, as_array, check_weights
from ontogeny.circuits.masks import Circuit, items
from ontogeny.errors import OntogenyError, check_number, check_word, expect, shown, unknown
from ontogeny.statistics import generator
from ontogeny.words import counted

_NAMES = {
    (0, 1): "ID",
    (1, 0): "NOT",
    (0, 0, 0, 1): "AND",
    (0, 1, 1, 1): "OR",
    (1, 1, 1, 0): "NAND",
    (1, 0, 0, 0): "NOR",
    (0, 1, 1, 0): "XOR",
    (1, 0, 0, 1): "XNOR",
    (1, 1, 0, 1): "IMP",
    (0, 0, 1, 0): "NIMP",
    (1, 0, 1, 1): "CIMP",
    (0, 1, 0, 0): "CNIMP",
    (0, 0, 1, 1): "FIRST",
    (0, 1, 0, 1): "SECOND",
    (1, 1, 0, 0): "NOT FIRST",
    (1, 0, 1, 0): "NOT SECOND",
}
_TABLES = {name: table for table, name in _NAMES.items()}


def gate_name(table: Sequence[int]) -> str:
    """The name of a truth table (counting order, first input most significant), or its bits where it has none.

    Raises OntogenyError for a table that is not of 2, 4, 8, ... bits.
    """
    table = _bits(table)
    if len(set(table)) == 1:
        return "TRUE" if table[0] else "FALSE"
    return _NAMES.get(table, "".join(map(str, table)))


def _bits(table: Any) -> tuple[int, ...]:
    """A truth table as integers. Raises OntogenyError for what is none."""
    given = items(table)
    whole = len(given) > 1 and len(given).bit_count() == 1
    if not whole or not all(np.ndim(bit) == 0 and not isinstance(bit, np.void) and bit in (0, 1) for bit in given):
        raise OntogenyError(f"the truth table is {shown(table)}: give 2, 4, 8, ... bits, 0 or 1, one for each pattern")
    return tuple(int(bit) for bit in given)


def all_inputs(n_inputs: int) -> NDArray[np.float64]:
    """(2^n, n): all binary inputs in counting order, the first input most significant."""
    return np.array(list(product((0.0, 1.0), repeat=n_inputs)))


def circuit_activations(
    circuit: Circuit,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
) -> list[NDArray[np.float64]]:
    """Activations (2^n, neurons) of every layer, inputs first, on all binary inputs while only the circuit runs.

    Raises OntogenyError for an unknown activation, and a circuit of a network of other sizes.
    """
    matrices, vectors, sizes = check_weights(weights, biases)
    expect(circuit, Circuit, "a Circuit, as circuits[0],")
    if sizes != circuit.sizes:
        raise OntogenyError(f"a circuit of a network {list(circuit.sizes)} does not fit one of sizes {list(sizes)}")
    check_word(activation, "activation", ACTIVATIONS)
    check_number(negative_slope, "negative_slope", "a slope from 0 to 1", 0, 1)
    edges, nodes = circuit.edge_masks, circuit.node_masks
    values = [all_inputs(sizes[0])]
    for layer, (w, b) in enumerate(zip(matrices, vectors)):
        h = values[-1] @ (w.astype(np.float64) * edges[layer]).T + b
        if layer < len(matrices) - 1:
            h = activate_by_name(h, activation, negative_slope)
        values.append(h * nodes[layer + 1])
    return values


@lru_cache(maxsize=200_000)
def _tables(parents: tuple[int, ...], own: int, n_rows: int, exclude_xor: bool) -> tuple[int, int, int, int]:
    """How many gates turn the parents' bits (one integer each, a bit per input row) into `own`.

    Returns (number, known ones, patterns never seen, 1 if any pattern clashes): gates as integers whose bit c is the
    output for parent pattern c.
    """
    size = 1 << len(parents)
    ones = seen = 0
    for row in range(n_rows):
        pattern = 0
        for parent in parents:
            pattern = (pattern << 1) | ((parent >> row) & 1)
        value = (own >> row) & 1
        if (seen >> pattern) & 1:
            if (ones >> pattern) & 1 != value:
                return 0, 0, 0, 1
        else:
            seen |= 1 << pattern
            ones |= value << pattern
    free = ((1 << size) - 1) & ~seen
    number = 1 << free.bit_count()
    if exclude_xor and len(parents) == 2:
        number -= sum(1 for gate in (0b0110, 0b1001) if gate & seen == ones)
    return number, ones, free, 0


@dataclass(frozen=True)
class NeuronGate:
    """A neuron read as a gate: of `inputs` (inputs of the network in the first hidden layer, else neurons of the layer
    before), with `table` over them in counting order, first input most significant; on above `threshold`.
    """

    layer: int
    neuron: int
    inputs: tuple[int, ...]
    table: tuple[int, ...]
    threshold: float

    @property
    def name(self) -> str:
        """The gate's name, or its bits."""
        return gate_name(self.table)


class Groundings:
    """All groundings of one circuit, counted at once and listed or drawn on demand.

    `count` is exact (a Python integer). Built by `ground`.
    """

    def __init__(self, circuit: Circuit, values: Sequence[NDArray[np.float64]], exclude_xor: bool) -> None:
        self.circuit = circuit
        self._rows = len(values[0])
        self._exclude = exclude_xor
        self._neurons: list[list[int]] = []
        self._bits: list[list[list[int]]] = []
        self._cuts: list[list[list[float]]] = []
        edges = circuit.edge_masks
        for layer, mask in enumerate(circuit.node_masks[1:], start=1):
            alive, bits, cuts = [], [], []
            for neuron in np.flatnonzero(mask).tolist():
                column = values[layer][:, neuron]
                column = np.round(column) if layer == len(edges) else column
                levels = np.unique(column)
                if len(levels) < 2:
                    continue
                alive.append(neuron)
                between = (levels[1:] + levels[:-1]) / 2
                cuts.append(between.tolist())
                bits.append([sum(1 << row for row in np.flatnonzero(column > cut).tolist()) for cut in between])
            self._neurons.append(alive)
            self._bits.append(bits)
            self._cuts.append(cuts)
        self._parents = [
            [[k for k, i in enumerate(self._neurons[layer - 1]) if edges[layer][neuron, i]] for neuron in alive]
            for layer, alive in enumerate(self._neurons)
            if layer
        ]
        # ways[l]: groundings of layers up to l for every choice of thresholds in layer l
        self._ways: list[dict[tuple[int, ...], int]] = [
            dict.fromkeys(product(*(range(len(b)) for b in self._bits[0])), 1)
        ]
        for layer in range(1, len(self._bits)):
            now: dict[tuple[int, ...], int] = {}
            for before, number in self._ways[-1].items():
                options = [
                    [
                        (choice, ways)
                        for choice in range(len(self._bits[layer][k]))
                        if (ways := self._fits(layer, k, choice, before)[0])
                    ]
                    for k in range(len(self._bits[layer]))
                ]
                for row in product(*options):
                    ways = number
                    for _, factor in row:
                        ways *= factor
                    key = tuple(choice for choice, _ in row)
                    now[key] = now.get(key, 0) + ways
            self._ways.append(now)
        self.count: int = sum(self._ways[-1].values())

    def _fits(self, layer: int, k: int, choice: int, before: tuple[int, ...]) -> tuple[int, int, int, int]:
        parents = tuple(self._bits[layer - 1][i][before[i]] for i in self._parents[layer - 1][k])
        return _tables(parents, self._bits[layer][k][choice], self._rows, self._exclude)

    def _gates(self, choices: list[tuple[int, ...]], tables: dict[tuple[int, int], int]) -> tuple[NeuronGate, ...]:
        found = []
        for layer, choice in enumerate(choices):
            for k, neuron in enumerate(self._neurons[layer]):
                cut = self._cuts[layer][k][choice[k]]
                if layer == 0:
                    bits = self._bits[0][k][choice[k]]
                    table = tuple((bits >> row) & 1 for row in range(self._rows))
                    inputs = tuple(range(self.circuit.sizes[0]))
                else:
                    inputs = tuple(self._neurons[layer - 1][i] for i in self._parents[layer - 1][k])
                    table = tuple((tables[layer, k] >> c) & 1 for c in range(1 << len(inputs)))
                found.append(NeuronGate(layer + 1, neuron, inputs, table, cut))
        return tuple(found)

    def _every_table(self, layer: int, k: int, choice: int, before: tuple[int, ...]) -> list[int]:
        _, ones, free, _ = self._fits(layer, k, choice, before)
        places = [c for c in range(free.bit_length()) if (free >> c) & 1]
        gates = [
            ones | sum(1 << c for c, on in zip(places, bits) if on) for bits in product((0, 1), repeat=len(places))
        ]
        two = self._exclude and len(self._parents[layer - 1][k]) == 2
        return [gate for gate in gates if not (two and gate in (0b0110, 0b1001))]

    def __iter__(self) -> Iterator[tuple[NeuronGate, ...]]:
        """Every grounding, as the gates of all active neurons, layer by layer."""

        def grow(
            layer: int, choices: list[tuple[int, ...]], tables: dict[tuple[int, int], int]
        ) -> Iterator[tuple[NeuronGate, ...]]:
            if layer == len(self._bits):
                yield self._gates(choices, tables)
                return
            before = choices[-1]
            for choice in product(*(range(len(b)) for b in self._bits[layer])):
                options = [
                    self._every_table(layer, k, c, before) if self._fits(layer, k, c, before)[0] else []
                    for k, c in enumerate(choice)
                ]
                for row in product(*options):
                    more = tables | {(layer, k): gate for k, gate in enumerate(row)}
                    yield from grow(layer + 1, [*choices, choice], more)

        for first in self._ways[0]:
            yield from grow(1, [first], {})

    def sample(self, n: int, seed: int | np.random.Generator) -> list[tuple[NeuronGate, ...]]:
        """`n` groundings drawn uniformly and independently. Raises OntogenyError where there is none."""
        if not self.count:
            raise OntogenyError("this circuit has no grounding to draw")
        check_number(n, "n", "a whole number of groundings, 0 or more", 0, whole=True)
        rng = generator(seed)
        drawn = []
        for _ in range(n):
            keys, weights = list(self._ways[-1]), list(self._ways[-1].values())
            choices = [keys[_pick(rng, weights)]]
            tables: dict[tuple[int, int], int] = {}
            for layer in range(len(self._bits) - 1, 0, -1):
                befores, weights = list(self._ways[layer - 1]), []
                for before in befores:
                    ways = self._ways[layer - 1][before]
                    for k, choice in enumerate(choices[0]):
                        ways *= self._fits(layer, k, choice, before)[0]
                    weights.append(ways)
                before = befores[_pick(rng, weights)]
                for k, choice in enumerate(choices[0]):
                    options = self._every_table(layer, k, choice, before)
                    tables[layer, k] = options[int(rng.integers(len(options)))]
                choices.insert(0, before)
            drawn.append(self._gates(choices, tables))
        return drawn


def _pick(rng: np.random.Generator, weights: Sequence[int]) -> int:
    """An index drawn in proportion to whole weights."""
    share = np.array([float(weight) for weight in weights])
    return int(rng.choice(len(weights), p=share / share.sum()))


def ground(
    circuit: Circuit,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
    exclude_xor: bool = True,
) -> Groundings:
    """The groundings of a circuit of a network (weights as in `enumerate_circuits`); `.count` is their number.

    Dynamic programming over layers on truth-table bits. exclude_xor: no XOR or XNOR of two inputs past the first
    hidden layer, as published.
    """
    values = circuit_activations(circuit, weights, biases, activation, negative_slope)
    return Groundings(circuit, values, exclude_xor)


# Formulas mapped to neurons

Formula = Mapping[str, tuple[str, ...]]
"""A formula as named nodes, each (gate, *arguments): `{"l": ("NAND", "x0", "x1"), ..., "out": ("AND", "l", "r")}`.

Arguments are earlier nodes or inputs x0, x1, ...; the last node is the output.
"""


def evaluate_formula(
    formula: Formula, x: ArrayLike, fixed: Mapping[str, ArrayLike] | None = None
) -> dict[str, NDArray]:
    """Values (rows,) of every node on binary x (rows, inputs); nodes in `fixed` take the values given there.

    Raises OntogenyError for an unknown gate or argument, and for x or fixed values that are not such arrays.
    """
    rows = as_array(x, "x")
    if rows.ndim != 2:
        raise OntogenyError(f"x has shape {rows.shape}; it must be (rows, inputs)")
    _check_formula(formula)
    if fixed is not None:
        expect(fixed, Mapping, "a dict of nodes and their values (rows,) as fixed")
        for node, given in fixed.items():
            if node not in formula:
                raise unknown("node", node, formula, "fixed")
            if as_array(given, f"fixed['{node}']").shape != (len(rows),):
                raise OntogenyError(f"fixed['{node}'] must hold one value for each of {counted(len(rows), 'row')}")
    values: dict[str, NDArray] = {f"x{i}": (rows[:, i] >= 0.5).astype(np.int64) for i in range(rows.shape[1])}
    nodes = {}
    for node, (gate, *arguments) in formula.items():
        if gate not in _TABLES:
            raise unknown("gate", gate, _TABLES, f"node '{node}'")
        table = np.array(_TABLES[gate])
        missing = [a for a in arguments if a not in values]
        if missing:
            raise unknown("argument", missing[0], values, f"node '{node}'")
        if len(table) != 1 << len(arguments):
            raise OntogenyError(f"node '{node}' gives {counted(len(arguments), 'argument')} to {gate}")
        index = np.zeros(len(rows), np.int64)
        for argument in arguments:
            index = 2 * index + values[argument]
        nodes[node] = values[node] = np.asarray(fixed[node], np.int64) if fixed and node in fixed else table[index]
    return nodes


def _check_formula(formula: Any) -> None:
    """Raise OntogenyError for what is no formula."""
    expect(formula, Mapping, 'a formula, such as {"out": ("AND", "x0", "x1")},')
    if not formula:
        raise OntogenyError("the formula has no node: give one at least, the last of which is the output")
    for node, parts in formula.items():
        words = isinstance(parts, Sequence) and not isinstance(parts, str) and all(isinstance(w, str) for w in parts)
        if not words or not parts:
            raise OntogenyError(
                f"node '{node}' is {shown(parts)}: give a gate and its arguments, as ('AND', 'x0', 'x1')"
            )


def two_level_formulas(bits: Sequence[int], exclude_xor: bool = True) -> list[dict[str, tuple[str, ...]]]:
    """All formulas out = g(l, r) of a two-input gate `bits` in which l and r are different gates of both inputs.

    Gates are the named ones that depend on both inputs, without XOR and XNOR unless `exclude_xor` is false; l and r
    are unordered where g is symmetric. Raises OntogenyError for bits that are not four.
    """
    bits = _bits(bits)
    if len(bits) != 4:
        raise OntogenyError(f"a gate of two inputs has 4 bits, not {len(bits)}")
    expect(exclude_xor, (bool, np.bool_), "True or False as exclude_xor")
    names = ["AND", "OR", "NAND", "NOR", "IMP", "NIMP", "CIMP", "CNIMP"] + ([] if exclude_xor else ["XOR", "XNOR"])
    x = all_inputs(2)
    formula: dict[str, tuple[str, ...]]
    found: list[dict[str, tuple[str, ...]]] = []
    for left, right in combinations(names, 2):
        for gate in names:
            formula = {"l": (left, "x0", "x1"), "r": (right, "x0", "x1"), "out": (gate, "l", "r")}
            if np.array_equal(evaluate_formula(formula, x)["out"], bits):
                found.append(formula)
    return found


def interchange_accuracies(
    formula: Formula,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    circuit: Circuit | None = None,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
) -> pd.DataFrame:
    """Interchange intervention accuracy of every inner node of a formula in every set of neurons of one hidden layer.

    Columns: node, layer (1 is the first hidden layer), neurons (a tuple), accuracy over all pairs of a base and a
    source input. Only the neurons of `circuit` run and are tried, all of them if it is None.

    Raises OntogenyError for what is no formula, or no circuit of the network.
    """
    _check_formula(formula)
    matrices, vectors, sizes = check_weights(weights, biases)
    if circuit is None:
        circuit = Circuit((1 << sum(a * b for a, b in pairwise(sizes[:-1]))) - 1, sizes)
    values = circuit_activations(circuit, matrices, vectors, activation, negative_slope)
    edges, nodes = circuit.edge_masks, circuit.node_masks
    x = values[0]
    n = len(x)
    base, source = (grid.ravel() for grid in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    clean = evaluate_formula(formula, x)
    output = list(formula)[-1]
    rows = []
    expected = {
        node: evaluate_formula(formula, x[base], {node: clean[node][source]})[output]
        for node in formula
        if node != output
    }
    for layer in range(1, len(sizes) - 1):
        alive = np.flatnonzero(nodes[layer]).tolist()
        for chosen in chain.from_iterable(combinations(alive, size) for size in range(1, len(alive) + 1)):
            h = values[layer][base].copy()
            h[:, chosen] = values[layer][source][:, chosen]
            for later in range(layer, len(matrices)):
                h = h @ (matrices[later].astype(np.float64) * edges[later]).T + vectors[later]
                if later < len(matrices) - 1:
                    h = activate_by_name(h, activation, negative_slope) * nodes[later + 1]
            got = (h[:, 0] > 0.5).astype(np.int64)
            for node, target in expected.items():
                rows.append((node, layer, chosen, float((got == target).mean())))
    return pd.DataFrame(rows, columns=["node", "layer", "neurons", "accuracy"])


def map_formula(
    formula: Formula,
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    circuit: Circuit | None = None,
    activation: str = "leaky_relu",
    negative_slope: float = 0.01,
    least: float = 1.0,
) -> list[dict[str, tuple[int, tuple[int, ...]]]]:
    """Mappings of all inner nodes of a formula to disjoint sets of neurons, each with accuracy of at least `least`.

    A mapping gives every node its (layer, neurons). Only minimal ones are returned: no other fits inside one of them.

    Raises OntogenyError as `interchange_accuracies` does, and for a `least` that is no share.
    """
    check_number(least, "least", "a share of pairs from 0 to 1", 0, 1)
    table = interchange_accuracies(formula, weights, biases, circuit, activation, negative_slope)
    fit = table[table.accuracy >= least - 1e-12]
    names = [node for node in formula if node != list(formula)[-1]]
    options = [[(row.layer, row.neurons) for row in fit[fit.node == node].itertuples()] for node in names]
    options = [
        [a for a in choices if not any(b[0] == a[0] and set(b[1]) < set(a[1]) for b in choices)] for choices in options
    ]
    found = []
    for row in product(*options):
        cells = [(layer, neuron) for layer, neurons in row for neuron in neurons]
        if len(cells) == len(set(cells)):
            found.append(dict(zip(names, row)))
    return found
