"""Trajectories that others trained: a series of checkpoints of one network, read one at a time.

There is no replay: the steps that were saved are the steps.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ontogeny.errors import OntogenyError, first_line
from ontogeny.models import build_model, count_parameters, monitored_layers
from ontogeny.models.trace import scores_in
from ontogeny.progress import Progress
from ontogeny.settings import complete
from ontogeny.tasks import load_images, split_images
from ontogeny.trajectory.integrity import Integrity, check_series
from ontogeny.trajectory.places import found
from ontogeny.trajectory.settings import NetworkSettings, ProbeSettings, SeriesSettings, SourceSettings
from ontogeny.trajectory.states import State, open_state

logger = logging.getLogger("ontogeny")

Batch = tuple[Tensor, Tensor]


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
        self._source = _Source(self.settings.source, self.cache_dir, fetch)
        self.steps: list[int] = self._source.steps
        self._model: nn.Module | None = None
        self._prefix: str | None = None
        self._renamed: dict[str, str] | None = None
        self._probe: Batch | None = None

    def state(self, step: int) -> State:
        """The weights of `step`, read tensor by tensor. Raises OntogenyError if they cannot be read."""
        return self._source.open(step)

    def check(self) -> Integrity:
        """Read every checkpoint once, and say what makes the series false (see `check_series`)."""
        progress = Progress(len(self.steps), "checkpoints")
        return check_series(self.steps, self.state, lambda done, step: progress.update(done, f"step {step}"))

    def use(self, steps: Iterable[int]) -> None:
        """Go on with these steps only."""
        self.steps = sorted(steps)

    def at(self, step: int) -> nn.Module:
        """The network of `step`, in eval mode: the one of this series, until another step is asked for."""
        if step not in self.steps:
            near = min(self.steps, key=lambda other: abs(other - step))
            raise OntogenyError(
                f"there is no checkpoint of step {step}, and no way to train to it; the nearest is {near}"
            )
        if self.settings.network.auto is None:
            self._fill(self.network(), self.state(step), step)
        elif not self._refilled(step):
            self._model = None
            self._model = _loaded(self.settings.network, self._source.a_folder(), self.state(step), step)
        return self.network().eval()

    def _refilled(self, step: int) -> bool:
        """Whether the network could be filled in place: each of its tensors is one of the file, under whatever name."""
        try:
            self._fill(self.network(), self.state(step), step)
        except OntogenyError:
            if self._renamed is not None:
                return False
            self._renamed = _renamed(self.settings.network, self._source.a_folder(), self.state(step))
            return bool(self._renamed) and self._refilled(step)
        return True

    def walk(self, steps: Iterable[int]) -> Iterator[tuple[int, SavedNetwork]]:
        """Yield `(step, network)` for every one of `steps`, ascending; look at it before asking for the next."""
        for step in sorted(set(steps)):
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
        return (self._renamed or {}).get(name, f"{self._prefix}{name}")

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
                if not isinstance(tensor, nn.Parameter):
                    continue
                lacking.append(name)
                continue
            value = state[source]
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
            )


def _prefix(own: Mapping[str, Tensor], state: State) -> str:
    """What stands before the network's names in the file, such as `module.` or `model.`."""
    names = set(state)
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
    return best


def task_loss(outputs: Any, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy in nats and accuracy, of class scores, or of the next token at every position but the last."""
    scores = scores_in(outputs)
    if not isinstance(scores, Tensor):
        raise OntogenyError(f"the network returns a {type(scores).__name__} without scores of classes or tokens")
    if scores.ndim == 3 and targets.ndim == 2:
        scores, targets = scores[:, :-1].flatten(0, 1), targets[:, 1:].flatten()
    if scores.ndim != 2 or len(scores) != len(targets):
        raise OntogenyError(
            f"the network returns {tuple(scores.shape)} for labels {tuple(targets.shape)}: scores of classes for one "
            "label per sample, or of tokens for each position, can be measured"
        )
    right = (scores.argmax(-1) == targets).double().mean()
    return functional.cross_entropy(scores.float(), targets), right


# ------------------------------------------------------------------------------------------------------- networks


def build_network(
    settings: NetworkSettings, probe: Callable[[], Batch], folder: Callable[[], Path], seed: int = 0
) -> nn.Module:
    """The network that `settings` describe, with fresh weights.

    probe: gives the inputs and labels, from which a network of ours takes its shape; folder: gives that of a
    checkpoint.
    """
    if settings.auto is not None:
        kind, config = _of_transformers(settings, folder())
        model: nn.Module = kind.from_config(config, **_LOADING)
        return model
    if settings.build is not None:
        return _of_user(settings.build)
    if settings.model is None:
        raise OntogenyError("no network is named")
    inputs, labels = probe()
    shape = tuple(inputs.shape[1:])
    return build_model(settings.model.name, shape, int(labels.max()) + 1, seed, **settings.model.overrides())


_LOADING: dict[str, Any] = {"attn_implementation": "eager", "dtype": torch.float32}


def _loaded(settings: NetworkSettings, folder: Path, state: State, step: int) -> nn.Module:
    """A network of `transformers` with the weights of a step, which the library translates."""
    start = _wrapper(state)
    model, told = _from_library(settings, folder, {name.removeprefix(start): state[name] for name in state})
    lacking = sorted(told["missing_keys"])
    if lacking:
        raise OntogenyError(f"step {step} does not fit the network: it lacks {lacking[0]}")
    loaded: nn.Module = model.eval()
    return loaded


def _wrapper(state: State) -> str:
    return "module." if all(name.startswith("module.") for name in state) else ""


def _from_library(settings: NetworkSettings, folder: Path, weights: dict[str, Tensor]) -> tuple[Any, dict[str, Any]]:
    """A network with these weights, and what the library says of them."""
    kind, config = _of_transformers(settings, folder)
    with torch.device("meta"):
        own = type(kind.from_config(config))
    model, told = own.from_pretrained(None, config=config, state_dict=weights, output_loading_info=True, **_LOADING)
    return model, told


def _renamed(settings: NetworkSettings, folder: Path, state: State) -> dict[str, str]:
    """Names of the network to those of the file, where the library does no more than give tensors other names.

    They are found by a network whose tensors hold nothing but the position of their name in the file. Empty where the
    library puts tensors together, or takes them apart.
    """
    start, names = _wrapper(state), list(state)
    marks = {name.removeprefix(start): torch.tensor(float(place)).expand(state[name].shape)
             for place, name in enumerate(names)}  # fmt: skip
    model, told = _from_library(settings, folder, marks)
    if told["missing_keys"] or _converted(model):
        return {}
    found = {}
    for name, tensor in model.state_dict().items():
        mark = float(tensor.flatten()[0]) if tensor.numel() else -1.0
        if mark not in range(len(names)) or not bool((tensor == mark).all()):
            return {}
        found[name] = names[int(mark)]
    return found


def _converted(model: Any) -> bool:
    """Whether the library changes tensors of this network when it reads them, beyond their names."""
    try:
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import WeightRenaming
    except ImportError:
        return False
    return not all(isinstance(each, WeightRenaming) for each in get_model_conversion_mapping(model) or [])


def _of_transformers(settings: NetworkSettings, folder: Path) -> tuple[Any, Any]:
    """The auto class and the configuration of a network."""
    try:
        import transformers
    except ImportError:
        raise OntogenyError("transformers is not installed: pip install 'ontogeny[text]'") from None
    place = Path(settings.config) if settings.config else folder
    kind = getattr(transformers, str(settings.auto), None)
    if kind is None or not hasattr(kind, "from_config"):
        raise OntogenyError(f"transformers has no auto class {settings.auto}: give one such as AutoModelForCausalLM")
    if not (place / "config.json").is_file():
        raise OntogenyError(f"{place} holds no config.json: give the folder that does as network.config")
    return kind, transformers.AutoConfig.from_pretrained(place, use_cache=False)


def _of_user(named: str) -> nn.Module:
    file, _, function = named.rpartition(":")
    path = Path(file)
    if not path.is_file() or not function:
        raise OntogenyError(f"network.build is {named!r}; it should be a file and a function, as module.py:build")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise OntogenyError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        model = getattr(module, function)()
    except Exception as error:
        raise OntogenyError(f"{named} failed: {type(error).__name__}: {first_line(error)}") from error
    if not isinstance(model, nn.Module):
        raise OntogenyError(f"{named} returned a {type(model).__name__}; it should return a torch.nn.Module")
    return model


# ---------------------------------------------------------------------------------------------------------- probes


def load_probe(
    settings: ProbeSettings, network: NetworkSettings, folder: Callable[[], Path], cache_dir: str | os.PathLike
) -> Batch:
    """Inputs and labels of the probe."""
    if settings.task is not None:
        task = settings.task
        data = load_images(task.name, path=task.path, cache_dir=cache_dir, size=task.size)
        split = split_images(data, task.n_train, task.n_validation, task.n_probe, task.split_seed, task.standardise)
        inputs, labels = (torch.from_numpy(part) for part in split.arrays("probe"))
        return inputs[: settings.samples], labels[: settings.samples]
    if settings.file is not None:
        return _of_file(Path(settings.file), settings.samples)
    return _of_text(settings, network, folder())


def _of_file(path: Path, samples: int) -> Batch:
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (OSError, ValueError) as error:
        raise OntogenyError(f"{path} cannot be read as an .npz of arrays: {first_line(error)}") from None
    if "inputs" not in arrays:
        raise OntogenyError(
            f"{path} holds {', '.join(arrays) or 'nothing'}; it should hold inputs, and labels of classes"
        )
    inputs = torch.from_numpy(arrays["inputs"][:samples])
    tokens = not inputs.is_floating_point()
    inputs = inputs.long() if tokens else inputs.float()
    if "labels" in arrays:
        return inputs, torch.from_numpy(arrays["labels"][:samples]).long()
    if not tokens:
        raise OntogenyError(f"{path} holds no labels: give the class of every sample as labels")
    return inputs, inputs.clone()


def _of_text(settings: ProbeSettings, network: NetworkSettings, folder: Path) -> Batch:
    from transformers import AutoTokenizer

    place = settings.tokenizer or network.config or str(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
        lines = Path(str(settings.text)).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise OntogenyError(f"the text of the probe cannot be read: {first_line(error)}") from None
    ids = [tokenizer(line)["input_ids"][: settings.length] for line in lines if line.strip()]
    whole = [each for each in ids if len(each) == settings.length][: settings.samples]
    if not whole:
        raise OntogenyError(f"{settings.text} has no line of {settings.length} tokens or more: lower probe.length")
    tokens = torch.tensor(whole)
    return tokens, tokens.clone()


# --------------------------------------------------------------------------------------------------------- sources


class _Source:
    """Where the checkpoint of every step is, on the disk or on a hub."""

    def __init__(
        self, settings: SourceSettings, cache_dir: Path, fetch: Callable[[int, Path], Path] | None = None
    ) -> None:
        self.settings = settings
        self._fetch = fetch or self._from_hub
        self._folder = cache_dir / "hub" / (settings.hub or "").replace("/", "--")
        self._paths = {} if settings.hub else found(str(settings.path))
        there = self._revisions() if settings.hub else sorted(self._paths)
        lacking = [step for step in settings.steps or () if step not in there]
        if lacking:
            where = settings.hub or settings.path
            raise OntogenyError(f"{where} has no checkpoint of step {lacking[0]}; it has {_listed(there)}")
        self.steps: list[int] = sorted(settings.steps or there)
        if not self.steps:
            raise OntogenyError(f"{settings.hub or settings.path} holds no checkpoint; name them with {{step}}")

    def path(self, step: int) -> Path:
        if not self.settings.hub:
            return self._paths[step]
        place = self._folder / f"step_{step}"
        if not (place / ".whole").is_file():
            self._make_room()
            place = self._fetch(step, place)
            (place / ".whole").touch()
        os.utime(place / ".whole")
        return place

    def open(self, step: int) -> State:
        return open_state(self.path(step), self.settings.key)

    def a_folder(self) -> Path:
        """The folder of a checkpoint, in which a configuration and a tokenizer may be: one that is on the disk."""
        here = [step for step in self.steps if (self._folder / f"step_{step}" / ".whole").is_file()]
        path = self.path((here or self.steps)[0])
        return path if path.is_dir() else path.parent

    def _make_room(self) -> None:
        """Delete the downloads that were used longest ago, until another of their size fits."""
        kept = sorted(self._folder.glob("step_*/.whole"), key=lambda mark: mark.stat().st_mtime)
        sizes = [sum(file.stat().st_size for file in mark.parent.rglob("*") if file.is_file()) for mark in kept]
        while kept and sum(sizes) + max(sizes) > self.settings.cache_limit * 1e9:
            shutil.rmtree(kept.pop(0).parent)
            sizes.pop(0)

    def _revisions(self) -> list[int]:
        if self.settings.steps:
            return list(self.settings.steps)
        from huggingface_hub import HfApi

        pattern = re.compile(re.escape(self.settings.revision).replace(r"\{step\}", r"(\d+)"))
        try:
            refs = HfApi().list_repo_refs(str(self.settings.hub))
        except Exception as error:
            raise OntogenyError(f"{self.settings.hub} cannot be asked for its revisions: {first_line(error)}; "
                                "name the steps as source.steps") from None  # fmt: skip
        names = [ref.name for ref in (*refs.branches, *refs.tags)]
        return sorted({int(match[1]) for name in names if (match := pattern.fullmatch(name))})

    def _from_hub(self, step: int, place: Path) -> Path:
        from huggingface_hub import snapshot_download

        revision = self.settings.revision.format(step=step)
        wanted = ["*.json", "*.safetensors", "tokenizer*", "vocab*", "merges*"]
        try:
            snapshot_download(str(self.settings.hub), revision=revision, local_dir=place, allow_patterns=wanted)
            if not any(place.glob("*.safetensors")):
                snapshot_download(
                    str(self.settings.hub), revision=revision, local_dir=place, allow_patterns=["pytorch_model*.bin"]
                )
        except Exception as error:
            raise OntogenyError(
                f"revision {revision} of {self.settings.hub} cannot be fetched: {first_line(error)}"
            ) from None
        return place


def _listed(steps: list[int]) -> str:
    return ", ".join(map(str, steps[:6])) + (f", ... {steps[-1]}" if len(steps) > 6 else "")


def describe(settings: SeriesSettings) -> dict[str, Any]:
    """The settings as JSON types."""
    described: dict[str, Any] = json.loads(settings.model_dump_json())
    return described
