"""The shape of a layer's activations: principal components and clusters, over steps of training."""

from ontogeny.geometry.clusters import Agreement, Clustering, agreement, cluster
from ontogeny.geometry.components import PCA, pca, projection_table, variance_table

__all__ = [
    "PCA",
    "Agreement",
    "Clustering",
    "agreement",
    "cluster",
    "pca",
    "projection_table",
    "variance_table",
]
