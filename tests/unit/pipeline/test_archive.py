"""Archives hold what they name, the same bytes every time, and refuse what is damaged or climbs."""

import base64
import json
import zipfile

import pytest

from ontogeny.errors import OntogenyError
from ontogeny.pipeline.archive import CRATE, pack, unpack


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "work"
    for run in ("mlp", "mlp2", "cnn/s0"):
        (root / "results/runs" / run / "checkpoints").mkdir(parents=True)
        (root / "results/runs" / run / "config.json").write_text(f'{{"run": "{run}"}}\n')
        (root / "results/runs" / run / "checkpoints/step_1.safetensors").write_bytes(b"weights")
        (root / "results/runs" / run / "checkpoints/.snakemake_timestamp").write_text("")
        (root / "results/runs" / run / ".phase1.part.json").write_text("half")
    (root / "results/figures/s/mlp").mkdir(parents=True)
    (root / "results/figures/s/mlp/metrics.png").write_bytes(b"png")
    (root / ".snakemake/metadata").mkdir(parents=True)
    for number, made in enumerate(("results/runs/mlp/config.json", "results/gone.csv")):
        name = base64.urlsafe_b64encode(made.encode()).decode()
        told = {"rule": "train_run", "starttime": 100.5 + number, "endtime": 200.5, "params": ["1"]}
        (root / ".snakemake/metadata" / name).write_text(json.dumps(told))
    (root / "config.yaml").write_text("studies: {}\n")
    return root


def names(path):
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_what_is_packed_is_described_and_comes_back(folder, tmp_path):
    pack(tmp_path / "a.zip", folder, config=folder / "config.yaml", license="https://spdx.org/licenses/CC-BY-4.0")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        crate = json.loads(archive.read(CRATE))
        kept = [json.loads(archive.read(name)) for name in archive.namelist() if "metadata/" in name]
    graph = {entry["@id"]: entry for entry in crate["@graph"]}
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert graph[CRATE]["about"] == {"@id": "./"}
    assert {"name", "description", "datePublished", "license"} <= set(graph["./"])
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert {"config.yaml", "environment.txt", "results/figures/s/mlp/metrics.png"} <= parts
    assert all(part in graph for part in parts)
    assert not [part for part in parts if ".part" in part]
    assert kept == [{"rule": "train_run", "starttime": 0, "endtime": 0, "params": ["1"]}]
    unpack(tmp_path / "a.zip", tmp_path / "out")
    assert (tmp_path / "out/results/runs/cnn/s0/config.json").read_text() == '{"run": "cnn/s0"}\n'
    assert len({path.stat().st_mtime for path in (tmp_path / "out").rglob("*")}) == 1


def test_one_run_brings_its_own_files_only(folder, tmp_path):
    pack(tmp_path / "a.zip", folder, ["mlp"])
    runs = {name.split("/")[2] for name in names(tmp_path / "a.zip") if name.startswith("results/runs/")}
    assert runs == {"mlp"}
    assert "results/figures/s/mlp/metrics.png" in names(tmp_path / "a.zip")
    with pytest.raises(OntogenyError, match="did you mean 'mlp'"):
        pack(tmp_path / "b.zip", folder, ["mlpp"])


def test_the_same_results_give_the_same_bytes(folder, tmp_path):
    for number in range(2):
        (folder / "config.yaml").touch()
        pack(tmp_path / f"{number}.zip", folder)
    assert (tmp_path / "0.zip").read_bytes() == (tmp_path / "1.zip").read_bytes()


def again(source, target, change):
    """`source` with every entry passed through `change(name, bytes)`."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(*change(name, old.read(name)))


def test_damage_and_climbing_names_are_refused(folder, tmp_path):
    pack(tmp_path / "a.zip", folder)
    again(tmp_path / "a.zip", tmp_path / "b.zip", lambda n, d: (n, d.replace(b"weights", b"weightz")))
    with pytest.raises(OntogenyError, match=r"step_1\.safetensors is not what its checksum says"):
        unpack(tmp_path / "b.zip", tmp_path / "b")

    def climb(name, data):
        old, new = "results/figures/s/mlp/metrics.png", "../escaped.png"
        return (new if name == old else name), data.replace(old.encode(), new.encode()) if name == CRATE else data

    again(tmp_path / "a.zip", tmp_path / "c.zip", climb)
    with pytest.raises(OntogenyError, match="outside of the folder"):
        unpack(tmp_path / "c.zip", tmp_path / "c")
    assert not (tmp_path / "escaped.png").exists()
    (tmp_path / "d.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-400])
    with pytest.raises(OntogenyError, match="damaged or no zip"):
        unpack(tmp_path / "d.zip", tmp_path / "d")
    with pytest.raises(OntogenyError, match="is not empty"):
        unpack(tmp_path / "a.zip", folder)
    with pytest.raises(OntogenyError, match="does not exist"):
        unpack(tmp_path / "e.zip", tmp_path / "e")
