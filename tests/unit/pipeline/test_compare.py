"""Differences in settings, numbers, figures and bytes are found, told and shown without harm."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from ontogeny.cli import main
from ontogeny.errors import OntogenyError
from ontogeny.files import read_table
from ontogeny.pipeline.compare import (
    COMPARISON_TABLES,
    compare,
    comparison_page,
    comparison_text,
    state_of,
    write_comparison,
)

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def trees(tmp_path):
    root = tmp_path / "a" / "results"
    for place in ("runs/mlp", "figures/s", "tables", "benchmarks/x", "logs/x"):
        (root / place).mkdir(parents=True)
    (root / "runs/mlp/config.json").write_text(json.dumps({"settings": {"training": {"steps": 5}}, "run": "mlp"}))
    (root / "runs/mlp/activations.h5").write_bytes(b"123")
    (root / "tables/t.csv").write_text("name,value,flag,missing\na,1.0,True,\nb,2.0,True,\n")
    (root / "benchmarks/x/y.tsv").write_text("s\n1\n")
    Image.fromarray(np.full((40, 60, 3), 255, np.uint8)).save(root / "figures/s/f.png")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    return tmp_path / "a", tmp_path / "b"


def test_equal_trees_differ_in_nothing_whatever_they_cost(trees):
    (trees[1] / "results/benchmarks/x/y.tsv").write_text("s\n2\n")
    found = compare(*trees)
    assert found.equal
    assert found.same == 4
    assert "no difference" in comparison_text(found)


def test_cells_missing_in_both_do_not_differ(trees):
    for tree, cost in zip(trees, (1, 2)):
        (tree / "results/tables/t.csv").write_text(f"name,label,value,cost.s\na,,,{cost}\nb,text,1,{cost}\n")
    assert compare(*trees).equal
    (trees[1] / "results/tables/t.csv").write_text("name,label,value,cost.s\na,new,,2\nb,text,1,2\n")
    assert compare(*trees).numbers == [("tables/t.csv", "label", None, None, 1)]


def test_every_kind_of_difference_is_found(trees):
    b = trees[1] / "results"
    (b / "runs/mlp/config.json").write_text(json.dumps({"settings": {"training": {"steps": 6}}, "run": EVIL}))
    (b / "runs/mlp/activations.h5").write_bytes(b"124")
    (b / "tables/t.csv").write_text(f"name,value,flag,missing\n{EVIL},1.0,True,\nb,2.5,False,\n")
    (b / f"tables/{EVIL.replace('/', '')}.csv").write_text("x\n1\n")
    pixels = np.full((40, 60, 3), 255, np.uint8)
    pixels[:4] = 0
    Image.fromarray(pixels).save(b / "figures/s/f.png")
    found = compare(*trees)
    assert ("mlp", "settings.training.steps", 5, 6) in found.settings
    assert ("tables/t.csv", "value", 0.5, 0.2, 1) in found.numbers
    assert {row[1] for row in found.numbers} == {"name", "value", "flag"}
    assert [(name, round(share, 3)) for name, share, _ in found.figures] == [("figures/s/f.png", 0.1)]
    assert found.files == ["runs/mlp/activations.h5"]
    assert len(found.only_b) == 1
    page = comparison_page(found)
    assert EVIL not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)
    assert "data:image/png;base64," in page
    assert "10% of the pixels differ" in comparison_text(found)


def test_tables_of_other_shapes_and_broken_files_are_told(trees):
    b = trees[1] / "results"
    (b / "tables/t.csv").write_text("name,value,other\na,,1\n")
    (b / "figures/s/f.png").write_bytes(b"no picture")
    found = compare(*trees)
    told = comparison_text(found)
    assert "rows: 2 and 1" in told
    assert "other (only in B)" in told
    assert found.figures[0][2] == b""
    assert "cannot be read" in comparison_page(found)
    assert "nan" not in comparison_page(found)


def test_configurations(tmp_path):
    for name, steps, extra in (("a", 5, ""), ("b", 6, ", two: {}")):
        (tmp_path / f"{name}.yaml").write_text(
            f"studies: {{s: {{runs: {{one: {{training: {{steps: {steps}}}}}{extra}}}}}}}\n"
            f"analyses: {{geometry: {{components: {steps}}}}}\n"
        )
    found = compare(tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert ("one/s0", "training.steps", 5, 6) in found.settings
    assert ("analyses of s", "geometry.components", 5, 6) in found.settings
    assert (found.only_a, found.only_b) == ([], ["two/s0"])
    assert compare(tmp_path / "a.yaml", tmp_path / "a.yaml").equal


def test_the_command_ends_as_asked(trees, tmp_path, capsys):
    assert main(["compare", *map(str, trees), "--same"]) == 0
    (trees[1] / "results/runs/mlp/activations.h5").write_bytes(b"124")
    assert main(["compare", *map(str, trees), "--out", str(tmp_path / "page.html")]) == 0
    assert main(["compare", *map(str, trees), "--same"]) == 1
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")
    assert "activations.h5" in capsys.readouterr().out


def test_what_cannot_be_compared_is_one_sentence(trees, tmp_path):
    with pytest.raises(OntogenyError, match="does not exist"):
        compare(trees[0], tmp_path / "nowhere")
    (tmp_path / "c.yaml").write_text("studies: {}\n")
    with pytest.raises(OntogenyError, match="a folder and a file"):
        compare(trees[0], tmp_path / "c.yaml")
    (tmp_path / "empty").mkdir()
    with pytest.raises(OntogenyError, match="holds no results"):
        compare(trees[0], tmp_path / "empty")


def test_tables_and_page_hold_what_was_found(trees, tmp_path):
    b = trees[1] / "results"
    (b / "runs/mlp/config.json").write_text(json.dumps({"settings": {"training": {"steps": 6}}, "run": "mlp"}))
    (b / "runs/mlp/activations.h5").write_bytes(b"124")
    (b / "tables/t.csv").write_text("name,value,flag,missing\na,1.0,True,\nb,2.5,True,\n")
    (b / "tables/new.csv").write_text("x\n1\n")
    files = {name: tmp_path / "out" / f"{name}.csv" for name in COMPARISON_TABLES}
    files["page"] = tmp_path / "out" / "page.html"
    write_comparison(compare(*trees), files)
    settings, numbers, figures, others = (read_table(files[name]) for name in COMPARISON_TABLES)
    assert settings.to_dict("records") == [{"run": "mlp", "setting": "settings.training.steps", "a": 5, "b": 6}]
    assert numbers.to_dict("records") == [
        {"table": "tables/t.csv", "column": "value", "largest_difference": 0.5, "relative": 0.2, "rows": 1}
    ]
    assert len(figures) == 0
    assert set(map(tuple, others.to_numpy())) == {
        ("runs/mlp/activations.h5", "differs"),
        ("tables/new.csv", "only in B"),
    }
    assert "settings.training.steps" in files["page"].read_text()


def test_the_state_of_a_folder_changes_with_its_results_alone(trees):
    before = state_of(trees[0])
    (trees[0] / "results/comparison").mkdir()
    (trees[0] / "results/comparison/files.csv").write_text("file,what\n")
    (trees[0] / "results/logs/x/y.log").write_text("one more line\n")
    assert state_of(trees[0]) == before
    assert compare(*trees).equal
    (trees[0] / "results/tables/t.csv").write_text("name\na\n")
    assert state_of(trees[0]) != before
