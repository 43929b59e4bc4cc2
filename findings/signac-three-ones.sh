#!/usr/bin/env bash
# signac 2.4.1
# One would guess: state points that are equal in Python are one job, or a search tells them apart.
# What happens: 1, 1.0 and True are three jobs, and a search for any of them finds all three.
# So: one type for each parameter, before jobs are opened.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="3 jobs; a search for 1 finds 3, for 1.0 3, for True 3"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check signac==2.4.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import signac

project = signac.init_project()
for rate in (1, 1.0, True):
    project.open_job({"learning_rate": rate}).init()
one, float_, true = (len(project.find_jobs({"learning_rate": rate})) for rate in (1, 1.0, True))
print(f"{len(project)} jobs; a search for 1 finds {one}, for 1.0 {float_}, for True {true}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
