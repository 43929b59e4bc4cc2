#!/usr/bin/env bash
# xicor 1.0.1, setuptools 80.9.0
# One would guess: the correlation of y with itself is 1 for any number of points, as Pearson's is
# What happens: its largest value is (n - 2) / (n + 1): 0.73 for 10 points and 0.97 for 100; and it is not symmetric: for y = x^2 on both sides of 0, xi(x, y) is high and xi(y, x) low
# So: correlations of samples of different sizes are compared as shares of that value, and the direction is stated
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.73 0.97 0.94 -0.49"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check xicor==1.0.1 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from xicor.xicor import Xi
for n in 10, 100:
    print(round(float(Xi(list(range(n)), list(range(n))).correlation), 2), end=" ")
x = [k + 0.1 for k in range(-50, 50)]
y = [v * v for v in x]
print(round(float(Xi(x, y).correlation), 2), round(float(Xi(y, x).correlation), 2))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
