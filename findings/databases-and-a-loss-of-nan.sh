#!/usr/bin/env bash
# duckdb 2.0.0, SQLite of Python
# One would guess: of losses 0.5, NaN and 1e9 the largest is the same in two databases, and a NaN is kept
# What happens: SQLite stores NaN as no value: two of three losses are counted, and the run is in no comparison; for duckdb NaN is above every number: it is the largest loss, and above 1e300
# So: a run that diverged is marked in a column of its own
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="[(2, 1000000000.0)] [] [(3, nan)] [('b',)]"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.0
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import sqlite3, duckdb
for library in sqlite3, duckdb:
    table = library.connect(":memory:")
    table.execute("create table runs (name varchar, loss double)")
    table.executemany("insert into runs values (?, ?)", [("a", 0.5), ("b", float("nan")), ("c", 1e9)])
    print(table.execute("select count(loss), max(loss) from runs").fetchall(),
          table.execute("select name from runs where loss > 1e300").fetchall(), end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
