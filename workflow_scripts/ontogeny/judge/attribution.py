"""Which tokens of a prompt the judgement rests on: Integrated Gradients, occlusion, and deletion as the test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.network import difference, frozen, lengths, rows_with_gradient
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge
from ontogeny.words import counted


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


TOLERANCE = 0.01
"""Largest error of a sum of attributions, as a share of what they should add up to, or in logits if that is more."""

MOST_STEPS = 1024

AT_ONCE = 128
"""Points passed through a judge together: more do not fit into the caches of processors."""


@checks_arguments
def mean_embedding(model: Judge, tokens: Tensor) -> Tensor:
    """The mean embedding of all real tokens of these prompts, (width,)."""
    with torch.no_grad():
        return model.embedding(tokens[tokens != PAD]).mean(0)


@checks_arguments
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
            f"baselines of {counted(several.shape[1], 'token')} for prompts of {embeddings.shape[1]}: give longer ones"
        )
    starts = []
    for one in several:
        whole = one if one.ndim == 1 else one[: embeddings.shape[1]]
        start = whole.to(embeddings.dtype).expand_as(embeddings)
        starts.append((start if keep is None else torch.where(keep[..., None], embeddings, start)).contiguous())
    return embeddings, starts, mask


@checks_arguments
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

    Sundararajan et al. 2017, arXiv:1703.01365, eq. 1, with Gauss-Legendre nodes; at the embeddings this is captum's
    LayerIntegratedGradients. tokens: (prompts, length), padded with -1. baseline: a token, or an embedding
    (width,), put in place of every token but those where `keep` (prompts, length) is true, such as the marks that
    the tokenizer sets at the ends; or several, (count, length, width), over which attributions are averaged, as
    `reference_prompts` gives them. steps: nodes of the integral from each baseline.
    tolerance: where the sum of a prompt is off by more than this share of the change, and by more than `TOLERANCE`
    logits, the pieces of the integral that are to blame are halved, each half with `steps` nodes, up to `MOST_STEPS`
    from one baseline; prompts that are still off are not `converged`. What a piece should add up to is known: the
    change of the logit difference from its one end to the other.
    """
    sizes = lengths(tokens)
    with frozen(model):
        embeddings, starts, mask = _embedded(model, tokens, baseline, keep)
        prompts, count = len(tokens), len(starts)
        with torch.no_grad():
            here = difference(model.forward_embedded(embeddings, mask))
            there = torch.stack([difference(model.forward_embedded(start, mask)) for start in starts])
        row, change = torch.arange(prompts).repeat(count), here - there.mean(0)
        allowed = (change.abs() * (tolerance or 0.0)).clamp_min(TOLERANCE if tolerance is not None else 0.0)
        line = _Line(model, embeddings, torch.cat(starts), mask, sizes, row)
        path, low, high = torch.arange(count * prompts), torch.zeros(count * prompts), torch.ones(count * prompts)
        at_low, at_high = there.flatten(), here[row]
        values = line.integrals(path, low, high, steps)
        used = torch.full((count * prompts,), steps)
        while tolerance is not None:
            error = (values.sum(1) - (at_high - at_low)).abs()
            off = torch.zeros(count * prompts, dtype=error.dtype).index_add_(0, path, error)
            largest = torch.zeros_like(off).scatter_reduce_(0, path, error, "amax")
            rough = (off > allowed[row])[path] & ((error > allowed[row][path] / 4) | (error == largest[path]))
            more = torch.bincount(path[rough], minlength=count * prompts) * 2 * steps
            rough &= (used + more <= MOST_STEPS)[path]
            if not bool(rough.any()):
                break
            used += torch.bincount(path[rough], minlength=count * prompts) * 2 * steps
            middle = (low + high)[rough] / 2
            at_middle = line.score(path[rough], middle)
            of_halves = (path[rough].repeat(2), torch.cat([low[rough], middle]), torch.cat([middle, high[rough]]))
            halves = (
                line.integrals(*of_halves, steps),
                torch.cat([at_low[rough], at_middle]),
                torch.cat([at_middle, at_high[rough]]),
            )
            path, low, high, values, at_low, at_high = (
                torch.cat([old[~rough], new])
                for old, new in zip((path, low, high, values, at_low, at_high), (*of_halves, *halves))
            )
    by_path = torch.zeros(count * prompts, tokens.shape[1], dtype=torch.float64).index_add_(0, path, values)
    by_prompt = by_path.unflatten(0, (count, prompts)).mean(0)
    error = by_prompt.sum(1) - change
    used = used.unflatten(0, (count, prompts)).amax(0)
    return TokenAttribution(
        by_prompt.numpy(), here.numpy(), there.mean(0).numpy(), error.numpy(), used.numpy(),
        (error.abs() <= (allowed if tolerance is not None else torch.inf)).numpy(),
    )  # fmt: skip


@dataclass(frozen=True)
class _Line:
    """The straight lines from baselines to prompts, on which a judge is asked for its score and its gradient.

    embeddings, mask, sizes: of the prompts. starts: where each path starts, (paths, length, width). row: the prompt
    that each path ends at, (paths,).
    """

    model: Judge
    embeddings: Tensor
    starts: Tensor
    mask: Tensor
    sizes: Tensor
    row: Tensor

    def integrals(self, path: Tensor, low: Tensor, high: Tensor, steps: int) -> Tensor:
        """Attributions by token of each piece from `low` to `high` of its path, float64 (pieces, length)."""
        nodes, weights = (torch.from_numpy(each).float() / 2 for each in np.polynomial.legendre.leggauss(steps))
        width, middle = high - low, (low + high) / 2
        piece = torch.arange(len(path)).repeat_interleave(steps)
        where = (middle[:, None] + width[:, None] * nodes).flatten()
        weight = (width[:, None] * weights).flatten()
        result = torch.zeros(len(path), self.mask.shape[1], dtype=torch.float64)
        for some in self._alike(path[piece], rows_with_gradient(self.model, self.mask.shape[1])):
            inputs, mask, along = self._inputs(path[piece[some]], where[some])
            inputs.requires_grad_(True)
            (gradient,) = torch.autograd.grad(difference(self.model.forward_embedded(inputs, mask)).sum(), inputs)
            found = (gradient * along).sum(-1).double() * mask * weight[some, None]
            result[:, : mask.shape[1]].index_add_(0, piece[some], found)
        return result

    def score(self, path: Tensor, where: Tensor) -> Tensor:
        """The logit difference at a point of each path, float64 (points,)."""
        result = torch.zeros(len(path), dtype=torch.float64)
        with torch.no_grad():
            for some in self._alike(path, AT_ONCE):
                inputs, mask, _ = self._inputs(path[some], where[some])
                result[some] = difference(self.model.forward_embedded(inputs, mask))
        return result

    def _alike(self, path: Tensor, most: int) -> tuple[Tensor, ...]:
        """The points on these paths in groups of at most `most`, prompts of a length together."""
        return self.sizes[self.row[path]].argsort(stable=True).split(min(most, AT_ONCE))

    def _inputs(self, path: Tensor, where: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings at a point of each path, their mask, and the whole way of the path."""
        row = self.row[path]
        wide = int(self.sizes[row].max())
        start = self.starts[path, :wide]
        along = self.embeddings[row, :wide] - start
        return (start + where[:, None, None] * along).to(start.dtype), self.mask[row, :wide], along


@checks_arguments
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


@checks_arguments
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
