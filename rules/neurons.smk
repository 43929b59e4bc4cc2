# What single neurons do before and after a jump, what they are worth, and what they answer to.


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
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settings=plan.analysis("neurons"),
        code=plan.code("compare_neurons"),
    script:
        "../workflow_scripts/compare_neurons.py"


rule measure_importance:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
    output:
        importance="results/runs/{run}/neurons/importance.csv",
        importance_agreement="results/runs/{run}/neurons/importance_agreement.csv",
        selectivity="results/runs/{run}/neurons/selectivity.csv",
        health="results/runs/{run}/neurons/health.csv",
        importance_change="results/runs/{run}/neurons/importance_change.csv",
    log:
        "results/logs/measure_importance/{run}.log",
    benchmark:
        "results/benchmarks/measure_importance/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("importance"),
        cache=plan.config.cache,
        code=plan.code("measure_importance"),
    script:
        "../workflow_scripts/measure_importance.py"


rule plot_importance:
    input:
        importance="results/runs/{run}/neurons/importance.csv",
        agreement="results/runs/{run}/neurons/importance_agreement.csv",
        change="results/runs/{run}/neurons/importance_change.csv",
        selectivity="results/runs/{run}/neurons/selectivity.csv",
        health="results/runs/{run}/neurons/health.csv",
    output:
        expand("results/figures/{{study}}/{{run}}/{figure}.pdf", figure=["importance", "selectivity"]),
        expand("results/figures/{{study}}/{{run}}/{figure}.csv", figure=["importance", "selectivity"]),
        importance=report(
            "results/figures/{study}/{run}/importance.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/importance.rst",
            labels={"run": "{run}", "figure": "importance"},
        ),
        selectivity=report(
            "results/figures/{study}/{run}/selectivity.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/selectivity.rst",
            labels={"run": "{run}", "figure": "selectivity"},
        ),
    log:
        "results/logs/plot_importance/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_importance/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_importance"),
    script:
        "../workflow_scripts/plot_importance.py"


rule neurons:
    input:
        replayed("results/runs/{run}/neurons/comparison.csv"),
        plan.looked_at("results/figures/{study}/{run}/importance.png", "dynamics"),
