"""What decides whether a job runs again is plain JSON, and the same for the same configuration in another order.

Snakemake 9.27 compares parameters as they are written out: a NumPy number or a path may change unseen, and a set, or
a mapping in another order, reruns for nothing.
"""

from pathlib import Path

import pytest
import yaml

from .planned import plan

ROOT = Path(__file__).parents[2]


def parameters(folder, configuration):
    """The parameters of every planned job, mappings as lists of pairs."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    jobs, _ = plan(ROOT / "Snakefile", folder, "--configfile", "config.yaml")
    return {f"{job['rule']} {job['wildcards']}": job["params"] for job in jobs}


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
