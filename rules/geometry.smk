# The shape of the captured activations: components, clusters, how alike layers and moments are, what can be read out.

REPRESENTATIONS = ["similarity", "subspaces", "dimension", "probes", "collapse"]
REPRESENTATION_TABLES = {name: f"results/runs/{{run}}/geometry/{name}.csv" for name in REPRESENTATIONS}
SHAPES = ["pca_variance", "pca_projections", "cluster_choice", "cluster_by_step", "clusters"]
SHAPE_TABLES = {name: f"results/runs/{{run}}/geometry/{name}.csv" for name in SHAPES}


rule analyse_geometry:
    input:
        **ACTIVATIONS,
        **PLAN,
    output:
        **SHAPE_TABLES,
        **REPRESENTATION_TABLES,
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        settings=plan.analysis("geometry"),
    script:
        "../workflow_scripts/analyse_geometry.py"


rule representations:
    input:
        figure_files(*REPRESENTATIONS),


rule geometry:
    input:
        replayed(SHAPE_TABLES["pca_variance"]),
        rules.maps.input,
