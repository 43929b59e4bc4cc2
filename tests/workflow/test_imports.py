"""Stages that look at measurements only never load PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "workflow_scripts"
WITHOUT_TORCH = [
    "detect_jumps",
    "plan_captures",
    "import_phase1",
    "analyse_study",
    "analyse_transitions",
    "plot_examination",
    "write_page",
    "compare_changes",
    "compare_circuits",
    "plot_run",
    "train_ensemble",
    "enumerate_circuits",
    "measure_validity",
]


CHECK = f"""
import ast, os, sys, traceback
from pathlib import Path

import matplotlib.pyplot, pandas, scipy.stats

assert "torch" not in sys.modules
sys.path.insert(0, {str(SCRIPTS)!r})
for script in sys.argv[1:]:
    if not os.fork():
        tree = ast.parse(Path({str(SCRIPTS)!r}, f"{{script}}.py").read_text())
        imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        try:
            exec(compile(ast.Module(imports, []), script, "exec"))
            said = "torch" if "torch" in sys.modules else "nothing"
        except BaseException:
            said = traceback.format_exc()
        print([script, said], flush=True)
        os._exit(0)
    os.wait()
"""
"""Imports what each script does in a fork of a process that has loaded libraries without PyTorch."""


@pytest.fixture(scope="module")
def loaded():
    done = subprocess.run([sys.executable, "-c", CHECK, *WITHOUT_TORCH], capture_output=True, text=True, check=True)
    return dict(map(ast.literal_eval, done.stdout.splitlines()))


@pytest.mark.parametrize("script", WITHOUT_TORCH)
def test_no_torch(script, loaded):
    assert loaded[script] == "nothing"


def test_importing_the_package_loads_nothing_heavy():
    check = "import sys, ontogeny; assert not {'torch', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
