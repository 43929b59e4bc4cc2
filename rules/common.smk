# What every stage shares, and how to add a rule.
#
# 1. Write it in the file of its stage, verb first, with `input`, `output`, `resources` and `params`, and a script of
#    its name in workflow_scripts/. A run is named by the wildcard `run`, a study by `study`.
# 2. `resources: **needs(mem_mb=1000, runtime=20)` says what a first attempt asks for; each further one asks for more.
# 3. Settings go into `params` as plain JSON types; every file that the job reads is an `input`.
# 4. `**figure_outputs("name")` declares a figure's PNG, PDF and CSV; add its entry to ontogeny/pipeline/figures.py and
#    its caption to rules/captions/. Tables, pages and animations for the report go through `reported`.
# 5. Leave out what follows from the name and wildcards, which `Rulebook` adds: log, benchmark, conda environment, and
#    `params.code`, the digest of what its script does. State one of them where it differs. Threads are 1.
# 6. Name its files in the target rule at the end of the file.

from ontogeny.pipeline.figures import CIRCUIT_FIGURES, FIGURES, FORMATS, RUN_FIGURES, STUDY_FIGURES, files_of
from ontogeny.pipeline.inputs import file_of_module
from ontogeny.pipeline.rulebook import Rulebook


wildcard_constraints:
    run=RUN_NAME,
    study=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",


def from_here(files):
    """Files of the user, or of the project, which a function of the wildcards names: never looked for in a storage."""
    return lambda wildcards: [local(file) for file in files(wildcards)]


book = Rulebook(workflow, rules, plan)
REPLAYED = ["dynamics", "judge", "series"]
RECORD = {name: f"results/runs/{{run}}/{name}.json" for name in ("config", "phase1")}
JUMPS = {kind: f"results/runs/{{run}}/jumps.{kind}" for kind in ("json", "csv")}
TRAJECTORY = {**RECORD, "checkpoints": "results/runs/{run}/checkpoints", "data": from_here(plan.data)}
PLAN = {"plan": lambda wildcards: book.decided(f"results/runs/{wildcards.run}/capture_plan.json")}
MOMENTS = {**TRAJECTORY, **PLAN}


def kept(outputs):
    """`outputs`, one or by name, which a job is to find as an earlier one left them (see `ontogeny.pipeline.parts`)."""
    return {name: update(file) for name, file in outputs.items()} if isinstance(outputs, dict) else update(outputs)


def replayed(pattern):
    """`pattern` filled in for every image run and judge whose captured moments are looked at, by replay."""
    return plan.looked_at(pattern, *REPLAYED)


def needs(mem_mb, runtime, **others):
    """What a job asks for: memory and minutes, as much again at each further attempt, and `others` as they are."""
    return {"mem_mb": growing(mem_mb), "runtime": growing(runtime), **others}


def growing(need):
    """`need`, and as much again at each further attempt, for jobs that ran out of it."""
    return lambda wildcards, attempt: need * attempt


def reported(path, caption, label="", **settings):
    """An output that the report lists by `label`, in its study unless `settings` say otherwise."""
    labels = {"run": "{run}" if "{run}" in path else "all", "figure": label}
    part = re.match(r"results/(animations|pages)/", path)
    given = {"category": titled, "subcategory": part[1] if part else None, "labels": labels, **settings}
    return report(path, caption=f"captions/{caption}.rst", **given)


def titled(wildcards):
    """The chapter of the report that lists an output: the study of `wildcards`."""
    return plan.chapter_of(wildcards.study if "study" in wildcards.keys() else plan.study_of(wildcards))  # noqa: SIM118


def figure_folder(path, caption, label, run="{run}", subcategory="{run}"):
    """A folder of figures, as many as there turn out to be."""
    labels = {"run": run, "figure": label}
    return reported(directory(path), caption, patterns=["{figure}.png"], subcategory=subcategory, labels=labels)


def figure_outputs(*names, run=None):
    """The outputs of the figures `names` in every format, as keywords: of one `png`, of several `name`, `name_pdf`.

    They are named by the wildcards `study` and `run`, or are those of `run`.
    """
    outputs = {}
    for name in names:
        figure, stem = FIGURES[name], f"{FIGURES[name].folder}/{name}"
        shown = {"caption": figure.caption, "label": figure.label or name, "subcategory": figure.subcategory}
        if run is not None:
            stem = stem.format(study=run.study, run=run.name)
            shown |= {"category": plan.chapter_of(run.study), "subcategory": run.name}
            shown["labels"] = {"run": run.name, "figure": shown["label"]}
        keys = FORMATS if len(names) == 1 else (name, f"{name}_pdf", f"{name}_csv")
        outputs |= dict(zip(keys, (reported(f"{stem}.png", **shown), f"{stem}.pdf", f"{stem}.csv")))
    return outputs


def figure_files(*names):
    """The figures `names` of all runs and studies that have them."""
    return [file for name in names for file in files_of(plan, name)]


def large_page(path, caption, label="", **settings):
    """A page for reports that are a .zip: from within one HTML file, browsers open no page of more than 1.5 MB."""
    return reported(path, caption, label, **settings) if any(word.endswith(".zip") for word in sys.argv) else path


def any_of(names):
    """A pattern that matches these names only, and nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"
