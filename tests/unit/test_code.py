"""The digest of code: meaning counts, layout does not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ontogeny import code

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"


def forget():
    for cached in vars(code).values():
        if hasattr(cached, "cache_clear") and cached is not code._remembered:
            cached.cache_clear()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "scripts" / "ontogeny")

    def digest(script="train_run"):
        forget()
        return code.code_digest(tmp_path / "scripts" / f"{script}.py")

    yield tmp_path / "scripts", digest
    forget()


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
    forget()
    code.PACKAGE = SCRIPTS / "ontogeny"
    assert code.code_digest(SCRIPTS / "train_run.py") == here


def test_names_that_packages_load_on_first_use_lead_to_their_modules():
    from ontogeny.code import _homes

    assert _homes("ontogeny.neurons", "class_selectivity") == ("ontogeny.neurons.selectivity",)
    assert _homes("ontogeny.jumps", "find_jumps") == ("ontogeny.jumps.report",)
    assert _homes("ontogeny", "Trajectory") == ("ontogeny.trajectory.replay",)


EXAMPLE = '''
"""A docstring."""
import os
from ontogeny.files import write_csv as save

LIMIT: int = 0x10


def mean[T](values: list[T], *, power=2.0, **others) -> float:
    """Another."""
    total = sum(value**power for value in values if value not in {None, ...})
    return total / max(len(values), 1), f"a{total:.{LIMIT}f}b" "c" f"{total!r}{{}}", b"\\x00", 1j, -3


async def main():
    async with open(os.devnull) as file, file:
        match file:
            case {"a": [1, *rest]} | None:
                yield lambda x, /, y=1: (x := y)
            case _:
                raise ValueError from None
'''
EXAMPLE_311 = EXAMPLE.replace("mean[T]", "mean")
DIGEST = "7cb0d1b53cf1311392e2151e894288db1682bba9158eafef69e385febd6915e2"
"""The digest of EXAMPLE_311, whatever made it: a result that names it stays valid under every Python."""


def pythons():
    """The supported versions of Python that are installed, by name of version."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": sys.executable}
    for minor in range(11, 14):
        places = [*Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3"), shutil.which(f"python3.{minor}")]
        for place in filter(None, places):
            found.setdefault(f"3.{minor}", str(place))
    return found


def said_by(python, *lines):
    file = Path(code.__file__)
    start = [
        "import importlib.util",
        f"spec = importlib.util.spec_from_file_location('code_', {str(file)!r})",
        "code = importlib.util.module_from_spec(spec)",
        "spec.loader.exec_module(code)",
        "code._memory = lambda: code.Path('/nowhere')",
    ]
    done = subprocess.run([python, "-c", "\n".join([*start, *lines])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("version", pythons())
def test_the_digest_is_the_same_under_every_python(version):
    assert said_by(pythons()[version], f"print(code.digest_of_source({EXAMPLE_311!r}))") == DIGEST + "\n"
    script = SCRIPTS / "examine_run.py"
    assert said_by(pythons()[version], f"print(code.code_digest({str(script)!r}))") == code.code_digest(script) + "\n"


def test_every_difference_of_meaning_counts():
    changes = [("power=2.0", "power=2"), ("b\"\\x00\"", "\"\\x00\""), ("!r", "!s"), ('"c"', '"d"'), ("y=1", "y=2"),
               ("LIMIT: int", "LIMIT"), ("[1, *rest]", "[1, *others]"), ("async with", "with")]  # fmt: skip
    digests = {code.digest_of_source(EXAMPLE_311)}
    for old, new in changes:
        assert old in EXAMPLE_311, old
        digests.add(code.digest_of_source(EXAMPLE_311.replace(old, new)))
    assert len(digests) == len(changes) + 1


def test_tables_comparisons_templates_and_data_count(copy):
    scripts, digest = copy
    for script, file in {
        "list_experiments": "pipeline/tables.py",
        "merge_benchmarks": "pipeline/tables.py",
        "compare_results": "pipeline/compare.py",
        "plot_examination": "changes/page.html",
        "list_pages": "changes/pages_index.html",
        "animate_circuits": "circuits/page.html",
        "detect_jumps": "jumps/false_alarms.json",
        "train_run": "files.py",
    }.items():
        before = digest(script)
        append(scripts / "ontogeny" / file, "\nEXTRA = 1\n")
        assert digest(script) != before, (script, file)


def test_a_change_of_any_module_changes_the_digest_of_every_script_that_reaches_it(monkeypatch):
    """Generated from the scripts, so that a new rule and a new module are covered: one script of each kind in turn."""
    scripts = sorted(SCRIPTS.glob("*.py"))
    before = {script: code.code_digest(script) for script in scripts}
    reached = {script: set(code.files_of_code(script)) for script in scripts}
    modules = sorted(set().union(*reached.values()) - set(scripts))
    assert len(modules) > 80
    of_file = code._fingerprint
    for number, module in enumerate(modules):
        monkeypatch.setattr(code, "_fingerprint", lambda file, module=module: "" if file == module else of_file(file))
        code.code_digest.cache_clear()
        for reaches in (True, False):
            alike = [script for script in scripts if (module in reached[script]) is reaches]
            if alike:
                script = alike[number % len(alike)]
                assert (code.code_digest(script) != before[script]) is reaches, (script, module)
    code.code_digest.cache_clear()


def test_every_import_is_written_so_that_the_digest_follows_it():
    """Modules that are named by texts only would not count: the ones there are go through tables that say so."""
    known = {"trajectory/setup.py", "jumps/validity.py"}
    found = {
        path.relative_to(SCRIPTS / "ontogeny").as_posix()
        for path in (SCRIPTS / "ontogeny").rglob("*.py")
        if "import_module(" in path.read_text()
    }
    assert found == known, "let `files_of_code` follow it, or add it here with its module in the digest"
    relative = [
        path
        for path in (SCRIPTS / "ontogeny").rglob("*.py")
        if any(line.strip().startswith("from .") for line in path.read_text().splitlines())
    ]
    assert relative == [], "relative imports are not followed"
