"""Going back into a finished training, to any step, exactly."""

from __future__ import annotations

import copy
import logging
import operator
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.files import read_json
from ontogeny.trajectory.checkpoints import (
    checkpoint_path,
    checkpoint_steps,
    load_checkpoint,
    trained_state,
    weights_digest,
)
from ontogeny.trajectory.learner import Batch, Learner
from ontogeny.trajectory.series import CheckpointSeries, SavedNetwork
from ontogeny.trajectory.settings import SeriesSettings
from ontogeny.trajectory.setup import Setup, set_up

logger = logging.getLogger("ontogeny")

RUN_FORMAT = "ontogeny-run/1"


@contextmanager
def threads_of_torch(count: int) -> Iterator[None]:
    """A block in which PyTorch computes with `count` threads, on which the last bits of a sum depend."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Kept:
    """The networks of a walk, on disk: the trained part of each, which is put into one network as it is asked for."""

    def __init__(self, walked: Iterable[tuple[int, Learner | SavedNetwork]]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ontogeny-networks-")
        self.steps: set[int] = set()
        self._model: nn.Module | None = None
        for step, learner in walked:
            tensors = {
                name: tensor.detach().cpu().contiguous() for name, tensor in trained_state(learner.model).items()
            }
            save_file(tensors, self._path(step))
            self.steps.add(step)
            last = learner
        if self.steps:
            self._model, self._device = copy.deepcopy(last.model), last.device

    def walk(self, steps: Iterable[int]) -> Iterator[tuple[int, SavedNetwork]]:
        """As `Trajectory.walk`: one network that is filled with the weights of one step after another."""
        model = copy.deepcopy(self._model)
        for step in steps:
            assert model is not None
            model.load_state_dict(load_file(self._path(step)), strict=False)
            yield step, SavedNetwork(model.eval(), step, self._device)

    def _path(self, step: int) -> str:
        return os.path.join(self._folder.name, f"{step}.safetensors")


class Trajectory:
    """A finished run on disk, and the way back to every step of it.

    >>> trajectory = Trajectory("results/runs/digits_mlp/s0")    # doctest: +SKIP
    >>> model = trajectory.at(137)                               # doctest: +SKIP

    A step's network is the one after that many optimisation steps. It is made by loading the nearest earlier
    checkpoint and training on from there; where the step was logged, the digest of the weights proves that it is the
    same network. On the CPU a difference is an error, unless `exact` is false; on a GPU, whose arithmetic may vary, it
    is a warning with the distance.

    Raises OntogenyError if `folder` holds no run, or one that another version of the format wrote.
    """

    def __init__(self, folder: str | os.PathLike, cache_dir: str | os.PathLike = "cache", exact: bool = True) -> None:
        self.folder, self.cache_dir, self.exact = Path(folder), cache_dir, exact
        self.config: dict[str, Any] = read_json(self.folder / "config.json")
        found = self.config.get("format") if isinstance(self.config, dict) else None
        if found != RUN_FORMAT:
            raise OntogenyError(
                f"{self.folder / 'config.json'} has format {found!r}; this version reads {RUN_FORMAT!r}: "
                "train the run again, or use the version that made it"
            )
        self.run: str = self.config["run"]
        self.last_step: int = self.config["last_step"]
        self.series: CheckpointSeries | None = self._opened_series()
        """The checkpoints of another program that the run was imported from; None for a run of our own."""
        self.checkpoints = self.series.steps if self.series else checkpoint_steps(self.folder / "checkpoints")
        if not self.checkpoints:
            raise OntogenyError(f"{self.folder / 'checkpoints'} holds no checkpoint; train the run again")
        self._digests: dict[int, str] | None = None
        self._setup: Setup | None = None
        self._kept: _Kept | None = None

    def _opened_series(self) -> CheckpointSeries | None:
        if "series" not in self.config:
            return None
        blocks = {key: value for key, value in self.config["settings"].items() if key in SeriesSettings.model_fields}
        series = CheckpointSeries(blocks, self.cache_dir)
        series.use(self.config["series"]["steps"])
        return series

    @property
    def steps(self) -> Sequence[int]:
        """The steps whose network can be had: all of them by replay, or those of a series that was imported."""
        return self.series.steps if self.series else range(self.last_step + 1)

    def fresh(self, seed: int) -> nn.Module:
        """A network of the run's architecture with fresh weights, on the CPU, in eval mode."""
        if self.series:
            return self.series.fresh(seed)
        return set_up({**self.config["settings"], "seed": seed}, self.cache_dir).learner.model.cpu().eval()

    @property
    def digests(self) -> dict[int, str]:
        """Digest of the weights at every logged step."""
        if self._digests is None:
            metadata = read_json(self.folder / "phase1.json").get("metadata", {})
            logged = metadata.get("digests", {"step": [], "sha256": []})
            self._digests = dict(zip(logged["step"], logged["sha256"]))
        return self._digests

    @property
    def layers(self) -> dict[str, str]:
        """Display name to module path of every layer that was monitored."""
        return self.config["layers"]

    @property
    def probe(self) -> Batch:
        """The fixed probe batch of the run: inputs and labels, of token sequences their last token."""
        if self.series:
            inputs, labels = self.series.probe
            return inputs, labels if labels.ndim == 1 else labels[:, -1]
        return self._first_setup().probe

    @property
    def validation(self) -> Batch:
        """All held-out samples of the run: inputs and labels."""
        return self.probe if self.series else self._first_setup().validation

    def at(self, step: int) -> nn.Module:
        """The network after `step` optimisation steps, in eval mode.

        Raises OntogenyError if there is no such step, a checkpoint is damaged, or replay ends in another network.
        """
        return next(self.walk([step]))[1].model.eval()

    def learner_at(self, step: int) -> Learner:
        """The learner at `step`: as `at`, with optimiser and random state, ready to be trained on.

        Raises OntogenyError as `at` does, and for an imported series of checkpoints, which has no training.
        """
        if self.series:
            raise OntogenyError(f"{self.run} was imported as a series of checkpoints: it has networks, and no training")
        found = next(self.walk([step]))[1]
        assert isinstance(found, Learner)
        return found

    def walk(self, steps: Iterable[int]) -> Iterator[tuple[int, Learner | SavedNetwork]]:
        """Yield `(step, learner)` for every one of `steps`, ascending, in one pass.

        It is one learner that moves on, so look at it, or copy from it, before asking for the next.
        """
        if self.series:
            wanted = [self._whole(step) for step in steps]
            for step, saved in self.series.walk(wanted) if wanted else ():
                self._prove_saved(saved)
                yield step, saved
            return
        whole = sorted({self._whole(step) for step in steps})
        if self._kept is not None and self._kept.steps >= set(whole):
            yield from self._kept.walk(whole)
            return
        learner: Learner | None = None
        for step in whole:
            start = self._start(step)
            with threads_of_torch(self.config["threads"]):
                if learner is None or learner.step < start:
                    learner = self._load(start, learner)
                learner.advance_to(step)
                self._prove(learner)
            yield step, learner

    def keep(self, steps: Iterable[int]) -> None:
        """Replay to all of `steps` in one pass, and keep their networks: later walks over any of them replay nothing.

        The networks lie in a temporary folder of the machine, which goes with this object. A series has its networks
        on disk as it is, and keeps none. Raises OntogenyError as `walk` does.
        """
        if self.series is None:
            self._kept = _Kept(self.walk(steps))

    def _whole(self, step: int) -> int:
        try:
            return operator.index(step)
        except TypeError:
            raise OntogenyError(
                f"step {step!r} is not a whole number: {self.folder} goes from {self.checkpoints[0]} to "
                f"{self.last_step}"
            ) from None

    def _start(self, step: int) -> int:
        earlier = [checkpoint for checkpoint in self.checkpoints if checkpoint <= step]
        if not 0 <= step <= self.last_step or not earlier:
            raise OntogenyError(
                f"{self.folder} has no step {step}: it goes from {self.checkpoints[0]} to {self.last_step}"
            )
        return earlier[-1]

    def _load(self, step: int, learner: Learner | None = None) -> Learner:
        """The learner at the checkpoint of `step`: a new one, or `learner` put there."""
        tensors, _ = load_checkpoint(checkpoint_path(self.folder / "checkpoints", step), self.config["identity"])
        learner = self._set_up().learner if learner is None else learner
        learner.restore(tensors, step)
        return learner

    def _prove_saved(self, saved: SavedNetwork) -> None:
        expected = self.digests.get(saved.step)
        if expected is not None and weights_digest(saved.model) != expected:
            raise OntogenyError(
                f"the checkpoint of step {saved.step} of {self.run} is another than when the series was imported: "
                "import it again"
            )

    def _prove(self, learner: Learner) -> None:
        expected = self.digests.get(learner.step)
        if expected is None or weights_digest(learner.model) == expected:
            return
        distance = self._distance(learner)
        text = (
            f"replay of {self.folder} to step {learner.step} does not give the network that was trained "
            f"(relative distance of the weights at the next checkpoint: {distance})"
        )
        alone = self.config["settings"]["training"].get("processes", 1) == 1
        if self.exact and alone and learner.device.type == "cpu":
            raise OntogenyError(
                f"{text}; it was trained with {self._trained_with()}: replay it there, "
                "or accept the distance with exact=False"
            )
        logger.warning("%s", text)

    def _distance(self, learner: Learner) -> str:
        later = [step for step in self.checkpoints if step >= learner.step]
        if not later:
            return "unknown, there is no later checkpoint"
        replayed = self._load(max(step for step in self.checkpoints if step <= learner.step))
        replayed.advance_to(later[0])
        stored, _ = load_checkpoint(checkpoint_path(self.folder / "checkpoints", later[0]))
        weights = {name: value.double() for name, value in trained_state(replayed.model).items()}
        difference = sum(
            float(((value - stored[f"model.{name}"].double()) ** 2).sum()) for name, value in weights.items()
        )
        size = sum(float((stored[f"model.{name}"].double() ** 2).sum()) for name in weights)
        return f"{(difference / max(size, 1e-300)) ** 0.5:.2g}"

    def _trained_with(self) -> str:
        versions = self.config.get("versions", {})
        return ", ".join(f"{name} {version}" for name, version in versions.items()) or "unknown versions"

    def _first_setup(self) -> Setup:
        if self._setup is None:
            self._setup = self._set_up()
        return self._setup

    def _set_up(self) -> Setup:
        """The learner at step 0. Raises OntogenyError if the data or the frozen weights are no longer the same."""
        setup = set_up(self.config["settings"], self.cache_dir, self.folder)
        for key, what in (("fingerprint", "data are"), ("frozen", "frozen weights are")):
            if setup.record.get(key) != self.config["data"].get(key):
                raise OntogenyError(
                    f"the {what} not those that {self.folder} was trained with: put them back, or train the run again"
                )
        return setup
