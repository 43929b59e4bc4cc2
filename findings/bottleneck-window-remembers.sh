#!/usr/bin/env bash
# Bottleneck 1.6.0, pandas 2.3.3, NumPy 2.4.6
# One would guess: a moving mean depends on what is in its window.
# What happens: a running sum is kept: after one very large value has left the window, means are wrong to the end of the series.
# So: pandas' rolling(n).mean() compensates, or numpy's sliding_window_view.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="ten measurements after a loss of 1e17: Bottleneck 0.000, pandas 0.100"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check Bottleneck==1.6.0 pandas==2.3.3 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import bottleneck
import numpy as np
import pandas as pd

loss = np.full(20, 0.1)
loss[5] = 1e17
print(
    f"ten measurements after a loss of 1e17: Bottleneck {bottleneck.move_mean(loss, 3)[15]:.3f}, "
    f"pandas {pd.Series(loss).rolling(3).mean()[15]:.3f}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
