# What the networks of a run look at and for: attribution, attention, filters, preferred inputs.


rule visualise_features:
    input:
        **MOMENTS,
    output:
        pictures="results/runs/{run}/features/features.h5",
        attributions="results/runs/{run}/features/attributions.csv",
        attribution_control="results/runs/{run}/features/attribution_control.csv",
        heads="results/runs/{run}/features/heads.csv",
        filters="results/runs/{run}/features/filters.csv",
        top_inputs="results/runs/{run}/features/top_inputs.csv",
        top_inputs_control="results/runs/{run}/features/top_inputs_control.csv",
        preferred_inputs="results/runs/{run}/features/preferred_inputs.csv",
        left_out="results/runs/{run}/features/left_out.csv",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("features"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/visualise_features.py"


rule plot_features:
    input:
        pictures="results/runs/{run}/features/features.h5",
        attribution_control="results/runs/{run}/features/attribution_control.csv",
        heads="results/runs/{run}/features/heads.csv",
        filters="results/runs/{run}/features/filters.csv",
        top_inputs="results/runs/{run}/features/top_inputs.csv",
        top_inputs_control="results/runs/{run}/features/top_inputs_control.csv",
        preferred_inputs="results/runs/{run}/features/preferred_inputs.csv",
    output:
        figures=figure_folder("results/figures/{study}/{run}/features", "features", "features: {figure}"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_features.py"


rule features:
    input:
        plan.looked_at("results/figures/{study}/{run}/features", "dynamics"),
