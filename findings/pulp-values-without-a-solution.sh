#!/usr/bin/env bash
# pulp 3.3.2
# One would guess: variables of a problem that has no solution have no value, and a second objective is added or refused
# What happens: they hold numbers that break a constraint (x + y = 5 where 3 is the most), and nothing raises: only the status says Infeasible; and the second objective replaces the first
# So: the status is compared before a value is read
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="Infeasible True 2*x"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulp==3.3.2
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import pulp, warnings
warnings.simplefilter("ignore")
x, y = pulp.LpVariable("x", 0, 10), pulp.LpVariable("y", 0, 10)
problem = pulp.LpProblem("a", pulp.LpMinimize)
problem += x + y
problem += x + y >= 5
problem += x + y <= 3
problem.solve(pulp.PULP_CBC_CMD(msg=0))
print(pulp.LpStatus[problem.status], x.value() is not None, end=" ")
problem += 2 * x
print(problem.objective)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
