"""All analyses of a study's records at once: its own runs, or records that others trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from ontogeny.files import write_csv
from ontogeny.jumps.agreement import detector_agreement
from ontogeny.jumps.answer import Answer
from ontogeny.jumps.characterise import characterise_jumps, jump_kinds, phase_table
from ontogeny.jumps.comparison import compare_groups, jump_rates, mixed_model
from ontogeny.jumps.convergence import layer_convergence
from ontogeny.jumps.critical_periods import find_critical_periods, loss_relation
from ontogeny.jumps.detection import jumps_in_each
from ontogeny.jumps.events import as_series
from ontogeny.jumps.report import JumpReport
from ontogeny.phase1 import write_phase1
from ontogeny.phase1.record import RUN_LEVEL, Phase1
from ontogeny.progress import Progress

TABLES = (
    "characterised",
    "rates",
    "convergence",
    "order",
    "coordination",
    "periods",
    "loss_relation",
    "kinds",
    "kinds_evidence",
    "phases",
    "agreement",
    "comparisons",
    "mixed_model",
)
"""The tables of a study, by name."""

DETECTORS = ("step", "z_score", "gradient", "pelt")
"""The detectors whose agreement is measured; surrogate tests of every series are left to `ontogeny validity`."""


def study_groups(record: Phase1) -> pd.DataFrame:
    """What the runs of a record are: run, architecture, family, data; "unknown" where it does not say.

    Own runs say so in their settings, others in the fields `arch_name` and `dataset_name`. The family is the
    architecture's name up to its first underscore.
    """
    rows = []
    for run in record.runs:
        about = record.metadata_of(run)
        train = about.get("train") or {}
        architecture = str(about.get("arch_name") or (train.get("model") or {}).get("name") or "unknown")
        data = str(about.get("dataset_name") or (train.get("task") or {}).get("name") or "unknown")
        rows.append({"run": run, "architecture": architecture, "family": architecture.split("_")[0], "data": data})
    return pd.DataFrame(rows)


def gather(record: Phase1, reports: Sequence[JumpReport], groups: pd.DataFrame, output: Any) -> None:
    """Write what the analyses of a study read: the record, its significant jumps, the series searched, the groups; and
    the answer for each run.

    `output` has the paths `record` (.h5), `jumps`, `series`, `groups` and `answers` (.csv).
    """
    write_phase1(output.record, record)
    write_csv(output.jumps, pd.concat([report.significant for report in reports], ignore_index=True))
    write_csv(output.series, pd.concat([report.series for report in reports], ignore_index=True))
    write_csv(output.groups, groups)
    answers = [answer.as_dict() for report in reports for answer in report.answers]
    write_csv(output.answers, pd.DataFrame(answers, columns=[each.name for each in fields(Answer)]))


def analyse_study(
    record: Phase1, jumps: pd.DataFrame, series: pd.DataFrame, groups: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """The tables of `TABLES` for a study.

    `jumps` holds the significant jumps (run, layer, metric, step, index, size, direction, ...), `series` all series
    that were searched (run, layer, metric, points), `groups` is `study_groups`. Each table is documented by the
    function that makes it; `loss_relation` carries its finding in words in the column `sentence`.
    """
    progress = Progress(7, "analyses of the study")
    series = series[["run", "layer", "metric", "measurements"]]
    tables: dict[str, pd.DataFrame] = {}
    found = characterise_jumps(jumps, record).merge(groups, on="run", how="left")
    kinds = jump_kinds(found)
    tables["characterised"] = found.assign(cluster=kinds.labels)
    tables["kinds"] = kinds.profile
    tables["kinds_evidence"] = kinds.evidence.assign(reason=kinds.reason)
    tables["phases"] = phase_table(found)
    progress.update(1, "kinds of jumps")
    tables["rates"] = jump_rates(jumps, series).merge(groups, on="run", how="left")
    settled = layer_convergence(record)
    tables["convergence"], tables["order"] = settled.layers.merge(groups, on="run", how="left"), settled.order
    progress.update(2, "convergence")
    periods = find_critical_periods(jumps, record)
    tables["coordination"], tables["periods"] = periods.coordination, periods.periods
    progress.update(3, "critical periods")
    relation = loss_relation(jumps, record)
    tables["loss_relation"] = relation.table.assign(sentence=relation.sentence)
    progress.update(4, "relation to the loss")
    tables["agreement"] = detector_agreement(_by_detector(record, DETECTORS), series)
    progress.update(5, "agreement of detectors")
    tables["comparisons"] = _comparisons(tables["rates"], tables["convergence"])
    progress.update(6, "comparison of groups")
    factors = [name for name in ("family", "data") if groups[name].nunique() > 1]
    rates = tables["rates"]
    tables["mixed_model"] = mixed_model(rates, "rate", factors) if factors else pd.DataFrame(columns=["term"])
    progress.update(7, "mixed model")
    return tables


def _by_detector(record: Phase1, detectors: Sequence[str]) -> dict[str, pd.DataFrame]:
    names, series = [], []
    for run, layer, metric, steps, values in record.each_series():
        if layer != RUN_LEVEL:
            names.append({"run": run, "layer": layer, "metric": metric})
            series.append(as_series(values, steps))
    tables = {}
    for detector in detectors:
        found = zip(names, jumps_in_each(series, detector))
        rows = [{**name, "index": jump.index} for name, jumps in found for jump in jumps]
        tables[detector] = pd.DataFrame(rows, columns=["run", "layer", "metric", "index"])
    return tables


def _comparisons(rates: pd.DataFrame, convergence: pd.DataFrame) -> pd.DataFrame:
    """Jump rates and settling times compared between families, and between data sets within architectures."""
    settled = convergence[convergence["status"] == "settled"]
    parts = []
    for value, table, column in (("jump rate", rates, "rate"), ("settling time", settled, "fraction")):
        for group, block in (("family", None), ("data", "architecture")):
            if table[group].nunique() > 1:
                parts.append(compare_groups(table, column, group, block=block).assign(value=value, group=group))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["value", "group", "a", "b"])
