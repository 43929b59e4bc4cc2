# The shape of the captured activations: principal components and clusters.


rule project_pca:
    input:
        **ACTIVATIONS,
    output:
        variance="results/runs/{run}/geometry/pca_variance.csv",
        projections="results/runs/{run}/geometry/pca_projections.csv",
    resources:
        **needs(mem_mb=1500, runtime=30),
    params:
        settings=plan.analysis("geometry"),
    script:
        "../workflow_scripts/project_pca.py"


rule cluster_activations:
    input:
        **ACTIVATIONS,
    output:
        choice="results/runs/{run}/geometry/cluster_choice.csv",
        by_step="results/runs/{run}/geometry/cluster_by_step.csv",
        assignments="results/runs/{run}/geometry/clusters.csv",
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        settings=plan.analysis("geometry"),
    script:
        "../workflow_scripts/cluster_activations.py"


rule geometry:
    input:
        replayed("results/runs/{run}/geometry/pca_variance.csv"),
        replayed("results/runs/{run}/geometry/cluster_by_step.csv"),
        replayed("results/runs/{run}/geometry/similarity.csv"),
        rules.maps.input,
