"""Which tokens of a prompt the judgement rests on: Integrated Gradients, occlusion, and deletion as the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.judge.network import difference, frozen, lengths, rows_with_gradient
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge


@dataclass(frozen=True)
class TokenAttribution:
    """What each token adds to the logit difference, unsafe minus safe.

    values: float64 (prompts, length), 0 at padding. score, baseline_score: the difference for the prompt, and its mean
    over the baselines, (prompts,). delta: (prompts,), sum of the values minus (score - baseline_score), the error of
    the sum. steps: most points of the integral from one baseline, (prompts,). converged: bool (prompts,), whether the
    error is within the tolerance.
    """

    values: np.ndarray
    score: np.ndarray
    baseline_score: np.ndarray
    delta: np.ndarray
    steps: np.ndarray
    converged: np.ndarray


TOLERANCE = 0.05
"""Largest error of a sum of attributions, as a share of what they should add up to, or in logits if that is more."""

MOST_STEPS = 1024


def mean_embedding(model: Judge, tokens: Tensor) -> Tensor:
    """The mean embedding of all real tokens of these prompts, (width,)."""
    with torch.no_grad():
        return model.embedding(tokens[tokens != PAD]).mean(0)


def reference_prompts(
    model: Judge, tokens: Tensor, labels: np.ndarray, count: int, seed: int = DEFAULTS.seed
) -> Tensor:
    """Embeddings to compare prompts with, (count, length, width): those of as many safe as unsafe prompts.

    Their average is a baseline that a judge calls neither safe nor unsafe, whatever it has learned, and each of them
    is one that it knows, as an average token or zeros are not (expected gradients: Erion et al. 2021,
    arXiv:1906.10670, sec. 3). Prompts are drawn by `seed` among the longer half, and repeated up to `length`, that of
    the longest.
    """
    rng = np.random.default_rng(seed)
    size = lengths(tokens).cpu().numpy()
    chosen: list[int] = []
    for label in (0, 1):
        members = np.flatnonzero(np.asarray(labels) == label)
        longer = members[size[members] >= np.median(size[members])]
        chosen += rng.permutation(longer)[: max(1, count // 2)].tolist()
    longest = tokens.shape[1]
    rows = [
        tokens[row, :count_of].repeat(-(-longest // count_of))[:longest] for row, count_of in zip(chosen, size[chosen])
    ]
    with torch.no_grad():
        return model.embedding(torch.stack(rows)).detach()


def _embedded(
    model: Judge, tokens: Tensor, baseline: Tensor | int, keep: Tensor | None
) -> tuple[Tensor, list[Tensor], Tensor]:
    """Embeddings of the prompts, the baselines that they start from, each of the same shape, and the mask."""
    mask = tokens != PAD
    embeddings = model.embedding(tokens.clamp_min(0)).detach()
    if isinstance(baseline, int):
        given: Tensor = model.embedding(torch.tensor(baseline, device=tokens.device)).detach()
    else:
        given = baseline
    if given.shape[-1] != embeddings.shape[-1] or given.ndim == 2:
        raise OntogenyError(
            f"a baseline of shape {tuple(given.shape)}: give a token, an embedding of width {embeddings.shape[-1]}, "
            "or several baselines (count, length, width)"
        )
    several = given[None] if given.ndim == 1 else given
    if several.ndim == 3 and several.shape[1] < embeddings.shape[1]:
        raise OntogenyError(
            f"baselines of {several.shape[1]} tokens for prompts of {embeddings.shape[1]}: give longer ones"
        )
    starts = []
    for one in several:
        whole = one if one.ndim == 1 else one[: embeddings.shape[1]]
        start = whole.to(embeddings.dtype).expand_as(embeddings)
        starts.append((start if keep is None else torch.where(keep[..., None], embeddings, start)).contiguous())
    return embeddings, starts, mask


def attribute_tokens(
    model: Judge,
    tokens: Tensor,
    baseline: Tensor | int,
    *,
    keep: Tensor | None = None,
    steps: int = DEFAULTS.integration_steps,
    tolerance: float | None = None,
) -> TokenAttribution:
    """Signed Integrated Gradients of the logit difference at the embeddings, summed over their width.

    Sundararajan et al. 2017, arXiv:1703.01365, eq. 1, by captum, with Gauss-Legendre nodes; at the embeddings this is
    captum's LayerIntegratedGradients. tokens: (prompts, length), padded with -1. baseline: a token, or an embedding
    (width,), put in the place of every token but those where `keep` (prompts, length) is true, such as the marks that
    the tokenizer sets at the ends; or several, (count, length, width), over which attributions are averaged, as
    `reference_prompts` gives them. steps: nodes of the integral from each baseline.
    tolerance: where the sum of a prompt is off by more than this share of the change, and by more than `TOLERANCE`
    logits, steps are doubled from the baselines that are to blame, up to `MOST_STEPS`; prompts that are still off are
    not `converged`.
    """
    from captum.attr import IntegratedGradients

    lengths(tokens)
    with frozen(model):
        embeddings, starts, mask = _embedded(model, tokens, baseline, keep)

        def score(values: Tensor, real: Tensor) -> Tensor:
            return difference(model.forward_embedded(values, real))

        integrated = IntegratedGradients(score)
        prompts, count = len(tokens), len(starts)
        row, which = torch.arange(prompts).repeat(count), torch.arange(count).repeat_interleave(prompts)
        with torch.no_grad():
            here = score(embeddings, mask)
            there = torch.stack([score(start, mask) for start in starts])

        at_once = rows_with_gradient(model, tokens.shape[1])

        def along(paths: Tensor, nodes: int) -> Tensor:
            """Attributions by token of these paths from a baseline to a prompt, (paths, length)."""
            if len(paths) > at_once:
                return torch.cat([along(some, nodes) for some in paths.split(at_once)])
            rows = row[paths]
            found: Tensor = integrated.attribute(
                embeddings[rows],
                torch.stack([starts[int(which[path])][int(row[path])] for path in paths]),
                additional_forward_args=(mask[rows],),
                n_steps=nodes,
                method="gausslegendre",
                internal_batch_size=at_once,
            )
            return found.double().sum(-1) * mask[rows]

        by_path = torch.zeros(count * prompts, tokens.shape[1], dtype=torch.float64)
        used = torch.full((count * prompts,), steps)
        change = here - there.mean(0)
        allowed = (change.abs() * (tolerance or 0.0)).clamp_min(TOLERANCE if tolerance is not None else 0.0)
        paths, nodes = torch.arange(count * prompts), steps
        while True:
            by_path[paths], used[paths] = along(paths, nodes), nodes
            error = by_path.sum(1) - (here[row] - there.flatten())
            rough = (error.unflatten(0, (count, prompts)).mean(0).abs() > allowed)[row] & (error.abs() > allowed[row])
            paths, nodes = torch.nonzero(rough)[:, 0], 2 * nodes
            if tolerance is None or not len(paths) or nodes > MOST_STEPS:
                break
    values = by_path.unflatten(0, (count, prompts)).mean(0)
    error = values.sum(1) - change
    there = there.mean(0)
    used = used.unflatten(0, (count, prompts)).amax(0)
    return TokenAttribution(
        values.numpy(), here.numpy(), there.numpy(), error.numpy(), used.numpy(),
        (error.abs() <= (allowed if tolerance is not None else torch.inf)).numpy(),
    )  # fmt: skip


def occlude_tokens(
    model: Judge, tokens: Tensor, baseline: Tensor | int, *, keep: Tensor | None = None, chunk: int = 512
) -> np.ndarray:
    """The logit difference lost when one token at a time is replaced by the baseline, float64 (prompts, length).

    Positive: the token speaks for unsafe. 0 at padding. Arguments as for `attribute_tokens`; over several baselines,
    the mean.
    """
    counts = lengths(tokens)
    with frozen(model), torch.no_grad():
        embeddings, starts, mask = _embedded(model, tokens, baseline, keep)
        whole = difference(model.forward_embedded(embeddings, mask))
        row, place = torch.nonzero(mask, as_tuple=True)
        result = torch.zeros(tokens.shape, dtype=torch.float64)
        for start in starts:
            for rows, places in zip(row.split(chunk), place.split(chunk)):
                changed = embeddings[rows].clone()
                each = torch.arange(len(rows))
                changed[each, places] = start[rows, places]
                wide = int(counts[rows].max())
                without = difference(model.forward_embedded(changed[:, :wide], mask[rows, :wide]))
                result[rows, places] += (whole[rows] - without) / len(starts)
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
    model: Judge,
    tokens: Tensor,
    values: np.ndarray,
    *,
    keep: Tensor | None = None,
    orders: int = 10,
    points: int = 12,
    seed: int = DEFAULTS.seed,
) -> list[DeletionCurve]:
    """Take tokens out of each prompt in the order of `values` (prompts, length), and in random orders.

    The tokens are removed, and those that remain move together; those where `keep` is true, and the one at which the
    judge reads, stay. `points` is the largest number of points of a curve. One curve per prompt.
    """
    counts = lengths(tokens).tolist()
    rng = np.random.default_rng(seed)
    texts: list[Tensor] = []
    plans = []
    with frozen(model), torch.no_grad():
        signs = np.sign(difference(model(tokens)).numpy())
        for row, count in enumerate(counts):
            stays = np.zeros(count, dtype=bool) if keep is None else keep[row, :count].numpy().copy()
            stays[int(model.place(tokens[row : row + 1] != PAD))] = True
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


def batched(model: Judge, texts: list[Tensor], chunk: int = 256) -> Tensor:
    """Logits (prompts, 2) of token rows of any lengths; rows of like length are passed together."""
    size = np.array([len(text) for text in texts])
    order = np.argsort(size, kind="stable")
    found = []
    for begin in range(0, len(order), chunk):
        rows = order[begin : begin + chunk]
        padded = nn.utils.rnn.pad_sequence([texts[row] for row in rows], batch_first=True, padding_value=PAD)
        found.append(model(padded))
    return torch.cat(found)[torch.from_numpy(np.argsort(order))]
