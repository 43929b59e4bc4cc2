#!/usr/bin/env bash
# gstools 1.7.0, NumPy 2.4.6
# One would guess: the correlation of a Gaussian model at its length is exp(-1/2) or exp(-1)
# What happens: it is exp(-pi/4), 0.46: lengths are scaled so that the correlation adds up to the length; rescale=1 gives exp(-1)
# So: a length is stated with its model
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.456 0.368 0.456 0.368"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gstools==1.7.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gstools, math
print(*[round(float(v), 3) for v in (gstools.Gaussian(dim=1, len_scale=2).correlation(2.0), gstools.Gaussian(dim=1, len_scale=2, rescale=1).correlation(2.0), math.exp(-math.pi / 4), gstools.Exponential(dim=1, len_scale=2).correlation(2.0))])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
