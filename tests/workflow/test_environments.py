"""The conda environments hold what the package needs, and every rule names one that is there."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))
CONDA = {"matplotlib": "matplotlib-base"}
"""Packages that conda-forge calls otherwise."""
EXTRAS = ("adapters", "explore", "parquet", "studies", "video")
"""What rules need beyond the dependencies of the package."""
NOT_IN_JOBS = {"rocrate", "snakemake"}
"""The command line alone packs archives; Snakemake brings what a script needs of it into the job's environment."""


def name_of(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement)[0].lower()


def required():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras, pending = project["optional-dependencies"], list(EXTRAS)
    found = {name_of(entry) for entry in project["dependencies"]}
    while pending:
        for entry in extras[pending.pop()]:
            inner = re.match(r"ontogeny\[(.*)\]", entry)
            if inner:
                pending += inner[1].split(",")
            else:
                found.add(name_of(entry))
    return found - NOT_IN_JOBS


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environments_hold_what_rules_need(path):
    entries = [entry.split("=")[0].strip() for entry in yaml.safe_load(path.read_text())["dependencies"]]
    torch = f"pytorch-{path.stem}"
    wanted = {CONDA.get(name, torch if name == "torch" else name) for name in required()}
    assert wanted <= set(entries), wanted - set(entries)
    assert set(entries) <= wanted | {"python"}, "listed without need"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_environments_pin_the_versions_that_are_tested(path):
    pins = dict(re.findall(r"^([A-Za-z0-9_.-]+)==(\S+)$", (ROOT / "envs/constraints.txt").read_text().lower(), re.M))
    names = {conda: name for name, conda in CONDA.items()} | {f"pytorch-{path.stem}": "torch"}
    for entry in yaml.safe_load(path.read_text())["dependencies"]:
        conda, _, version = entry.partition(" =")
        if conda != "python":
            pinned = pins[names.get(conda, conda).replace("_", "-") if conda not in pins else conda]
            assert version, f"{conda} has no version"
            assert f"{pinned}.".startswith(f"{version}."), f"{conda}: {version} here, {pinned} tested"


def test_every_environment_is_used():
    text = (ROOT / "workflow_scripts/ontogeny/pipeline/rulebook.py").read_text()
    assert {path.name for path in ENVIRONMENTS} == set(re.findall(r'"\.\./envs/([^"]+)"', text))
