#!/usr/bin/env bash
# pymoo 0.6.2
# One would guess: after minimize(problem, algorithm) the algorithm holds its population, and where no point is feasible the least infeasible one is returned.
# What happens: a copy runs: the algorithm's population is None; without a feasible point X and F are None.
# So: result.algorithm; result.pop holds what was tried.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="population None, in the result 10; without a feasible point None, tried 10"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pymoo==0.6.2 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from pymoo.algorithms.soo.nonconvex.ga import GA
from pymoo.optimize import minimize
from pymoo.problems.functional import FunctionalProblem

algorithm = GA(pop_size=10)
result = minimize(FunctionalProblem(2, lambda x: (x**2).sum(), xl=-1, xu=1), algorithm, ("n_gen", 3), seed=0)
never = FunctionalProblem(2, lambda x: (x**2).sum(), constr_ieq=[lambda x: 1.0], xl=-1, xu=1)
other = minimize(never, GA(pop_size=10), ("n_gen", 3), seed=0)
print(
    f"population {algorithm.pop}, in the result {len(result.algorithm.pop)}; "
    f"without a feasible point {other.X}, tried {len(other.pop)}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
