"""What the rules of judge studies know: what is pretrained once, and for which runs."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from ontogeny.config import Run
from ontogeny.identity import identity_hash
from ontogeny.pipeline.inputs import files_of_run, prompts_of
from ontogeny.pipeline.workflow import Workflow

PRETRAINED = "results/pretrained/{backbone}"
_AFTERWARDS = {"task": ("n_probe",), "model": ("frozen_layers", "dtype", "gradient_checkpointing", "device_map")}


class Judges:
    """The pretrained backbones that the judges of the configuration need, each once."""

    def __init__(self, plan: Workflow) -> None:
        self.plan = plan
        self.backbones: dict[str, dict[str, Any]] = {}
        self._of_run: dict[str, str] = {}
        self._runs: dict[str, list[Run]] = defaultdict(list)
        for run in plan.runs.values():
            if run.kind == "judge":
                blocks = {
                    block: {key: item for key, item in run.identity()[block].items() if key not in later}
                    for block, later in _AFTERWARDS.items()
                }
                name = identity_hash(blocks)
                self.backbones[name] = blocks
                self._of_run[run.name] = name
                self._runs[name].append(run)

    def pretrained(self, wildcards: Any) -> str:
        """The folder of the backbone of the run of `wildcards`."""
        return PRETRAINED.format(backbone=self._of_run[self.plan.run(wildcards).name])

    def processes(self, wildcards: Any) -> int:
        """The processes, each with a core, that train the run of `wildcards`."""
        found: int = self.plan.run(wildcards).identity()["training"]["processes"]
        return found

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """The settings that decide the backbone of `wildcards`."""
        return self.backbones[wildcards.backbone]

    def files(self, wildcards: Any) -> list[str]:
        """The files or folders of prompts, and the checkpoint, that the backbone of `wildcards` reads, if any."""
        blocks = self.backbones[wildcards.backbone]
        for run in self._runs[wildcards.backbone]:
            self.plan.files_read(run)
        return [*prompts_of(blocks), *files_of_run(blocks)]
