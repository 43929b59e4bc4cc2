# Train networks and keep their trajectories.


rule train_run:
    input:
        data=from_here(plan.data),
    output:
        **RECORD,
        checkpoints=directory("results/runs/{run}/checkpoints"),
    wildcard_constraints:
        run=plan.trained_pattern(),
    cache: True
    resources:
        **needs(mem_mb=1500, runtime=240, gpu=plan.gpu),
    params:
        run=plan.name,
        identity=plan.identity,
        data=plan.digests(plan.data),
        cache=plan.cache,
    script:
        "../workflow_scripts/train_run.py"


rule import_series:
    input:
        data=from_here(plan.data),
    output:
        **RECORD,
        checkpoints=directory("results/runs/{run}/checkpoints"),
        integrity="results/runs/{run}/integrity.csv",
    wildcard_constraints:
        run=any_of(plan.imported()),
    resources:
        **needs(mem_mb=4000, runtime=600),
    params:
        identity=plan.identity,
        data=plan.digests(plan.data),
        cache=plan.cache,
    script:
        "../workflow_scripts/import_series.py"


rule plot_integrity:
    input:
        table="results/runs/{run}/integrity.csv",
        config=RECORD["config"],
    output:
        **figure_outputs("integrity"),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_integrity.py"


rule phase1:
    input:
        plan.files("results/runs/{run}/phase1.json"),
        [f"results/figures/{plan.runs[name].study}/{name}/integrity.png" for name in plan.imported()],
