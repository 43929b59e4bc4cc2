#!/usr/bin/env bash
# diskcache 5.6.3
# One would guess: a cache on disk keeps what was put there.
# What happens: above 1 GiB, the default, the earliest entries are removed without a word.
# So: Cache(folder, eviction_policy='none'), or a larger size_limit.
# Needs Python 3.11 or later with venv, and a package index. Exits with 1 if the behaviour is another.
set -euo pipefail
expected="of 1200 results of a megabyte fewer than 1200 are left, the first is gone; with eviction_policy='none' 1200"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check diskcache==5.6.3
seen=$(venv/bin/python 2>errors.txt <<'CODE'
import diskcache


def kept(**how):
    with diskcache.Cache(f"cache{len(how)}", **how) as cache:
        for i in range(1200):
            cache[i] = bytes(1_000_000)
        return len(cache), 0 in cache


(few, first), (all_, _) = kept(), kept(eviction_policy="none")
print(f"of 1200 results of a megabyte {'fewer than 1200 are' if few < 1200 else few} left, the first is {'there' if first else 'gone'}; with eviction_policy='none' {all_}")
CODE
) || { cat errors.txt; exit 1; }
seen=$(echo "$seen" | sed 's/ *$//')
if [ "$seen" = "$expected" ]; then echo "as before: $seen"; else echo "changed: $seen (was: $expected)"; exit 1; fi
