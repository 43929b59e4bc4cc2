"""Nothing stale, nothing mixed: what changes is made again, what comes out as it was stops, and results say so."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from ontogeny import code
from ontogeny.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "reliability"))

import mutate

from .conftest import Pipeline
from .warm import snakemake

RUN = Path("results/runs/mine/s0")
JUMPS = RUN / "jumps.csv"
SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"


def write_images(folder, seed):
    rng = np.random.default_rng(seed)
    np.savez(folder / "mine.npz", x=rng.random((200, 1, 8, 8), dtype=np.float32), y=np.arange(200) % 10)


def write_study(folder, seeds=1, **analyses):
    state = mutate.State(seeds=seeds)
    (folder / "study.yaml").write_text(yaml.safe_dump({**state.configuration(), "analyses": analyses}))


class One(Pipeline):
    """One small image run on a file of the user's."""

    def __call__(self, *arguments, config=None):
        return super().__call__(*arguments, config=config or self.folder / "study.yaml")

    def plan(self, *arguments, config=None):
        return super().plan(*arguments, config=config or self.folder / "study.yaml")


@pytest.fixture(scope="module")
def trained(project, tmp_path_factory):
    """A run and its jumps, made once; leave it as it is."""
    made = One(project, tmp_path_factory.mktemp("trained"))
    write_images(made.folder, 0)
    write_study(made.folder)
    said = made("jumps")
    assert said.code == 0, said.text
    return made


@pytest.fixture
def one(trained, tmp_path):
    """The same, to be changed."""
    shutil.copytree(trained.folder, tmp_path / "one", ignore=shutil.ignore_patterns("log", "locks", "incomplete"))
    return One(trained.project, tmp_path / "one")


@pytest.fixture
def in_folder(one, monkeypatch):
    monkeypatch.chdir(one.folder)
    return one


@pytest.mark.parametrize("date", [None, 1_500_000_000], ids=["now", "dated back"])
def test_other_data_train_again(one, date):
    assert one.plan("jumps").nothing_to_do
    (one.folder / "mine.npz").touch()
    assert one.plan("jumps").nothing_to_do
    write_images(one.folder, 1)
    if date:
        os.utime(one.folder / "mine.npz", (date, date))
    assert one.plan("jumps").jobs["train_run"] == 1


def test_data_that_are_not_there_are_told_when_planned(one):
    (one.folder / "mine.npz").unlink()
    assert one("--dry-run", "jumps").refuses(r"line \d+: studies\.s\.runs\.mine\.task\S*: mine\.npz does not exist")


def test_another_seed_trains_that_seed_only(one):
    write_study(one.folder, seeds=2)
    said = one.plan("phase1")
    assert said.jobs["train_run"] == 1
    assert "runs/mine/s1/phase1.json" in said.text


def test_what_comes_out_as_it_was_stops_there(one):
    said = one("activations")
    assert said.code == 0, said.text
    write_study(one.folder, jumps={"false_discovery_rate": 0.049999})
    planned = one.plan("activations").jobs
    assert planned["examine_run"] == 1
    said = one("activations")
    assert said.code == 0, said.text
    assert "rule detect_jumps" in said.text
    assert "plan_captures" in said.text
    assert "rule examine_run" not in said.text, said.text
    assert one.plan("activations").nothing_to_do


def test_a_result_says_what_it_was_made_from(in_folder, capsys):
    assert main(["show", str(RUN / "checkpoints" / "step_00000008.safetensors")]) == 0
    told = capsys.readouterr().out
    for part in (
        "made by   train_run (run mine/s0)",
        "mine.npz  ",
        "identity.training.steps  40",
        "python ",
        "threads   1",
    ):
        assert part in told, told
    assert main(["show", "study.yaml"]) == 1
    assert "is not the result of a rule" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: None, None),
        (
            lambda folder: write_images(folder, 1),
            r"config\.json no longer follows from mine\.npz, which has other content",
        ),
        (lambda folder: (folder / "mine.npz").unlink(), r"no longer follows from mine\.npz, which is missing now"),
        (lambda folder: (folder / RUN / "jumps.csv").write_text("x\n"), r"jumps\.csv is not what detect_jumps wrote"),
        (lambda folder: (folder / RUN / "jumps.json").unlink(), r"jumps\.json is missing"),
        (
            lambda folder: shutil.copy(
                folder / RUN / "checkpoints/step_00000000.safetensors",
                folder / RUN / "checkpoints/step_00000008.safetensors",
            ),
            r"replay of .* does not give the network that was trained|belongs to|is not step",
        ),
    ],
    ids=["nothing", "data", "no data", "edited", "missing", "checkpoint"],
)
def test_what_no_longer_follows_is_told(in_folder, capsys, change, sentence):
    change(in_folder.folder)
    status = main(["verify", "--seed", "3"])
    told = capsys.readouterr()
    assert status == int(sentence is not None), told.out
    assert re.search(sentence or "^$", told.out), told.out


def test_results_without_records_are_told(in_folder, capsys):
    record = in_folder.results / "provenance" / "train_run" / "mine" / "s0.json"
    record.unlink()
    assert main(["verify", "--no-replay"]) == 1
    assert "runs/mine/s0/config.json has no record of provenance" in capsys.readouterr().out
    shutil.rmtree(in_folder.results / "provenance")
    assert main(["verify", "--no-replay"]) == 1
    assert "provenance holds no records" in capsys.readouterr().out


def test_the_same_run_in_two_folders_is_trained_once(trained, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path / "cache"))
    for name in ("first", "second"):
        here = One(trained.project, tmp_path / name)
        here.folder.mkdir()
        write_images(here.folder, 0)
        write_study(here.folder)
        said = here(str(RUN / "phase1.json"), "--cache")
        assert said.code == 0, said.text
        assert ("to cache" in said.text) == (name == "first"), said.text
        assert (here.folder / RUN / "phase1.json").read_bytes() == (trained.folder / RUN / "phase1.json").read_bytes()


@pytest.fixture
def fs(tmp_path):
    """A folder as a storage: arguments for Snakemake, and a function that reads a stored file."""
    if not shutil.which("rsync"):
        pytest.skip("the storage plugin fs needs rsync")
    where = ["--default-storage-provider", "fs", "--default-storage-prefix", str(tmp_path / "store")]
    return where, lambda name: (tmp_path / "store" / name).read_bytes()


@pytest.fixture
def s3():
    """A bucket of a server on this machine as a storage."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    keys = ["--storage-s3-access-key", "a", "--storage-s3-secret-key", "b"]
    where = ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://bucket/here"]
    yield (
        [*where, "--storage-s3-endpoint-url", address, *keys],
        lambda name: client.get_object(Bucket="bucket", Key=f"here/{name}")["Body"].read(),
    )
    server.stop()


@pytest.mark.parametrize("storage", ["fs", "s3"])
def test_results_may_lie_in_a_storage(trained, tmp_path, storage, request):
    pytest.importorskip(f"snakemake_storage_plugin_{storage}")
    where, stored = request.getfixturevalue(storage)
    here = One(trained.project, tmp_path / "here")
    here.folder.mkdir()
    write_images(here.folder, 0)
    write_study(here.folder)
    said = here(JUMPS, *where)
    assert said.code == 0, said.text
    for name in ("phase1.json", "jumps.csv"):
        assert stored(RUN / name) == (trained.folder / RUN / name).read_bytes()
    assert b"ontogeny-provenance" in stored("results/provenance/train_run/mine/s0.json")
    assert not (here.folder / "results").exists()
    assert here.plan(JUMPS, *where).nothing_to_do


def test_a_generic_cluster_makes_the_same_files(trained, tmp_path):
    pytest.importorskip("snakemake_executor_plugin_cluster_generic")
    here = One(trained.project, tmp_path / "here")
    here.folder.mkdir()
    write_images(here.folder, 0)
    write_study(here.folder)
    record = RUN / "phase1.json"
    said = here(record, "--executor", "cluster-generic", "--cluster-generic-submit-cmd", "sh", "--jobs", "1")
    assert said.code == 0, said.text
    assert (here.folder / record).read_bytes() == (trained.folder / record).read_bytes()


def call(folder, config, *more, project):
    """What `kill.call` comes to, in less time."""
    words = mutate.kill.command(folder, config, *more, project=project)[1:]
    status, said, _ = snakemake(*words, folder=folder)
    return SimpleNamespace(returncode=status, stdout=said)


@pytest.mark.slow
def test_edits_between_kills_and_restarts_leave_what_nothing_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr(mutate.kill, "call", call)
    found = mutate.trial(tmp_path, rounds=1, seed=27, low=3, high=8)
    assert len(found["edits"]) == 3
    assert found["different"] == [], found


def test_jobs_read_only_what_their_rules_declare(finished, shared):
    """Every rule of the small configuration, as it ran: files of the working folder that its jobs opened."""
    assert len(list((shared / "audit").iterdir())) >= 12
    if shutil.which("cc"):
        assert "capture_plan.json" in (shared / "audit" / "examine_run").read_text()
    undeclared = undeclared_reads(shared / "audit", finished.results)
    assert not undeclared, undeclared


def test_modules_that_jobs_load_are_part_of_their_code(finished, shared):
    """Whatever a job imported of this package decides when it runs again, but for what only carries messages."""
    if not shutil.which("cc"):
        pytest.skip("needs a C compiler, to see what is loaded")
    wrong = {}
    for note in sorted((shared / "audit").iterdir()):
        scripts = finished.project / "workflow_scripts"
        counted = {path.relative_to(SCRIPTS).as_posix() for path in code.files_of_code(SCRIPTS / f"{note.name}.py")}
        opened = {os.path.relpath(path, scripts) for path in note.read_text().splitlines()}
        found = re.findall(r"^(ontogeny/.*?)__pycache__/(\w+)\.", "\n".join(opened), re.MULTILINE)
        loaded = {f"{folder}{name}.py" for folder, name in found}
        surround = code.files_of_code(SCRIPTS / "ontogeny" / "pipeline" / "job.py")
        quiet = {path.relative_to(SCRIPTS).as_posix() for path in surround}
        quiet |= {f"{module.replace('.', '/')}.py" for module in code.QUIET}
        loaded = {path for path in loaded - quiet if not path.endswith("__init__.py") and "/pipeline/" not in path}
        if loaded - counted:
            wrong[note.name] = sorted(loaded - counted)
    assert not wrong, wrong


def test_everything_that_was_made_follows_from_what_lies_beside_it(finished, capsys):
    assert main(["verify", str(finished.folder)]) == 0, capsys.readouterr().out


ALLOWED = {"list_experiments": ("results/benchmarks/",), "merge_benchmarks": ("results/benchmarks/",)}
"""What rules may read besides: the costs of other jobs, which are no results."""


def undeclared_reads(notes, results):
    """Files below the working folder that the jobs of a rule opened, and that no record of the rule names."""
    wrong = {}
    for note in sorted(notes.iterdir()):
        declared = [f"results/{kind}/" for kind in ("logs", "provenance")] + list(ALLOWED.get(note.name, ()))
        for record in (results / "provenance" / note.name).rglob("*.json"):
            made = json.loads(record.read_text())
            declared += [*made["inputs"], *made["outputs"]]
            declared += [f"{Path(path).parent.as_posix()}/." for path in made["outputs"]]
        for path in sorted(set(note.read_text().splitlines())):
            path = os.path.relpath(path, results.parent)
            inside = not path.startswith(("..", ".snakemake", "cache")) and not path.endswith("metrics.jsonl")
            inside = inside and (results.parent / path).exists()
            if (
                inside
                and ".resume" not in path
                and not any(
                    path == name or path.startswith(f"{name.rstrip('/')}/") or path.startswith(name)
                    for name in declared
                )
            ):
                wrong.setdefault(note.name, []).append(path)
    return wrong
