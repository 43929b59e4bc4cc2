#!/usr/bin/env bash
# onnx 1.23.2, NumPy 2.4.6
# One would guess: check_model refuses a product of matrices whose sizes do not fit
# What happens: it passes, and so does infer_shapes; full_check=True and strict_mode=True refuse it
# So: models are checked with full_check=True
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="passes passes refused"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check onnx==1.23.2 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import onnx
from onnx import TensorProto, helper
value = helper.make_tensor_value_info
graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [value("x", TensorProto.FLOAT, [1, 3])], [value("y", TensorProto.FLOAT, [1, 2])], [helper.make_tensor("w", TensorProto.FLOAT, [4, 2], [0.0] * 8)])
model = helper.make_model(graph)
for check in onnx.checker.check_model, onnx.shape_inference.infer_shapes, lambda m: onnx.checker.check_model(m, full_check=True):
    try:
        check(model)
        print("passes", end=" ")
    except onnx.shape_inference.InferenceError:
        print("refused", end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
