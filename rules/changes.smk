# Before, during and after: what changed at every jump, against matched controls, and a page for every run.

from ontogeny.pipeline.figures import on_pages
from ontogeny.pipeline.pages import pages_of

CHANGE_TABLES = {name: f"results/runs/{{run}}/changes/{name}.csv" for name in ["changes", "flipped"]}
PAGE_FIGURES = on_pages()
PAGE_TABLES = {
    "changes": CHANGE_TABLES["changes"],
    "flipped": CHANGE_TABLES["flipped"],
    "importance": "results/runs/{run}/neurons/importance.csv",
    "selectivity": "results/runs/{run}/neurons/selectivity.csv",
    "probes": "results/runs/{run}/geometry/probes.csv",
}
PAGES_INDEX = "results/pages/index.html"


rule describe_changes:
    input:
        **MOMENTS,
        activations="results/runs/{run}/activations.h5",
        neurons="results/runs/{run}/neurons/comparison.csv",
        importance="results/runs/{run}/neurons/importance.csv",
    output:
        **CHANGE_TABLES,
    resources:
        **needs(mem_mb=2000, runtime=60, gpu=plan.gpu),
    params:
        settings=plan.analysis("changes"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/describe_changes.py"


rule compare_changes:
    input:
        changes=lambda wildcards: plan.looked_at_of_study(CHANGE_TABLES["changes"], wildcards),
        configs=lambda wildcards: plan.looked_at_of_study("results/runs/{run}/config.json", wildcards),
    output:
        kinds=reported("results/studies/{study}/change_kinds.csv", "change_kinds", "table: changes by architecture"),
        pairs="results/studies/{study}/change_pairs.csv",
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    resources:
        **needs(mem_mb=1500, runtime=20),
    params:
        runs=lambda wildcards: plan.looked_at_of_study("{run}", wildcards),
    script:
        "../workflow_scripts/compare_changes.py"


rule plot_changes:
    input:
        changes=lambda wildcards: plan.looked_at_of_study(CHANGE_TABLES["changes"], wildcards),
        kinds="results/studies/{study}/change_kinds.csv",
    output:
        **figure_outputs("change_kinds"),
        runs=figure_folder(
            "results/figures/{study}/changes",
            "changes",
            "before and after",
            run="{figure}",
            subcategory="before and after jumps",
        ),
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    resources:
        **needs(mem_mb=1000, runtime=20),
    params:
        titles=plan.titles_of_study,
        title=lambda wildcards: plan.title_of(wildcards.study),
    script:
        "../workflow_scripts/plot_changes.py"


rule write_run_page:
    input:
        **PAGE_TABLES,
        **RECORD,
        **PLAN,
        figures=expand("results/figures/{{study}}/{{run}}/{figure}.png", figure=PAGE_FIGURES.values()),
    output:
        page=reported("results/pages/{study}/{run}.html", "run_page", "page of the run"),
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
        run=plan.pattern("dynamics"),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
        headings=list(PAGE_FIGURES),
    script:
        "../workflow_scripts/write_run_page.py"


rule list_pages:
    output:
        index=PAGES_INDEX,
    resources:
        **needs(mem_mb=500, runtime=10),
    params:
        groups=pages_of(plan, populations.searched),
    script:
        "../workflow_scripts/list_pages.py"


rule pages:
    input:
        plan.looked_at("results/pages/{study}/{run}.html", "dynamics"),
        figure_files("change_kinds"),
        PAGES_INDEX,
