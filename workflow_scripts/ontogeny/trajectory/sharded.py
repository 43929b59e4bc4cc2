"""A learner whose weights, gradients and optimiser are shared out among processes (fully sharded data parallel).

Every process calls the same functions in the same order, and holds a part of every weight; a block's weights are put
together while it computes, and let go afterwards. A step's batch is shared out too. Outside of a group of processes
nothing here has an effect.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch import distributed as dist

from ontogeny.models.judge import Judge
from ontogeny.trajectory.checkpoints import whole
from ontogeny.trajectory.learner import Learner, own_random_numbers


def processes() -> int:
    """How many processes share the training of a judge; 1 outside of a group."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def shard(judge: Judge) -> None:
    """Share out the weights of a judge among the processes of the group, block by block (Zhao et al. 2023,
    arXiv:2304.11277, as PyTorch's `fully_shard` does it)."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(next(judge.parameters()).device.type, (processes(),))
    for block in judge.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(judge, mesh=mesh)


class ShardedLearner(Learner):
    """A learner that does a process's part. Its state is that of a learner of one process, and the same in all.

    Batches have to be multiples of the number of processes.
    """

    def gradient(self) -> tuple[float, float]:
        count, rank = dist.get_world_size(), dist.get_rank()
        inputs, targets = (part.chunk(count)[rank] for part in self.batch(self.step))
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        with own_random_numbers(self):
            for part, wanted in zip(inputs.chunk(self.accumulation), targets.chunk(self.accumulation)):
                loss = self.loss(self.model(part), wanted) * (len(wanted) / len(targets))
                loss.backward()
                total += loss.detach().double()
        dist.all_reduce(total)
        limit = math.inf if self.gradient_clip is None else self.gradient_clip
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), limit)
        return float(total) / count, float(whole(norm))

    def restore(self, tensors: dict[str, Tensor], step: int) -> None:
        """As that of a learner: every process takes its part of the tensors, all in the order of their names."""
        shards = dict(self.model.named_parameters())
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        mine = {}
        for name, tensor in sorted(tensors.items()):
            shard = shards.get(name.removeprefix("model.")) if name.startswith("model.") else None
            if name.startswith("optimizer.") and tensor.ndim:
                shard = trained[int(name.split(".")[1])]
            mine[name] = _like(tensor, shard)
        super().restore(mine, step)


def _like(tensor: Tensor, shard: Tensor | None) -> Tensor:
    """The part of `tensor` that is this process's, as that of `shard` is."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(shard, DTensor) or tensor.shape != shard.shape:
        return tensor
    return distribute_tensor(tensor.to(shard.device), shard.device_mesh, shard.placements)
