"""What decides whether a job runs again is plain JSON, and the same for the same configuration in another order.

What is planned is the same, too, by a Snakemake in which nothing is replaced (see `ontogeny.pipeline.planning`).

Snakemake 9.27 compares parameters as they are written out: a NumPy number or a path may change unseen, and a set, or
a mapping in another order, reruns for nothing.
"""

from pathlib import Path

import pytest
import yaml

from .planned import ANOTHER, plan

ROOT = Path(__file__).parents[2]


def jobs_of(folder, configuration, **variables):
    """Every planned job by its name, mappings among its parameters as lists of pairs."""
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    jobs, _ = plan(ROOT / "Snakefile", folder, "--configfile", "config.yaml", **variables)
    return {f"{job['rule']} {job['wildcards']}": job for job in jobs}


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
        jobs_of(folder / "one", configuration), jobs_of(folder / "two", turned(configuration), **{ANOTHER: "yes"})
    ]  # fmt: skip


def not_plain(value, place=""):
    if isinstance(value, dict):
        return [f"{place}: {value['not JSON']}"] if "not JSON" in value else [
            found for key, each in value.items() for found in not_plain(each, f"{place}.{key}")
        ]  # fmt: skip
    return [found for each in value for found in not_plain(each, place)] if isinstance(value, list) else []


def test_parameters_of_all_rules_are_plain(planned):
    found = [problem for name, job in planned[0].items() for problem in not_plain(job["params"], name)]
    assert len(planned[0]) > 40
    assert not found, "\n".join(found[:20])


def test_the_order_of_keys_changes_no_parameter(planned):
    one, two = planned
    assert set(one) == set(two)
    params = {name: (one[name]["params"], two[name]["params"]) for name in one}
    changed = [(job, name) for job, (here, there) in params.items() for name in here if here[name] != there.get(name)]
    assert not changed, changed[:10]


def test_another_version_of_snakemake_plans_the_same(planned):
    one, two = ({name: {**job, "params": None} for name, job in jobs.items()} for jobs in planned)
    assert one == two
