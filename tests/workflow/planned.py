"""What Snakemake plans, job by job: run as a program it plans like `snakemake`, and writes NOTES besides.

NOTES, a JSON file in the working folder, lists the jobs with their parameters, files and reasons, and the rules that
read files of the user.
"""

import json
import os
import sys
from pathlib import Path

NOTES = "planned.json"
ANOTHER = "ANOTHER_SNAKEMAKE"
"""Variable of the environment that, if set, makes it a Snakemake whose functions read otherwise than the known ones."""


def plan(snakefile, folder, *arguments, **variables):
    """The jobs of a dry-run in `folder`, and the rules that read files of the user."""
    (folder / NOTES).unlink(missing_ok=True)
    from .warm import snakemake

    environment = {**os.environ, "PYTHONPATH": str(Path(snakefile).parent / "workflow_scripts"), **variables}
    words = ["-n", "-q", "-s", snakefile, "--directory", folder, *arguments]
    _, said, _ = snakemake(*words, folder=folder, environment=environment, program=__file__)
    assert (folder / NOTES).exists(), said
    found = json.loads((folder / NOTES).read_text())
    return found["jobs"], found["rules"]


def written(value):
    """`value` as JSON, mappings as lists of pairs, since their order counts; what is not JSON says so."""
    if type(value) in (str, int, bool, type(None)) or (type(value) is float and value == value):
        return value
    if type(value) is list or type(value).__name__ in ("Namedlist", "Params"):
        return [written(each) for each in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return [[key, written(each)] for key, each in value.items()]
    return {"not JSON": repr(type(value))}


async def note(dag):
    """What is to be known of every job, made or to be made."""
    jobs = [
        {
            "rule": job.rule.name,
            "wildcards": sorted(job.wildcards_dict.items()),
            "params": {name: written(value) for name, value in job.params.items()},
            "input": sorted(map(str, job.input)),
            "output": sorted(map(str, job.output)),
            "given": sorted(
                set(map(str, job.input)) - {str(file) for made in dag.dependencies[job].values() for file in made}
            ),
            "updated": await newer(job),
            "planned": dag.needrun(job),
            "script": job.rule.script is not None,
        }
        for job in dag.jobs
    ]
    rules = [rule.name for rule in dag.workflow.rules if any(map(is_from_here, rule.input))]
    Path(NOTES).write_text(json.dumps({"jobs": jobs, "rules": rules}))


async def newer(job):
    """The inputs of a job that are newer than what it made, whatever runs before it."""
    made = await job.output_mintime
    return sorted([str(file) for file in job.input if made and await file.exists() and await file.is_newer(made)])


def is_from_here(function):
    return getattr(function, "__qualname__", "").startswith("from_here.")


def become_another(*places):
    """Functions of another version: the same, by another text."""

    def another(ordinary):
        return lambda *given, **named: ordinary(*given, **named)

    for place, name in places:
        setattr(place, name, another(getattr(place, name)))


def main():
    from snakemake import cli, dag, io, output_index, sourcecache

    if os.environ.get(ANOTHER):
        become_another(
            (output_index.OutputIndex, "match_producers"), (dag.DAG, "check_directory_outputs"),
            (sourcecache.SourceFile, "get_cache_path"), (io, "check"), (io, "is_flagged"),
        )  # fmt: skip
    made = dag.DAG.postprocess

    async def postprocess(self, *arguments, **settings):
        done = await made(self, *arguments, **settings)
        await note(self)
        return done

    dag.DAG.postprocess = postprocess
    cli.main(sys.argv[1:])


if __name__ == "__main__":
    main()
