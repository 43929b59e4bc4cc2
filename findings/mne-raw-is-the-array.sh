#!/usr/bin/env bash
# mne 1.13.2
# One would guess: filtering a RawArray leaves the array that it was made of.
# What happens: float64 data are not copied: the filter writes into the array.
# So: copy='both', or a copy of one's own.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="the array is changed; with copy='both' it is not"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mne==1.13.2 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import mne
import numpy as np

mne.set_log_level("ERROR")


def after(**how):
    data = np.random.default_rng(0).normal(size=(2, 1000))
    before = data.copy()
    mne.io.RawArray(data, mne.create_info(2, 100, "eeg"), **how).filter(1, 10)
    return np.array_equal(data, before)


print("the array is" + (" kept" if after() else " changed") + "; with copy='both' it is" + (" not" if after(copy="both") else ", too"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
