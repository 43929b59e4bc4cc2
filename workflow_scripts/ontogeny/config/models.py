"""The model of `config.yaml`, assembled from the blocks that the subjects declare (`ontogeny.*.settings`).

The JSON schema and the reference page are generated from these models (`ontogeny config`), and `load_config` turns
their validation errors into one sentence.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PrivateAttr,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ontogeny.changes.settings import ChangeSettings
from ontogeny.circuits.settings import CircuitSettings
from ontogeny.complexity.settings import ComplexityAnalysisSettings
from ontogeny.config.sweep import Swept
from ontogeny.connectome.settings import ConnectomeStudy
from ontogeny.features.settings import FeatureSettings
from ontogeny.geometry.settings import BoundarySettings, GeometrySettings, MapSettings
from ontogeny.interventions.settings import Intervention, default_interventions
from ontogeny.judge.settings import JudgeAnalysisSettings
from ontogeny.jumps.settings import CaptureSettings, JumpSettings, ValiditySettings
from ontogeny.models.settings import GateModelSettings, JudgeModelSettings, ModelSettings
from ontogeny.neurons.settings import ImportanceSettings, NeuronSettings
from ontogeny.settings import Label, Line, Name, RunSweep, Seeds, Settings, StudySettings, StudySweep, merge
from ontogeny.tasks.known import MODEL_OF
from ontogeny.tasks.settings import GateTaskSettings, JudgeTaskSettings, TaskSettings
from ontogeny.tracking.settings import JudgeTrackingSettings, TrackingSettings
from ontogeny.training.settings import GateTrainingSettings, JudgeTrainingSettings, TrainingSettings
from ontogeny.trajectory.settings import SeriesSettings

CaptureSteps = Annotated[
    list[Annotated[int, Field(ge=0)]],
    Field(description="Additional steps whose activations are captured."),
]


class RunSettings(Settings):
    """One network trained on one task, for one or several seeds."""

    task: TaskSettings = Field(default_factory=TaskSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    seeds: Seeds = Field(default=[0])
    label: Label = None
    sweep: RunSweep = None
    capture_steps: CaptureSteps = Field(default=[])

    @field_validator("task", "model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _fits(self) -> RunSettings:
        needed = MODEL_OF.get(self.task.name)
        if needed != self.model.name and (needed or self.model.name in MODEL_OF.values()):
            tasks = [task for task, model in MODEL_OF.items() if model == self.model.name]
            right = f"model {needed}" if needed else f"task {tasks[0]}"
            raise ValueError(f"task {self.task.name} and model {self.model.name} do not go together: use {right}")
        shock = self.training.shock
        if shock and needed:
            raise ValueError(f"training.shock is for image tasks; {self.task.name} has transitions of its own")
        if shock and shock.step > self.training.steps:
            raise ValueError(f"training.shock.step is {shock.step}, after the last step, {self.training.steps}")
        return self

    @model_validator(mode="after")
    def _consistent(self) -> RunSettings:
        late = [step for step in self.capture_steps if step > self.training.steps]
        if late:
            raise ValueError(f"capture_steps contains {late[0]}, after the last step, {self.training.steps}")
        return self


class CircuitRunSettings(Settings):
    """An ensemble: one small network per seed, all in one run."""

    task: GateTaskSettings = Field(default_factory=GateTaskSettings)
    model: GateModelSettings = Field(default_factory=GateModelSettings)
    training: GateTrainingSettings = Field(default_factory=GateTrainingSettings)
    seeds: Seeds = Field(default=list(range(100)))
    label: Label = None
    sweep: RunSweep = None

    @field_validator("task", mode="before")
    @classmethod
    def _gates_alone(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [value]
        value = {"gates": value} if isinstance(value, list) else value
        if isinstance(value, dict) and isinstance(value.get("gates"), str):
            value = {**value, "gates": [value["gates"]]}
        return value


class JudgeRunSettings(Settings):
    """A transformer fine-tuned to separate safe from unsafe prompts, for one or several seeds."""

    task: JudgeTaskSettings = Field(default_factory=JudgeTaskSettings)
    model: JudgeModelSettings = Field(default_factory=JudgeModelSettings)
    training: JudgeTrainingSettings = Field(default_factory=JudgeTrainingSettings)
    tracking: JudgeTrackingSettings = Field(default_factory=JudgeTrackingSettings)
    seeds: Seeds = Field(default=[0])
    label: Label = None
    sweep: RunSweep = None
    capture_steps: CaptureSteps = Field(default=[])

    @field_validator("task", "model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any, info: ValidationInfo) -> Any:
        return {"prompts" if info.field_name == "task" else "name": value} if isinstance(value, str | list) else value


IDENTITY = {
    "dynamics": ("task", "model", "training", "tracking"),
    "circuits": ("task", "model", "training"),
    "connectome": ("simulation", "fit"),
    "judge": ("task", "model", "training", "tracking"),
}
"""The blocks of settings that, with the seeds, determine what a run computes. Labels and captures do not."""


class Analyses(Settings):
    """Everything that reads a trajectory. Changing a key here never retrains anything."""

    seeds: Literal["all", "first", "none"] = Field(
        default="first",
        description="Seeds of a run whose captured moments are analysed: activations, geometry, neurons, features, "
        "interventions. Jumps are detected in all seeds.",
    )
    jumps: JumpSettings = Field(default_factory=JumpSettings)
    validity: ValiditySettings = Field(default_factory=ValiditySettings)
    captures: CaptureSettings = Field(default_factory=CaptureSettings)
    geometry: GeometrySettings = Field(default_factory=GeometrySettings)
    maps: MapSettings = Field(default_factory=MapSettings)
    boundary: BoundarySettings = Field(default_factory=BoundarySettings)
    neurons: NeuronSettings = Field(default_factory=NeuronSettings)
    importance: ImportanceSettings = Field(default_factory=ImportanceSettings)
    features: FeatureSettings = Field(default_factory=FeatureSettings)
    interventions: list[Intervention] = Field(
        default_factory=default_interventions,
        description="Interventions on every run; the kinds are listed below.",
    )
    changes: ChangeSettings = Field(default_factory=ChangeSettings)
    circuits: CircuitSettings = Field(default_factory=CircuitSettings)
    judge: JudgeAnalysisSettings = Field(default_factory=JudgeAnalysisSettings)
    complexity: ComplexityAnalysisSettings = Field(default_factory=ComplexityAnalysisSettings)


class DynamicsStudy(StudySettings):
    """Networks whose representations are measured at every step."""

    kind: Literal["dynamics"] = "dynamics"
    sweep: StudySweep = None
    runs: dict[Name, RunSettings] = Field(
        min_length=1, description="The runs, by name. Names must be unique across studies."
    )


class CircuitsStudy(StudySettings):
    """Ensembles of small networks on logic gates; all their circuits are enumerated."""

    SHORT: ClassVar[dict[str, str]] = {"task": "gates"}

    kind: Literal["circuits"] = "circuits"
    sweep: StudySweep = None
    runs: dict[Name, CircuitRunSettings] = Field(
        min_length=1, description="The ensembles, by name; the others are compared with the first."
    )


class JudgeStudy(StudySettings):
    """Judges of prompts, whose mechanism is followed through fine-tuning."""

    SHORT: ClassVar[dict[str, str]] = {"task": "prompts", "model": "name"}

    kind: Literal["judge"] = "judge"
    sweep: StudySweep = None
    runs: dict[Name, JudgeRunSettings] = Field(
        min_length=1, description="The runs, by name. Names must be unique across studies."
    )


class SeriesStudy(StudySettings):
    """Networks whose checkpoints were saved by other programs."""

    SHORT: ClassVar[dict[str, str]] = {}

    runs: dict[Name, SeriesSettings] = Field(
        min_length=1, description="The series, by name. Names must be unique across studies."
    )

    @property
    def kind(self) -> str:
        """Their representations are measured as those of trained runs are."""
        return "dynamics"


def _kind(study: Any) -> str:
    return study.get("kind", "dynamics") if isinstance(study, dict) else getattr(study, "kind", "dynamics")


Study = Annotated[
    Annotated[DynamicsStudy, Tag("dynamics")]
    | Annotated[CircuitsStudy, Tag("circuits")]
    | Annotated[ConnectomeStudy, Tag("connectome")]
    | Annotated[JudgeStudy, Tag("judge")],
    Discriminator(_kind),
]


class ImportSettings(Settings):
    """Phase 1 records of training elsewhere. A bare path, or a list of paths, is short for `{records: ...}`."""

    records: list[str] = Field(min_length=1, description="Files, folders or glob patterns of records.")
    title: Line | None = Field(default=None, description="Title in figures and report; default: the group's key.")
    on_problem: Literal["drop", "stop"] = Field(
        default="drop", description="How to handle unusable values: drop them and note it, or stop."
    )
    analyses: dict[str, Any] = Field(
        default={}, description="Analysis settings of this group; they override the top level."
    )


def _imports(value: Any) -> Any:
    """A bare path, or a list of paths, as the group `imported`."""
    if isinstance(value, str | list):
        value = {"imported": value}
    if isinstance(value, dict):
        value = {
            key: {"records": [item] if isinstance(item, str) else item} if isinstance(item, str | list) else item
            for key, item in value.items()
        }
    return value


class Config(Settings):
    """The complete `config.yaml`."""

    studies: dict[Name, Study] = Field(default={}, description="The studies, by name.")
    phase1_imports: Annotated[
        dict[Name, ImportSettings],
        BeforeValidator(_imports, json_schema_input_type=str | list[str] | dict[str, str | list[str] | ImportSettings]),
    ] = Field(
        default={}, description="Records of training elsewhere, by group; their analysis starts with jump detection."
    )
    trajectory_imports: dict[Name, SeriesStudy] = Field(
        default={}, description="Series of checkpoints saved elsewhere, by group; each is a run in every rule."
    )
    analyses: Analyses = Field(default_factory=Analyses)
    cache: str = Field(default="cache", description="Folder for downloaded data sets.")
    container: str | None = Field(
        default=None, description="Container image for `--sdm apptainer`: the path of a .sif file, or an address."
    )
    compare: Annotated[list[str], Field(min_length=2, max_length=2)] | None = Field(
        default=None, description="Two configurations or two folders of results that the target `compare` compares."
    )
    _swept: dict[tuple[str, str], Swept] = PrivateAttr(default_factory=dict)

    @property
    def groups(self) -> dict[str, Any]:
        """The studies, and the groups of imported series, which have runs too."""
        return {**self.studies, **self.trajectory_imports}

    @property
    def swept(self) -> dict[tuple[str, str], Swept]:
        """The origin of runs created by sweeps, by study and key."""
        return self._swept

    def place_of(self, study: str, run: str) -> tuple[str, ...]:
        """The keys under which the run of a study, or of a group of imported series, stands."""
        return ("studies" if study in self.studies else "trajectory_imports", study, "runs", run)

    def analyses_of(self, study: str) -> Analyses:
        """The analysis settings of one study: the top level, overridden by the study's own."""
        own = (self.groups.get(study) or self.phase1_imports[study]).analyses
        return Analyses.model_validate(merge(self.analyses.model_dump(), own))
