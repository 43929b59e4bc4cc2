# What single neurons do before and after a jump.


rule compare_neurons:
    input:
        activations="results/runs/{run}/activations.h5",
        config="results/runs/{run}/config.json",
        plan="results/runs/{run}/capture_plan.json",
    output:
        neurons="results/runs/{run}/neurons/comparison.csv",
        summary="results/runs/{run}/neurons/summary.csv",
    log:
        "results/logs/compare_neurons/{run}.log",
    benchmark:
        "results/benchmarks/compare_neurons/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=30,
    params:
        settings=plan.analysis("neurons"),
        code=plan.code("compare_neurons"),
    script:
        "../workflow_scripts/compare_neurons.py"


rule neurons:
    input:
        plan.files("results/runs/{run}/neurons/comparison.csv", kind="dynamics"),
