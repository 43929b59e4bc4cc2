"""What `config.yaml` may say: every key with its type, range, default and meaning.

These models are the one place where settings are declared. The JSON schema and the reference page are made from
them (`ontogeny config`), and `load_config` turns what they refuse into one sentence.
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

from ontogeny.config.base import Label, Name, Positive, Seeds, Settings, Share, StudySettings, merge
from ontogeny.config.connectome import ConnectomeStudy
from ontogeny.config.inside import (
    ChangeSettings,
    FeatureSettings,
    ImportanceSettings,
    Intervention,
    default_interventions,
)
from ontogeny.config.judge import JudgeAnalysisSettings, JudgeModelSettings, JudgeTaskSettings, JudgeTrainingSettings
from ontogeny.config.sweep import RunSweep, StudySweep, Swept

ImageTask = Literal["digits", "mnist", "fashion_mnist", "cifar10"]
ModelName = Literal[
    "mlp",
    "mlp_shallow_2",
    "mlp_medium_5",
    "mlp_deep_10",
    "mlp_verydeep_15",
    "mlp_narrow",
    "mlp_medium",
    "mlp_wide",
    "mlp_verywide",
    "cnn_shallow",
    "cnn_medium",
    "cnn_deep",
    "resnet_small",
    "transformer_shallow",
    "transformer_medium",
    "transformer_deep",
    "transformer_narrow",
    "vit",
    "vit_tiny",
]
CaptureSteps = Annotated[
    list[Annotated[int, Field(ge=0)]],
    Field(description="Steps whose activations are kept besides those at jumps."),
]
Metric = Literal[
    "stable_rank", "participation_ratio", "participation_ratio_covariance", "cumulative_90", "nuclear_norm_ratio"
]


class TaskSettings(Settings):
    """What is learned. A bare name stands for `{name: ...}`."""

    name: ImageTask = Field(
        "digits", description="Data set. `digits` ships with scikit-learn; the others are fetched once and cached."
    )
    path: str | None = Field(None, description="A local `.npz` with `x` and `y`, read instead of fetching.")
    n_train: Positive | None = Field(
        None, description="Training images; all that the other splits leave, if not given."
    )
    n_validation: Positive = Field(360, description="Validation images, never trained on.")
    n_probe: Positive = Field(256, description="Held-out images on which every measurement of a run is made.")
    split_seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of the splits; the same for all runs that are to be compared."
    )
    standardise: bool = Field(
        True, description="Subtract the mean and divide by the standard deviation of the training images."
    )


class ModelSettings(Settings):
    """The network. A bare name stands for `{name: ...}`; the other keys replace that model's own defaults."""

    name: ModelName = Field("mlp", description="One of the networks of `ontogeny.models`.")
    hidden: list[Positive] | None = Field(None, description="Widths of the hidden layers (MLP).")
    channels: list[Positive] | None = Field(None, description="Channels of the convolutions (CNN).")
    width: Positive | None = Field(None, description="Model width (Transformer, ViT).")
    depth: Positive | None = Field(None, description="Number of blocks (Transformer, ViT).")
    heads: Positive | None = Field(None, description="Attention heads a block (Transformer, ViT).")
    feedforward: Positive | None = Field(None, description="Width of the feed-forward layers (Transformer, ViT).")
    patch: Positive | None = Field(None, description="Side of a patch in pixels (ViT).")
    tokens: Positive | None = Field(
        None,
        description="Pieces that the flattened image is cut into (Transformer; 16 as published); rows, if not given.",
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout probability.")
    activation: Literal["relu", "gelu", "tanh", "leaky_relu"] | None = Field(None, description="Nonlinearity.")

    def overrides(self) -> dict[str, Any]:
        """The keys that were given, besides the name."""
        return {key: value for key, value in self.model_dump(exclude={"name"}).items() if value is not None}


class TrainingSettings(Settings):
    """How the network is trained."""

    steps: Positive = Field(400, description="Optimisation steps.")
    batch_size: Positive = Field(64, description="Images a step.")
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="Optimiser.")
    learning_rate: float = Field(1e-3, gt=0, le=100, description="Learning rate after warm-up.")
    weight_decay: float = Field(0.01, ge=0, le=10, description="Decoupled weight decay (AdamW), L2 for the others.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Momentum (SGD only).")
    schedule: Literal["constant", "cosine"] = Field(
        "constant", description="Learning rate over the run, after warm-up."
    )
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up.")
    gradient_clip: float | None = Field(
        None, gt=0, description="Largest gradient norm; longer gradients are scaled down."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Label smoothing of the cross-entropy.")
    checkpoint_every: Positive = Field(
        100, description="Steps between checkpoints; steps in between are replayed when asked for."
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="Where it runs. Replay is exact, bit for bit, on the CPU."
    )


class TrackingSettings(Settings):
    """What is measured while the network trains, and how often."""

    every: Positive = Field(1, description="Steps between measurements.")
    metrics: list[Metric] = Field(
        ["stable_rank", "participation_ratio", "cumulative_90", "nuclear_norm_ratio"],
        min_length=1,
        description="Dimensionality metrics of every monitored layer's activations.",
    )
    source: Literal["probe", "batch"] = Field(
        "probe", description="Measured on the fixed probe batch in eval mode, or on the live batch."
    )
    rows: Literal["auto", "samples", "positions", "pooled"] = Field(
        "auto",
        description="What a row of a layer's activation matrix is, where a layer has positions (pixels, tokens).",
    )
    centre: bool = Field(False, description="Subtract each column's mean first.")
    layers: list[str] | None = Field(
        None, min_length=1, description="Layers to monitor, by display name or module path; all, if not given."
    )


class RunSettings(Settings):
    """One network trained on one task, for one or several seeds."""

    task: TaskSettings = Field(default_factory=TaskSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    training: TrainingSettings = Field(default_factory=TrainingSettings)
    tracking: TrackingSettings = Field(default_factory=TrackingSettings)
    seeds: Seeds = Field([0])
    label: Label = None
    sweep: RunSweep = None
    capture_steps: CaptureSteps = Field([])

    @field_validator("task", "model", mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> RunSettings:
        late = [step for step in self.capture_steps if step > self.training.steps]
        if late:
            raise ValueError(f"capture_steps asks for step {late[0]}, after the last step, {self.training.steps}")
        return self


class GateTaskSettings(Settings):
    """Logic gates, learned from samples of their truth tables. A bare name, or a list of them, is `{gates: ...}`."""

    gates: list[str | list[Annotated[int, Field(ge=0, le=1)]]] = Field(
        ["XOR"],
        min_length=1,
        description="Gates by name, or truth tables by their bits; one output of the network each.",
    )
    n_samples_train: Positive = Field(1000, description="Training samples.")
    n_samples_val: Positive = Field(20, description="Validation samples a combination of inputs.")
    n_repeats: Positive = Field(1, description="Times that the validation samples are repeated.")
    noise_std: float = Field(0.0, ge=0, description="Standard deviation of Gaussian noise on the inputs.")
    noise_copies: Positive = Field(1, description="Noisy copies of every sample.")
    weights: str | list[Annotated[float, Field(ge=0)]] | None = Field(
        None, description="Probabilities of the combinations of inputs; equal, if not given."
    )


class GateModelSettings(Settings):
    """A small MLP whose circuits can be enumerated."""

    hidden: list[Positive] = Field([3, 3], min_length=1, description="Widths of the hidden layers.")
    activation: Literal["leaky_relu", "relu", "tanh", "sigmoid"] = Field("leaky_relu", description="Nonlinearity.")
    dropout_rate: float = Field(0.0, ge=0, lt=1, description="Dropout probability of hidden neurons.")


class GateTrainingSettings(Settings):
    """How every network of the ensemble is trained: AdamW on the squared error, as published."""

    epochs: Positive = Field(1000, description="Largest number of epochs.")
    batch_size: Positive = Field(100, description="Samples a step.")
    learning_rate: float = Field(0.001, gt=0, le=100, description="Learning rate.")
    weight_decay: float = Field(0.01, ge=0, le=10, description="AdamW's own decoupled weight decay.")
    loss_target: float = Field(0.01, ge=0, description="A network stops when its training loss is below this.")
    accuracy_target: Share = Field(0.99, description="Validation accuracy that a converged network has.")
    early_stopping: Positive = Field(200, description="Epochs without a new lowest loss before a network stops.")
    l1_lambda: float = Field(0.0, ge=0, description="Weight of the sum of magnitudes of all parameters in the loss.")
    l2_lambda: float = Field(0.0, ge=0, description="Weight of the sum of squares of all parameters in the loss.")
    published_streams: bool = Field(False, description="Draw random numbers in the published program's order.")


class CircuitRunSettings(Settings):
    """An ensemble: one small network for every seed, all in one run."""

    task: GateTaskSettings = Field(default_factory=GateTaskSettings)
    model: GateModelSettings = Field(default_factory=GateModelSettings)
    training: GateTrainingSettings = Field(default_factory=GateTrainingSettings)
    seeds: Seeds = Field(list(range(100)))
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


class JudgeTrackingSettings(TrackingSettings):
    """What is measured while a judge trains; by default the residual stream and the MLP output of every layer, at the
    token that it classifies at."""

    every: Positive = Field(2, description="Steps between measurements.")
    centre: bool = Field(
        True, description="Subtract each column's mean first; it dominates, since every prompt ends in the same token."
    )


class JudgeRunSettings(Settings):
    """A transformer fine-tuned to tell safe from unsafe prompts, for one or several seeds."""

    task: JudgeTaskSettings = Field(default_factory=JudgeTaskSettings)
    model: JudgeModelSettings = Field(default_factory=JudgeModelSettings)
    training: JudgeTrainingSettings = Field(default_factory=JudgeTrainingSettings)
    tracking: JudgeTrackingSettings = Field(default_factory=JudgeTrackingSettings)
    seeds: Seeds = Field([0])
    label: Label = None
    sweep: RunSweep = None
    capture_steps: CaptureSteps = Field([])

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
"""The blocks of a run's settings that, with its seeds, decide what it computes. Labels and captures do not."""


class JumpSettings(Settings):
    """When a change in a metric counts as a jump."""

    detector: Literal["step", "z_score", "gradient", "pelt", "likelihood_ratio"] = Field(
        "step", description="Detector (see `ontogeny validity`)."
    )
    threshold: float | None = Field(
        None, gt=0, description="Score above which the detector fires; its calibrated default, if not given."
    )
    noise_floor: float = Field(1e-6, ge=1e-6, lt=1, description="Relative change below which nothing is a jump.")
    metrics: list[str] | None = Field(
        None, min_length=1, description="Metrics to search; all that were measured, if not given."
    )
    false_discovery_rate: float = Field(
        0.05, gt=0, lt=1, description="Among the jumps of a run called believable, the share that may be false."
    )

    @model_validator(mode="after")
    def _threshold_of_detector(self) -> JumpSettings:
        if self.threshold is not None and self.detector in ("pelt", "likelihood_ratio"):
            raise ValueError(
                f"detector {self.detector} has no threshold; leave it out, or take step, z_score or gradient"
            )
        return self


class ValiditySettings(Settings):
    """The battery of nulls and planted changes that measures detectors (target `validity`)."""

    detectors: list[str] = Field(
        ["step", "z_score"], min_length=1, description="Detectors by name, or as `module:function` of your own."
    )
    repeats: Positive = Field(50, description="Series of each kind and length.")
    seed: int = Field(0, ge=0, description="Seed of the random series.")


class CaptureSettings(Settings):
    """Which moments are looked at closely."""

    strongest: int = Field(3, ge=0, le=1000, description="Jumps of a run that are captured, strongest first.")
    controls: int = Field(2, ge=0, le=1000, description="Quiet moments captured for comparison.")
    window: Positive = Field(10, description="Steps from `before` to the jump and from the jump to `after`.")
    dtype: Literal["float16", "float32"] = Field("float32", description="Precision of the activations on disk.")


class RepresentationSettings(Settings):
    """Comparison of the layers' representations: similarity, subspaces, dimension, linear probes, collapse."""

    most_moments: int = Field(
        6, ge=2, le=100, description="Moments compared: start, end, then the strongest jumps, and controls."
    )
    most_samples: int = Field(500, ge=20, le=5000, description="Probe samples compared, drawn at random.")
    k: Positive = Field(5, description="Principal components that span a subspace.")
    folds: int = Field(2, ge=2, le=20, description="Folds of the cross-validation of linear probes.")


class GeometrySettings(Settings):
    """PCA, clustering and comparison of the captured activations."""

    components: Positive = Field(10, description="Principal components kept.")
    clusters: list[Annotated[int, Field(ge=2, le=100)]] = Field(
        [2, 3, 4, 5, 6, 8, 10], min_length=1, description="Numbers of clusters tried; the most stable one is taken."
    )
    seed: int = Field(0, ge=0, description="Seed of the clustering, of shuffling and of resampling.")
    representations: RepresentationSettings = Field(default_factory=RepresentationSettings)


class MapSettings(Settings):
    """The map of one layer through training, all moments in one fit."""

    method: Literal["tsne", "umap"] = Field(
        "tsne", description="Dynamic t-SNE, or aligned UMAP, whose compilation alone takes most of a minute a run."
    )
    layer: str | None = Field(None, description="Layer by display name; the last but one, if not given.")
    frames: int = Field(12, ge=2, le=200, description="Steps that are mapped, about; the strongest jumps are added.")
    samples: int = Field(256, ge=24, le=2000, description="Probe samples that are mapped, from the first on.")
    neighbours: float | None = Field(
        None, ge=2, description="Perplexity, or UMAP's neighbours; 30, or a quarter of the samples, if not given."
    )
    coupling: float = Field(0.1, ge=0, description="How strongly a sample is held in its place between moments.")
    seed: int = Field(0, ge=0, description="Seed of the null maps, and of UMAP.")


class BoundarySettings(Settings):
    """The decision boundary: margins, distances, and its course through planes of the inputs."""

    frames: int = Field(6, ge=2, le=100, description="Steps at which it is measured, besides those at jumps.")
    strongest: int = Field(2, ge=0, description="Jumps before and after which it is measured, and their controls.")
    planes: int = Field(4, ge=1, le=200, description="Planes of three inputs each.")
    resolution: int = Field(48, ge=10, le=500, description="Points along a side of a plane.")
    samples: int = Field(256, ge=3, description="Probe samples whose margins and distances are measured.")
    seed: int = Field(0, ge=0, description="Seed of the triples of inputs, and of the bootstrap.")


class NeuronSettings(Settings):
    """Comparison of single neurons before and after a jump."""

    threshold: float = Field(1e-6, ge=0, description="Activation at or below which a neuron counts as silent.")
    false_discovery_rate: float = Field(
        0.05, gt=0, lt=1, description="Share of the neurons called changed that may be false."
    )


class CircuitSettings(Settings):
    """Enumeration of all circuits of the networks of an ensemble, and what is made of them."""

    candidates: Literal["all", "published"] = Field(
        "all", description="Every subnetwork, or without those that use all hidden neurons, as published."
    )
    accuracy_threshold: Share = Field(0.99, description="Share of validation rows above which a circuit is perfect.")
    min_sparsity: Share = Field(0.0, description="Least node sparsity of a circuit; 0 is off.")
    convergence_frequency: Positive = Field(1, description="Epochs between enumerations.")
    records: Literal["representative", "all", "none"] = Field(
        "representative", description="Networks whose circuits are written out in the published record format."
    )
    compress: bool = Field(True, description="Write the records gzipped.")
    frames: Positive = Field(42, description="Frames of an animation.")


class Analyses(Settings):
    """Everything that reads a trajectory. Changing a key here never trains anything again."""

    seeds: Literal["all", "first", "none"] = Field(
        "first",
        description="Seeds of a run whose captured moments are looked at: activations, geometry, neurons, features, "
        "interventions. Jumps are found in all of them.",
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
        default_factory=default_interventions, description="What is done to every run's networks; see the kinds below."
    )
    changes: ChangeSettings = Field(default_factory=ChangeSettings)
    circuits: CircuitSettings = Field(default_factory=CircuitSettings)
    judge: JudgeAnalysisSettings = Field(default_factory=JudgeAnalysisSettings)


class DynamicsStudy(StudySettings):
    """Networks whose representations are measured at every step."""

    kind: Literal["dynamics"] = "dynamics"
    sweep: StudySweep = None
    runs: dict[Name, RunSettings] = Field(
        min_length=1, description="The runs, by name. Names are unique over all studies."
    )


class CircuitsStudy(StudySettings):
    """Ensembles of small networks on logic gates, all of whose circuits are enumerated."""

    SHORT: ClassVar[dict[str, str]] = {"task": "gates"}

    kind: Literal["circuits"] = "circuits"
    sweep: StudySweep = None
    runs: dict[Name, CircuitRunSettings] = Field(
        min_length=1, description="The ensembles, by name; the first is the one that the others are compared with."
    )


class JudgeStudy(StudySettings):
    """Judges of prompts, whose mechanism is followed through fine-tuning."""

    SHORT: ClassVar[dict[str, str]] = {"task": "prompts", "model": "name"}

    kind: Literal["judge"] = "judge"
    sweep: StudySweep = None
    runs: dict[Name, JudgeRunSettings] = Field(
        min_length=1, description="The runs, by name. Names are unique over all studies."
    )


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
    """Phase 1 records that others trained. A bare path, or a list of them, stands for `{records: ...}`."""

    records: list[str] = Field(min_length=1, description="Files, folders or patterns of records in any known layout.")
    title: str | None = Field(None, description="Title in figures and report; the group's key, if not given.")
    on_problem: Literal["drop", "stop"] = Field(
        "drop", description="What to do with values that cannot be used: leave them out and say so, or stop."
    )
    analyses: dict[str, Any] = Field({}, description="Analysis settings of this group, over those at the top.")


def _imports(value: Any) -> Any:
    """A path, or a list of them, as the group `imported`."""
    if isinstance(value, str | list):
        value = {"imported": value}
    if isinstance(value, dict):
        value = {
            key: {"records": [item] if isinstance(item, str) else item} if isinstance(item, str | list) else item
            for key, item in value.items()
        }
    return value


class Config(Settings):
    """The whole of `config.yaml`."""

    studies: dict[Name, Study] = Field({}, description="The studies, by name.")
    phase1_imports: Annotated[
        dict[Name, ImportSettings],
        BeforeValidator(_imports, json_schema_input_type=str | list[str] | dict[str, str | list[str] | ImportSettings]),
    ] = Field({}, description="Records that others trained, by group; they enter the chain at jump detection.")
    analyses: Analyses = Field(default_factory=Analyses)
    cache: str = Field("cache", description="Folder in which fetched data sets are kept.")
    container: str | None = Field(
        None, description="Image in which jobs run under `--sdm apptainer`: the path of a .sif file, or an address."
    )
    compare: Annotated[list[str], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Two configurations, or two folders of results: what the target `compare` compares."
    )
    _swept: dict[tuple[str, str], Swept] = PrivateAttr(default_factory=dict)

    @property
    def swept(self) -> dict[tuple[str, str], Swept]:
        """Where the runs that sweeps made came from, by study and key."""
        return self._swept

    def analyses_of(self, study: str) -> Analyses:
        """The analysis settings of one study: those at the top, with the study's own over them."""
        own = (self.studies.get(study) or self.phase1_imports[study]).analyses
        return Analyses.model_validate(merge(self.analyses.model_dump(), own))
