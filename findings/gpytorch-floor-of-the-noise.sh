#!/usr/bin/env bash
# gpytorch 1.15.2, torch 2.13.0
# One would guess: the noise of data without noise is fitted as near to 0 as the optimiser goes.
# What happens: the noise of GaussianLikelihood cannot fall below 1e-4; what is asked for below raises.
# So: noise_constraint=GreaterThan(1e-8), with the data scaled.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="after 300 steps 1e-04, with a constraint of one's own below 2e-05"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check gpytorch==1.15.2 torch==2.13.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import warnings

warnings.simplefilter("ignore")
import gpytorch
import torch

x = torch.linspace(0, 1, 20, dtype=torch.float64)
y = torch.sin(6 * x)


class Process(gpytorch.models.ExactGP):
    def __init__(self, likelihood):
        super().__init__(x, y, likelihood)
        self.mean = gpytorch.means.ZeroMean()
        self.kernel = gpytorch.kernels.ScaleKernel(gpytorch.kernels.RBFKernel())

    def forward(self, x):
        return gpytorch.distributions.MultivariateNormal(self.mean(x), self.kernel(x))


def noise(**how):
    likelihood = gpytorch.likelihoods.GaussianLikelihood(**how).double()
    model = Process(likelihood).double().train()
    likelihood_of = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
    optimizer = torch.optim.Adam(model.parameters(), 0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (-likelihood_of(model(x), y)).backward()
        optimizer.step()
    return likelihood.noise.item()


free = noise(noise_constraint=gpytorch.constraints.GreaterThan(1e-8))
print(f"after 300 steps {noise():.0e}, with a constraint of one's own {'below 2e-05' if free < 2e-5 else free}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
