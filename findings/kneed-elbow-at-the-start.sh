#!/usr/bin/env bash
# kneed 0.9.0
# One would guess: the elbow of a falling loss is found, or None.
# What happens: the curve is taken for a rising, concave one: of a falling loss the first point is its knee.
# So: curve='convex', direction='decreasing'.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="exp(-x / 10): knee 0 by default, 23 when described"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kneed==0.9.0 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from kneed import KneeLocator

x = np.arange(100)
loss = np.exp(-x / 10)
print(
    f"exp(-x / 10): knee {KneeLocator(x, loss).knee} by default, "
    f"{KneeLocator(x, loss, curve='convex', direction='decreasing').knee} when described"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
