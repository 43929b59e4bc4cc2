# Ensembles on logic gates: train all seeds as one, enumerate every perfect circuit at every epoch, compare, draw.

REPRESENTATIVES = "results/studies/{study}/circuits/representatives.csv"


rule train_ensemble:
    output:
        **RECORD,
        ensemble="results/runs/{run}/ensemble.safetensors",
    wildcard_constraints:
        run=plan.pattern("circuits"),
    cache: True
    resources:
        **needs(mem_mb=1500, runtime=60),
    params:
        run=plan.name,
        identity=plan.identity,
    script:
        "../workflow_scripts/train_ensemble.py"


rule enumerate_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
    output:
        history="results/runs/{run}/circuits/history.csv",
    resources:
        **needs(mem_mb=1500, runtime=120),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
    script:
        "../workflow_scripts/enumerate_circuits.py"


rule compare_circuits:
    input:
        histories=lambda wildcards: plan.files_of_study("results/runs/{run}/circuits/history.csv", wildcards),
    output:
        **figure_outputs(*CIRCUIT_FIGURES),
        seeds="results/studies/{study}/circuits/by_seed.csv",
        conditions=reported(
            "results/studies/{study}/circuits/conditions.csv", "circuit_conditions", "table: conditions"
        ),
        effects=reported("results/studies/{study}/circuits/effects.csv", "circuit_effects", "table: effects"),
        representatives=REPRESENTATIVES,
    resources:
        **needs(mem_mb=1000, runtime=20),
    script:
        "../workflow_scripts/compare_circuits.py"


rule trace_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
        jumps="results/runs/{run}/jumps.csv",
        representatives=lambda wildcards: book.decided(REPRESENTATIVES.format(study=plan.run(wildcards).study)),
    output:
        turnover="results/runs/{run}/circuits/turnover.csv",
        structure="results/runs/{run}/circuits/structure.csv",
        coincidence=reported(
            "results/runs/{run}/circuits/appearances_at_jumps.csv",
            "appearances_at_jumps",
            "table: appearances at jumps",
            category="Circuits and jumps",
        ),
        records=directory("results/runs/{run}/circuits/records"),
    resources:
        **needs(mem_mb=2000, runtime=120),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
    script:
        "../workflow_scripts/trace_circuits.py"


rule ablate_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
    output:
        **figure_outputs("ablations"),
        networks="results/studies/{study}/circuits/ablations/{run}.csv",
    resources:
        **needs(mem_mb=1500, runtime=60),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
    script:
        "../workflow_scripts/ablate_circuits.py"


rule score_discovery:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
    output:
        **figure_outputs("discovery"),
        scores="results/studies/{study}/circuits/discovery/{run}.csv",
        progress="results/studies/{study}/circuits/discovery/{run}_by_progress.csv",
    resources:
        **needs(mem_mb=1500, runtime=240),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
    script:
        "../workflow_scripts/score_discovery.py"


rule animate_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
        jumps="results/runs/{run}/jumps.csv",
        representatives=lambda wildcards: book.decided(REPRESENTATIVES.format(study=wildcards.study)),
    output:
        mp4=reported("results/animations/{study}/{run}.mp4", "circuit_animation", "animation"),
        gif="results/animations/{study}/{run}.gif",
        page=reported("results/pages/{study}/{run}.html", "circuit_page", "circuits by epoch"),
    wildcard_constraints:
        run=plan.pattern("circuits"),
    resources:
        **needs(mem_mb=1500, runtime=30),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
    script:
        "../workflow_scripts/animate_circuits.py"


rule animate_comparison:
    input:
        ensembles=lambda wildcards: plan.files_of_study("results/runs/{run}/ensemble.safetensors", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.csv", wildcards),
        representatives=lambda wildcards: book.decided(REPRESENTATIVES.format(study=wildcards.study)),
    output:
        mp4=reported("results/animations/{study}/comparison.mp4", "circuit_animation", "animation"),
        snapshot="results/figures/{study}/circuits_snapshot.png",
        shown="results/figures/{study}/circuits_snapshot.csv",
    resources:
        **needs(mem_mb=2000, runtime=30),
    params:
        settings=lambda wildcards: plan.study_analysis("circuits", wildcards),
        labels=lambda wildcards: [plan.label(run) for run in plan.runs_of_study(wildcards.study)],
    script:
        "../workflow_scripts/animate_comparison.py"


rule circuits:
    input:
        plan.files("results/runs/{run}/circuits/history.csv", "circuits"),
        plan.files("results/runs/{run}/circuits/structure.csv", "circuits"),
        expand("results/studies/{study}/circuits/effects.csv", study=plan.studies("circuits")),
        figure_files(*CIRCUIT_FIGURES),
        plan.files("results/animations/{study}/{run}.mp4", "circuits"),
        expand("results/animations/{study}/comparison.mp4", study=plan.studies("circuits")),


rule ablations:
    input:
        plan.files("results/figures/{study}/{run}/ablations.png", "circuits"),


rule discovery:
    input:
        plan.files("results/figures/{study}/{run}/discovery.png", "circuits"),
