"""Names of tensor operations, by what they do."""

from __future__ import annotations

from typing import Any

CONTRACTIONS = {"mm", "addmm", "bmm", "baddbmm", "matmul", "linear", "mv", "addmv", "addbmm", "dot"}
REDUCTIONS = {"sum", "mean", "cumsum"}
AFFINE = {"add", "sub", "rsub", "neg", "mul", "div"}
LINEAR = CONTRACTIONS | REDUCTIONS | AFFINE
POINTWISE = {*AFFINE, "prelu", "_prelu_kernel", "hardtanh", "relu6", "rrelu_with_noise_functional"}
MOVES = {
    "view", "reshape", "_unsafe_view", "_reshape_alias", "flatten", "squeeze", "unsqueeze", "t", "transpose", "permute",
    "expand", "select", "slice", "index_select", "index", "cat", "stack", "split", "split_with_sizes", "chunk",
    "unbind", "narrow", "flip", "roll", "repeat", "clone", "detach", "alias", "contiguous", "_to_copy", "lift_fresh",
    "lift_fresh_copy", "dropout", "diagonal", "positive", "view_copy", "expand_copy", "squeeze_copy", "unsqueeze_copy",
    "transpose_copy", "t_copy", "permute_copy", "select_copy", "slice_copy", "split_copy", "unbind_copy",
    "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "repeat_interleave", "pixel_shuffle",
    "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "rot90",
    "gather", "take",
}  # fmt: skip
MADE = {"zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones", "new_full", "new_empty"}


def name_of(target: Any) -> str:
    """The name of an operation, without its library and its variant: "addmm" of aten.addmm.default."""
    return str(target).removeprefix("aten.").split(".")[0]
