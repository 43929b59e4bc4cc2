"""Fill the disk under every rule in turn, and see whether its job says so, leaves no half file, and goes on later.

    python tests/reliability/disk.py FOLDER --seed 0

Works in FOLDER: `whole` is finished undisturbed (that of kill.py is taken, if it is there), and copied to a small disk
in memory. Of every rule one job is drawn. Jobs of which none needs another go together: their outputs are deleted, the
disk is filled to the last byte, and Snakemake is asked for them. Each has to name, in one sentence, the file that found
no room; no other file may have changed, and none may be there in part. Then the disk is freed, and the same command has
to finish with the same bytes as before. Mounting needs root. Exits with 1 if anything was amiss.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import kill

from ontogeny.pipeline.metadata import records_of_files

OWN_DISK = ["mount", "-t", "tmpfs", "-o"]


@dataclass(frozen=True)
class Made:
    """A job that was done: its rule, log, and the files it read and made, relative to the working folder."""

    rule: str
    log: str
    inputs: frozenset[str]
    outputs: frozenset[str]


def jobs_of(folder: Path) -> list[Made]:
    """What Snakemake's records tell of the jobs that made the results in `folder`."""
    found = {}
    for record, output in records_of_files(folder):
        told = json.loads(record.read_bytes())
        if (folder / output).exists():
            job = found.setdefault((told["rule"], *told["log"]), (set(), set()))
            job[0].update(told["input"])
            job[1].add(output)
    return [Made(rule, log, frozenset(inputs), frozenset(outputs)) for (rule, log), (inputs, outputs) in found.items()]


def batches(jobs: list[Made], seed: int) -> list[list[Made]]:
    """One job of every rule, drawn, in groups of jobs as many steps from the beginning, so that none needs another."""
    maker = {output: job for job in jobs for output in job.outputs}
    depths: dict[Made, int] = {}

    def depth(job: Made) -> int:
        if job not in depths:
            before = {maker[name] for name in job.inputs if name in maker} - {job}
            depths[job] = 1 + max(map(depth, before), default=0)
        return depths[job]

    rng, drawn = random.Random(seed), {}
    for rule in sorted({job.rule for job in jobs}):
        job = rng.choice([job for job in jobs if job.rule == rule])
        drawn.setdefault(depth(job), []).append(job)
    return [drawn[level] for level in sorted(drawn)]


def fill(folder: Path) -> Path:
    """Fill what is left of the disk under `folder`; the file that does."""
    filler = folder / ".filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


def delete(folder: Path, names: Iterable[str]) -> None:
    """Delete files and folders that may not be there."""
    for name in names:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def same_age(folder: Path) -> None:
    """Give all files one time stamp, so that nothing is newer than what was made of it."""
    now = time.time()
    for path in folder.rglob("*"):
        os.utime(path, (now, now))


def bytes_of(folder: Path) -> dict[str, bytes]:
    """All finished files of results and what is in them."""
    return {name: kill.content(path) for name, path in kill.made(folder).items()}


def batch_trial(folder: Path, config: str, jobs: list[Made], project: Path) -> dict[str, list]:
    """What came of a full disk under some jobs."""
    before = bytes_of(folder)
    for job in jobs:
        delete(folder, {*job.outputs, job.log, job.log.replace("logs", "benchmarks", 1).removesuffix("log") + "tsv"})
    same_age(folder / "results")
    left = bytes_of(folder).keys()
    targets = sorted(output for job in jobs for output in job.outputs)
    options = [*targets, "--rerun-triggers", "mtime"]
    filler = fill(folder / "results")
    said = kill.call(folder, config, *options, "--keep-going", project=project)
    found: dict[str, list] = {"told": [], "untold": [], "halves": [], "different": [], "failures": []}
    for job in jobs:
        sentence = re.search(rf"^{job.rule}(?: \([^)]*\))?: no disk space left while writing (\S+) ", said.stdout, re.M)
        found["told" if sentence else "untold"].append(f"{job.rule}: {sentence[1] if sentence else job.log}")
    now = bytes_of(folder)
    found["halves"] = sorted(now.keys() - left) + sorted(name for name in left if now.get(name) != before[name])
    found["untold"] += ["Traceback"] * ("Traceback (most recent call last)" in said.stdout)
    filler.unlink()
    again = kill.call(folder, config, *options, project=project)
    if again.returncode:
        found["failures"].append(again.stdout[-2000:])
    after = bytes_of(folder)
    found["different"] = sorted(name for name in after.keys() | before.keys() if after.get(name) != before.get(name))
    if found["untold"] or found["failures"]:
        (folder / f"said_{jobs[0].rule}.txt").write_text(said.stdout + "\n====\n" + again.stdout)
    return found


def trial(base: Path, config: str, seed: int, project: Path = kill.ROOT, rules: Iterable[str] = ()) -> dict[str, list]:
    """What came of a full disk under every rule, or those named."""
    whole, folder = kill.undisturbed(base, config, project), base / "full"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "results").mkdir(parents=True)
    for part in (".snakemake/metadata", "resources"):
        if (whole / part).exists():
            shutil.copytree(whole / part, folder / part)
    space = 2 * sum(path.stat().st_size + 4096 for path in (whole / "results").rglob("*"))
    subprocess.run([*OWN_DISK, f"size={space}", "tmpfs", str(folder / "results")], check=True)
    total: dict[str, list] = {}
    try:
        shutil.copytree(whole / "results", folder / "results", dirs_exist_ok=True)
        for drawn in batches(jobs_of(folder), seed):
            jobs = [job for job in drawn if not rules or job.rule in rules]
            if not jobs:
                continue
            found = batch_trial(folder, config, jobs, project)
            print(f"{', '.join(job.rule for job in jobs)}: {len(found['told'])} said so", flush=True)
            for kind, items in found.items():
                total.setdefault(kind, []).extend(items)
                if kind != "told" and items:
                    print(kind, *items[:20], flush=True)
    finally:
        subprocess.run(["umount", str(folder / "results")], check=True)
    return total


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--config", default=kill.SMOKE, help="a configuration, relative to the project")
    parser.add_argument("--seed", type=int, default=0, help="draws the jobs")
    parser.add_argument("--rules", nargs="*", default=[], help="only these")
    given = parser.parse_args()
    found = trial(given.folder.resolve(), given.config, given.seed, rules=given.rules)
    (given.folder / "disk.json").write_text(json.dumps(found, indent=1) + "\n")
    told, untold = len(found["told"]), len(found["untold"])
    print(
        f"{told + untold} rules, {told} named the file that found no room; {len(found['halves'])} half or changed "
        f"files, {len(found['different'])} different at the end, {len(found['failures'])} failures"
    )
    return 1 if any(items for kind, items in found.items() if kind != "told") else 0


if __name__ == "__main__":
    sys.exit(main())
