# Train networks and keep their trajectories.


rule train_run:
    input:
        data=from_here(plan.data),
    output:
        **RECORD,
        checkpoints=directory("results/runs/{run}/checkpoints"),
    wildcard_constraints:
        run=plan.pattern("dynamics"),
    cache: True
    resources:
        **needs(mem_mb=1500, runtime=240, gpu=plan.gpu),
    params:
        run=plan.name,
        identity=plan.identity,
        data=plan.digests(plan.data),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/train_run.py"


rule phase1:
    input:
        plan.files("results/runs/{run}/phase1.json"),
