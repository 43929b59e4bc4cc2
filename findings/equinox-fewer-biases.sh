#!/usr/bin/env bash
# equinox 0.13.8, torch 2.13.0
# One would guess: the same layer of the same widths has as many parameters in both.
# What happens: attention has no bias, an LSTM one where PyTorch has two, a GRU four parts where PyTorch has six.
# So: count parameters before networks are compared; use_query_bias=True and its like.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="attention 256 and 288, LSTM 200 and 220, GRU 155 and 165, layer norm 10 and 10"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check equinox==0.13.8 jax==0.10.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import equinox as eqx
import jax
import torch

key = jax.random.PRNGKey(0)
pairs = {
    "attention": (eqx.nn.MultiheadAttention(2, 8, key=key), torch.nn.MultiheadAttention(8, 2)),
    "LSTM": (eqx.nn.LSTMCell(4, 5, key=key), torch.nn.LSTMCell(4, 5)),
    "GRU": (eqx.nn.GRUCell(4, 5, key=key), torch.nn.GRUCell(4, 5)),
    "layer norm": (eqx.nn.LayerNorm(5), torch.nn.LayerNorm(5)),
}
ours = {name: sum(a.size for a in jax.tree_util.tree_leaves(eqx.filter(pair[0], eqx.is_array))) for name, pair in pairs.items()}
print(", ".join(f"{name} {ours[name]} and {sum(p.numel() for p in pair[1].parameters())}" for name, pair in pairs.items()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
