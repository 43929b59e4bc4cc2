# The shape of the captured activations: principal components and clusters.


rule project_pca:
    input:
        activations="results/runs/{run}/activations.h5",
        config="results/runs/{run}/config.json",
    output:
        variance="results/runs/{run}/geometry/pca_variance.csv",
        projections="results/runs/{run}/geometry/pca_projections.csv",
    log:
        "results/logs/project_pca/{run}.log",
    benchmark:
        "results/benchmarks/project_pca/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settings=plan.analysis("geometry"),
        code=plan.code("project_pca"),
    script:
        "../workflow_scripts/project_pca.py"


rule cluster_activations:
    input:
        activations="results/runs/{run}/activations.h5",
        config="results/runs/{run}/config.json",
    output:
        choice="results/runs/{run}/geometry/cluster_choice.csv",
        by_step="results/runs/{run}/geometry/cluster_by_step.csv",
        assignments="results/runs/{run}/geometry/clusters.csv",
    log:
        "results/logs/cluster_activations/{run}.log",
    benchmark:
        "results/benchmarks/cluster_activations/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=plan.analysis("geometry"),
        code=plan.code("cluster_activations"),
    script:
        "../workflow_scripts/cluster_activations.py"


rule geometry:
    input:
        replayed("results/runs/{run}/geometry/pca_variance.csv"),
        replayed("results/runs/{run}/geometry/cluster_by_step.csv"),
        replayed("results/runs/{run}/geometry/similarity.csv"),
        rules.maps.input,
