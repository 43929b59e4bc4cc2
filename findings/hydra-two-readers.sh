#!/usr/bin/env bash
# hydra-core 1.3.8, omegaconf 2.3.1 and PyYAML 6.0.3
# One would guess: a value means the same in the configuration file and on the command line.
# What happens: yes is True in the file and a word on the command line, 010 is 8 and '010', 12:30 is 750 and '12:30'; and 1e-3 and a date are others than PyYAML reads.
# So: write true and false, decimal numbers without leading zeros, and quote times.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="yes: True, 'yes'; 010: 8, '010'; 12:30: 750, '12:30'; 1e-3: 0.001, 0.001, in PyYAML '1e-3'"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hydra-core==1.3.8 omegaconf==2.3.1 PyYAML==6.0.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

line = OverridesParser.create()


def both(text):
    return OmegaConf.create(f"a: {text}").a, line.parse_override(f"a={text}").value()


told = [f"{text}: " + ", ".join(map(repr, both(text))) for text in ("yes", "010", "12:30", "1e-3")]
print("; ".join(told) + f", in PyYAML {yaml.safe_load('1e-3')!r}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
