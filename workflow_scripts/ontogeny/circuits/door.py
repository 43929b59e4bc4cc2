"""A door for anybody's network: a PyTorch model read as layers of neurons, in the order in which it runs.

The model is run once on x and every tensor operation is followed (no code of the model is parsed, so that its style
does not matter). What may lie between the input and the output are linear maps and elementwise functions; normalisation
with fixed statistics is folded into the weights. The network that was read is then run by itself, and refused if it
does not give what the model gives.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import Functions
from ontogeny.circuits._run_one_by_one import RunOneByOne
from ontogeny.circuits.enumeration import CircuitCount, Problem, Samples, as_array, errors_allowed
from ontogeny.circuits.functions import Nonlinearity, masked_sums
from ontogeny.circuits.masks import CircuitSample, CircuitSet
from ontogeny.circuits.outputs import ROUNDED, AnyRule, OutputRule, Tolerance, above, check_rule
from ontogeny.circuits.overlap import minimal_of
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings, GivenSettings, complete_settings
from ontogeny.errors import OntogenyError, check_word, first_line, shown, unknown
from ontogeny.words import counted

RULES = ("rounded", "sign", "argmax", "probability")
"""When an output is right: see `ReadNetwork`."""

_TOLERANCE = 1e-4
_JUST_BELOW = float(np.nextafter(np.float32(0), np.float32(-1)))
_SOME_CIRCUITS, _SOME_ROWS = 300, 64  # on which limits before an output function are compared with those after it
_MOST_ROWS = 256  # of x, that are read one by one where they cannot be read together


@dataclass(frozen=True)
class ReadNetwork:
    """A network as layers of neurons, as `from_torch` reads it, and the inputs it was verified on.

    weights[l] (out, in), biases[l] (out,); hidden: the function of each hidden layer; output: that of the outputs. x
    (rows, inputs): what the first layer that was read got.

    Rules by which an output is right, for a target 0 or 1: "rounded", the output rounded half to even equals it, as
    published; "sign", 1 asks for an output above 0, or for a logit above 0 before an output function that has no sign
    (as sigmoid), also for targets -1 and 1;
    "probability", 1 asks for an output above a half after the output function; "argmax", for targets 0 to K - 1 of K
    outputs, the target's output is the largest, the first of equal ones. Or a rule for outputs after the output
    function: `above` another threshold, or `within` a tolerance of targets that are any numbers.
    """

    weights: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]
    hidden: list[Nonlinearity]
    output: Nonlinearity
    x: NDArray[np.float32]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Layer sizes, inputs first."""
        return (self.weights[0].shape[1], *(len(b) for b in self.biases))

    @property
    def n_outputs(self) -> int:
        """Outputs of the model, which may be made of other numbers of sums."""
        return self.output.outputs or len(self.biases[-1])

    @property
    def _of_one_sum(self) -> bool:
        """Whether all outputs are functions of the same sum."""
        return bool((self.weights[-1] == self.weights[-1][:1]).all() and (self.biases[-1] == self.biases[-1][0]).all())

    def forward(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs (rows, outputs), layer by layer in float32. Raises OntogenyError for other x than (rows, inputs)."""
        return np.asarray(self.output(self._sums(x).astype(np.float64)), np.float32)

    def _sums(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs before the output function."""
        values = as_array(x, "x")
        if values.ndim != 2 or values.shape[1] != self.sizes[0]:
            raise OntogenyError(f"x has shape {values.shape}; it must be (rows, {self.sizes[0]})")
        return masked_sums(values, self.weights, self.biases, self.hidden)

    def right(self, y: ArrayLike, rule: str | AnyRule = "rounded", *, output: int = 0) -> NDArray[np.bool_]:
        """Which rows of x the whole network gets right (rows,): few, and it may have been read wrong.

        y, rule and output as of `count`, and the same errors.
        """
        sums = self._sums(self.x)
        if isinstance(rule, str) and rule == "argmax":
            judged = self.forward(self.x) if self.output.each or self.output.outputs else sums
            return np.asarray(judged.argmax(axis=1) == self._labels(y))
        self.samples(y, rule, output=output)
        own, after, limits = self._asked(y, rule, output)
        if limits is None:
            return after.right(self._value(sums, output), own.astype(np.int64))
        return limits.right(sums[:, output], own.astype(np.int64))

    def enumerate(
        self,
        y: ArrayLike,
        rule: str | AnyRule = "rounded",
        settings: GivenSettings = DEFAULTS,
        *,
        output: int = 0,
        limit: int = 50_000_000,
        max_seconds: float | None = 3600.0,
    ) -> CircuitSet:
        """All perfect circuits of one output, as `enumerate_circuits` finds them; y (rows,) or (rows, outputs).

        Raises OntogenyError if there are more than `limit`, or finding them may take longer than `max_seconds`.
        """
        problem = self.problem(y, rule, settings, output)
        problem.check_cost(max_seconds)
        circuits = problem.listed(limit)
        if circuits is None:
            raise OntogenyError(f"more than {limit:,} circuits are perfect: count or sample them, or raise limit")
        return circuits

    def count(
        self,
        y: ArrayLike,
        rule: str | AnyRule = "rounded",
        settings: GivenSettings = DEFAULTS,
        *,
        output: int = 0,
        max_seconds: float | None = 3600.0,
    ) -> CircuitCount:
        """As `count_circuits`, of one output."""
        problem = self.problem(y, rule, settings, output)
        problem.check_cost(max_seconds)
        return problem.counted()

    def minimal(
        self,
        y: ArrayLike,
        rule: str | AnyRule = "rounded",
        settings: GivenSettings = DEFAULTS,
        *,
        output: int = 0,
        max_seconds: float | None = 3600.0,
    ) -> CircuitSet:
        """As `find_minimal_circuits`, of one output."""
        problem = self.problem(y, rule, settings, output)
        problem.check_cost(max_seconds)
        return minimal_of(problem)

    def sample(
        self,
        y: ArrayLike,
        n: int,
        seed: int | np.random.Generator = 0,
        rule: str | AnyRule = "rounded",
        settings: GivenSettings = DEFAULTS,
        *,
        output: int = 0,
        max_seconds: float | None = 3600.0,
    ) -> CircuitSample:
        """As `sample_circuits`, of one output."""
        problem = self.problem(y, rule, settings, output)
        problem.check_cost_of_drawing(max_seconds)
        return problem.sampled(n, seed, problem.count(threads=None)[0])

    def problem(
        self, y: ArrayLike, rule: str | AnyRule = "rounded", settings: GivenSettings = DEFAULTS, output: int = 0
    ) -> Problem:
        """What the search is given. Raises OntogenyError where rule, targets and outputs do not fit."""
        settings = complete_settings(settings)
        if isinstance(rule, str) and rule == "argmax":
            if output != 0:
                raise OntogenyError(f"argmax judges all outputs together: leave out output {shown(output)}")
            return self._argmax(self._labels(y), settings)
        own, after, limits = self._asked(y, rule, output)
        if limits is not None:
            samples = [Samples.of(self.x, own, self.sizes[0], settings.accuracy_threshold, limits)]
            return self._posed([self.separate(output)], samples, settings)

        def right(sums: NDArray[np.float32], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
            return after.right(self._value(sums, output), targets)

        return self._one_by_one(own, len(after.upto), right, settings)

    def _one_by_one(
        self,
        targets: NDArray[np.float32],
        kinds: int,
        right: Callable[[NDArray[np.float32], NDArray[np.int64]], NDArray[np.bool_]],
        settings: CircuitSettings,
        networks: list[Any] | None = None,
        samples: list[Samples] | None = None,
    ) -> Problem:
        """A search that runs the whole network with each circuit, of those that networks and samples leave, or of all.

        targets (rows,): of so many kinds, 0, 1, ...; right: see `RunOneByOne`.
        """
        every = Samples.of(self.x, targets, self.sizes[0], settings.accuracy_threshold, _any(kinds))
        return self._posed(
            networks or [self._part(0)],
            samples or [every],
            settings,
            RunOneByOne,
            weights=self.weights,
            biases=self.biases,
            hidden=self.hidden,
            x=self.x,
            targets=targets,
            right=right,
            least=settings.accuracy_threshold,
        )

    def _value(self, sums: NDArray[np.float32], output: int) -> NDArray[np.float32]:
        """One output (...) of the sums (..., sums) that are before the output function."""
        if self.output.outputs:
            return np.asarray(self.output(sums.astype(np.float64)), np.float32)[..., output]
        return np.asarray(self.output.of(output)(sums[..., output].astype(np.float64)), np.float32)

    def separate(self, output: int = 0) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Weights and biases of the network with one of its outputs alone.

        Raises OntogenyError for a number of an output that the network does not have, and for outputs that are made of
        several sums.
        """
        self._check_output(output)
        if self.output.outputs:
            raise OntogenyError("outputs of the model are made of several sums each, so that none has a network alone")
        return self._part(output)

    def alone(self, output: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]], Nonlinearity]:
        """Weights and biases of the network with the sums that one output is made of, and the function of these.

        Raises OntogenyError for a number of an output that the network does not have.
        """
        self._check_output(output)
        if not self.output.outputs:
            return *self._part(output), self.output.of(output)
        whole, part = self.output, slice(output, output + 1)
        function = Nonlinearity(None, function=lambda sums: whole(sums)[..., part], each=len(self.biases[-1]))
        return self.weights, self.biases, function

    def _part(self, at: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Weights and biases of the network with one of its last sums alone."""
        part = slice(at, at + 1)
        return [*self.weights[:-1], self.weights[-1][part]], [*self.biases[:-1], self.biases[-1][part]]

    def _check_output(self, output: Any) -> None:
        last = self.n_outputs - 1
        if not isinstance(output, int | np.integer) or not 0 <= output <= last:
            raise OntogenyError(f"output {shown(output)}: the network's outputs are numbered from 0 to {last}")

    def samples(
        self, y: ArrayLike, rule: str | AnyRule = "rounded", settings: GivenSettings = DEFAULTS, output: int = 0
    ) -> Samples:
        """The rows that circuits of one output are judged on, by any rule but argmax. Errors as of `problem`."""
        settings = complete_settings(settings)
        own, after, limits = self._asked(y, rule, output)
        limits = limits or _any(len(after.upto))
        return Samples.of(self.x, own, self.sizes[0], settings.accuracy_threshold, limits)

    def _asked(
        self, y: ArrayLike, rule: str | AnyRule, output: int
    ) -> tuple[NDArray[np.float32], OutputRule, OutputRule | None]:
        """Targets (rows,) of one output, the limits of its values for each of them, and those of its sums, if it has
        any."""
        if not isinstance(rule, str):
            check_rule(rule)
        else:
            check_word(rule, "output rule", RULES)
        n_outputs = self.n_outputs
        self._check_output(output)
        targets = as_array(y, "y")
        if targets.ndim not in (1, 2):
            raise OntogenyError(f"y has shape {targets.shape}; it must be (rows,) or (rows, outputs)")
        targets = targets[:, None] if targets.ndim == 1 else targets
        if targets.shape[1] != n_outputs:
            raise OntogenyError(f"y has {counted(targets.shape[1], 'output')} but the network has {n_outputs}")
        own = targets[:, output]
        if isinstance(rule, Tolerance):
            rule, own = rule.for_targets(own)
        elif rule == "sign":
            own = np.where(own < 0, np.float32(0), own)
        elif (own == -1).any() and np.isin(own, (-1, 1)).all():
            raise OntogenyError("y holds -1 and 1: judge outputs with rule='sign', or give 0 in place of -1")
        return own, *self._limits(rule, output)

    def _posed(
        self,
        networks: list[Any],
        samples: list[Samples],
        settings: CircuitSettings,
        kind: type[Problem] = Problem,
        **more: Any,
    ) -> Problem:
        known = all(function.name is not None for function in self.hidden)
        functions: Functions | None = None if known else list(self.hidden)
        return kind(
            networks,
            samples,
            [function.name or "identity" for function in self.hidden],
            settings.candidates,
            settings.min_sparsity,
            [function.slope for function in self.hidden],
            functions,
            **more,
        )

    def _limits(self, rule: str | OutputRule, output: int) -> tuple[OutputRule, OutputRule | None]:
        """Limits after the output function and before it, None where these are no range."""
        if self.output.outputs:
            return self._after(rule), None
        if rule == "sign":
            function = self.output.of(output)
            values = function(np.linspace(-100, 100, 4001)) if function.name is None else np.ones(1)
            signed = bool((values > 0).any() and (values < 0).any())
            return above(0.0), self._before(function, above(0.0), output) if signed else above(0.0)
        if self.output.together:
            raise OntogenyError("outputs go through softmax together: judge them with rule='argmax'")
        rule = self._after(rule)
        return rule, rule if self.output.name == "identity" else self._before(self.output.of(output), rule, output)

    @staticmethod
    def _after(rule: str | OutputRule) -> OutputRule:
        """Limits of outputs by a rule that may be a name."""
        return (
            {"rounded": ROUNDED, "probability": above(0.5), "sign": above(0.0)}[rule] if isinstance(rule, str) else rule
        )

    def _before(self, function: Nonlinearity, rule: OutputRule, output: int) -> OutputRule | None:
        """As `_pulled_back`, and None also where some circuits are judged otherwise by the limits that it finds."""
        limits = _pulled_back(function, rule)
        if limits is None or function.name is not None:
            return limits
        sums = self._sums_of_some(output)
        with np.errstate(all="ignore"):
            values = np.asarray(function(sums.astype(np.float64)), np.float32)
        for target in range(len(rule.above)):
            targets = np.full(sums.shape, target)
            if not np.array_equal(rule.right(values, targets), limits.right(sums, targets)):
                return None
        return limits

    def _sums_of_some(self, output: int) -> NDArray[np.float32]:
        """What circuits drawn at random have before the output function, on some rows: (n,)."""
        rng = np.random.default_rng(0)
        rows = self.x[:: -(-len(self.x) // _SOME_ROWS)]
        weights, biases = self._part(output)
        shares = rng.uniform(0.3, 1.0, (_SOME_CIRCUITS, 1, 1))
        masks = [rng.random((_SOME_CIRCUITS, *w.shape)) < shares for w in weights]
        return masked_sums(rows, weights, biases, self.hidden, masks).ravel()

    def _labels(self, y: ArrayLike) -> NDArray[np.float32]:
        """The output (rows,) that is to be the largest. Raises OntogenyError for targets that are no outputs."""
        labels, n_outputs = np.asarray(as_array(y, "y")).ravel(), self.n_outputs
        if n_outputs < 2:
            raise OntogenyError(
                "argmax compares outputs, two or more, and the network has one: choose another rule, such as 'sign'"
            )
        if len(labels) != len(self.x) or not np.isin(labels, np.arange(n_outputs)).all():
            raise OntogenyError(
                f"argmax needs one target from 0 to {n_outputs - 1} for each of {counted(len(self.x), 'row')} of x"
            )
        return labels

    def _argmax(self, labels: NDArray[np.float32], settings: CircuitSettings) -> Problem:
        """Every other output must lie below the target's: one network for each pair of outputs, on its own rows."""
        n_outputs = self.n_outputs
        if self.output.outputs:
            return self._one_by_one(
                labels,
                n_outputs,
                lambda sums, targets: self.output(sums.astype(np.float64)).argmax(axis=2) == targets,
                settings,
            )
        if self.output.each and self._of_one_sum:
            ranges = _where_largest(self.output, n_outputs)
            return self._posed(
                [self.separate()],
                [Samples.of(self.x, labels, self.sizes[0], settings.accuracy_threshold, ranges)],
                settings,
            )
        if self.output.each or not (self.output.together or _increasing(self.output)):
            raise OntogenyError("argmax needs an output function that increases, so that the largest stays the largest")
        networks, samples = [], []
        errors = errors_allowed(len(labels), settings.accuracy_threshold)
        for target in range(n_outputs):
            for other in range(n_outputs):
                rows = labels == target
                rows = np.ones(len(labels), bool) if n_outputs == 2 else rows
                if target == other or not rows.any() or (n_outputs == 2 and target == 0):
                    continue
                w = (self.weights[-1][target] - self.weights[-1][other])[None]
                b = (self.biases[-1][target] - self.biases[-1][other])[None]
                least = above(_JUST_BELOW if other > target else 0.0)  # of equal outputs the first is the largest
                threshold = settings.accuracy_threshold if n_outputs == 2 else 0.0
                own = Samples.of(self.x[rows], labels[rows] == target, self.sizes[0], threshold, least)
                if n_outputs > 2:
                    if errors >= own.n_rows:
                        continue
                    own = replace(own, budget=errors)
                networks.append(([*self.weights[:-1], w], [*self.biases[:-1], b]))
                samples.append(own)
        if not networks:
            raise OntogenyError(
                f"accuracy_threshold {settings.accuracy_threshold:g} lets all rows of each target be wrong, so that "
                "argmax asks for nothing: raise it"
            )
        if not errors or n_outputs == 2:
            return self._posed(networks, samples, settings)
        return self._one_by_one(
            labels, n_outputs, lambda sums, targets: sums.argmax(axis=2) == targets, settings, networks, samples
        )


def _increasing(function: Nonlinearity) -> bool:
    """Whether a function rises, or stays where it is, throughout; what float32 rounds away is no fall."""
    far = np.logspace(np.log10(8.1), 4, 400)
    with np.errstate(all="ignore"):
        values = function(np.concatenate([-far[::-1], np.linspace(-8, 8, 4001), far]))
        before, after = values[:-1], values[1:]
        rises = (after >= before) | (after >= before - 1e-6 * np.maximum(1, np.abs(before)))
    return bool(rises.all() and values[-1] > values[0])


def _any(targets: int) -> OutputRule:
    """The rule by which every output is right."""
    return OutputRule("any", (-np.inf,) * targets, (np.inf,) * targets)


def _pulled_back(function: Nonlinearity, rule: OutputRule) -> OutputRule | None:
    """The limits before an output function that are those of `rule` after it, found by bisection.

    None where the function neither rises nor falls throughout.
    """
    if _increasing(fallen := Nonlinearity(None, function=lambda values: function(-values))):
        turned = _pulled_back(fallen, rule)
        return turned and OutputRule(turned.name, _mirrored(turned.upto), _mirrored(turned.above))
    if not _increasing(function):
        return None

    def last_up_to(limit: float) -> float:
        """The largest float32 whose function value, in float32, is at most `limit`."""
        if np.isinf(limit):
            return limit
        low, high = np.float32(-1e30), np.float32(1e30)
        with np.errstate(all="ignore"):
            if np.float32(function(np.array([np.float64(high)]))[0]) <= limit:
                return np.inf
            if np.float32(function(np.array([np.float64(low)]))[0]) > limit:
                return -np.inf
            while np.nextafter(low, high) < high:
                middle = _between(low, high)
                if np.float32(function(np.array([np.float64(middle)]))[0]) <= limit:
                    low = middle
                else:
                    high = middle
        return float(low)

    limits = [last_up_to(value) for value in (*rule.above, *rule.upto)]
    n = len(rule.above)
    return OutputRule(f"{rule.name} after the output function", tuple(limits[:n]), tuple(limits[n:]))


def _where_largest(function: Nonlinearity, n: int) -> OutputRule:
    """Where each of n outputs of one sum is the largest, the first of equal ones, as limits of the sum.

    Raises OntogenyError where that is no range of sums.
    """

    def largest(sums: NDArray[np.float32]) -> NDArray[np.int64]:
        values = function(np.repeat(sums.astype(np.float64)[:, None], n, axis=1)).astype(np.float32)
        if np.isnan(values).any():
            raise OntogenyError("the outputs are NaN for some sums, so that none of them is the largest")
        return values.argmax(axis=1)

    with np.errstate(all="ignore"):
        far = np.logspace(1.5, 30, 400)
        points = np.concatenate([-far[::-1], np.linspace(-30, 30, 24_001), far]).astype(np.float32)
        found = largest(points)
        change = np.flatnonzero(found[1:] != found[:-1])
        order = found[np.concatenate([change, [len(found) - 1]])]
        if len(set(order.tolist())) < len(order):
            raise OntogenyError(
                "an output is the largest in several ranges of the sum that all are made of, so that argmax has no "
                "limits before them: read the model without its output function"
            )
        limits = [-np.inf]
        for at in change:
            low, high = points[at], points[at + 1]
            while np.nextafter(low, high) < high:
                middle = _between(low, high)
                low, high = (middle, high) if largest(np.array([middle]))[0] == found[at] else (low, middle)
            limits.append(float(low))
    upto, above = np.full(n, -np.inf), np.full(n, np.inf)
    above[order], upto[order] = limits, [*limits[1:], np.inf]
    return OutputRule("argmax", tuple(above.tolist()), tuple(upto.tolist()))


def _mirrored(limits: tuple[float, ...]) -> tuple[float, ...]:
    """z <= limit as a limit of the other kind for -z: it lies above the float32 before -limit; and the reverse."""
    return tuple(
        -limit if np.isinf(limit) else float(np.nextafter(np.float32(-limit), np.float32(-np.inf))) for limit in limits
    )


def _between(low: np.float32, high: np.float32) -> np.float32:
    """The float32 in the middle of two others, counted in floats."""

    def place(value: np.float32) -> int:
        bits = int(np.float32(value).view(np.int32))
        return bits if bits >= 0 else -(bits & 0x7FFFFFFF)

    middle = (place(low) + place(high)) // 2
    bits = np.int32(middle) if middle >= 0 else np.int32(np.uint32(0x80000000 | -middle).view(np.int32))
    return bits.view(np.float32)


def from_torch(model: Any, x: Any, *, start: Any = None) -> ReadNetwork:
    """Read a PyTorch model, or anything callable on tensors, as a network whose circuits can be enumerated.

    x (rows, inputs): what the model is run and verified on. Any stack of linear maps and elementwise functions, with or
    without biases, in any style of code; two linear maps in a row are layers with the identity between them; dropout
    is off, and batch normalisation has its running statistics. What is done to x before its first weights is part of
    the inputs, and what is done to a neuron before its next weights is part of its function. start: a submodule of the
    model, or its name ("head.0"), whose input is read as the inputs of the network, with all before it as context; the
    rest of the model must be such a stack.

    The model is read and nothing else: training mode, gradients, buffers and random state are left as they were.
    Raises OntogenyError, which says what it met, for a model that is no such stack, and if the network that was read
    gives other outputs on x than the model does.
    """
    import torch

    if isinstance(model, type) or not callable(model):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
        raise OntogenyError(f"the model is {what}: give a module with its weights, or a function of tensors")
    modules = list(model.modules()) if isinstance(model, torch.nn.Module) else []
    parameters = [p for module in modules for p in module.parameters(recurse=False)]
    if any(torch.nn.parameter.is_lazy(p) for p in parameters):
        raise OntogenyError("the model has layers whose size is not known yet: run it once before it is read")
    if any(p.is_meta for p in parameters):
        raise OntogenyError("the model is on the device 'meta', where weights have no values: load them before")
    like = next((p for p in parameters if p.is_floating_point()), torch.zeros(0))
    try:
        given = torch.as_tensor(x.to_numpy() if hasattr(x, "to_numpy") else x).detach().to(like.device)
        given = given.as_subclass(torch.Tensor)
    except (TypeError, ValueError, RuntimeError) as error:
        raise OntogenyError(f"x is not an array of numbers: {first_line(error)}") from None
    if given.is_complex():
        raise OntogenyError("x holds complex numbers; circuits are those of real ones")
    if given.ndim != 2 or not given.numel():
        raise OntogenyError(f"x has shape {tuple(given.shape)}; it must be (rows, inputs)")
    start = _submodule(model, start)
    with _untouched(modules), torch.no_grad():
        given = _as_taken(model, given, like.dtype)
        if start is not None:
            caught: list[Any] = []
            hook = start.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0].detach().clone()))
            try:
                expected = _run(model, given)
            finally:
                hook.remove()
            if len(caught) != 1 or caught[0].ndim != 2:
                raise OntogenyError("start is not run exactly once on (rows, neurons): name a submodule that is")
            model, given = _after(model, start, given), caught[0]
        else:
            expected = _run(model, given)
        again = _run(model, given)
        if not torch.allclose(expected, again, equal_nan=True):
            raise OntogenyError("two runs of the model on the same x differ, so that it has no fixed outputs")
        weights = {id(p) for p in parameters} if modules else None
        try:
            return _verified(*_read(model, given, weights), expected)
        except OntogenyError:
            if not 1 < len(given) <= _MOST_ROWS:
                raise
            with suppress(OntogenyError):
                return _verified(*_read_row_by_row(model, given, weights), expected)
            raise


def _verified(network: ReadNetwork, place: Any, expected: Any) -> ReadNetwork:
    """`network`, if it gives the outputs of the model, whose numbers are at `place` among (rows, outputs)."""
    import torch

    outputs = expected.reshape(-1)[torch.argsort(place.reshape(-1))].reshape(len(network.x), -1).cpu().numpy()
    mine = network.forward(network.x)
    scale = max(1.0, float(np.abs(outputs).max()))
    if mine.shape != outputs.shape or not np.allclose(mine, outputs, rtol=_TOLERANCE, atol=_TOLERANCE * scale):
        raise OntogenyError(
            f"the layers read from the model, {'-'.join(map(str, network.sizes))}, give other outputs on x than the "
            "model does: something in it is not a linear map or an elementwise function"
        )
    return network


def _as_taken(model: Any, x: Any, dtype: Any) -> Any:
    """x in the type of numbers that the model takes: whole ones as they are if it does, else those of its weights.

    Raises OntogenyError for a model that takes numbers of less than 32 bits only.
    """
    import torch

    whole = not (x.is_floating_point() or x.is_complex())
    exact = dtype if dtype in (torch.float32, torch.float64) else torch.float32
    tried = [x] * whole + [x.to(exact)] * (whole or dtype != exact)
    for one in tried:
        with suppress(Exception):
            model(one.clone())
            return one
    if dtype != exact:
        raise OntogenyError(
            f"the model is in {str(dtype).removeprefix('torch.')}, and circuits are judged in float32: "
            "read a copy of it, copy.deepcopy(model).float()"
        )
    return x.to(exact)


def _run(model: Any, x: Any) -> Any:
    """The one tensor of outputs (rows, ...) of a model."""
    try:
        result = model(x.clone())
    except Exception as error:
        raise OntogenyError(f"the model does not run on x of shape {tuple(x.shape)}: {first_line(error)}") from None
    output = _only_tensor(result)
    if output is None:
        kind = type(result).__name__
        what = f"a {kind} with {', '.join(map(str, result))}" if isinstance(result, dict) else f"a {kind}"
        raise OntogenyError(
            f"the model returns {what}, not one tensor of outputs: read a function that returns the tensor, as "
            "from_torch(lambda x: model(x)[0], x)"
        )
    if not output.numel() or output.numel() % len(x):
        raise OntogenyError(
            f"the model returns outputs of shape {tuple(output.shape)} for {counted(len(x), 'row')} of x"
        )
    if output.is_complex():
        raise OntogenyError("the model returns complex numbers: return their size, angle or parts, which can be judged")
    if not output.isfinite().all():
        raise OntogenyError("outputs of the model on x are NaN or infinite")
    return output.detach().double()


def _only_tensor(result: Any) -> Any:
    import torch
    from torch.utils._pytree import tree_leaves

    leaves = tree_leaves(result)
    if leaves == [result] and hasattr(result, "__dict__") and not isinstance(result, torch.Tensor):
        leaves = tree_leaves(vars(result))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    return tensors[0] if len(tensors) == 1 else None


def _submodule(model: Any, start: Any) -> Any:
    import torch

    if start is None or isinstance(start, torch.nn.Module):
        return start
    if not isinstance(start, str):
        raise OntogenyError(f"start is {shown(start)}: give a submodule of the model, or its name as text, as '0'")
    if not isinstance(model, torch.nn.Module):
        raise OntogenyError(f"the model is a function, and has no submodules to start from, as {shown(start)}")
    named = dict(model.named_modules())
    if start not in named:
        raise unknown("submodule to start from", start, filter(None, named))
    return named[start]


def _after(model: Any, start: Any, given: Any) -> Callable[[Any], Any]:
    """The model from `start` on, as a function of the input of `start`."""

    def run(inner: Any) -> Any:
        hook = start.register_forward_pre_hook(lambda module, inputs: (inner, *inputs[1:]))
        try:
            return model(given)
        finally:
            hook.remove()

    return run


@contextmanager
def _untouched(modules: Sequence[Any]) -> Iterator[None]:
    """Every module that runs is in evaluation mode and not compiled; its mode, buffers and the random state return."""
    import torch

    modes: dict[Any, bool] = {}
    kept: list[tuple[Any, Any]] = []

    def evaluate(module: Any, inputs: Any = None) -> None:
        if not hasattr(module, "training"):  # as where TorchScript froze it
            return
        if module not in modes:
            modes[module] = module.training
            kept.extend((buffer, buffer.clone()) for buffer in module.buffers(recurse=False))
        module.training = False

    state = torch.get_rng_state()
    for module in modules:
        evaluate(module)
    hook = torch.nn.modules.module.register_module_forward_pre_hook(evaluate)
    try:
        with _not_compiled():
            yield
    finally:
        hook.remove()
        for module, mode in modes.items():
            module.training = mode
        for buffer, value in kept:
            if buffer.layout != torch.strided or not torch.equal(buffer, value):
                buffer.copy_(value)
        torch.set_rng_state(state)


@contextmanager
def _not_compiled() -> Iterator[None]:
    """What torch.compile made runs as it was written."""
    dynamo = sys.modules.get("torch._dynamo")
    if dynamo is None:
        yield
        return
    import torch

    with (
        torch.compiler.set_stance("force_eager"),
        dynamo.config.patch(error_on_nested_fx_trace=False),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Using `torch.compile", UserWarning)
        yield


def _read(model: Any, x: Any, weights: set[int] | None) -> tuple[ReadNetwork, Any]:
    """The network, and the place of each output of the model among (rows, outputs). weights: ids; None: all tensors."""
    from ontogeny.circuits.tracing import read_model

    layers = read_model(lambda inputs: _only_tensor(model(inputs)), x, weights)
    network = ReadNetwork(
        [np.ascontiguousarray(w.cpu().numpy(), np.float32) for w in layers.weights],
        [np.ascontiguousarray(b.cpu().numpy(), np.float32) for b in layers.biases],
        layers.functions[:-1],
        layers.functions[-1],
        np.ascontiguousarray(layers.inputs.cpu().numpy(), np.float32),
    )
    return network, layers.place


def _read_row_by_row(model: Any, x: Any, weights: set[int] | None) -> tuple[ReadNetwork, Any]:
    """As `_read`, of a model that runs on one row of x as on all."""
    import torch

    from ontogeny.circuits.flows import rows_unlike

    read = [_read(model, x[row : row + 1], weights) for row in range(len(x))]
    first, place = read[0]
    for other, _ in read[1:]:
        if not all(map(np.array_equal, first.weights + first.biases, other.weights + other.biases)):
            raise rows_unlike()
        functions = zip((*first.hidden, first.output), (*other.hidden, other.output), first.sizes[1:])
        if not all(one.equals(own, n) for one, own, n in functions):
            raise rows_unlike()
    inputs = np.concatenate([network.x for network, _ in read])
    return replace(first, x=inputs), torch.cat([place.reshape(-1) + row * place.numel() for row in range(len(x))])
