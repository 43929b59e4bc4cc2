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
        mem_mb=2500,
        runtime=60,
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
        mem_mb=2500,
        runtime=240,
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
        mem_mb=2500,
        runtime=60,
    params:
        code=plan.code("evaluate_judge"),
    script:
        "../workflow_scripts/evaluate_judge.py"


rule judge:
    input:
        plan.files("results/runs/{run}/epochs.csv", kind="judge"),
