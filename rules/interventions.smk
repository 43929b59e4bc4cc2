# Change the networks of a run on purpose, as the configuration declares, and measure what it does.


rule intervene:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
    output:
        table="results/runs/{run}/interventions/interventions.csv",
    log:
        "results/logs/intervene/{run}.log",
    benchmark:
        "results/benchmarks/intervene/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("interventions"),
        cache=plan.config.cache,
        code=plan.code("intervene"),
    script:
        "../workflow_scripts/intervene.py"


rule plot_interventions:
    input:
        table="results/runs/{run}/interventions/interventions.csv",
    output:
        figures=report(
            directory("results/figures/{study}/{run}/interventions"),
            patterns=["{figure}.png"],
            category="{study}",
            subcategory="{run}",
            caption="captions/interventions.rst",
            labels={"run": "{run}", "figure": "interventions: {figure}"},
        ),
    log:
        "results/logs/plot_interventions/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_interventions/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_interventions"),
    script:
        "../workflow_scripts/plot_interventions.py"


rule interventions:
    input:
        plan.looked_at("results/figures/{study}/{run}/interventions", "dynamics"),
