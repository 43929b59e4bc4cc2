"""Every setting of the geometry of activations, of maps and of the decision boundary changes the tables of a run."""

import pytest
from settings_walk import Walk, cases
from small_runs import MOMENTS, digest, small_activations, small_run

from ontogeny.activations import read_activations
from ontogeny.geometry.map_run import boundary_of_run, map_of_run
from ontogeny.geometry.representations import representations_of_run
from ontogeny.geometry.run import clusters_of_run, pca_of_run
from ontogeny.geometry.settings import BoundarySettings, GeometrySettings, MapSettings, RepresentationSettings

FEW = [MOMENTS[0], MOMENTS[1], MOMENTS[-1]]


def activations():
    return read_activations(small_activations(("Linear_1",), (0, 6, 16)))


def geometry(settings):
    with activations() as file:
        found = [pca_of_run(file, settings), clusters_of_run(file, settings)]
        return digest([*found, representations_of_run(file, FEW[::2], settings)])


def representations(settings):
    with activations() as file:
        return digest(representations_of_run(file, FEW, GeometrySettings(representations=settings)))


def boundary(settings):
    return digest(boundary_of_run(small_run(), MOMENTS, settings))


WALKS = [
    Walk(
        GeometrySettings,
        geometry,
        {"components": 3, "clusters": [3], "seed": 1, "representations": {"k": 2}},
        base={"components": 2, "clusters": [2]},
    ),
    Walk(
        RepresentationSettings,
        representations,
        {"most_moments": 3, "most_samples": 30, "k": 2, "folds": 3},
        base={"most_moments": 2, "most_samples": 40},
    ),
    Walk(
        MapSettings,
        lambda settings: digest(map_of_run(small_run(), MOMENTS[:1], settings)),
        {"layer": "Linear_0", "frames": 3, "samples": 30, "neighbours": 3.0, "coupling": 0.5, "seed": 1},
        {"method": "aligned UMAP compiles for most of a minute; a slow test of the maps shows that it acts"},
        {"frames": 2, "samples": 24},
    ),
    Walk(
        BoundarySettings,
        boundary,
        {"frames": 3, "strongest": 0, "planes": 2, "resolution": 12, "samples": 30, "seed": 1},
        base={"frames": 2, "strongest": 1, "planes": 1, "resolution": 10, "samples": 24},
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_every_setting_changes_what_it_governs(walk, name):
    walk.check(name)
