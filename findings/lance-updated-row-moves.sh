#!/usr/bin/env bash
# pylance 14.0.2, pyarrow 26.0.1
# One would guess: a row whose value is updated stays where it is
# What happens: it moves to the end: of rows 0 to 4, with 1 updated, the table is 0 2 3 4 1, and take([1]) is the row that was 2
# So: arrays that are matched to a table by position are matched by a column instead
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[0, 2, 3, 4, 1] [2]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pylance==14.0.2 pyarrow==26.0.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import lance, pyarrow as pa
data = lance.write_dataset(pa.table({"step": range(5), "loss": [0.0] * 5}), "losses.lance")
data.update({"loss": "1.0"}, where="step = 1")
print(data.to_table()["step"].to_pylist(), data.take([1])["step"].to_pylist())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
