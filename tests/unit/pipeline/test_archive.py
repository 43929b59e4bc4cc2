"""Archives hold what they name, the same bytes every time, and refuse what is damaged or climbs."""

import base64
import hashlib
import json
import stat
import warnings
import zipfile

import pytest

from ontogeny.errors import OntogenyError
from ontogeny.pipeline.archive import CRATE, pack, unpack
from ontogeny.pipeline.record import FORMAT


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
    with pytest.raises(OntogenyError, match="outside the folder"):
        unpack(tmp_path / "c.zip", tmp_path / "c")
    assert not (tmp_path / "escaped.png").exists()
    (tmp_path / "d.zip").write_bytes((tmp_path / "a.zip").read_bytes()[:-400])
    with pytest.raises(OntogenyError, match="damaged or not an archive"):
        unpack(tmp_path / "d.zip", tmp_path / "d")
    with pytest.raises(OntogenyError, match="is not empty"):
        unpack(tmp_path / "a.zip", folder)
    with pytest.raises(OntogenyError, match="does not exist"):
        unpack(tmp_path / "e.zip", tmp_path / "e")


def crafted(path, entries, described=None):
    """A zip file of (name or ZipInfo, bytes), described as results are; `described` replaces the checksums."""
    files = [(getattr(entry, "filename", entry), hashlib.sha256(data).hexdigest()) for entry, data in entries]
    graph = [{"@type": "File", "name": name, "sha256": digest} for name, digest in described or files]
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        archive.writestr(CRATE, json.dumps({"@graph": graph}))
        for entry, data in entries:
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return path


def special(name, kind):
    """An entry that claims to be a link, a device, a pipe."""
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    return info


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "results/../../x",
        "/etc/x",
        "results/a/../x",
        "..\\x",
        "C:/x",
        "results\\..\\x",
        "results//x",
        "results/./x",
    ]
    + ["Snakefile", "workflow_scripts/x.py", ".snakemake/scripts/x.py", ".git/hooks/x", "results", "results/", "."]
    + ["results/a\nb", "results/a\x1b[2J"],
)
def test_names_that_no_archive_of_results_has_are_refused_and_leave_nothing(tmp_path, name):
    path = crafted(tmp_path / "a.zip", [("results/fine.txt", b"fine"), (name, b"x")])
    with pytest.raises(OntogenyError, match=r"a\.zip names .*do not trust it") as caught:
        unpack(path, tmp_path / "within" / "out")
    assert str(caught.value).isprintable()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_become_plain_files(tmp_path, kind):
    path = crafted(tmp_path / "a.zip", [(special("results/x", kind), b"/etc/passwd"), ("results/y/z", b"fine")])
    unpack(path, tmp_path / "out")
    made = tmp_path / "out/results/x"
    assert stat.S_ISREG(made.lstat().st_mode)
    assert made.read_bytes() == b"/etc/passwd"


def test_a_link_is_never_written_through(tmp_path):
    entries = [(special("results/x", stat.S_IFLNK), str(tmp_path).encode()), ("results/x/y", b"out")]
    with pytest.raises(OntogenyError, match=r"a\.zip is damaged or not an archive of results"):
        unpack(crafted(tmp_path / "a.zip", entries), tmp_path / "out")
    assert not (tmp_path / "y").exists()
    assert not list((tmp_path / "out").iterdir())


def test_archives_that_lie_are_refused(tmp_path):
    bomb = crafted(tmp_path / "bomb.zip", [("results/zeros", bytes(80 << 20))])
    with pytest.raises(OntogenyError, match=r"bomb\.zip claims to unpack to 80 MiB"):
        unpack(bomb, tmp_path / "out")
    twice = crafted(tmp_path / "twice.zip", [("results/a", b"first"), ("results/a", b"second")])
    with pytest.raises(OntogenyError, match="holds results/a twice"):
        unpack(twice, tmp_path / "out")
    within = crafted(tmp_path / "within.zip", [("results/a", b"a file"), ("results/a/b", b"under it")])
    with pytest.raises(OntogenyError, match=r"within\.zip is damaged or not an archive"):
        unpack(within, tmp_path / "out")
    for number, digest in enumerate(("", None, 5, ["x"])):
        without_checksum = crafted(tmp_path / f"{number}.zip", [("results/a", b"x")], [("results/a", digest)])
        with pytest.raises(OntogenyError, match=r"results/a is not what its checksum says"):
            unpack(without_checksum, tmp_path / "out")
    for name in (5, None, ["x"], {"x": 1}):
        odd = crafted(tmp_path / "odd.zip", [("results/a", b"x")], [(name, "x")])
        with pytest.raises(OntogenyError, match="which is not a valid file name"):
            unpack(odd, tmp_path / "out")
    for text in ("[]", "[" * 100_000, '{"@graph": 5}', '{"@graph": [5]}', "\ud83d", "null"):
        with zipfile.ZipFile(tmp_path / "about.zip", "w") as archive:
            archive.writestr(CRATE, text.encode("utf-8", "replace"))
        with pytest.raises(OntogenyError, match="is not an archive of results"):
            unpack(tmp_path / "about.zip", tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))
    with pytest.raises(OntogenyError, match="is not a file"):
        unpack(tmp_path, tmp_path / "new")
    with pytest.raises(OntogenyError, match="is not a folder"):
        unpack(bomb, bomb)


def test_every_job_is_an_action_with_what_it_read_and_wrote(folder, tmp_path):
    record = {
        "format": FORMAT,
        "rule": "draw",
        "wildcards": {"run": "cnn/s0"},
        "inputs": {"results/runs/cnn/s0/checkpoints": "abc", "elsewhere.npz": "abc"},
        "outputs": {"results/runs/cnn/s0/config.json": "abc"},
        "code": "c0de",
        "versions": {"python": "3.12.1"},
        "threads": 2,
    }
    path = folder / "results/provenance/draw/cnn/s0.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    pack(tmp_path / "a.zip", folder)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        graph = {entry["@id"]: entry for entry in json.loads(archive.read(CRATE))["@graph"]}
    action = graph["#job/draw/cnn/s0"]
    assert action["@type"] == "CreateAction"
    assert action["object"] == [{"@id": "results/runs/cnn/s0/checkpoints/.snakemake_timestamp"},
                                {"@id": "results/runs/cnn/s0/checkpoints/step_1.safetensors"},
                                {"@id": "#input/elsewhere.npz"}]  # fmt: skip
    assert graph["#input/elsewhere.npz"]["sha256"] == "abc"
    assert action["subjectOf"] == {"@id": "results/provenance/draw/cnn/s0.json"}
    assert action["result"] == [{"@id": "results/runs/cnn/s0/config.json"}]
    assert action["description"] == "code c0de, threads 2, python 3.12.1"
