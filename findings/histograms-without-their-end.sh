#!/usr/bin/env bash
# boost-histogram 1.8.1, fast-histogram 0.14, NumPy 2.4.6
# One would guess: a value at the upper end of the range is counted in the last bin, as in NumPy
# What happens: it is left out in both: of 0 to 10 in five bins NumPy counts 11 and the others 10; boost-histogram has it in its overflow, and NaN as well
# So: ranges end above the largest value
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="11 10 10 12"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check boost-histogram==1.8.1 fast-histogram==0.14 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import boost_histogram, fast_histogram, numpy as np
x = np.arange(11.0)
histogram = boost_histogram.Histogram(boost_histogram.axis.Regular(5, 0, 10))
histogram.fill(np.append(x, np.nan))
print(int(np.histogram(x, 5, (0, 10))[0].sum()), int(fast_histogram.histogram1d(x, 5, (0, 10)).sum()), int(histogram.sum()), int(histogram.sum(flow=True)))
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
