"""The prompts of a task: read or generated, split, and described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ontogeny.errors import OntogenyError
from ontogeny.tasks.baselines import mark_decoys
from ontogeny.tasks.prompt_files import read_prompts
from ontogeny.tasks.prompt_table import SPLITS, plain_text
from ontogeny.tasks.settings import SYNTHETIC, JudgeTaskSettings
from ontogeny.tasks.synthetic_prompts import synthetic_prompts


def load_prompts(settings: JudgeTaskSettings | None = None) -> pd.DataFrame:
    """The split prompts of a task: synthetic ones, `count` of them, or those of its files, at most `count` of them.

    Where a file has more, whole groups are drawn. Raises OntogenyError as the functions that it calls do.
    """
    settings = settings or JudgeTaskSettings()
    count, seed = settings.count, settings.split_seed
    if settings.prompts == SYNTHETIC:
        return split_prompts(synthetic_prompts(settings), settings)
    frame = read_prompts(settings.prompts, settings.format)
    if count is not None and len(frame) > count:
        groups = frame["group"].drop_duplicates().to_numpy()
        order = np.random.default_rng(seed).permutation(len(groups))
        sizes = frame["group"].value_counts()[groups[order]].to_numpy().cumsum()
        kept = set(groups[order[: max(1, int((sizes <= count).sum()))]])
        frame = frame[frame["group"].isin(kept)].reset_index(drop=True)
    return mark_decoys(split_prompts(frame, settings))


def split_prompts(frame: pd.DataFrame, settings: JudgeTaskSettings | None = None) -> pd.DataFrame:
    """`frame` with its column `split` filled in: train, validation and test by the shares of `settings.split`.

    Groups stay whole. Every source is spread over the splits, its groups drawn by `settings.split_seed`; a source of
    fewer groups than splits counts with others of its kind. Splits that the prompts bring are kept.

    Raises OntogenyError if only some prompts bring a split, a text or a group stands in
    two splits, a split lacks a label, or the prompts are all safe or all unsafe.
    """
    settings = settings or JudgeTaskSettings()
    shares = settings.split.model_dump()
    present = set(frame["label"])
    if len(present) < 2:
        only = "safe" if 0 in present else "unsafe"
        raise OntogenyError(f"all {len(frame)} prompts are {only}: a judge needs safe and unsafe ones to learn from")
    frame = frame.copy()
    given = frame["split"] != ""
    if given.any() and not given.all():
        raise OntogenyError(
            f"{int((~given).sum())} of {len(frame)} prompts have no split: give all of them one, or none"
        )
    if not given.any():
        frame["split"] = frame["group"].map(_assign(frame, shares, np.random.default_rng(settings.split_seed)))
    for what, key in (("prompt", frame["prompt"].map(plain_text)), ("group", frame["group"])):
        counts = frame.groupby(key, sort=False)["split"].nunique()
        if (counts > 1).any():
            raise OntogenyError(
                f"the {what} {counts.index[counts > 1][0][:60]!r} is in several splits: what a judge was trained on "
                "cannot test it, so put it in one"
            )
    for split in SPLITS:
        labels = set(frame.loc[frame["split"] == split, "label"])
        if len(labels) < 2:
            lacking = "prompt" if not labels else "safe prompt" if 1 in labels else "unsafe prompt"
            raise OntogenyError(f"the split {split} has no {lacking}: give more prompts, or another share or seed")
    return frame


def _assign(frame: pd.DataFrame, shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, str]:
    groups = frame.groupby("group", sort=True).agg(
        size=("label", "size"), source=("source", "first"), mean=("label", "mean")
    )
    strata = groups["source"] + " " + groups["mean"].round().astype(int).astype(str)
    small = strata.map(strata.value_counts()) < len(SPLITS)
    strata[small] = " " + groups["mean"][small].round().astype(int).astype(str)
    chosen: dict[str, str] = {}
    for _, members in groups.groupby(strata, sort=True):
        order = rng.permutation(len(members))
        total = members["size"].sum()
        left = {split: shares[split] * total for split in SPLITS}
        for position, index in enumerate(order):
            split = SPLITS[position] if position < len(SPLITS) else max(SPLITS, key=left.__getitem__)
            chosen[members.index[index]] = split
            left[split] -= members["size"].iloc[index]
    return chosen


NEAR = 0.7
"""Jaccard index of their character 5-grams from which two prompts are near-duplicates."""

Report = dict[str, dict[str, float | int | None]]


def near_duplicates(prompts: Sequence[str], others: Sequence[str] | None = None, least: float = NEAR) -> np.ndarray:
    """For every prompt, whether another one, or one of `others`, shares most of its text, bool (prompts,).

    Shared is a Jaccard index of at least `least` between the sets of character 5-grams, exact, by scikit-learn's
    sparse counts. Case and spacing do not count.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, dtype=np.int32)
    texts = [f" {plain_text(text)} ".ljust(5) for text in prompts]
    rest = [f" {plain_text(text)} ".ljust(5) for text in others] if others is not None else []
    if not texts or (others is not None and not rest):
        return np.zeros(len(texts), dtype=bool)
    table = counter.fit_transform([*texts, *rest])
    mine = table[: len(texts)]
    against = mine if others is None else table[len(texts) :]
    sizes, other_sizes = np.asarray(mine.sum(1)).ravel(), np.asarray(against.sum(1)).ravel()
    found = np.zeros(len(texts), dtype=bool)
    for start in range(0, len(texts), 256):
        rows = slice(start, start + 256)
        shared = np.asarray((mine[rows] @ against.T).todense())
        alike = shared >= least * (sizes[rows, None] + other_sizes[None] - shared)
        if others is None:
            alike[np.arange(len(alike)), start + np.arange(len(alike))] = False
        found[rows] = alike.any(1)
    return found


def describe_prompts(frame: pd.DataFrame, lengths: np.ndarray | None = None, max_length: int | None = None) -> Report:
    """What a reader has to know of split prompts: balance, near-duplicates, truncation, sources, in JSON types.

    lengths: tokens of every prompt before truncation. Keys: by split, {prompts, unsafe, decoys, near_duplicates (share
    of its prompts that nearly repeat another one of the split), near_training (share that nearly repeats a training
    prompt), truncated (share of more than `max_length` tokens), new_sources (share whose source training lacks)}.
    """
    result: Report = {}
    train = frame[frame["split"] == "train"]
    for split in SPLITS:
        chosen = (frame["split"] == split).to_numpy()
        part = frame[chosen]
        one: dict[str, float | int | None] = {
            "prompts": len(part),
            "unsafe": int(part["label"].sum()),
            "decoys": int(part["decoy"].sum()),
            "near_duplicates": _share(near_duplicates(list(part["prompt"]))),
            "near_training": None,
            "truncated": None,
            "new_sources": None,
        }
        if split != "train":
            one["near_training"] = _share(near_duplicates(list(part["prompt"]), list(train["prompt"])))
            one["new_sources"] = _share(~part["source"].isin(train["source"]).to_numpy())
        if lengths is not None and max_length is not None:
            one["truncated"] = _share(lengths[chosen] > max_length)
        result[split] = one
    return result


def _share(chosen: np.ndarray) -> float | None:
    return float(np.mean(chosen)) if len(chosen) else None


def automatic_pairs(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with pairs where it has none: a safe and an unsafe prompt that differ in one word, both in the data.

    Words are what stands between spaces. A pair is found within one split, each prompt is in one pair at most, and its
    name starts with `automatic`. Where prompts bring pairs, nothing is changed.
    """
    if (frame["pair"] != "").any():
        return frame
    frame = frame.copy()
    frame["pair"] = frame["pair"].astype(object)
    waiting: dict[tuple[Any, ...], dict[int, list[int]]] = {}
    taken: set[int] = set()
    for row, (text, label, split) in enumerate(zip(frame["prompt"], frame["label"], frame["split"])):
        words = text.split()
        for place in range(len(words)) if len(words) <= _LONGEST_PAIRED else ():
            frame_of = (split, place, *words[:place], None, *words[place + 1 :])
            sides = waiting.setdefault(frame_of, {0: [], 1: []})
            partner = next((other for other in sides[1 - int(label)] if other not in taken), None)
            if partner is not None and row not in taken:
                name = f"automatic {len(taken) // 2}"
                frame.iloc[[partner, row], frame.columns.get_loc("pair")] = name
                taken |= {partner, row}
            sides[int(label)].append(row)
    return frame


_LONGEST_PAIRED = 200
"""Words of a prompt that may be in an automatic pair, at most."""
