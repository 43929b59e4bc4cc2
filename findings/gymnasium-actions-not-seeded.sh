#!/usr/bin/env bash
# gymnasium 1.4.0
# One would guess: env.reset(seed=0) makes a run with env.action_space.sample() repeatable.
# What happens: the space has a generator of its own, which reset does not seed.
# So: env.action_space.seed(0) too.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="reset(seed): False; and action_space.seed: True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gymnasium==1.4.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import gymnasium

env = gymnasium.make("CartPole-v1")


def actions(seed_space):
    env.reset(seed=0)
    if seed_space:
        env.action_space.seed(0)
    return [int(env.action_space.sample()) for _ in range(64)]


print(f"reset(seed): {actions(False) == actions(False)}; and action_space.seed: {actions(True) == actions(True)}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
