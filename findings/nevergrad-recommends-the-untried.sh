#!/usr/bin/env bash
# nevergrad 1.0.12, NumPy 2.4.6
# One would guess: minimize returns the best point that was evaluated.
# What happens: with TBPSA and CMA it returns a point that may never have been evaluated (its loss is None); NaiveTBPSA and DE return the best one.
# So: evaluate what is recommended before it is reported.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="TBPSA: False, NaiveTBPSA: True, DE: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nevergrad==1.0.12 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import nevergrad


def tried(name):
    points = []

    def loss(x):
        points.append(tuple(x))
        return float(((x - 0.5) ** 2).sum())

    search = nevergrad.optimizers.registry[name](parametrization=nevergrad.p.Array(shape=(2,)), budget=60)
    search.parametrization.random_state.seed(0)
    return tuple(search.minimize(loss).value) in points


print(", ".join(f"{name}: {tried(name)}" for name in ("TBPSA", "NaiveTBPSA", "DE")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
