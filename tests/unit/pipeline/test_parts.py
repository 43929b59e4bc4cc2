"""A part of a job is made where something that it follows from has changed, and nowhere else."""

from types import SimpleNamespace

import pytest

from ontogeny.pipeline import parts as module
from ontogeny.pipeline.drawing import PARTS as DRAWN
from ontogeny.pipeline.examination import PARTS as MEASURED
from ontogeny.pipeline.examination import examined
from ontogeny.pipeline.figures import of_examination
from ontogeny.pipeline.parts import Part, Parts

HERE = "pipeline/parts.py"
PARTS = {
    "first": Part(("one",), ("errors.py",), settings=("a",)),
    "second": Part(("two",), ("errors.py",), reads=("one",), settings=("b",)),
    "alone": Part(("three",), ("errors.py",), reads=("other",)),
    "not declared": Part(("four",), ("errors.py",)),
}


class Named(dict):
    """What a script gets as inputs, outputs, parameters and logs."""

    def __getattr__(self, name):
        return self[name]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the job with these settings; `first` writes the setting `a` modulo 10. Returns the parts that were made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".snakemake").mkdir()
    (tmp_path / "in").write_text("content")
    (tmp_path / "other").write_text("content")

    def job(a=1, b=1, pending=None, **options):
        files = {"one": str(a % 10), "two": "two", "three": "three"}
        snakemake = SimpleNamespace(
            input=Named({"always": "in", "other": "other"}),
            output=Named({name: name for name in files}),
            params=Named(settings={"a": a, "b": b}, title=options.get("title", "t")),
            log=Named(record=options.get("record", "results/provenance/rule/run.json")),
            threads=1,
        )
        made = []
        parts = Parts(snakemake, PARTS, HERE, ("always", "title"))
        assert pending is None or parts.pending() == pending

        def work(name):
            made.append(name)
            for output in PARTS[name].outputs:
                (tmp_path / output).write_text(files[output])

        for name in parts.parts:
            parts.make(name, lambda name=name: work(name))
        return made

    return job


ALL = ["first", "second", "alone"]


def test_a_part_is_made_once(run):
    assert run(pending=ALL) == ALL
    assert run(pending=[]) == []


def test_a_setting_makes_its_part_and_what_reads_another_outcome(run):
    run()
    assert run(b=2, pending=["second"]) == ["second"]
    assert run(a=2, b=2, pending=["first", "second"]) == ["first", "second"]
    assert run(a=12, b=2, pending=["first", "second"]) == ["first"], "what came out is as it was"


def test_inputs_parameters_outputs_and_code_count(run, tmp_path, monkeypatch):
    run()
    (tmp_path / "other").write_text("other content")
    assert run() == ["alone"]
    (tmp_path / "in").write_text("other content")
    assert run() == ALL
    assert run(title="other") == ALL
    (tmp_path / "two").unlink()
    assert run(title="other") == ["second"]
    (tmp_path / "two").write_text("edited")
    assert run(title="other") == ["second"]
    monkeypatch.setattr(module, "code_digest", lambda file: "another")
    assert run(title="other") == ALL


def test_forced_unremembered_or_damaged_everything_is_made(run, tmp_path, monkeypatch):
    run()
    monkeypatch.setenv(module.FORCED, "yes")
    assert run() == ALL
    monkeypatch.delenv(module.FORCED)
    assert run() == []
    assert run(record="results/provenance/rule/other.json") == ALL
    (tmp_path / module.FOLDER / "rule" / "run.json").write_text("{")
    assert run() == ALL
    (tmp_path / ".snakemake").rename(tmp_path / "elsewhere")
    assert run() == ALL
    assert not (tmp_path / ".snakemake").exists()


def test_the_registers_fit_together():
    outputs = [output for part in MEASURED.values() for output in part.outputs]
    assert len(set(outputs)) == len(outputs) == len(examined())
    written: set[str] = set()
    for part in MEASURED.values():
        assert set(part.reads) <= written, "a part reads what an earlier one writes"
        written |= set(part.outputs)
    figures = {output for part in DRAWN.values() for output in part.outputs}
    assert set(of_examination("dynamics")) <= figures
    inputs = {*outputs, "config", "phase1", "plan"}
    assert all(set(part.reads) <= inputs for part in DRAWN.values())
    for part in (*MEASURED.values(), *DRAWN.values()):
        assert all((module.PACKAGE / file).is_file() for file in part.code)
