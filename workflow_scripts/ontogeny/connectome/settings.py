"""Every setting of simulated populations, fits and searches: names, defaults, ranges and help, declared once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from ontogeny.settings import Label, Name, Positive, RunSweep, Seeds, Settings, StudySettings, StudySweep, merge
from ontogeny.words import counted

Level = Annotated[float, Field(gt=0, le=1)]
"""A filling factor: the share of connections that are there."""

LEVELS = [1.0, 0.75, 0.5, 0.25, 0.1, 0.05]
Policy = Literal["ucb", "random", "tpe"]


def _distinct(levels: list[float]) -> list[float]:
    if len(set(levels)) != len(levels):
        raise ValueError("the same level appears twice; give every level once")
    return levels


class SimulationSettings(Settings):
    """The population of neurons whose activity is observed (model PDE_N2)."""

    n_neurons: Annotated[int, Field(ge=2, le=20_000)] = Field(default=300, description="Neurons.")
    n_trajectories: Positive = Field(default=100, description="Trajectories, each from its own random state.")
    n_frames: Annotated[int, Field(ge=2)] = Field(default=1000, description="Frames kept of each trajectory.")
    warm_up_frames: int = Field(default=0, ge=0, description="Frames discarded before those.")
    delta_t: float = Field(default=0.01, gt=0, le=1, description="Time between frames.")
    initial_scale: float = Field(default=5.0, ge=0, description="Standard deviation of the states at the start.")
    params: list[Annotated[list[float], Field(min_length=3, max_length=3)]] = Field(
        default=[[10.0, 1.0, 1.0], [10.0, 2.0, 1.0], [10.0, 1.0, 2.0], [10.0, 2.0, 2.0]],
        min_length=1,
        description="Gain g, self-excitation s and leak c of each neuron type.",
    )
    shuffle_types: bool = Field(default=True, description="Assign the types to neurons in random order.")
    connectivity_type: Literal["lorentz", "gaussian", "low_rank", "file", "c_elegans"] = Field(
        default="lorentz",
        description="How weights are drawn: `lorentz` is a standard Cauchy draw, values beyond 25 set to 0, divided by "
        "a power of N (0.7; 0.675 from 2,000 and 0.67 from 4,000 neurons on); `gaussian` has standard deviation "
        "1/sqrt(N); `low_rank` is a product of Gaussian factors; `file` reads them; "
        "`c_elegans` counts the chemical synapses of its 302 neurons (needs cect), which dale_law gives signs.",
    )
    dale_law: bool = Field(
        default=False, description="Give all weights that a neuron sends one sign, drawn at random (Dale's law)."
    )
    connectivity_rank: Positive = Field(default=20, description="Rank of low-rank connectivity.")
    connectivity_file: str | None = Field(default=None, description="CSV, npy or npz file with one square matrix.")
    noise_level: float = Field(default=0.0, ge=0, description="Standard deviation of noise on the state at every step.")
    measurement_noise: float = Field(default=0.0, ge=0, description="Standard deviation of noise on the stored state.")
    input_amplitude: float = Field(default=0.0, ge=0, description="Amplitude of a known sinusoidal input.")
    input_frequency: float = Field(default=1.0, ge=0, description="Its frequency.")

    @model_validator(mode="before")
    @classmethod
    def _without_level(cls, data: Any) -> Any:
        if cls is SimulationSettings and isinstance(data, dict) and "connectivity_filling_factor" in data:
            level = data["connectivity_filling_factor"]
            raise ValueError(f"connectivity_filling_factor is set by levels; beside simulation, say levels: [{level}]")
        return data

    @model_validator(mode="after")
    def _consistent(self) -> SimulationSettings:
        if len(self.params) > self.n_neurons:
            raise ValueError(
                f"params names {counted(len(self.params), 'neuron type')} for n_neurons {self.n_neurons}; use fewer"
            )
        if self.connectivity_type == "low_rank" and self.connectivity_rank > self.n_neurons:
            raise ValueError(
                f"connectivity_rank is {self.connectivity_rank}; it can be at most n_neurons, {self.n_neurons}"
            )
        if self.connectivity_type == "c_elegans" and self.n_neurons != 302:
            raise ValueError(f"n_neurons is {self.n_neurons}; with connectivity_type: c_elegans it is 302")
        if (self.connectivity_type == "file") != (self.connectivity_file is not None):
            raise ValueError("connectivity_type: file and connectivity_file belong together; give both or neither")
        return self


class ActivitySettings(SimulationSettings):
    """A simulation as the library takes it: at one level of connectivity."""

    connectivity_filling_factor: Level = Field(
        default=1.0, description="Share of the weights that are kept; the others are 0."
    )
    precision: Literal["float32", "float64"] = Field(
        default="float32",
        description="Type in which activity is stored; the right-hand side is always evaluated in float64.",
    )


class DataSettings(Settings):
    """Recorded activity, in place of a simulation."""

    file: str = Field(
        description="CSV (one row per frame, one column per neuron), npy, npz with `u` and, if known, `du`, `W`, "
        "`types`, or NWB (needs pynwb)."
    )
    series: str | None = Field(
        default=None,
        description="Name of the time series in an NWB file, or part/name; needed where there are several.",
    )
    delta_t: float = Field(gt=0, description="Time between frames.")
    difference: Literal["central", "forward"] = Field(
        default="central", description="How the derivative is estimated where none is given."
    )
    indicator_time_constant: Annotated[float, Field(ge=0)] | Literal["fitted"] = Field(
        default=0.0,
        description="Time constant of an indicator, such as calcium, that the state was seen through, in the unit of "
        "delta_t: its exponential smoothing is undone. `fitted` finds the one behind which the model leaves least; "
        "0 is off.",
    )
    derivative_file: str | None = Field(default=None, description="The derivative, shaped as the activity.")
    connectivity_file: str | None = Field(
        default=None, description="The true W, if known, to measure recovery against."
    )
    types_file: str | None = Field(default=None, description="The true type of each neuron, if known.")
    mask_file: str | None = Field(
        default=None, description="Where connections are possible, a matrix with 0 where none is (row = receiver)."
    )


class FitSettings(Settings):
    """How wiring, types and functions are recovered from the activity."""

    n_steps: Positive = Field(default=750, description="Optimisation steps, for a data_augmentation_loop of 100.")
    batch_size: Positive = Field(default=256, description="Frames per step.")
    data_augmentation_loop: Positive = Field(
        default=100, description="Passes; the steps are n_steps times this over 100."
    )
    learning_rate_W_start: Annotated[float, Field(gt=0, le=1)] | Literal["recommended"] = Field(
        default="recommended", description="Learning rate of W; `recommended` depends on the number of neurons."
    )
    learning_rate_start: float = Field(
        default=2e-3, gt=0, le=1, description="Learning rate of the functions phi and psi."
    )
    learning_rate_embedding_start: float = Field(
        default=5e-3, gt=0, le=1, description="Learning rate of the embeddings."
    )
    schedule: Literal["constant", "cosine", "linear", "step"] = Field(
        default="cosine",
        description="Rates over the steps: `cosine` and `linear` end at final_rate, `step` drops to a tenth at 60% "
        "and again at 85%.",
    )
    final_rate: float = Field(
        default=0.02, ge=0, le=1, description="Share of the rates left at the end (cosine, linear)."
    )
    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(default="adam", description="Optimiser.")
    gradient_clip: float = Field(default=0.0, ge=0, description="Largest norm of the gradient; 0 is off.")
    coeff_W_L1: Annotated[float, Field(ge=0)] | Literal["recommended"] = Field(
        default="recommended",
        description="Weight of mean |W| times the size of psi in the loss; `recommended` depends on size and level.",
    )
    l1_mode: Literal["fixed", "annealed", "adaptive"] = Field(
        default="fixed", description="L1 as given, growing over the first half, or scaled by how empty W looks."
    )
    W_init: Literal["zeros", "scaled", "normal"] = Field(
        default="zeros", description="Start of W: 0, W_init_scale N(0, 1) / sqrt(N), or N(0, 1)."
    )
    W_init_scale: float = Field(default=0.1, ge=0, description="Scale of a `scaled` start.")
    alternating_steps: int = Field(
        default=0, ge=0, description="Train W, then everything else, in turns of this many steps; 0 is off."
    )
    masked_share: float = Field(
        default=0.0, ge=0, le=0.99, description="Share of neurons, drawn anew at each step, left out of the loss."
    )
    n_trajectories: int = Field(default=0, ge=0, description="Number of trajectories to use, from the first; 0 is all.")
    edges: Literal["all", "true", "transposed"] = Field(
        default="all",
        description="Weights that may be learned: all; those of the true W; those of its transpose, an edge list "
        "read the wrong way round.",
    )
    hidden_dim: Positive = Field(default=64, description="Width of phi and psi.")
    n_layers: Positive = Field(default=3, description="Linear layers of phi and psi.")
    activation: Literal["relu", "silu", "tanh"] = Field(default="relu", description="Nonlinearity of phi and psi.")
    embedding_dim: Positive = Field(default=2, description="Dimensions of the embedding of a neuron.")
    coeff_phi_zero: float = Field(default=1.0, ge=0, description="Weight of phi(0)^2 in the loss.")
    grid_psi: Annotated[int, Field(ge=8)] = Field(default=256, description="Grid points on which psi is tabulated.")
    grid_phi: Annotated[int, Field(ge=8)] = Field(default=32, description="Grid points on which phi is tabulated.")
    refine: bool = Field(default=True, description="Refine by Gauss-Newton steps in float64 after the training.")
    hidden_inputs: int = Field(
        default=8,
        ge=0,
        description="Largest number of inputs, shared by neurons and carried by none, that W is cleared of; 0 is off.",
    )
    n_snapshots: int = Field(
        default=24, ge=0, le=10_000, description="Copies of W and the embeddings kept over training."
    )
    log_every: Positive = Field(default=10, description="Steps between records of the loss.")
    checkpoint_every: Positive = Field(default=250, description="Steps after which an interrupted fit can go on.")


class ConnectomeRunSettings(Settings):
    """One condition of the study: a population and a way to recover it, at every level and seed."""

    simulation: SimulationSettings = Field(default_factory=SimulationSettings)
    data: DataSettings | None = Field(
        default=None,
        description="Recorded activity; `simulation` and `levels` are then ignored, and the run is named as the "
        "condition.",
    )
    fit: FitSettings = Field(default_factory=FitSettings)
    levels: Annotated[list[Level], AfterValidator(_distinct)] = Field(
        default=LEVELS, min_length=1, description="Filling factors; each is a run."
    )
    seeds: Seeds = Field(
        default=[0], description="Seeds of the simulation and the fit; a number N stands for 0 to N-1."
    )
    label: Label = None
    sweep: RunSweep = None

    @model_validator(mode="after")
    def _consistent(self) -> ConnectomeRunSettings:
        if self.data is None and self.fit.n_trajectories > self.simulation.n_trajectories:
            raise ValueError(
                f"fit.n_trajectories is {self.fit.n_trajectories}, but the simulation has "
                f"{self.simulation.n_trajectories} trajectories"
            )
        return self


class SearchSettings(Settings):
    """A search over training settings, block by block. `simulation` and `fit` start from the study's defaults."""

    levels: list[Level] = Field(default=LEVELS, min_length=1, description="Filling factor of every block, in order.")
    n_iter_block: Positive = Field(default=6, description="Iterations per block.")
    policy: Policy = Field(default="ucb", description="What proposes settings: the UCB tree, random search, or TPE.")
    ucb_c: float = Field(
        default=1.414, ge=0, description="Exploration constant; 1.414, the published one, is nearly breadth-first."
    )
    sequential: bool = Field(
        default=False,
        description="Start every block from what the one before found; otherwise blocks run side by side.",
    )
    space: Literal["measured", "published"] = Field(
        default="measured", description="Ranges that act here, or those of the published instructions."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of proposals and fits.")
    compare: list[Policy] = Field(
        default=[], description="Policies whose searches are compared; each runs whole searches."
    )
    compare_seeds: Seeds = Field(default=[0, 1, 2], description="Seeds of the compared searches.")
    simulation: SimulationSettings = Field(default_factory=SimulationSettings)
    fit: FitSettings = Field(default_factory=lambda: FitSettings(refine=False))

    @field_validator("compare")
    @classmethod
    def _several(cls, value: list[str]) -> list[str]:
        if len(set(value)) != len(value) or len(value) == 1:
            raise ValueError("name two or three policies, each once, or none")
        return value


class ConnectomeStudy(StudySettings):
    """Populations of neurons whose wiring, cell types and functions are recovered from activity."""

    kind: Literal["connectome"] = "connectome"
    sweep: StudySweep = None
    runs: dict[Name, ConnectomeRunSettings] = Field(
        min_length=1, description="The conditions, by name. Names are unique over all studies."
    )
    search: SearchSettings | None = Field(
        default=None, description="A search over training settings; none, if not given."
    )

    @model_validator(mode="before")
    @classmethod
    def _search_defaults(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("search"), dict):
            defaults = data["defaults"] if isinstance(data.get("defaults"), dict) else {}
            shared = {key: defaults[key] for key in ("simulation", "fit") if isinstance(defaults.get(key), dict)}
            shared["fit"] = {**shared.get("fit", {}), "refine": False}
            data = {**data, "search": merge(shared, data["search"])}
        return data
