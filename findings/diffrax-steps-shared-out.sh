#!/usr/bin/env bash
# diffrax 0.7.2, jax 0.10.2
# One would guess: with a constant step of 0.3 times go 0.3, 0.6, 0.9, and the last step is cut to end at 1
# What happens: the first step is 0.3, then what is left is shared out: 0.5, 0.75, 1; with a step of 0.1 to 1.05 all steps but the first are 0.0955
# So: solutions of two solvers are compared at times that were asked for, and orders of convergence with steps that divide the interval
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.3 0.5 0.75; 0.1 0.191 0.286; 0.25 0.5 0.75;"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check diffrax==0.7.2 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import diffrax, jax.numpy as jnp
decay = diffrax.ODETerm(lambda time, state, _: -state)
for step, end in (0.3, 1.0), (0.1, 1.05), (0.25, 1.0):
    solved = diffrax.diffeqsolve(decay, diffrax.Euler(), 0.0, end, step, jnp.array(1.0), saveat=diffrax.SaveAt(steps=True))
    print(*(f"{float(time):.3g}" for time in solved.ts[:3]), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
