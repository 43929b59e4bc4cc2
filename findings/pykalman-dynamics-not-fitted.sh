#!/usr/bin/env bash
# pykalman 0.11.2
# One would guess: em() of a Kalman filter learns the dynamics.
# What happens: the transition matrix stays the identity: em() fits covariances and first states alone unless em_vars names more.
# So: em_vars=['transition_matrices', ...].
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="x[t+1] = 0.5 x[t] + noise: 1.00 by default, between 0.4 and 0.8 when named"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pykalman==0.11.2 numpy==2.4.6 scipy==1.16.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np
from pykalman import KalmanFilter

rng = np.random.default_rng(0)
x = np.zeros(400)
for t in range(1, 400):
    x[t] = 0.5 * x[t - 1] + rng.normal()
default = KalmanFilter(n_dim_state=1, n_dim_obs=1).em(x[:, None]).transition_matrices.item()
names = ["transition_matrices", "transition_covariance", "observation_covariance"]
named = KalmanFilter(n_dim_state=1, n_dim_obs=1, em_vars=names).em(x[:, None]).transition_matrices.item()
print(
    f"x[t+1] = 0.5 x[t] + noise: {default:.2f} by default, {'between 0.4 and 0.8' if 0.4 < named < 0.8 else named} when named"
)
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
