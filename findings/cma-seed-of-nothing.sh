#!/usr/bin/env bash
# cma 4.5.0
# One would guess: seed=0 gives the same run twice, as seed=1 does.
# What happens: 0 stands for the time of day: another run each time.
# So: count seeds from 1.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="seed 0: another run, seed 1: the same run"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check cma==4.5.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import cma


def twice(seed):
    settings = {"seed": seed, "verbose": -9, "maxfevals": 20, "verb_log": 0}
    ends = [cma.fmin(lambda x: sum(x**2), [1.0, 1.0], 0.5, settings)[0][0] for _ in range(2)]
    return "the same run" if ends[0] == ends[1] else "another run"


print(f"seed 0: {twice(0)}, seed 1: {twice(1)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
