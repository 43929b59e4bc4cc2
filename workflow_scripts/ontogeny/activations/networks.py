"""The networks of a run at its captured moments, replayed in one walk, and networks that never learned."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import KINDS, Moment
from ontogeny.trajectory import Trajectory

ROLES = ("before", "at", "after")


@dataclass(frozen=True)
class Place:
    """One step of a captured moment.

    name: for tables and figures (`jump at 72`, `before jump at 72`). kind: of the moment. role: `before`, `at` or
    `after` it. jump: the step of the jump that it belongs to, or, for a control, to which it is matched; else None.
    """

    name: str
    kind: str
    role: str
    step: int
    jump: int | None

    def columns(self) -> dict[str, Any]:
        """The columns that name this place in a table: moment, kind, role, step, jump."""
        return {"moment": self.name, "kind": self.kind, "role": self.role, "step": self.step, "jump": self.jump}


def place_of(moment: Moment, role: str = "at") -> Place:
    """The step before, at or after a moment."""
    step = {"before": moment.before, "at": moment.step, "after": moment.after}[role]
    name = f"{moment.kind} at {moment.step}"
    jump = moment.step if moment.is_event else moment.control_for
    return Place(name if role == "at" else f"{role} {name}", moment.kind, role, int(step), jump)


def places(moments: Iterable[Moment], around: Sequence[str] = ()) -> list[Place]:
    """Start, jumps, the user's steps and the end, in order of step; with before and after of the kinds in `around`."""
    found = []
    for moment in moments:
        if moment.kind in around:
            found += [place_of(moment, "before"), place_of(moment, "after")]
        if moment.kind != "control":
            found.append(place_of(moment))
    order = KINDS
    return sorted(found, key=lambda place: (place.step, order.index(place.kind), ROLES.index(place.role)))


def networks_at(trajectory: Trajectory, steps: Iterable[int]) -> dict[int, nn.Module]:
    """Step to network, in eval mode on the CPU, from one walk through the training.

    Raises OntogenyError as `Trajectory.walk` does.
    """
    return {step: copy.deepcopy(learner.model).cpu().eval() for step, learner in trajectory.walk(steps)}


def untrained_networks(trajectory: Trajectory, count: int, seed: int = 0) -> list[nn.Module]:
    """Networks of the run's architecture with fresh weights, from seeds that differ from the run's own."""
    own = trajectory.config["settings"]["seed"]
    seeds = [1_000_003 * (seed + 1) + position for position in range(count + 1)]
    return [trajectory.fresh(each) for each in [each % 2**31 for each in seeds if each % 2**31 != own][:count]]


def probe_of(trajectory: Trajectory, samples: int | None = None, tokens: bool = False) -> tuple[Tensor, Tensor]:
    """The run's probe on the CPU: inputs and labels, the first `samples` of them.

    With `tokens`, inputs may be token sequences, whose labels are the sequences themselves unless they have classes.
    Raises OntogenyError if the inputs are not real numbers, such as tokens, otherwise.
    """
    probe = trajectory.series.probe if tokens and trajectory.series else trajectory.probe
    inputs, labels = (part.cpu()[:samples] for part in probe)
    if not tokens and not inputs.is_floating_point():
        raise OntogenyError(f"run {trajectory.run} reads {inputs.dtype} inputs: this analysis is for real-valued ones")
    return inputs, labels


def spread_over_classes(labels: Tensor, count: int) -> Tensor:
    """Positions of `count` samples, in turn from every class, each class in its own order."""
    rank = torch.zeros_like(labels)
    for name in labels.unique():
        mine = labels == name
        rank[mine] = torch.arange(int(mine.sum()))
    return torch.argsort(rank * (int(labels.max()) + 1) + labels, stable=True)[:count]
