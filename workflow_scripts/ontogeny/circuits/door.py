"""A door for anybody's network: a PyTorch model read as layers of neurons, in the order in which it runs.

The model is run once on x and every tensor operation is followed (no code of the model is parsed, so that its style
does not matter). What may lie between the input and the output are linear maps and elementwise functions; normalisation
with fixed statistics is folded into the weights. The network that was read is then run by itself, and refused if it
does not give what the model gives.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ontogeny.circuits._plain import Functions, activate
from ontogeny.circuits.enumeration import ACTIVATIONS, CircuitCount, Problem, Samples, as_array
from ontogeny.circuits.masks import CircuitSample, CircuitSet
from ontogeny.circuits.outputs import ROUNDED, OutputRule, above
from ontogeny.circuits.settings import DEFAULTS, CircuitSettings
from ontogeny.errors import OntogenyError, unknown

RULES = ("rounded", "sign", "argmax", "probability")
"""When an output is right: see `ReadNetwork`."""

_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Nonlinearity:
    """An elementwise function: its name in `ACTIVATIONS` with its slope, or, if `name` is None, a Python function."""

    name: str | None
    slope: float = 0.01
    function: Callable[[NDArray[Any]], NDArray[Any]] | None = field(default=None, repr=False)

    def __call__(self, values: NDArray[Any]) -> NDArray[Any]:
        """The function of float64 values."""
        if self.name is not None:
            return activate(values, ACTIVATIONS.index(self.name), self.slope)
        assert self.function is not None
        return self.function(values)


@dataclass(frozen=True)
class ReadNetwork:
    """A network as layers of neurons, as `from_torch` reads it, and the inputs it was verified on.

    weights[l] (out, in), biases[l] (out,); hidden: the function of each hidden layer; output: that of the outputs. x
    (rows, inputs): what the first layer that was read got.

    Rules by which an output is right, for a target 0 or 1: "rounded", the output rounded half to even equals it, as
    published; "sign", 1 asks for an output above 0 before the output function (a logit), also for targets -1 and 1;
    "probability", 1 asks for an output above a half after the output function; "argmax", for targets 0 to K - 1 of K
    outputs, the target's output is the largest.
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

    def forward(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Outputs (rows, outputs), layer by layer in float32."""
        values = np.asarray(x, np.float32)
        for layer, (w, b) in enumerate(zip(self.weights, self.biases)):
            values = values @ w.T + b
            function = self.hidden[layer] if layer < len(self.hidden) else self.output
            values = np.asarray(function(values.astype(np.float64)), np.float32)
        return values

    def enumerate(
        self,
        y: ArrayLike,
        rule: str = "rounded",
        settings: CircuitSettings = DEFAULTS,
        *,
        output: int = 0,
        limit: int = 50_000_000,
        max_seconds: float | None = 3600.0,
    ) -> CircuitSet:
        """All perfect circuits of one output, as `enumerate_circuits` finds them; y (rows,) or (rows, outputs)."""
        problem = self.problem(y, rule, settings, output)
        problem.check_cost(max_seconds)
        circuits = problem.listed(limit)
        if circuits is None:
            raise OntogenyError(f"more than {limit:,} circuits are perfect: count or sample them, or raise limit")
        return circuits

    def count(
        self,
        y: ArrayLike,
        rule: str = "rounded",
        settings: CircuitSettings = DEFAULTS,
        *,
        output: int = 0,
        max_seconds: float | None = 3600.0,
    ) -> CircuitCount:
        """As `count_circuits`, of one output."""
        problem = self.problem(y, rule, settings, output)
        problem.check_cost(max_seconds)
        return problem.counted()

    def sample(
        self,
        y: ArrayLike,
        n: int,
        seed: int | np.random.Generator,
        rule: str = "rounded",
        settings: CircuitSettings = DEFAULTS,
        *,
        output: int = 0,
    ) -> CircuitSample:
        """As `sample_circuits`, of one output."""
        problem = self.problem(y, rule, settings, output)
        return problem.sampled(n, seed, problem.count(threads=None)[0])

    def problem(
        self, y: ArrayLike, rule: str = "rounded", settings: CircuitSettings = DEFAULTS, output: int = 0
    ) -> Problem:
        """What the search is given. Raises OntogenyError where rule, targets and outputs do not fit."""
        if rule == "argmax":
            return self._argmax(np.asarray(as_array(y, "y")).ravel(), settings)
        return self._posed([self.separate(output)], [self.samples(y, rule, settings, output)], settings)

    def separate(self, output: int = 0) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Weights and biases of the network with one of its outputs alone."""
        part = slice(output, output + 1)
        return [*self.weights[:-1], self.weights[-1][part]], [*self.biases[:-1], self.biases[-1][part]]

    def samples(
        self, y: ArrayLike, rule: str = "rounded", settings: CircuitSettings = DEFAULTS, output: int = 0
    ) -> Samples:
        """The rows that circuits of one output are judged on, by any rule but argmax. Errors as of `problem`."""
        if rule not in RULES:
            raise unknown("output rule", rule, RULES)
        n_outputs = len(self.biases[-1])
        targets = as_array(y, "y")
        targets = targets[:, None] if targets.ndim == 1 else targets
        if targets.shape[1] != n_outputs:
            raise OntogenyError(f"y has {targets.shape[1]} outputs but the network has {n_outputs}")
        own = targets[:, output]
        if rule == "sign":
            own = np.where(own < 0, np.float32(0), own)
        return Samples.of(self.x, own, self.sizes[0], settings.accuracy_threshold, self._limits(rule))

    def _posed(self, networks: list[Any], samples: list[Samples], settings: CircuitSettings) -> Problem:
        known = all(function.name is not None for function in self.hidden)
        functions: Functions | None = None if known else list(self.hidden)
        return Problem(
            networks,
            samples,
            [function.name or "identity" for function in self.hidden],
            settings.candidates,
            settings.min_sparsity,
            [function.slope for function in self.hidden],
            functions,
        )

    def _limits(self, rule: str) -> OutputRule:
        if rule == "sign":
            return above(0.0)
        if rule == "rounded" and self.output.name == "identity":
            return ROUNDED
        return _pulled_back(self.output, ROUNDED if rule == "rounded" else above(0.5))

    def _argmax(self, labels: NDArray[np.float32], settings: CircuitSettings) -> Problem:
        """Every other output must lie below the target's: one network for each pair of outputs, on its own rows."""
        n_outputs = len(self.biases[-1])
        if n_outputs < 2 or len(labels) != len(self.x) or not np.isin(labels, np.arange(n_outputs)).all():
            raise OntogenyError(
                f"argmax needs one target from 0 to {n_outputs - 1} for each of {len(self.x)} rows, and two outputs"
            )
        if not _increasing(self.output):
            raise OntogenyError("argmax needs an output function that increases, so that the largest stays the largest")
        if n_outputs > 2 and int(len(labels) * (1 - settings.accuracy_threshold)) >= 1:
            raise OntogenyError(
                "argmax of more than two outputs is decided only where no row may be wrong: raise accuracy_threshold"
            )
        networks, samples = [], []
        for target in range(n_outputs):
            for other in range(n_outputs):
                rows = labels == target
                if target == other or not rows.any() or (n_outputs == 2 and target == 0):
                    continue
                rows = np.ones(len(labels), bool) if n_outputs == 2 else rows
                w = (self.weights[-1][target] - self.weights[-1][other])[None]
                b = (self.biases[-1][target] - self.biases[-1][other])[None]
                networks.append(([*self.weights[:-1], w], [*self.biases[:-1], b]))
                asked = labels[rows] == target
                threshold = settings.accuracy_threshold if n_outputs == 2 else 1 - 0.5 / len(labels)
                samples.append(Samples.of(self.x[rows], asked, self.sizes[0], threshold, above(0.0)))
        return self._posed(networks, samples, settings)


def _increasing(function: Nonlinearity) -> bool:
    values = function(np.linspace(-8, 8, 4001))
    return bool((np.diff(values) >= 0).all() and values[-1] > values[0])


def _pulled_back(function: Nonlinearity, rule: OutputRule) -> OutputRule:
    """The limits before an increasing output function that are those of `rule` after it, found by bisection."""
    if not _increasing(function):
        raise OntogenyError("the output function does not increase: judge the output before it with rule='sign'")

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
    return OutputRule(f"{rule.name} after the output function", (limits[0], limits[1]), (limits[2], limits[3]))


def _between(low: np.float32, high: np.float32) -> np.float32:
    """The float32 in the middle of two others, counted in floats."""

    def place(value: np.float32) -> int:
        bits = int(np.float32(value).view(np.int32))
        return bits if bits >= 0 else -(bits & 0x7FFFFFFF)

    middle = (place(low) + place(high)) // 2
    bits = np.int32(middle) if middle >= 0 else np.int32(np.uint32(0x80000000 | -middle).view(np.int32))
    return bits.view(np.float32)


# Reading a model


@dataclass
class _Flow:
    """A tensor that depends on x: values = W h + b with h the neurons of layer `layer` (0: the inputs).

    mapped: whether a linear map was already made of h; identity W and zero b otherwise.
    """

    layer: int
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    mapped: bool = False


class _Reader:
    """Follows the operations of one run of a model."""

    def __init__(self, n_inputs: int) -> None:
        self.layers: list[tuple[NDArray[np.float64], NDArray[np.float64], Nonlinearity]] = []
        self.start = _Flow(0, np.eye(n_inputs), np.zeros(n_inputs))

    def close(self, flow: _Flow, function: Nonlinearity) -> _Flow:
        """Make a layer of neurons of what flows, with their function."""
        if flow.layer != len(self.layers):
            raise OntogenyError("a connection skips a layer: circuits are enumerated in plain stacks of layers")
        self.layers.append((flow.weight, flow.bias, function))
        n = len(flow.bias)
        return _Flow(len(self.layers), np.eye(n), np.zeros(n))

    def linear(self, flow: _Flow, weight: NDArray[np.float64], bias: NDArray[np.float64] | float = 0.0) -> _Flow:
        """A linear map: of neurons, or, after another linear map, of neurons without a function in between."""
        if flow.mapped:
            flow = self.close(flow, Nonlinearity("identity"))
        return _Flow(flow.layer, weight @ flow.weight, weight @ flow.bias + bias, True)

    def scaled(self, flow: _Flow, factor: Any, offset: Any = 0.0) -> _Flow:
        """Neuron by neuron: times a factor, plus an offset."""
        n = len(flow.bias)
        factors, offsets = np.broadcast_to(factor, (n,)), np.broadcast_to(offset, (n,))
        return _Flow(flow.layer, flow.weight * factors[:, None], flow.bias * factors + offsets, flow.mapped)


def from_torch(model: Any, x: Any, *, start: Any = None) -> ReadNetwork:
    """Read a PyTorch model, or anything callable on tensors, as a network whose circuits can be enumerated.

    x (rows, inputs): what the model is run and verified on. Any stack of linear maps and elementwise functions, with or
    without biases, in any style of code; two linear maps in a row are layers with the identity between them; dropout
    is off, and batch normalisation has its running statistics. start: a submodule of the model, whose input is read as
    the inputs of the network, with all before it as context; the rest of the model must be such a stack.

    The model is read and nothing else: training mode and gradients are left as they were. Raises OntogenyError, which
    says what it met, for a model that is no such stack, and if the network that was read gives other outputs on x than
    the model does.
    """
    import torch

    parameters = model.parameters() if isinstance(model, torch.nn.Module) else ()
    like = next((p for p in parameters if p.is_floating_point()), torch.zeros(0))
    given = torch.as_tensor(x).detach().to(like.device, like.dtype)
    if given.ndim != 2 or not len(given):
        raise OntogenyError(f"x has shape {tuple(given.shape)}; it must be (rows, inputs)")
    with _quiet(model), torch.no_grad():
        if start is not None:
            caught: list[Any] = []
            hook = start.register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0].detach().clone()))
            try:
                expected = model(given.clone())
            finally:
                hook.remove()
            if len(caught) != 1 or caught[0].ndim != 2:
                raise OntogenyError("start is not run exactly once on (rows, neurons): name a submodule that is")
            model, given = _after(model, start, given), caught[0]
        else:
            expected = model(given.clone())
        network = _read(model, given)
    if not isinstance(expected, torch.Tensor):
        raise OntogenyError(f"the model returns a {type(expected).__name__}, not a tensor of outputs")
    outputs = expected.detach().reshape(len(given), -1).cpu().numpy()
    mine = network.forward(network.x)
    scale = max(1.0, float(np.abs(outputs).max()))
    if mine.shape != outputs.shape or not np.allclose(mine, outputs, rtol=_TOLERANCE, atol=_TOLERANCE * scale):
        raise OntogenyError(
            f"the layers read from the model, {'-'.join(map(str, network.sizes))}, give other outputs on x than the "
            "model does: something in it is not a linear map or an elementwise function"
        )
    return network


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
def _quiet(model: Any) -> Iterator[None]:
    """The model in evaluation mode, every module back in its own afterwards."""
    modules = list(model.modules()) if hasattr(model, "modules") else []
    modes = [module.training for module in modules]
    for module in modules:
        module.training = False
    try:
        yield
    finally:
        for module, mode in zip(modules, modes):
            module.training = mode


def _read(model: Any, x: Any) -> ReadNetwork:
    import torch
    from torch.fx.experimental.proxy_tensor import make_fx

    state = copy.deepcopy(torch.get_rng_state())
    try:
        graph = make_fx(lambda inputs: model(inputs))(x.clone())
    finally:
        torch.set_rng_state(state)
    reader = _Reader(x.shape[1])
    known: dict[Any, Any] = {}
    result: Any = None
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            known[node] = reader.start
        elif node.op == "get_attr":
            known[node] = getattr(graph, node.target)
        elif node.op == "output":
            result = torch.fx.node.map_arg(node.args[0], lambda n: known[n])
        else:
            arguments = torch.fx.node.map_arg(node.args, lambda n: known[n])
            keywords = torch.fx.node.map_arg(node.kwargs, lambda n: known[n])
            flows = [a for a in torch.utils._pytree.tree_leaves((arguments, keywords)) if isinstance(a, _Flow)]
            known[node] = _step(reader, node.target, arguments, keywords, len(x)) if flows else node.target(
                *arguments, **keywords
            )  # fmt: skip
    if not isinstance(result, _Flow):
        raise OntogenyError("the output does not depend on x through layers of neurons")
    if result.mapped or result.layer == 0:
        reader.close(result, Nonlinearity("identity"))
    elif not np.array_equal(result.weight, np.eye(len(result.bias))) or result.bias.any():
        raise OntogenyError("outputs are scaled after their function: judge them before it")
    if len(reader.layers) < 2:
        raise OntogenyError("the model has no hidden layer, so no circuits")
    weights, biases, functions = zip(*reader.layers)
    return ReadNetwork(
        [np.asarray(w, np.float32) for w in weights],
        [np.asarray(b, np.float32) for b in biases],
        list(functions[:-1]),
        functions[-1],
        np.asarray(x.detach().cpu().numpy(), np.float32),
    )


def _numbers(value: Any) -> NDArray[np.float64]:
    return np.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value, np.float64)


_SHAPES = {
    "view", "reshape", "_unsafe_view", "flatten", "squeeze", "unsqueeze", "detach", "clone", "alias", "contiguous",
    "_to_copy", "lift_fresh", "expand", "dropout",
}  # fmt: skip
_NAMED = {"relu": "relu", "tanh": "tanh", "sigmoid": "sigmoid", "silu": "silu"}


def _step(reader: _Reader, target: Any, arguments: Sequence[Any], keywords: dict[str, Any], rows: int) -> Any:
    """What an operation makes of a flow. Raises OntogenyError for one that is neither linear nor elementwise."""
    name = str(target).removeprefix("aten.").split(".")[0].rstrip("_") or str(target)
    first = arguments[0] if arguments else None
    if name in _SHAPES and isinstance(first, _Flow):
        return first
    if name == "addmm" and isinstance(arguments[1], _Flow) and not isinstance(arguments[2], _Flow):
        alpha, beta = keywords.get("alpha", 1), keywords.get("beta", 1)
        return reader.linear(arguments[1], alpha * _numbers(arguments[2]).T, beta * _numbers(arguments[0]))
    if name in ("mm", "matmul") and isinstance(first, _Flow) and not isinstance(arguments[1], _Flow):
        return reader.linear(first, _numbers(arguments[1]).T)
    if name == "linear" and isinstance(first, _Flow):
        bias = _numbers(arguments[2]) if len(arguments) > 2 and arguments[2] is not None else 0.0
        return reader.linear(first, _numbers(arguments[1]), bias)
    if name in ("add", "sub", "mul", "div", "rsub") and len(arguments) > 1:
        return _arithmetic(reader, name, arguments, keywords)
    if name == "neg" and isinstance(first, _Flow):
        return reader.scaled(first, -1.0)
    if "batch_norm" in name and isinstance(first, _Flow):
        return (_normalised(reader, arguments), None, None)
    if "getitem" in name and isinstance(first, tuple):
        return first[arguments[1]]
    if isinstance(first, _Flow) and not any(isinstance(a, _Flow) for a in arguments[1:]):
        return reader.close(first, _elementwise(target, name, arguments[1:], keywords))
    raise OntogenyError(f"the model does '{name}', which is neither a linear map nor an elementwise function")


def _arithmetic(reader: _Reader, name: str, arguments: Sequence[Any], keywords: dict[str, Any]) -> _Flow:
    one, two = arguments[0], arguments[1]
    alpha = float(keywords.get("alpha", 1))
    if isinstance(one, _Flow) and isinstance(two, _Flow):
        if name not in ("add", "sub") or one.layer != two.layer:
            raise OntogenyError(
                f"the model does '{name}' on values of two layers: a connection that skips a layer, or a product, is "
                "not a plain stack of layers"
            )
        sign = alpha if name == "add" else -alpha
        return _Flow(one.layer, one.weight + sign * two.weight, one.bias + sign * two.bias, one.mapped or two.mapped)
    flow, other = (one, _numbers(two)) if isinstance(one, _Flow) else (two, _numbers(one))
    other = other.reshape(-1) if other.ndim else other
    if other.ndim and len(other) not in (1, len(flow.bias)):
        raise OntogenyError(f"the model does '{name}' with numbers that differ between rows")
    reverse = not isinstance(one, _Flow)
    if name == "add":
        return reader.scaled(flow, alpha if reverse else 1.0, other if reverse else alpha * other)
    if name == "sub":
        return reader.scaled(flow, -alpha if reverse else 1.0, other if reverse else -alpha * other)
    if name == "rsub":
        return reader.scaled(flow, -alpha, other)
    if name == "mul":
        return reader.scaled(flow, other)
    if reverse:
        raise OntogenyError("the model divides by values that depend on x, which is not a plain stack of layers")
    return reader.scaled(flow, 1.0 / other)


def _normalised(reader: _Reader, arguments: Sequence[Any]) -> _Flow:
    """Batch normalisation by running statistics: input, weight, bias, mean, variance, ..., eps last."""
    flow, weight, bias, mean, variance = arguments[:5]
    eps = next(float(a) for a in reversed(arguments) if isinstance(a, float))
    if mean is None or variance is None:
        raise OntogenyError("batch normalisation without running statistics mixes rows: it cannot be read")
    scale = (1.0 if weight is None else _numbers(weight)) / np.sqrt(_numbers(variance) + eps)
    return reader.scaled(flow, scale, (0.0 if bias is None else _numbers(bias)) - scale * _numbers(mean))


def _elementwise(target: Any, name: str, rest: Sequence[Any], keywords: dict[str, Any]) -> Nonlinearity:
    """The function of an operation, if every number that comes out depends on the one that goes in, alone."""
    import torch

    def function(values: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad():
            return np.asarray(target(torch.as_tensor(np.asarray(values, np.float32)), *rest, **keywords).numpy())

    points = np.random.default_rng(0).normal(0, 2, (7, 5)).astype(np.float32)
    try:
        whole = function(points)
        alone = np.array([[function(points[r : r + 1, c : c + 1])[0, 0] for c in range(5)] for r in range(7)])
    except (RuntimeError, TypeError, IndexError, AttributeError):
        whole, alone = np.zeros(0), np.zeros(0)
    if whole.shape != points.shape or not np.allclose(whole, alone, atol=1e-6):
        raise OntogenyError(f"the model does '{name}', which is neither a linear map nor an elementwise function")
    candidates = [Nonlinearity(_NAMED[name])] if name in _NAMED else []
    if name == "leaky_relu":
        candidates.append(Nonlinearity("leaky_relu", float(rest[0]) if rest else 0.01))
    if name == "gelu" and keywords.get("approximate", "none") == "none":
        candidates.append(Nonlinearity("gelu"))
    if name == "elu" and len(rest) < 2:
        candidates.append(Nonlinearity("elu", float(rest[0]) if rest else 1.0))
    if name == "softplus" and not rest:
        candidates.append(Nonlinearity("softplus"))
    for candidate in candidates:
        if 0 <= candidate.slope <= 1 and np.allclose(candidate(points.astype(np.float64)), whole, atol=1e-6):
            return candidate
    return Nonlinearity(None, function=function)
