"""Optimisers that do not load torch's compiler take the same steps as those that do."""

import subprocess
import sys

import pytest
import torch

from ontogeny.models.optimizers import eager

KINDS = {
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.1}),
    "fused": (torch.optim.AdamW, {"fused": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9}),
    "rmsprop": (torch.optim.RMSprop, {}),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_steps_are_those_of_torch_also_from_a_state_that_was_kept(name):
    kind, options = KINDS[name]
    torch.manual_seed(0)
    networks = [torch.nn.Linear(4, 3) for _ in range(3)]
    for network in networks[1:]:
        network.load_state_dict(networks[0].state_dict())
    ours, theirs, resumed = (
        each(network.parameters(), lr=0.01, **options)
        for each, network in zip((eager(kind), kind, eager(kind)), networks)
    )

    def train(network, optimizer, steps):
        generator = torch.Generator().manual_seed(1)
        for _ in range(steps):
            optimizer.zero_grad()
            network(torch.randn(5, 4, generator=generator)).square().mean().backward()
            optimizer.step()

    train(networks[0], ours, 3)
    train(networks[1], theirs, 3)
    assert torch.equal(networks[0].weight, networks[1].weight)
    networks[2].load_state_dict(networks[0].state_dict())
    resumed.load_state_dict(ours.state_dict())
    train(networks[1], theirs, 2)
    train(networks[2], resumed, 2)
    assert torch.equal(networks[2].weight, networks[1].weight)
    assert isinstance(ours, kind)


def test_training_does_not_load_the_compiler():
    code = (
        "import sys, torch; from ontogeny.models.optimizers import eager\n"
        "network = torch.nn.Linear(2, 2); optimizer = eager(torch.optim.AdamW)(network.parameters())\n"
        "network(torch.ones(1, 2)).sum().backward(); optimizer.step(); optimizer.zero_grad()\n"
        "optimizer.load_state_dict(optimizer.state_dict()); sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
