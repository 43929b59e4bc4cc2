#!/usr/bin/env bash
# skl2onnx 1.20.0, onnxruntime 1.32.0, scikit-learn 1.9.1, NumPy 2.4.6
# One would guess: the probabilities of a classifier are an array, one row a sample
# What happens: they are a list of dictionaries from class to probability, which numpy.asarray makes an array of objects; options={'zipmap': False} gives the array
# So: classifiers are converted with zipmap off
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="list dict ndarray ndarray"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check skl2onnx==1.20.0 onnxruntime==1.32.0 scikit-learn==1.9.1 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import numpy as np, onnxruntime
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
x = np.random.default_rng(0).normal(size=(50, 2)).astype("float32")
model = LogisticRegression().fit(x, (x[:, 0] > 0).astype(int))
for options in None, {"zipmap": False}:
    session = onnxruntime.InferenceSession(to_onnx(model, x[:1], options=options).SerializeToString(), providers=["CPUExecutionProvider"])
    probabilities = session.run(None, {"X": x[:2]})[1]
    print(type(probabilities).__name__, type(probabilities[0]).__name__, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
