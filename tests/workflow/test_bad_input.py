"""Bad input ends in one sentence that names file or key and the cure, without a traceback, and loses nothing."""

import os
import re
import shutil
import subprocess

import h5py
import pytest
import yaml

from ontogeny.files import append_checksum, read_json, write_json
from snakemake_logger_plugin_ontogeny.view import sentence_of

from .conftest import Pipeline

RUN = "results/runs/tiny_mlp/s0"


def configuration(pipeline, change, name="changed.yaml"):
    """The small configuration as `change` leaves it."""
    settings = yaml.safe_load((pipeline.project / "tests" / "configs" / "tiny.yaml").read_text())
    settings = change(settings) or settings
    file = pipeline.folder / name
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    return file


def with_run(**blocks):
    def change(settings):
        settings["studies"]["tiny"]["runs"]["tiny_mlp"] |= blocks

    return change


def renamed(study, name):
    def change(settings):
        block = settings[study] if study == "phase1_imports" else settings["studies"]["tiny"]["runs"]
        block[name] = block.pop(next(iter(block)))

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (with_run(model="mpl"), r"line \d+: .*model.*mpl.*did you mean 'mlp'"),
        (with_run(task="digit"), r"line \d+: .*task.*digit.*did you mean 'digits'"),
        (with_run(training={"checkpoint_every": 0}), r"line \d+: .*checkpoint_every is 0; it should be greater"),
        (renamed("studies", "../x"), r'line \d+: .*"\.\./x" cannot be a name; use letters'),
        (renamed("studies", "<script>"), r'line \d+: .*"<script>" cannot be a name; use letters'),
        (renamed("phase1_imports", "../x"), r'line \d+: .*"\.\./x" cannot be a name; use letters'),
    ],
    ids=["architecture", "data set", "checkpoints", "folder up", "html", "import folder up"],
)
def test_a_wrong_value_is_told_with_file_line_and_key(fresh, change, sentence):
    file = configuration(fresh, change)
    assert fresh("--dry-run", config=file).refuses(f"Configuration error: changed.yaml, {sentence}")


def test_a_job_that_cannot_import_what_it_needs_says_so_in_its_log(fresh, tmp_path):
    shutil.copytree(fresh.project, tmp_path / "project")
    script = tmp_path / "project" / "workflow_scripts" / "import_phase1.py"
    script.write_text(f"import nowhere\n{script.read_text()}")
    said = Pipeline(tmp_path / "project", fresh.folder)("--until", "import_phase1")
    why = "ModuleNotFoundError: No module named 'nowhere'"
    assert said.refuses(rf"import_phase1 .*: unexpected {why}; the traceback is in results/logs/import_phase1/")
    (log,) = (fresh.results / "logs" / "import_phase1").rglob("*.log")
    assert "Traceback" in log.read_text()
    assert sentence_of(log) == why


def test_a_script_that_is_no_python_ends_the_planning_in_a_sentence(fresh, tmp_path):
    shutil.copytree(fresh.project, tmp_path / "project")
    (tmp_path / "project" / "workflow_scripts" / "import_phase1.py").write_text("def (:\n")
    said = Pipeline(tmp_path / "project", fresh.folder)("--dry-run")
    assert said.refuses(r"Error: \S+import_phase1.py, line 1, is no Python: invalid syntax")


@pytest.mark.parametrize(
    ("text", "why"),
    [("def (:", "invalid syntax"), ("import nowhere", "No module named 'nowhere'")],
    ids=["code", "name"],
)
def test_a_module_that_planning_cannot_import_ends_it_in_a_sentence(fresh, tmp_path, text, why):
    shutil.copytree(fresh.project, tmp_path / "project")
    module = tmp_path / "project" / "workflow_scripts" / "ontogeny" / "config" / "load.py"
    module.write_text(f"{text}\n")
    said = Pipeline(tmp_path / "project", fresh.folder)("--dry-run")
    assert said.refuses(rf"Error: {module}, line 1, cannot be imported: {why}")


def test_an_allowed_rule_that_there_is_not_is_told_with_the_nearest(fresh):
    said = fresh("--dry-run", "--allowed-rules", "detect_jump")
    assert said.refuses("Error: unknown rule 'detect_jump': did you mean 'detect_jumps'")


def test_a_configuration_that_is_not_yaml_is_told_with_its_line(fresh):
    (fresh.folder / "config.yaml").write_text("studies:\n  a: [1, 2\n  b: 3\n")
    assert fresh("--dry-run", config=None).refuses(r"Configuration error: config.yaml, line \d+ is not YAML")


@pytest.mark.parametrize(("name", "why"), [("nowhere.yaml", "no such file"), (".", "is a directory")])
@pytest.mark.parametrize("standard", [True, False], ids=["standard", "view"])
def test_a_configuration_that_cannot_be_read_is_told(fresh, name, why, standard):
    fresh.standard = standard
    said = fresh(*(["--dry-run"] if standard else []), config=fresh.folder / name)
    assert said.refuses(f"(?m)^Configuration error: {fresh.folder / name} cannot be read .{why}.*--configfile$")


def test_a_configuration_that_comes_through_a_pipe_is_told(fresh):
    read, write = os.pipe()
    os.write(write, b"studies: {}\n")
    os.close(write)
    said = subprocess.run(
        fresh.command("--dry-run", config=f"/dev/fd/{read}"), cwd=fresh.folder, pass_fds=[read], capture_output=True,
        text=True,
    )  # fmt: skip
    os.close(read)
    assert said.returncode != 0
    assert re.search("(?m)^Configuration error: a pipe cannot be read again.*--configfile$", said.stdout + said.stderr)
    assert "Traceback" not in said.stdout + said.stderr


def test_a_home_in_which_nothing_can_be_made_is_told(fresh):
    (fresh.folder / "file").touch()
    fresh.given = {"XDG_CACHE_HOME": str(fresh.folder / "file")}
    assert fresh("--dry-run").refuses(
        r"(?m)^Error: \S+file\S* cannot be made \(not a directory\): name .* XDG_CACHE_HOME$"
    )


def test_a_key_given_twice_is_told_with_both_lines(fresh):
    (fresh.folder / "config.yaml").write_text("cache: a\nstudies: {}\ncache: b\n")
    assert fresh("--dry-run", config=None).refuses(
        "config.yaml, line 3: cache is given twice, first in line 1; remove one of them"
    )


def test_a_run_that_is_not_configured_is_told_with_the_nearest(fresh):
    said = fresh("--dry-run", "results/runs/tiny_mpl/jumps.json")
    assert said.refuses("unknown run 'tiny_mpl': did you mean 'tiny_mlp/s0'")
    assert not list((fresh.folder / ".snakemake" / "locks").glob("*"))


def test_a_target_that_there_is_not_is_told_with_the_nearest(fresh):
    assert fresh("--dry-run", "jump").refuses("unknown target 'jump': did you mean 'jumps'")


def test_a_pattern_that_finds_no_record_is_told_with_its_key(fresh):
    def change(settings):
        settings["phase1_imports"]["others"] = ["nowhere/*.json"]

    said = fresh("--dry-run", config=configuration(fresh, change))
    assert said.refuses(r"line \d+: phase1_imports.others\S*: '.*nowhere/.*' finds no Phase 1 record: name a file")


def test_what_only_the_job_can_see_is_one_sentence_for_each_job(fresh):
    """Jobs that fail leave a sentence, the others go on."""
    (fresh.folder / "notes.json").write_text('{"shopping": ["milk"]}')

    def change(settings):
        settings["studies"]["tiny"]["runs"] = {
            "probe": {"task": {"n_probe": 5000}},
            "layer": {"tracking": {"layers": ["Liner_0"]}},
            "batch": {"training": {"batch_size": 500}},
        }
        settings["phase1_imports"] = {"notes": ["notes.json"]}

    targets = [f"results/runs/{name}/s0/phase1.json" for name in ("probe", "layer", "batch")]
    said = fresh(*targets, "results/studies/notes/jumps.csv", config=configuration(fresh, change))
    assert said.refuses(r"train_run \(run probe/s0\): .*5000 probe .*digits.*1797.*lower n_probe")
    assert said.refuses(r"train_run \(run layer/s0\): unknown layer 'Liner_0'.*did you mean 'Linear_0'")
    assert said.refuses(r"train_run \(run batch/s0\): .*batch_size is 500, but the data has only 200")
    assert said.refuses(r"import_phase1 \(study notes\): .*notes.json.*shopping")
    for name in ("probe", "layer", "batch"):
        assert "ERROR" in (fresh.results / "logs" / "train_run" / name / "s0.log").read_text()


def snapshot(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_record_cut_in_half_is_told(copy):
    record = copy.folder / RUN / "phase1.json"
    record.write_bytes(record.read_bytes()[: record.stat().st_size // 2])
    kept = snapshot(copy.folder / RUN / "checkpoints")
    said = copy(f"{RUN}/jumps.json")
    assert said.refuses(rf"detect_jumps \(run tiny_mlp/s0\): {RUN}/phase1.json ends in the middle.*delete it")
    assert snapshot(copy.folder / RUN / "checkpoints") == kept


def test_a_flipped_byte_in_a_checkpoint_is_told(copy):
    for path in (copy.folder / RUN / "checkpoints").glob("*.safetensors"):
        data = bytearray(path.read_bytes())
        data[-100] ^= 1
        path.write_bytes(data)
    said = copy(f"{RUN}/activations.h5", "--forcerun", "examine_run")
    assert said.refuses(r"examine_run \(run tiny_mlp/s0\): .*step_\d+.safetensors is damaged.*train the run again")


def test_activations_that_another_run_made_are_made_anew(copy):
    """The job that reads them wrote them: it sees that they are not what it left."""
    activations, table = copy.folder / RUN / "activations.h5", copy.folder / RUN / "neurons" / "comparison.csv"
    before, read = activations.read_bytes(), table.read_bytes()
    with h5py.File(activations, "a") as file:
        file.attrs["run"], file.attrs["identity"] = "somebody", "0" * 16
    append_checksum(activations)
    table.unlink()
    said = copy(f"{RUN}/neurons/comparison.csv")
    assert said.code == 0, said.text
    assert (activations.read_bytes(), table.read_bytes()) == (before, read)


def test_a_run_of_another_version_is_refused(copy):
    config = copy.folder / RUN / "config.json"
    write_json(config, read_json(config) | {"format": "ontogeny-run/0"})
    said = copy(f"{RUN}/activations.h5")
    assert said.refuses("config.json has format 'ontogeny-run/0'; this version reads 'ontogeny-run/1': train the run")


def test_a_full_disk_is_told_and_what_is_finished_is_kept(fresh, small_disk):
    small_disk(fresh.results / "runs", "size=150k")
    said = fresh(f"{RUN}/phase1.json")
    assert said.refuses(rf"train_run \(run tiny_mlp/s0\): no disk space left while writing {RUN}.*free some space")
    subprocess.run(["mount", "-o", "remount,size=20m", str(fresh.results / "runs")], check=True)
    again = fresh(f"{RUN}/phase1.json")
    assert again.code == 0, again.text


def test_results_that_cannot_be_written_are_told(fresh, small_disk):
    small_disk(fresh.results, "ro")
    assert fresh("--dry-run").code == 0
    assert fresh(f"{RUN}/phase1.json").refuses("Error: results cannot be written to: make it a writable folder")
    assert not list((fresh.folder / ".snakemake" / "locks").glob("*"))
