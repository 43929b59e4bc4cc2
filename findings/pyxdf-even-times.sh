#!/usr/bin/env bash
# pyxdf 1.17.5
# One would guess: the time stamps of a recording come back as they were recorded.
# What happens: where a stream names a rate, a straight line through the stamps is returned: samples move by up to half a second here.
# So: load_xdf(path, dejitter_timestamps=False).
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="irregular samples at about 10 a second: moved by up to 0.49 s, intervals all equal; with dejitter_timestamps=False by 0.00 s"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyxdf==1.17.5 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import logging
import struct

import numpy as np
import pyxdf

logging.disable(logging.CRITICAL)
times = np.cumsum(np.random.default_rng(0).exponential(0.1, size=50))


def chunk(tag, body):
    return b"\x04" + struct.pack("<IH", len(body) + 2, tag) + body


def described(**tags):
    return ("<info>" + "".join(f"<{k}>{v}</{k}>" for k, v in tags.items()) + "</info>").encode()


stream = struct.pack("<I", 1)
samples = b"".join(b"\x08" + struct.pack("<dd", time, number) for number, time in enumerate(times))
with open("run.xdf", "wb") as file:
    file.write(b"XDF:" + chunk(1, described(version="1.0")))
    file.write(chunk(2, stream + described(name="a", type="b", channel_count=1, nominal_srate=10, channel_format="double64")))
    file.write(chunk(3, stream + bytes([1, 50]) + samples) + chunk(6, stream + described()))


def read(**how):
    return pyxdf.load_xdf("run.xdf", **how)[0][0]["time_stamps"]


plain, kept = read(), read(dejitter_timestamps=False)
print(
    f"irregular samples at about 10 a second: moved by up to {np.abs(plain - times).max():.2f} s, "
    f"intervals {'all equal' if np.ptp(np.diff(plain)) < 1e-9 else 'differ'}; "
    f"with dejitter_timestamps=False by {np.abs(kept - times).max():.2f} s"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
