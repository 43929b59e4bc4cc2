# Maps of a layer through training, all moments in one fit, and the decision boundary.

OF_RUN = "results/runs/{run}/geometry"
MAP = {"places": f"{OF_RUN}/map.csv", "quality": f"{OF_RUN}/map_quality.csv"}
BOUNDARY = {name: f"{OF_RUN}/boundary_{name}.csv" for name in ("steps", "changes")}
BOUNDARY["regions"] = f"{OF_RUN}/boundary_regions.npz"


rule map_activations:
    input:
        **MOMENTS,
    output:
        **MAP,
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
        **BOUNDARY,
        planes="results/runs/{run}/geometry/boundary_planes.csv",
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("boundary"),
        cache=plan.config.cache,
    script:
        "../workflow_scripts/draw_boundary.py"


rule plot_maps:
    input:
        **MAP,
        **BOUNDARY,
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
