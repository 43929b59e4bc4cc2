"""Feed invented and mutated files to every reader, and mutated configurations to the plan's reader.

    python tests/reliability/fuzz.py --minutes 10 --seed 0          with hypothesis
    python tests/reliability/fuzz.py --minutes 10 --atheris         with atheris, where it is installed

Only an OntogenyError may come out, in one line, within 20 s of CPU and 3 GiB of memory. `--minutes` are CPU minutes in
all, shared by the targets: bytes of a valid file of every kind (`readers.KINDS`) changed; the value of a JSON file
changed (a key dropped, renamed or doubled, a value of another type, huge, deep, not a number), and invented values; the
shipped configurations changed in the same way, sweeps, interventions and all. Bombs are tried first: JSON that is
nested 100,000 deep or claims a billion steps, archives that unpack to gigabytes, arrays that claim terabytes.
"""

from __future__ import annotations

import argparse
import copy
import gc
import gzip
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from corrupt import apart, damage
from readers import KINDS, Kind, make_all

from ontogeny.config import load_config
from ontogeny.errors import OntogenyError

ROOT = Path(__file__).resolve().parents[2]
MEMORY, SECONDS = 3 << 30, 20
CHECKSUM_BYTES = 81
"""The checksum at the end of an HDF5 file, without which anybody's are read."""
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2, 1e308, -1e308, 5e-324, float("nan"), float("inf"), 10**9, 10**18, 10**40, 2**63,
    "", "x", "1", "NaN", "null", "\x00", "\ud800", "a\nb", "../../x", "/etc/passwd", "<script>", "$\\frac{", "é" * 300,
    [], {}, [[]], [None], [1], ["x"], [{}], {"": None}, {"step": 10**9}, {"a": [1, 2]}, [[[[[[]]]]]],
]  # fmt: skip
TOKENS = [
    b'"',
    b"{",
    b"[",
    b"]",
    b",",
    b"\n",
    b"\x00",
    b"NaN",
    b"1e999",
    b"-",
    b"9" * 400,
    b"null",
    b"\xff",
    b"\t",
    b"#",
    b"|",
]


class Enough(BaseException):
    """The time of a target is up."""


def mutated(value: Any, rng: random.Random, names: list[str]) -> Any:
    """`value`, JSON types, with one change somewhere."""
    if rng.random() < 0.12 or not isinstance(value, dict | list) or not value:
        return copy.deepcopy(rng.choice(JUNK))
    way = rng.random()
    if isinstance(value, dict):
        key = rng.choice(list(value))
        changed = dict(value)
        if way < 0.12:
            del changed[key]
        elif way < 0.24:
            changed[rng.choice(names)] = changed.pop(key)
        elif way < 0.32:
            changed[rng.choice(names)] = copy.deepcopy(rng.choice([value[key], *JUNK]))
        else:
            changed[key] = mutated(value[key], rng, names)
        return changed
    at = rng.randrange(len(value))
    changed = list(value)
    if way < 0.12:
        del changed[at]
    elif way < 0.2:
        changed.insert(at, copy.deepcopy(rng.choice([value[at], *JUNK])))
    elif way < 0.26 and len(changed) < 100:
        changed = changed * rng.choice([2, 30])
    else:
        changed[at] = mutated(value[at], rng, names)
    return changed


def names_in(value: Any) -> set[str]:
    """All keys in a JSON value."""
    if isinstance(value, dict):
        return {str(key) for key in value} | set().union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


def without_checksum(value: Any) -> Any:
    """A JSON value without its checksum, so that a change of it gets past the checksum."""
    for part in (value, value.get("metadata")) if isinstance(value, dict) else ():
        if isinstance(part, dict):
            part.pop("checksum", None)
    return value


def havoc(data: bytes, rng: random.Random) -> bytes:
    """`data` with a few changes of bytes."""
    for _ in range(rng.choice([1, 1, 2, 4, 8])):
        data = data or b"\x00"
        at = rng.randrange(len(data))
        way = rng.random()
        if way < 0.5:
            data = damage(data, rng)
        elif way < 0.7:
            data = data[:at] + rng.choice(TOKENS) + data[at:]
        elif way < 0.85:
            data = data[:at] + data[rng.randrange(len(data)) :][:64] + data[at:]
        else:
            data = data[:at] + rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00" * 8]) + data[at + 4 :]
    return data


def check(read: Callable[[], Any], limit: float = SECONDS) -> str:
    """What reading came to: "read" or "refused". Raises AssertionError for anything else."""
    before = time.process_time()
    try:
        read()
        found = "read"
    except OntogenyError as error:
        said = str(error)
        assert ("\n" not in said and said.isprintable()) or "\n" not in said, f"more than a line: {said[:300]!r}"
        assert len(said) < 4000, f"a sentence of {len(said)} characters: {said[:200]!r}"
        found = "refused"
    taken = time.process_time() - before
    assert taken < limit, f"it took {taken:.1f} s"
    return found


def targets(folder: Path, kinds: list[Kind] = KINDS) -> dict[str, Callable[[random.Random], str]]:
    """Everything to be fuzzed: name to a function that tries one input drawn from the generator."""
    made = make_all(folder, kinds)
    found: dict[str, Callable[[random.Random], str]] = {}
    for kind in kinds:
        found[f"bytes of {kind.name}"] = _bytes_target(kind, made[kind.name])
        text = made[kind.name].read_bytes()
        if kind.name.endswith((".json", ".json.gz")):
            value = json.loads(gzip.decompress(text) if kind.name.endswith(".gz") else text)
            found[f"value of {kind.name}"] = _value_target(kind, made[kind.name], without_checksum(value))
    found["configurations"] = config_target()
    return found


def _bytes_target(kind: Kind, path: Path) -> Callable[[random.Random], str]:
    data = path.read_bytes()
    unchecked_share = 0.1 if kind.name == "phase1.h5" else 0.0

    def attempt(rng: random.Random) -> str:
        changed = havoc(data, rng)
        path.write_bytes(changed[:-CHECKSUM_BYTES] if rng.random() < unchecked_share else changed)
        return check(lambda: kind.read(path))

    return attempt


def _value_target(kind: Kind, path: Path, value: Any) -> Callable[[random.Random], str]:
    if isinstance(value, list):
        value = value[:2]
    names = sorted(names_in(value)) + ["step", "format", "metadata", "x", ""]

    def attempt(rng: random.Random) -> str:
        changed = value
        for _ in range(rng.choice([1, 1, 2, 4])):
            changed = mutated(changed, rng, names)
        text = json.dumps(changed).encode()
        path.write_bytes(gzip.compress(text, 1) if kind.name.endswith(".gz") else text)
        return check(lambda: kind.read(path))

    return attempt


def config_target() -> Callable[[random.Random], str]:
    """The shipped configurations and those of the tests, changed."""
    files = [
        ROOT / "config.yaml",
        *sorted((ROOT / "configs").glob("*.yaml")),
        *sorted((ROOT / "tests/configs").glob("*.yaml")),
    ]
    files = [file for file in files if file.exists()]
    shipped = [yaml.safe_load(file.read_text()) for file in files]
    names = sorted(set().union(*map(names_in, shipped)) | {"sweep", "grid", "zip", "list", "seeds", "../x", ""})

    def attempt(rng: random.Random) -> str:
        changed = copy.deepcopy(rng.choice(shipped))
        if rng.random() < 0.3 and isinstance(changed.get("studies"), dict):
            study = rng.choice(list(changed["studies"].values()))
            study["sweep"] = {rng.choice(["grid", "zip"]): {"training.learning_rate": [0.1, 0.2], "seeds": [[0], [1]]}}
        for _ in range(rng.choice([1, 1, 2, 4])):
            changed = mutated(changed, rng, names)
        return check(lambda: load_config(changed))

    return attempt


def bombs(folder: Path, kinds: list[Kind] = KINDS, size: int = 5 << 30) -> dict[str, str]:
    """Files that claim or unpack to more than they are: what each reader says of each of them."""
    folder.mkdir(parents=True, exist_ok=True)
    deep = b"[" * 100_000
    objects = b'{"a":' * 100_000
    many = b'{"metadata": {}, "a": {"step": [1000000000], "stable_rank": [1.0]}}'
    far = b'{"a": {"step": [0, 1000000000, 1000000000000000000], "stable_rank": [1, 2, 3]}}'
    long = b'{"a": {"step": [' + b"9" * 1_000_000 + b'], "stable_rank": [1]}}'
    inputs = {"deep list": deep, "deep object": objects, "a billion steps": many, "far steps": far, "long number": long,
              "nothing": b"", "zeros": bytes(1 << 20)}  # fmt: skip
    found = {}
    for kind in kinds:
        path = folder / kind.name
        mine = {name: gzip.compress(data) for name, data in inputs.items()} if path.suffix == ".gz" else dict(inputs)
        if path.suffix == ".gz":
            mine["gzip bomb"] = _gzip_bomb(size)
        if path.suffix == ".npz":
            mine["zip bomb"] = _zip_bomb(folder / "bomb.npz", size)
        if path.suffix == ".npy":
            header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }"
            mine["terabytes"] = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
        if path.suffix == ".safetensors":
            header = json.dumps(
                {"u": {"dtype": "F64", "shape": [10**6, 10**6], "data_offsets": [0, 8 * 10**12]}}
            ).encode()
            mine["terabytes"] = len(header).to_bytes(8, "little") + header
            mine["long header"] = (2**62).to_bytes(8, "little") + b"{}"
        for name, data in mine.items():
            path.write_bytes(data)

            def attempt(kind: Kind = kind, path: Path = path) -> str:
                return _told(lambda: check(lambda: kind.read(path)))

            found[f"{name} as {kind.name}"] = str(apart(attempt))
    return found


def _told(function: Callable[[], str]) -> str:
    try:
        return function()
    except BaseException:
        return traceback.format_exc(limit=-3)


def _gzip_bomb(size: int) -> bytes:
    """A gzip file of a few MiB that unpacks to `size` zeros: members of 64 MiB, one after the other."""
    return gzip.compress(bytes(64 << 20), 9) * (size // (64 << 20))


def _zip_bomb(path: Path, size: int) -> bytes:
    """An npz file of a few MiB whose array unpacks to `size` bytes of zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("u.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": (1, size // 8, 1)})
        for _ in range(size >> 26):
            file.write(bytes(1 << 26))
    return path.read_bytes()


def run(
    attempt: Callable[[random.Random], str], examples: int, start: int, budget: float
) -> tuple[Counter, str | None]:
    """Try up to `examples` inputs within `budget` CPU seconds; counts, and the failure if there was one."""
    counts: Counter = Counter()
    end = time.process_time() + budget

    @seed(start)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.randoms(use_true_random=False), st.integers(0, 2**32))
    def body(_: random.Random, number: int) -> None:
        if time.process_time() >= end:
            raise Enough
        counts[attempt(random.Random(number))] += 1

    try:
        body()
    except Enough:
        pass
    except BaseException:
        return counts, traceback.format_exc(limit=-6)
    return counts, None


def main() -> int:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="only targets whose name holds one of these words")
    parser.add_argument("--atheris", action="store_true")
    given_ = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    with tempfile.TemporaryDirectory() as folder:
        chosen = targets(Path(folder))
        if given_.only:
            chosen = {name: target for name, target in chosen.items() if any(word in name for word in given_.only)}
        if given_.atheris:
            return with_atheris(chosen, given_.minutes, given_.seed)
        failures = 0
        if not given_.only:
            said = bombs(Path(folder) / "bombs")
            bad = {name: told for name, told in said.items() if told not in ("read", "refused")}
            print(f"{len(said)} bombs: {bad or dict(Counter(said.values()))}", flush=True)
            failures += len(bad)
        share, round_ = 60 * given_.minutes / len(chosen) / 4, 0
        total: dict[str, Counter] = {name: Counter() for name in chosen}
        began = time.process_time()
        while time.process_time() - began < 60 * given_.minutes:
            for name, target in chosen.items():
                counts, failure = run(target, 100_000, given_.seed * 1000 + round_, share)
                total[name] += counts
                if failure:
                    failures += 1
                    print(f"{name}: {failure}", flush=True)
            round_ += 1
            if round_ > 1000:
                break
        for name, counts in total.items():
            print(f"{name:32} {sum(counts.values()):8} inputs, {counts['refused']:8} refused")
        inputs, minutes = sum(map(Counter.total, total.values())), (time.process_time() - began) / 60
        print(f"{inputs} inputs in {minutes:.1f} min of CPU, {failures} failures")
    return 1 if failures else 0


def with_atheris(chosen: dict[str, Callable[[random.Random], str]], minutes: float, start: int) -> int:
    """Let atheris choose the bytes that choose target and changes, guided by the branches that the readers take.

    `minutes` are of the clock.
    """
    import atheris

    attempts = list(chosen.values())
    for function in [item for item in gc.get_objects() if isinstance(item, FunctionType)]:
        if str(function.__module__).startswith("ontogeny"):
            atheris.instrument_func(function)
    counts: Counter = Counter()

    def one(data: bytes) -> None:
        if len(data) >= 3:
            counts[attempts[data[0] % len(attempts)](random.Random(data[1:]))] += 1

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={int(60 * minutes)}", f"-seed={start + 1}", "-rss_limit_mb=6000"], one
    )
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
