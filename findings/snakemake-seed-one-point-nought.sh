#!/usr/bin/env bash
# Snakemake 9.27.1, pandas 3.1.1, NumPy 2.4.6
# One would guess: a table of parameters with the seeds 1 and 2 writes seed~1 into its paths, whatever stands in other rows
# What happens: one row without a seed makes the column float: the path is seed~1.0 from then on, and that of the empty row seed~NA, so that what was computed is computed again
# So: tables of parameters are read with dtype='Int64', or without gaps
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['seed~1/rate~0.1', 'seed~2/rate~0.2'] ['seed~1.0/rate~0.1', 'seed~NA/rate~0.2']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check snakemake==9.27.1 pandas==3.1.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pandas as pd
from snakemake.utils import Paramspace
for seeds in [1, 2], [1, None]:
    print(list(Paramspace(pd.DataFrame({"seed": seeds, "rate": [0.1, 0.2]})).instance_patterns), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
