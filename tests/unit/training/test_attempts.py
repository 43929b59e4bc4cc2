"""An interrupted training goes on only where data, code, settings and versions are those that it began with."""

import logging

import numpy as np
import pytest
from small_identities import circuits_identity, dynamics_identity, fit_identity

from ontogeny import provenance
from ontogeny.connectome import fit_run, simulate_activity
from ontogeny.connectome.store import save_activity
from ontogeny.training import ensemble_run, loop

STEPS = 24


def write_images(path, seed):
    rng = np.random.default_rng(seed)
    np.savez(path, x=rng.random((160, 1, 8, 8), dtype=np.float32), y=np.arange(160) % 10)


class Images:
    """An image run on a file of the user's."""

    module, name = loop, "_measure"

    def __init__(self, folder):
        self.folder = folder
        write_images(folder / "mine.npz", 0)

    def train(self, place, threads=1, **changes):
        identity = dynamics_identity(path=str(self.folder / "mine.npz"), steps=STEPS, **changes)
        loop.train(identity, self.folder / place, "run", threads=threads)

    def stop(self, monkeypatch):
        real = loop._measure

        def measure(learner, *others):
            if learner.step == STEPS - 4:
                raise KeyboardInterrupt
            return real(learner, *others)

        monkeypatch.setattr(loop, "_measure", measure)

    def other_data(self):
        write_images(self.folder / "mine.npz", 1)


class Ensemble:
    """An ensemble; it reads no data."""

    module, other_data = ensemble_run, None

    def __init__(self, folder):
        self.folder = folder

    def train(self, place, threads=1, **changes):
        ensemble_run.train_ensemble_run(circuits_identity(**changes), self.folder / place, "run", threads=threads)

    def stop(self, monkeypatch):
        def update(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(ensemble_run.Progress, "update", update)


class Fit:
    """A fit of recorded or simulated activity."""

    module = fit_run

    def __init__(self, folder):
        self.folder = folder
        self.write(0)

    def write(self, seed):
        made = simulate_activity({"n_neurons": 8, "n_trajectories": 8, "n_frames": 40}, seed=seed)
        save_activity(made, self.folder / "activity.safetensors")

    def train(self, place, threads=1, **changes):
        fit_run.fit_connectome_run(
            fit_identity(**changes), self.folder / "activity.safetensors", self.folder / place, "run"
        )

    def stop(self, monkeypatch):
        real = fit_run.write_arrays

        def write(*arguments):
            real(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(fit_run, "write_arrays", write)

    def other_data(self):
        self.write(1)


def content(folder):
    left_out = {"cost.json", "config.json"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left_out & set(path.relative_to(folder).parts)
    }


def interrupted(kind, monkeypatch):
    with monkeypatch.context() as patch:
        kind.stop(patch)
        with pytest.raises(KeyboardInterrupt):
            kind.train("run")
    assert (kind.folder / "run" / ".resume").is_dir()


@pytest.fixture
def heard(caplog):
    """The sentences said; scripts may have turned off propagation."""
    logger = logging.getLogger("ontogeny")
    before, logger.propagate = logger.propagate, True
    with caplog.at_level(logging.INFO, "ontogeny"):
        yield caplog
    logger.propagate = before


@pytest.mark.parametrize("kind", [Images, Ensemble, Fit])
@pytest.mark.parametrize("change", ["data", "code", "python", "torch", "settings"])
def test_what_changed_in_between_starts_anew(kind, change, tmp_path, monkeypatch, heard):
    kind = kind(tmp_path)
    if change == "data" and kind.other_data is None:
        pytest.skip("it reads no data")
    interrupted(kind, monkeypatch)
    changes = {}
    if change == "data":
        kind.other_data()
    elif change == "code":
        monkeypatch.setattr(kind.module, "code_digest", lambda *_: "other")
    elif change == "settings":
        changes = {"seed": 1}
    else:
        made = {**provenance.versions(), change: "0.1"}
        monkeypatch.setattr(provenance, "versions", lambda: made)
    kind.train("run", **changes)
    said = " ".join(record.getMessage() for record in heard.records)
    assert f"had other {change}" in said, said
    assert "set aside in" in said
    assert "continuing" not in said
    assert not list((tmp_path / "run").glob(".resume*"))
    kind.train("fresh", **changes)
    assert content(tmp_path / "run") == content(tmp_path / "fresh")


@pytest.mark.parametrize("kind", [Images, Ensemble, Fit])
def test_what_is_the_same_goes_on(kind, tmp_path, monkeypatch, heard):
    kind = kind(tmp_path)
    interrupted(kind, monkeypatch)
    kind.train("run")
    assert not any("set aside" in record.getMessage() for record in heard.records)
    kind.train("fresh")
    assert content(tmp_path / "run") == content(tmp_path / "fresh")
