"""The circuit behind a judgement: edges between heads and MLPs, scored, and kept or cut to see whether it is one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.network import (
    Parts,
    Run,
    attend,
    attention_calls,
    by_prompt,
    difference,
    first,
    frozen,
    hooked,
    parts_of,
    readout,
    run,
)
from ontogeny.judge.pairs import Pairs
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import Judge
from ontogeny.statistics import adjust, bootstrap_weights, percentile_interval, sign_flip_test

MOST_NUMBERS = 24_000_000
"""Most numbers in a tensor of what all nodes write: prompts are passed in parts that need no more (96 MB)."""


@dataclass(frozen=True)
class Graph:
    """Nodes and edges of a judge: what writes into the residual stream, and what reads from it.

    Senders are the embedding and, layer by layer, every head and the MLP; receivers are the same but for the embedding,
    with the output at the end. An edge goes from a sender to every receiver that reads it: in a parallel block the MLP
    reads no head of its own layer. Names are `embedding`, `2.h1` (layer 2, head 1; both from 1), `2.mlp`, `output`.

    Where the stream goes through a norm after each sum (`normed`: BERT), what was written before it cannot be told
    apart behind it. Its norms are nodes there, `2.norm1` after attention and `2.norm2` after the MLP, which read what
    they sum, and all that comes later reads only them. edges: (edges, 2), indices of sender and receiver.
    """

    layers: int
    heads: int
    edges: np.ndarray
    normed: bool = False

    @property
    def senders(self) -> list[str]:
        """Names of the nodes that write, the embedding first."""
        return ["embedding", *_names(self.layers, self.heads, self.normed)]

    @property
    def receivers(self) -> list[str]:
        """Names of the nodes that read, the output last."""
        return [*_names(self.layers, self.heads, self.normed), "output"]

    def masks(self, subgraphs: Sequence[Any]) -> Tensor:
        """Subgraphs given as lists of edge indices, as bool (subgraphs, senders, receivers)."""
        nodes = len(self.senders)
        result = torch.zeros(len(subgraphs), nodes, nodes, dtype=torch.bool)
        for row, chosen in enumerate(subgraphs):
            edges = self.edges[np.asarray(chosen, dtype=int)]
            result[row, edges[:, 0], edges[:, 1]] = True
        return result


def _names(layers: int, heads: int, normed: bool) -> list[str]:
    parts = [*(f"h{head}" for head in range(1, heads + 1)), *(["norm1", "mlp", "norm2"] if normed else ["mlp"])]
    return [f"{layer}.{part}" for layer in range(1, layers + 1) for part in parts]


@checks_arguments
def circuit_graph(model: Judge) -> Graph | None:
    """The graph of a judge, or None where its blocks are not known to be sums of their parts (`parts_of`)."""
    parts = parts_of(model)
    if parts is None:
        return None
    layers, heads = len(parts), len(parts[0].write)
    order = parts[0].order
    build = _normed_edges if order == "normed" else _added_edges
    edges = [pair for layer in range(layers) for pair in build(layer, heads, order == "parallel")]
    wide = heads + (3 if order == "normed" else 1)
    last = layers * wide
    edges += [(last, last)] if order == "normed" else [(sender, last) for sender in range(last + 1)]
    return Graph(layers, heads, np.array(edges), order == "normed")


def _added_edges(layer: int, heads: int, parallel: bool) -> list[tuple[int, int]]:
    """The edges into one layer where all that was written adds up: (sender, receiver)."""
    begin = layer * (heads + 1)
    early = range(1 + begin)
    into_heads = [(sender, begin + head) for head in range(heads) for sender in early]
    return into_heads + [(sender, begin + heads) for sender in range(1 + begin + (0 if parallel else heads))]


def _normed_edges(layer: int, heads: int, _: bool) -> list[tuple[int, int]]:
    """The edges into one layer whose sums go through norms: (sender, receiver)."""
    begin = layer * (heads + 3)
    norm, mlp, out = (begin + heads + place for place in range(3))
    into_heads = [(begin, begin + head) for head in range(heads)]
    into_norm = [(begin, norm), *((1 + begin + head, norm) for head in range(heads))]
    return [*into_heads, *into_norm, (1 + norm, mlp), (1 + norm, out), (1 + mlp, out)]


def _graph_of(model: Judge) -> Graph:
    graph = circuit_graph(model)
    if graph is None:
        raise OntogenyError(_no_edges(model))
    return graph


def _no_edges(model: Judge) -> str:
    return (
        f"{type(model.backbone).__name__} has no edges to patch: its blocks are not known to be sums of heads and "
        "MLPs, as those of Llama, GPT-2, GPT-NeoX, BERT or DistilBERT are"
    )


@dataclass(frozen=True)
class _Past:
    """Both runs over the pairs, and what every sender writes in each, (pairs, senders, length, width)."""

    parts: list[Parts]
    unsafe: Run
    safe: Run
    calls: list[Any]
    written: Tensor
    counterpart: Tensor


def _keep_input(kept: list[Tensor]) -> Any:
    return lambda _, args: kept.append(args[0])


def _keep_output(kept: list[Tensor], prompts: int) -> Any:
    """Copies, since some blocks add to an MLP's output in place (Falcon)."""
    return lambda _, __, output: kept.append(by_prompt(first(output).clone(), prompts))


def _past(model: Judge, pairs: Pairs) -> _Past:
    parts = parts_of(model)
    if parts is None:
        raise OntogenyError(_no_edges(model))
    runs, calls, written = [], [], []
    for tokens in (pairs.unsafe, pairs.safe):
        handles, seen = attention_calls(parts)
        mixed: list[Tensor] = []
        added: list[Tensor] = []
        middles: list[Tensor] = []
        handles += [part.projection.register_forward_pre_hook(_keep_input(mixed)) for part in parts]
        handles += [part.mlp_writes.register_forward_hook(_keep_output(added, len(tokens))) for part in parts]
        handles += [part.after_attention.register_forward_hook(_keep_output(middles, len(tokens))) for part in parts]
        with hooked(*handles):
            runs.append(run(model, tokens))
        calls.append(seen)
        nodes = [runs[-1].residuals[0][:, None]]
        for layer, part in enumerate(parts):
            split = mixed[layer].unflatten(-1, (len(part.write), -1))
            nodes += [torch.einsum("bthd,hdw->bhtw", split, part.write.to(split.dtype))]
            if part.order == "normed":
                nodes += [middles[layer][:, None], added[layer][:, None], runs[-1].residuals[layer + 1][:, None]]
            else:
                nodes += [added[layer][:, None]]
        written.append(torch.cat(nodes, 1))
    return _Past(parts, runs[0], runs[1], calls[0], *written)


Module = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""What receivers do with what they read: (rows, receivers, length, width), the prompt of every row, and which of them
are to be computed, bool (rows, receivers), all if None."""


class _Whole:
    """A run in which every receiver reads the whole stream, each a copy of its own, whose gradient can be taken.

    embedding: (rows, length, width); rows: the prompt of each.
    """

    def __init__(self, embedding: Tensor, rows: Tensor) -> None:
        self.start, self.rows = embedding, rows
        self.inputs: list[Tensor] = []

    def read(self, stream: Tensor, count: int) -> Tensor:
        """What `count` receivers, the next ones, read, (rows, count, length, width)."""
        self.inputs.append(stream[:, None].expand(-1, count, -1, -1).contiguous())
        return self.inputs[-1]

    def through(self, stream: Tensor, count: int, module: Module) -> Tensor:
        """What the next receivers, as senders, add to the stream."""
        return module(self.read(stream, count), self.rows, None)


class _Cut:
    """A run in which receivers read the safe run's stream, and of senders, by the edges kept, what they change in it.

    masks: (times, senders, receivers). Rows are every mask for every prompt in turn. What no kept edge leads to from
    the embedding does what it does in the safe run, and is not computed.
    """

    def __init__(self, past: _Past, masks: Tensor) -> None:
        prompts, times = len(past.safe.last), len(masks)
        embedding = past.unsafe.residuals[0]
        self.base = past.counterpart
        self.rows = torch.arange(prompts).repeat_interleave(times)
        self.weight = masks.repeat(prompts, 1, 1)
        self.change = embedding.new_zeros((len(self.rows), *self.base.shape[1:]))
        self.changed = torch.zeros(len(self.rows), self.base.shape[1], dtype=torch.bool)
        self.change[:, 0] = (embedding - self.base[:, 0])[self.rows]
        self.changed[:, 0] = True
        self.start, self.senders, self.receivers = self.base[:, 0], 1, 0

    def _edges(self, count: int) -> Tensor:
        """The edges into the next receivers from senders that change something, (rows, count, senders)."""
        kept = self.weight[:, : self.senders, self.receivers : self.receivers + count].transpose(1, 2)
        self.receivers += count
        return kept & self.changed[:, None, : self.senders]

    def _reads(self, stream: Tensor, edges: Tensor, rows: Tensor) -> Tensor:
        from_any = edges.flatten(0, 1).any(0).nonzero()[:, 0]
        changes = self.change[rows[:, None], from_any].flatten(2)
        added = torch.bmm(edges[..., from_any].to(changes.dtype), changes)
        return stream[self.rows[rows], None] + added.unflatten(2, stream.shape[1:])

    def read(self, stream: Tensor, count: int) -> Tensor:
        """What `count` receivers, the next ones, read, (rows, count, length, width)."""
        return self._reads(stream, self._edges(count), torch.arange(len(self.rows)))

    def through(self, stream: Tensor, count: int, module: Module) -> Tensor:
        """What the next receivers, as senders, add to the stream of the safe run, (prompts, count, length, width)."""
        edges = self._edges(count)
        active = edges.any(-1)
        place = slice(self.senders, self.senders + count)
        self.senders, self.changed[:, place] = place.stop, active
        rows = active.any(1).nonzero()[:, 0]
        if len(rows):
            prompts, some = self.rows[rows], active[rows]
            found = module(self._reads(stream, edges[rows], rows), prompts, some) - self.base[prompts, place]
            self.change[rows, place] = found.masked_fill(~some[..., None, None], 0)
        return self.base[:, place]


def _forward(model: Judge, past: _Past, flow: _Whole | _Cut) -> Tensor:
    """Logits when every receiver reads what `flow` gives it."""
    stream = flow.start
    for part, call in zip(past.parts, past.calls):
        heads: Module = partial(_heads, part, call)
        wrote = flow.through(stream, len(part.write), heads).sum(1)
        middle = stream + wrote + (0 if part.bias is None else part.bias)
        if part.order == "normed":
            middle = flow.through(middle, 1, partial(_module, part.after_attention))[:, 0]
        reads = stream if part.order == "parallel" else middle
        stream = middle + flow.through(reads, 1, partial(_mlp, part))[:, 0]
        if part.order == "normed":
            stream = flow.through(stream, 1, partial(_module, part.after_mlp))[:, 0]
    return readout(model, flow.read(stream, 1)[:, 0], past.safe.last[flow.rows])


def _heads(part: Parts, call: Any, reads: Tensor, rows: Tensor, active: Tensor | None) -> Tensor:
    return attend(part, reads, call, rows, active)


def _module(module: nn.Module, reads: Tensor, _: Tensor, __: Tensor | None) -> Tensor:
    return first(module(reads))


def _mlp(part: Parts, reads: Tensor, _: Tensor, __: Tensor | None) -> Tensor:
    return first(part.mlp(part.mlp_norm(reads[:, 0])))[:, None]


def _at_once(graph: Graph, pairs: Pairs, width: int) -> int:
    """How many copies of a prompt may be passed together."""
    return max(1, MOST_NUMBERS // (len(graph.senders) * pairs.safe.shape[1] * width))


@checks_arguments
def edge_scores(model: Judge, pairs: Pairs, steps: int = DEFAULTS.edge_steps, chunk: int = 16) -> np.ndarray:
    """Edge attribution patching with integrated gradients, float64 (pairs, edges), edges as in `circuit_graph`.

    Hanna et al. 2024 (arXiv:2403.17806, sec. 3, EAP-IG): what the sender writes for the unsafe prompt, less what it
    writes for the safe one, times the gradient of the logit difference at the receiver's input, averaged over `steps`
    points between the two prompts' embeddings. It estimates by how many logits cutting the edge alone (giving the
    receiver the safe prompt's value) lowers the difference of the unsafe prompt.
    """
    graph = _graph_of(model)
    result = []
    with frozen(model):
        size = max(1, min(chunk, _at_once(graph, pairs, model.backbone.config.hidden_size) // steps))
        for rows in torch.arange(len(pairs)).split(size):
            with torch.no_grad():
                past = _past(model, pairs.take(rows))
            change = past.written - past.counterpart
            share = torch.arange(1, steps + 1, dtype=change.dtype) / steps
            low, high = past.safe.residuals[0], past.unsafe.residuals[0]
            path = low[:, None] + share[:, None, None] * (high - low)[:, None]
            flow = _Whole(path.flatten(0, 1).requires_grad_(), torch.arange(len(rows)).repeat_interleave(steps))
            logits = _forward(model, past, flow)
            slopes = torch.autograd.grad(difference(logits).sum(), flow.inputs)
            slope = torch.cat(slopes, 1).unflatten(0, (len(rows), steps)).mean(1)
            scores = torch.einsum("pstw,prtw->psr", change, slope).double().numpy()
            result.append(scores[:, graph.edges[:, 0], graph.edges[:, 1]])
    return np.concatenate(result)


@checks_arguments
def run_subgraphs(model: Judge, pairs: Pairs, masks: Tensor, chunk: int = 256) -> np.ndarray:
    """The logit difference of every pair's unsafe prompt when only the edges in a mask carry it, (masks, pairs).

    masks: bool (masks, senders, receivers), see `Graph.masks`. All other edges carry what their sender wrote for the
    safe prompt. All edges give the unsafe prompt's difference, none the safe one's.
    """
    result = np.empty((len(masks), len(pairs)))
    chunk = min(chunk, _at_once(_graph_of(model), pairs, model.backbone.config.hidden_size))
    with frozen(model), torch.no_grad():
        size = max(1, min(len(pairs), chunk))
        for rows in torch.arange(len(pairs)).split(size):
            past = _past(model, pairs.take(rows))
            for which in torch.arange(len(masks)).split(max(1, chunk // len(rows))):
                found = difference(_forward(model, past, _Cut(past, masks[which])))
                result[np.ix_(which.numpy(), rows.numpy())] = found.reshape(len(rows), len(which)).T.numpy()
    return result


@checks_arguments
def random_subgraph(graph: Graph, size: int, rng: np.random.Generator) -> np.ndarray:
    """`size` edges drawn as paths from the embedding to the output, so that nearly all can carry something.

    Each path goes on from a sender along one of its edges, all as likely. A harder control than edges drawn singly.
    """
    nodes = len(graph.senders)
    leaving = [np.flatnonzero(graph.edges[:, 0] == sender) for sender in range(nodes)]
    chosen: dict[int, None] = {}
    for _ in range(20 * size):
        path, sender = [], 0
        while True:
            edge = int(rng.choice(leaving[sender]))
            path.append(edge)
            if graph.edges[edge, 1] == nodes - 1:
                break
            sender = int(graph.edges[edge, 1]) + 1
        for edge in path:
            chosen.setdefault(edge)
        if len(chosen) >= size:
            return np.array(list(chosen)[:size])
    rest = np.setdiff1d(np.arange(len(graph.edges)), list(chosen))
    return np.concatenate([list(chosen), rng.choice(rest, size - len(chosen), replace=False)]).astype(int)


@dataclass(frozen=True)
class Faithfulness:
    """How much of the difference between the prompts of held-out pairs subgraphs of growing size carry.

    sizes: numbers of edges. restored, restored_low, restored_high: the share carried by the edges of highest score,
    with a 95 % bootstrap interval over pairs. random: (sizes, draws), the share carried by random subgraphs of the same
    size. p_value: one-sided sign-flip test over pairs that the scored subgraph carries more than the random ones do on
    average, after Holm over sizes. difference, with its interval and its own sign-flip p-value difference_p: the mean
    logit difference between the two prompts. size: edges of the smallest subgraph that counts as a circuit, or None.
    reason: why there is none, or an empty text.
    """

    sizes: np.ndarray
    restored: np.ndarray
    restored_low: np.ndarray
    restored_high: np.ndarray
    random: np.ndarray
    p_value: np.ndarray
    difference: float
    difference_low: float
    difference_high: float
    difference_p: float
    size: int | None
    reason: str


@checks_arguments
def faithfulness(
    model: Judge,
    pairs: Pairs,
    scores: np.ndarray,
    *,
    shares: Sequence[float] = (0.01, 0.03, 0.06, 0.1, 0.2, 0.4),
    draws: int = DEFAULTS.random_subgraphs,
    needed: float = DEFAULTS.faithfulness,
    alpha: float = DEFAULTS.alpha,
    flips: int = 2000,
    seed: int = DEFAULTS.seed,
) -> Faithfulness:
    """Keep the edges of highest |score| and cut the rest, on pairs that did not score them; the same for random ones.

    scores (edges,): the mean of `edge_scores` over other pairs. shares: sizes as shares of all edges. A subgraph counts
    as a circuit if the judge tells these pairs apart in the labelled direction (p <= alpha), it carries at least
    `needed` of the difference, and it carries more than random subgraphs (p <= alpha). Labels drawn at random pass
    these tests in at most a share `alpha` of cases.
    """
    graph = _graph_of(model)
    rng = np.random.default_rng(seed)
    ranked = np.argsort(-np.abs(scores), kind="stable")
    sizes = np.unique(np.maximum(1, np.round(np.array(shares) * len(scores)).astype(int)))
    subgraphs = []
    for size in sizes:
        subgraphs += [ranked[:size], *(random_subgraph(graph, int(size), rng) for _ in range(draws))]
    with frozen(model), torch.no_grad():
        low, high = (difference(model(tokens)).numpy() for tokens in (pairs.safe, pairs.unsafe))
    carried = run_subgraphs(model, pairs, graph.masks(subgraphs)) - low
    carried = carried.reshape(len(sizes), 1 + draws, len(pairs))
    gap = high - low
    weights = bootstrap_weights(len(pairs), 1000, seed)
    signs = rng.choice([-1.0, 1.0], size=(flips, len(pairs)))

    p_value = sign_flip_test(carried[:, 0] - carried[:, 1:].mean(1), "greater", signs=signs)
    corrected = adjust(p_value).p_values
    gap_p = float(sign_flip_test(gap, "greater", signs=signs))
    spread = percentile_interval(weights @ gap)
    told = gap_p <= alpha
    with np.errstate(divide="ignore", invalid="ignore"):
        share = carried.mean(-1) / gap.mean()
        drawn = (carried[:, 0] @ weights.T) / (weights @ gap)
    if not told:
        share, drawn = np.full_like(share, np.nan), np.full_like(drawn, np.nan)
    bounds = percentile_interval(drawn, axis=1)
    passed = told & (share[:, 0] >= needed) & (corrected <= alpha)
    size = int(sizes[np.flatnonzero(passed)[0]]) if passed.any() else None
    reason = ""
    if not told:
        reason = "the judge does not tell these pairs apart in the direction of their labels"
    elif size is None and not (share[:, 0] >= needed).any():
        reason = f"no subgraph looked at carries {needed:.0%} of the difference"
    elif size is None:
        reason = "no subgraph carries more than random ones of its size"
    return Faithfulness(
        sizes, share[:, 0], bounds[0], bounds[1], share[:, 1:], corrected,
        float(gap.mean()), float(spread[0]), float(spread[1]), gap_p, size, reason,
    )  # fmt: skip
