"""Compiled code follows an edit of any module that it reaches."""

import subprocess
import sys
from pathlib import Path

import ontogeny

CALLEE = """
from ontogeny.compilation import compiled

STEP = 1


@compiled()
def one_more(x):
    return x + STEP
"""
CALLER = """
from ontogeny._callee import one_more
from ontogeny.compilation import compiled


@compiled()
def ten_times(x):
    return 10 * one_more(x)
"""
SCRIPT = "from ontogeny._caller import ten_times as f; print(f(1), sum(f.stats.cache_hits.values()))"


def test_an_edit_of_what_it_calls_compiles_it_anew_and_nothing_else_does(tmp_path):
    package = tmp_path / "ontogeny"
    package.mkdir()
    for name in ("__init__.py", "__init__.pyi", "code.py", "compilation.py", "py.typed"):
        (package / name).write_bytes((Path(ontogeny.__file__).parent / name).read_bytes())
    (package / "_callee.py").write_text(CALLEE)
    (package / "_caller.py").write_text(CALLER)

    def run():
        done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert run() == ["20", "0"]
    (package / "_caller.py").write_text(CALLER + "\n# Another comment.\n")
    assert run() == ["20", "1"]
    (package / "_callee.py").write_text(CALLEE.replace("STEP = 1", "STEP = 2"))
    assert run() == ["30", "0"]
