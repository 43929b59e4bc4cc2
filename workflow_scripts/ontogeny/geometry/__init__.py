"""The shape of a layer's activations over training: components, clusters, similarity, dimension, probes, collapse."""

from ontogeny.geometry.clusters import Agreement, Clustering, agreement, cluster
from ontogeny.geometry.collapse import NeuralCollapse, dimensional_collapse, effective_rank, neural_collapse
from ontogeny.geometry.components import PCA, pca, projection_table, variance_table
from ontogeny.geometry.dimension import IntrinsicDimension, two_nn
from ontogeny.geometry.probes import Probe, compare_probes, linear_probe
from ontogeny.geometry.similarity import Overlap, Similarity, cka, procrustes, subspace_overlap

__all__ = [
    "PCA",
    "Agreement",
    "Clustering",
    "IntrinsicDimension",
    "NeuralCollapse",
    "Overlap",
    "Probe",
    "Similarity",
    "agreement",
    "cka",
    "cluster",
    "compare_probes",
    "dimensional_collapse",
    "effective_rank",
    "linear_probe",
    "neural_collapse",
    "pca",
    "procrustes",
    "projection_table",
    "subspace_overlap",
    "two_nn",
    "variance_table",
]
