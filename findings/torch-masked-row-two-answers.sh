#!/usr/bin/env bash
# torch 2.13.0
# One would guess: a token that may attend to nothing gets the same from both ways to attention.
# What happens: scaled_dot_product_attention gives 0, nn.MultiheadAttention, which returns weights, NaN.
# So: let each token see at least itself, or need_weights=False.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="function: 0.0; module: nan, without weights 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch

torch.manual_seed(0)
module = torch.nn.MultiheadAttention(4, 1, bias=False, batch_first=True)
x, may = torch.randn(1, 3, 4), torch.ones(3, 3, dtype=torch.bool)
may[0] = False
function = torch.nn.functional.scaled_dot_product_attention(x, x, x, attn_mask=may)[0, 0, 0]
with_, without = (module(x, x, x, attn_mask=~may, need_weights=need)[0][0, 0, 0].abs() for need in (True, False))
print(f"function: {function.abs():.1f}; module: {with_:.1f}, without weights {without:.1f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
