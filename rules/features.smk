# What the networks of a run look at and for: attribution, attention, filters, preferred inputs.


rule visualise_features:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
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
    log:
        "results/logs/visualise_features/{run}.log",
    benchmark:
        "results/benchmarks/visualise_features/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("features"),
        cache=plan.config.cache,
        code=plan.code("visualise_features"),
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
        figures=report(
            directory("results/figures/{study}/{run}/features"),
            patterns=["{figure}.png"],
            category="{study}",
            subcategory="{run}",
            caption="captions/features.rst",
            labels={"run": "{run}", "figure": "features: {figure}"},
        ),
    log:
        "results/logs/plot_features/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_features/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_features"),
    script:
        "../workflow_scripts/plot_features.py"


rule features:
    input:
        plan.looked_at("results/figures/{study}/{run}/features", "dynamics"),
