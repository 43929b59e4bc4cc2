"""Digests of the user's files, and the memory that spares reading them again."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from ontogeny.pipeline import digests
from ontogeny.pipeline.digests import MEMORY, content_digests, digest_of, tidy_memory


def forget():
    """As a new process begins."""
    digests._known.cache_clear()
    digests._memory.cache_clear()


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    found = [tmp_path / f"{number}.csv" for number in range(50)]
    for number, path in enumerate(found):
        path.write_text(f"step,loss\n0,{number}\n")
    forget()
    yield found
    forget()


def test_each_new_file_is_written_once_and_read_once(files, monkeypatch):
    written, write = [], os.write
    monkeypatch.setattr(os, "write", lambda file, data: written.append(len(data)) or write(file, data))
    for path in files:
        content_digests([path])
    assert len(written) == len(files)
    assert max(written) - min(written) < 8
    assert sum(written) == MEMORY.stat().st_size

    forget()
    read, of_file = [], digests._of_file
    monkeypatch.setattr(digests, "_of_file", lambda path: read.append(path) or of_file(path))
    files[7].write_text("step,loss\n0,other\n")
    found = content_digests(files)
    assert read == [files[7]]
    assert len(written) == len(files) + 1
    forget()
    assert content_digests(files) == found == {path.name: digest_of(path) for path in files}


def test_a_memory_of_files_that_changed_or_went_is_tidied(files, monkeypatch):
    for size in range(4):
        for path in files:
            path.write_text("0" * size)
        content_digests(files)
    for path in files[10:]:
        path.unlink()
    before = MEMORY.stat().st_size
    forget()
    tidy_memory()
    assert MEMORY.stat().st_size < before / 15
    forget()
    monkeypatch.setattr(digests, "_of_file", None)
    assert list(content_digests(files[:10])) == [path.name for path in files[:10]]
    kept = MEMORY.read_bytes()
    tidy_memory()
    assert MEMORY.read_bytes() == kept


def test_processes_may_add_to_the_memory_at_once_and_be_interrupted(files):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: content_digests([path]), files))
    lines = [json.loads(line) for line in MEMORY.read_text().splitlines() if line]
    assert sorted(path for path, *_ in lines) == sorted(map(str, files))
    with open(MEMORY, "ab") as memory:
        memory.write(b'["half a line", "12')
    files[0].write_text("step,loss\n0,later\n")
    forget()
    content_digests(files)
    forget()
    assert digests._memory()[str(files[0])][0] == digest_of(files[0])
    assert len(digests._memory()) == len(files)


def test_damaged_memory_costs_reading_and_nothing_else(files):
    (folder := MEMORY.parent).mkdir()
    for damage in (b"\xff\xfe", b"[]\n7\n{}\nnull\n[[1], 2]\n", f'["{files[0]}"]\n'.encode()):
        MEMORY.write_bytes(damage)
        forget()
        assert content_digests(files[:1]) == {files[0].name: digest_of(files[0])}
    MEMORY.unlink()
    folder.rmdir()
    folder.parent.rmdir()
    forget()
    assert content_digests(files[:1]) == {files[0].name: digest_of(files[0])}
    assert not folder.parent.exists()
