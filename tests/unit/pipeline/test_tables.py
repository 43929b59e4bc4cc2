"""The tables of record."""

import pandas as pd
import pytest

from ontogeny.errors import OntogenyError
from ontogeny.pipeline.tables import cost_table


def test_benchmarks_of_all_jobs_become_one_table(tmp_path):
    for job, seconds in (("train_run/mlp/s0", 1.5), ("train_run/mlp/s1", 2.5), ("detect_jumps/mlp/s0", 0.5)):
        path = tmp_path / f"{job}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\th:m:s\tmax_rss\tcpu_time\n{seconds}\t0:00:01\t100.5\t-\n")
    table = cost_table(tmp_path)
    assert list(table["rule"]) == ["detect_jumps", "train_run", "train_run"]
    assert list(table["job"]) == ["mlp/s0", "mlp/s0", "mlp/s1"]
    assert table["s"].sum() == 4.5
    assert table["cpu_time"].isna().all()


def test_no_benchmarks_are_an_empty_table_and_a_broken_one_is_named(tmp_path):
    assert isinstance(cost_table(tmp_path), pd.DataFrame)
    assert cost_table(tmp_path).empty
    (tmp_path / "broken.tsv").write_text("")
    with pytest.raises(OntogenyError, match="is not a benchmark table"):
        cost_table(tmp_path)
