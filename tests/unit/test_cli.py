"""The command line answers in words, and errors are one sentence."""

import subprocess
import sys
from pathlib import Path

import pytest

from ontogeny.cli import main
from ontogeny.phase1 import read_phase1

ROOT = Path(__file__).parents[2]
RECORD = ROOT / "resources" / "phase1" / "cnn_shallow_mnist.json"


def test_check_lists_the_runs(capsys):
    assert main(["check", str(ROOT / "config.yaml")]) == 0
    said = capsys.readouterr()
    assert "digits_mlp/s0" in said.out
    assert "is valid" in said.err


@pytest.mark.parametrize(
    ("raised", "status", "said"),
    [
        (KeyboardInterrupt(), 130, "\nontogeny: interrupted\n"),
        (OSError(28, ""), 1, "ontogeny: nothing can be written: No space left on device\n"),
    ],
)
def test_what_is_interrupted_or_has_no_space_ends_in_one_line(monkeypatch, capsys, raised, status, said):
    def check(given):
        raise raised

    monkeypatch.setattr("ontogeny.cli._check", check)
    monkeypatch.setattr("ontogeny.cli.os.dup2", lambda *files: None)
    monkeypatch.setattr("sys.stdout.fileno", lambda: -1, raising=False)
    assert main(["check"]) == status
    assert capsys.readouterr().err == said


def test_check_tells_a_mistake_in_one_sentence(tmp_path, capsys):
    (tmp_path / "wrong.yaml").write_text("studyes: {}\n")
    assert main(["check", str(tmp_path / "wrong.yaml")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("ontogeny: ")
    assert said.count("\n") == 1
    assert "did you mean 'studies'" in said


def test_check_finds_the_records_that_are_imported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("imports.yaml").write_text("phase1_imports:\n  mine: {records: [logs/*.csv]}\n")
    assert main(["check", "imports.yaml"]) == 1
    assert "phase1_imports.mine.records: 'logs/*.csv' finds no Phase 1 record" in capsys.readouterr().err
    Path("logs").mkdir()
    Path("logs/a.csv").write_text("step,loss\n0,1\n")
    assert main(["check", "imports.yaml"]) == 0
    said = capsys.readouterr()
    assert said.out == "mine\tlogs/a.csv\trecord\n"
    assert "0 runs, 1 file of records" in said.err


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("judge, runs: {m: {task: no.csv}}", r"own.yaml, line 1: studies.s.runs.m.task: no.csv does not exist"),
        ("judge, runs: {m: {task: {prompts: all.csv}}}", r"studies.s.runs.m.task.prompts: all 9 prompts are safe"),
        ("connectome, runs: {m: {data: {file: no.npy, delta_t: 1}}}", "studies.s.runs.m.data.file: no.npy does not"),
        ("connectome, runs: {m: {}}, search: {simulation: {connectivity_type: file, connectivity_file: no.npy}}",
         "own.yaml, line 1: studies.s.search.simulation.connectivity_file: no.npy does not exist"),
        ("dynamics, defaults: {task: {name: cifar10, path: no.npz}}, runs: {m: {}}", "s.defaults.task.path: no.npz"),
    ],
)  # fmt: skip
def test_check_looks_for_files_and_into_prompts(tmp_path, monkeypatch, capsys, run, said):
    monkeypatch.chdir(tmp_path)
    Path("all.csv").write_text("prompt,label\n" + "".join(f"hello {i},safe\n" for i in range(9)))
    Path("own.yaml").write_text(f"studies: {{s: {{kind: {run}}}}}\n")
    assert main(["check", "own.yaml"]) == 1
    assert said in capsys.readouterr().err


def test_check_names_a_metric_that_no_run_or_record_has(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("step,loss,val_acc\n0,1,0\n1,0.5,1\n")
    records = "phase1_imports: {mine: {records: [a.csv], analyses: {jumps: {metrics: [METRIC]}}}}\n"
    runs = "studies: {s: {runs: {r: {task: sparse_parity}}}}\nanalyses:\n  jumps: {metrics: [METRIC]}\n"
    ensemble = runs.replace("{runs: {r: {task: sparse_parity}}}", "{kind: circuits, runs: {r: {}}}")
    for text, wrong, said, right in (
        (records, "val_ac", "in record a: did you mean 'val_acc'", "val_acc"),
        (runs, "relevant_wieght", "config.yaml, line 3: analyses.jumps.metrics: unknown metric", "relevant_weight"),
        (ensemble, "probe_accuracy", "in run r: did you mean 'val_accuracy'", "val_accuracy"),
    ):
        Path("config.yaml").write_text(text.replace("METRIC", wrong))
        assert main(["check", "config.yaml"]) == 1
        assert said in capsys.readouterr().err
        Path("config.yaml").write_text(text.replace("METRIC", right))
        assert main(["check", "config.yaml"]) == 0


@pytest.mark.parametrize("what", ["schema", "reference"])
def test_config_pages_go_to_a_file_or_the_terminal(tmp_path, capsys, what):
    assert main(["config", what, "--out", str(tmp_path / "page")]) == 0
    assert main(["config", what]) == 0
    assert capsys.readouterr().out == (tmp_path / "page").read_text()


def test_phase1_reads_tells_and_converts(tmp_path, capsys):
    out = tmp_path / "record.csv"
    assert main(["phase1", str(RECORD), "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "cnn_shallow_mnist" in said.out
    assert "known mistake" in said.err
    assert len(read_phase1(out).frame) == len(read_phase1(RECORD).frame)
    assert main(["phase1", str(tmp_path / "nothing")]) == 1


def test_validity_measures_a_detector_of_ones_own(tmp_path, capsys, monkeypatch):
    (tmp_path / "detector_of_ones_own.py").write_text("def never(values):\n    return []\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = [
        "validity",
        "--detector",
        "detector_of_ones_own:never",
        "--repeats",
        "2",
        "--lengths",
        "120",
        "--out",
        "battery",
    ]
    assert main(arguments) == 0
    assert "false alarms" in capsys.readouterr().out
    assert (tmp_path / "battery" / "validity.csv").exists()
    assert main(["validity", "--detector", "stpe"]) == 1
    assert "did you mean 'step'" in capsys.readouterr().err


def test_unknown_arguments_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--nonsense"])
    assert "--nonsense" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_a_command_quietly():
    command = [sys.executable, "-m", "ontogeny.cli", "config", "schema"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
