"""The cluster profile knows the rules that there are."""

import re
from collections import Counter
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


def test_every_group_is_of_a_rule_that_exists():
    rules = {
        name for path in (ROOT / "rules").glob("*.smk") for name in re.findall(r"^rule (\w+):", path.read_text(), re.M)
    }
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    assert {group.split("=")[0] for group in profile["groups"]} <= rules
    assert {group.split("=")[0] for group in profile["group-components"]} <= {
        g.split("=")[1] for g in profile["groups"]
    }


def test_the_last_attempt_of_a_group_fits_into_a_day():
    profile = yaml.safe_load((ROOT / "profiles/slurm/config.yaml").read_text())
    parts = dict(group.split("=") for group in profile["group-components"])
    text = "\n".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    minutes = dict(re.findall(r"(?s)^rule (\w+):(?:(?!^rule ).)*?needs\(mem_mb=\d+, runtime=(\d+)", text, re.M))
    asked = Counter()
    for rule, group in (entry.split("=") for entry in profile["groups"]):
        asked[group] += int(minutes[rule]) * int(parts.get(group, 1)) * (profile["retries"] + 1)
    assert max(asked.values()) < 24 * 60, asked


def test_every_rule_with_a_script_states_its_needs():
    for path in (ROOT / "rules").glob("*.smk"):
        for body in re.split(r"(?m)^rule ", path.read_text())[1:]:
            if "script:" in body:
                name = body.split(":")[0]
                assert re.search(r"\*\*needs\(mem_mb=\d+, runtime=\d+", body), f"{path.name}: {name} states no needs"
