# Before, during and after: what changed at every jump, against quiet moments, and a page for every run.

from ontogeny.pipeline.pages import pages_of

CHANGE_TABLES = {name: f"results/runs/{{run}}/changes/{name}.csv" for name in ["changes", "flipped"]}
PAGE_FIGURES = {
    "metrics": "metrics",
    "layers by steps": "heatmap",
    "map of the last layer": "map",
    "decision boundary": "boundary",
    "components": "variance",
    "projections": "projections",
    "clusters": "clusters",
    "neurons before and after": "neurons",
    "importance": "importance",
    "selectivity": "selectivity",
    "similarity": "similarity",
    "subspaces": "subspaces",
    "dimension": "dimension",
    "probes": "probes",
    "collapse": "collapse",
}
PAGE_TABLES = {
    "changes": CHANGE_TABLES["changes"],
    "flipped": CHANGE_TABLES["flipped"],
    "importance": "results/runs/{run}/neurons/importance.csv",
    "selectivity": "results/runs/{run}/neurons/selectivity.csv",
    "probes": "results/runs/{run}/geometry/probes.csv",
}
PAGES_INDEX = "results/pages/index.html"


ruleorder: write_run_page > animate_circuits


rule describe_changes:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
        activations="results/runs/{run}/activations.h5",
        neurons="results/runs/{run}/neurons/comparison.csv",
        importance="results/runs/{run}/neurons/importance.csv",
    output:
        **CHANGE_TABLES,
    log:
        "results/logs/describe_changes/{run}.log",
    benchmark:
        "results/benchmarks/describe_changes/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("changes"),
        cache=plan.config.cache,
        code=plan.code("describe_changes"),
    script:
        "../workflow_scripts/describe_changes.py"


rule compare_changes:
    input:
        changes=lambda wildcards: plan.looked_at_of_study(CHANGE_TABLES["changes"], wildcards),
        configs=lambda wildcards: plan.looked_at_of_study("results/runs/{run}/config.json", wildcards),
    output:
        kinds=report(
            "results/studies/{study}/change_kinds.csv",
            category="{study}",
            caption="captions/change_kinds.rst",
            labels={"run": "all", "figure": "table: changes by architecture"},
        ),
        pairs="results/studies/{study}/change_pairs.csv",
    log:
        "results/logs/compare_changes/{study}.log",
    benchmark:
        "results/benchmarks/compare_changes/{study}.tsv"
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        runs=lambda wildcards: plan.looked_at_of_study("{run}", wildcards),
        code=plan.code("compare_changes"),
    script:
        "../workflow_scripts/compare_changes.py"


rule plot_changes:
    input:
        changes=lambda wildcards: plan.looked_at_of_study(CHANGE_TABLES["changes"], wildcards),
        kinds="results/studies/{study}/change_kinds.csv",
    output:
        png=report(
            "results/figures/{study}/change_kinds.png",
            category="{study}",
            caption="captions/change_kinds.rst",
            labels={"run": "all", "figure": "changes by architecture"},
        ),
        pdf="results/figures/{study}/change_kinds.pdf",
        csv="results/figures/{study}/change_kinds.csv",
        runs=report(
            directory("results/figures/{study}/changes"),
            patterns=["{name}.png"],
            category="{study}",
            subcategory="before and after jumps",
            caption="captions/changes.rst",
            labels={"run": "{name}", "figure": "before and after"},
        ),
    log:
        "results/logs/plot_changes/{study}.log",
    benchmark:
        "results/benchmarks/plot_changes/{study}.tsv"
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        titles=plan.titles_of_study,
        title=lambda wildcards: plan.title_of(wildcards.study),
        code=plan.code("plot_changes"),
    script:
        "../workflow_scripts/plot_changes.py"


rule write_run_page:
    input:
        **PAGE_TABLES,
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        plan="results/runs/{run}/capture_plan.json",
        figures=expand("results/figures/{{study}}/{{run}}/{figure}.png", figure=PAGE_FIGURES.values()),
    output:
        page=report(
            "results/pages/{study}/{run}.html",
            category="{study}",
            subcategory="pages",
            caption="captions/run_page.rst",
            labels={"run": "{run}", "figure": "page of the run"},
        ),
    log:
        "results/logs/write_run_page/{study}/{run}.log",
    benchmark:
        "results/benchmarks/write_run_page/{study}/{run}.tsv"
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
        run=plan.pattern("dynamics"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        title=plan.title,
        figures=lambda wildcards, input: dict(zip(PAGE_FIGURES, input.figures)),
        tables=lambda wildcards, input: {f"{name}.csv": input[name] for name in PAGE_TABLES},
        index=PAGES_INDEX,
        code=plan.code("write_run_page"),
    script:
        "../workflow_scripts/write_run_page.py"


rule list_pages:
    output:
        index=PAGES_INDEX,
    log:
        "results/logs/list_pages.log",
    benchmark:
        "results/benchmarks/list_pages/all.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(500),
        runtime=growing(10),
    params:
        groups=pages_of(plan, populations.searched),
        code=plan.code("list_pages"),
    script:
        "../workflow_scripts/list_pages.py"


rule pages:
    input:
        plan.looked_at("results/pages/{study}/{run}.html", "dynamics"),
        expand(
            "results/figures/{study}/change_kinds.png",
            study=dict.fromkeys(plan.looked_at("{study}", "dynamics")),
        ),
        PAGES_INDEX,
