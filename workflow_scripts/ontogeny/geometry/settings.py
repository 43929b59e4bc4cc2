"""Settings of the geometry of activations: components, clusters, representations, maps, decision boundary."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ontogeny.settings import Positive, Settings


class RepresentationSettings(Settings):
    """Comparison of the layers' representations: similarity, subspaces, dimension, linear probes, collapse."""

    most_moments: int = Field(
        default=6,
        ge=2,
        le=100,
        description="Moments compared: start, end, then the strongest jumps and transitions, and controls.",
    )
    most_samples: int = Field(default=500, ge=20, le=5000, description="Probe samples compared, drawn at random.")
    k: Positive = Field(default=5, description="Principal components that span a subspace.")
    folds: int = Field(default=2, ge=2, le=20, description="Folds of the cross-validation of linear probes.")


class GeometrySettings(Settings):
    """PCA, clustering and comparison of the captured activations."""

    components: Positive = Field(default=10, description="Principal components kept.")
    clusters: list[Annotated[int, Field(ge=2, le=100)]] = Field(
        default=[2, 3, 4, 5, 6, 8, 10],
        min_length=1,
        description="Numbers of clusters tried; the most stable one is taken.",
    )
    seed: int = Field(default=0, ge=0, description="Seed of the clustering, of shuffling and of resampling.")
    representations: RepresentationSettings = Field(default_factory=RepresentationSettings)


class MapSettings(Settings):
    """The map of one layer through training, all moments in one fit."""

    method: Literal["tsne", "umap"] = Field(
        default="tsne",
        description="Dynamic t-SNE, or aligned UMAP, whose compilation alone takes most of a minute per run.",
    )
    layer: str | None = Field(default=None, description="Layer by display name; the last but one, if not given.")
    frames: int = Field(
        default=12,
        ge=2,
        le=200,
        description="About how many steps are mapped; the strongest jumps and transitions are added.",
    )
    samples: int = Field(default=256, ge=24, le=2000, description="Probe samples that are mapped, from the first on.")
    neighbours: float | None = Field(
        default=None,
        ge=2,
        description="Perplexity, or UMAP's neighbours; 30, or a quarter of the samples, if not given.",
    )
    coupling: float = Field(
        default=0.1, ge=0, description="How strongly a sample is held in its place between moments."
    )
    seed: int = Field(default=0, ge=0, description="Seed of the null maps, and of UMAP.")


class BoundarySettings(Settings):
    """The decision boundary: margins, distances, and its course through planes of the inputs."""

    frames: int = Field(default=6, ge=2, le=100, description="Steps at which it is measured, besides those at jumps.")
    strongest: int = Field(
        default=2, ge=0, description="Jumps before and after which it is measured, and their controls."
    )
    planes: int = Field(default=4, ge=1, le=200, description="Planes of three inputs each.")
    resolution: int = Field(default=48, ge=10, le=500, description="Points along a side of a plane.")
    samples: int = Field(default=256, ge=3, description="Probe samples whose margins and distances are measured.")
    seed: int = Field(default=0, ge=0, description="Seed of the triples of inputs, and of the bootstrap.")
