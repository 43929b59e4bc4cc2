#!/usr/bin/env bash
# orbax-checkpoint 0.12.8
# One would guess: saving a step that is not later than the last one writes it, or raises.
# What happens: nothing is written; the call returns False.
# So: look at what save returns, above all after a run that resumed from an earlier step.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="True False False, on disk [10]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check orbax-checkpoint==0.12.8 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging

logging.disable(logging.CRITICAL)
import numpy as np
import orbax.checkpoint as ocp

with ocp.CheckpointManager(__import__("os").path.abspath("run")) as manager:
    said = [manager.save(step, args=ocp.args.StandardSave({"w": np.full(3, value)})) for step, value in ((10, 1.0), (5, 2.0), (10, 3.0))]
    manager.wait_until_finished()
    print(*said, end=", on disk ")
    print(list(manager.all_steps()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
