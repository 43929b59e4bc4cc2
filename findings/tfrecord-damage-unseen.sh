#!/usr/bin/env bash
# tfrecord 1.14.6
# One would guess: one flipped bit of a record raises: each record has a checksum
# What happens: checksums are written and not compared: 0.5 is read as 0.125
# So: files of records are checked by a digest of one's own
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.25 0.125"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check tfrecord==1.14.6 numpy==2.4.6 protobuf==7.36.2 crc32c==2.8
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from tfrecord.reader import tfrecord_loader
from tfrecord.writer import TFRecordWriter
writer = TFRecordWriter("file.tfrecord")
for value in 0.25, 0.5:
    writer.write({"x": (value, "float")})
writer.close()
content = bytearray(open("file.tfrecord", "rb").read())
content[content.index(np.float32(0.5).tobytes()) + 3] ^= 1
open("file.tfrecord", "wb").write(content)
print(*(record["x"][0] for record in tfrecord_loader("file.tfrecord", None)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
