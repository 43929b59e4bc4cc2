#!/usr/bin/env bash
# emcee 3.1.6
# One would guess: np.random.seed before run_mcmc decides the chain.
# What happens: the sampler copies NumPy's generator when it is made: a seed set later changes nothing.
# So: seed before the sampler is made, or set sampler.random_state.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="seeds 3 and 4 after the sampler is made: one chain; 1 and 2 before: two"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check emcee==3.1.6 numpy==2.4.6 scipy==1.17.1
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import emcee
import numpy as np

start = np.random.default_rng(0).normal(size=(6, 2))


def end(before, after):
    np.random.seed(before)
    sampler = emcee.EnsembleSampler(6, 2, lambda x: -0.5 * (x**2).sum())
    np.random.seed(after)
    sampler.run_mcmc(start, 20)
    return sampler.get_chain()[-1].tolist()


def told(same):
    return "one" if same else "two"


print(
    f"seeds 3 and 4 after the sampler is made: {told(end(1, 3) == end(1, 4))} chain; "
    f"1 and 2 before: {told(end(1, 3) == end(2, 3))}"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
