#!/usr/bin/env bash
# dask-jobqueue 0.9.0, dask 2026.8.0
# One would guess: a job of 16 cores and 64 GB is one worker that has both, for as long as the cluster gives
# What happens: it is four workers of four threads and a quarter of the memory each, for half an hour: a task that needs 20 GB is killed
# So: processes=1 and walltime are given
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="-t 00:30:00 --nthreads 4 --memory-limit 14.90GiB --nworkers 4"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dask-jobqueue==0.9.0 dask==2026.8.0 distributed==2026.8.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import re
from dask_jobqueue import SLURMCluster
cluster = SLURMCluster(cores=16, memory="64GB")
print(*re.findall(r"-t [0-9:]+|--nthreads [0-9]+|--nworkers [0-9]+|--memory-limit [0-9.]+GiB", cluster.job_script()))
cluster.close()
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
