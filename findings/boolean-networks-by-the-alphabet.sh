#!/usr/bin/env bash
# pyboolnet 3.0.16, biodivine-aeon 1.4.2
# One would guess: the digits of a state stand in the order in which a file lists its variables
# What happens: they stand in alphabetical order: where z follows a and a follows not z, 00 goes to 10, which is a = 1; aeon sorts them too, and gene10 comes before gene2
# So: states are written as names with values
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="('00', '10') ['gene10', 'gene2']"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyboolnet==3.0.16 biodivine-aeon==1.4.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import biodivine_aeon, pyboolnet.file_exchange, pyboolnet.state_transition_graphs
text = "z, a\na, !z"
primes = pyboolnet.file_exchange.bnet2primes(text)
print(sorted(pyboolnet.state_transition_graphs.primes2stg(primes, "synchronous").edges())[0],
      biodivine_aeon.BooleanNetwork.from_bnet("targets,factors\ngene2, gene10\ngene10, gene2").variable_names())
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
