#!/usr/bin/env bash
# scikit-posthocs 0.17.1
# One would guess: a test after the fact, of all pairs at once, is corrected for their number.
# What happens: posthoc_dunn is not, unless p_adjust is given: its default is None.
# So: name the correction.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="least of six p-values 0.15, by Holm 0.89"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check scikit-posthocs==0.17.1 numpy==2.4.6 scipy==1.17.1 pandas==2.3.3 statsmodels==0.15.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
import scikit_posthocs

groups = list(np.random.default_rng(0).normal(size=(4, 15)))
pairs = np.triu_indices(4, 1)
plain, holm = (scikit_posthocs.posthoc_dunn(groups, p_adjust=how).values[pairs].min() for how in (None, "holm"))
default = scikit_posthocs.posthoc_dunn(groups).values[pairs].min()
assert default == plain
print(f"least of six p-values {default:.2f}, by Holm {holm:.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
