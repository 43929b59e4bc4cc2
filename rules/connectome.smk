# Connectomes: simulate populations, recover wiring, types and functions from activity, search training settings.

from ontogeny.connectome.populations import Populations

populations = Populations(plan)


rule simulate_activity:
    input:
        matrix=populations.matrix,
    output:
        activity="results/activity/{activity}.safetensors",
        report="results/activity/{activity}.json",
    log:
        "results/logs/simulate_activity/{activity}.log",
    benchmark:
        "results/benchmarks/simulate_activity/{activity}.tsv"
    wildcard_constraints:
        activity="|".join(map(re.escape, populations.activities)) or "(?!)",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        population=populations.simulation,
        code=plan.code("simulate_activity"),
    script:
        "../workflow_scripts/simulate_activity.py"


rule read_activity:
    input:
        files=populations.data_files,
    output:
        activity="results/activity/{activity}.safetensors",
        report="results/activity/{activity}.json",
    log:
        "results/logs/read_activity/{activity}.log",
    benchmark:
        "results/benchmarks/read_activity/{activity}.tsv"
    wildcard_constraints:
        activity="|".join(map(re.escape, populations.recorded)) or "(?!)",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        settings=populations.data,
        code=plan.code("read_activity"),
    script:
        "../workflow_scripts/read_activity.py"


rule fit_connectome:
    input:
        activity=populations.activity,
    output:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        fit="results/runs/{run}/connectome/fit.safetensors",
        history="results/runs/{run}/connectome/history.csv",
    log:
        "results/logs/fit_connectome/{run}.log",
    benchmark:
        "results/benchmarks/fit_connectome/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("connectome"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        identity=plan.identity,
        code=plan.code("fit_connectome"),
    script:
        "../workflow_scripts/fit_connectome.py"


rule evaluate_connectome:
    input:
        activity=populations.activity,
        fit="results/runs/{run}/connectome/fit.safetensors",
    output:
        metrics="results/runs/{run}/connectome/metrics.json",
        functions="results/runs/{run}/connectome/functions.csv",
        learning="results/runs/{run}/connectome/learning.csv",
    log:
        "results/logs/evaluate_connectome/{run}.log",
    benchmark:
        "results/benchmarks/evaluate_connectome/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("connectome"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        code=plan.code("evaluate_connectome"),
    script:
        "../workflow_scripts/evaluate_connectome.py"


rule plot_connectome:
    input:
        activity=populations.activity,
        fit="results/runs/{run}/connectome/fit.safetensors",
    output:
        activity=report(
            "results/figures/{study}/{run}/activity.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_activity.rst",
            labels={"run": "{run}", "figure": "activity"},
        ),
        weights=report(
            "results/figures/{study}/{run}/weights.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_weights.rst",
            labels={"run": "{run}", "figure": "weights"},
        ),
        scatter=report(
            "results/figures/{study}/{run}/scatter.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_scatter.rst",
            labels={"run": "{run}", "figure": "scatter"},
        ),
        training=report(
            "results/figures/{study}/{run}/training.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_scatter.rst",
            labels={"run": "{run}", "figure": "training"},
        ),
        embedding=report(
            "results/figures/{study}/{run}/embedding.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_embedding.rst",
            labels={"run": "{run}", "figure": "embedding"},
        ),
        functions=report(
            "results/figures/{study}/{run}/functions.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_functions.rst",
            labels={"run": "{run}", "figure": "functions"},
        ),
        rollout=report(
            "results/figures/{study}/{run}/rollout.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/connectome_rollout.rst",
            labels={"run": "{run}", "figure": "rollout"},
        ),
        activity_pdf="results/figures/{study}/{run}/activity.pdf",
        activity_csv="results/figures/{study}/{run}/activity.csv",
        weights_pdf="results/figures/{study}/{run}/weights.pdf",
        weights_csv="results/figures/{study}/{run}/weights.csv",
        scatter_pdf="results/figures/{study}/{run}/scatter.pdf",
        scatter_csv="results/figures/{study}/{run}/scatter.csv",
        training_pdf="results/figures/{study}/{run}/training.pdf",
        training_csv="results/figures/{study}/{run}/training.csv",
        embedding_pdf="results/figures/{study}/{run}/embedding.pdf",
        embedding_csv="results/figures/{study}/{run}/embedding.csv",
        functions_pdf="results/figures/{study}/{run}/functions.pdf",
        functions_csv="results/figures/{study}/{run}/functions.csv",
        rollout_pdf="results/figures/{study}/{run}/rollout.pdf",
        rollout_csv="results/figures/{study}/{run}/rollout.csv",
    log:
        "results/logs/plot_connectome/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_connectome/{study}/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("connectome"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(30),
    params:
        title=plan.title,
        code=plan.code("plot_connectome"),
    script:
        "../workflow_scripts/plot_connectome.py"


rule compare_recovery:
    input:
        metrics=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/metrics.json", wildcards),
        reports=populations.reports,
    output:
        runs="results/studies/{study}/connectome/recovery_by_run.csv",
        recovery=report(
            "results/studies/{study}/connectome/recovery.csv",
            category="{study}",
            caption="captions/connectome_recovery.rst",
            labels={"run": "all", "figure": "table: recovery"},
        ),
    log:
        "results/logs/compare_recovery/{study}.log",
    benchmark:
        "results/benchmarks/compare_recovery/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        runs=populations.about,
        code=plan.code("compare_recovery"),
    script:
        "../workflow_scripts/compare_recovery.py"


rule plot_recovery:
    input:
        runs="results/studies/{study}/connectome/recovery_by_run.csv",
        learning=lambda wildcards: plan.files_of_study("results/runs/{run}/connectome/learning.csv", wildcards),
    output:
        learning=report(
            "results/figures/{study}/learning.png",
            category="{study}",
            caption="captions/connectome_learning.rst",
            labels={"run": "all", "figure": "learning"},
        ),
        learning_pdf="results/figures/{study}/learning.pdf",
        learning_csv="results/figures/{study}/learning.csv",
        png=report(
            "results/figures/{study}/recovery.png",
            category="{study}",
            caption="captions/connectome_recovery.rst",
            labels={"run": "all", "figure": "recovery"},
        ),
        pdf="results/figures/{study}/recovery.pdf",
        csv="results/figures/{study}/recovery.csv",
    log:
        "results/logs/plot_recovery/{study}.log",
    benchmark:
        "results/benchmarks/plot_recovery/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        runs=populations.about,
        code=plan.code("plot_recovery"),
    script:
        "../workflow_scripts/plot_recovery.py"


rule animate_connectome:
    input:
        fits=lambda wildcards: [
            f"results/runs/{run.name}/connectome/fit.safetensors" for run in populations.side_by_side(wildcards)
        ],
        activities=populations.side_by_side_activities,
    output:
        mp4=report(
            "results/animations/{study}/scatter-c{level}.mp4",
            category="{study}",
            subcategory="animations",
            caption="captions/connectome_animation.rst",
            labels={"run": "all", "figure": "scatter at {level}% while training"},
        ),
        gif="results/animations/{study}/scatter-c{level}.gif",
    log:
        "results/logs/animate_connectome/{study}/c{level}.log",
    benchmark:
        "results/benchmarks/animate_connectome/{study}/c{level}.tsv"
    wildcard_constraints:
        level=r"[0-9.]+",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        labels=lambda wildcards: [run.settings.label or run.key for run in populations.side_by_side(wildcards)],
        code=plan.code("animate_connectome"),
    script:
        "../workflow_scripts/animate_connectome.py"


rule search_connectome:
    input:
        activity=populations.search_activities,
        before=populations.records_before,
    output:
        record="results/studies/{study}/connectome/search/records/block_{block}/iter_{iteration}.json",
    log:
        "results/logs/search_connectome/{study}/block_{block}_iter_{iteration}.log",
    benchmark:
        "results/benchmarks/search_connectome/{study}/block_{block}_iter_{iteration}.tsv"
    wildcard_constraints:
        block=r"\d+",
        iteration=r"\d+",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        search=populations.search,
        identity=populations.search_identity,
        code=plan.code("search_connectome"),
    script:
        "../workflow_scripts/search_connectome.py"


rule write_search_log:
    input:
        records=populations.records,
    output:
        iterations=report(
            "results/studies/{study}/connectome/search/iterations.csv",
            category="{study}",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "table: iterations"},
        ),
        blocks=report(
            "results/studies/{study}/connectome/search/blocks.csv",
            category="{study}",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "table: blocks"},
        ),
        log=update("results/studies/{study}/connectome/search/{study}_analysis.md"),
        memory=update("results/studies/{study}/connectome/search/{study}_memory.md"),
        rules=update("results/studies/{study}/connectome/search/rules.json"),
        scores="results/studies/{study}/connectome/search/ucb_scores.txt",
        comparisons=directory("results/studies/{study}/connectome/search/comparisons"),
    log:
        "results/logs/write_search_log/{study}.log",
    benchmark:
        "results/benchmarks/write_search_log/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        search=populations.search,
        name=lambda wildcards: wildcards.study,
        code=plan.code("write_search_log"),
    script:
        "../workflow_scripts/write_search_log.py"


rule plot_search:
    input:
        iterations="results/studies/{study}/connectome/search/iterations.csv",
    output:
        tree=report(
            "results/figures/{study}/search_tree.png",
            category="{study}",
            subcategory="search",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "tree"},
        ),
        progress=report(
            "results/figures/{study}/search_progress.png",
            category="{study}",
            subcategory="search",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "progress"},
        ),
        landscape=report(
            "results/figures/{study}/search_landscape.png",
            category="{study}",
            subcategory="search",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "landscape"},
        ),
        page=report(
            "results/pages/{study}/search.html",
            category="{study}",
            subcategory="pages",
            caption="captions/connectome_search.rst",
            labels={"run": "all", "figure": "search tree"},
        ),
        tree_pdf="results/figures/{study}/search_tree.pdf",
        tree_csv="results/figures/{study}/search_tree.csv",
        progress_pdf="results/figures/{study}/search_progress.pdf",
        progress_csv="results/figures/{study}/search_progress.csv",
        landscape_pdf="results/figures/{study}/search_landscape.pdf",
        landscape_csv="results/figures/{study}/search_landscape.csv",
    log:
        "results/logs/plot_search/{study}.log",
    benchmark:
        "results/benchmarks/plot_search/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        search=populations.search,
        name=lambda wildcards: wildcards.study,
        title=lambda wildcards: f"Search over training settings: {wildcards.study}",
        code=plan.code("plot_search"),
    script:
        "../workflow_scripts/plot_search.py"


rule search_policy:
    input:
        activities=populations.search_activities,
    output:
        iterations="results/studies/{study}/connectome/policies/{policy}-s{seed}/iterations.csv",
    log:
        "results/logs/search_policy/{study}/{policy}-s{seed}.log",
    benchmark:
        "results/benchmarks/search_policy/{study}/{policy}-s{seed}.tsv"
    wildcard_constraints:
        policy="ucb|random|tpe",
        seed=r"\d+",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(240),
    params:
        search=populations.search,
        identity=populations.search_identity,
        code=plan.code("search_policy"),
    script:
        "../workflow_scripts/search_policy.py"


rule plot_policies:
    input:
        searches=populations.policies,
    output:
        png=report(
            "results/figures/{study}/policies.png",
            category="{study}",
            subcategory="search",
            caption="captions/connectome_policies.rst",
            labels={"run": "all", "figure": "policies"},
        ),
        pdf="results/figures/{study}/policies.pdf",
        csv="results/figures/{study}/policies.csv",
        table="results/studies/{study}/connectome/policies/table.csv",
        differences="results/studies/{study}/connectome/policies/differences.csv",
        verdict="results/studies/{study}/connectome/policies/verdict.txt",
    log:
        "results/logs/plot_policies/{study}.log",
    benchmark:
        "results/benchmarks/plot_policies/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        policies=lambda wildcards: plan.config.studies[wildcards.study].search.compare,
        code=plan.code("plot_policies"),
    script:
        "../workflow_scripts/plot_policies.py"


rule connectome:
    input:
        expand("results/figures/{study}/{figure}.png", study=populations.names, figure=["recovery", "learning"]),
        expand("results/figures/{run}/scatter.png", run=populations.drawn()),
        [f"results/animations/{study}/scatter-c{populations.animated(study)}.mp4" for study in populations.simulated],
        expand("results/figures/{study}/search_tree.png", study=populations.searched),
        expand("results/figures/{study}/policies.png", study=populations.compared),
