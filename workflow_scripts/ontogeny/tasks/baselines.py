"""Classifiers that need no judge: what a judge has to beat, and the decoys that mislead them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ontogeny.errors import unknown


class Baseline(NamedTuple):
    """What needs no judge: the column of prompts that it reads, and an unfitted scikit-learn classifier."""

    column: str
    model: Callable[[], Any]


def _words() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return _logistic(CountVectorizer(token_pattern=_WORD, binary=True))


def _word_pairs() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return _logistic(CountVectorizer(analyzer=_pairs_in, binary=True, min_df=2))


def _length() -> Any:
    from sklearn.preprocessing import FunctionTransformer

    return _logistic(FunctionTransformer(_lengths))


def _source() -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    return _logistic(CountVectorizer(analyzer=_whole, binary=True))


def _logistic(features: Any) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(features, LogisticRegression(max_iter=1000, class_weight="balanced"))


_WORD = r"\b\w+\b"
_FARTHEST_PAIR = 8
"""Words between the two of a pair, at most, so that long prompts have no more pairs than a few times their words."""


def _pairs_in(text: str) -> list[str]:
    words = re.findall(_WORD, text.lower())
    return [f"{one} {two}" for i, one in enumerate(words) for two in words[i + 1 : i + 1 + _FARTHEST_PAIR]]


def _lengths(texts: Sequence[str]) -> np.ndarray:
    return np.array([[np.log1p(len(text)), np.log1p(len(text.split()))] for text in texts])


def _whole(text: str) -> list[str]:
    return [text]


BASELINES = {
    "words": Baseline("prompt", _words),
    "pairs": Baseline("prompt", _word_pairs),
    "length": Baseline("prompt", _length),
    "source": Baseline("source", _source),
}
"""Logistic regressions on which words a prompt has, which ordered pairs of words at most 8 apart, how long it is, and
where it comes from: a judge that is no better than one of them may have learned no more than that."""


def baseline(name: str) -> Baseline:
    """One of `BASELINES`. Raises OntogenyError if there is no such."""
    if name not in BASELINES:
        raise unknown("baseline", name, BASELINES)
    return BASELINES[name]


def fit_baseline(name: str, frame: pd.DataFrame) -> Any:
    """A baseline fitted on the training prompts of `frame`; it reads the column `BASELINES[name].column`."""
    train = frame[frame["split"] == "train"]
    chosen = baseline(name)
    return chosen.model().fit(train[chosen.column], train["label"])


def mark_decoys(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with its column `decoy` filled in: prompts that counting words gets wrong. Marks that are there stay.

    Training prompts are judged by models that did not see them (five folds over groups), the others by one of all
    training prompts.
    """
    if frame["decoy"].any():
        return frame
    from sklearn.model_selection import GroupKFold, cross_val_predict

    frame = frame.copy()
    train = frame["split"] == "train"
    chosen = frame[train]
    guessed = pd.Series(0, index=frame.index)
    folds = min(5, chosen["group"].nunique())
    counts = chosen.groupby("label")["group"].nunique()
    if folds > 1 and counts.min() >= folds:
        model = baseline("words").model()
        guessed[train] = cross_val_predict(
            model, chosen["prompt"], chosen["label"], groups=chosen["group"], cv=GroupKFold(folds)
        )
    else:
        guessed[train] = chosen["label"]
    if (~train).any():
        guessed[~train] = fit_baseline("words", frame).predict(frame.loc[~train, "prompt"])
    return frame.assign(decoy=guessed != frame["label"])
