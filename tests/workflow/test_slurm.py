"""The cluster profile on a real SLURM of one node: the smoke run, cancelled jobs, and limits of time and memory.

The first test starts SLURM by `tests/slurm/slurm.sh`, which installs system packages and needs root. So it does this
only where the variable ONTOGENY_SLURM is `install`; elsewhere these tests want a SLURM that already answers. The one
that takes many minutes runs where ONTOGENY_SLURM_LONG is set.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from filelock import FileLock

from .conftest import Pipeline

ROOT = Path(__file__).parents[2]
SMOKE = "tests/configs/smoke.yaml"
DATA = {".json", ".csv", ".h5", ".safetensors", ".parquet"}

pytestmark = pytest.mark.slow
takes_long = pytest.mark.skipif(not os.environ.get("ONTOGENY_SLURM_LONG"), reason="ONTOGENY_SLURM_LONG is not set")


def slurm_answers():
    return bool(shutil.which("sinfo")) and subprocess.run(["sinfo", "-h"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def slurm(shared):
    """Ends a SLURM that it started: without one, its configuration would hold up every later call of Snakemake."""
    script = ROOT / "tests/slurm/slurm.sh"
    started = False
    with FileLock(shared / "slurm.lock"):
        if not slurm_answers() and os.environ.get("ONTOGENY_SLURM") == "install":
            outcome = subprocess.run([script, "start"], capture_output=True, text=True)
            if outcome.returncode:
                pytest.skip(f"SLURM could not be started here: {outcome.stderr.strip()}")
            started = True
    if not slurm_answers():
        pytest.skip("no SLURM answers here; `tests/slurm/slurm.sh start` starts one, as root")
    yield
    if started:
        subprocess.run([script, "stop"], capture_output=True)


class Cluster(Pipeline):
    """The pipeline with its cluster profile; polls often and needs no accounting."""

    def command(self, *arguments, config=SMOKE):
        chosen = ["--configfile", str(config if os.path.isabs(config) else self.project / config)]
        profile = ["--profile", str(self.project / "profiles" / "slurm")]
        quick = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"]
        where = ["--snakefile", str(self.project / "Snakefile"), "--directory", str(self.folder)]
        program = str(Path(sys.executable).with_name("snakemake"))
        return [
            program,
            "--logger-ontogeny-standard",
            *arguments,
            *profile,
            *quick,
            "--latency-wait",
            "5",
            "--jobs",
            "6",
            *where,
            *chosen,
        ]

    def start(self, *arguments, config):
        command = self.command(*arguments, config=config)
        with open(self.folder / "snakemake.log", "w") as log:
            return subprocess.Popen(command, env=self.environment, stdout=log, stderr=log, cwd=self.folder)


@pytest.fixture
def cluster(slurm, project, tmp_path):
    return Cluster(project, tmp_path)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """A configuration of one run that trains for about ten seconds, and the file that it leaves."""
    runs = {"long": {"model": {"name": "mlp", "hidden": [32, 16], "dropout": 0.1}}}
    settings = {"steps": 2000, "batch_size": 64, "checkpoint_every": 200}
    study = {"kind": "dynamics", "defaults": {"task": {"name": "digits"}, "training": settings}, "runs": runs}
    path = tmp_path_factory.mktemp("training") / "training.yaml"
    path.write_text(yaml.safe_dump({"studies": {"one": study}}))
    return path, "results/runs/long/s0/phase1.json"


def bytes_of(folder, suffixes=DATA):
    left_out = ("benchmarks", "logs", "provenance", "tables")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in suffixes and path.relative_to(folder).parts[0] not in left_out
    }


def wait_until(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


def jobs_in(folder, state="RUNNING"):
    """The SLURM jobs of this state that work in `folder`: their numbers, limits of time, and nodes."""
    listed = subprocess.run(["squeue", "-h", "-t", state, "-o", "%A %l %N %Z"], capture_output=True, text=True).stdout
    rows = (line.split(maxsplit=3) for line in listed.splitlines())
    return [tuple(row) for *row, place in rows if place == str(folder)]


def freeze(job, node, script):
    """Stop the process of a job on this machine that runs `script`, so that it cannot end before its limit of time."""
    listed = subprocess.run(["scontrol", "listpids", job, node], capture_output=True, text=True).stdout
    numbers = {int(pid) for pid in re.findall(r"^(\d+)", listed, re.MULTILINE)}
    places = [Path(f"/proc/{pid}/cmdline") for pid in numbers]
    frozen = [int(place.parts[2]) for place in places if place.exists() and f".{script}.py" in place.read_text()]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    return frozen


def lines_of(path):
    return path.read_text().count("\n") if path.exists() else 0


@takes_long
def test_the_smoke_run_makes_the_same_bytes_as_a_workstation(cluster, project, tmp_path_factory):
    said = cluster("all", config=SMOKE)
    assert said.code == 0, said.text
    here = Pipeline(project, tmp_path_factory.mktemp("workstation"))
    said = here("phase1", "jumps", "activations", config=SMOKE)
    assert said.code == 0, said.text
    made, expected = bytes_of(cluster.results), bytes_of(here.results)
    assert set(expected) <= set(made)
    assert [name for name in expected if made[name] != expected[name]] == []


def test_a_training_cancelled_and_then_out_of_time_goes_on_to_the_same_bytes(
    cluster, project, training, tmp_path_factory
):
    config, target = training
    metrics = cluster.results / "runs" / "long" / "s0" / "metrics.jsonl"
    process = cluster.start(target, config=config)
    wait_until(lambda: lines_of(metrics) > 300, 300)
    ((first, _, _),) = jobs_in(cluster.folder)
    subprocess.run(["scancel", first], check=True)
    wait_until(lambda: lines_of(metrics) > 700 and jobs_in(cluster.folder), 300)
    ((second, limit, node),) = jobs_in(cluster.folder)
    assert second != first
    assert limit == "8:00:00"
    # A minute is SLURM's shortest limit, and it looks every half minute: this job's limit is moved to now.
    assert freeze(second, node, "train_run"), "the training runs on another machine"
    subprocess.run(["scontrol", "update", f"jobid={second}", "endtime=now"], check=True)
    wait_until(lambda: jobs_in(cluster.folder, "TIMEOUT"), 120)
    wait_until(lambda: process.poll() is not None, 300)
    said = (cluster.folder / "snakemake.log").read_text()
    assert process.returncode == 0, said
    assert re.findall(r"SLURM status is: '(\w+)", said) == ["CANCELLED", "TIMEOUT"], said
    here = Pipeline(project, tmp_path_factory.mktemp("workstation"))
    said = here(target, config=config)
    assert said.code == 0, said.text
    assert bytes_of(cluster.results) == bytes_of(here.results)


def test_a_job_that_holds_too_much_memory_says_so_and_asks_for_more(cluster, training):
    config, target = training
    settings = yaml.safe_load(config.read_text())
    settings["studies"]["one"]["defaults"]["training"]["steps"] = 400
    config.write_text(yaml.safe_dump(settings))
    said = cluster(target, "--set-resources", "train_run:mem_mb=100 * 10 ** (attempt - 1)", config=config)
    assert said.code == 0, said.text
    assert "SLURM status is" in said.text
    logs = "".join(path.read_text() for path in (cluster.results / "logs" / "slurm").rglob("*.log"))
    assert "memory" in logs, logs
