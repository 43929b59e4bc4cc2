# What single neurons do before and after a jump, what they are worth, and what they answer to.


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
        importance="results/runs/{run}/neurons/importance.csv",
        importance_agreement="results/runs/{run}/neurons/importance_agreement.csv",
        selectivity="results/runs/{run}/neurons/selectivity.csv",
        health="results/runs/{run}/neurons/health.csv",
        importance_change="results/runs/{run}/neurons/importance_change.csv",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("importance"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/measure_importance.py"


rule plot_importance:
    input:
        importance="results/runs/{run}/neurons/importance.csv",
        agreement="results/runs/{run}/neurons/importance_agreement.csv",
        change="results/runs/{run}/neurons/importance_change.csv",
        selectivity="results/runs/{run}/neurons/selectivity.csv",
        health="results/runs/{run}/neurons/health.csv",
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
