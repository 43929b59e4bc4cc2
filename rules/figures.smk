# Draw what was found. Every figure is a PNG for the report, a PDF for a paper, and the table that it shows.


rule plot_run:
    input:
        **RECORD,
        jumps=JUMPS["json"],
    output:
        **figure_outputs(*RUN_FIGURES),
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_run.py"


rule figures:
    input:
        figure_files(*FIGURES),
        rules.studies.input,
        rules.circuits.input,
        rules.connectome.input,
