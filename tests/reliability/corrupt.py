"""Damage files at random places, and see what every reader makes of them.

    python tests/reliability/corrupt.py --places 200 --seed 0 [--out damage.csv]

Every kind of file (`readers.KINDS`) is damaged `--places` times, each time starting from a good copy: a flipped bit, a
replaced byte, bytes missing in the middle, a truncated end, inserted bytes. Reading must give the same values, or one
sentence that names the file. `changed` counts different values: never allowed for files with a checksum, and reported
for the others, which are text that anyone may edit. Reading happens in child processes, ten places in each, with limits
of 4 GiB and 60 s; if one dies, its places are tried one at a time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from readers import KINDS, Kind, fingerprint, make_all

from ontogeny.errors import OntogenyError

OUTCOMES = ("same", "refused", "changed", "unnamed", "traceback", "crash")
MEMORY, SECONDS, BATCH = 4 << 30, 60, 10


def damage(data: bytes, rng: random.Random) -> bytes:
    """`data` with one damage."""
    at = rng.randrange(len(data))
    kind = rng.choice(["bit", "byte", "missing", "cut", "more"])
    if kind == "bit":
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if kind == "byte":
        return data[:at] + bytes([(data[at] + rng.randrange(1, 256)) % 256]) + data[at + 1 :]
    if kind == "missing":
        return data[:at] + data[at + rng.choice([1, 1, 1, 7, 64]) :]
    if kind == "cut":
        return data[:at]
    return data[:at] + rng.randbytes(rng.choice([1, 8])) + data[at:]


def outcome(kind: Kind, path: Path, right: str) -> tuple[str, str]:
    """What reading a damaged file comes to, one of `OUTCOMES`, and what was said."""
    try:
        found = fingerprint(kind.read(path))
    except OntogenyError as error:
        said = str(error)
        return ("refused" if path.name in said and "\n" not in said else "unnamed"), said
    except BaseException:
        return "traceback", traceback.format_exc(limit=-3)
    return ("same" if found == right else "changed"), ""


def outcomes(kind: Kind, path: Path, right: str, damaged: list[bytes]) -> list[tuple[str, str]]:
    """`outcome` of each of `damaged` as the content of `path`, read in child processes."""

    def read_all() -> list[tuple[str, str]]:
        found = []
        for data in damaged:
            path.write_bytes(data)
            found.append(outcome(kind, path, right))
        return found

    found = apart(read_all)
    if isinstance(found, str):
        return [("crash", found)] if len(damaged) == 1 else [outcomes(kind, path, right, [d])[0] for d in damaged]
    return [tuple(item) for item in found]


def apart(function) -> Any:
    """`function()`, JSON types, called in a child process with limits; or in words how that process died."""
    inside, outside = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(inside)
        resource.setrlimit(resource.RLIMIT_AS, (_used() + MEMORY,) * 2)
        signal.alarm(SECONDS)
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
        with os.fdopen(outside, "w", errors="replace") as stream:
            json.dump(function(), stream)
        os._exit(0)
    os.close(outside)
    with os.fdopen(inside, "rb") as stream:
        text = stream.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status:
        return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {status >> 8}"
    return json.loads(text)


def _used() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def trial(folder: Path, places: int, seed: int, kinds: list[Kind] = KINDS) -> tuple[pd.DataFrame, list[str]]:
    """Counts of outcomes by kind of file, and what went wrong in words."""
    rows, wrong = [], []
    made = make_all(folder, kinds)
    for kind in kinds:
        path = made[kind.name]
        data = path.read_bytes()
        right = fingerprint(kind.read(path))
        rng, counts = random.Random(f"{seed} {kind.name}"), Counter()
        damaged = [damage(data, rng) for _ in range(places)]
        batches = [outcomes(kind, path, right, damaged[at : at + BATCH]) for at in range(0, places, BATCH)]
        for number, (found, said) in enumerate(item for batch in batches for item in batch):
            counts[found] += 1
            if found in ("unnamed", "traceback", "crash") or (found == "changed" and kind.checked):
                wrong.append(f"{kind.name}, place {number}: {found} {said}")
        path.write_bytes(data)
        rows.append(
            {"file": kind.name, "checked": kind.checked, "places": places} | {name: counts[name] for name in OUTCOMES}
        )
    return pd.DataFrame(rows), wrong


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", help="only these files")
    parser.add_argument("--out", type=Path, help="a CSV file for the counts")
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if not given.kinds or kind.name in given.kinds]
    with tempfile.TemporaryDirectory() as folder:
        table, wrong = trial(Path(folder), given.places, given.seed, kinds)
    print(table.to_string(index=False))
    print(*wrong[:60], sep="\n")
    if given.out:
        table.to_csv(given.out, index=False)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
