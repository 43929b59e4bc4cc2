"""The circuit behind a judgement: edges between heads and MLPs, scored, and kept or cut to see whether it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ontogeny.errors import OntogenyError
from ontogeny.judge.network import (
    Parts,
    Run,
    attend,
    attention_calls,
    difference,
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


@dataclass(frozen=True)
class Graph:
    """Nodes and edges of a decoder: what writes into the residual stream, and what reads from it.

    Senders are the embedding and, layer by layer, every head and the MLP; receivers are the same but for the embedding,
    with the output at the end. An edge goes from a sender to every receiver that reads after it has written. Names
    are `embedding`, `2.h1` (layer 2, head 1; both from 1), `2.mlp`, `output`. edges: (edges, 2), indices of sender and
    receiver.
    """

    layers: int
    heads: int
    edges: np.ndarray

    @property
    def senders(self) -> list[str]:
        return ["embedding", *_names(self.layers, self.heads)]

    @property
    def receivers(self) -> list[str]:
        return [*_names(self.layers, self.heads), "output"]

    def masks(self, subgraphs: Sequence[Any]) -> Tensor:
        """Subgraphs given as lists of edge indices, as bool (subgraphs, senders, receivers)."""
        nodes = 1 + self.layers * (self.heads + 1)
        result = torch.zeros(len(subgraphs), nodes, nodes, dtype=torch.bool)
        for row, chosen in enumerate(subgraphs):
            edges = self.edges[np.asarray(chosen, dtype=int)]
            result[row, edges[:, 0], edges[:, 1]] = True
        return result


def _names(layers: int, heads: int) -> list[str]:
    parts = [*(f"h{head}" for head in range(1, heads + 1)), "mlp"]
    return [f"{layer}.{part}" for layer in range(1, layers + 1) for part in parts]


def _graph_of(model: Judge) -> Graph:
    graph = circuit_graph(model)
    if graph is None:
        raise OntogenyError(_no_edges(model))
    return graph


def _no_edges(model: Judge) -> str:
    return (
        f"{type(model.backbone).__name__} does not add heads and MLPs into one residual stream, so that it has no "
        "edges to patch: use a decoder such as Llama or GPT-2"
    )


def circuit_graph(model: Judge) -> Graph | None:
    """The graph of a judge, or None where its blocks do not add into one residual stream (encoders such as BERT)."""
    parts = parts_of(model)
    if parts is None:
        return None
    layers, heads = len(parts), len(parts[0].write)
    wide = heads + 1
    edges = []
    for receiver in range(layers * wide + 1):
        layer, place = divmod(receiver, wide)
        readable = 1 + layer * wide + (heads if place == heads and layer < layers else 0)
        edges += [(sender, receiver) for sender in range(readable)]
    return Graph(layers, heads, np.array(edges))


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


def _keep_output(kept: list[Tensor]) -> Any:
    return lambda _, __, output: kept.append(output)


def _past(model: Judge, pairs: Pairs) -> _Past:
    parts = parts_of(model)
    if parts is None:
        raise OntogenyError(_no_edges(model))
    runs, calls, written = [], [], []
    for tokens in (pairs.unsafe, pairs.safe):
        handles, seen = attention_calls(parts)
        outputs: list[Tensor] = []
        heads: list[Tensor] = []
        handles += [part.projection.register_forward_pre_hook(_keep_input(heads)) for part in parts]
        handles += [part.mlp.register_forward_hook(_keep_output(outputs)) for part in parts]
        with hooked(*handles):
            runs.append(run(model, tokens))
        calls.append(seen)
        nodes = [runs[-1].residuals[0][:, None]]
        for part, mixed, output in zip(parts, heads, outputs):
            split = mixed.unflatten(-1, (len(part.write), -1))
            nodes += [torch.einsum("bthd,hdw->bhtw", split, part.write.to(split.dtype)), output[:, None]]
        written.append(torch.cat(nodes, 1))
    return _Past(parts, runs[0], runs[1], calls[0], *written)


def _forward(
    model: Judge, past: _Past, embedding: Tensor, times: int, masks: Tensor | None
) -> tuple[Tensor, list[Tensor]]:
    """Logits, and the inputs of all receivers of every layer, when every receiver reads a stream of its own.

    embedding: (times x pairs, length, width), the copies of a pair following each other. masks (times, senders,
    receivers): an edge that is not in it carries what the sender wrote in the safe run; None keeps all.
    """
    heads = len(past.parts[0].write)
    length = embedding.shape[1]
    batch = len(embedding)
    nodes = 1 + len(past.parts) * (heads + 1)
    cut = masks is not None
    total = base = change = weight = background = embedding
    if masks is not None:
        base = past.counterpart.repeat_interleave(times, 0)
        change = embedding.new_zeros(batch, nodes, length, embedding.shape[-1])
        change[:, 0] = embedding - base[:, 0]
        weight = masks.to(embedding.dtype).repeat(len(past.safe.last), 1, 1)
        background = base[:, 0]
    inputs = []

    def stream(receivers: slice, readable: int) -> Tensor:
        """(batch, receivers, length, width)"""
        count = receivers.stop - receivers.start
        if not cut:
            return total[:, None].expand(-1, count, -1, -1)
        mixed = torch.bmm(weight[:, :readable, receivers].transpose(1, 2), change[:, :readable].flatten(2)).unflatten(
            2, change.shape[2:]
        )
        return background[:, None] + mixed

    for layer, (part, call) in enumerate(zip(past.parts, past.calls)):
        at = layer * (heads + 1)
        own = stream(slice(at, at + heads), 1 + at)
        if not cut:
            own = own.contiguous()
            inputs.append(own)
        wrote = attend(part, own, call, times)
        bias = 0 if part.bias is None else part.bias
        if cut:
            change[:, 1 + at : 1 + at + heads] = wrote - base[:, 1 + at : 1 + at + heads]
            background = background + base[:, 1 + at : 1 + at + heads].sum(1) + bias
        else:
            total = total + wrote.sum(1) + bias
        mlp_input = stream(slice(at + heads, at + heads + 1), 1 + at + heads)
        if not cut:
            mlp_input = mlp_input.contiguous()
            inputs.append(mlp_input)
        wrote = part.mlp(part.mlp_norm(mlp_input[:, 0]))
        if cut:
            change[:, 1 + at + heads] = wrote - base[:, 1 + at + heads]
            background = background + base[:, 1 + at + heads]
        else:
            total = total + wrote
    final = stream(slice(nodes - 1, nodes), nodes)
    if not cut:
        final = final.contiguous()
        inputs.append(final)
    return readout(model, final[:, 0], past.safe.last.repeat_interleave(times)), inputs


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
        for rows in torch.arange(len(pairs)).split(chunk):
            with torch.no_grad():
                past = _past(model, pairs.take(rows))
            change = past.written - past.counterpart
            share = torch.arange(1, steps + 1, dtype=change.dtype) / steps
            low, high = past.safe.residuals[0], past.unsafe.residuals[0]
            path = low[:, None] + share[:, None, None] * (high - low)[:, None]
            logits, inputs = _forward(model, past, path.flatten(0, 1).requires_grad_(), steps, None)
            slopes = torch.autograd.grad(difference(logits).sum(), inputs)
            slope = torch.cat(slopes, 1).unflatten(0, (len(rows), steps)).mean(1)
            scores = torch.einsum("pstw,prtw->psr", change, slope).double().numpy()
            result.append(scores[:, graph.edges[:, 0], graph.edges[:, 1]])
    return np.concatenate(result)


def run_subgraphs(model: Judge, pairs: Pairs, masks: Tensor, chunk: int = 256) -> np.ndarray:
    """The logit difference of every pair's unsafe prompt when only the edges in a mask carry it, (masks, pairs).

    masks: bool (masks, senders, receivers), see `Graph.masks`. All other edges carry what their sender wrote for the
    safe prompt. All edges give the unsafe prompt's difference, none the safe one's.
    """
    result = np.empty((len(masks), len(pairs)))
    with frozen(model), torch.no_grad():
        size = max(1, min(len(pairs), chunk))
        for rows in torch.arange(len(pairs)).split(size):
            past = _past(model, pairs.take(rows))
            for which in torch.arange(len(masks)).split(max(1, chunk // len(rows))):
                copies = past.unsafe.residuals[0].repeat_interleave(len(which), 0)
                logits, _ = _forward(model, past, copies, len(which), masks[which])
                found = difference(logits).reshape(len(rows), len(which)).T.numpy()
                result[np.ix_(which.numpy(), rows.numpy())] = found
    return result


def random_subgraph(graph: Graph, size: int, rng: np.random.Generator) -> np.ndarray:
    """`size` edges drawn as paths from the embedding to the output, so that nearly all can carry something.

    Each path goes on from a sender along one of its edges, all as likely. A harder control than edges drawn singly.
    """
    wide = graph.heads + 1
    leaving = [np.flatnonzero(graph.edges[:, 0] == sender) for sender in range(1 + graph.layers * wide)]
    chosen: dict[int, None] = {}
    for _ in range(20 * size):
        path, sender = [], 0
        while True:
            edge = int(rng.choice(leaving[sender]))
            path.append(edge)
            if graph.edges[edge, 1] == graph.layers * wide:
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
