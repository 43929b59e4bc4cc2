# Maps of a layer through training, all moments in one fit, and the decision boundary.


rule map_activations:
    input:
        **MOMENTS,
    output:
        places="results/runs/{run}/geometry/map.csv",
        quality="results/runs/{run}/geometry/map_quality.csv",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("maps"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/map_activations.py"


rule draw_boundary:
    input:
        **MOMENTS,
    output:
        steps="results/runs/{run}/geometry/boundary_steps.csv",
        planes="results/runs/{run}/geometry/boundary_planes.csv",
        changes="results/runs/{run}/geometry/boundary_changes.csv",
        regions="results/runs/{run}/geometry/boundary_regions.npz",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("boundary"),
        cache=plan.config.cache,
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
        **figure_outputs("map", "boundary"),
        animation=reported("results/animations/{study}/{run}/map.mp4", "map_animation", "map through training"),
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_maps.py"


rule maps:
    input:
        figure_files("map"),
