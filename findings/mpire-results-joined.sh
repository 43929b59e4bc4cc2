#!/usr/bin/env bash
# mpire 2.10.2
# One would guess: a map gives one result for each task
# What happens: results that are arrays are joined to one: two tasks that return 2 and 3 numbers give one array of 5, unless concatenate_numpy_output=False; and a task that is a tuple is taken apart
# So: results of several runs are kept apart by a key, not by their place
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="ndarray 5 list 2 [2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mpire==2.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from mpire import WorkerPool
def ones(size): return np.ones(size)
def how_many(*parts): return len(parts)
if __name__ == "__main__":
    with WorkerPool(2, start_method="fork") as pool:
        joined = pool.map(ones, [2, 3])
        apart = pool.map(ones, [2, 3], concatenate_numpy_output=False)
        print(type(joined).__name__, len(joined), type(apart).__name__, len(apart), pool.map(how_many, [(1, 2)]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
