"""Files are whole or absent, and say what is wrong with them."""

import json
import math
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError, first_line, nearest, unknown
from ontogeny.files import (
    append_checksum,
    atomic,
    json_text,
    open_hdf5,
    read_json,
    read_table,
    read_tables,
    write_csv,
    write_hdf5,
    write_json,
    write_text,
)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail():
        with atomic(path) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="a folder in which nobody can make files")
def test_a_folder_that_takes_no_files_is_named():
    with pytest.raises(OntogenyError, match=r"cannot write /proc/x\.json"):
        write_json("/proc/x.json", {})


def test_a_left_over_part_is_replaced(tmp_path):
    path = tmp_path / "deep" / "file.json"
    with atomic(path) as part:
        part.write_text("{}")
        left_over = part
    left_over.write_text("half")
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_threads_that_write_one_file_wait_for_each_other(tmp_path):
    path, texts, together = tmp_path / "frame.json", [letter * 100_000 for letter in "abcd"], threading.Barrier(4)

    def write(text):
        together.wait()
        for _ in range(20):
            write_text(path, text)
            assert path.read_text() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(write, texts))
    assert [entry.name for entry in tmp_path.iterdir()] == ["frame.json"]


def test_json_is_strict_exact_and_the_same_every_time(tmp_path):
    value = {"x": np.float64(0.1) + 0.2, "n": np.int64(3), "a": np.arange(2), "nan": math.nan, "inf": np.inf}
    text = json_text(value)
    assert text == json_text(dict(value))
    assert json.loads(text) == {"x": 0.1 + 0.2, "n": 3, "a": [0, 1], "nan": None, "inf": None}
    with pytest.raises(TypeError, match="cannot be written as JSON"):
        write_json(tmp_path / "x.json", object())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": [1, 2', "ends in the middle"),
        (b'{"a" 1, "b": 2}', "line 1, column 6"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_json_is_one_sentence_with_its_name(tmp_path, content, words):
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(OntogenyError, match=words) as caught:
        read_json(path)
    assert "broken.json" in str(caught.value)


def test_missing_files_and_folders_are_told(tmp_path):
    with pytest.raises(OntogenyError, match="does not exist"):
        read_json(tmp_path / "absent.json")
    with pytest.raises(OntogenyError, match="is a folder"):
        read_json(tmp_path)
    with pytest.raises(OntogenyError, match="does not exist"):
        read_table(tmp_path / "absent.csv")
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(OntogenyError, match="cannot be read as a table"):
        read_table(tmp_path / "empty.csv")


def test_tables_come_back_exactly(tmp_path):
    frame = pd.DataFrame({"x": [0.1 + 0.2, 1e-300], "name": ["a,b", 'quote "x"']})
    for name in ("table.csv", "table.tsv"):
        write_csv(tmp_path / name, frame)
        pd.testing.assert_frame_equal(read_table(tmp_path / name), frame)
    both = read_tables([tmp_path / "table.csv", Path(tmp_path / "table.csv")])
    assert len(both) == 4


def test_what_other_libraries_say_fits_into_a_sentence():
    assert first_line(ValueError("\nbad header\nat byte 7")) == "bad header"
    assert first_line(KeyError("no such group")) == "no such group"
    assert first_line(AssertionError()) == "AssertionError"
    assert len(first_line(RuntimeError("x" * 900))) == 200


def test_unknown_names_are_met_with_the_nearest():
    assert nearest("MLP_Shalow", ["mlp_shallow", "vit"]) == "mlp_shallow"
    assert nearest("zzz", ["mlp"]) is None
    assert "and 60 more" in str(unknown("run", "x", [f"run{i}" for i in range(100)]))


def test_hdf5_is_sealed_before_the_library_sees_it(tmp_path):
    path = tmp_path / "data.h5"
    with write_hdf5(path) as file:
        file["a/x"] = np.arange(5)
    with open_hdf5(path) as file, h5py.File(path) as again:
        assert file["a/x"][()].tolist() == again["a/x"][()].tolist() == [0, 1, 2, 3, 4]
    whole = path.read_bytes()
    for broken in (whole[:300] + b"x" + whole[300:], whole[:-1], whole[:-200], b"", b"\0" * 81):
        path.write_bytes(broken)
        with pytest.raises(OntogenyError, match=r"data.h5 is damaged.*make it again"):
            open_hdf5(path)
    with pytest.raises(OntogenyError, match=r"data.h5 does not exist"):
        open_hdf5(tmp_path / "absent" / "data.h5")
    path.write_bytes(whole)
    with h5py.File(path, "a") as file:
        file["a/y"] = 1
    with pytest.raises(OntogenyError, match="truncated or edited"):
        open_hdf5(path)
    append_checksum(path)
    open_hdf5(path).close()


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_whatever_the_library_raises(tmp_path, error):
    path = tmp_path / "data.bin"

    def write(met):
        with atomic(path) as part:
            part.write_bytes(b"half")
            raise met

    with pytest.raises(OntogenyError, match=r"no disk space left while writing .*data\.bin"):
        write(error)
    assert not list(tmp_path.iterdir())
    with pytest.raises(RuntimeError, match="something else"):
        write(RuntimeError("something else"))


def test_hdf5_on_a_full_disk_leaves_it_as_it_was(tmp_path, small_disk, capfd):
    small_disk(tmp_path, "size=200k")
    data = np.random.default_rng(0).standard_normal(4000)

    def fill():
        with write_hdf5(tmp_path / "data.h5") as file:
            for name in range(10):
                file[str(name)] = data

    with pytest.raises(OntogenyError, match=r"no disk space left while writing .*data\.h5"):
        fill()
    assert shutil.disk_usage(tmp_path).used == 0
    assert not capfd.readouterr().err


def test_a_place_that_can_hold_no_file_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OntogenyError, match="file is not a folder and cannot be made one"):
        write_json(tmp_path / "file" / "table.json", {})
    for folder in (tmp_path, "."):
        with pytest.raises(OntogenyError, match="it is a folder"):
            write_json(folder, {})
