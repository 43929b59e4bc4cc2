#!/usr/bin/env bash
# scikit-optimize 0.10.2, scikit-learn 1.9.1
# One would guess: an optimiser that is asked twice gives two points to try
# What happens: it does while it draws its first points; once a model is fitted, ask() gives the same point until tell() is called: four workers evaluate one point
# So: ask(n_points=4) is called once for all workers
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="4 1 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-optimize==0.10.2 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import skopt
optimizer = skopt.Optimizer([(0.0, 1.0)], n_initial_points=3, random_state=0)
print(len({optimizer.ask()[0] for _ in range(4)}), end=" ")
for _ in range(3):
    x = optimizer.ask()
    optimizer.tell(x, (x[0] - 0.3) ** 2)
print(len({optimizer.ask()[0] for _ in range(4)}), len({x for x, in optimizer.ask(n_points=4)}))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
