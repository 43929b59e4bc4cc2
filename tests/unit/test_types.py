"""The public names of the package have types that a user's own type checker sees."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
from ontogeny import HighFrequencyTracker, Trajectory, detect_jumps, read_phase1
from ontogeny.circuits import CircuitSettings, count_circuits
from ontogeny.statistics import adjust

record = read_phase1("phase1.json")
found = detect_jumps([0.0, 0.1, 3.0])
steps: list[int] = [jump.step for jump in found]
settings = CircuitSettings(accuracy_threshold=0.95)
reveal_type(Trajectory)
reveal_type(HighFrequencyTracker)
reveal_type(record)
reveal_type(found)
reveal_type(count_circuits)
reveal_type(adjust([0.1]).p_values)
"""


# The package is read as one that is installed: what it declares, not what its functions do.
CONFIGURATION = """
[mypy]
strict = True
[mypy-ontogeny.*]
ignore_errors = True
[mypy-torch.*,transformers.*]
follow_imports = skip
"""


@pytest.mark.slow
def test_a_users_script_passes_the_strict_checker_and_nothing_is_any(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "mypy.ini").write_text(CONFIGURATION)
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", ROOT / ".mypy_cache" / "user"]
    environment = {"MYPYPATH": str(ROOT / "workflow_scripts"), "PATH": ""}
    done = subprocess.run([*command, "script.py"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    seen = [line for line in done.stdout.splitlines() if "script.py" in line]
    revealed = [line.split("Revealed type is ")[1] for line in seen if "Revealed type" in line]
    assert len(revealed) == 6, done.stdout + done.stderr
    assert not [line for line in seen if "error" in line], "\n".join(seen)
    assert not [each for each in revealed if each.strip('"') == "Any"], revealed
    assert "Trajectory" in revealed[0]
