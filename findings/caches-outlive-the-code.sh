#!/usr/bin/env bash
# jug 2.7.0, cachier 4.2.0, joblib 1.6.0
# One would guess: a function that was edited is run again, rather than its old result being returned
# What happens: jug and cachier go by the function's name and its arguments: doubled stays doubled after the edit; joblib's Memory sees the edit
# So: a cache of results needs the digest of the code beside that of its inputs
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="jug 6 then 6 cachier 6 then 6 joblib 6 then 15"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check jug==2.7.0 cachier==4.2.0 joblib==1.6.0 numpy==2.4.6
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import subprocess, sys
programs = {
    "jug": "import jug\n@jug.TaskGenerator\ndef f(x): return x * 2\nr = f(3)\n",
    "cachier": "from cachier import cachier\n@cachier(cache_dir='c')\ndef f(x): return x * 2\nprint(f(3))\n",
    "joblib": "from joblib import Memory\n@Memory('m', verbose=0).cache\ndef f(x): return x * 2\nprint(f(3))\n",
}
for name, text in programs.items():
    for factor in "2", "5":
        open(name + "_task.py", "w").write(text.replace("* 2", "* " + factor))
        command = [sys.executable, name + "_task.py"]
        if name == "jug":
            ask = "import jug; print(jug.value(jug.init('jug_task.py', 'jug_task.jugdata')[1]['r']))"
            subprocess.run([sys.executable, "-m", "jug.jug", "execute", "jug_task.py"], capture_output=True)
            command = [sys.executable, "-c", ask]
        seen = subprocess.run(command, capture_output=True, text=True).stdout.strip()
        print(name if factor == "2" else "then", seen, end=" ")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
