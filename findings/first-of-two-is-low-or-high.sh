#!/usr/bin/env bash
# amaranth 0.5.10, myhdl 0.11.52, pyrtl 1.0.3, setuptools 80.9.0
# One would guess: joining 1 and 2, of four bits each, puts the first on top, as Verilog's {a, b} does
# What happens: it does in MyHDL's and PyRTL's concat, 18; in amaranth's Cat the first is the low part: 33
# So: the order of bits is tested with two numbers that differ
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="33 18 18"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check amaranth==0.5.10 myhdl==0.11.52 pyrtl==1.0.3 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import myhdl, pyrtl
from amaranth import Cat, Const, Module, Signal
from amaranth.sim import Simulator
m, out, seen = Module(), Signal(8), []
m.d.comb += out.eq(Cat(Const(1, 4), Const(2, 4)))
async def bench(context):
    seen.append(context.get(out))
simulator = Simulator(m)
simulator.add_testbench(bench)
simulator.run()
wire = pyrtl.Output(8, "w")
wire <<= pyrtl.concat(pyrtl.Const(1, 4), pyrtl.Const(2, 4))
other = pyrtl.Simulation()
other.step({})
print(*seen, int(myhdl.concat(myhdl.intbv(1)[4:], myhdl.intbv(2)[4:])), other.inspect("w"))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
