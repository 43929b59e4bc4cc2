# Train networks and keep their trajectories.


rule train_run:
    output:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints=directory("results/runs/{run}/checkpoints"),
    log:
        "results/logs/train_run/{run}.log",
    benchmark:
        "results/benchmarks/train_run/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("dynamics"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(240),
        gpu=plan.gpu,
    params:
        identity=plan.identity,
        cache=plan.config.cache,
        code=plan.code("train_run"),
    script:
        "../workflow_scripts/train_run.py"


rule phase1:
    input:
        plan.files("results/runs/{run}/phase1.json"),
