# Across runs: the measurements of a study, or of records that others trained, side by side.

STUDY_RECORD = {
    "record": "results/studies/{study}/phase1.parquet",
    **{name: f"results/studies/{{study}}/{name}.csv" for name in ("jumps", "series", "groups")},
}
ANALYSED = (
    """characterised rates convergence order coordination periods loss_relation kinds kinds_evidence phases agreement
comparisons mixed_model""".split()
)
STUDY_TABLES = [f"results/studies/{{study}}/{name}.csv" for name in ANALYSED]


rule gather_records:
    input:
        records=lambda wildcards: plan.files_of_study("results/runs/{run}/phase1.json", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.json", wildcards),
    output:
        **STUDY_RECORD,
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    resources:
        **needs(mem_mb=1500, runtime=20),
    script:
        "../workflow_scripts/gather_records.py"


rule import_phase1:
    input:
        records=from_here(plan.records),
    output:
        **STUDY_RECORD,
        json="results/studies/{study}/jumps.json",
        notes=reported("results/studies/{study}/import_notes.csv", "import_notes", "table: what was mended or left out"),
    wildcard_constraints:
        study=any_of(plan.config.phase1_imports),
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        settings=lambda wildcards: plan.study_analysis("jumps", wildcards),
        files=plan.digests(plan.records),
        on_problem=lambda wildcards: plan.config.phase1_imports[wildcards.study].on_problem,
    script:
        "../workflow_scripts/import_phase1.py"


rule analyse_study:
    input:
        **STUDY_RECORD,
    output:
        STUDY_TABLES,
    resources:
        **needs(mem_mb=2000, runtime=30),
    script:
        "../workflow_scripts/analyse_study.py"


rule plot_study:
    input:
        STUDY_TABLES,
    output:
        **figure_outputs(*STUDY_FIGURES),
    resources:
        **needs(mem_mb=1000, runtime=10),
    script:
        "../workflow_scripts/plot_study.py"


rule score_detectors:
    input:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
    output:
        **figure_outputs("known_transitions", "progress"),
        table="results/studies/{study}/known_transitions.csv",
    wildcard_constraints:
        study=any_of(plan.studies_with_truth()),
    resources:
        **needs(mem_mb=2000, runtime=30),
    script:
        "../workflow_scripts/score_detectors.py"


rule plot_imports:
    input:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
    output:
        heatmaps=figure_folder(
            "results/figures/{study}/heatmaps", "heatmap", "heat map", run="{figure}", subcategory="heat maps"
        ),
    resources:
        **needs(mem_mb=2000, runtime=30),
    script:
        "../workflow_scripts/plot_imports.py"


rule studies:
    input:
        figure_files(*STUDY_FIGURES, "known_transitions", "progress"),
        expand("results/figures/{study}/heatmaps", study=plan.config.phase1_imports),
