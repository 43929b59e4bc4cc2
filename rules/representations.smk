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


rule representations:
    input:
        figure_files(*REPRESENTATIONS),
