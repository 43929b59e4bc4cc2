# Go back into training to the planned moments, and keep what every layer does there.


rule extract_activations:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
    output:
        activations="results/runs/{run}/activations.h5",
    log:
        "results/logs/extract_activations/{run}.log",
    benchmark:
        "results/benchmarks/extract_activations/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("captures"),
        cache=plan.config.cache,
        code=plan.code("extract_activations"),
    script:
        "../workflow_scripts/extract_activations.py"


rule activations:
    input:
        replayed("results/runs/{run}/activations.h5"),
