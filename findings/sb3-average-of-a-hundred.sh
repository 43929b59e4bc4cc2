#!/usr/bin/env bash
# stable-baselines3 2.9.2, gymnasium 1.4.0, torch 2.13.0
# One would guess: rollout/ep_rew_mean is the mean of the episodes since the last line of the log.
# What happens: it is the mean of the last 100 episodes: a reward that jumps at step 640 climbs for a thousand steps.
# So: stats_window_size, or the episodes of Monitor: a ramp in the log may be a jump.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="640: 0.0, 704: 0.9, 1024: 3.8, 1344: 7.0, 1664: 10.0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check stable-baselines3==2.9.2 gymnasium==1.4.0 pandas==2.3.3 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import tempfile

import gymnasium
import numpy as np
import pandas as pd
from stable_baselines3 import PPO
from stable_baselines3.common.logger import configure


class Jump(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,))
    action_space = gymnasium.spaces.Discrete(2)
    taken = 0

    def reset(self, seed=None, options=None):
        self.left = 10
        return np.zeros(1, "float32"), {}

    def step(self, action):
        self.left -= 1
        Jump.taken += 1
        return np.zeros(1, "float32"), float(Jump.taken > 640), self.left == 0, False, {}


with tempfile.TemporaryDirectory() as folder:
    model = PPO("MlpPolicy", Jump(), n_steps=64, batch_size=64, n_epochs=1, seed=0, device="cpu")
    model.set_logger(configure(folder, ["csv"]))
    model.learn(64 * 30)
    log = pd.read_csv(f"{folder}/progress.csv").set_index("time/total_timesteps")["rollout/ep_rew_mean"]
print(", ".join(f"{step}: {log[step]:.1f}" for step in (640, 704, 1024, 1344, 1664)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
