"""The table of prompts: its columns, and what tells two prompts apart."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ontogeny.tasks.settings import SplitSettings

COLUMNS = ["prompt", "label", "source", "group", "pair", "decoy", "split"]
"""prompt (text), label (0 safe, 1 unsafe), source, group (what must stay together in one split: a template, or copies
of one text), pair (id of a minimal pair of a safe and an unsafe prompt, or empty), decoy (a safe prompt with an
alarming word, or an unsafe one without) and split (train, validation, test, or empty)."""

SPLITS = tuple(SplitSettings.model_fields)


def with_all_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with all columns: copies of a text in one group, decoys marked."""
    for column in ("group", "pair", "split"):
        if column not in frame:
            frame[column] = ""
        frame[column] = frame[column].fillna("").astype(str)
    same = frame["prompt"].map(plain_text)
    first = ~same.duplicated()
    names = dict(zip(same[first], "text " + pd.Series(np.arange(len(frame)), frame.index)[first].astype(str)))
    frame["group"] = frame["group"].where(frame["group"] != "", same.map(names))
    frame["decoy"] = frame["decoy"].fillna(False).astype(bool) if "decoy" in frame else False
    return frame[COLUMNS].reset_index(drop=True)


def plain_text(prompt: str) -> str:
    """A prompt without case and spacing: prompts that agree in it are copies of one text."""
    return " ".join(prompt.casefold().split())
