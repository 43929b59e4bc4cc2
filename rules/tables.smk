# The tables of record, and what differs between two configurations or two folders of results.

COMPARISON = {name: f"results/comparison/{name}.csv" for name in ["settings", "numbers", "figures", "files"]}
COMPARISON["page"] = "results/comparison/page.html"


rule list_experiments:
    input:
        configs=plan.files("results/runs/{run}/config.json"),
        records=plan.files("results/runs/{run}/phase1.json"),
        jumps=plan.files("results/runs/{run}/jumps.csv"),
    output:
        table=reported(
            "results/tables/experiments.tsv", "experiments", category="Tables", labels={"table": "experiments"}
        ),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        swept=plan.swept(),
    script:
        "../workflow_scripts/list_experiments.py"


rule summarise:
    input:
        plan.summary_inputs(),
    output:
        summary="results/SUMMARY.md",
        page=SUMMARY_PAGE,
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        studies=plan.summarised(),
    script:
        "../workflow_scripts/summarise.py"


rule summary:
    input:
        rules.summarise.output,


rule merge_benchmarks:
    input:
        rules.jumps.input,
        rules.figures.input,
    output:
        table=reported("results/tables/cost.tsv", "cost", category="Tables", labels={"table": "cost of every job"}),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        mem_mb=book.memory(),
    script:
        "../workflow_scripts/merge_benchmarks.py"


rule tables:
    input:
        rules.summarise.output,
        rules.list_experiments.output,
        rules.merge_benchmarks.output,


rule compare_results:
    output:
        **{
            name: (large_page if name == "page" else reported)(
                file, "comparison", category="Comparison", labels={"what differs": name}
            )
            for name, file in COMPARISON.items()
        },
    resources:
        **needs(mem_mb=1500, runtime=30),
    params:
        compared=plan.compared,
        state=plan.compared_state,
    script:
        "../workflow_scripts/compare_results.py"


rule compare:
    input:
        rules.compare_results.output,
