# Ensembles on logic gates: train all seeds as one, enumerate every perfect circuit at every epoch, compare, draw.


rule train_ensemble:
    output:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        ensemble="results/runs/{run}/ensemble.safetensors",
    log:
        "results/logs/train_ensemble/{run}.log",
    benchmark:
        "results/benchmarks/train_ensemble/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("circuits"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(60),
    params:
        identity=plan.identity,
        code=plan.code("train_ensemble"),
    script:
        "../workflow_scripts/train_ensemble.py"


rule enumerate_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
    output:
        history="results/runs/{run}/circuits/history.csv",
    log:
        "results/logs/enumerate_circuits/{run}.log",
    benchmark:
        "results/benchmarks/enumerate_circuits/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(120),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
        code=plan.code("enumerate_circuits"),
    script:
        "../workflow_scripts/enumerate_circuits.py"


rule compare_circuits:
    input:
        histories=lambda wildcards: plan.files_of_study("results/runs/{run}/circuits/history.csv", wildcards),
    output:
        seeds="results/studies/{study}/circuits/by_seed.csv",
        conditions=report(
            "results/studies/{study}/circuits/conditions.csv",
            category="{study}",
            caption="captions/circuit_conditions.rst",
            labels={"run": "all", "figure": "table: conditions"},
        ),
        effects=report(
            "results/studies/{study}/circuits/effects.csv",
            category="{study}",
            caption="captions/circuit_effects.rst",
            labels={"run": "all", "figure": "table: effects"},
        ),
        representatives="results/studies/{study}/circuits/representatives.csv",
    log:
        "results/logs/compare_circuits/{study}.log",
    benchmark:
        "results/benchmarks/compare_circuits/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        code=plan.code("compare_circuits"),
    script:
        "../workflow_scripts/compare_circuits.py"


rule trace_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
        jumps="results/runs/{run}/jumps.csv",
        representatives=lambda wildcards: f"results/studies/{plan.run(wildcards).study}/circuits/representatives.csv",
    output:
        turnover="results/runs/{run}/circuits/turnover.csv",
        structure="results/runs/{run}/circuits/structure.csv",
        coincidence=report(
            "results/runs/{run}/circuits/births_at_jumps.csv",
            category="Circuits and jumps",
            caption="captions/births_at_jumps.rst",
            labels={"run": "{run}", "figure": "table: births at jumps"},
        ),
        records=directory("results/runs/{run}/circuits/records"),
    log:
        "results/logs/trace_circuits/{run}.log",
    benchmark:
        "results/benchmarks/trace_circuits/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(120),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
        code=plan.code("trace_circuits"),
    script:
        "../workflow_scripts/trace_circuits.py"


rule plot_circuits:
    input:
        histories=lambda wildcards: plan.files_of_study("results/runs/{run}/circuits/history.csv", wildcards),
        seeds="results/studies/{study}/circuits/by_seed.csv",
        effects="results/studies/{study}/circuits/effects.csv",
    output:
        png=report(
            "results/figures/{study}/circuits_{figure}.png",
            category="{study}",
            caption="captions/circuits.rst",
            labels={"run": "all", "figure": "{figure}"},
        ),
        pdf="results/figures/{study}/circuits_{figure}.pdf",
        csv="results/figures/{study}/circuits_{figure}.csv",
    log:
        "results/logs/plot_circuits/{study}/{figure}.log",
    benchmark:
        "results/benchmarks/plot_circuits/{study}/{figure}.tsv"
    wildcard_constraints:
        figure="|".join(CIRCUIT_FIGURES),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        code=plan.code("plot_circuits"),
    script:
        "../workflow_scripts/plot_circuits.py"


rule animate_circuits:
    input:
        ensemble="results/runs/{run}/ensemble.safetensors",
        jumps="results/runs/{run}/jumps.csv",
        representatives="results/studies/{study}/circuits/representatives.csv",
    output:
        mp4=report(
            "results/animations/{study}/{run}.mp4",
            category="{study}",
            subcategory="animations",
            caption="captions/circuit_animation.rst",
            labels={"run": "{run}", "figure": "animation"},
        ),
        gif="results/animations/{study}/{run}.gif",
        page=report(
            "results/pages/{study}/{run}.html",
            category="{study}",
            subcategory="pages",
            caption="captions/circuit_page.rst",
            labels={"run": "{run}", "figure": "circuits by epoch"},
        ),
    log:
        "results/logs/animate_circuits/{study}/{run}.log",
    benchmark:
        "results/benchmarks/animate_circuits/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        settings=plan.analysis("circuits"),
        label=plan.title,
        code=plan.code("animate_circuits"),
    script:
        "../workflow_scripts/animate_circuits.py"


rule animate_comparison:
    input:
        ensembles=lambda wildcards: plan.files_of_study("results/runs/{run}/ensemble.safetensors", wildcards),
        jumps=lambda wildcards: plan.files_of_study("results/runs/{run}/jumps.csv", wildcards),
        representatives="results/studies/{study}/circuits/representatives.csv",
    output:
        mp4=report(
            "results/animations/{study}/comparison.mp4",
            category="{study}",
            subcategory="animations",
            caption="captions/circuit_animation.rst",
            labels={"run": "all", "figure": "animation"},
        ),
        snapshot="results/figures/{study}/circuits_snapshot.png",
        shown="results/figures/{study}/circuits_snapshot.csv",
    log:
        "results/logs/animate_comparison/{study}.log",
    benchmark:
        "results/benchmarks/animate_comparison/{study}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        settings=lambda wildcards: plan.study_analysis("circuits", wildcards),
        labels=lambda wildcards: [plan.label(run) for run in plan.runs_of_study(wildcards.study)],
        code=plan.code("animate_comparison"),
    script:
        "../workflow_scripts/animate_comparison.py"


rule circuits:
    input:
        plan.files("results/runs/{run}/circuits/history.csv", "circuits"),
        plan.files("results/runs/{run}/circuits/structure.csv", "circuits"),
        expand("results/studies/{study}/circuits/effects.csv", study=plan.studies("circuits")),
        expand(
            "results/figures/{study}/circuits_{figure}.png",
            study=plan.studies("circuits"),
            figure=CIRCUIT_FIGURES,
        ),
        plan.files("results/animations/{study}/{run}.mp4", "circuits"),
        expand("results/animations/{study}/comparison.mp4", study=plan.studies("circuits")),
