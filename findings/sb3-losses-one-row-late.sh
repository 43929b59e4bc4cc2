#!/usr/bin/env bash
# stable-baselines3 2.9.2, gymnasium 1.4.0, torch 2.13.0
# One would guess: a row of progress.csv has the losses of the update that was made at its step, and learn(100) takes 100 steps.
# What happens: train/ is empty in the first row and belongs to the update before in the others; the last update is in none; steps are whole rollouts.
# So: shift train/ up by a row before rewards and losses are compared.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="steps [64, 128], updates in the rows ['none', 1], updates made 2"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check stable-baselines3==2.9.2 gymnasium==1.4.0 pandas==2.3.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import tempfile

import pandas as pd
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure

with tempfile.TemporaryDirectory() as folder:
    model = PPO("MlpPolicy", "CartPole-v1", n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu")
    model.set_logger(configure(folder, ["csv"]))
    model.learn(100)
    log = pd.read_csv(f"{folder}/progress.csv")
updates = [int(n) if n == n else "none" for n in log["train/n_updates"]]
print(f"steps {log['time/total_timesteps'].tolist()}, updates in the rows {updates}, updates made {model._n_updates}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
