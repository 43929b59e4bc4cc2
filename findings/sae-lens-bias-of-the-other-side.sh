#!/usr/bin/env bash
# sae-lens 6.54.12, torch 2.13.0
# One would guess: encode(x) is relu(x @ W_enc + b_enc).
# What happens: the decoder's bias is subtracted from x first (apply_b_dec_to_input=True).
# So: relu((x - b_dec) @ W_enc + b_enc), or read the configuration.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="with b_dec subtracted equal, without it not"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sae-lens==6.54.12 transformer-lens==3.9.0 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import torch
from sae_lens import StandardSAE, StandardSAEConfig

torch.manual_seed(0)
sae, x = StandardSAE(StandardSAEConfig(d_in=4, d_sae=6)), torch.randn(3, 4)
with torch.no_grad():
    sae.b_dec.fill_(0.5)
    found = sae.encode(x)
    one = torch.allclose(found, torch.relu((x - sae.b_dec) @ sae.W_enc + sae.b_enc), atol=1e-6)
    two = torch.allclose(found, torch.relu(x @ sae.W_enc + sae.b_enc), atol=1e-6)
print(f"with b_dec subtracted {'equal' if one else 'not'}, without it {'equal' if two else 'not'}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
