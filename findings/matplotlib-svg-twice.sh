#!/usr/bin/env bash
# Matplotlib 3.11.2
# One would guess: the same figure saved twice as SVG gives the same bytes.
# What happens: the identifiers in it are random and the date is written; PNG is the same.
# So: figures under version control or in a cache change without a change; svg.hashsalt and metadata={'Date': None}
#   fix it.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="png True svg False with salt and no date True"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check matplotlib==3.11.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import io

import matplotlib
from matplotlib.figure import Figure


def saved(kind, **settings):
    figure, file = Figure(), io.BytesIO()
    axes = figure.subplots()
    axes.plot([1, 2])
    figure.savefig(file, format=kind, **settings)
    return file.getvalue()


print("png", saved("png") == saved("png"), "svg", saved("svg") == saved("svg"), end=" ")
matplotlib.rcParams["svg.hashsalt"] = "fixed"
print("with salt and no date", saved("svg", metadata={"Date": None}) == saved("svg", metadata={"Date": None}))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
