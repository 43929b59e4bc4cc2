#!/usr/bin/env bash
# ndlib 6.0.1, six 1.17.0, setuptools 80.9.0
# One would guess: the status of each iteration holds the status of each node
# What happens: the first one does, and the others hold the nodes that changed: 50, then a few; node_count counts all
# So: states over time are added up from the first one
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="50 True [50, 50, 50, 50]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ndlib==6.0.1 six==1.17.0 setuptools==80.9.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import networkx, numpy, random
import ndlib.models.epidemics as epidemics, ndlib.models.ModelConfig as configuration
random.seed(1)
numpy.random.seed(1)
model = epidemics.SIRModel(networkx.erdos_renyi_graph(50, 0.1, seed=1))
settings = configuration.Configuration()
for name, value in (("beta", 0.1), ("gamma", 0.05), ("fraction_infected", 0.1)):
    settings.add_model_parameter(name, value)
model.set_initial_status(settings)
seen = model.iteration_bunch(4)
print(len(seen[0]["status"]), all(len(each["status"]) < 25 for each in seen[1:]), [sum(each["node_count"].values()) for each in seen])
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
