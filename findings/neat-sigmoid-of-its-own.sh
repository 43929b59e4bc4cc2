#!/usr/bin/env bash
# neat-python 2.0.0, NumPy 2.4.6
# One would guess: sigmoid(1) is 0.73, and tanh(1) is 0.76
# What happens: arguments are multiplied first, by 5 and by 2.5: 0.99 and 0.99; sin by 5, and gauss is exp(-5 x^2)
# So: an evolved network that is rebuilt elsewhere takes the functions along
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.9933 0.9866 -0.9589 0.0067"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neat-python==2.0.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from neat import activations
print(*[round(float(f(1.0)), 4) for f in (activations.sigmoid_activation, activations.tanh_activation, activations.sin_activation, activations.gauss_activation)])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
