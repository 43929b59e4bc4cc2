"""Edit data, settings, code and environment at random between kills and restarts; compare with results from nothing.

    python tests/reliability/mutate.py FOLDER --rounds 20 --seed 0

Works in FOLDER: a copy of the project, `worked`, whose state is edited and whose runs are killed after random seconds
of their CPU, and `nothing`, which makes the same last state of all of them undisturbed. In every round some
edits and kills come before the results are finished and compared, file by file. Exits with 1 if one differs.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parent))

import kill

RATE = "workflow_scripts/ontogeny/trajectory/learner.py"
ENVIRONMENT = {
    "OMP_NUM_THREADS": ["1", "2"],
    "PYTHONHASHSEED": ["0", "7", "random"],
    "LC_ALL": ["C", "C.UTF-8"],
    "TZ": ["UTC", "Asia/Tokyo"],
}


@dataclass
class State:
    """Everything that decides the results, and an environment that must not."""

    data: int = 0
    rate: float = 0.001
    fdr: float = 0.05
    seeds: int = 1
    steps: int = 40
    factor: float = 1.0
    remark: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)

    def edit(self, rng: random.Random) -> str:
        """Change one of them, and say which."""
        what = rng.choice(["data", "data, dated back", "rate", "fdr", "seeds", "steps", "code", "remark", "touch",
                           "environment"])  # fmt: skip
        if what.startswith("data"):
            self.data = rng.randrange(3)
        elif what == "rate":
            self.rate = rng.choice([0.001, 0.003, 0.01])
        elif what == "fdr":
            self.fdr = rng.choice([0.01, 0.05, 0.2])
        elif what == "seeds":
            self.seeds = rng.choice([1, 2])
        elif what == "steps":
            self.steps = rng.choice([40, 48])
        elif what == "code":
            self.factor = rng.choice([0.5, 1.0, 2.0])
        elif what == "remark":
            self.remark += 1
        elif what == "environment":
            name, values = rng.choice(list(ENVIRONMENT.items()))
            self.environment[name] = rng.choice(values)
        self.tried.append(what)
        return what

    def write(self, project: Path, folder: Path, what: str = "all") -> None:
        """Put the state into the files of a project and of a working folder."""
        folder.mkdir(parents=True, exist_ok=True)
        if what == "all" or what.startswith("data"):
            rng = np.random.default_rng(self.data)
            arrays = {"x": rng.random((200, 1, 8, 8), dtype=np.float32), "y": np.arange(200) % 10}
            np.savez(folder / "mine.npz", **arrays)
            if what == "data, dated back":
                os.utime(folder / "mine.npz", (1_500_000_000,) * 2)
        if what == "touch":
            (folder / "mine.npz").touch()
        (folder / "study.yaml").write_text(yaml.safe_dump(self.configuration()))
        os.environ.update(self.environment)
        code = project / RATE
        text = re.sub(
            r"return learning_rate(?: \* [\d.]+)?\n", f"return learning_rate * {self.factor}\n", code.read_text()
        )
        code.write_text(re.sub(r"\n# Remark \d+\n", "", text) + f"\n# Remark {self.remark}\n")

    def configuration(self) -> dict[str, Any]:
        """The configuration of one small image run."""
        run = {
            "task": {"name": "digits", "path": "mine.npz", "n_train": 120, "n_validation": 30, "n_probe": 30},
            "model": {"name": "mlp", "hidden": [6]},
            "training": {"steps": self.steps, "batch_size": 20, "checkpoint_every": 8, "learning_rate": self.rate},
            "seeds": self.seeds,
        }
        jumps = {"false_discovery_rate": self.fdr}
        return {"studies": {"s": {"runs": {"mine": run}}}, "analyses": {"jumps": jumps}}


def asked(state: State) -> list[str]:
    """The files that a round makes: of every run its record, jumps and planned moments."""
    names = ("phase1.json", "jumps.csv", "capture_plan.json")
    return [f"results/runs/mine/s{seed}/{name}" for seed in range(state.seeds) for name in names]


def finish(folder: Path, project: Path, state: State) -> None:
    """Make what is asked, undisturbed. Ends the program if that fails."""
    said = kill.call(folder, str(folder / "study.yaml"), *asked(state), "--quiet", "rules", project=project)
    if said.returncode:
        raise SystemExit(said.stdout[-3000:])


def trial(base: Path, rounds: int, seed: int, low: float, high: float) -> dict[str, Any]:
    """Rounds of edits and kills in `base`, and what of the results differed from those made from nothing."""
    rng, state = random.Random(seed), State()
    project, worked = kill.copy_project(base / "project"), base / "worked"
    state.write(project, worked)
    found: dict[str, Any] = {"edits": [], "kills": 0, "different": []}
    for number in range(rounds):
        for _ in range(rng.randint(1, 3)):
            process = kill.started(worked, str(worked / "study.yaml"), project, "--", *asked(state))
            if not kill.ended(process, rng.uniform(low, high)):
                kill.kill(process)
                found["kills"] += 1
                kill.unlock(worked)
            what = state.edit(rng)
            state.write(project, worked, what)
            found["edits"].append(what)
        finish(worked, project, state)
        nothing = base / "nothing"
        shutil.rmtree(nothing, ignore_errors=True)
        state.write(project, nothing)
        finish(nothing, project, state)
        runs = [Path(name) for name in asked(state)] + [
            Path(f"results/runs/mine/s{seed}/config.json") for seed in range(state.seeds)
        ]
        wrong = [str(name) for name in runs if (worked / name).read_bytes() != (nothing / name).read_bytes()]
        found["different"] += [(number, name) for name in wrong]
        print(
            f"round {number}: {', '.join(found['edits'][-3:])}; {found['kills']} kills, different: {wrong}", flush=True
        )
    return found


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--low", type=float, default=3.0, help="CPU seconds before a kill, at least (3)")
    parser.add_argument("--high", type=float, default=9.0, help="CPU seconds before a kill, at most (9)")
    given = parser.parse_args()
    found = trial(given.folder, given.rounds, given.seed, given.low, given.high)
    print(f"{len(found['edits'])} edits, {found['kills']} kills, {len(found['different'])} files differ")
    return int(bool(found["different"]))


if __name__ == "__main__":
    sys.exit(main())
