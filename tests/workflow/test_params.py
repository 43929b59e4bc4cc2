"""What decides whether a job runs again is plain JSON, and the same for the same configuration in another order.

Snakemake 9.27 compares parameters as they are written out: a NumPy number or a path may change unseen, and a set, or
a mapping in another order, reruns for nothing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]

COLLECT = """
import json, sys
from snakemake import cli, dag

made = dag.DAG.postprocess

async def postprocess(self, *args, **kwargs):
    done = await made(self, *args, **kwargs)
    found = {}
    for job in self.jobs:
        found[f"{job.rule.name} {sorted(job.wildcards_dict.items())}"] = {k: written(v) for k, v in job.params.items()}
    json.dump(found, open("params.json", "w"))
    return done

def written(value):
    if type(value) in (str, int, bool, type(None)) or (type(value) is float and value == value):
        return value
    if type(value) is list or type(value).__name__ in ("Namedlist", "Params"):
        return [written(each) for each in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return [[key, written(each)] for key, each in value.items()]
    return {"not JSON": repr(type(value))}

dag.DAG.postprocess = postprocess
cli.main(sys.argv[1:])
"""


def parameters(folder, configuration):
    """The parameters of every planned job, mappings as lists of pairs."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    command = [sys.executable, "-c", COLLECT, "-n", "-q", "-s", str(ROOT / "Snakefile"), "--directory", str(folder)]
    done = subprocess.run(
        [*command, "--configfile", "config.yaml"], cwd=folder, capture_output=True, text=True, env=environment
    )
    assert (folder / "params.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "params.json").read_text())


def turned(value, path=()):
    """The configuration with the keys of its mappings in reverse, but for runs and studies, whose order is shown."""
    if not isinstance(value, dict):
        return value
    keys = list(value) if path[-1:] in (("runs",), ("studies",), ("phase1_imports",)) else list(reversed(value))
    return {key: turned(value[key], (*path, key)) for key in keys}


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("params")
    configuration = yaml.safe_load((ROOT / "tests/configs/smoke.yaml").read_text())
    return [
        parameters(folder / name, given) for name, given in (("one", configuration), ("two", turned(configuration)))
    ]


def not_plain(value, place=""):
    if isinstance(value, dict):
        return [f"{place}: {value['not JSON']}"] if "not JSON" in value else [
            found for key, each in value.items() for found in not_plain(each, f"{place}.{key}")
        ]  # fmt: skip
    return [found for each in value for found in not_plain(each, place)] if isinstance(value, list) else []


def test_parameters_of_all_rules_are_plain(planned):
    found = [problem for job, params in planned[0].items() for problem in not_plain(params, job)]
    assert len(planned[0]) > 40
    assert not found, "\n".join(found[:20])


def test_the_order_of_keys_changes_no_parameter(planned):
    one, two = planned
    assert set(one) == set(two)
    changed = [(job, name) for job in one for name in one[job] if one[job][name] != two[job].get(name)]
    assert not changed, changed[:10]
