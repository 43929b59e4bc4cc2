#!/usr/bin/env bash
# ott-jax 0.6.0
# One would guess: to move a cloud of points to itself costs nothing
# What happens: it costs 0.12, and the regularised cost is 0.52: entropy is added by default, in proportion to the mean distance
# So: the cost of each cloud with itself is subtracted, as sinkhorn_divergence does
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="0.12 0.52"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ott-jax==0.6.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings
warnings.simplefilter("ignore")
import jax
from ott.geometry import pointcloud
from ott.solvers import linear
points = jax.random.normal(jax.random.PRNGKey(0), (50, 2))
found = linear.solve(pointcloud.PointCloud(points, points))
print(f"{found.primal_cost:.2f} {found.reg_ot_cost:.2f}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
