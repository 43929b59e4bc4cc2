# Connectomes: simulate populations, recover wiring, types and functions from activity, search training settings.

from ontogeny.connectome.populations import Populations

populations = Populations(plan)


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
    output:
        metrics="results/runs/{run}/connectome/metrics.json",
        functions="results/runs/{run}/connectome/functions.csv",
        edges="results/runs/{run}/connectome/edges.csv",
        learning="results/runs/{run}/connectome/learning.csv",
        baselines="results/runs/{run}/connectome/baselines.csv",
    wildcard_constraints:
        run=plan.pattern("connectome"),
    resources:
        **needs(mem_mb=3000, runtime=30),
    script:
        "../workflow_scripts/evaluate_connectome.py"


rule plot_connectome:
    input:
        activity=populations.activity,
        fit="results/runs/{run}/connectome/fit.safetensors",
    output:
        **figure_outputs("activity", "weights", "scatter", "training", "embedding", "functions", "rollout"),
    wildcard_constraints:
        run=plan.pattern("connectome"),
    resources:
        **needs(mem_mb=3000, runtime=30),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_connectome.py"


rule compare_recovery:
    input:
        metrics=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/metrics.json", wildcards),
        reports=populations.reports,
    output:
        runs="results/studies/{study}/connectome/recovery_by_run.csv",
        recovery=reported("results/studies/{study}/connectome/recovery.csv", "connectome_recovery", "table: recovery"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        runs=populations.about,
    script:
        "../workflow_scripts/compare_recovery.py"


rule plot_recovery:
    input:
        runs="results/studies/{study}/connectome/recovery_by_run.csv",
        learning=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/learning.csv", wildcards),
    output:
        **figure_outputs("learning", "recovery"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        runs=populations.about,
    script:
        "../workflow_scripts/plot_recovery.py"


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
        before=populations.records_before,
    output:
        record="results/studies/{study}/connectome/search/records/block_{block}/iter_{iteration}.json",
        weights="results/studies/{study}/connectome/search/records/block_{block}/iter_{iteration}.safetensors",
    wildcard_constraints:
        block=r"\d+",
        iteration=r"\d+",
    resources:
        **needs(mem_mb=4000, runtime=120),
    params:
        search=populations.search,
        identity=populations.search_identity,
    script:
        "../workflow_scripts/search_connectome.py"


rule write_search_log:
    input:
        records=populations.records,
        weights=lambda wildcards: [f"{record[:-5]}.safetensors" for record in populations.records(wildcards)],
    output:
        iterations=reported(
            "results/studies/{study}/connectome/search/iterations.csv", "connectome_search", "table: iterations"
        ),
        blocks=reported("results/studies/{study}/connectome/search/blocks.csv", "connectome_search", "table: blocks"),
        log=update("results/studies/{study}/connectome/search/{study}_analysis.md"),
        memory=update("results/studies/{study}/connectome/search/{study}_memory.md"),
        rules=update("results/studies/{study}/connectome/search/rules.json"),
        scores="results/studies/{study}/connectome/search/ucb_scores.txt",
        comparisons=directory("results/studies/{study}/connectome/search/comparisons"),
    resources:
        **needs(mem_mb=1500, runtime=20),
    params:
        search=populations.search,
        name=lambda wildcards: wildcards.study,
    script:
        "../workflow_scripts/write_search_log.py"


rule plot_search:
    input:
        iterations="results/studies/{study}/connectome/search/iterations.csv",
        records=populations.records,
    output:
        **figure_outputs("search_tree", "search_progress", "search_landscape"),
        page=reported("results/pages/{study}/search.html", "connectome_search", "search tree"),
    resources:
        **needs(mem_mb=1500, runtime=20),
    params:
        search=populations.search,
        name=lambda wildcards: wildcards.study,
        title=lambda wildcards: f"Search over training settings: {wildcards.study}",
    script:
        "../workflow_scripts/plot_search.py"


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
        expand("results/figures/{run}/scatter.png", run=populations.drawn()),
        [f"results/animations/{study}/scatter-c{populations.animated(study)}.mp4" for study in populations.simulated],
        expand("results/figures/{study}/search_tree.png", study=populations.searched),
        expand("results/figures/{study}/policies.png", study=populations.compared),
