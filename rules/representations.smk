# How alike layers and moments are, and what can be read out of them.

REPRESENTATIONS = ["similarity", "subspaces", "dimension", "probes", "collapse"]
REPRESENTATION_TABLES = {name: f"results/runs/{{run}}/geometry/{name}.csv" for name in REPRESENTATIONS}


rule compare_representations:
    input:
        **ACTIVATIONS,
        **PLAN,
    output:
        **REPRESENTATION_TABLES,
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        settings=plan.analysis("geometry"),
    script:
        "../workflow_scripts/compare_representations.py"


rule plot_representations:
    input:
        **REPRESENTATION_TABLES,
        phase1="results/runs/{run}/phase1.json",
    output:
        **figure_outputs(*REPRESENTATIONS),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_representations.py"


rule representations:
    input:
        figure_files(*REPRESENTATIONS),
