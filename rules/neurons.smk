# What single neurons do before and after a jump, what they are worth, and what they answer to.

WORTH = {
    name: f"results/runs/{{run}}/neurons/{name}.csv"
    for name in ("importance", "importance_agreement", "importance_change", "selectivity", "health")
}


rule compare_neurons:
    input:
        **ACTIVATIONS,
        **PLAN,
    output:
        neurons="results/runs/{run}/neurons/comparison.csv",
        summary="results/runs/{run}/neurons/summary.csv",
    resources:
        **needs(mem_mb=1500, runtime=30),
    params:
        settings=plan.analysis("neurons"),
    script:
        "../workflow_scripts/compare_neurons.py"


rule measure_importance:
    input:
        **MOMENTS,
    output:
        **WORTH,
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("importance"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/measure_importance.py"


rule plot_importance:
    input:
        **WORTH,
    output:
        **figure_outputs("importance", "selectivity"),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_importance.py"


rule neurons:
    input:
        replayed("results/runs/{run}/neurons/comparison.csv"),
        figure_files("importance"),
