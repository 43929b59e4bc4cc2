"""Short versions of tests/reliability: damaged, invented and hostile files end in one sentence, or do no harm."""

import pickle
import random
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "reliability"))

import corrupt
import fuzz
from readers import KINDS, make_all

from ontogeny.config import load_config
from ontogeny.connectome.recorded import read_activity
from ontogeny.errors import OntogenyError
from ontogeny.files import read_json, write_json
from ontogeny.plotting.style import figure, save_figure


def test_damage_anywhere_is_told_or_harmless(tmp_path):
    table, wrong = corrupt.trial(tmp_path, 6, 7)
    assert not wrong
    assert (table.loc[table["checked"], "changed"] == 0).all()


def test_bombs_are_refused_or_read_within_limits(tmp_path):
    kinds = [kind for kind in KINDS if kind.name in ("phase1.json", "circuits.json.gz", "recording.npy", "jumps.json")]
    said = fuzz.bombs(tmp_path, kinds, 512 << 20)
    assert set(said.values()) <= {"read", "refused"}, {k: v for k, v in said.items() if v not in ("read", "refused")}


def test_changed_files_and_configurations_end_in_a_sentence(tmp_path):
    for name, attempt in fuzz.targets(tmp_path).items():
        for number in range(60 if name == "configurations" else 12):
            attempt(random.Random(f"{name} {number}"))


def test_a_seal_is_checked_and_taken_out(tmp_path):
    path = tmp_path / "record.json"
    write_json(path, {"format": "x/1", "values": [1.5, 2.5]})
    assert read_json(path) == {"format": "x/1", "values": [1.5, 2.5]}
    path.write_text(path.read_text().replace("2.5", "2.6"))
    with pytest.raises(OntogenyError, match=r"record.json is damaged or was edited: .* remove the entry 'checksum'"):
        read_json(path)


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".pt", ".pkl"])
def test_pickles_are_refused_and_never_run(tmp_path, suffix):
    harm, path = tmp_path / "harm", tmp_path / f"data{suffix}"
    if suffix == ".npy":
        np.save(path, np.array([Harm(harm)], dtype=object), allow_pickle=True)
    elif suffix == ".npz":
        np.savez(path, u=np.array([Harm(harm)], dtype=object))
    elif suffix == ".pt":
        torch.save({"u": Harm(harm)}, path)
    else:
        path.write_bytes(pickle.dumps(Harm(harm)))
    with pytest.raises(OntogenyError, match="data"):
        read_activity(path, 0.1)
    for kind in KINDS:
        copy = tmp_path / kind.name
        copy.write_bytes(path.read_bytes())
        with pytest.raises(OntogenyError):
            kind.read(copy)
    assert not harm.exists()


@pytest.mark.parametrize(
    "text", [r"$\frac{", r"$x_{$ <b>&amp;</b>", "<script>alert(1)</script>", "\\", "%s {0} {x}", "日本$"]
)
def test_tex_and_html_in_labels_are_drawn_as_they_stand(tmp_path, text):
    drawn, axes = figure()
    axes.plot([0, 1], [0, 1], label=text)
    axes.set(title=text, xlabel=text, ylabel=text)
    axes.legend()
    save_figure(drawn, tmp_path / "figure.png", pd.DataFrame({text: [1]}))
    assert (tmp_path / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["../up", "a/b", "/etc/x", "..", "<b>x</b>", "$x$", "a\nb", "x\x00"])
def test_names_that_climb_or_carry_code_are_refused(name):
    run = {"model": {"name": "mlp"}}
    for raw in (
        {"studies": {"s": {"kind": "dynamics", "runs": {name: run}}}},
        {"studies": {name: {"kind": "dynamics", "runs": {"r": run}}}},
        {"phase1_imports": {name: ["x.json"]}},
    ):
        with pytest.raises(OntogenyError, match="cannot be a name"):
            load_config(raw)


def test_links_are_followed_to_data_and_never_written_through(tmp_path):
    target, link = tmp_path / "target.json", tmp_path / "link.json"
    target.write_text("{}")
    link.symlink_to(target)
    write_json(link, {"a": 1})
    assert target.read_text() == "{}"
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    with pytest.raises(OntogenyError, match=r"loop\.json"):
        read_json(loop)


def test_every_reader_names_what_is_missing_or_a_folder(tmp_path):
    made = make_all(tmp_path)
    for kind in KINDS:
        if kind.name == "iteration.json":
            continue
        made[kind.name].unlink()
        with pytest.raises(OntogenyError, match=kind.name):
            kind.read(made[kind.name])
        made[kind.name].mkdir()
        with pytest.raises(OntogenyError, match=kind.name):
            kind.read(made[kind.name])
