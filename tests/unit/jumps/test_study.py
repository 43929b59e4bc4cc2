"""All analyses of a study together, with jumps and without any."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.files import read_table, write_csv
from ontogeny.jumps.figures import plot_measures
from ontogeny.jumps.locate import locate_transitions, with_answers
from ontogeny.jumps.report import find_jumps
from ontogeny.jumps.study import TABLES, analyse_study, gather, study_groups
from ontogeny.jumps.study_figures import FIGURES, draw_heat_maps, draw_study
from ontogeny.phase1 import read_many, read_phase1

RESOURCES = Path(__file__).parents[3] / "resources" / "phase1"


def studied(folder, names):
    record = read_many([RESOURCES / f"{name}.json" for name in names])
    report = with_answers(find_jumps(record.frame), record)
    output = SimpleNamespace(**{key: folder / f"{key}.csv" for key in ("jumps", "series", "groups", "answers")})
    output.record = folder / "phase1.h5"
    gather(record, [report], study_groups(record), output)
    tables = analyse_study(read_phase1(output.record), *map(read_table, (output.jumps, output.series, output.groups)))
    for name, table in tables.items():
        write_csv(folder / f"{name}.csv", table)
    return record, report, tables


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lively")
    return folder, *studied(folder, ["mlp_deep_10_mnist", "cnn_shallow_mnist"])


def test_every_table_is_made_and_holds_every_run(lively):
    _, record, report, tables = lively
    assert set(tables) == set(TABLES)
    assert len(tables["characterised"]) == len(report.significant) >= 8
    assert set(tables["characterised"]["kind"]) <= {"jump", "transition"}
    assert set(tables["characterised"]["cluster"]) <= {-1, *tables["kinds"]["cluster"]}
    assert list(dict.fromkeys(tables["rates"]["run"])) == record.runs
    assert set(tables["convergence"]["run"]) == set(record.runs)
    assert dict(zip(tables["rates"]["run"], tables["rates"]["family"])) == {
        "mlp_deep_10_mnist": "mlp",
        "cnn_shallow_mnist": "cnn",
    }


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn(lively, name):
    drawn, table = draw_study(name, lively[0])
    assert len(drawn.axes) >= 1
    assert len(table)


def test_a_study_without_jumps_says_so(tmp_path):
    record, report, _ = studied(tmp_path, ["cnn_shallow_mnist"])
    assert report.significant.empty
    for name in FIGURES:
        draw_study(name, tmp_path)
    drawn, _ = draw_study("kinds", tmp_path)
    assert "No jump is significant in the 12 series of 1 run." in [text.get_text() for text in drawn.axes[0].texts]
    draw_heat_maps(record, report.significant, tmp_path / "maps")
    made = sorted(path.name for path in (tmp_path / "maps").iterdir())
    assert made == ["cnn_shallow_mnist.csv", "cnn_shallow_mnist.png"]


def test_runs_without_layers_have_their_measures_drawn(tmp_path):
    steps = np.arange(0, 3000, 25)
    rng = np.random.default_rng(3)
    accuracy = 0.1 + 0.85 / (1 + np.exp(-(steps - 1400) / 70)) + rng.normal(0, 0.012, len(steps))
    pd.DataFrame({"step": steps, "val_acc": accuracy, "learning_rate": 0.1}).to_csv(tmp_path / "log.csv", index=False)
    record = read_phase1(tmp_path / "log.csv")
    answers = locate_transitions(record)
    empty = pd.DataFrame(columns=["run", "layer", "metric", "step", "direction", "significant"])
    draw_heat_maps(record, empty, tmp_path / "maps", answers)
    assert (tmp_path / "maps" / "log.png").is_file()
    drawn = plot_measures(record, answer=answers[0])
    assert f"val_acc changes at step {answers[0].step:g}" in drawn.axes[0].get_title("left")
    assert [axis.get_ylabel() for axis in plot_measures(record).axes] == ["val_acc"]


def test_unknown_figures_are_told(tmp_path):
    with pytest.raises(OntogenyError, match="did you mean 'overview'"):
        draw_study("overvew", tmp_path)
