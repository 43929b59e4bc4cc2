"""Kills, full disks, two at once and wrong clocks: the pipeline says what happened, loses nothing, and goes on."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "reliability"))

import disk
import kill
import pytest

pytestmark = pytest.mark.slow

RUN = "results/runs/tiny_mlp/s0"
LEAVES = {
    "examine_run": f"{RUN}/geometry/[pcs]*.csv",
    "plot_run": "results/figures/tiny/tiny_mlp/s0/[mh]e*",
    "list_experiments": "results/tables/experiments.tsv",
}
"""Rules, and what they write."""


def test_on_a_full_disk_every_rule_says_so_and_what_is_finished_stays(finished, fresh, small_disk):
    small_disk(fresh.results, "size=64m")
    shutil.copytree(finished.results, fresh.results, dirs_exist_ok=True)
    shutil.copytree(finished.folder / ".snakemake" / "metadata", fresh.folder / ".snakemake" / "metadata")
    before = disk.bytes_of(fresh.folder)
    targets = [f"{RUN}/geometry/pca_variance.csv", f"{RUN}/geometry/clusters.csv", f"{RUN}/neurons/comparison.csv",
               "results/figures/tiny/tiny_mlp/s0/metrics.png", "results/tables/experiments.tsv"]  # fmt: skip
    for pattern in LEAVES.values():
        for path in fresh.folder.glob(pattern):
            path.unlink()
    filler = disk.fill(fresh.results)
    said = fresh(*targets, "--keep-going")
    assert said.code != 0
    refused = [rule for rule in LEAVES if re.search(rf"{rule}.*: no disk space left while writing results/", said.text)]
    assert refused
    assert "Traceback" not in said.text
    for rule in LEAVES.keys() - refused:  # it found the space that a refused one gave back
        assert list(fresh.folder.glob(LEAVES[rule])), rule
        assert f"Error in rule {rule}" not in said.text
    kept = disk.bytes_of(fresh.folder)
    assert [name for name in kept if name in before and kept[name] != before[name]] == []
    filler.unlink()
    again = fresh(*targets)
    assert again.code == 0, again.text
    after = disk.bytes_of(fresh.folder)
    assert sorted(after) == sorted(before)
    assert [name for name in after if after[name] != before[name]] == []


def test_a_second_call_in_the_same_folder_is_refused_and_disturbs_nothing(copy):
    """The first is held up from its lock on until the second has ended."""
    (copy.results / "tables" / "experiments.tsv").unlink()
    first = subprocess.Popen(copy.command(), cwd=copy.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    locks = copy.folder / ".snakemake" / "locks"
    while sum(path.stat().st_size > 0 for path in locks.glob("*.lock")) < 2 and first.poll() is None:
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)
    second = copy()
    first.send_signal(signal.SIGCONT)
    assert first.wait() == 0
    assert second.refuses("(?i)lock")
    assert copy.plan().nothing_to_do


def test_clocks_that_jump_lose_nothing_and_train_nothing(copy, finished):
    """Files from the future or the past cost at most an analysis that is made again, to the same bytes."""
    now = time.time()
    for number, path in enumerate(sorted((copy.results / "runs").rglob("*"))):
        os.utime(path, (now + (-1) ** number * 86400 * 400,) * 2)
    assert "train_run" not in copy.plan().jobs
    said = copy()
    assert said.code == 0, said.text
    assert not re.search("Traceback", said.text)
    assert kill.different(copy.folder, finished.folder) == []
