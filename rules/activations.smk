# Go back into training to the planned moments, and keep what every layer does there.


rule extract_activations:
    input:
        **MOMENTS,
    output:
        activations="results/runs/{run}/activations.h5",
    resources:
        **needs(mem_mb=1500, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("captures"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/extract_activations.py"


rule activations:
    input:
        replayed("results/runs/{run}/activations.h5"),
