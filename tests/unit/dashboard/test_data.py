"""Reading results: whole, growing, cut off, of another version, or not there."""

import json
import shutil
import subprocess
import sys

import pytest

from ontogeny.dashboard import data, explain_folder, find_runs, find_studies, read_measurements, read_mechanism
from ontogeny.errors import OntogenyError

ATTACK = "<script>alert(1)</script>"


def test_reading_needs_no_streamlit_and_no_torch():
    code = "import sys, ontogeny.dashboard.data; sys.exit('streamlit' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_runs_are_found_with_their_kind_and_state(made):
    runs = {run.name: run for run in find_runs(made)}
    assert {name: run.kind for name, run in runs.items()} == {
        ATTACK: "judge", "digits/s0": "dynamics", "judge": "judge", "xor": "circuits"
    }  # fmt: skip
    assert runs["digits/s0"].trained
    assert not runs["judge"].trained
    assert not any(run.live for run in runs.values())
    assert find_studies(made) == ["gates", "wiring"]
    assert explain_folder(made) is None
    assert data.results_in(made.parent) == made == data.results_in(made)


def test_a_folder_with_nothing_to_show_is_explained(tmp_path):
    assert "does not exist" in explain_folder(tmp_path / "none")
    assert "holds no runs yet" in explain_folder(tmp_path)
    (tmp_path / "runs" / "begun").mkdir(parents=True)
    assert "holds no runs yet" in explain_folder(tmp_path)
    (tmp_path / "file").write_text("")
    assert "is a file" in explain_folder(tmp_path / "file")


def test_a_record_is_read_once_for_each_state_of_its_file(results, edited):
    path = data.mechanism_files(results / "runs" / "judge")[1]
    first = read_mechanism(path)
    assert read_mechanism(path) is first
    edited(path, lambda record: record.update(step=77))
    assert read_mechanism(path)["step"] == 77


def test_a_record_that_is_cut_off_or_of_another_version_is_a_sentence(results, edited):
    run = results / "runs" / "judge"
    files = data.mechanism_files(run)
    assert list(files) == [0, 1, 3]
    text = files[1].read_text()
    files[1].write_text(text[: len(text) // 2])
    edited(files[3], lambda record: record.update(format="ontogeny-mechanism/9"))
    for epoch, sentence in ((1, "truncated"), (3, "ontogeny-mechanism/9")):
        with pytest.raises(OntogenyError, match=sentence):
            read_mechanism(files[epoch])
    edited(files[0], lambda record: record.pop("probes"))
    with pytest.raises(OntogenyError, match="lacks probes"):
        read_mechanism(files[0])
    with pytest.raises(OntogenyError, match="cannot be read"):
        read_mechanism(run / "mechanism" / "epoch_9.json")


def line(step, **more):
    return json.dumps({"step": step, "loss": 1.0 / (step + 1), "layers": {"a": {"stable_rank": 2.0}}, **more}) + "\n"


def test_only_what_was_appended_is_read_and_a_half_line_waits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(0) + line(1) + line(2)[:20])
    frame = read_measurements(tmp_path)
    assert sorted(frame["step"].unique()) == [0, 1]
    assert set(frame["layer"]) == {"", "a"}
    with open(path, "a") as handle:
        handle.write(line(2)[20:] + "no json\n" + '{"loss": 1}\n' + "[]\n" + line(3, digest="x", ok=True))
    frame = read_measurements(tmp_path)
    assert sorted(frame["step"].unique()) == [0, 1, 2, 3]
    assert set(frame["metric"]) == {"loss", "stable_rank"}
    assert len(frame) == 8
    assert read_measurements(tmp_path) is frame


def test_a_file_that_was_started_again_is_read_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(step) for step in range(6)))
    assert len(read_measurements(tmp_path)) == 12
    path.write_text(line(0))
    assert len(read_measurements(tmp_path)) == 2
    path.write_text("".join(line(step, loss=7.0) for step in range(9)))
    frame = read_measurements(tmp_path)
    assert len(frame) == 18
    assert (frame.loc[frame["metric"] == "loss", "value"] == 7.0).all()
    path.write_text("")
    assert not len(read_measurements(tmp_path))
    with pytest.raises(OntogenyError, match="cannot be read"):
        read_measurements(tmp_path / "none")


def test_what_a_run_measures_equals_its_record(made):
    run = made / "runs" / "digits" / "s0"
    live = read_measurements(run)
    record = data.read_run_record(run)
    steps, values = record.series(record.layers_of()[0], "stable_rank")
    part = live[(live["layer"] == record.layers_of()[0]) & (live["metric"] == "stable_rank")]
    assert part["step"].tolist() == steps.tolist()
    assert part["value"].tolist() == values.tolist()
    assert len(data.losses_in(record)) == len(steps)


def test_tables_that_lack_a_column_are_a_sentence(results):
    jumps = results / "runs" / "digits" / "s0" / "jumps.csv"
    assert data.read_jumps(results / "runs" / "xor") is None
    assert "significant" in data.read_jumps(jumps.parent)
    jumps.write_text("run,layer\na,b\n")
    with pytest.raises(OntogenyError, match="lacks the column metric"):
        data.read_jumps(jumps.parent)


def test_a_search_is_read_and_a_broken_record_named(results):
    folders = data.search_folders(results)
    assert list(folders) == ["wiring"]
    records = data.read_search(folders["wiring"])
    assert len(records) == 10
    assert data.read_search(folders["wiring"]) is records
    path = folders["wiring"] / "records" / "block_01" / "iter_002.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(OntogenyError, match=r"iter_002\.json"):
        data.read_search(folders["wiring"])


def test_pages_drawn_in_a_training_loop_of_ones_own_are_found(made, tmp_path):
    shutil.copytree(made / "runs" / "judge" / "mechanism", tmp_path / "pages" / "records")
    for folder in (tmp_path, tmp_path / "pages"):
        (run,) = data.find_runs(folder)
        assert (run.name, run.kind) == ("pages", "judge")
        assert list(data.mechanism_files(run.folder)) == [0, 1, 3]
        assert data.explain_folder(folder) is None
