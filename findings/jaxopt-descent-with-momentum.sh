#!/usr/bin/env bash
# jaxopt 0.8.5
# One would guess: GradientDescent with a stated step size is plain gradient descent
# What happens: it is accelerated by default: after five steps 0.71 and -0.23 where plain steps lead to 0.77 and -0.03; acceleration=False is plain
# So: a rule is compared with three steps by hand
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0.71, -0.23] [0.77, -0.03]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jaxopt==0.8.5
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import jax.numpy as jnp, jaxopt, numpy as np
curvature = np.array([1.0, 30.0])
def loss(x):
    return 0.5 * jnp.sum(curvature * x**2)
for given in {}, {"acceleration": False}:
    found = jaxopt.GradientDescent(loss, stepsize=0.05, maxiter=5, tol=0, **given).run(jnp.ones(2))[0]
    print([round(float(x), 2) for x in found], end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
