"""Measure what Snakemake costs beside the jobs' own work: `python tests/workflow/job_cost.py [RUNS ...]`.

Each number of runs is that many seeds of one tiny image run, trained and searched for jumps, in an empty folder and on
one core. Scripts run as children of Snakemake's process; so what that process itself used is what lies outside them.
With ONTOGENY_ALONE=yes every script starts a Python of its own.
"""

import atexit
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
studies:
  tiny:
    defaults:
      task: {{name: digits, n_train: 200, n_validation: 40, n_probe: 32}}
      training: {{steps: 110, batch_size: 32, checkpoint_every: 40}}
    runs:
      mlp: {{model: {{name: mlp, hidden: [12, 8]}}, seeds: {runs}}}
"""


def measure(runs):
    """(CPU seconds outside the scripts, all CPU seconds) of `snakemake jumps` with so many runs."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tiny.yaml"
        file.write_text(CONFIG.format(runs=runs), encoding="utf-8")
        command = ["snakemake", "-s", str(ROOT / "Snakefile"), "--directory", folder, "--cores", "1", "--quiet", "all"]
        command += ["--configfile", str(file), "--", "jumps"]
        done = subprocess.run(
            [sys.executable, __file__, "--within", *command], capture_output=True, text=True, check=True, cwd=folder
        )
    own, scripts = map(float, done.stdout.splitlines()[-1].split())
    return own, own + scripts


def within(command):
    """Run Snakemake in this process, and print its CPU seconds and those of its children."""
    from snakemake.cli import main

    sys.argv = command
    try:
        main()
    except SystemExit as end:
        if end.code:
            raise
    atexit._run_exitfuncs()  # the process that jobs are forks of counts once it has ended
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(*(use.ru_utime + use.ru_stime for use in spent))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--within"]:
        within(sys.argv[2:])
    else:
        for number in map(int, sys.argv[1:] or (3, 30)):
            outside, everything = measure(number)
            share = f"{outside:.1f} of {everything:.1f} CPU s outside the scripts, {outside / everything:.0%}"
            print(f"{number} runs: {share}", flush=True)
