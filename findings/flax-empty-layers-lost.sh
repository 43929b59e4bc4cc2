#!/usr/bin/env bash
# flax 0.12.8
# One would guess: unflatten_dict of flatten_dict gives the dictionary back
# What happens: what is empty is gone: layers without weights are not in the result, unless keep_empty_nodes=True
# So: keep_empty_nodes=True is given where trees are compared or restored
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'dense': {'kernel': 1}} {'dropout': {}, 'dense': {'kernel': 1}}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check flax==0.12.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from flax.traverse_util import flatten_dict, unflatten_dict
tree = {"dropout": {}, "dense": {"kernel": 1}}
for keep in False, True:
    print(unflatten_dict(flatten_dict(tree, keep_empty_nodes=keep)), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
