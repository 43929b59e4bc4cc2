# Go back into training to the planned moments, once for every run, and look at its networks from all sides there.

from ontogeny.pipeline.examination import OF_LAYERS, REPRESENTATIONS, SETTINGS, examined
from ontogeny.pipeline.figures import of_examination

EXAMINED = examined()
WITHOUT_IMAGES = "|".join(map(plan.pattern, ["judge", "series"]))
FIGURES_OF_RUN = "results/figures/{study}/{run}"


rule examine_run:
    input:
        **MOMENTS,
    output:
        **kept(examined()),
    wildcard_constraints:
        run=plan.pattern("dynamics"),
    resources:
        **needs(mem_mb=2500, runtime=120, gpu=plan.gpu),
    params:
        settings=plan.analyses(*SETTINGS),
        cache=plan.cache,
    script:
        "../workflow_scripts/examine_run.py"


rule examine_layers:
    input:
        **MOMENTS,
    output:
        **kept(examined(*OF_LAYERS)),
    wildcard_constraints:
        run=WITHOUT_IMAGES,
    resources:
        **needs(mem_mb=2500, runtime=60, gpu=plan.gpu),
    params:
        settings=plan.analyses("captures", "geometry", "neurons"),
        cache=plan.cache,
    script:
        "../workflow_scripts/examine_layers.py"


rule intervene:
    input:
        **MOMENTS,
    output:
        table=EXAMINED["interventions"],
    wildcard_constraints:
        run=WITHOUT_IMAGES,
    resources:
        **needs(mem_mb=2000, runtime=30, gpu=plan.gpu),
    params:
        settings=plan.analysis("interventions"),
        cache=plan.cache,
    script:
        "../workflow_scripts/intervene.py"


rule plot_interventions:
    input:
        table=EXAMINED["interventions"],
        config=RECORD["config"],
    output:
        figures=figure_folder(f"{FIGURES_OF_RUN}/interventions", "interventions", "interventions: {figure}"),
    wildcard_constraints:
        run=WITHOUT_IMAGES,
    resources:
        **needs(mem_mb=1000, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_interventions.py"


rule plot_layers:
    input:
        **PLAN,
        **RECORD,
        **examined("geometry", "neurons"),
    output:
        **kept(figure_outputs(*of_examination("judge"))),
    wildcard_constraints:
        run=WITHOUT_IMAGES,
    resources:
        **needs(mem_mb=800, runtime=10),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_layers.py"


rule plot_examination:
    input:
        **RECORD,
        **PLAN,
        **{name: file for name, file in EXAMINED.items() if name != "activations"},
        of_run=[f"{FIGURES_OF_RUN}/{name}.png" for name in RUN_FIGURES],
    output:
        **kept(figure_outputs(*of_examination("dynamics"))),
        animation=kept(reported("results/animations/{study}/{run}/map.mp4", "map_animation", "map through training")),
        features_drawn=figure_folder(f"{FIGURES_OF_RUN}/features", "features", "features: {figure}"),
        interventions_drawn=figure_folder(f"{FIGURES_OF_RUN}/interventions", "interventions", "interventions: {figure}"),
        page=kept(reported("results/pages/{study}/{run}.html", "run_page", "page of the run")),
    wildcard_constraints:
        study=any_of(plan.studies("dynamics")),
        run=plan.pattern("dynamics"),
    resources:
        **needs(mem_mb=1000, runtime=20),
    params:
        title=plan.title,
    script:
        "../workflow_scripts/plot_examination.py"


rule activations:
    input:
        replayed(EXAMINED["activations"]),


rule representations:
    input:
        figure_files(*REPRESENTATIONS),


rule geometry:
    input:
        replayed(EXAMINED["pca_variance"]),
        figure_files("map"),


rule maps:
    input:
        figure_files("map"),


rule neurons:
    input:
        replayed(EXAMINED["comparison"]),
        figure_files("importance"),


rule features:
    input:
        plan.looked_at(f"{FIGURES_OF_RUN}/features", "dynamics"),


rule interventions:
    input:
        plan.looked_at(f"{FIGURES_OF_RUN}/interventions", "dynamics", "series"),
