# Before, during and after: what changed at every jump, against matched controls, and a page for every run.

from ontogeny.pipeline.figures import COMPARED
from ontogeny.pipeline.pages import pages_of

CHANGES = EXAMINED["changes"]
PAGES_INDEX = "results/pages/index.html"


rule compare_moments:
    input:
        **MOMENTS,
        **examined("activations", "neurons"),
    output:
        changes=CHANGES,
    wildcard_constraints:
        run=plan.pattern("series"),
    resources:
        **needs(mem_mb=2500, runtime=60),
    params:
        settings=plan.analysis("changes"),
        cache=plan.cache,
    script:
        "../workflow_scripts/compare_moments.py"


rule write_page:
    input:
        **RECORD,
        **PLAN,
        changes=CHANGES,
        probes=EXAMINED["probes"],
        of_run=[f"{FIGURES_OF_RUN}/{name}.png" for name in RUN_FIGURES],
        of_layers=[f"{FIGURES_OF_RUN}/{name}.png" for name in of_examination("series")],
    output:
        page=reported("results/pages/{study}/{run}.html", "run_page", "page of the run"),
    wildcard_constraints:
        run=plan.pattern("series"),
    resources:
        **needs(mem_mb=500, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/write_page.py"


rule compare_changes:
    input:
        changes=lambda wildcards: plan.looked_at_of_study(CHANGES, wildcards),
        configs=lambda wildcards: plan.looked_at_of_study("results/runs/{run}/config.json", wildcards),
    output:
        **figure_outputs("change_kinds"),
        kinds=reported("results/studies/{study}/change_kinds.csv", "change_kinds", "table: changes by architecture"),
        pairs="results/studies/{study}/change_pairs.csv",
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
        **needs(mem_mb=1500, runtime=20),
    params:
        titles=plan.titles_of_study,
        title=lambda wildcards: plan.title_of(wildcards.study),
    script:
        "../workflow_scripts/compare_changes.py"


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
        plan.looked_at("results/pages/{study}/{run}.html", *COMPARED),
        figure_files("change_kinds"),
        PAGES_INDEX,
