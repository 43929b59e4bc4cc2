# Draw what was found. Every figure is a PNG for the report, a PDF for a paper, and the table that it shows.


rule plot_metrics:
    input:
        phase1="results/runs/{run}/phase1.json",
        jumps="results/runs/{run}/jumps.json",
    output:
        png=report(
            "results/figures/{study}/{run}/metrics.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/metrics.rst",
            labels={"run": "{run}", "figure": "1 metrics over training"},
        ),
        pdf="results/figures/{study}/{run}/metrics.pdf",
        csv="results/figures/{study}/{run}/metrics.csv",
    log:
        "results/logs/plot_metrics/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_metrics/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=800,
        runtime=10,
    params:
        title=plan.title,
        code=plan.code("plot_metrics"),
    script:
        "../workflow_scripts/plot_metrics.py"
