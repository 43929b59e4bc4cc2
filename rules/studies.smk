# Across runs: the measurements of a study, or of records that others trained, side by side.

STUDY_RECORD = {
    "record": "results/studies/{study}/phase1.h5",
    **{name: f"results/studies/{{study}}/{name}.csv" for name in ("jumps", "series", "groups", "answers")},
}
WITH_TRUTH = plan.studies_with_truth()
ANALYSED = (
    """characterised rates convergence order coordination periods loss_relation kinds kinds_evidence phases agreement
comparisons mixed_model""".split()
)
STUDY_ANALYSIS = {
    **STUDY_RECORD,
    **{f"table_{name}": f"results/studies/{{study}}/{name}.csv" for name in ANALYSED},
    **figure_outputs(*STUDY_FIGURES),
}


rule analyse_study:
    input:
        records=lambda wildcards: plan.files_of_study("results/runs/{run}/phase1.json", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.json", wildcards),
    output:
        **STUDY_ANALYSIS,
    wildcard_constraints:
        study=any_of(study for study in plan.studies("dynamics") if study not in WITH_TRUTH),
    resources:
        **needs(mem_mb=2000, runtime=60),
    script:
        "../workflow_scripts/analyse_study.py"


rule import_phase1:
    input:
        records=from_here(plan.records),
    output:
        **STUDY_ANALYSIS,
        json="results/studies/{study}/jumps.json",
        notes=reported("results/studies/{study}/import_notes.csv", "import_notes", "table: what was mended or left out"),
        heatmaps=figure_folder(
            "results/figures/{study}/heatmaps", "heatmap", "heat map", run="{figure}", subcategory="heat maps"
        ),
    wildcard_constraints:
        study=any_of(plan.config.phase1_imports),
    resources:
        **needs(mem_mb=2000, runtime=60),
    params:
        settings=lambda wildcards: plan.study_analysis("jumps", wildcards),
        files=plan.digests(plan.records),
        on_problem=lambda wildcards: plan.config.phase1_imports[wildcards.study].on_problem,
    script:
        "../workflow_scripts/import_phase1.py"


rule analyse_transitions:
    input:
        records=lambda wildcards: plan.files_of_study("results/runs/{run}/phase1.json", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.json", wildcards),
    output:
        **STUDY_ANALYSIS,
        **figure_outputs("known_transitions", "progress"),
        known="results/studies/{study}/known_transitions.csv",
    wildcard_constraints:
        study=any_of(WITH_TRUTH),
    resources:
        **needs(mem_mb=2000, runtime=60),
    script:
        "../workflow_scripts/analyse_transitions.py"


rule studies:
    input:
        figure_files(*STUDY_FIGURES, "known_transitions", "progress"),
        expand("results/figures/{study}/heatmaps", study=plan.config.phase1_imports),
