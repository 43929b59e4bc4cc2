#!/usr/bin/env bash
# mabwiser 2.7.4
# One would guess: UCB1 pulls an arm that was never pulled first: its bound is infinite.
# What happens: an arm without pulls has an expectation of 0, below every other, and is not chosen.
# So: fit each arm once before predict.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="chosen second; first 1.55, second 1.68, new 0.00"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mabwiser==2.7.4
seen=$(venv/bin/python 2>errors.txt <<'CODE'
from mabwiser.mab import MAB, LearningPolicy

bandit = MAB(arms=["first", "second", "new"], learning_policy=LearningPolicy.UCB1(alpha=1.0))
bandit.fit(decisions=["first", "first", "second"], rewards=[1, 0, 0.2])
print(f"chosen {bandit.predict()}; " + ", ".join(f"{arm} {float(value):.2f}" for arm, value in bandit.predict_expectations().items()))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
