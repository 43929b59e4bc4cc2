#!/usr/bin/env bash
# webdataset 1.0.2
# One would guess: lr0.1_step5.npy and lr0.2_step5.npy are two samples with the field npy.
# What happens: names are cut at the first dot: one sample, lr0, with the fields 1_step5.npy and 2_step5.npy.
# So: no dots in names of samples.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="lr0: 1_step5.npy 2_step5.npy"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check webdataset==1.0.2 numpy==2.4.6 torch==2.13.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import io
import tarfile

import webdataset

with tarfile.open("shard.tar", "w") as shard:
    for name in ("lr0.1_step5.npy", "lr0.2_step5.npy"):
        member = tarfile.TarInfo(name)
        member.size = 1
        shard.addfile(member, io.BytesIO(b"x"))
for sample in webdataset.WebDataset("shard.tar", shardshuffle=False):
    print(f"{sample['__key__']}:", *sorted(key for key in sample if not key.startswith("__")))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
