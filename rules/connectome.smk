# Connectomes: simulate populations, recover wiring, types and functions from activity, search training settings.

from ontogeny.connectome.populations import Populations

populations = Populations(plan)
DRAWN = {str(place): run for place, run in enumerate(populations.drawn())}
CONNECTOME_FIGURES = ["activity", "weights", "scatter", "training", "embedding", "functions", "rollout"]
SEARCH = "results/studies/{study}/connectome/search"


rule simulate_activity:
    input:
        matrix=from_here(populations.matrix),
    output:
        activity="results/activity/{activity}.safetensors",
        report="results/activity/{activity}.json",
    wildcard_constraints:
        activity=any_of(populations.activities),
    cache: True
    resources:
        **needs(mem_mb=4000, runtime=60),
    params:
        population=populations.simulation,
        files=plan.digests(populations.matrix),
    script:
        "../workflow_scripts/simulate_activity.py"


rule read_activity:
    input:
        files=from_here(populations.data_files),
    output:
        activity="results/activity/{activity}.safetensors",
        report="results/activity/{activity}.json",
    wildcard_constraints:
        activity=any_of(populations.recorded),
    cache: True
    resources:
        **needs(mem_mb=4000, runtime=60),
    params:
        settings=populations.data,
        files=plan.digests(populations.data_files),
    script:
        "../workflow_scripts/read_activity.py"


rule fit_connectome:
    input:
        activity=populations.activity,
    output:
        **RECORD,
        fit="results/runs/{run}/connectome/fit.safetensors",
        history="results/runs/{run}/connectome/history.csv",
    wildcard_constraints:
        run=plan.pattern("connectome"),
    cache: True
    resources:
        **needs(mem_mb=4000, runtime=120),
    params:
        run=plan.name,
        identity=plan.identity,
    script:
        "../workflow_scripts/fit_connectome.py"


rule evaluate_connectome:
    input:
        activity=populations.activity,
        fit="results/runs/{run}/connectome/fit.safetensors",
        phase1=RECORD["phase1"],
    output:
        **JUMPS,
        metrics="results/runs/{run}/connectome/metrics.json",
        functions="results/runs/{run}/connectome/functions.csv",
        edges="results/runs/{run}/connectome/edges.csv",
        learning="results/runs/{run}/connectome/learning.csv",
        baselines="results/runs/{run}/connectome/baselines.csv",
    wildcard_constraints:
        run=plan.pattern("connectome"),
    resources:
        **needs(mem_mb=3000, runtime=30),
    params:
        jumps=plan.analysis("jumps"),
    script:
        "../workflow_scripts/evaluate_connectome.py"


rule plot_connectome:
    input:
        activity=populations.activity,
        fit="results/runs/{run}/connectome/fit.safetensors",
    output:
        **figure_outputs(*CONNECTOME_FIGURES),
    wildcard_constraints:
        run=any_of(populations.not_drawn()),
    resources:
        **needs(mem_mb=3000, runtime=30),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_connectome.py"


rule draw_connectomes:
    input:
        **{f"fit_{place}": f"results/runs/{run.name}/connectome/fit.safetensors" for place, run in DRAWN.items()},
        **{f"activity_{place}": populations.activity_of(run) for place, run in DRAWN.items()},
    output:
        **kept(
            {
                f"{name}_{place}": file
                for place, run in DRAWN.items()
                for name, file in figure_outputs(*CONNECTOME_FIGURES, run=run).items()
            }
        ),
    resources:
        **needs(mem_mb=3000, runtime=60),
    params:
        settings={place: plan.label(run) for place, run in DRAWN.items()},
    script:
        "../workflow_scripts/draw_connectomes.py"


rule compare_recovery:
    input:
        metrics=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/metrics.json", wildcards),
        reports=populations.reports,
        learning=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/learning.csv", wildcards),
    output:
        **figure_outputs("learning", "recovery"),
        runs="results/studies/{study}/connectome/recovery_by_run.csv",
        table=reported("results/studies/{study}/connectome/recovery.csv", "connectome_recovery", "table: recovery"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        runs=populations.about,
    script:
        "../workflow_scripts/compare_recovery.py"


rule animate_connectome:
    input:
        fits=lambda wildcards: [
            f"results/runs/{run.name}/connectome/fit.safetensors" for run in populations.side_by_side(wildcards)
        ],
        activities=populations.side_by_side_activities,
    output:
        mp4=reported(
            "results/animations/{study}/scatter-c{level}.mp4",
            "connectome_animation",
            "scatter at {level}% while training",
        ),
        gif="results/animations/{study}/scatter-c{level}.gif",
    wildcard_constraints:
        level=r"[0-9.]+",
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        labels=lambda wildcards: [run.settings.label or run.key for run in populations.side_by_side(wildcards)],
    script:
        "../workflow_scripts/animate_connectome.py"


rule search_connectome:
    input:
        activity=populations.search_activities,
        before=populations.blocks_before,
    output:
        records=directory(f"{SEARCH}/records/block_{{block}}"),
    wildcard_constraints:
        block=r"\d+",
    resources:
        **needs(mem_mb=4000, runtime=240),
    params:
        search=populations.search,
        identity=populations.search_identity,
    script:
        "../workflow_scripts/search_connectome.py"


rule write_search_log:
    input:
        records=populations.blocks,
    output:
        **figure_outputs("search_tree", "search_progress", "search_landscape"),
        iterations=reported(f"{SEARCH}/iterations.csv", "connectome_search", "table: iterations"),
        blocks=reported(f"{SEARCH}/blocks.csv", "connectome_search", "table: blocks"),
        log=update(f"{SEARCH}/{{study}}_analysis.md"),
        memory=update(f"{SEARCH}/{{study}}_memory.md"),
        rules=update(f"{SEARCH}/rules.json"),
        scores=f"{SEARCH}/ucb_scores.txt",
        comparisons=directory(f"{SEARCH}/comparisons"),
        page=reported("results/pages/{study}/search.html", "connectome_search", "search tree"),
    resources:
        **needs(mem_mb=1500, runtime=20),
    params:
        search=populations.search,
        name=lambda wildcards: wildcards.study,
        title=lambda wildcards: f"Search over training settings: {wildcards.study}",
    script:
        "../workflow_scripts/write_search_log.py"


rule search_policy:
    input:
        activities=populations.search_activities,
    output:
        iterations="results/studies/{study}/connectome/policies/{policy}-s{seed}/iterations.csv",
        records="results/studies/{study}/connectome/policies/{policy}-s{seed}/records.json",
    wildcard_constraints:
        policy="ucb|random|tpe",
        seed=r"\d+",
    resources:
        **needs(mem_mb=4000, runtime=240),
    params:
        search=populations.search,
        identity=populations.search_identity,
    script:
        "../workflow_scripts/search_policy.py"


rule plot_policies:
    input:
        searches=populations.policies,
    output:
        **figure_outputs("policies"),
        table="results/studies/{study}/connectome/policies/table.csv",
        differences="results/studies/{study}/connectome/policies/differences.csv",
        verdict="results/studies/{study}/connectome/policies/verdict.txt",
    resources:
        **needs(mem_mb=1500, runtime=20),
    params:
        policies=lambda wildcards: plan.config.studies[wildcards.study].search.compare,
    script:
        "../workflow_scripts/plot_policies.py"


rule connectome:
    input:
        expand("results/figures/{study}/recovery.png", study=populations.names),
        [f"results/figures/{run.study}/{run.name}/scatter.png" for run in DRAWN.values()],
        [f"results/animations/{study}/scatter-c{populations.animated(study)}.mp4" for study in populations.simulated],
        expand("results/figures/{study}/search_tree.png", study=populations.searched),
        expand("results/figures/{study}/policies.png", study=populations.compared),
