#!/usr/bin/env bash
# transformers 5.23.0, torch 2.13.0, safetensors 0.8.0
# One would guess: a file that save_pretrained writes holds the names of state_dict(), so that load_state_dict reads it into the same class
# What happens: a vision transformer is written under older names, a mixture of experts with its experts taken apart: with strict=False most of the network stays random without an error; from_pretrained translates
# So: networks are read from such files by from_pretrained, or with strict=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="16 of 24 missing, True; 3 of 12 missing, True;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check transformers==5.23.0 torch==2.13.0 safetensors==0.8.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import torch, transformers
from safetensors.torch import load_file
vision = transformers.ViTConfig(image_size=8, patch_size=4, num_channels=1, num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8)
experts = transformers.MixtralConfig(num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, hidden_size=8, intermediate_size=8, vocab_size=20, num_local_experts=2)
for kind, config in (transformers.ViTForImageClassification, vision), (transformers.MixtralForCausalLM, experts):
    network = kind(config)
    network.save_pretrained(kind.__name__)
    stored = load_file(kind.__name__ + "/model.safetensors")
    found = kind(config).load_state_dict(stored, strict=False)
    again = kind.from_pretrained(kind.__name__).state_dict()
    same = all(torch.equal(again[name], value) for name, value in network.state_dict().items())
    print(len(found.missing_keys), "of", len(network.state_dict()), "missing,", same, end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
