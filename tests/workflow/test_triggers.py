"""For every rule that reads a file: change the file, plan, and see the rule. The rules are asked, not listed here.

A new rule is covered as soon as it is part of the small configuration, or reads a file of the user's.
"""

import os

import yaml

from ontogeny.pipeline.digests import digest_of

from .conftest import TINY
from .planned import plan


def depth_of(jobs):
    """File to the number of jobs in a row behind it, over the longest way: what is read is deeper than what is made."""
    readers = {}
    for job in jobs:
        for file in job["input"]:
            readers.setdefault(file, []).append(job)
    known = {}

    def depth(file):
        if file not in known:
            known[file] = 1 + max((depth(made) for job in readers.get(file, ()) for made in job["output"]), default=0)
        return known[file]

    return {file: depth(file) for job in jobs for file in (*job["input"], *job["output"])}


def test_every_file_that_a_rule_declares_makes_it_run_when_it_changes(copy):
    """All files are changed at once, each later than what is made of it, so that every input is a reason of its own."""
    snakefile, config = copy.project / "Snakefile", str(copy.project / TINY)
    jobs, _ = plan(snakefile, copy.folder, "--configfile", config)
    assert not [job for job in jobs if job["updated"]]
    for file, depth in depth_of(jobs).items():
        path = copy.folder / file
        changed = path / ".snakemake_timestamp" if path.is_dir() else path
        with open(changed, "ab") as stream:
            stream.write(b" ")
        os.utime(changed, (2_000_000_000 + depth,) * 2)
    jobs, _ = plan(snakefile, copy.folder, "--configfile", config)
    assert len({job["rule"] for job in jobs if job["script"]}) >= 12
    unseen = {job["rule"]: missing for job in jobs if (missing := set(job["input"]) - set(job["updated"]))}
    assert not {rule: files for rule, files in unseen.items() if rule != "all"}, unseen
    assert all(job["planned"] for job in jobs if job["input"])


def write_user_files(folder):
    """A file of the user's for everything that can be one. Nothing is run, so that content does not matter."""
    (folder / "series").mkdir(parents=True)
    for name in ("step_0.safetensors", "step_8.safetensors", "config.json"):
        (folder / "series" / name).write_text(f"content of {name}")
    for name in ("model", "network", "tokenizer", "conversations"):
        (folder / name).mkdir()
        (folder / name / "held.json").write_text(f"content of {name}")
    for name in FILES:
        (folder / name).write_text(f"content of {name}")


FILES = ["images.npz", "probe_images.npz", "probe.npz", "probe.txt", "build.py", "wiring.npz", "recording.csv",
         "derivative.csv", "true.csv", "types.csv", "prompts.csv", "record.json", "detector.py"]  # fmt: skip
SERIES = {
    "of_images": {
        "network": {"build": "build.py:build"},
        "probe": {"task": {"name": "digits", "path": "probe_images.npz"}},
    },
    "of_file": {"network": {"auto": "AutoModel"}, "probe": {"file": "probe.npz"}},
    "of_text": {
        "network": {"auto": "AutoModel", "config": "network"},
        "probe": {"text": "probe.txt", "tokenizer": "tokenizer"},
    },
}
RECORDED = {
    "file": "recording.csv",
    "delta_t": 0.1,
    "derivative_file": "derivative.csv",
    "connectivity_file": "true.csv",
    "types_file": "types.csv",
}
IMAGES = {"task": {"name": "digits", "path": "images.npz"}, "model": "mlp"}
JUDGED = {"task": {"prompts": ["prompts.csv", "conversations"]}, "model": {"name": "model"}}
GIVEN = {"simulation": {"connectivity_type": "file", "connectivity_file": "wiring.npz"}}
TARGETS = ["all", "complexity", "validity"]
CONFIGURATION = {
    "studies": {
        "images": {"kind": "dynamics", "runs": {"mine": IMAGES}},
        "wiring": {"kind": "connectome", "runs": {"given": GIVEN, "recorded": {"data": RECORDED}}},
        "judge": {"kind": "judge", "runs": {"judged": JUDGED}},
    },
    "trajectory_imports": {"series": {"runs": {name: {"source": "series", **run} for name, run in SERIES.items()}}},
    "phase1_imports": {"others": ["record.json"]},
    "analyses": {"validity": {"detectors": ["detector:find"]}},
}


def files_in(folder):
    """The files that `write_user_files` wrote."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.read_bytes().startswith(b"content of"))


def strings_in(value):
    if isinstance(value, dict):
        return [found for each in value.values() for found in strings_in(each)]
    if isinstance(value, list):
        return [found for each in value for found in strings_in(each)]
    return [value] if isinstance(value, str) else []


def test_every_file_of_the_user_is_an_input_and_its_content_a_parameter(project, tmp_path):
    """Also where its time stamp says that nothing changed."""
    write_user_files(tmp_path)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIGURATION))
    jobs, rules = plan(project / "Snakefile", tmp_path, *TARGETS)
    named = {name.partition(":")[0] for name in strings_in(CONFIGURATION)} - {"series"}
    named = {name for name in named if (tmp_path / name).exists()}
    named |= {"detector.py", "series/step_8.safetensors", "series/config.json"}
    given = {name for job in jobs for name in job["given"]}
    assert named <= given, named - given
    covered = {job["rule"] for job in jobs if job["given"]}
    assert set(rules) <= covered, f"let CONFIGURATION have a file for {set(rules) - covered}"
    for path in files_in(tmp_path):
        about = path.stat()
        path.write_text(path.read_text().replace("content", "CONTENT"))
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    changed, _ = plan(project / "Snakefile", tmp_path, *TARGETS)
    before = {(job["rule"], *map(tuple, job["wildcards"])): job["params"] for job in jobs}
    maker = {file: job for job in changed for file in job["output"]}
    for job in (job for job in changed if job["given"]):
        # What a job that replays a training reads of the user's, the training reads too, and both are made again.
        chain = [job, *(maker[file] for file in job["input"] if file in maker)]
        assert any(each["params"] != before[each["rule"], *map(tuple, each["wildcards"])] for each in chain), job
        for name in job["given"]:
            stated = [each for each in chain if digest_of(tmp_path / name) in strings_in(each["params"])]
            assert stated, f"{job['rule']}: {name}"
