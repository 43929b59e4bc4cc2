#!/usr/bin/env bash
# pykan 0.2.8, torch 2.13.0
# One would guess: making a network writes nothing.
# What happens: a folder `model` appears in the working directory, with a checkpoint, a state and a history.
# So: auto_save=False, or ckpt_path; two runs in one folder write to the same one.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['0.0_cache_data', '0.0_config.yml', '0.0_state', 'history.txt']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pykan==0.2.8 torch==2.13.0 numpy==2.4.6 matplotlib==3.11.2 scikit-learn==1.9.1 sympy==1.14.0 pandas==2.3.3 tqdm==4.70.1 pyyaml==6.0.4
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib
import io
import os

from kan import KAN

with contextlib.redirect_stdout(io.StringIO()):
    KAN(width=[2, 1, 1])
print(sorted(os.listdir("model")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
