"""Interventions between two moments of one training: patching activations or weights, and the line between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ontogeny.arguments import checks_arguments
from ontogeny.errors import OntogenyError
from ontogeny.interventions._common import Bench, table
from ontogeny.interventions.settings import Interpolate, Patch
from ontogeny.interventions.single import measure_with
from ontogeny.models import monitored_layers
from ontogeny.neurons.scores import scores_of, working_copy
from ontogeny.neurons.sites import find_site, site_values
from ontogeny.statistics import bootstrap_mean


def _pair(bench: Bench, source: Any, target: Any) -> tuple[str, str]:
    bench.moments([source, target])
    shapes = [{k: tuple(v.shape) for k, v in bench.models[name].state_dict().items()} for name in (source, target)]
    if shapes[0] != shapes[1]:
        odd = next(key for key in {**shapes[0], **shapes[1]} if shapes[0].get(key) != shapes[1].get(key))
        raise OntogenyError(f"'{source}' and '{target}' are not moments of one network: '{odd}' differs in shape")
    return source, target


def patch(bench: Bench, settings: Patch) -> pd.DataFrame:
    """One layer of the network `target` replaced by that of `source`, a layer at a time: which carries the change?

    what: `activations`, the layer's output after its nonlinearity for the same inputs (Vig et al. 2020,
    arXiv:2004.12265); or `weights`, the layer's parameters and buffers (Zhang et al. 2022, 'Are all layers created
    equal?', JMLR 23). The last activations are the scores themselves: patching them carries everything. Rows:

    - setting `patch`; `carried` is the share of the loss difference, (patched - target) / (source - target), with
      carried_low and carried_high; NaN where the two do not differ.
    - setting `shuffled` (activations): the source's activations of other inputs, a control that carries no information
      on the input.
    - setting `control`, where `control` names two moments (source, target) of a matched control: the same patch
      there; its rows have that target as their moment.
    """
    what = settings.what
    pairs = [("patch", *_pair(bench, settings.source, settings.target))]
    if settings.control is not None:
        pairs.append(("control", *_pair(bench, *settings.control)))
    rows: list[dict[str, Any]] = []
    for setting, first, second in pairs:
        for layer in bench.layers(second, settings.layers):
            if what == "weights":
                rows += _row(bench, setting, first, second, layer, _patched_weights(bench, first, second, layer))
                continue
            giver, taker = working_copy(bench.models[first]), working_copy(bench.models[second])
            site = find_site(taker, layer, bench.inputs)
            values = site_values(giver, site, bench.inputs, bench.settings.chunk)
            rows += _row(bench, setting, first, second, site.layer, measure_with(bench, taker, site, values))
            if setting == "patch":
                order = torch.randperm(len(values), generator=bench.generator(5))
                source_rows = torch.empty_like(order)
                source_rows[order] = order.roll(1)
                measured = measure_with(bench, taker, site, values[source_rows])
                rows += _row(bench, "shuffled", first, second, site.layer, measured)
    return table("patch", rows).assign(what=what)


def _patched_weights(bench: Bench, first: str, second: str, layer: str) -> tuple[np.ndarray, np.ndarray]:
    giver, taker = working_copy(bench.models[first]), working_copy(bench.models[second])
    module, other = (monitored_layers(model, [layer])[0].module for model in (taker, giver))
    module.load_state_dict(other.state_dict())
    return bench.measure(taker)


def _row(
    bench: Bench, setting: str, first: str, second: str, layer: str, measured: tuple[np.ndarray, np.ndarray]
) -> list[dict[str, Any]]:
    rows = bench.rows(second, [measured], layer=layer, setting=setting, source=first)
    ends = bench.intact(first), bench.intact(second)
    for place, row in enumerate(rows):
        row |= _share(measured[place] - ends[1][place], ends[0][place] - ends[1][place], bench)
    return rows


def _share(part: np.ndarray, whole: np.ndarray, bench: Bench) -> dict[str, float]:
    """mean(part) / mean(whole) with its percentile bootstrap interval over samples, drawn together.

    NaN where the interval of the whole holds zero: a share of nothing says nothing. Draws without a whole are left out.
    """
    nothing = dict.fromkeys(("carried", "carried_low", "carried_high"), np.nan)
    mean, low, high = bootstrap_mean(whole, bench.weights, bench.settings.confidence)
    if low <= 0 <= high:
        return nothing
    total = bench.weights @ whole
    drawn = (bench.weights @ part)[total != 0] / total[total != 0]
    low, high = np.quantile(drawn, [(1 - bench.settings.confidence) / 2, (1 + bench.settings.confidence) / 2])
    return {"carried": float(part.mean() / mean), "carried_low": float(low), "carried_high": float(high)}


def interpolate(bench: Bench, settings: Interpolate) -> pd.DataFrame:
    """Loss and accuracy on the straight line of weights from `source` (position 0) to `target` (position 1).

    Column `excess` is the value minus that on the chord between the ends, with excess_low and excess_high; its maximum
    over the line is the barrier (Frankle et al. 2020, arXiv:1912.05671, sec. 2; see `loss_barrier`). Positions beyond
    0 to 1 go on along the line. batch_norm: statistics between the ends are not an average of theirs; `recompute` takes
    them again from the given inputs (Izmailov et al. 2018, arXiv:1803.05407, sec. 3.3), `interpolate` averages them. At
    positions 0 and 1, and all along a line of no length, the networks are exactly those given. Buffers that are whole
    numbers come from the nearer end.
    """
    source, target = _pair(bench, settings.source, settings.target)
    batch_norm = settings.batch_norm
    ends = [bench.models[name].state_dict() for name in (source, target)]
    still = all(torch.equal(value, ends[1][key]) for key, value in ends[0].items())
    rows: list[dict[str, Any]] = []
    for position in settings.positions:
        model = working_copy(bench.models[source])
        model.load_state_dict({key: _between(ends[0][key], ends[1][key], position) for key in ends[0]})
        if batch_norm == "recompute" and position not in (0.0, 1.0) and not still:
            _recompute_batch_norm(model, bench.inputs, bench.settings.chunk)
        measured = bench.measure(model)
        found = bench.rows(target, [measured], layer="all", setting=batch_norm, level=position, source=source)
        for place, row in enumerate(found):
            first, last = bench.intact(source)[place], bench.intact(target)[place]
            chord = first if position == 0 else last if position == 1 else (1 - position) * first + position * last
            row["excess"], row["excess_low"], row["excess_high"] = (
                float(x) for x in bootstrap_mean(measured[place] - chord, bench.weights, bench.settings.confidence)
            )
        rows += found
    return table("interpolate", rows)


def _between(first: Tensor, last: Tensor, position: float) -> Tensor:
    if position == 0 or (position < 0.5 and not first.is_floating_point()):
        return first.clone()
    if position == 1 or not first.is_floating_point():
        return last.clone()
    return ((1 - position) * first.double() + position * last.double()).to(first.dtype)


@torch.no_grad()
def _recompute_batch_norm(model: nn.Module, inputs: Tensor, chunk: int) -> None:
    norms = [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None
    ]
    if not norms:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    scores_of(model, inputs, chunk)
    model.eval()


@checks_arguments
def loss_barrier(line: pd.DataFrame, metric: str = "loss") -> dict[str, float]:
    """The highest point of the line above the chord between its ends, from a table of `interpolate`.

    Returns barrier, barrier_low, barrier_high (the interval at that point) and position. For the accuracy the barrier
    is the deepest point below the chord, as a positive number.

    Raises OntogenyError for a table without the metric along a line.
    """
    rows = line[(line["metric"] == metric) & line["level"].between(0, 1)]
    if rows.empty or "excess" not in rows:
        raise OntogenyError(f"the table holds no '{metric}' along a line: give the table of 'interpolate'")
    sign = 1.0 if metric == "loss" else -1.0
    top = rows.loc[(sign * rows["excess"]).idxmax()]
    low, high = sorted((sign * top["excess_low"], sign * top["excess_high"]))
    return {"barrier": sign * top["excess"], "barrier_low": low, "barrier_high": high, "position": top["level"]}
