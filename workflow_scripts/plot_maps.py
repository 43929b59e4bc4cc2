"""Draw the map of a run's layer and its decision boundary through training, and the animation of the map."""

from ontogeny.files import read_table
from ontogeny.geometry.boundary import read_regions
from ontogeny.geometry.map_figures import animate_map, plot_boundary, plot_maps
from ontogeny.pipeline import job
from ontogeny.plotting.style import save_figure

with job(snakemake) as (files, output, params):
    places, quality, steps = map(read_table, (files.places, files.quality, files.steps))
    save_figure(plot_maps(places, quality, params.title), output.map, quality)
    boundary = plot_boundary(read_regions(files.regions), steps, read_table(files.changes), params.title)
    save_figure(boundary, output.boundary, steps)
    animate_map(places, quality, output.animation, params.title)
