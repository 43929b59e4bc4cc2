# Change the networks of a run on purpose, as the configuration declares, and measure what it does.


rule intervene:
    input:
        **MOMENTS,
    output:
        table="results/runs/{run}/interventions/interventions.csv",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("interventions"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/intervene.py"


rule plot_interventions:
    input:
        table="results/runs/{run}/interventions/interventions.csv",
    output:
        figures=figure_folder("results/figures/{study}/{run}/interventions", "interventions", "interventions: {figure}"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_interventions.py"


rule interventions:
    input:
        plan.looked_at("results/figures/{study}/{run}/interventions", "dynamics", "series"),
