#!/usr/bin/env bash
# neo 0.14.6
# One would guess: slices of a spike train are half open, so that those of 0 to 2 s and of 2 to 4 s hold each spike once.
# What happens: both ends are included: a spike at 2 s lies in both.
# So: take away what lies at the end before counts of slices are added.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="spikes 3, in two slices 2 + 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check neo==0.14.6 quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neo
import quantities as pq

train = neo.SpikeTrain([1, 2, 3] * pq.s, t_stop=4 * pq.s)
first, second = train.time_slice(0 * pq.s, 2 * pq.s), train.time_slice(2 * pq.s, 4 * pq.s)
print(f"spikes {len(train)}, in two slices {len(first)} + {len(second)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
