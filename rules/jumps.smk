# Find the jumps of every measured series, and the moments that are worth a closer look.


rule detect_jumps:
    input:
        phase1="results/runs/{run}/phase1.json",
    output:
        **JUMPS,
    wildcard_constraints:
        run=plan.all_but("connectome"),
    resources:
        **needs(mem_mb=800, runtime=20),
    params:
        settings=plan.analysis("jumps"),
    script:
        "../workflow_scripts/detect_jumps.py"


rule plan_captures:
    input:
        phase1="results/runs/{run}/phase1.json",
        jumps="results/runs/{run}/jumps.json",
        config=RECORD["config"],
    output:
        plan="results/runs/{run}/capture_plan.json",
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        settings=plan.analyses("captures", "jumps"),
        steps=plan.capture_steps,
    script:
        "../workflow_scripts/plan_captures.py"


rule measure_validity:
    input:
        module=from_here(lambda wildcards: file_of_module(wildcards.detector)),
    output:
        table="results/validity/{detector}/validity.csv",
        png=reported(
            "results/validity/{detector}/validity_figure.png",
            "validity",
            category="Validity of detectors",
            labels={"detector": "{detector}"},
        ),
    resources:
        **needs(mem_mb=1000, runtime=60),
    params:
        settings=plan.config.analyses.validity.model_dump(mode="json"),
        files=plan.digests(lambda wildcards: file_of_module(wildcards.detector)),
    script:
        "../workflow_scripts/measure_validity.py"


rule validity:
    input:
        expand("results/validity/{detector}/validity.csv", detector=plan.config.analyses.validity.detectors),


rule jumps:
    input:
        plan.files("results/runs/{run}/jumps.csv"),
        replayed("results/runs/{run}/capture_plan.json"),
