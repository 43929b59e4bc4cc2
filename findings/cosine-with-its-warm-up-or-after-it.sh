#!/usr/bin/env bash
# keras 3.15.1, optax 0.2.8, jax 0.10.2, NumPy 2.4.6
# One would guess: a cosine of ten steps with five of warm-up ends at the same step in optax and Keras
# What happens: it ends at step 10 in optax, where the warm-up is a part of the ten, and at step 15 in Keras, where it comes before them: at step 10 the rates are 0 and 0.5
# So: the step at which a rate is 0 is compared before a schedule is carried over
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="1.0 1.0 0.0 0.5 0.0 0.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keras==3.15.1 optax==0.2.8 jax==0.10.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras
import optax
one = optax.warmup_cosine_decay_schedule(0.0, 1.0, warmup_steps=5, decay_steps=10)
other = keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=5)
print(*(round(abs(float(schedule(step))), 2) for step in (5, 10, 15) for schedule in (one, other)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
