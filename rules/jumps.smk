# Find the jumps of every measured series, and the moments that are worth a closer look.


rule detect_jumps:
    input:
        phase1="results/runs/{run}/phase1.json",
    output:
        json="results/runs/{run}/jumps.json",
        csv="results/runs/{run}/jumps.csv",
    log:
        "results/logs/detect_jumps/{run}.log",
    benchmark:
        "results/benchmarks/detect_jumps/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=800,
        runtime=20,
    params:
        settings=plan.analysis("jumps"),
        code=plan.code("detect_jumps"),
    script:
        "../workflow_scripts/detect_jumps.py"


rule plan_captures:
    input:
        phase1="results/runs/{run}/phase1.json",
        jumps="results/runs/{run}/jumps.json",
    output:
        plan="results/runs/{run}/capture_plan.json",
    log:
        "results/logs/plan_captures/{run}.log",
    benchmark:
        "results/benchmarks/plan_captures/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=800,
        runtime=10,
    params:
        settings=plan.analysis("captures"),
        steps=plan.capture_steps,
        code=plan.code("plan_captures"),
    script:
        "../workflow_scripts/plan_captures.py"


rule jumps:
    input:
        plan.files("results/runs/{run}/jumps.csv"),
        plan.files("results/runs/{run}/capture_plan.json", kind="dynamics"),
