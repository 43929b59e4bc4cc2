"""Groups of parameters whose learning coefficient is estimated while the others stay: layers, blocks, heads."""

from __future__ import annotations

import re

from torch import nn

from ontogeny.arguments import checks_arguments

_PROJECTIONS = (("q_proj", "k_proj", "v_proj"), ("q_lin", "k_lin", "v_lin"), ("query", "key", "value"), ("q", "k", "v"))
"""Names of the projections of queries, keys and values in an attention."""
_OUTPUTS = ("o_proj", "out_proj", "out_lin", "dense", "c_proj", "o")
"""Names of the projection that writes what the heads found."""
_COUNTS = ("num_attention_heads", "num_heads", "n_heads", "n_head", "heads")


@checks_arguments
def parameter_groups(model: nn.Module) -> dict[str, list[str]]:
    """The trained parameters of each layer, as patterns by its name: of each block where there are numbered ones.

    `net.0.weight` belongs to `net.0`, `blocks.3.attention.out.weight` to `blocks.3`, `embed.weight` to `embed`.
    """
    groups: dict[str, list[str]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            block = re.match(r"^(.*?\.?\d+)\.", name)
            groups.setdefault(block.group(1) if block else name.rpartition(".")[0] or name, []).append(name)
    return groups


@checks_arguments
def head_groups(model: nn.Module) -> dict[str, list[str]]:
    """The trained parameters of each attention head, as patterns: its queries, keys and values, and what it writes.

    Known are PyTorch's `nn.MultiheadAttention`, separate projections (q_proj, q_lin, query, or q, and the like), and
    joint ones as in GPT-NeoX and GPT-2. Keys and values that several heads share move with each of them. Biases of the
    output are no head's. Empty for networks without attention of these kinds.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    modules = dict(model.named_modules())
    config = next(
        (found for module in modules.values() if (found := getattr(module, "config", None)) is not None), None
    )
    groups: dict[str, list[str]] = {}
    for path, module in modules.items():
        counts = (getattr(holder, name, None) for holder in (module, config) for name in _COUNTS)
        heads = next((count for count in counts if isinstance(count, int)), 0)
        for head, patterns in enumerate(_patterns(path, module, modules, heads)):
            kept = [pattern for pattern in patterns if pattern.partition("[")[0] in trained]
            if kept:
                groups[f"{path} head {head}".strip()] = kept
    return groups


def _patterns(path: str, module: nn.Module, modules: dict[str, nn.Module], heads: int) -> list[list[str]]:
    """The patterns of every head of the attention `module`, none where it is no attention."""
    if not heads:
        return []
    prefix = f"{path}." if path else ""
    if isinstance(module, nn.MultiheadAttention):
        width = module.embed_dim // heads
        starts = [[part * module.embed_dim + head * width for part in range(3)] for head in range(heads)]
        return [
            [f"{prefix}in_proj_{kind}[{s}:{s + width}]" for s in starts[head] for kind in ("weight", "bias")]
            + _out(f"{prefix}out_proj", head, width)
            for head in range(heads)
        ]
    children = dict(module.named_children())
    output = next((prefix + name for name in _OUTPUTS if name in children), None)
    beside = path.removesuffix(".self") + ".output.dense"
    if output is None and path.endswith(".self") and beside in modules:
        output = beside
    if output is None:
        return []
    for names in _PROJECTIONS:
        layers = [layer for name in names if isinstance(layer := children.get(name), nn.Linear)]
        if len(layers) == len(names):
            width = layers[0].out_features // heads
            shared = [heads * width // layer.out_features for layer in layers]
            return [
                [
                    pattern
                    for name, times in zip(names, shared)
                    for pattern in _range(prefix + name, head // times * width, width)
                ]
                + _out(output, head, width)
                for head in range(heads)
            ]
    joint = children.get("query_key_value")
    if isinstance(joint, nn.Linear) and joint.out_features == 3 * joint.in_features:
        width = joint.in_features // heads
        return [
            _range(f"{prefix}query_key_value", 3 * width * h, 3 * width) + _out(output, h, width) for h in range(heads)
        ]
    weight = getattr(children.get("c_attn"), "weight", None)
    if weight is not None and weight.shape[1] == 3 * len(weight):
        width, whole = len(weight) // heads, len(weight)
        return [
            [
                pattern
                for start in range(head * width, 3 * whole, whole)
                for pattern in (
                    f"{prefix}c_attn.weight[:,{start}:{start + width}]",
                    f"{prefix}c_attn.bias[{start}:{start + width}]",
                )
            ]
            + [f"{output}.weight[{head * width}:{(head + 1) * width}]"]
            for head in range(heads)
        ]
    return []


def _range(layer: str, start: int, width: int) -> list[str]:
    return [f"{layer}.{kind}[{start}:{start + width}]" for kind in ("weight", "bias")]


def _out(layer: str, head: int, width: int) -> list[str]:
    return [f"{layer}.weight[:,{head * width}:{(head + 1) * width}]"]
