# Across runs: the measurements of a study, or of records that others trained, side by side.


rule gather_records:
    input:
        records=lambda wildcards: plan.files_of_study("results/runs/{run}/phase1.json", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.json", wildcards),
    output:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
        series="results/studies/{study}/series.csv",
        groups="results/studies/{study}/groups.csv",
    log:
        "results/logs/gather_records/{study}.log",
    benchmark:
        "results/benchmarks/gather_records/{study}.tsv"
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(20),
    params:
        code=plan.code("gather_records"),
    script:
        "../workflow_scripts/gather_records.py"


rule import_phase1:
    input:
        records=plan.records,
    output:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
        series="results/studies/{study}/series.csv",
        groups="results/studies/{study}/groups.csv",
        json="results/studies/{study}/jumps.json",
        notes=report(
            "results/studies/{study}/import_notes.csv",
            category="{study}",
            caption="captions/import_notes.rst",
            labels={"run": "all", "figure": "table: what was mended or left out"},
        ),
    log:
        "results/logs/import_phase1/{study}.log",
    benchmark:
        "results/benchmarks/import_phase1/{study}.tsv"
    wildcard_constraints:
        study=any_of(plan.config.phase1_imports),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: plan.study_analysis("jumps", wildcards),
        on_problem=lambda wildcards: plan.config.phase1_imports[wildcards.study].on_problem,
        code=plan.code("import_phase1"),
    script:
        "../workflow_scripts/import_phase1.py"


rule analyse_study:
    input:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
        series="results/studies/{study}/series.csv",
        groups="results/studies/{study}/groups.csv",
    output:
        expand("results/studies/{{study}}/{table}.csv", table=STUDY_TABLES),
    log:
        "results/logs/analyse_study/{study}.log",
    benchmark:
        "results/benchmarks/analyse_study/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=plan.code("analyse_study"),
    script:
        "../workflow_scripts/analyse_study.py"


rule plot_study:
    input:
        expand("results/studies/{{study}}/{table}.csv", table=STUDY_TABLES),
    output:
        png=report(
            "results/figures/{study}/{figure}.png",
            category="{study}",
            caption="captions/plot_study.rst",
            labels={"run": "all", "figure": "{figure}"},
        ),
        pdf="results/figures/{study}/{figure}.pdf",
        csv="results/figures/{study}/{figure}.csv",
    log:
        "results/logs/plot_study/{study}/{figure}.log",
    benchmark:
        "results/benchmarks/plot_study/{study}/{figure}.tsv"
    wildcard_constraints:
        figure="|".join(STUDY_FIGURES),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        tables=lambda wildcards: f"results/studies/{wildcards.study}",
        code=plan.code("plot_study"),
    script:
        "../workflow_scripts/plot_study.py"


rule plot_imports:
    input:
        record="results/studies/{study}/phase1.parquet",
        jumps="results/studies/{study}/jumps.csv",
    output:
        heatmaps=report(
            directory("results/figures/{study}/heatmaps"),
            patterns=["{name}.png"],
            category="{study}",
            subcategory="heat maps",
            caption="captions/heatmap.rst",
            labels={"run": "{name}", "figure": "heat map"},
        ),
    log:
        "results/logs/plot_imports/{study}.log",
    benchmark:
        "results/benchmarks/plot_imports/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        code=plan.code("plot_imports"),
    script:
        "../workflow_scripts/plot_imports.py"


rule studies:
    input:
        expand("results/figures/{study}/{figure}.png", study=plan.measured_studies(), figure=STUDY_FIGURES),
        expand("results/figures/{study}/heatmaps", study=plan.config.phase1_imports),
