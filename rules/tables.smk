# The tables of record, and what differs between two configurations or two folders of results.

COMPARISON = {name: f"results/comparison/{name}.csv" for name in ["settings", "numbers", "figures", "files"]}
COMPARISON["page"] = "results/comparison/page.html"


rule list_experiments:
    input:
        configs=plan.files("results/runs/{run}/config.json"),
        records=plan.files("results/runs/{run}/phase1.json"),
        jumps=plan.files("results/runs/{run}/jumps.csv"),
    output:
        table=report(
            "results/tables/experiments.tsv",
            category="Tables",
            caption="captions/experiments.rst",
            labels={"table": "experiments"},
        ),
    log:
        "results/logs/list_experiments.log",
    benchmark:
        "results/benchmarks/list_experiments/all.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        benchmarks="results/benchmarks",
        swept=plan.swept(),
        code=plan.code("list_experiments"),
    script:
        "../workflow_scripts/list_experiments.py"


rule merge_benchmarks:
    input:
        rules.jumps.input,
        rules.figures.input,
    output:
        table=report(
            "results/tables/cost.tsv",
            category="Tables",
            caption="captions/cost.rst",
            labels={"table": "cost of every job"},
        ),
    log:
        "results/logs/merge_benchmarks.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(800),
        runtime=growing(10),
    params:
        benchmarks="results/benchmarks",
        mem_mb=memory_of_rules(),
        code=plan.code("merge_benchmarks"),
    script:
        "../workflow_scripts/merge_benchmarks.py"


rule tables:
    input:
        rules.list_experiments.output,
        rules.merge_benchmarks.output,


rule compare_results:
    output:
        **{
            name: (large_page if name == "page" else report)(
                file,
                category="Comparison",
                caption="captions/comparison.rst",
                labels={"what differs": name},
            )
            for name, file in COMPARISON.items()
        },
    log:
        "results/logs/compare_results.log",
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1500),
        runtime=growing(30),
    params:
        compared=plan.compared,
        state=plan.compared_state,
        code=plan.code("compare_results"),
    script:
        "../workflow_scripts/compare_results.py"


rule compare:
    input:
        rules.compare_results.output,
