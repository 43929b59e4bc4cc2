"""The pages of docs/extending, followed literally: what they add passes the project's checks, and works.

A block whose title is a file name is a recipe: a diff is applied at the one place where its context and removed lines
are, anything else is a new file.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from .warm import snakemake

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "extending").glob("*.md"))
RECIPE = re.compile(r'^( *)```(\w+) title="([^"]+)"\n(.*?)^\1```$', flags=re.DOTALL | re.MULTILINE)
TOOLS = Path(sys.executable).parent

CONFIGURATION = """
studies:
  tiny:
    runs:
      tiny_run:
        task: {name: bars, n_train: 200, n_validation: 60, n_probe: 64}
        model: {name: bottleneck, width: 6}
        training: {steps: 40, batch_size: 32, checkpoint_every: 20}
        tracking: {metrics: [stable_rank, entropy_rank]}
        capture_steps: [20]
analyses:
  jumps: {detector: largest_difference}
  geometry: {clusters: [2, 3]}
  importance: {permutations: 19, untrained: 1}
  maps: {frames: 3}
  interventions: [{kind: quantise, n_resamples: 100}]
"""


def recipes(page):
    """Language, file and text of every recipe of a page, in its order."""
    for indent, language, file, text in RECIPE.findall(page.read_text(encoding="utf-8")):
        yield language, file, re.sub(f"(?m)^{indent}", "", text)


def patched(source, diff, place):
    """`source` with one hunk applied."""
    lines = [line or " " for line in diff.splitlines()]
    before = "\n".join(line[1:] for line in lines if line[0] in " -")
    after = "\n".join(line[1:] for line in lines if line[0] in " +")
    # The last line of a hunk may be the beginning of a line.
    found = [match.start() for match in re.finditer(r"(?m)^" + re.escape(before), source)]
    assert len(found) == 1, f"{place}: its context stands in {len(found)} places:\n{before}"
    return source[: found[0]] + after + source[found[0] + len(before) :]


@pytest.fixture(scope="module")
def extended(tmp_path_factory, compiled):
    """A copy of the project to which every page has been applied."""
    copy = tmp_path_factory.mktemp("extended")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)  # what was compiled belongs to a file of that time
    for file in (ROOT / "workflow_scripts").rglob("__pycache__/*.nb[ci]"):
        (copy / file.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy / file.relative_to(ROOT))
    applied = 0
    for page in PAGES:
        for language, file, text in recipes(page):
            target = copy / file
            if language == "diff":
                target.write_text(patched(target.read_text(encoding="utf-8"), text, f"{page.name}, {file}"))
            else:
                assert not target.exists(), f"{page.name} makes {file}, which exists"
                target.write_text(text, encoding="utf-8")
            applied += 1
    assert applied >= 20
    for what, file in (("schema", "config.schema.json"), ("reference", "config.md")):
        done = run(copy, "python", "-m", "ontogeny.cli", "config", what, "--out", f"docs/reference/{file}")
        assert done.returncode == 0, done.stderr
    return copy


def environment(copy):
    path = {"PYTHONPATH": str(copy / "workflow_scripts"), "PATH": f"{TOOLS}:/usr/bin:/bin"}
    return path | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "HOME": str(copy)}


def run(copy, tool, *words):
    command = [str(TOOLS / tool), *map(str, words)]
    return subprocess.run(command, cwd=copy, env=environment(copy), capture_output=True, text=True)


def test_every_page_has_a_recipe():
    assert all(list(recipes(page)) for page in PAGES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["snakefmt", "--check", "rules/changes.smk", "rules/examination.smk"],
        ["lint-imports", "--no-cache"],
        ["pytest", "-q", "-p", "no:cacheprovider", "tests/unit/config/test_reference.py",
         "tests/unit/interventions/test_settings.py",
         "tests/workflow/test_profiles.py", "tests/workflow/test_style.py", "-m", "not slow", "-k",
         "not nothing_to_mend and not types"],
    ],
    ids=lambda command: " ".join(command[:2]),
)  # fmt: skip
def test_the_projects_checks_pass(extended, command):
    done = run(extended, *command)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.slow
def test_types_are_right_with_what_was_added(extended, types):
    shutil.copytree(ROOT / ".mypy_cache", extended / ".mypy_cache")
    done = run(extended, "mypy")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.mark.slow
def test_what_was_added_works(extended):
    (extended / "tiny.yaml").write_text(CONFIGURATION)
    made = "results/runs/tiny_run/s0"
    figure = "results/figures/tiny/tiny_run/s0/drift.png"
    targets = [f"{made}/geometry/drift.csv", figure, f"{made}/interventions/interventions.csv"]
    targets.append("results/studies/tiny/drift.csv")
    asked = ("--configfile", "tiny.yaml", "--cores", "1", "--", *targets)
    status, said, _ = snakemake(*asked, folder=extended, environment=environment(extended))
    assert status == 0, said[-3000:]
    drift = pd.read_csv(extended / targets[0])
    assert drift["step"].nunique() >= 3
    assert (drift.groupby("layer")["drift"].first() == 0).all()
    assert (extended / figure).with_suffix(".pdf").stat().st_size > 1000
    table = pd.read_csv(extended / targets[2])
    assert set(table["intervention"]) == {"quantise"}
    assert '"detector": "largest_difference"' in (extended / made / "jumps.json").read_text()
    assert '"entropy_rank"' in (extended / made / "phase1.json").read_text()
