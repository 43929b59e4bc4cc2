#!/usr/bin/env bash
# pyEDM 2.5.7, pandas 3.1.1, NumPy 2.4.6
# One would guess: in a convergent cross mapping where x drives y, the column x:y is the high one
# What happens: it is y:x: a column a:b says how well b is found from the record of a, and it is the effect that holds a record of its cause: x:y 0.43, y:x 0.93
# So: the arrow is drawn from the second name to the first
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="{'x:y': 0.43, 'y:x': 0.93}"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyEDM==2.5.7 pandas==3.1.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, pandas as pd, pathlib, subprocess, sys
pathlib.Path("run.py").write_text('''
import numpy as np, pandas as pd, pyEDM
if __name__ == "__main__":
    x, y = np.full(300, 0.4), np.full(300, 0.2)
    for t in range(299):
        x[t + 1] = x[t] * (3.8 - 3.8 * x[t])
        y[t + 1] = y[t] * (3.5 - 3.5 * y[t] - 0.3 * x[t])
    table = pd.DataFrame({"t": range(300), "x": x, "y": y})
    found = pyEDM.CCM(dataFrame=table, E=2, columns="x", target="y", libSizes="50 250 100", sample=10, seed=1)
    print(found[["x:y", "y:x"]].iloc[-1].round(2).to_dict())
''')
print(subprocess.run([sys.executable, "run.py"], capture_output=True, text=True, check=True).stdout.strip())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
