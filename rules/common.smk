# What every stage shares: the shape of a run's name, and the files of a run.


wildcard_constraints:
    run=RUN_NAME,
    study=r"[A-Za-z0-9][A-Za-z0-9_.+-]*",


REPLAYED = ["dynamics", "judge"]
CIRCUIT_FIGURES = ["counts", "sparsity", "losses", "overview", "effects"]
REPRESENTATION_FIGURES = ["similarity", "subspaces", "dimension", "probes", "collapse"]
CURVES = ["metrics", "heatmap"]
RUN_FIGURES = ["variance", "projections", "clusters", "neurons"]
STUDY_FIGURES = ["overview", "kinds", "convergence", "critical_periods", "agreement", "comparison"]
STUDY_TABLES = [
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
]


def replayed(pattern):
    """`pattern` filled in for every image run and judge whose captured moments are looked at, by replay."""
    return plan.looked_at(pattern, *REPLAYED)


def growing(need):
    """What a job asks for: `need`, and as much again at each further attempt, for jobs that ran out of it."""
    return lambda wildcards, attempt: need * attempt


def large_page(path, **settings):
    """A page for reports that are a .zip: from within one HTML file, browsers open no page of more than 1.5 MB."""
    return report(path, **settings) if any(word.endswith(".zip") for word in sys.argv) else path


def study_of(wildcards):
    """The study of a run, under which the report lists it."""
    return plan.run(wildcards).study


def any_of(names):
    """A pattern that matches these names only, and nothing if there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def memory_of_rules():
    """The memory in MB that a first attempt at every rule so far asks for, but for expressions of the command line."""
    asked = {rule.name: rule.resources["mem_mb"] for rule in workflow.rules if "mem_mb" in rule.resources}
    stated = {name: need for name, need in sorted(asked.items()) if not isinstance(need.raw, str)}
    return {name: need.evaluate(None, attempt=1).value for name, need in stated.items()}
