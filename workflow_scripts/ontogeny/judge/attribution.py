"""Which tokens of a prompt the judgement rests on: Integrated Gradients, occlusion, and deletion as the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.judge.network import PAD, difference, frozen, lengths
from ontogeny.judge.settings import DEFAULTS


@dataclass(frozen=True)
class TokenAttribution:
    """What each token adds to the logit difference, unsafe minus safe.

    values: float64 (prompts, length), 0 at padding. score, baseline_score: the difference for the prompt and for the
    baseline, (prompts,). delta: (prompts,), sum of the values minus (score - baseline_score), the error of the sum.
    """

    values: np.ndarray
    score: np.ndarray
    baseline_score: np.ndarray
    delta: np.ndarray


def mean_embedding(model: nn.Module, tokens: Tensor) -> Tensor:
    """The mean embedding of all real tokens of these prompts, (width,): an average token, the usual baseline here.

    A baseline of zeros is of no use where blocks normalise their input: all that happens near zero happens at once.
    """
    with torch.no_grad():
        return model.embedding(tokens[tokens != PAD]).mean(0)


def _embedded(
    model: nn.Module, tokens: Tensor, baseline: Tensor | int, keep: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    mask = tokens != PAD
    embeddings = model.embedding(tokens.clamp_min(0)).detach()
    if isinstance(baseline, int):
        baseline = model.embedding(torch.tensor(baseline, device=tokens.device)).detach()
    if baseline.shape[-1] != embeddings.shape[-1]:
        raise OntogenyError(
            f"a baseline of shape {tuple(baseline.shape)}: a token or an embedding of width "
            f"{embeddings.shape[-1]} is wanted"
        )
    start = baseline.to(embeddings.dtype).expand_as(embeddings)
    return embeddings, start if keep is None else torch.where(keep[..., None], embeddings, start), mask


def attribute_tokens(
    model: nn.Module,
    tokens: Tensor,
    baseline: Tensor | int,
    *,
    keep: Tensor | None = None,
    steps: int = DEFAULTS.integration_steps,
    tolerance: float | None = None,
    chunk: int = 512,
) -> TokenAttribution:
    """Signed Integrated Gradients of the logit difference at the embeddings, summed over their width.

    Sundararajan et al. 2017, arXiv:1703.01365, eq. 1, by captum, with Gauss-Legendre nodes; at the embeddings this is
    captum's LayerIntegratedGradients. tokens: (prompts, length), padded with -1. baseline: a token, or an embedding
    (width,), put in the place of every token but those where `keep` (prompts, length) is true, such as the marks that
    the tokenizer sets at the ends. steps: nodes of the integral; see `delta`.
    tolerance: prompts whose delta exceeds this share of the change are integrated again, with 8 times the steps.
    """
    from captum.attr import IntegratedGradients

    lengths(tokens)
    with frozen(model):
        embeddings, start, mask = _embedded(model, tokens, baseline, keep)

        def score(values: Tensor, real: Tensor) -> Tensor:
            return difference(model.forward_embedded(values, real))

        values = IntegratedGradients(score).attribute(
            embeddings,
            start.contiguous(),
            additional_forward_args=(mask,),
            n_steps=steps,
            method="gausslegendre",
            internal_batch_size=max(chunk, len(tokens)),
        )
        by_token = values.double().sum(-1) * mask
        with torch.no_grad():
            here, there = score(embeddings, mask), score(start.contiguous(), mask)
    error = by_token.sum(1) - (here - there)
    result = TokenAttribution(by_token.numpy(), here.numpy(), there.numpy(), error.numpy())
    rough = np.flatnonzero(np.abs(result.delta) > np.abs(result.score - result.baseline_score) * (tolerance or np.inf))
    if len(rough):
        chosen = None if keep is None else keep[rough]
        finer = attribute_tokens(model, tokens[rough], baseline, keep=chosen, steps=8 * steps, chunk=chunk)
        result.values[rough], result.delta[rough] = finer.values, finer.delta
    return result


def occlude_tokens(
    model: nn.Module, tokens: Tensor, baseline: Tensor | int, *, keep: Tensor | None = None, chunk: int = 512
) -> np.ndarray:
    """The logit difference lost when one token at a time is replaced by the baseline, float64 (prompts, length).

    Positive: the token speaks for unsafe. 0 at padding. Arguments as for `attribute_tokens`.
    """
    counts = lengths(tokens)
    with frozen(model), torch.no_grad():
        embeddings, start, mask = _embedded(model, tokens, baseline, keep)
        whole = difference(model.forward_embedded(embeddings, mask))
        row, place = torch.nonzero(mask, as_tuple=True)
        result = torch.zeros(tokens.shape, dtype=torch.float64)
        for rows, places in zip(row.split(chunk), place.split(chunk)):
            changed = embeddings[rows].clone()
            each = torch.arange(len(rows))
            changed[each, places] = start[rows, places]
            wide = int(counts[rows].max())
            without = difference(model.forward_embedded(changed[:, :wide], mask[rows, :wide]))
            result[rows, places] = whole[rows] - without
    return result.numpy()


@dataclass(frozen=True)
class DeletionCurve:
    """The logit difference towards the predicted class as tokens are taken out of the prompt.

    removed: numbers of tokens taken out. by_attribution: (points,), those that support the judgement most first.
    by_chance: (orders, points). gap: the mean of by_chance minus by_attribution, over all points, with the interval
    gap_low, gap_high of the mean over random orders (normal approximation). Above 0, the attribution found tokens that
    matter more than others do.
    """

    removed: np.ndarray
    by_attribution: np.ndarray
    by_chance: np.ndarray
    gap: float
    gap_low: float
    gap_high: float


def deletion_curve(
    model: nn.Module,
    tokens: Tensor,
    values: np.ndarray,
    *,
    keep: Tensor | None = None,
    orders: int = 10,
    points: int = 12,
    seed: int = DEFAULTS.seed,
) -> list[DeletionCurve]:
    """Take tokens out of each prompt in the order of `values` (prompts, length), and in random orders.

    The tokens are removed, and those that remain move together; those where `keep` is true, and the last one, at which
    the judge reads, stay. `points` is the largest number of points of a curve. One curve a prompt.
    """
    counts = lengths(tokens).tolist()
    rng = np.random.default_rng(seed)
    texts: list[Tensor] = []
    plans = []
    with frozen(model), torch.no_grad():
        signs = np.sign(difference(model(tokens)).numpy())
        for row, count in enumerate(counts):
            stays = np.zeros(count, dtype=bool) if keep is None else keep[row, :count].numpy().copy()
            stays[-1] = True
            free = np.flatnonzero(~stays)
            removed = np.unique(np.linspace(0, len(free), min(points, len(free) + 1)).round().astype(int))
            ranked = free[np.argsort(-(signs[row] or 1.0) * values[row, free], kind="stable")]
            plans.append((removed, len(texts)))
            for order in (ranked, *(rng.permutation(free) for _ in range(orders))):
                texts += [tokens[row, np.setdiff1d(np.arange(count), order[:gone])] for gone in removed]
        scores = difference(batched(model, texts)).numpy()
    curves = []
    for row, (removed, begin) in enumerate(plans):
        block = (signs[row] or 1.0) * scores[begin : begin + (1 + orders) * len(removed)].reshape(1 + orders, -1)
        gaps = (block[1:] - block[0]).mean(1)
        error = 1.96 * gaps.std(ddof=1) / np.sqrt(orders) if orders > 1 else np.nan
        gap = float(gaps.mean())
        curves.append(DeletionCurve(removed, block[0], block[1:], gap, gap - error, gap + error))
    return curves


def batched(model: nn.Module, texts: list[Tensor], chunk: int = 256) -> Tensor:
    """Logits (prompts, 2) of token rows of any lengths; rows of like length are passed together."""
    size = np.array([len(text) for text in texts])
    order = np.argsort(size, kind="stable")
    result: Tensor | None = None
    for begin in range(0, len(order), chunk):
        rows = order[begin : begin + chunk]
        padded = nn.utils.rnn.pad_sequence([texts[row] for row in rows], batch_first=True, padding_value=PAD)
        logits = model(padded)
        if result is None:
            result = logits.new_empty(len(texts), logits.shape[1])
        result[torch.from_numpy(rows)] = logits
    return result
