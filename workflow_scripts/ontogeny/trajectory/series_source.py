"""Where the checkpoints of a series are: on the disk, or revisions on a hub that are fetched one at a time."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from ontogeny.errors import OntogenyError, first_line
from ontogeny.trajectory.places import found
from ontogeny.trajectory.settings import SourceSettings
from ontogeny.trajectory.states import State, open_state


class Source:
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
        """The checkpoint of `step`, fetched first where it is on a hub. Raises OntogenyError if it is missing."""
        if not self.settings.hub:
            if step not in self._paths:
                raise OntogenyError(
                    f"{self.settings.path} has no checkpoint of step {step}; it has {_listed(sorted(self._paths))}"
                )
            return self._paths[step]
        place = self._folder / f"step_{step}"
        if not (place / ".whole").is_file():
            self._make_room()
            place = self._fetch(step, place)
            (place / ".whole").touch()
        os.utime(place / ".whole")
        return place

    def open(self, step: int) -> State:
        """The weights of `step`."""
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
