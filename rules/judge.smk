# Judges of prompts: a backbone is pretrained once, each run fine-tunes it, and every epoch is evaluated.

from ontogeny.pipeline.judges import PRETRAINED, Judges

judges = Judges(plan)


rule pretrain_judge:
    input:
        files=from_here(judges.files),
    output:
        folder=directory(PRETRAINED),
    wildcard_constraints:
        backbone=any_of(judges.backbones),
    cache: True
    resources:
        **needs(mem_mb=2500, runtime=60),
    params:
        settings=judges.settings,
        files=plan.digests(judges.files),
    script:
        "../workflow_scripts/pretrain_judge.py"


rule train_judge:
    input:
        pretrained=judges.pretrained,
        data=from_here(plan.data),
    output:
        **RECORD,
        checkpoints=directory("results/runs/{run}/checkpoints"),
        pretrained=directory("results/runs/{run}/pretrained"),
    wildcard_constraints:
        run=plan.pattern("judge"),
    cache: True
    threads: judges.processes
    resources:
        **needs(mem_mb=2500, runtime=240, gpu=plan.gpu),
    params:
        run=plan.name,
        identity=plan.identity,
        data=plan.digests(plan.data),
        cache=plan.cache,
    script:
        "../workflow_scripts/train_judge.py"


rule trace_mechanism:
    input:
        **TRAJECTORY,
        pretrained="results/runs/{run}/pretrained",
    output:
        records=directory("results/runs/{run}/mechanism"),
    wildcard_constraints:
        run=plan.pattern("judge"),
    resources:
        **needs(mem_mb=3000, runtime=120, gpu=plan.gpu),
    params:
        settings=plan.analysis("judge"),
        cache=plan.cache,
    script:
        "../workflow_scripts/trace_mechanism.py"


rule evaluate_judge:
    input:
        **TRAJECTORY,
        records="results/runs/{run}/mechanism",
        pretrained="results/runs/{run}/pretrained",
        jumps="results/runs/{run}/jumps.csv",
    output:
        epochs=reported(
            "results/runs/{run}/epochs.csv", "epochs", category="Tables", labels={"table": "{run}: every epoch"}
        ),
        pages=directory("results/pages/{run}/training_visualizations"),
        book=large_page(
            "results/pages/{run}/book/mechanism.html",
            "mechanism_pages",
            "pages of every epoch",
            category=titled,
            subcategory="{run}",
        ),
        png=reported(
            "results/pages/{run}/mechanism.png", "mechanism", "evolution", category=titled, subcategory="{run}"
        ),
        pdf="results/pages/{run}/mechanism.pdf",
        csv="results/pages/{run}/mechanism.csv",
    wildcard_constraints:
        run=plan.pattern("judge"),
    resources:
        **needs(mem_mb=2500, runtime=60, gpu=plan.gpu),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/evaluate_judge.py"


rule judge:
    input:
        plan.files("results/runs/{run}/epochs.csv", "judge"),
        plan.files("results/pages/{run}/mechanism.png", "judge"),
