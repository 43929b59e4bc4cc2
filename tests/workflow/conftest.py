"""The pipeline as a user runs it: a copy of the project, and one small configuration made once."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from .warm import PROGRAM, snakemake

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / "figure_watch"), str(ROOT / "tests" / "reliability")]

import file_notes  # noqa: E402
from kill import copy_project  # noqa: E402

TINY = "tests/configs/tiny.yaml"


@dataclass
class Said:
    """What a call of Snakemake came to."""

    code: int
    text: str
    cpu: float

    @property
    def jobs(self):
        """Planned jobs: rule to number, without the target `all`."""
        found = {name: int(count) for name, count in re.findall(r"^([a-z_0-9]+) +(\d+)$", self.text, re.MULTILINE)}
        return {name: count for name, count in found.items() if name not in ("all", "total")}

    @property
    def nothing_to_do(self):
        return "Nothing to be done" in self.text

    def refuses(self, pattern):
        """Whether it failed with a sentence like `pattern` and without a traceback."""
        assert self.code != 0, self.text
        assert re.search(pattern, self.text), self.text
        assert "Traceback" not in self.text, self.text
        return True


class Pipeline:
    """Snakemake on a project, in a folder of results. `standard`: with its own messages, not the live view."""

    standard = True

    def __init__(self, project, folder, **environment):
        self.project, self.folder, self.given = project, folder, environment

    @property
    def results(self):
        return self.folder / "results"

    def command(self, *arguments, config=TINY):
        chosen = ["--configfile", str(self.project / config)] if config else []
        where = ["--snakefile", str(self.project / "Snakefile"), "--directory", str(self.folder)]
        shown = ["--logger-ontogeny-standard"] if self.standard else []
        return [PROGRAM, "--cores", "2", *shown, *where, *arguments, *chosen]

    @property
    def environment(self):
        watch = Path(__file__).parents[1] / "figure_watch"
        path = os.pathsep.join(map(str, (watch, ROOT / "workflow_scripts")))
        return os.environ | {"PYTHONPATH": path} | self.given

    def __call__(self, *arguments, config=TINY):
        words = self.command(*arguments, config=config)[1:]
        code, text, cpu = snakemake(*words, folder=self.folder, environment=self.environment)
        return Said(code, text, cpu)

    def plan(self, *arguments, config=TINY):
        """A dry-run, which must succeed."""
        said = self("--dry-run", *arguments, config=config)
        assert said.code == 0, said.text
        return said


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """One folder for all tests, also where several processes run the tests."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "pipeline"
    shared.mkdir(exist_ok=True)
    return shared


@pytest.fixture(scope="session")
def compiled(shared):
    """What is compiled is compiled once for all processes, and copies of the project come with it."""
    with FileLock(shared / "compiled.lock"):
        if not (shared / "compiled").exists():
            path = {"PYTHONPATH": str(ROOT / "workflow_scripts")}
            subprocess.run([sys.executable, ROOT / "tests" / "compile_all.py"], env=os.environ | path, check=True)
            (shared / "compiled").touch()


@pytest.fixture(scope="session")
def types(shared):
    """Exit status of mypy and what it says, asked once for all processes; its cache then serves copies."""
    said = shared / "mypy.json"
    with FileLock(shared / "mypy.lock"):
        if not said.exists():
            tool = str(Path(sys.executable).with_name("mypy"))
            done = subprocess.run([tool], cwd=ROOT, capture_output=True, text=True)
            said.write_text(json.dumps([done.returncode, done.stdout + done.stderr]))
    return json.loads(said.read_text())


@pytest.fixture(scope="session")
def project(shared, compiled):
    with FileLock(shared / "project.lock"):
        if not (shared / "project").exists():
            copy_project(shared / "project")
    return shared / "project"


def with_records(pipeline):
    """`pipeline` in a folder that holds the records which the small configuration imports."""
    target = pipeline.folder / "resources" / "phase1"
    target.mkdir(parents=True)
    shutil.copy2(pipeline.project / "resources" / "phase1" / "mlp_shallow_2_mnist.json", target)
    return pipeline


@pytest.fixture(scope="session")
def finished(project, shared):
    """The small configuration, made once; leave it as it is.

    Which files its jobs opened is noted in `shared/audit`, and what is wrong with their figures in its folder.
    """
    pipeline = Pipeline(project, shared / "finished")
    with FileLock(shared / "finished.lock"):
        if not pipeline.folder.exists():
            problems = str(pipeline.folder / "figure_problems.jsonl")
            pipeline.given = {**file_notes.watch(shared / "audit"), "FIGURE_PROBLEMS": problems}
            said = with_records(pipeline)()
            assert said.code == 0, said.text
            pipeline.given = {}
    return pipeline


@pytest.fixture
def copy(finished, tmp_path):
    """The finished folder again, to be changed."""
    passing = shutil.ignore_patterns("log", "locks", "scripts", "auxiliary", "incomplete")
    shutil.copytree(finished.folder, tmp_path / "copy", ignore=passing)
    return Pipeline(finished.project, tmp_path / "copy")


@pytest.fixture
def edited(finished, tmp_path):
    """The finished folder under a copy of the project whose code may be edited."""
    shutil.copytree(finished.project, tmp_path / "project")
    return Pipeline(tmp_path / "project", finished.folder)


@pytest.fixture
def fresh(project, tmp_path):
    """A folder without results."""
    return with_records(Pipeline(project, tmp_path / "fresh"))
