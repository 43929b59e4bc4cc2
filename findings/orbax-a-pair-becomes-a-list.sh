#!/usr/bin/env bash
# orbax-checkpoint 0.12.8
# One would guess: a tree that is saved and restored without a template is the tree that was saved
# What happens: a tuple is a list, so that jax.tree.map over the saved and the restored tree raises; with item= a template it is a tuple
# So: states are restored into a template
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'empty': {}, 'none': None, 'range': [1, 2.5]} tuple"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check orbax-checkpoint==0.12.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os, orbax.checkpoint as ocp
checkpointer = ocp.PyTreeCheckpointer()
tree = {"range": (1, 2.5), "none": None, "empty": {}}
checkpointer.save(os.path.abspath("saved"), tree, force=True)
print(checkpointer.restore(os.path.abspath("saved")), type(checkpointer.restore(os.path.abspath("saved"), item=tree)["range"]).__name__)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
