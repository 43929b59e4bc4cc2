#!/usr/bin/env bash
# mypy 2.4.1, pydantic 2.14.3
# One would guess: `x: float = Field(0.0)` has a default for a type checker, as it has when it runs.
# What happens: without pydantic's plugin mypy demands the argument: only `Field(default=0.0)` counts (PEP 681).
# So: a library that is clean under its own plugin gives its users errors.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="error clean"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check mypy==2.4.1 pydantic==2.14.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess
import sys
from pathlib import Path

for default in ("0.0", "default=0.0"):
    Path("user.py").write_text(
        f"from pydantic import BaseModel, Field\n\nclass A(BaseModel):\n    x: float = Field({default})\n\nA()\n"
    )
    done = subprocess.run([sys.executable, "-m", "mypy", "user.py"], capture_output=True, text=True)
    print("error" if "Missing named argument" in done.stdout else "clean", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
