"""Small random judges, and pairs of prompts as rows of numbers."""

import numpy as np
import torch

from ontogeny.judge.pairs import Pairs
from ontogeny.models.judge import Judge

VOCABULARY = 50


def make_judge(kind="llama", layers=3, width=16, heads=2, seed=0):
    """A random judge; its weights are larger than usual, so that what is tested is not lost in rounding."""
    from transformers import DistilBertConfig, DistilBertModel, GPT2Config, GPT2Model, LlamaConfig, LlamaModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "llama":
            backbone = LlamaModel(
                LlamaConfig(
                    vocab_size=VOCABULARY, hidden_size=width, intermediate_size=24, num_hidden_layers=layers,
                    num_attention_heads=heads, num_key_value_heads=heads, attn_implementation="eager",
                    initializer_range=0.3,
                )
            )  # fmt: skip
        elif kind == "gpt2":
            backbone = GPT2Model(
                GPT2Config(
                    vocab_size=VOCABULARY, n_embd=width, n_layer=layers, n_head=heads, n_positions=64,
                    attn_implementation="eager", initializer_range=0.3,
                )
            )  # fmt: skip
            for name, value in backbone.named_parameters():
                if name.endswith("bias"):
                    torch.nn.init.normal_(value, std=0.2)
        else:
            backbone = DistilBertModel(
                DistilBertConfig(
                    vocab_size=VOCABULARY, dim=width, hidden_dim=24, n_layers=layers, n_heads=heads,
                    attn_implementation="eager", initializer_range=0.3,
                )
            )  # fmt: skip
    return Judge(backbone, 0, seed).eval()


def make_pairs(count=12, seed=0, longest=10, groups=4):
    """Pairs of random prompts of 5 to `longest` tokens that differ in one or two neighbouring ones."""
    rng = np.random.default_rng(seed)
    safe = np.full((count, longest), -1)
    unsafe = safe.copy()
    for row in range(count):
        size = int(rng.integers(5, longest + 1)) if row else longest
        safe[row, :size] = rng.integers(3, VOCABULARY, size)
        unsafe[row, :size] = safe[row, :size]
        start, wide = int(rng.integers(1, size - 2)), int(rng.integers(1, 3))
        place = slice(start, min(start + wide, size - 1))
        unsafe[row, place] = 3 + (unsafe[row, place] - 3 + rng.integers(1, 20)) % (VOCABULARY - 3)
    return Pairs(torch.from_numpy(unsafe), torch.from_numpy(safe), np.arange(count) % groups)
