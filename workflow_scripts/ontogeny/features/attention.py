"""Where a Transformer looks: attention weights as they are, rollout, entropy and specialisation of heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.models import without_fast_path
from ontogeny.models.trace import function_name
from ontogeny.neurons.scores import checked_data, run_on, working_copy
from ontogeny.statistics import bootstrap_mean, bootstrap_weights
from ontogeny.words import counted


@contextmanager
def recorded_attention(model: nn.Module, received: dict[str, list[Tensor]]) -> Iterator[None]:
    """Inside the block, every call of an `nn.MultiheadAttention` adds its weights to `received[path]`.

    The weights are those that the layer computed, per head, (samples, heads, queries, keys): the call is made with
    `need_weights`, `average_attn_weights=False` and without the fused path; the caller gets what it asked for.
    """
    patched: list[nn.Module] = []

    def patch(path: str, module: nn.MultiheadAttention) -> None:
        original = module.forward

        def forward(*args: Any, need_weights: bool = True, average_attn_weights: bool = True, **kwargs: Any) -> Any:
            names = ("query", "key", "value", "key_padding_mask", "need_weights", "attn_mask", "average_attn_weights")
            given = dict(zip(names, args)) | kwargs
            need_weights = given.pop("need_weights", need_weights)
            average_attn_weights = given.pop("average_attn_weights", average_attn_weights)
            output, weights = original(**given, need_weights=True, average_attn_weights=False)
            assert weights is not None, "weights were asked for"
            kept = weights.detach()
            received.setdefault(path, []).append(kept if kept.ndim == 4 else kept.unsqueeze(0))
            if not need_weights:
                return output, None
            return output, weights.mean(-3) if average_attn_weights else weights

        setattr(module, "forward", forward)  # noqa: B010
        patched.append(module)

    try:
        for path, module in model.named_modules():
            if isinstance(module, nn.MultiheadAttention):
                patch(path, module)
        with without_fast_path():
            yield
    finally:
        for module in patched:
            del module.forward


class _Attending(TorchFunctionMode):
    """Adds the weights of every attention that is called as a function to `received`, by the module that calls it."""

    def __init__(self, received: dict[str, list[Tensor]]) -> None:
        super().__init__()
        self.received, self.running, self.counts = received, [""], dict[str, int]()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        result = func(*args, **kwargs)
        name = function_name(func)
        if name == "scaled_dot_product_attention":
            self._keep(_attention_weights(*args, **kwargs))
        elif name == "softmax" and isinstance(result, Tensor) and result.ndim == 4:
            axis = kwargs.get("dim", args[1] if len(args) > 1 else None)
            if axis in (-1, 3):
                self._keep(result)
        return result

    def _keep(self, weights: Tensor) -> None:
        path = self.running[-1] or "network"
        count = self.counts.get(path, 0)
        self.counts[path] = count + 1
        self.received.setdefault(f"{path}#{count}" if count else path, []).append(weights.detach())


def _attention_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The weights, (samples, heads, queries, keys), inside `scaled_dot_product_attention`, without dropout."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    if attn_mask is not None:
        allowed = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -torch.inf) if allowed else scores + attn_mask
    weights = scores.softmax(-1)
    return weights if weights.ndim == 4 else weights.unsqueeze(1)


@contextmanager
def _called_attention(model: nn.Module, received: dict[str, list[Tensor]]) -> Iterator[None]:
    """Inside the block, every attention that a forward pass calls as a function is added to `received`."""
    mode = _Attending(received)

    def enter(path: str) -> Callable[..., None]:
        return lambda *_: mode.running.append(path)

    def leave(*_: Any) -> None:
        mode.running.pop()

    with ExitStack() as stack:
        for path, module in model.named_modules():
            stack.callback(module.register_forward_pre_hook(enter(path)).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(mode)
        yield


@checks_arguments
@torch.no_grad()
def attention_maps(model: nn.Module, inputs: Reals, chunk: int = 256) -> dict[str, np.ndarray]:
    """Attention weights of every attention layer: module path to float32 (samples, heads, queries, keys).

    Rows sum to 1; they are the weights that the layer uses, with no second softmax. Serves networks built of
    `nn.MultiheadAttention` (also inside PyTorch's encoder layers), Hugging Face models, whose layers are called
    `attention.0`, ..., and networks that call `scaled_dot_product_attention`, or a softmax of four axes over the last,
    in modules of their own, whose path is the name (with `#1`, ... for a further call). The model is not changed.

    Raises OntogenyError for a network without attention, or whose attention cannot be read.
    """
    twin = working_copy(model)
    inputs, _ = checked_data(inputs)
    received: dict[str, list[Tensor]] = {}
    if any(isinstance(module, nn.MultiheadAttention) for module in twin.modules()):
        with recorded_attention(twin, received):
            for part in inputs.split(chunk):
                before = {path: len(maps) for path, maps in received.items()}
                run_on(twin, part)
                twice = [path for path, maps in received.items() if len(maps) - before.get(path, 0) > 1]
                if twice:
                    raise OntogenyError(
                        f"attention '{twice[0]}' runs more than once in a forward pass: its maps would mix"
                    )
    elif hasattr(twin, "config") and hasattr(twin, "set_attn_implementation"):
        choose: Any = twin.set_attn_implementation
        choose("eager")
        for part in inputs.split(chunk):
            maps = twin(part, output_attentions=True).attentions
            for place, weights in enumerate(maps or ()):
                received.setdefault(f"attention.{place}", []).append(weights.detach())
    else:
        for part in inputs.split(chunk):
            with _called_attention(twin, received):
                twin(part)
    maps = {path: torch.cat(parts) for path, parts in received.items()}
    if not maps:
        raise OntogenyError(
            f"this {type(model).__name__} has no attention that can be read: nn.MultiheadAttention, a Hugging Face "
            "model, scaled_dot_product_attention, or a softmax of four axes is expected"
        )
    for path, weights in maps.items():
        if len(weights) != len(inputs):
            raise OntogenyError(
                f"attention '{path}' gives {counted(len(weights), 'map')} for {counted(len(inputs), 'input')}: "
                "samples must stay samples"
            )
        if not bool(torch.isfinite(weights).all()):
            raise OntogenyError(f"attention '{path}' holds weights that are not finite: a row is fully masked")
    return {path: weights.float().cpu().numpy() for path, weights in maps.items()}


@checks_arguments
def attention_rollout(maps: Mapping[str, np.ndarray], residual: float = 0.5) -> np.ndarray:
    """Attention followed through all layers: float64 (samples, queries, tokens), rows summing to 1.

    The heads' mean, mixed with the identity by `residual` for the skip connection, multiplied from the first layer to
    the last (Abnar and Zuidema 2020, arXiv:2005.00928, eq. 1). Row 0 of a ViT is what its class token rests on.

    Raises OntogenyError if the layers do not have the same tokens.
    """
    if not 0 <= residual < 1:
        raise OntogenyError(f"residual is {residual}: a share from 0 up to, but not, 1 is expected")
    rolled: np.ndarray | None = None
    for path, weights in maps.items():
        queries, keys = weights.shape[-2:]
        if queries != keys or (rolled is not None and rolled.shape[-1] != keys):
            raise OntogenyError(
                f"attention '{path}' maps {keys} tokens to {queries}: rollout needs the same throughout"
            )
        step = (1 - residual) * weights.mean(1, dtype=np.float64) + residual * np.eye(keys)
        step /= step.sum(-1, keepdims=True)
        rolled = step if rolled is None else step @ rolled
    if rolled is None:
        raise OntogenyError("no attention maps: rollout needs at least one layer")
    return rolled


@checks_arguments
def head_statistics(
    maps: Mapping[str, np.ndarray], *, n_resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Entropy and specialisation of every head, with intervals over samples.

    One row per head: layer, head, samples, tokens (keys), and, each averaged over queries and samples, with _low and
    _high (percentile bootstrap over samples):

    - entropy: -sum p ln p of the attention weights p as they are, in nats; relative_entropy: over ln(tokens), 1 for
      uniform attention.
    - specialisation: Jensen-Shannon divergence in nats between the head's weights and the mean of the layer's other
      heads (Lin 1991, eq. 3.7); 0 for heads that do the same, at most ln 2; NaN with one head.
    - peak: the largest weight of a query.

    Raises OntogenyError if there are no maps.
    """
    tables = []
    for path, weights in maps.items():
        weights = np.asarray(weights)
        samples, heads, _, keys = weights.shape
        draws = bootstrap_weights(samples, n_resamples, seed)
        per_head: dict[str, list[np.ndarray]] = {
            "entropy": [],
            "relative_entropy": [],
            "specialisation": [],
            "peak": [],
        }
        total = weights.sum(1, dtype=np.float64)
        for head in range(heads):
            p = weights[:, head].astype(np.float64)
            entropy = _entropy(p)
            per_head["entropy"].append(entropy.mean(-1))
            per_head["relative_entropy"].append(
                entropy.mean(-1) / np.log(keys) if keys > 1 else np.full(samples, np.nan)
            )
            if heads > 1:
                rest = (total - p) / (heads - 1)
                divergence = np.maximum(_entropy((p + rest) / 2) - (entropy + _entropy(rest)) / 2, 0)
                per_head["specialisation"].append(divergence.mean(-1))
            else:
                per_head["specialisation"].append(np.full(samples, np.nan))
            per_head["peak"].append(p.max(-1).mean(-1))
        columns: dict[str, Any] = {"layer": path, "head": np.arange(heads), "samples": samples, "tokens": keys}
        for name, numbers in per_head.items():
            columns[name], columns[f"{name}_low"], columns[f"{name}_high"] = bootstrap_mean(
                np.stack(numbers), draws, confidence
            )
        tables.append(pd.DataFrame(columns))
    if not tables:
        raise OntogenyError("no attention maps: statistics of heads need at least one layer")
    return pd.concat(tables, ignore_index=True)


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0).sum(-1)


@checks_arguments
def head_evolution(models: Mapping[str, nn.Module], inputs: Reals, **settings: Any) -> pd.DataFrame:
    """`head_statistics` of every network in `models` (moment to network), with a column `moment` first.

    Raises OntogenyError if there are no networks, or one has no attention that can be read.
    """
    tables = []
    for moment, model in models.items():
        table = head_statistics(attention_maps(model, inputs), **settings)
        table.insert(0, "moment", moment)
        tables.append(table)
    if not tables:
        raise OntogenyError("no networks: give at least one moment")
    return pd.concat(tables, ignore_index=True)
