"""Measure what planning costs against the number of runs: `python tests/workflow/plan_cost.py OUT.csv [RUNS ...]`.

Each number of runs is a sweep over learning rates, all looked at closely, or with `--seeds` that many seeds of one run,
of which the first is; planned by `snakemake -n --quiet rules` in an empty folder. CPU seconds and peak memory are those
of that process, from `wait4`. A figure is drawn beside the table.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def write_runs(path, runs, seeds):
    """A configuration of `runs` image runs that differ in their seed, or in their learning rate."""
    rates = ", ".join(f"{0.001 + number * 1e-6:.6f}" for number in range(runs))
    differ = f"seeds: {runs}" if seeds else f"sweep: {{grid: {{training.learning_rate: [{rates}]}}}}"
    path.write_text(
        "studies:\n  many:\n    defaults: {task: digits, model: {name: mlp, hidden: [16]}}\n    runs:\n"
        f"      mlp: {{{differ}}}\n",
        encoding="utf-8",
    )
    return path


def plan_cost(runs, seeds):
    """(CPU seconds, peak memory in MiB, jobs) of planning `runs` runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = write_runs(Path(folder) / "many.yaml", runs, seeds)
        tool = str(Path(sys.executable).with_name("snakemake"))
        command = [tool, "-s", str(ROOT / "Snakefile"), "-n", "--cores", "1", "--quiet", "rules"]
        command += ["--directory", folder, "--configfile", str(file)]
        with open(Path(folder) / "said.txt", "w+b") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
            _, status, used = os.wait4(process.pid, 0)
            said.seek(0)
            text = said.read().decode()
    if status:
        raise SystemExit(text[-2000:])
    total = [line.split()[1] for line in text.splitlines() if line.startswith("total ")]
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, int(total[0])


def draw(table):
    """CPU seconds and memory against runs, with the line that fits them by least squares."""
    import numpy as np
    import pandas as pd

    from ontogeny.plotting.style import figure, save_figure

    cost = pd.read_csv(table)
    fig, axes = figure(1, 2, height=2.6, layout="constrained")
    for ax, column, unit in zip(axes, ("cpu_s", "max_rss_mb"), ("CPU time (s)", "peak memory (MiB)")):
        ax.plot(cost["runs"], cost[column], "o", markersize=4)
        if len(cost) > 2:
            slope, start = np.polyfit(cost["runs"], cost[column], 1)
            ax.plot(cost["runs"], start + slope * cost["runs"], label=f"{start:.3g} + {slope:.2g} per run")
            ax.legend(loc="upper left")
        ax.set(xlabel="runs planned", ylabel=unit, ylim=(0, None))
    save_figure(fig, Path(table).with_suffix(".png"), formats=["png"])


def main(out, *numbers):
    seeds = "--seeds" in numbers
    numbers = [number for number in numbers if number != "--seeds"]
    with open(out, "w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle, lineterminator="\n")
        table.writerow(["runs", "jobs", "cpu_s", "max_rss_mb"])
        for runs in map(int, numbers or (10, 100, 300, 1000, 2000, 5000)):
            cpu, memory, jobs = plan_cost(runs, seeds)
            table.writerow([runs, jobs, f"{cpu:.2f}", f"{memory:.0f}"])
            handle.flush()
    draw(out)


if __name__ == "__main__":
    main(*sys.argv[1:])
