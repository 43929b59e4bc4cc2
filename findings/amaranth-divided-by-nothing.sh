#!/usr/bin/env bash
# amaranth 0.5.10
# One would guess: in a simulation a division by 0 raises, or all bits are unknown or set, as in Verilog simulators and RISC-V
# What happens: quotient and remainder are both 0, without a word: 7 // 0 is 0 and 7 % 0 is 0, so that q * b + r is not a
# So: a truth table that is read off such a simulation has rows that other tools do not give
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 1 0 0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check amaranth==0.5.10
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from amaranth import Module, Signal
from amaranth.sim import Simulator
m, a, b, q, r = Module(), Signal(4), Signal(4), Signal(4), Signal(4)
m.d.comb += [q.eq(a // b), r.eq(a % b)]
async def bench(context):
    for divisor in 2, 0:
        context.set(a, 7)
        context.set(b, divisor)
        print(context.get(q), context.get(r), end=" ")
simulator = Simulator(m)
simulator.add_testbench(bench)
simulator.run()
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
