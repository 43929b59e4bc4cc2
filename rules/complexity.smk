# The learning coefficient along training: how degenerate the loss is around the weights (target `complexity`).


rule estimate_complexity:
    input:
        **MOMENTS,
    output:
        complexity=reported(
            "results/runs/{run}/complexity.csv", "complexity", "table: complexity", category="Complexity"
        ),
        stages="results/runs/{run}/complexity_stages.csv",
    wildcard_constraints:
        run="|".join(map(plan.pattern, REPLAYED)),
    resources:
        **needs(mem_mb=3000, runtime=120, gpu=plan.gpu),
    params:
        settings=plan.analysis("complexity"),
        cache=plan.cache,
    script:
        "../workflow_scripts/estimate_complexity.py"


rule estimate_complexity_of_ensemble:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
        history="results/runs/{run}/circuits/history.csv",
        phase1=RECORD["phase1"],
    output:
        complexity="results/runs/{run}/complexity_by_seed.csv",
        circuits=reported(
            "results/runs/{run}/complexity_and_circuits.csv",
            "complexity_and_circuits",
            "table: complexity and circuits",
            category="Complexity",
        ),
    resources:
        **needs(mem_mb=1500, runtime=60),
    params:
        settings=plan.analysis("complexity"),
    script:
        "../workflow_scripts/estimate_complexity_of_ensemble.py"


rule plot_complexity:
    input:
        **RECORD,
        complexity="results/runs/{run}/complexity.csv",
        jumps="results/runs/{run}/jumps.csv",
    output:
        **figure_outputs("complexity"),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_complexity.py"


rule plot_complexity_of_ensemble:
    input:
        complexity="results/runs/{run}/complexity_by_seed.csv",
        circuits="results/runs/{run}/complexity_and_circuits.csv",
    output:
        **figure_outputs("complexity_by_seed", "complexity_and_circuits"),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_complexity_of_ensemble.py"


rule complexity:
    input:
        replayed("results/figures/{study}/{run}/complexity.png"),
        plan.files("results/figures/{study}/{run}/complexity_by_seed.png", "circuits"),
