# Maps of a layer through training, all moments in one fit, and the decision boundary.


rule map_activations:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
    output:
        places="results/runs/{run}/geometry/map.csv",
        quality="results/runs/{run}/geometry/map_quality.csv",
    log:
        "results/logs/map_activations/{run}.log",
    benchmark:
        "results/benchmarks/map_activations/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("maps"),
        cache=plan.config.cache,
        code=plan.code("map_activations"),
    script:
        "../workflow_scripts/map_activations.py"


rule draw_boundary:
    input:
        config="results/runs/{run}/config.json",
        phase1="results/runs/{run}/phase1.json",
        checkpoints="results/runs/{run}/checkpoints",
        plan="results/runs/{run}/capture_plan.json",
    output:
        steps="results/runs/{run}/geometry/boundary_steps.csv",
        planes="results/runs/{run}/geometry/boundary_planes.csv",
        changes="results/runs/{run}/geometry/boundary_changes.csv",
        regions="results/runs/{run}/geometry/boundary_regions.npz",
    log:
        "results/logs/draw_boundary/{run}.log",
    benchmark:
        "results/benchmarks/draw_boundary/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
        gpu=plan.gpu,
    params:
        settings=plan.analysis("boundary"),
        cache=plan.config.cache,
        code=plan.code("draw_boundary"),
    script:
        "../workflow_scripts/draw_boundary.py"


rule plot_maps:
    input:
        places="results/runs/{run}/geometry/map.csv",
        quality="results/runs/{run}/geometry/map_quality.csv",
        steps="results/runs/{run}/geometry/boundary_steps.csv",
        changes="results/runs/{run}/geometry/boundary_changes.csv",
        regions="results/runs/{run}/geometry/boundary_regions.npz",
    output:
        expand("results/figures/{{study}}/{{run}}/{figure}.pdf", figure=["map", "boundary"]),
        expand("results/figures/{{study}}/{{run}}/{figure}.csv", figure=["map", "boundary"]),
        map=report(
            "results/figures/{study}/{run}/map.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/map.rst",
            labels={"run": "{run}", "figure": "map"},
        ),
        boundary=report(
            "results/figures/{study}/{run}/boundary.png",
            category="{study}",
            subcategory="{run}",
            caption="captions/boundary.rst",
            labels={"run": "{run}", "figure": "decision boundary"},
        ),
        film=report(
            "results/animations/{study}/{run}/map.mp4",
            category="{study}",
            subcategory="animations",
            caption="captions/map_animation.rst",
            labels={"run": "{run}", "figure": "map through training"},
        ),
    log:
        "results/logs/plot_maps/{study}/{run}.log",
    benchmark:
        "results/benchmarks/plot_maps/{study}/{run}.tsv"
    conda:
        "../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10),
    params:
        title=plan.title,
        code=plan.code("plot_maps"),
    script:
        "../workflow_scripts/plot_maps.py"


rule maps:
    input:
        plan.looked_at("results/figures/{study}/{run}/map.png", "dynamics"),
