"""What the rules of connectome studies know: their activities, and the iterations of their searches."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from ontogeny.identity import identity_hash

RECORDS = "results/studies/{study}/connectome/search/records/block_{block:02d}"
ACTIVITY = "results/activity/{activity}.safetensors"


class Plan(Protocol):
    """What is used of the plan of a workflow (`ontogeny.pipeline.workflow.Workflow`)."""

    config: Any
    runs: Any

    def studies(self, kind: str | None = None) -> list[str]: ...
    def runs_of_study(self, study: str) -> list[Any]: ...
    def run(self, wildcards: Any) -> Any: ...
    def code(self, script: str) -> Callable[[Any], str]: ...
    def files_read(self, run: Any) -> list[str]: ...
    def files_of_search(self, study: str) -> list[str]: ...


class Populations:
    """The connectome studies of a plan. Runs with the same simulation, level and seed share one activity."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.names = plan.studies("connectome")
        self.searched = [name for name in self.names if plan.config.studies[name].search is not None]
        self.compared = [name for name in self.searched if plan.config.studies[name].search.compare]
        self.simulated = [
            name for name in self.names if any(run.data is None for run in plan.config.studies[name].runs.values())
        ]
        """The studies with a condition whose activity is simulated."""
        self.activities: dict[str, dict[str, Any]] = {}
        self.recorded: dict[str, Any] = {}
        self._of_run = {
            run.name: self._add(run.settings.simulation, run.level, run.seed)
            if run.settings.data is None
            else self._given(run.settings.data)
            for run in plan.runs.values()
            if run.kind == "connectome"
        }
        self._runs: dict[str, list[Any]] = defaultdict(list)
        for name, activity in self._of_run.items():
            self._runs[activity].append(plan.runs[name])
        self._of_search: dict[tuple[str, float, int], str] = {}
        self._searches: dict[str, list[str]] = defaultdict(list)
        for name in self.searched:
            search = plan.config.studies[name].search
            for level in search.levels:
                for seed in {search.seed, *(search.compare_seeds if search.compare else [])}:
                    activity = self._add(search.simulation, level, seed)
                    self._of_search[name, level, seed] = activity
                    self._searches[activity].append(name)

    def _add(self, simulation: Any, level: float, seed: int) -> str:
        settings = {**simulation.model_dump(mode="json"), "connectivity_filling_factor": level}
        digest = identity_hash({"simulation": settings, "seed": seed})[:6]
        name = f"n{simulation.n_neurons}-c{100 * level:g}-s{seed}-{digest}"
        self.activities[name] = {"simulation": settings, "seed": seed}
        return name

    def _given(self, data: Any) -> str:
        name = f"data-{re.sub('[^A-Za-z0-9_]+', '-', Path(data.file).stem)}-"
        name += identity_hash(data.model_dump(mode="json"))[:6]
        self.recorded[name] = data
        return name

    def data(self, wildcards: Any) -> dict[str, Any]:
        """The settings of a recorded activity."""
        return self.recorded[wildcards.activity].model_dump(mode="json")

    def data_files(self, wildcards: Any) -> list[str]:
        """The files that a recorded activity is read from."""
        self._refuse_missing(wildcards.activity)
        return [value for key, value in self.data(wildcards).items() if key.endswith("file") and value is not None]

    def _refuse_missing(self, activity: str) -> None:
        for run in self._runs[activity]:
            self.plan.files_read(run)
        for study in self._searches[activity]:
            self.plan.files_of_search(study)

    def runs(self, study: str) -> list[Any]:
        """The runs of a study."""
        return self.plan.runs_of_study(study)

    def simulation(self, wildcards: Any) -> dict[str, Any]:
        """The settings and the seed of the activity of `wildcards`."""
        return self.activities[wildcards.activity]

    def matrix(self, wildcards: Any) -> list[str]:
        """The file of connectivity that the activity of `wildcards` reads, if it reads one."""
        self._refuse_missing(wildcards.activity)
        file = self.activities[wildcards.activity]["simulation"]["connectivity_file"]
        return [] if file is None else [file]

    def activity(self, wildcards: Any) -> str:
        """The activity of the run of `wildcards`."""
        return self.activity_of(self.plan.run(wildcards))

    def activity_of(self, run: Any) -> str:
        """The activity of a run."""
        return ACTIVITY.format(activity=self._of_run[run.name])

    def reports(self, wildcards: Any) -> list[str]:
        """What was reported about the activities of the runs of a study before any fit."""
        return [f"results/activity/{self._of_run[run.name]}.json" for run in self.runs(wildcards.study)]

    def about(self, wildcards: Any) -> list[dict[str, Any]]:
        """Name, condition, level and seed of the runs of a study."""
        return [
            {
                "run": run.name,
                "condition": run.settings.label or run.key,
                "filling_factor": run.level,
                "seed": run.seed,
            }
            for run in self.runs(wildcards.study)
        ]

    def search(self, wildcards: Any) -> dict[str, Any]:
        """The settings of the search of a study; up to the block, the policy and the seed of `wildcards`, if any."""
        search = self.plan.config.studies[wildcards.study].search
        settings = search.model_dump(mode="json", exclude={"compare", "compare_seeds", "simulation", "fit"})
        settings["fit"] = search.fit.model_dump(mode="json", exclude_unset=True)
        if hasattr(wildcards, "block"):
            settings["levels"] = settings["levels"][: int(wildcards.block)]
        if hasattr(wildcards, "policy"):
            settings |= {"policy": wildcards.policy, "seed": int(wildcards.seed)}
            if wildcards.policy != "ucb":
                del settings["ucb_c"]
        return settings

    def search_identity(self, wildcards: Any) -> dict[str, Any]:
        """What decides an evaluation besides its settings: the activity, the fit, the code."""
        search = self.plan.config.studies[wildcards.study].search
        return {
            "simulation": search.simulation.model_dump(mode="json"),
            "data_seed": int(getattr(wildcards, "seed", search.seed)),
            "fit": search.fit.model_dump(mode="json"),
            "code": self.plan.code("fit_connectome")(wildcards),
        }

    def search_activities(self, wildcards: Any) -> list[str]:
        """The activity that a block needs (with a wildcard `block`), or those of all blocks."""
        search = self.plan.config.studies[wildcards.study].search
        seed = int(getattr(wildcards, "seed", search.seed))
        levels = [search.levels[int(wildcards.block) - 1]] if hasattr(wildcards, "block") else search.levels
        return [ACTIVITY.format(activity=self._of_search[wildcards.study, level, seed]) for level in levels]

    def blocks_before(self, wildcards: Any) -> list[str]:
        """The records that a block depends on: those of all blocks before it, if those count."""
        sequential = self.plan.config.studies[wildcards.study].search.sequential
        return self._blocks(wildcards.study, int(wildcards.block) - 1 if sequential else 0)

    def blocks(self, wildcards: Any) -> list[str]:
        """The records of all blocks of the search of a study."""
        return self._blocks(wildcards.study, len(self.plan.config.studies[wildcards.study].search.levels))

    @staticmethod
    def _blocks(study: str, last: int) -> list[str]:
        return [RECORDS.format(study=study, block=block) for block in range(1, last + 1)]

    def policies(self, wildcards: Any) -> list[str]:
        """The records of the searches to compare."""
        search = self.plan.config.studies[wildcards.study].search
        return [
            f"results/studies/{wildcards.study}/connectome/policies/{policy}-s{seed}/records.json"
            for policy in search.compare
            for seed in search.compare_seeds
        ]

    def drawn(self) -> list[Any]:
        """The runs whose figures are made without asking: the first of each condition, and the last level of the first
        condition."""
        chosen: dict[str, Any] = {}
        for study in self.names:
            runs = self.runs(study)
            firsts: dict[str, Any] = {}
            for run in runs:
                firsts.setdefault(run.key, run)
            lead = next(iter(firsts.values()))
            last = [run for run in runs if run.key == lead.key and run.seed == lead.seed][-1]
            chosen |= {run.name: run for run in [*firsts.values(), last]}
        return list(chosen.values())

    def not_drawn(self) -> list[str]:
        """The names of the other runs."""
        drawn = {run.name for run in self.drawn()}
        return [name for name in self._of_run if name not in drawn]

    def animated(self, study: str) -> str:
        """The level of a study that most conditions have, as it stands in file names."""
        by_level: dict[str, set[str]] = {}
        for run in filter(lambda run: run.level is not None, self.runs(study)):
            by_level.setdefault(f"{100 * run.level:g}", set()).add(run.key)
        return max(by_level, key=lambda level: len(by_level[level]))

    def side_by_side(self, wildcards: Any) -> list[Any]:
        """The runs of a study at the level of `wildcards`, one seed of each condition."""
        chosen: dict[str, Any] = {}
        for run in self.runs(wildcards.study):
            if run.level is not None and f"{100 * run.level:g}" == wildcards.level:
                chosen.setdefault(run.key, run)
        return list(chosen.values())

    def side_by_side_activities(self, wildcards: Any) -> list[str]:
        """The activities of those runs."""
        return [self.activity_of(run) for run in self.side_by_side(wildcards)]
