# Draw what was found. Every figure is a PNG for the report, a PDF for a paper, and the table that it shows.


rule plot_run:
    input:
        phase1="results/runs/{run}/phase1.json",
        jumps="results/runs/{run}/jumps.json",
    output:
        expand("results/figures/{{study}}/{{run}}/{figure}.pdf", figure=["metrics", "heatmap"]),
        expand("results/figures/{{study}}/{{run}}/{figure}.csv", figure=["metrics", "heatmap"]),
        metrics=report(
            "results/figures/{study}/{run}/metrics.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/metrics.rst",
            labels={"run": "{run}", "figure": "metrics"},
        ),
        heatmap=report(
            "results/figures/{study}/{run}/heatmap.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/heatmap.rst",
            labels={"run": "{run}", "figure": "heatmap"},
        ),
    log:
        "results/logs/plot_run/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_run/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        code=plan.code("plot_run"),
    script:
        "../workflow_scripts/plot_run.py"


rule plot_geometry:
    input:
        variance="results/runs/{run}/geometry/pca_variance.csv",
        projections="results/runs/{run}/geometry/pca_projections.csv",
        choice="results/runs/{run}/geometry/cluster_choice.csv",
        by_step="results/runs/{run}/geometry/cluster_by_step.csv",
        plan="results/runs/{run}/capture_plan.json",
    output:
        expand("results/figures/{{study}}/{{run}}/{figure}.pdf", figure=["variance", "projections", "clusters"]),
        expand("results/figures/{{study}}/{{run}}/{figure}.csv", figure=["variance", "projections", "clusters"]),
        variance=report(
            "results/figures/{study}/{run}/variance.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/variance.rst",
            labels={"run": "{run}", "figure": "variance"},
        ),
        projections=report(
            "results/figures/{study}/{run}/projections.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/projections.rst",
            labels={"run": "{run}", "figure": "projections"},
        ),
        clusters=report(
            "results/figures/{study}/{run}/clusters.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/clusters.rst",
            labels={"run": "{run}", "figure": "clusters"},
        ),
    log:
        "results/logs/plot_geometry/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_geometry/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_geometry"),
    script:
        "../workflow_scripts/plot_geometry.py"


rule plot_neurons:
    input:
        neurons="results/runs/{run}/neurons/comparison.csv",
        summary="results/runs/{run}/neurons/summary.csv",
    output:
        png=report(
            "results/figures/{study}/{run}/neurons.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/neurons.rst",
            labels={"run": "{run}", "figure": "neurons"},
        ),
        pdf="results/figures/{study}/{run}/neurons.pdf",
        csv="results/figures/{study}/{run}/neurons.csv",
    log:
        "results/logs/plot_neurons/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_neurons/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_neurons"),
    script:
        "../workflow_scripts/plot_neurons.py"


rule figures:
    input:
        [file for figure in CURVES for file in plan.files(f"results/figures/{{study}}/{{run}}/{figure}.png", *REPLAYED)],
        [file for figure in RUN_FIGURES for file in replayed(f"results/figures/{{study}}/{{run}}/{figure}.png")],
        rules.maps.input,
        rules.representations.input,
        rules.studies.input,
        rules.circuits.input,
        rules.connectome.input,
