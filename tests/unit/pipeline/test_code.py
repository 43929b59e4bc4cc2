"""The digest of code: meaning counts, layout does not."""

import shutil
from pathlib import Path

import pytest

from ontogeny.pipeline import code

SCRIPTS = Path(__file__).parents[3] / "workflow_scripts"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "scripts" / "ontogeny")

    def digest(script="train_run"):
        for cached in (code.code_digest, code._tree, code._fingerprint, code._imports, code._homes):
            cached.cache_clear()
        return code.code_digest(tmp_path / "scripts" / f"{script}.py")

    yield tmp_path / "scripts", digest
    for cached in (code.code_digest, code._tree, code._fingerprint, code._imports, code._homes):
        cached.cache_clear()


def append(path, text):
    path.write_text(path.read_text() + text)


def test_comments_docstrings_and_touching_change_nothing(copy):
    scripts, digest = copy
    before = digest()
    append(scripts / "ontogeny" / "training" / "loop.py", "\n# a comment\n")
    loop = scripts / "ontogeny" / "tracking" / "estimators.py"
    loop.write_text(loop.read_text().replace('"""Effective dimensionality', '"""Another text'))
    assert digest() == before


def test_a_change_of_meaning_anywhere_below_the_script_counts(copy):
    scripts, digest = copy
    before = digest()
    append(scripts / "ontogeny" / "tracking" / "estimators.py", "\nEXTRA = 1\n")
    assert digest() != before


def test_an_edit_of_an_analysis_never_retrains(copy):
    scripts, digest = copy
    before = digest()
    for module in (scripts / "ontogeny" / "jumps").glob("*.py"):
        append(module, "\nEXTRA = 1\n")
    append(scripts / "ontogeny" / "tracking" / "tracker.py", "\nEXTRA = 1\n")
    append(scripts / "ontogeny" / "plotting" / "style.py", "\nEXTRA = 1\n")
    assert digest() == before


def test_the_digest_does_not_depend_on_where_the_project_lies(copy, tmp_path):
    _, digest = copy
    here = digest()
    for cached in (code.code_digest, code._tree, code._fingerprint, code._imports, code._homes):
        cached.cache_clear()
    code.PACKAGE = SCRIPTS / "ontogeny"
    assert code.code_digest(SCRIPTS / "train_run.py") == here


def test_names_that_packages_load_on_first_use_lead_to_their_modules():
    from ontogeny.pipeline.code import _homes

    assert _homes("ontogeny.neurons", "class_selectivity") == ("ontogeny.neurons.selectivity",)
    assert _homes("ontogeny.jumps", "find_jumps") == ("ontogeny.jumps.report",)
    assert _homes("ontogeny", "Trajectory") == ("ontogeny.trajectory.replay",)
