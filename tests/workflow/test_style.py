"""Linters and formatters have nothing to say."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .warm import snakemake

ROOT = Path(__file__).parents[2]
RULES = ["Snakefile", *(f"rules/{path.name}" for path in sorted((ROOT / "rules").glob("*.smk")))]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "."],
        ["lint-imports", "--no-cache"],
        ["snakefmt", "--check", *RULES],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_nothing_to_mend(command):
    tool = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("config", [(), ("--configfile", "tests/configs/smoke.yaml")], ids=["", "smoke"])
def test_snakemake_has_nothing_to_mend(config):
    status, said, _ = snakemake("--lint", *config, folder=ROOT)
    assert status == 0, said


def test_types_are_right(types):
    assert types[0] == 0, types[1]


def test_the_order_of_packages_is_told_as_it_is_checked():
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    checked = [set(re.findall(r"\w+", layer)) for layer in reversed(contract["layers"])]
    told = re.search(r"(?m)^    renamed < [^`]*?\n\n", (ROOT / "CONTRIBUTING.md").read_text()).group()
    assert [set(layer.split()) for layer in told.split("<")] == checked


def test_every_rule_with_a_script_has_one_of_its_name():
    scripts = {path.stem for path in (ROOT / "workflow_scripts").glob("*.py")}
    rules = {
        line.split()[1].rstrip(":")
        for path in (ROOT / "rules").glob("*.smk")
        for line in path.read_text().splitlines()
        if line.startswith("rule ")
    }
    assert scripts <= rules, scripts - rules


@pytest.mark.parametrize("script", sorted((ROOT / "workflow_scripts").glob("*.py")), ids=lambda path: path.stem)
def test_scripts_are_thin(script):
    assert len(script.read_text().splitlines()) <= 25
