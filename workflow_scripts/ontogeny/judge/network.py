"""Looking into a judge: its residual stream, running it on from any layer, and the parts of its blocks."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.judge.settings import DEFAULTS
from ontogeny.models.judge import PAD, Judge

SAFE, UNSAFE = 0, 1


@contextmanager
def hooked(*handles: Any) -> Iterator[None]:
    """Remove these hooks when the block ends, however it ends."""
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def frozen(model: Judge) -> Iterator[Judge]:
    """`model` in eval mode and with no gradient for its parameters, put back as it was afterwards."""
    training = model.training
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval()
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield model
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
        model.train(training)


def lengths(tokens: Tensor) -> Tensor:
    """Real tokens of every row, (batch,). Raises OntogenyError for a row without any, or padding on the left."""
    real = tokens != PAD
    counts = real.sum(1)
    if tokens.ndim != 2 or not len(tokens) or int(counts.min()) == 0:
        raise OntogenyError("tokens hold a prompt without a token: give (batch, length), padded on the right with -1")
    if not torch.equal(real, torch.arange(tokens.shape[1], device=tokens.device)[None] < counts[:, None]):
        raise OntogenyError("tokens are padded on the left or inside: pad on the right with -1")
    return counts


def read_at(model: Judge, tokens: Tensor) -> Tensor:
    """The position of the token that the judge reads, (batch,). Raises OntogenyError as `lengths` does."""
    lengths(tokens)
    return model.place(tokens != PAD)


def difference(logits: Tensor) -> Tensor:
    """The logit difference, unsafe minus safe, float64 (batch,)."""
    return logits[..., UNSAFE].double() - logits[..., SAFE].double()


@checks_arguments
def untrained_like(model: Judge, seed: int = DEFAULTS.seed) -> Judge:
    """A judge of the same architecture with newly drawn weights, the control of every analysis.

    The global random state is left as it was.
    """
    twin = copy.deepcopy(model).eval()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        fresh = type(twin.backbone)(twin.backbone.config)
        twin.backbone.load_state_dict(fresh.state_dict(), strict=False)
        for module in twin.head.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
    return twin


@dataclass(frozen=True)
class Run:
    """One pass of a judge over tokens, kept so that it can be gone on with from any layer.

    residuals: (batch, length, width) before the first block and after every block. last: position of the token that the
    judge reads, (batch,). logits: (batch, 2). calls: what every block was given besides the residual.
    """

    residuals: list[Tensor]
    last: Tensor
    logits: Tensor
    calls: list[tuple[tuple[Any, ...], dict[str, Any]]]


def _without_cache(value: Any) -> Any:
    return None if hasattr(value, "get_seq_length") else value


def _taken(value: Any, batch: int, rows: Tensor) -> Any:
    """An argument of a module for these rows of its batch; what has no rows stays."""
    if isinstance(value, tuple | list):
        return type(value)(_taken(item, batch, rows) for item in value)
    return value[rows] if isinstance(value, Tensor) and value.ndim > 1 and value.shape[0] == batch > 1 else value


def _arguments_for(call: Any, batch: int, rows: Tensor) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments besides the residual stream, of a call with `batch` prompts, for these rows of them."""
    rest, named = call
    taken = {key: _taken(item, batch, rows) for key, item in named.items() if key not in _BIASES}
    for key in _BIASES & named.keys():
        bias = named[key]
        by_head = isinstance(bias, Tensor) and bias.ndim == 3 and key == "alibi"
        taken[key] = bias.unflatten(0, (batch, -1))[rows].flatten(0, 1) if by_head else bias
    return tuple(_taken(item, batch, rows) for item in rest), taken


_BIASES = {"alibi", "position_bias"}
"""What is added to attention by distance: for all prompts times heads (BLOOM), or for all heads (MPT)."""


def _recorder(calls: list, first_name: str = "hidden_states") -> Callable[..., None]:
    """A pre-hook that keeps the arguments of a module, less the first or the one of the name `first_name`."""

    def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        rest = tuple(_without_cache(item) for item in args[1:])
        named = {key: _without_cache(item) for key, item in kwargs.items() if key != first_name}
        hidden = args[0] if args else kwargs[first_name]
        calls.append((hidden, rest, named | ({"use_cache": False} if "use_cache" in named else {})))

    return hook


def first(output: Any) -> Tensor:
    """The residual stream among what a block returns."""
    return output[0] if isinstance(output, tuple | list) else output


def by_prompt(value: Tensor, prompts: int) -> Tensor:
    """(prompts, length, width), also where a block joins prompts and tokens before its MLP (OPT)."""
    return value.unflatten(0, (prompts, -1)) if value.ndim == 2 else value


def run(model: Judge, tokens: Tensor) -> Run:
    """Pass `tokens` through the judge and keep its residual stream. Gradients flow if they are enabled."""
    calls: list[Any] = []
    outputs: list[Tensor] = []
    hooks = [block.register_forward_pre_hook(_recorder(calls), with_kwargs=True) for block in model.blocks]
    hooks += [model.blocks[-1].register_forward_hook(lambda _, __, output: outputs.append(first(output)))]
    with hooked(*hooks):
        logits = model(tokens)
    return Run(
        [hidden for hidden, _, _ in calls] + outputs,
        read_at(model, tokens),
        logits,
        [(rest, named) for _, rest, named in calls],
    )


def readout(model: Judge, hidden: Tensor, last: Tensor) -> Tensor:
    """Logits (batch, 2) that final norm and head read from a residual stream (batch, length, width) at `last`."""
    rows = torch.arange(len(hidden), device=hidden.device)
    return read(model, hidden[rows, last])


def read(model: Judge, hidden: Tensor) -> Tensor:
    """Logits (..., 2) that final norm and head read from any states of the residual stream (..., width)."""
    normed = hidden if model.final_norm is None else model.final_norm(hidden)
    return model.head(normed.to(torch.float32))


def rows_with_gradient(model: Judge, length: int) -> int:
    """How many prompts of that many tokens may be passed together when a gradient is taken, in about 500 MB."""
    config = model.backbone.config
    inner = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    heads = getattr(config, "num_attention_heads", None) or 1
    numbers = length * len(model.blocks) * (8 * config.hidden_size + 3 * inner + 2 * heads * length)
    return max(1, 128_000_000 // numbers)


def run_on(model: Judge, past: Run, start: int, hidden: Tensor) -> Tensor:
    """Logits when block `start` and those after it go on from `hidden`.

    hidden: (times * batch, length, width): the copies of a prompt of `past` follow each other.
    """
    batch = len(past.last)
    rows = torch.arange(batch, device=past.last.device).repeat_interleave(len(hidden) // batch)
    for block, call in zip(model.blocks[start:], past.calls[start:]):
        rest, named = _arguments_for(call, batch, rows)
        hidden = first(block(hidden, *rest, **named))
    return readout(model, hidden, past.last[rows])


NEURONS = (
    "mlp.down_proj",
    "mlp.c_proj",
    "mlp.dense_4h_to_h",
    "mlp.fc_out",
    "mlp.fc2",
    "mlp.Wo",
    "ffn.lin2",
    "ffn.down_proj",
    "output.dense",
    "fc2",
)
"""Where a block's MLP writes: the input of this module is the output of its neurons."""


def neuron_outputs(model: Judge) -> list[nn.Module]:
    """For every block, the module whose input is the activation of its MLP's neurons.

    Raises OntogenyError if a block has none of the known ones.
    """
    found = []
    for index, block in enumerate(model.blocks):
        part = _part(block, NEURONS)
        if part is None:
            raise OntogenyError(
                f"{type(model.backbone).__name__} has no MLP of a known kind in block {index}: known are "
                + ", ".join(NEURONS)
            )
        found.append(part)
    return found


def tensor_of(module: nn.Module, name: str) -> Tensor:
    """The parameter or buffer `name` of a module."""
    found = getattr(module, name)
    assert isinstance(found, Tensor), f"{type(module).__name__}.{name} is no tensor"
    return found


def _part(block: nn.Module, names: tuple[str, ...]) -> nn.Module | None:
    for name in names:
        try:
            return block.get_submodule(name)
        except AttributeError:
            continue
    return None


Order = Literal["sequential", "parallel", "normed"]
"""How attention and MLP of a block follow each other: the MLP reads what attention adds too (Llama, GPT-2, ModernBERT);
both read what the block is given (GPT-NeoX, GPT-J, Phi, Falcon); or a norm stands after each sum and none before each
part (BERT, DistilBERT)."""


@dataclass(frozen=True)
class Parts:
    """A block that adds what its heads and its MLP write to its residual stream.

    Each of them reads the stream through a norm of its own, or, with the order "normed", the stream goes through a norm
    after each sum: after_attention, after_mlp. write: the attention's output matrix by head, (heads, head width,
    width); bias: (width,), or None. projection: the module of both; projection_name: its name in `attention`, None
    where it is not in there. mlp_writes: the module whose output is what the MLP writes.
    """

    order: Order
    attention: nn.Module
    projection: nn.Module
    projection_name: str | None
    mlp: nn.Module
    mlp_writes: nn.Module
    attention_norm: nn.Module
    mlp_norm: nn.Module
    after_attention: nn.Module
    after_mlp: nn.Module
    write: Tensor
    bias: Tensor | None


class _Style(NamedTuple):
    """Where the parts of a block lie in it. mlp: modules one after another. norms: before attention and MLP, or, with
    the order "normed", after them."""

    attention: str
    projection: str
    mlp: tuple[str, ...]
    norms: tuple[str, str]
    orders: tuple[Order, ...] = ("sequential", "parallel")


_STYLES = (
    _Style("self_attn", "self_attn.o_proj", ("mlp",), ("input_layernorm", "post_attention_layernorm")),
    _Style("self_attn", "self_attn.o_proj", ("mlp",), ("input_layernorm", "input_layernorm")),
    _Style("self_attn", "self_attn.dense", ("mlp",), ("input_layernorm", "input_layernorm")),
    _Style("attn", "attn.c_proj", ("mlp",), ("ln_1", "ln_2")),
    _Style("attn", "attn.attention.out_proj", ("mlp",), ("ln_1", "ln_2")),
    _Style("attn", "attn.out_proj", ("mlp",), ("ln_1", "ln_1")),
    _Style("attn", "attn.Wo", ("mlp",), ("attn_norm", "mlp_norm")),
    _Style("attention", "attention.dense", ("mlp",), ("input_layernorm", "post_attention_layernorm")),
    _Style("self_attention", "self_attention.dense", ("mlp",), ("input_layernorm", "post_attention_layernorm")),
    _Style("self_attention", "self_attention.dense", ("mlp",), ("input_layernorm", "input_layernorm")),
    _Style("self_attention", "self_attention.dense", ("mlp",), ("ln_attn", "ln_mlp")),
    _Style(
        "self_attention", "self_attention.dense", ("mlp.dense_h_to_4h", "mlp.gelu_impl", "mlp.dense_4h_to_h"),
        ("input_layernorm", "post_attention_layernorm"), ("sequential",),
    ),
    _Style(
        "attn", "attn.out_proj", ("ffn.up_proj", "ffn.act", "ffn.down_proj"), ("norm_1", "norm_2"), ("sequential",)
    ),
    _Style(
        "self_attn", "self_attn.out_proj", ("fc1", "activation_fn", "fc2"),
        ("self_attn_layer_norm", "final_layer_norm"), ("sequential", "normed"),
    ),
    _Style(
        "attention.self", "attention.output.dense", ("intermediate", "output.dense"),
        ("attention.output.LayerNorm", "output.LayerNorm"), ("normed",),
    ),
    _Style("attention", "attention.out_lin", ("ffn",), ("sa_layer_norm", "output_layer_norm"), ("normed",)),
)  # fmt: skip
"""The blocks that are known. What names promise is not believed: it is tried."""


def parts_of(model: Judge) -> list[Parts] | None:
    """The parts of every block, or None where its blocks are of no known style, or do more than their parts say.

    Blocks that scale or norm what they add (Granite, Gemma 2) are not taken apart. What the names of the modules
    promise is tried on four tokens.
    """
    heads = int(getattr(model.backbone.config, "num_attention_heads", None) or 0)
    for style in _STYLES if heads else ():
        for order in style.orders:
            found = [_parts_of(block, style, order, heads) for block in model.blocks]
            known = [parts for parts in found if parts is not None]
            if len(known) == len(found) and _add_up(model, known):
                return known
    return None


def _parts_of(block: nn.Module, style: _Style, order: Order, heads: int) -> Parts | None:
    names = (style.attention, style.projection, *style.mlp, *style.norms)
    found = [_submodule(block, name) for name in names]
    there = [part for part in found if part is not None]
    if len(there) < len(names):
        return None
    attention, projection, *mlp, first_norm, second_norm = there
    weight = tensor_of(projection, "weight")
    weight = weight.T if isinstance(projection, nn.Linear) else weight
    if weight.shape[0] % heads:
        return None
    inside = style.projection.startswith(f"{style.attention}.")
    no_norms = (nn.Identity(), nn.Identity())
    before, after = ((first_norm, second_norm), no_norms)[:: -1 if order == "normed" else 1]
    return Parts(
        order,
        attention,
        projection,
        style.projection.removeprefix(f"{style.attention}.") if inside else None,
        mlp[0] if len(mlp) == 1 else nn.Sequential(*mlp),
        mlp[-1],
        *before,
        *after,
        weight.reshape(heads, -1, weight.shape[-1]),
        getattr(projection, "bias", None),
    )


def _submodule(block: nn.Module, name: str) -> nn.Module | None:
    return _part(block, (name,))


@torch.no_grad()
def _add_up(model: Judge, parts: list[Parts]) -> bool:
    """Whether every block returns the sum of its input, what its heads write, and what its MLP makes of them."""
    handles, calls = attention_calls(parts)
    with frozen(model), hooked(*handles):
        past = run(model, torch.arange(4, device=tensor_of(model.embedding, "weight").device)[None])
    if len(calls) != len(parts):
        return False
    with frozen(model):
        for part, call, before, after in zip(parts, calls, past.residuals, past.residuals[1:]):
            copies = before[:, None].expand(-1, len(part.write), -1, -1)
            try:
                middle = before + attend(part, copies, call, torch.arange(len(before))).sum(1)
                middle = part.after_attention(middle if part.bias is None else middle + part.bias)
                reads = before if part.order == "parallel" else middle
                again = part.after_mlp(middle + first(part.mlp(part.mlp_norm(reads))))
            except (RuntimeError, TypeError, ValueError, AttributeError):
                return False
            wrong = (again - after).abs().max()
            noise = torch.finfo(after.dtype).eps
            if wrong > noise**0.5 * (after - before).abs().max() + 16 * noise * after.abs().max():
                return False
    return True


def attention_calls(parts: list[Parts]) -> tuple[list[Any], list[Any]]:
    """Hooks that record what each attention is given besides the residual, and the list that they fill."""
    calls: list[Any] = []
    handles = [part.attention.register_forward_pre_hook(_recorder(calls), with_kwargs=True) for part in parts]
    return handles, calls


class _OwnHead(nn.Module):
    """A projection of which every head sees rows of its own: (rows, length, width), `sizes` of them for each head."""

    def __init__(self, weight: Tensor, bias: Tensor | None, sizes: list[int]) -> None:
        super().__init__()
        self.own_weight, self.own_bias, self.sizes = weight, bias, sizes

    def forward(self, hidden: Tensor) -> Tensor:
        return _by_head(hidden, self.own_weight, self.sizes, self.own_bias)


def _by_head(hidden: Tensor, weight: Tensor, sizes: list[int], bias: Tensor | None = None) -> Tensor:
    """Rows (rows, length, width), `sizes` of them for each head, times the matrix of their head (heads, width, out)."""
    parts = zip(hidden.split(sizes), weight, weight if bias is None else bias[:, None])
    found = [part @ matrix if bias is None else part @ matrix + shift for part, matrix, shift in parts if len(part)]
    return torch.cat(found)


_QUERIES = (
    ("q_proj", "k_proj", "v_proj", "head_dim"),
    ("q_lin", "k_lin", "v_lin", "attention_head_size"),
    ("query", "key", "value", "attention_head_size"),
)
"""Names of the projections of queries, keys and values in an attention, and of the width of a head."""


def one_head_each(part: Parts, sizes: list[int]) -> nn.Module | None:
    """The attention of `part` as a module that computes one head alone for each row, before it is written.

    The first `sizes[0]` rows are those of head 0, and so on.

    None for attention without separate projections of queries, keys and values (GPT-2), or that counts its heads
    itself (StableLM), where all heads have to be computed for every row.
    """
    attention, heads = part.attention, len(part.write)
    known = (names for names in _QUERIES if all(isinstance(getattr(attention, n, None), nn.Linear) for n in names[:3]))
    found = next(known, None)
    if found is None or not hasattr(attention, found[3]) or hasattr(attention, "num_heads"):
        return None
    names, wide = found[:3], getattr(attention, found[3])
    if "q_proj" in names and not hasattr(attention, "num_key_value_groups"):
        return None
    twin = copy.copy(attention)
    twin._modules = dict(attention._modules)
    twin._forward_pre_hooks, twin._forward_hooks = type(attention._forward_hooks)(), type(attention._forward_hooks)()
    for name in names:
        linear = getattr(attention, name)
        weight = linear.weight.unflatten(0, (-1, wide))
        times = heads // len(weight)
        bias = None if linear.bias is None else linear.bias.unflatten(0, (-1, wide))
        twin._modules[name] = _OwnHead(
            weight.repeat_interleave(times, 0).transpose(1, 2),
            None if bias is None else bias.repeat_interleave(times, 0),
            sizes,
        )
    if part.projection_name is not None:
        twin._modules[part.projection_name] = nn.Identity()
    vars(twin)["num_key_value_groups"] = 1
    return twin


def attend(part: Parts, hidden: Tensor, call: Any, rows: Tensor, active: Tensor | None = None) -> Tensor:
    """What every head writes when each reads a residual stream of its own.

    hidden: (batch, heads, length, width), before the norm; returns the same shape, without the projection's bias.
    `call` is what `attention_calls` kept of a run over prompts, rows: the prompt of every row of the batch. active:
    bool (batch, heads), the heads that are computed; the others give 0.
    """
    batch, heads, length, width = hidden.shape
    first_input, *others = call
    chosen = torch.ones(batch, heads, dtype=torch.bool, device=hidden.device) if active is None else active
    head, copy_of = torch.nonzero(chosen.T, as_tuple=True)
    sizes = chosen.sum(0).tolist()
    reads = part.attention_norm(hidden[copy_of, head])
    arguments, settings = _arguments_for(others, len(first_input), rows[copy_of])
    alone = one_head_each(part, sizes)
    if alone is not None:
        own = first(alone(reads, *arguments, **settings))
    else:
        kept: list[Tensor] = []
        with hooked(part.projection.register_forward_pre_hook(lambda _, args: kept.append(args[0]))):
            output = first(part.attention(reads, *arguments, **settings))
        mixed = (kept[0] if kept else output).reshape(len(reads), length, heads, -1)
        own = mixed[torch.arange(len(reads), device=head.device), :, head]
    wrote = _by_head(own, part.write.to(own.dtype), sizes)
    result = wrote.new_zeros(batch, heads, length, width)
    return result.index_put((copy_of, head), wrote)
