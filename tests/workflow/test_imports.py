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


@pytest.mark.parametrize("script", WITHOUT_TORCH)
def test_no_torch(script):
    tree = ast.parse((SCRIPTS / f"{script}.py").read_text())
    imports = "\n".join(ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    check = f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n{imports}\nassert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_importing_the_package_loads_nothing_heavy():
    check = "import sys, ontogeny; assert not {'torch', 'numpy', 'pandas', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
