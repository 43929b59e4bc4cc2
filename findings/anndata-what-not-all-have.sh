#!/usr/bin/env bash
# anndata 0.12.6, NumPy 2.4.6, pandas 3.1.1
# One would guess: two sessions that are joined keep all neurons, with gaps, or raise where they differ
# What happens: concat keeps the columns that all have, and drops what is known of them: of three neurons in two sessions one is left, without its description, and names of rows stand there twice
# So: join='outer' and merge='same' are set, and columns are counted
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="['b'] [] ['t0', 't1', 't0', 't1']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check anndata==0.12.6 numpy==2.4.6 pandas==3.1.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import anndata
import numpy as np
import pandas as pd
sessions = [
    anndata.AnnData(np.ones((2, 2)), obs=pd.DataFrame(index=["t0", "t1"]), var=pd.DataFrame({"layer": [4, 5]}, index=names))
    for names in (["a", "b"], ["b", "c"])
]
joined = anndata.concat(sessions)
print(joined.var_names.tolist(), joined.var.columns.tolist(), joined.obs_names.tolist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
