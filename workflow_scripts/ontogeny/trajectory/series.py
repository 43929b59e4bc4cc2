"""Trajectories that others trained: a series of checkpoints of one network, read one at a time.

There is no replay: the steps that were saved are the steps.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ontogeny.errors import OntogenyError
from ontogeny.models import count_parameters, monitored_layers
from ontogeny.models.trace import scores_in
from ontogeny.progress import Progress
from ontogeny.settings import complete
from ontogeny.trajectory.integrity import Integrity, check_series
from ontogeny.trajectory.series_networks import build_network, loaded_network, renamed_tensors
from ontogeny.trajectory.series_probe import Batch, load_probe
from ontogeny.trajectory.series_source import Source
from ontogeny.trajectory.settings import NetworkSettings, SeriesSettings
from ontogeny.trajectory.states import State, bare_name
from ontogeny.words import counted, with_article


@dataclass(frozen=True)
class SavedNetwork:
    """The network at one step, as analyses of a `Trajectory` want it: `model`, `step`, `device`."""

    model: nn.Module
    step: int
    device: torch.device


class CheckpointSeries:
    """A series of checkpoints as a trajectory.

    >>> series = CheckpointSeries(source="run/checkpoint-{step}", network={"auto": "AutoModelForCausalLM"},
    ...                           probe={"text": "lines.txt"})                               # doctest: +SKIP
    >>> series.check().table                                                               # doctest: +SKIP
    >>> for step, saved in series.walk(series.steps): ...                                  # doctest: +SKIP

    settings: `SeriesSettings`, or a mapping of them; or the blocks by keyword. cache_dir: of downloads. fetch: what
    brings the revision of a step to the disk, given (step, folder) and returning the path; by default the hub.

    `steps` are those that exist; where a report of `check` said that some are false, `use` leaves them out. One network
    is held in memory, and filled with the weights of one step after another.

    Raises OntogenyError for settings that make no sense, and where there is no checkpoint.
    """

    def __init__(
        self,
        settings: SeriesSettings | Mapping[str, Any] | None = None,
        cache_dir: str | os.PathLike = "cache",
        *,
        fetch: Callable[[int, Path], Path] | None = None,
        **blocks: Any,
    ) -> None:
        given = blocks if settings is None else settings
        self.settings: SeriesSettings = complete(SeriesSettings, given, "series")
        self.cache_dir = Path(cache_dir)
        self._source = Source(self.settings.source, self.cache_dir, fetch)
        self.steps: list[int] = self._source.steps
        self._model: nn.Module | None = None
        self._prefix: str | None = None
        self._renamed: dict[str, str] | None = None
        self._probe: Batch | None = None
        self._report: Integrity | None = None

    def state(self, step: int) -> State:
        """The weights of `step`, read tensor by tensor. Raises OntogenyError if they cannot be read."""
        return self._source.open(step)

    def check(self) -> Integrity:
        """Read every checkpoint once, and say what makes the series false (see `check_series`)."""
        progress = Progress(len(self.steps), "checkpoints")
        report = check_series(self.steps, self.state, lambda done, step: progress.update(done, f"step {step}"))
        self._report = report
        return report

    def use(self, steps: Iterable[int]) -> None:
        """Go on with these steps only. Raises OntogenyError for none, with what is wrong with the first checkpoint."""
        self.steps = self._some(steps)

    def _some(self, steps: Iterable[int]) -> list[int]:
        chosen = sorted(set(steps))
        if not chosen:
            raise OntogenyError(f"no step of the series is left{self._why()}")
        return chosen

    def _why(self) -> str:
        """What is wrong with the first checkpoint that is not as it should be, after a colon."""
        problems = self._report.problems if self._report else {}
        if problems:
            return f": step {min(problems)}: {problems[min(problems)][0]}"
        try:
            self.state(self.steps[0])
        except OntogenyError as error:
            return f": step {self.steps[0]}: {error}"
        return f": name some of its steps, {', '.join(map(str, self.steps[:6]))}"

    def at(self, step: int) -> nn.Module:
        """The network of `step`, in eval mode: the one of this series, until another step is asked for.

        Raises OntogenyError for a step that was not saved, and for weights that do not fit the network.
        """
        if step not in self.steps:
            near = min(self.steps, key=lambda other: abs(other - step))
            raise OntogenyError(
                f"there is no checkpoint of step {step}, and no way to train to it; the nearest is {near}"
            )
        if self.settings.network.auto is None:
            self._fill(self.network(), self.state(step), step)
        elif not self._refilled(step):
            self._model = None
            self._model = loaded_network(self.settings.network, self._source.a_folder(), self.state(step), step)
        return self.network().eval()

    def _refilled(self, step: int) -> bool:
        """Whether the network could be filled in place: each of its tensors is one of the file, under whatever name."""
        try:
            self._fill(self.network(), self.state(step), step)
        except OntogenyError:
            if self._renamed is not None:
                return False
            self._renamed = renamed_tensors(self.settings.network, self._source.a_folder(), self.state(step))
            return bool(self._renamed) and self._refilled(step)
        return True

    def walk(self, steps: Iterable[int]) -> Iterator[tuple[int, SavedNetwork]]:
        """Yield `(step, network)` for every one of `steps`, ascending; look at it before asking for the next.

        Raises OntogenyError as `use` and `at` do.
        """
        for step in self._some(steps):
            model = self.at(step)
            yield step, SavedNetwork(model, step, next(model.parameters()).device)

    def network(self) -> nn.Module:
        """The network, with whatever weights it holds now."""
        if self._model is None:
            self._model = self.fresh(0)
        return self._model

    def fresh(self, seed: int) -> nn.Module:
        """Another network of the same architecture with fresh weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_network(self.settings.network, lambda: self.probe, self._source.a_folder, seed)
        return network.float().eval()

    @property
    def probe(self) -> Batch:
        """Inputs and labels of the probe; of token sequences the labels are the next tokens."""
        if self._probe is None:
            self._probe = load_probe(self.settings.probe, self.settings.network, self._source.a_folder, self.cache_dir)
        return self._probe

    @property
    def layers(self) -> dict[str, str]:
        """Display name to module path of every layer that is measured."""
        return {each.name: each.path for each in monitored_layers(self.network(), self.settings.tracking.layers)}

    @property
    def parameters(self) -> int:
        """How many weights the network has."""
        return count_parameters(self.network())

    def weights(self, step: int, path: str) -> list[Tensor]:
        """The parameters of the module `path` at `step`, in its order, without those of the rest where that can be."""
        if self._prefix is not None and self._renamed != {}:
            state = self.state(step)
            sources: dict[int, str] = {}
            for name, tensor in self.network().state_dict(keep_vars=True).items():
                source = self._source_of(name)
                if source in state:
                    sources.setdefault(tensor.data_ptr(), source)
            pointers = [each.data_ptr() for each in self.network().get_submodule(path).parameters()]
            if all(pointer in sources for pointer in pointers):
                return [state[sources[pointer]] for pointer in pointers]
        return [each.detach().clone() for each in self.at(step).get_submodule(path).parameters()]

    def _source_of(self, name: str) -> str:
        """The name in the files of the tensor `name` of the network."""
        return (self._renamed or {}).get(name, f"{self._prefix}{bare_name(name)}")

    @torch.no_grad()
    def _fill(self, model: nn.Module, state: State, step: int) -> None:
        own = model.state_dict(keep_vars=True)
        if self._prefix is None:
            self._prefix = _prefix(own, state)
        tied: dict[int, str] = {}
        lacking = []
        for name, tensor in own.items():
            if tensor.data_ptr() in tied and tensor.numel():
                continue
            source = self._source_of(name)
            if source not in state:
                if not isinstance(tensor, nn.Parameter) and not name.endswith(_STATISTICS):
                    continue
                lacking.append(name)
                continue
            value = state[source]
            if tensor.is_floating_point() and (value.element_size() == 1 or not value.is_floating_point()):
                raise OntogenyError(
                    f"step {step}: {source} is stored as {str(value.dtype).removeprefix('torch.')}, and quantised "
                    "weights mean nothing without their scales: save them as float32 or bfloat16"
                )
            if value.shape != tensor.shape:
                raise OntogenyError(
                    f"step {step} does not fit the network: {source} is {tuple(value.shape)}, and the network's "
                    f"{name} is {tuple(tensor.shape)}"
                )
            tensor.data.copy_(value)
            tied[tensor.data_ptr()] = name
        lacking = [name for name in lacking if own[name].data_ptr() not in tied]
        if lacking:
            raise OntogenyError(
                f"step {step} does not fit the network: it lacks {lacking[0]}"
                + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")
                + _translated(model, self.settings.network)
            )


_STATISTICS = ("running_mean", "running_var")


def _translated(model: nn.Module, settings: NetworkSettings) -> str:
    """Advice where a network of transformers was built by hand, so that its library does not translate its files."""
    if settings.auto is not None or not type(model).__module__.startswith("transformers."):
        return ""
    return "; save_pretrained may give tensors other names: name the network by its auto class, as network.auto"


def _prefix(own: Mapping[str, Tensor], state: State) -> str:
    """What stands before the network's names in the file, such as `module.` or `model.`.

    Raises OntogenyError where nothing fits, and where the whole network is there twice, as of a student and a teacher.
    """
    names = dict.fromkeys(state)
    own = {bare_name(name): tensor for name, tensor in own.items()}
    counts = {"": sum(name in names for name in own)}
    for first in list(own)[:3]:
        for name in names:
            if name.endswith(f".{first}"):
                prefix = name[: -len(first)]
                counts[prefix] = sum(f"{prefix}{each}" in names for each in own)
    best = max(counts, key=lambda prefix: (counts[prefix], -len(prefix)))
    if not counts[best]:
        raise OntogenyError(
            f"the checkpoints do not fit the network: they hold {', '.join(sorted(names)[:3])}, ...; it has "
            f"{', '.join(list(own)[:3])}, ..."
        )
    rivals = sorted(prefix for prefix in counts if counts[prefix] == counts[best])
    if len(rivals) > 1 and rivals[0]:
        raise OntogenyError(
            f"the checkpoints hold the network {len(rivals)} times, under "
            f"{' and '.join(each[:-1] for each in rivals)}: name one of them as source.key"
        )
    return best


def task_loss(outputs: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats and accuracy, of class scores, or of the next token at every position but the last.

    Raises OntogenyError for outputs that are not such scores.
    """
    scores = scores_in(outputs)
    if not isinstance(scores, Tensor):
        raise OntogenyError(
            f"the network returns {with_article(type(scores).__name__)} without scores of classes or tokens"
        )
    if scores.ndim == 3 and targets.ndim == 2:
        scores, targets = scores[:, :-1].flatten(0, 1), targets[:, 1:].flatten()
    if scores.ndim != 2 or len(scores) != len(targets):
        raise OntogenyError(
            f"the network returns {tuple(scores.shape)} for labels {tuple(targets.shape)}: scores of classes for one "
            "label per sample, or of tokens for each position, can be measured (of tokens, leave out the labels)"
        )
    if int(targets.max()) >= scores.shape[1]:
        raise OntogenyError(
            f"labels go up to {int(targets.max())}, but the network has {counted(scores.shape[1], 'class')}"
        )
    right = (scores.argmax(-1) == targets).double().mean()
    return functional.cross_entropy(scores.float(), targets), right
