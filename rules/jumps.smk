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
        mem_mb=growing(800),
        runtime=growing(20),
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
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        settings=plan.analysis("captures"),
        steps=plan.capture_steps,
        code=plan.code("plan_captures"),
    script:
        "../workflow_scripts/plan_captures.py"


rule measure_validity:
    output:
        table="results/validity/{detector}/validity.csv",
        png=report(
            "results/validity/{detector}/validity_figure.png",
            category="Validity of detectors",
            caption="captions/validity.rst",
            labels={"detector": "{detector}"},
        ),
    log:
        "results/logs/measure_validity/{detector}.log",
    benchmark:
        "results/benchmarks/measure_validity/{detector}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(60),
    params:
        settings=plan.config.analyses.validity.model_dump(mode="json"),
        code=plan.code("measure_validity"),
    script:
        "../workflow_scripts/measure_validity.py"


rule validity:
    input:
        expand("results/validity/{detector}/validity.csv", detector=plan.config.analyses.validity.detectors),


rule jumps:
    input:
        plan.files("results/runs/{run}/jumps.csv"),
        replayed("results/runs/{run}/capture_plan.json"),
