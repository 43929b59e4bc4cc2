#!/usr/bin/env bash
# elephant 1.2.1, neo 0.14.6
# One would guess: spikes in the last, incomplete bin of a recording are counted in a bin.
# What happens: BinnedSpikeTrain has no such bin and leaves them out.
# So: make t_stop a multiple of the bin, or count spikes before and after.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="5 spikes, 3 in 10 bins"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check elephant==1.2.1 neo==0.14.6 quantities==0.16.4 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import neo
import quantities as pq
from elephant.conversion import BinnedSpikeTrain

spikes = neo.SpikeTrain([0.1, 0.2, 0.3, 1.02, 1.04] * pq.s, t_stop=1.05 * pq.s)
binned = BinnedSpikeTrain(spikes, bin_size=0.1 * pq.s)
print(f"{len(spikes)} spikes, {int(binned.get_num_of_spikes())} in {binned.shape[1]} bins")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
