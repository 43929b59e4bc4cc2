# How alike layers and moments are, and what can be read out of them.

REPRESENTATION_TABLES = {name: f"results/runs/{{run}}/geometry/{name}.csv" for name in REPRESENTATION_FIGURES}


rule compare_representations:
    input:
        activations="results/runs/{run}/activations.h5",
        config="results/runs/{run}/config.json",
        plan="results/runs/{run}/capture_plan.json",
    output:
        **REPRESENTATION_TABLES,
    log:
        "results/logs/compare_representations/{run}.log",
    benchmark:
        "results/benchmarks/compare_representations/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=plan.analysis("geometry"),
        code=plan.code("compare_representations"),
    script:
        "../workflow_scripts/compare_representations.py"


rule plot_representations:
    input:
        **REPRESENTATION_TABLES,
        phase1="results/runs/{run}/phase1.json",
    output:
        expand("results/figures/{{study}}/{{run}}/{figure}.pdf", figure=REPRESENTATION_FIGURES),
        expand("results/figures/{{study}}/{{run}}/{figure}.csv", figure=REPRESENTATION_FIGURES),
        **{
            name: report(
                f"results/figures/{{study}}/{{run}}/{name}.png",
                category="{study}",
                subcategory="{run}",
                caption=f"captions/{name}.rst",
                labels={"run": "{run}", "figure": name},
            )
            for name in REPRESENTATION_FIGURES
        },
    log:
        "results/logs/plot_representations/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_representations/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_representations"),
    script:
        "../workflow_scripts/plot_representations.py"


rule representations:
    input:
        [file for name in REPRESENTATION_FIGURES for file in replayed(f"results/figures/{{study}}/{{run}}/{name}.png")],
