#!/usr/bin/env bash
# dynesty 3.1.0
# One would guess: results.samples are draws from the posterior.
# What happens: they are weighted, from the prior inwards: the standard deviation of a posterior of 0.1 looks like 1.4.
# So: results.samples_equal(), or the weights.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="samples more than 1, samples_equal about 0.1"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dynesty==3.1.0 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import dynesty
import numpy as np

sampler = dynesty.NestedSampler(
    lambda x: -0.5 * ((x - 0.5) ** 2 / 0.01).sum(), lambda u: 10 * u - 5, 1, nlive=100, rstate=np.random.default_rng(0)
)
sampler.run_nested(print_progress=False)
raw, equal = sampler.results.samples.std(), sampler.results.samples_equal().std()
print(f"samples {'more than 1' if raw > 1 else 'less'}, samples_equal {'about 0.1' if 0.08 < equal < 0.12 else 'not'}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
