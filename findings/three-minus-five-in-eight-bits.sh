#!/usr/bin/env bash
# amaranth 0.5.10, myhdl 0.11.52, pyrtl 1.0.3, setuptools 80.9.0
# One would guess: 3 - 5 of four bits, put into eight, is 254 (or 14, if it is cut to four first)
# What happens: it is 254 in amaranth, -2 in MyHDL, and 30 in PyRTL: its difference has five bits, and zeros are put in front
# So: widths are extended by hand (sign_extended) before a difference is stored
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="254 -2 30"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check amaranth==0.5.10 myhdl==0.11.52 pyrtl==1.0.3 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import myhdl, pyrtl
from amaranth import Module, Signal
from amaranth.sim import Simulator
m, a, b, out, seen = Module(), Signal(4), Signal(4), Signal(8), []
m.d.comb += out.eq(a - b)
async def bench(context):
    context.set(a, 3)
    context.set(b, 5)
    seen.append(context.get(out))
simulator = Simulator(m)
simulator.add_testbench(bench)
simulator.run()
x, y, difference = pyrtl.Input(4, "x"), pyrtl.Input(4, "y"), pyrtl.Output(8, "d")
difference <<= x - y
other = pyrtl.Simulation()
other.step({"x": 3, "y": 5})
print(*seen, int(myhdl.intbv(3)[4:] - myhdl.intbv(5)[4:]), other.inspect("d"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
