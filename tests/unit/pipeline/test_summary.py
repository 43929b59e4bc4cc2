"""The summary says what the tables hold, with intervals, and survives any title."""

import re

import pandas as pd
import pytest
from docutils.core import publish_parts
from jinja2 import Environment
from matplotlib import pyplot as plt

from ontogeny.pipeline.summary import FIGURES, TABLES, _recovery, files_of, findings, summary_text, write_summary

RATES = pd.DataFrame({"run": ["a", "a", "b", "b"], "measurements": 500, "jumps": [1, 1, 2, 4]})
PAIRS = pd.DataFrame(
    {"a": ["mlp"], "b": ["cnn"], "difference": [-2.5], "low": [-4.0], "high": [-1.0], "p_holm": [0.01],
     "value": ["jump rate"]}
)  # fmt: skip
CONDITIONS = pd.DataFrame(
    {"condition": ["baseline", "L1"], "measure": "circuits", "seeds": 8, "converged": [7, 3], "mean": [257.4, 300],
     "mean_low": [168.6, 100], "mean_high": [346.9, 500]}
)  # fmt: skip
EFFECTS = pd.DataFrame(
    {"condition": ["L1"], "measure": "circuits", "difference": [104.0], "difference_low": [8.0],
     "difference_high": [280.0], "p_holm": [0.04]}
)  # fmt: skip
RECOVERY = pd.DataFrame(
    {"condition": ["all", "all", "transposed"], "filling_factor": [1.0, 0.05, 1.0],
     "connectivity_R2": [0.999, 0.9, 0.12], "connectivity_R2_low": [0.99, None, None],
     "connectivity_R2_high": [1.0, None, None], "cluster_accuracy": [1.0, 0.98, 0.4],
     "seeds": [3, 1, 2], "trusted": [3, 0, 0]}
)  # fmt: skip
EPOCHS = pd.DataFrame(
    {"model": ["judge", "judge", "words"], "epoch": [0, 3, None], "split": "test", "prompts": "all",
     "auc": [0.5, 0.91, 0.7], "auc_low": [0.4, 0.85, 0.6], "auc_high": [0.6, 0.95, 0.8]}
)  # fmt: skip
ANSWERS = pd.DataFrame(
    {"run": ["a", "b"], "kind": ["transition", "none"], "layer": "(run)", "step": [204.0, None],
     "p_value": [0.004, None], "sentence": ["a: val_accuracy rises at step 204.", "b: no transition."]}
)  # fmt: skip
MANY = pd.concat([ANSWERS, ANSWERS.iloc[1:].assign(run=["c"]), ANSWERS.assign(step=300.0, p_value=0.01)])
HELD = {
    "dynamics": (RATES, PAIRS, ANSWERS),
    "imports": (RATES, PAIRS.iloc[:0], MANY),
    "circuits": (CONDITIONS, EFFECTS),
    "connectome": (RECOVERY,),
    "judge": (EPOCHS,),
}
SAID = {
    "dynamics": "a: val_accuracy rises at step 204. b: no transition. 8 significant changes in 2 runs: 4 per "
    "1,000 measurements [0, 29.4]. cnn networks jump more often than mlp networks, by 2.5 [1, 4] (p = 0.01).",
    "imports": "2 of 5 runs show a significant change of what they can do, their accuracy or loss, between steps 204 "
    "and 300 (all in answers.csv). The surest: a: val_accuracy rises at step 204. 8 significant changes",
    "circuits": "baseline: 257 perfect circuits per network [169, 347] in the 7 of 8 networks that converged. Changed "
    "significantly by L1 by +104 [8, 280].",
    "connectome": "R² = 0.999 [0.99, 1] at 100% connectivity and 0.900 (one fit, so no interval) at 5% connectivity, "
    "and the types of 100% and 98% of the neurons. Judged by the activity alone, 3 of 4 fits can be trusted, and 0 of "
    "2 fits of the other conditions. The worst",
    "judge": "After 3 epochs the judge's AUC is 0.910 [0.85, 0.95] on test prompts, where a list of words",
}
TITLE = "*Odd* |title| `x`_ {{ 1 / 0 }} {% raise %} <b>"


@pytest.fixture
def studies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = []
    for kind, tables in HELD.items():
        names = {"study": f"study_{kind}", "run": "one"}
        files = [pattern.format(**names) for pattern in (*TABLES[kind], FIGURES[kind])]
        for file, table in zip(files, tables):
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            table.to_csv(tmp_path / file, index=False)
        (tmp_path / files[-1]).parent.mkdir(parents=True, exist_ok=True)
        plt.figure(figsize=(4, 2)).savefig(tmp_path / files[-1])
        plt.close("all")
        made.append({"name": names["study"], "title": TITLE, "kind": kind, "run": "one"})
    return made


def files_of_all(studies):
    return [file for study in studies for file in files_of(study)]


def test_every_kind_of_study_has_its_sentence_with_its_uncertainty(studies):
    for study, finding in zip(studies, findings(studies, files_of_all(studies)), strict=True):
        assert SAID[study["kind"]] in finding.sentence


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, "the true wiring is not known; judged by the activity alone, 0 of 1 fit can be trusted. Left alone, the "
             "recovered network follows activity that it did not see with R² = 0.92."),
        ({"connectivity_R2": 0.97}, "the wiring is recovered with R² = 0.970 (one fit, so no interval) as recorded. "
                                    "Judged by the activity alone, 0 of 1 fit can be trusted."),
    ],
    ids=["without truth", "with its wiring"],
)  # fmt: skip
@pytest.mark.parametrize("beside", [[], [{"condition": "other", "seeds": 1}]], ids=["alone", "beside another"])
def test_of_a_recording_only_what_is_known_is_said(known, said, beside):
    row = {"condition": "cells", "filling_factor": None, "seeds": 1, "trusted": 0, "test_R2": 0.918}
    columns = ["connectivity_R2", "connectivity_R2_low", "connectivity_R2_high", "cluster_accuracy"]
    table = pd.DataFrame([row | dict.fromkeys(columns, float("nan")) | known, *beside])
    assert _recovery(table) == f"cells: {said}"


def test_the_summary_is_text_for_people_and_a_page_for_the_report(studies, tmp_path):
    write_summary(findings(studies, files_of_all(studies)), "results/SUMMARY.md", "results/summary.rst")
    told = summary_text("results/SUMMARY.md")
    assert all(sentence in told for sentence in SAID.values())
    assert "![" not in told
    for link in re.findall(r"\]\(<([^>]+)>\)", (tmp_path / "results/SUMMARY.md").read_text()):
        assert (tmp_path / "results" / link).exists()
    page = Environment().from_string((tmp_path / "results/summary.rst").read_text()).render()
    body = publish_parts(page, writer_name="html", settings_overrides={"report_level": 2, "halt_level": 2})["body"]
    assert body.count('src="data:image/png;base64,') == len(studies)
    assert "<b>" not in body
