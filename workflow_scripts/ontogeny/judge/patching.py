"""Where a judgement is made: activation patching by layer and position on matched pairs, and where they part."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ontogeny.arguments import checks_arguments
from ontogeny.judge.network import difference, frozen, run, run_on
from ontogeny.judge.pairs import ROLES, Pairs
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge
from ontogeny.statistics import bootstrap_mean, bootstrap_weights, percentile_interval


@dataclass(frozen=True)
class Patching:
    """What patching every layer and position does, and how far the pairs are apart there.

    difference: float64 (pairs,), the logit difference of the unsafe prompt minus that of the safe one. restored:
    (layers + 1, roles, pairs), the part of it, in logits, that comes back when the unsafe prompt's residual stream is
    put into the safe prompt's run there; NaN where a pair has no such position. distance: the same shape, the distance
    of the two residual streams there, over the mean of their norms.
    """

    difference: np.ndarray
    restored: np.ndarray
    distance: np.ndarray


@checks_arguments
def patch_pairs(model: Judge, pairs: Pairs, chunk: int = 512) -> Patching:
    """Patch the residual stream of each unsafe prompt into its safe twin's run, one layer and role at a time.

    Activation patching as in Meng et al. 2022 (arXiv:2202.05262, sec. 2) and Zhang and Nanda 2024 (arXiv:2309.16042),
    from the unsafe prompt into the safe one. Layer 0 is the embedding, layer l the stream after block l. Roles are
    those of `ROLES`.
    """
    roles = pairs.role(model.place(pairs.unsafe != PAD))
    layers = len(model.blocks) + 1
    count = len(pairs)
    restored = np.full((layers, len(ROLES), count), np.nan)
    distance = np.full_like(restored, np.nan)
    gap = np.empty(count)
    size = max(1, chunk // len(ROLES))
    with frozen(model), torch.no_grad():
        for rows in torch.arange(count).split(size):
            part = pairs.take(rows)
            role = roles[rows, : part.safe.shape[1]]
            unsafe, safe = run(model, part.unsafe), run(model, part.safe)
            low = difference(safe.logits)
            gap[rows] = (difference(unsafe.logits) - low).numpy()
            where = role[:, None] == torch.arange(len(ROLES))[None, :, None]
            row, which = torch.nonzero(where.any(-1), as_tuple=True)
            for layer in range(layers):
                mine, other = safe.residuals[layer], unsafe.residuals[layer]
                apart = (other - mine).double().norm(dim=-1)
                scale = (other.double().norm(dim=-1) + mine.double().norm(dim=-1)) / 2
                relative = apart / scale.clamp_min(1e-300)
                total = torch.einsum("prt,pt->pr", where.double(), relative) / where.sum(-1)
                distance[layer][:, rows] = total.T.numpy()
                hidden = torch.where(where[..., None], other[:, None], mine[:, None]).flatten(0, 1)
                patched = difference(run_on(model, safe, layer, hidden)).reshape(len(rows), -1)
                change = (patched - low[:, None]).numpy()
                restored[layer][which.numpy(), rows[row].numpy()] = change[row.numpy(), which.numpy()]
    return Patching(gap, restored, distance)


@checks_arguments
def share_restored(
    patching: Patching, n_resamples: int = 1000, seed: int = DEFAULTS.seed
) -> dict[str, np.ndarray | float]:
    """Patching over all pairs: the share of the logit difference that comes back, with 95 % bootstrap intervals.

    Keys: restored, restored_low, restored_high, each (layers + 1, roles), mean of what comes back over the mean
    difference of the pairs that have the position; distance, distance_low, distance_high; difference, difference_low,
    difference_high, the mean over pairs. Where the interval of the difference holds 0, the judge does not tell the
    pairs apart, there is nothing to restore, and all shares are NaN.
    """
    mean, low, high = (
        float(x)
        for x in bootstrap_mean(
            patching.difference, bootstrap_weights(len(patching.difference), n_resamples, seed), 0.95
        )
    )
    shape = patching.restored.shape[:2]
    result = {
        f"{name}{end}": np.full(shape, np.nan) for name in ("restored", "distance") for end in ("", "_low", "_high")
    }
    for role in range(shape[1]):
        there = np.isfinite(patching.restored[0, role])
        if there.sum() < 2:
            continue
        weights = bootstrap_weights(int(there.sum()), n_resamples, seed)
        spread = bootstrap_mean(patching.distance[:, role, there], weights, 0.95)
        for end, values in zip(("", "_low", "_high"), spread):
            result[f"distance{end}"][:, role] = values
        if low > 0 or high < 0:
            below = patching.difference[there]
            values = patching.restored[:, role, there]
            drawn = (values @ weights.T) / (weights @ below)[None]
            result["restored"][:, role] = values.mean(1) / below.mean()
            interval = percentile_interval(drawn, axis=1)
            result["restored_low"][:, role], result["restored_high"][:, role] = interval
    return result | {"difference": mean, "difference_low": low, "difference_high": high}
