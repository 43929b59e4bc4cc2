# Judges of prompts: a backbone is pretrained once, each run fine-tunes it, and every epoch is evaluated.

from ontogeny.pipeline.judges import PRETRAINED, Judges

judges = Judges(plan)


rule pretrain_judge:
    input:
        prompts=judges.prompts,
    output:
        folder=directory(PRETRAINED),
    log:
        "results/logs/pretrain_judge/{backbone}.log",
    benchmark:
        "results/benchmarks/pretrain_judge/{backbone}.tsv"
    wildcard_constraints:
        backbone=any_of(judges.backbones),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(60),
    params:
        settings=judges.settings,
        code=plan.code("pretrain_judge"),
    script:
        "../workflow_scripts/pretrain_judge.py"


rule train_judge:
    input:
        pretrained=judges.pretrained,
    output:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints=directory("results/runs/{run}/checkpoints"),
        pretrained=directory("results/runs/{run}/pretrained"),
    log:
        "results/logs/train_judge/{run}.log",
    benchmark:
        "results/benchmarks/train_judge/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("judge"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(240),
        gpu=plan.gpu,
    params:
        identity=plan.identity,
        cache=plan.config.cache,
        code=plan.code("train_judge"),
    script:
        "../workflow_scripts/train_judge.py"


rule evaluate_judge:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        pretrained="results/runs/{run}/pretrained",
    output:
        epochs=report(
            "results/runs/{run}/epochs.csv",
            category="Tables",
            caption="captions/epochs.rst",
            labels={"table": "{run}: every epoch"},
        ),
    log:
        "results/logs/evaluate_judge/{run}.log",
    benchmark:
        "results/benchmarks/evaluate_judge/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("judge"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2500),
        runtime=growing(60),
        gpu=plan.gpu,
    params:
        code=plan.code("evaluate_judge"),
    script:
        "../workflow_scripts/evaluate_judge.py"


rule trace_mechanism:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        pretrained="results/runs/{run}/pretrained",
    output:
        records=directory("results/runs/{run}/mechanism"),
    log:
        "results/logs/trace_mechanism/{run}.log",
    benchmark:
        "results/benchmarks/trace_mechanism/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("judge"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(3000),
        runtime=growing(120),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("judge"),
        cache=plan.config.cache,
        code=plan.code("trace_mechanism"),
    script:
        "../workflow_scripts/trace_mechanism.py"


rule draw_mechanism:
    input:
        records="results/runs/{run}/mechanism",
        phase1="results/runs/{run}/phase1.json",
        jumps="results/runs/{run}/jumps.csv",
    output:
        pages=directory("results/pages/{run}/training_visualizations"),
        book=large_page(
            "results/pages/{run}/book/mechanism.html",
            category=study_of,
            subcategory="{run}",
            caption="captions/mechanism_pages.rst",
            labels={"run": "{run}", "figure": "pages of every epoch"},
        ),
        png=report(
            "results/pages/{run}/mechanism.png",
            category=study_of,
            subcategory="{run}",
            caption="captions/mechanism.rst",
            labels={"run": "{run}", "figure": "evolution"},
        ),
        pdf="results/pages/{run}/mechanism.pdf",
        csv="results/pages/{run}/mechanism.csv",
    log:
        "results/logs/draw_mechanism/{run}.log",
    benchmark:
        "results/benchmarks/draw_mechanism/{run}.tsv"
    wildcard_constraints:
        run=plan.pattern("judge"),
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(20),
    params:
        title=plan.title,
        code=plan.code("draw_mechanism"),
    script:
        "../workflow_scripts/draw_mechanism.py"


rule judge:
    input:
        plan.files("results/runs/{run}/epochs.csv", "judge"),
        plan.files("results/pages/{run}/mechanism.png", "judge"),
