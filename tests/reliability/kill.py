"""Kill the pipeline at random moments, again and again, and compare what it makes with an undisturbed run.

    python tests/reliability/kill.py FOLDER --kills 50 --seed 0

Works in FOLDER: `whole` is finished undisturbed, `killed` is started, killed with SIGKILL (Snakemake, its jobs and
their children together) after random seconds of their CPU, so that a busy machine makes no difference, unlocked, and
started again, until it is done; then from the start again, until there were enough kills. After every kill all files
that a later rule could read are looked at: each has to be whole, byte for byte what `whole` has there, or be one that
Snakemake's own record or the next plan knows to be made again. At the end of
every round all data and figures are the bytes of `whole`. Exits with 1 if they are not.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from ontogeny.connectome.search.logbook import without_times

ROOT = Path(__file__).resolve().parents[2]
SMOKE = "tests/configs/smoke.yaml"
PARTS = ["Snakefile", "rules", "workflow_scripts", "profiles", "envs", "config.yaml", "resources", "tests/configs"]
COST = {"logs", "benchmarks", "cost", "provenance"}


def copy_project(target: Path) -> Path:
    """What a clone holds that the pipeline needs."""
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=shutil.ignore_patterns("*.egg-info"))
        else:
            shutil.copy2(ROOT / part, target / part)
    return target


def command(folder: Path, config: str, *more: str, project: Path = ROOT) -> list[str]:
    """Snakemake on a configuration of the project, in `folder`."""
    program = str(Path(sys.executable).with_name("snakemake"))
    where = ["--snakefile", str(project / "Snakefile"), "--directory", str(folder)]
    return [program, "--cores", "2", *where, *more, "--configfile", str(project / config)]


def call(folder: Path, config: str, *more: str, project: Path = ROOT) -> subprocess.CompletedProcess:
    """Run Snakemake to its end."""
    line = command(folder, config, *more, project=project)
    return subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def is_cost(name: Path) -> bool:
    """Whether a file tells what something took, which differs from one making to the next."""
    return name.parts[0] in COST or "cost" in name.parts or name.stem == "cost"


def made(folder: Path) -> dict[str, Path]:
    """All finished files of results, but those of cost and those of attempts that are not finished."""
    results = folder / "results"
    files = {path.relative_to(results): path for path in results.rglob("*") if path.is_file()}
    return {str(name): path for name, path in files.items() if not (is_cost(name) or hidden(name))}


def hidden(name: Path) -> bool:
    """Whether no rule reads the file: it, or a folder of it, begins with a dot."""
    return any(part.startswith(".") for part in name.parts)


def content(path: Path) -> bytes:
    """The bytes of a file, without what things took: times in a search's log, columns of the table of experiments."""
    if path.name.endswith("_analysis.md"):
        log = path.read_bytes().decode("utf-8", "surrogateescape")
        return without_times(log).encode("utf-8", "surrogateescape")
    if path.name != "experiments.tsv":
        return path.read_bytes()
    table = pd.read_csv(path, sep="\t")
    return table[[column for column in table if not column.startswith("cost.")]].to_csv(index=False).encode()


def different(folder: Path, whole: Path) -> list[str]:
    """The names of files that are missing, additional, or not the same."""
    ours, theirs = made(folder), made(whole)
    both = ours.keys() & theirs.keys()
    return sorted(ours.keys() ^ theirs.keys()) + sorted(
        name for name in both if content(ours[name]) != content(theirs[name])
    )


def growing(name: str) -> bool:
    """Whether a file grows while its rule works, and only that rule reads it."""
    return name.endswith("metrics.jsonl")


def half_files(folder: Path, whole: Path, known: set[str]) -> list[str]:
    """Files under their final name that are not what the undisturbed run has there, and that no plan would make again.

    `known` are names that Snakemake has marked as being made.
    """
    ours, theirs = made(folder), made(whole)
    halves = [
        name
        for name, path in ours.items()
        if not growing(name) and (name not in theirs or content(path) != content(theirs[name]))
    ]
    return sorted(name for name in halves if not covered(name, known))


def covered(name: str, known: set[str]) -> bool:
    """Whether `name`, or a folder that it lies in, is one of `known`."""
    path = Path("results") / name
    return any(str(place) in known for place in (path, *path.parents))


def being_made(folder: Path) -> set[str]:
    """What Snakemake has marked as incomplete: it makes these again before any rule reads them."""
    place = folder / ".snakemake" / "incomplete"
    found = set()
    for path in place.rglob("*") if place.is_dir() else ():
        if path.is_file() and path.name != "migration_underway":
            code = str(path.relative_to(place)).replace(os.sep, "").replace("@", "")
            with contextlib.suppress(ValueError):
                found.add(base64.b64decode(code + "=" * (-len(code) % 4)).decode())
    return found


def started(folder: Path, config: str, project: Path, *more: str) -> subprocess.Popen:
    """Snakemake in a process group of its own."""
    return subprocess.Popen(
        [*command(folder, config, "--quiet", "rules", project=project), *more],
        cwd=folder,
        start_new_session=True,
        stdout=open(folder / "said.txt", "ab"),
        stderr=subprocess.STDOUT,
    )


def cpu_seconds(group: int) -> float:
    """What the processes of a group, and those of their children that ended, have used of the CPU."""
    ticks = 0
    for place in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            told = place.read_text().rpartition(")")[2].split()
            if int(told[2]) == group:
                ticks += sum(map(int, told[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def ended(process: subprocess.Popen, seconds: float) -> bool:
    """Wait until a process ends, or has used `seconds` of CPU with its group; whether it ended."""
    while process.poll() is None:
        if cpu_seconds(process.pid) >= seconds:
            return False
        time.sleep(0.2)
    return True


def unlock(folder: Path) -> None:
    """Take off the locks of a call that was killed, as `--unlock` does."""
    shutil.rmtree(folder / ".snakemake" / "locks", ignore_errors=True)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to Snakemake, its jobs and their children at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def undisturbed(base: Path, config: str, project: Path = ROOT, records: Path | None = None) -> Path:
    """The folder `whole` in `base`, in which a configuration is finished; it is made if it is not there."""
    whole = base / "whole"
    if not (whole / "done").exists():
        shutil.rmtree(whole, ignore_errors=True)
        whole.mkdir(parents=True)
        _records(whole, records)
        said = call(whole, config, project=project)
        if said.returncode:
            raise SystemExit(said.stdout[-3000:])
        (whole / "done").touch()
    return whole


def trial(
    base: Path, config: str, kills: int, seed: int, low: float, high: float, deadline: float = float("inf"),
    project: Path = ROOT, records: Path | None = None,
) -> dict:  # fmt: skip
    """Kill after `low` to `high` CPU seconds, until `kills` times or `deadline` (time.monotonic); what came of it."""
    rng = random.Random(seed)
    whole = undisturbed(base, config, project, records)
    found = {"kills": 0, "rounds": 0, "jobs_hit": 0, "halves": [], "different": [], "failures": [], "seconds": []}
    while found["kills"] < kills and time.monotonic() < deadline:
        folder = base / "killed"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        _records(folder, records)
        while True:
            process = started(folder, config, project)
            last = found["kills"] >= kills or time.monotonic() >= deadline
            wait = rng.uniform(low, high)
            if not ended(process, float("inf") if last else wait):
                kill(process)
                found["kills"] += 1
                found["seconds"].append(round(wait, 2))
                known = being_made(folder)
                found["jobs_hit"] += bool(known)
                found["halves"] += [(found["kills"], name) for name in half_files(folder, whole, known)]
                unlock(folder)
                done = len(made(folder))
                print(
                    f"kill {found['kills']} after {wait:.1f} s: {len(known)} files being made, {done} there", flush=True
                )
                continue
            if process.returncode:
                found["failures"].append((found["kills"], (folder / "said.txt").read_text()[-2000:]))
            break
        found["rounds"] += 1
        found["different"] += [(found["rounds"], name) for name in different(folder, whole)]
        print(f"round {found['rounds']} finished after {found['kills']} kills", flush=True)
        if found["failures"]:
            break
    return found


def _records(folder: Path, records: Path | None) -> None:
    if records is not None:
        shutil.copytree(records, folder / "resources" / "phase1")


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", default=SMOKE, help="a configuration, relative to the project")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--low", type=float, default=8, help="least CPU seconds of Snakemake and its jobs until a kill")
    parser.add_argument("--high", type=float, default=30, help="most CPU seconds until a kill")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no more kills after this time")
    given = parser.parse_args()
    deadline = time.monotonic() + 60 * given.minutes
    found = trial(given.folder.resolve(), given.config, given.kills, given.seed, given.low, given.high, deadline)
    (given.folder / "kills.json").write_text(json.dumps(found, indent=1) + "\n")
    bad = found["halves"] or found["different"] or found["failures"]
    print(
        f"{found['kills']} kills in {found['rounds']} rounds, {found['jobs_hit']} of them while a job was writing: "
        f"{len(found['halves'])} half files, {len(found['different'])} different, {len(found['failures'])} failures"
    )
    for kind in ("halves", "different", "failures"):
        for item in found[kind][:40]:
            print(kind, *item)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
