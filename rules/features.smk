# What the networks of a run look at and for: attribution, attention, filters, preferred inputs.

SEEN = "attribution_control heads filters top_inputs top_inputs_control preferred_inputs".split()
FEATURES = {name: f"results/runs/{{run}}/features/{name}.csv" for name in SEEN}
FEATURES["pictures"] = "results/runs/{run}/features/features.h5"


rule visualise_features:
    input:
        **MOMENTS,
    output:
        **FEATURES,
        attributions="results/runs/{run}/features/attributions.csv",
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
        **FEATURES,
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
