#!/usr/bin/env bash
# rotary-embedding-torch 0.9.1, transformers 5.24.0, torch 2.13.0
# One would guess: it rotates queries as transformers' Llama does.
# What happens: one pairs neighbours, the other the two halves of a head: other numbers until the columns are reordered.
# So: reorder the columns of queries and keys when weights move between the two.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="as they are: differ; reordered: equal"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rotary-embedding-torch==0.9.1 transformers==5.24.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch
from rotary_embedding_torch import RotaryEmbedding
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

torch.manual_seed(0)
q = torch.randn(1, 1, 6, 8)
cos, sin = LlamaRotaryEmbedding(LlamaConfig(hidden_size=8, num_attention_heads=1))(q, torch.arange(6)[None])
llama, _ = apply_rotary_pos_emb(q, q, cos, sin)
other = RotaryEmbedding(dim=8)
plain = other.rotate_queries_or_keys(q)
mixed = other.rotate_queries_or_keys(torch.stack([q[..., :4], q[..., 4:]], -1).flatten(-2))
reordered = torch.cat([mixed[..., 0::2], mixed[..., 1::2]], -1)
word = {True: "equal", False: "differ"}
print(f"as they are: {word[torch.allclose(plain, llama, atol=1e-5)]}; reordered: {word[torch.allclose(reordered, llama, atol=1e-5)]}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
