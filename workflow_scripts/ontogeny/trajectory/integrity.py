"""Whether a series of checkpoints is what it says: its steps different, whole, and on one path. Needs no network."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ontogeny.errors import OntogenyError
from ontogeny.words import counted

if TYPE_CHECKING:
    import pandas as pd

SAMPLED = 65_536
"""Weights of every checkpoint, the same ones, on which distances and angles are measured."""
DETOUR = 2.0
"""A step lies off the path if it is this much farther from both of its neighbours than they are from each other."""


@dataclass
class Passport:
    """What is kept of one checkpoint: digests, shapes and types of its tensors, and a sample of its weights."""

    step: int
    digests: dict[str, str]
    kinds: dict[str, str]
    plain: set[str]
    infinite: list[str]
    sample: np.ndarray
    norm: float
    parameters: int

    @property
    def digest(self) -> str:
        """One digest of all tensors."""
        return hashlib.sha256(repr(sorted(self.digests.items())).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Integrity:
    """The report: a row per step, what is wrong by step, and remarks that make nothing false."""

    table: pd.DataFrame
    problems: dict[int, list[str]]
    notes: list[str]

    @property
    def kept(self) -> list[int]:
        """The steps that may be used."""
        return [int(step) for step in self.table.loc[self.table["kept"], "step"]]

    def sentence(self) -> str:
        """What makes the series false, with the steps, in one sentence; empty if nothing does."""
        by_problem: dict[str, list[int]] = defaultdict(list)
        for step, found in self.problems.items():
            by_problem[re.sub(rf"(?<=[-_/=]){step}(?!\d)", "{step}", found[0])].append(step)
        return "; ".join(f"{_steps(steps)}: {self.problems[steps[0]][0]}" for steps in by_problem.values())


def passport(step: int, state: Mapping[str, Tensor]) -> Passport:
    """Read every tensor of a checkpoint once, one at a time."""
    digests, kinds, plain, infinite, parts = {}, {}, set(), [], []
    square, parameters = 0.0, 0
    names = sorted(state)
    sizes = dict.fromkeys(names, 0)
    for name in names:
        tensor = state[name].detach()
        kinds[name] = f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"
        raw = tensor.contiguous().reshape(-1)
        digest = hashlib.sha256(kinds[name].encode())
        digest.update(_bytes(raw))
        digests[name] = digest.hexdigest()[:16]
        sizes[name] = raw.numel()
        if not raw.numel() or bool((raw == raw[0]).all()):
            plain.add(name)
        if tensor.is_floating_point():
            raw = raw.float() if raw.element_size() == 1 else raw
            if not bool(torch.isfinite(raw).all()):
                infinite.append(name)
            square += float(raw.double().square().sum()) if raw.numel() < 2**22 else float(raw.float().norm()) ** 2
            parameters += raw.numel()
            every = max(1, raw.numel() // 4096)
            parts.append(np.array(raw[::every][:4096].float()))
        del tensor, raw
    sample = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    sample = sample[:: max(1, len(sample) // SAMPLED)]
    return Passport(step, digests, kinds, plain, infinite, sample, square**0.5, parameters)


def _bytes(raw: Tensor) -> bytes | memoryview:
    return raw.view(torch.uint8).numpy().data if raw.numel() else b""


def check_series(
    steps: Iterable[int],
    open_step: Callable[[int], Mapping[str, Tensor]],
    report: Callable[[int, int], Any] = lambda done, step: None,
) -> Integrity:
    """Read all checkpoints of a series once, and compare them.

    Wrong is: a checkpoint that cannot be read, lacks a shard, or holds no weights; names, shapes or types of tensors
    that differ from those of most steps; numbers that are not finite; weights equal to those of another step, bit for
    bit, wholly or in tensors that changed in between; and a step off the path between its neighbours, which is
    farther than twice their distance from both. Of steps that are equal the last of the series is kept, else the first.

    Columns of the table: step, digest, parameters, tensors, norm; distance_previous, distance_next, detour (the smaller
    of both over the distance of the neighbours), cosine_previous, cosine_next, distance_first, distance_last,
    cosine_first, cosine_last, all on the same 65,536 weights or fewer; equal_to (steps), equal_tensors (share of the
    tensors that another step has too, though they changed in between), problem, kept.
    """
    steps = sorted(steps)
    found: dict[int, Passport] = {}
    problems: dict[int, list[str]] = defaultdict(list)
    for done, step in enumerate(steps, start=1):
        try:
            found[step] = passport(step, open_step(step))
        except OntogenyError as error:
            problems[step].append(str(error))
        report(done, step)
    passports = list(found.values())
    notes = _unlike(passports, problems)
    for each in passports:
        if each.infinite:
            problems[each.step].append(f"{each.infinite[0]} holds NaN or infinite numbers")
    equal = _equal(passports, problems)
    shared = _shared(passports, problems, notes)
    path = _path([each for each in passports if each.step not in problems], problems)
    rows = []
    for step in steps:
        row: dict[str, Any] = {"step": step}
        if step in found:
            each = found[step]
            row |= {"digest": each.digest, "parameters": each.parameters, "tensors": len(each.digests)}
            row |= {"norm": each.norm, **path.get(step, {})}
            row |= {"equal_to": ", ".join(map(str, equal.get(step, []))), "equal_tensors": shared.get(step, 0.0)}
        rows.append(row | {"problem": "; ".join(problems.get(step, [])), "kept": step not in problems})
    columns = [
        "step",
        "digest",
        "parameters",
        "tensors",
        "norm",
        *_PATH,
        "equal_to",
        "equal_tensors",
        "problem",
        "kept",
    ]
    import pandas as pd

    return Integrity(pd.DataFrame(rows).reindex(columns=columns), dict(problems), notes)


_PATH = ["distance_previous", "distance_next", "detour", "cosine_previous", "cosine_next", "distance_first",
         "distance_last", "cosine_first", "cosine_last"]  # fmt: skip


def _unlike(passports: list[Passport], problems: dict[int, list[str]]) -> list[str]:
    """Tensors that are missing, of another shape or type than at most steps; and tied weights, as a note."""
    if not passports:
        return []
    usual = Counter(tuple(sorted(each.kinds.items())) for each in passports).most_common(1)[0][0]
    expected = dict(usual)
    for each in passports:
        lacking = [name for name in expected if name not in each.kinds]
        extra = [name for name in each.kinds if name not in expected]
        other = [name for name in each.kinds if name in expected and each.kinds[name] != expected[name]]
        if lacking:
            problems[each.step].append(f"{lacking[0]} is missing, which most steps have")
        elif extra:
            problems[each.step].append(f"{extra[0]} is there, which most steps lack")
        elif other:
            name = other[0]
            problems[each.step].append(f"{name} is {each.kinds[name]}, and {expected[name]} at most steps")
    last = passports[-1]
    by_digest: dict[str, list[str]] = defaultdict(list)
    for name, digest in last.digests.items():
        if name not in last.plain:
            by_digest[digest].append(name)
    return [f"tied weights: {' = '.join(names)}" for names in by_digest.values() if len(names) > 1]


def _equal(passports: list[Passport], problems: dict[int, list[str]]) -> dict[int, list[int]]:
    groups: dict[str, list[int]] = defaultdict(list)
    for each in passports:
        groups[each.digest].append(each.step)
    equal: dict[int, list[int]] = {}
    end = passports[-1].step if passports else None
    for group in groups.values():
        if len(group) < 2:
            continue
        kept = end if end in group else group[0]
        for step in group:
            equal[step] = [other for other in group if other != step]
            if step != kept:
                problems[step].append(f"the weights are those of step {kept}, bit for bit")
    return equal


def _shared(passports: list[Passport], problems: dict[int, list[str]], notes: list[str]) -> dict[int, float]:
    """Tensors that are those of another step, though they were different at a step between."""
    steps = [each.step for each in passports if each.step not in problems]
    kept = {each.step: each for each in passports}
    blamed: dict[int, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    names = set().union(*(each.digests for each in passports)) if passports else set()
    still = []
    for name in sorted(names):
        course = [(step, kept[step].digests.get(name)) for step in steps if name not in kept[step].plain]
        if len(course) > 1 and len({digest for _, digest in course}) == 1:
            still.append(name)
            continue
        places: dict[str | None, list[int]] = defaultdict(list)
        for place, (_, digest) in enumerate(course):
            places[digest].append(place)
        for group in places.values():
            if len(group) < 2 or group[-1] - group[0] == len(group) - 1:
                continue
            source = group[-1] if group[-1] == len(course) - 1 else group[0]
            for place in group:
                if place != source:
                    blamed[course[place][0]][course[source][0]].append(name)
    if still and len(still) < len(names):
        notes.append(
            f"{counted(len(still), 'tensor')} never change{'s' if len(still) == 1 else ''}, among them {still[0]}"
        )
    shares: dict[int, float] = {}
    for step, sources in blamed.items():
        source, tensors = max(sources.items(), key=lambda item: len(item[1]))
        shares[step] = len(tensors) / len(kept[step].digests)
        more = f" and {len(tensors) - 1} more" if len(tensors) > 1 else ""
        problems[step].append(f"{tensors[0]}{more} are those of step {source}, though they differ in between")
    return shares


def _path(passports: list[Passport], problems: dict[int, list[str]]) -> dict[int, dict[str, float]]:
    """Distances and angles to the neighbours and the ends; steps off the path are a problem."""
    if len(passports) < 2:
        return {}
    samples = [each.sample.astype(np.float64) for each in passports]
    rows: dict[int, dict[str, float]] = {}
    for place, each in enumerate(passports):
        row = dict.fromkeys(_PATH, np.nan)
        here = samples[place]
        for name, other in (("previous", place - 1), ("next", place + 1), ("first", 0), ("last", len(samples) - 1)):
            if 0 <= other < len(samples) and len(samples[other]) == len(here):
                row[f"distance_{name}"] = float(np.linalg.norm(here - samples[other]))
                size = np.linalg.norm(here) * np.linalg.norm(samples[other])
                row[f"cosine_{name}"] = float(here @ samples[other] / size) if size > 0 else np.nan
        if 0 < place < len(samples) - 1 and len({len(samples[place + k]) for k in (-1, 0, 1)}) == 1:
            apart = float(np.linalg.norm(samples[place - 1] - samples[place + 1]))
            nearest = min(row["distance_previous"], row["distance_next"])
            row["detour"] = nearest / apart if apart > 0 else np.inf if nearest > 0 else 0.0
        rows[each.step] = row
    for step, row in rows.items():
        if row["detour"] > DETOUR:
            problems[step].append(
                f"it lies off the path, {row['detour']:.1f} times as far from both neighbours as they are apart"
            )
    return rows


def _steps(steps: list[int]) -> str:
    listed = ", ".join(map(str, steps[:8])) + (f" and {len(steps) - 8} more" if len(steps) > 8 else "")
    return f"step{'s' * (len(steps) > 1)} {listed}"
