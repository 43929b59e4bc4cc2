"""The register of what is measured on the networks of a run at its captured moments, all from one replay of training.

An entry of `PARTS` says which files a measurement writes, which settings it obeys, and which other measurements it
reads. From it come the outputs of the rules that examine runs. A file is an output of the name of its stem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ontogeny.files import read_table, write_csv
from ontogeny.geometry.settings import BoundarySettings, GeometrySettings, MapSettings
from ontogeny.pipeline.parts import Part, Parts

if TYPE_CHECKING:
    from ontogeny.activations.store import ActivationFile
    from ontogeny.jumps.plan import Moment
    from ontogeny.trajectory import Trajectory


@dataclass(frozen=True)
class Examined:
    """A run that is examined: its trajectory and moments, the settings by block, and the file of every output."""

    trajectory: Trajectory
    moments: Sequence[Moment]
    settings: Mapping[str, Any]
    files: Mapping[str, str]

    def activations(self) -> ActivationFile:
        """The file of activations, to be closed."""
        from ontogeny.activations.store import read_activations

        return read_activations(self.files["activations"], self.trajectory.config["identity"])

    def write(self, tables: Mapping[str, Any]) -> None:
        """Write tables by the names of their outputs."""
        for name, table in tables.items():
            write_csv(self.files[name], table)

    @property
    def captured(self) -> set[int]:
        """The steps before, at and after all moments."""
        return {step for moment in self.moments for step in moment.steps}


def _activations(run: Examined) -> None:
    from ontogeny.activations.extract import extract_activations

    path, dtype = run.files["activations"], run.settings["captures"]["dtype"]
    extract_activations(run.trajectory, run.captured, path, dtype=dtype)


def _interventions(run: Examined) -> None:
    from ontogeny.interventions.moments import interventions_of_run

    run.write({"interventions": interventions_of_run(run.trajectory, run.moments, run.settings["interventions"])})


def _intervened(run: Examined) -> Iterable[int]:
    from ontogeny.interventions.moments import steps_of_interventions

    return steps_of_interventions(run.settings["interventions"], run.moments)


def _geometry(run: Examined) -> None:
    from ontogeny.geometry.representations import representations_of_run
    from ontogeny.geometry.run import clusters_of_run, pca_of_run

    settings = GeometrySettings(**run.settings["geometry"])
    with run.activations() as activations:
        variance, projections = pca_of_run(activations, settings)
        choice, by_step, assignments = clusters_of_run(activations, settings)
        run.write(representations_of_run(activations, run.moments, settings))
    run.write({"pca_variance": variance, "pca_projections": projections})
    run.write({"cluster_choice": choice, "cluster_by_step": by_step, "clusters": assignments})


def _neurons(run: Examined) -> None:
    from ontogeny.neurons.run import neurons_of_run
    from ontogeny.neurons.settings import NeuronSettings

    with run.activations() as activations:
        units, summary = neurons_of_run(activations, run.moments, NeuronSettings(**run.settings["neurons"]))
    run.write({"comparison": units, "summary": summary})


def _importance(run: Examined) -> None:
    from ontogeny.neurons.importance_run import importance_of_run
    from ontogeny.neurons.settings import ImportanceSettings

    run.write(importance_of_run(run.trajectory, run.moments, ImportanceSettings(**run.settings["importance"])))


def _map(run: Examined) -> None:
    from ontogeny.geometry.map_run import map_of_run

    places, quality = map_of_run(run.trajectory, run.moments, MapSettings(**run.settings["maps"]))
    run.write({"map": places, "map_quality": quality})


def _boundary(run: Examined) -> None:
    from ontogeny.geometry.boundary import write_regions
    from ontogeny.geometry.map_run import boundary_of_run

    settings = BoundarySettings(**run.settings["boundary"])
    steps, planes, changes, arrays = boundary_of_run(run.trajectory, run.moments, settings)
    run.write({"boundary_steps": steps, "boundary_planes": planes, "boundary_changes": changes})
    write_regions(run.files["boundary_regions"], arrays)


def _features(run: Examined) -> None:
    from ontogeny.features.run import features_of_run
    from ontogeny.features.settings import FeatureSettings

    settings = FeatureSettings(**run.settings["features"])
    run.write(features_of_run(run.trajectory, run.moments, run.files["features"], settings))


def _changes(run: Examined) -> None:
    from ontogeny.changes.run import changes_of_run
    from ontogeny.changes.settings import ChangeSettings

    units, importance = read_table(run.files["comparison"]), read_table(run.files["importance"])
    settings = ChangeSettings(**run.settings["changes"])
    with run.activations() as activations:
        changes, flipped = changes_of_run(run.trajectory, run.moments, activations, units, importance, settings)
    run.write({"changes": changes, "flipped": flipped})


def _none(run: Examined) -> Iterable[int]:
    return ()


def _captured(run: Examined) -> set[int]:
    return run.captured


def _mapped(run: Examined) -> Iterable[int]:
    from ontogeny.geometry.map_run import steps_of_map

    return steps_of_map(run.trajectory, run.moments, MapSettings(**run.settings["maps"]))


def _bounded(run: Examined) -> Iterable[int]:
    from ontogeny.geometry.map_run import steps_of_boundary

    return steps_of_boundary(run.trajectory, run.moments, BoundarySettings(**run.settings["boundary"]))


@dataclass(frozen=True, kw_only=True)
class Measurement(Part):
    """A part of the examination of a run.

    work: what makes it. steps: those whose networks it looks at; none, by default. folder: where its files lie below
    that of the run; suffixes: of its outputs that are no tables.
    """

    work: Callable[[Examined], None]
    steps: Callable[[Examined], Iterable[int]] = _none
    folder: str = ""
    suffixes: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> dict[str, str]:
        """Output to its file, below the folder of the run."""
        names = {name: f"{name}.{self.suffixes.get(name, 'csv')}" for name in self.outputs}
        return {name: f"{self.folder}/{file}" if self.folder else file for name, file in names.items()}


SHAPES = ("pca_variance", "pca_projections", "cluster_choice", "cluster_by_step", "clusters")
REPRESENTATIONS = ("similarity", "subspaces", "dimension", "probes", "collapse")
WORTH = ("importance", "importance_agreement", "importance_change", "selectivity", "health")
SEEN = ("attribution_control", "heads", "filters", "top_inputs", "top_inputs_control", "preferred_inputs",
        "attributions", "left_out", "features")  # fmt: skip
BOUNDARY = ("boundary_steps", "boundary_planes", "boundary_changes", "boundary_regions")
PARTS = {
    "interventions": Measurement(
        ("interventions",), code=("interventions/moments.py",), settings=("interventions",),
        work=_interventions, steps=_intervened, folder="interventions",
    ),
    "activations": Measurement(
        ("activations",), code=("activations/extract.py",), settings=("captures",),
        work=_activations, steps=_captured, suffixes={"activations": "h5"},
    ),
    "geometry": Measurement(
        (*SHAPES, *REPRESENTATIONS), code=("geometry/run.py", "geometry/representations.py"), reads=("activations",),
        settings=("geometry",), work=_geometry, folder="geometry",
    ),
    "neurons": Measurement(
        ("comparison", "summary"), code=("neurons/run.py",), reads=("activations",), settings=("neurons",),
        work=_neurons, folder="neurons",
    ),
    "importance": Measurement(
        WORTH, code=("neurons/importance_run.py",), settings=("importance",),
        work=_importance, steps=_captured, folder="neurons",
    ),
    "map": Measurement(
        ("map", "map_quality"), code=("geometry/map_run.py",), settings=("maps",),
        work=_map, steps=_mapped, folder="geometry",
    ),
    "boundary": Measurement(
        BOUNDARY, code=("geometry/map_run.py",), settings=("boundary",),
        work=_boundary, steps=_bounded, folder="geometry", suffixes={"boundary_regions": "npz"},
    ),
    "features": Measurement(
        SEEN, code=("features/run.py",), settings=("features",),
        work=_features, steps=_captured, folder="features", suffixes={"features": "h5"},
    ),
    "changes": Measurement(
        ("changes", "flipped"), code=("changes/run.py",), reads=("activations", "comparison", "importance"),
        settings=("changes",), work=_changes, steps=_captured, folder="changes",
    ),
}  # fmt: skip
"""What is measured, in this order: first what a user declares, and may have declared wrongly."""
OF_LAYERS = ("activations", "geometry", "neurons")
"""What is measured of any run; the rest is for networks that read real numbers, such as images."""
SETTINGS = tuple(block for part in PARTS.values() for block in part.settings)


def examined(*names: str) -> dict[str, str]:
    """Output to file, with the wildcard `run`, of the parts `names` (all, if none are named)."""
    chosen = [PARTS[name] for name in names or PARTS]
    return {output: f"results/runs/{{run}}/{file}" for part in chosen for output, file in part.files.items()}


def examine(snakemake: Any, trajectory: Trajectory, moments: Iterable[Moment]) -> None:
    """Measure what the job of `snakemake` declares and has not measured yet, replaying the run at most once."""
    files = {name: str(file) for name, file in snakemake.output.items()}
    run = Examined(trajectory, list(moments), snakemake.params.settings, files)
    parts = Parts(snakemake, PARTS, "pipeline/examination.py", ("config", "phase1", "checkpoints", "data", "plan"))
    looked_at = [steps for name in parts.pending() if (steps := set(PARTS[name].steps(run)))]
    if len(looked_at) > 1:
        trajectory.keep(set().union(*looked_at))
    for name in parts.parts:
        parts.make(name, partial(PARTS[name].work, run))
