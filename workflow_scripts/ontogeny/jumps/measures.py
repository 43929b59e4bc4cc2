"""Which of a run's measures say what it can do, and in which order to ask them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_HELD_OUT = re.compile(
    r"(?:^|[^a-z])(val|valid|validation|test|eval|evaluation|dev|probe|held|holdout|heldout)(?![a-z])"
)
_TRAIN = re.compile(r"(?:^|[^a-z])(train|training)(?![a-z])")
_ACCURACY = re.compile(
    r"acc(?![a-z])|accuracy|exact_match|(?:^|[^a-z])(f1|auc|auroc|bleu|rouge|score|rewards?|rew|returns?|ret|r2|precision"
    r"|recall|success|win_rate|solved|(?:m_?)?io_?u|m_ap[0-9]*|map[0-9]+|ap[0-9]*|dice|mrr|ndcg|top[1-9])(?![a-z])"
)
_LOSS = re.compile(r"loss|perplexity|(?:^|[^a-z])(nll|ppl|error|wer|cer|mse|mae|rmse|cross_entropy|bpc)(?![a-z])")
_MECHANISM = re.compile(r"^(mode|feature)_\d+$|^in_context|^relevant_weight$")
_DEEPSPEED = re.compile(r"(?<=train|valid)_samples(?=[_/])|(?<=eval|test)_samples(?=[_/])|/samples(?=/)")
_EXTREME = re.compile(r"[_/](max|min|std)(imum)?$")
_NO_MEASURE = re.compile(
    r"learning_rate|loss_scale|grad|norm|epoch|runtime|per_second|flos|memory|momentum|batch_size|throughput|temperature"
    r"|(?:^|[^a-z])(lr|step|steps|time|timestamp|timesteps|elapsed|fps|gpu|cpu|system|seed|tokens|samples|num|iter"
    r"|iterations?|updates?|episodes?(?!_(?:re|success|score|win))|weight_decay)(?![a-z])"
)
LOSSES = (3, 5)
"""Ranks of losses."""


def rank_of(metric: str) -> int | None:
    """Place of a run-level metric among those that say what a network can do; None for settings, clocks and norms.

    0: accuracy on held-out data; 1: accuracy of no said data; 2: strength of a known mechanism (modes of a deep linear
    network, features, in-context score, weight on the relevant bits); 3: loss on held-out data; 4: accuracy on the
    training data; 5: other loss; 6: any other measure.
    """
    name = _DEEPSPEED.sub("", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", metric).lower())
    if _MECHANISM.search(name):
        return 2
    if _NO_MEASURE.search(name):
        return None
    held_out = _HELD_OUT.search(name) is not None
    if _LOSS.search(name):
        return 3 if held_out else 5
    if _ACCURACY.search(name):
        return 0 if held_out else 4 if _TRAIN.search(name) else 1
    return 6


def ranked(metrics: Iterable[str], last: int = 6) -> list[str]:
    """The metrics that have a `rank_of` up to `last`, the first to be asked first; those of one rank in their
    order, largest, smallest and spreads last."""
    places = {name: place for name in metrics if (place := rank_of(name)) is not None and place <= last}
    return sorted(places, key=lambda name: (places[name], _EXTREME.search(name.lower()) is not None))
