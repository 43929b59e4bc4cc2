#!/usr/bin/env bash
# myhdl 0.11.52
# One would guess: x[3:0] is the four lowest bits, as in Verilog, which it is converted to
# What happens: it is three: the upper bound is left out, so that 11011 gives 011, and Verilog writes it as [2:0]; x[3] alone is bit 3
# So: slices read off a Verilog file get one more at the upper end
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0b11 0b1011 1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check myhdl==0.11.52
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from myhdl import intbv
x = intbv(0b11011)
print(bin(x[3:0]), bin(x[4:0]), int(x[3]))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
