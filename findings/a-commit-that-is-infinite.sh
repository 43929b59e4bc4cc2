#!/usr/bin/env bash
# fire 0.7.1, omegaconf 2.3.1, ruamel.yaml 0.19.1, PyYAML 6.0.3
# One would guess: the short hash of a commit is text, as PyYAML has it
# What happens: one of digits and a single e is a number: 12e4567 is infinite for fire, omegaconf and ruamel.yaml, and 1200e12 is 1.2e15
# So: hashes are quoted, or are given a letter in front
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="inf inf inf '12e4567'; '12a4567' '12a4567' '12a4567' '12a4567'; 1200000000000000.0 1200000000000000.0 1200000000000000.0 '1200e12';"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fire==0.7.1 omegaconf==2.3.1 ruamel.yaml==0.19.1 PyYAML==6.0.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import contextlib, io
import fire, ruamel.yaml, yaml
from omegaconf import OmegaConf
def show(run):
    return repr(run)
for commit in "12e4567", "12a4567", "1200e12":
    with contextlib.redirect_stdout(io.StringIO()) as out:
        fire.Fire(show, [f"--run={commit}"])
    line = f"run: {commit}"
    print(out.getvalue().strip(), repr(OmegaConf.create(line).run), repr(ruamel.yaml.YAML(typ="safe").load(line)["run"]),
          repr(yaml.safe_load(line)["run"]), end="; ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
