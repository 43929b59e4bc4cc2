from .boundary import (
    Plane,
    Regions,
    boundary_of_moments,
    distance_linearised,
    distance_on_lines,
    margins,
    plane_of_components,
    plane_of_three,
    regions,
    share_changed,
)
from .clusters import Agreement, Clustering, agreement, cluster
from .collapse import NeuralCollapse, dimensional_collapse, effective_rank, neural_collapse
from .components import PCA, pca, projection_table, variance_table
from .dimension import IntrinsicDimension, two_nn
from .maps import Maps, fit_maps, label_agreement, map_moments, map_quality
from .probes import Probe, compare_probes, linear_probe
from .similarity import Overlap, Similarity, cka, procrustes, subspace_overlap

__all__ = [
    "Agreement",
    "Clustering",
    "IntrinsicDimension",
    "Maps",
    "NeuralCollapse",
    "Overlap",
    "PCA",
    "Plane",
    "Probe",
    "Regions",
    "Similarity",
    "agreement",
    "boundary_of_moments",
    "cka",
    "cluster",
    "compare_probes",
    "dimensional_collapse",
    "distance_linearised",
    "distance_on_lines",
    "effective_rank",
    "fit_maps",
    "label_agreement",
    "linear_probe",
    "map_moments",
    "map_quality",
    "margins",
    "neural_collapse",
    "pca",
    "plane_of_components",
    "plane_of_three",
    "procrustes",
    "projection_table",
    "regions",
    "share_changed",
    "subspace_overlap",
    "two_nn",
    "variance_table",
]
