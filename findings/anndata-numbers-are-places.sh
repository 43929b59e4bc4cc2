#!/usr/bin/env bash
# anndata 0.12.6, NumPy 2.4.6, pandas 3.1.1
# One would guess: of neurons that are named 2, 0 and 1 the one named 2 is chosen by [[2]]
# What happens: names become text when the table is made, and a number is a place: [[2]] gives the third row, that of neuron 1, and [['2']] that of neuron 2
# So: neurons are named by text, such as n2
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['1'] ['2']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check anndata==0.12.6 numpy==2.4.6 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import anndata
import numpy as np
import pandas as pd
table = anndata.AnnData(np.arange(3.0)[:, None], obs=pd.DataFrame(index=[2, 0, 1]))
print(table[[2]].obs_names.tolist(), table[["2"]].obs_names.tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
