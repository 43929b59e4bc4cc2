from .ablation import ablate, ablate_ensemble, ablation_summary, random_subnetworks
from .coincidence import Coincidence, appearances_at_jumps
from .door import ReadNetwork, from_torch
from .dynamics import count_in_all
from .enumeration import ACTIVATIONS, CircuitCount, count_circuits, enumerate_circuits, estimate_cost, sample_circuits
from .interpretation import (
    Groundings,
    NeuronGate,
    evaluate_formula,
    gate_name,
    ground,
    interchange_accuracies,
    map_formula,
    two_level_formulas,
)
from .masks import Circuit, Circuits, CircuitSample, CircuitSet, Layout, Sparsity, count_candidates
from .outputs import ROUNDED, OutputRule, above, within
from .overlap import (
    Core,
    SetComparison,
    compare_within,
    core,
    core_of_count,
    find_minimal_circuits,
    inclusions,
    minimal_circuits,
    overlaps,
)
from .record_read import check_record, circuits_of, read_history
from .record_write import record_stem, write_convergence, write_record
from .records import EpochCircuits, OutputCircuits, neuron_activations, records_from_weights
from .settings import CANDIDATES, CircuitSettings
from .trace import coincidence_table, trace_ensemble
from .tracker import DetailedCircuitTracker
from .tracking import appearance_epochs, life_table, lineages, schedule, turnover

__all__ = [
    "ACTIVATIONS",
    "CANDIDATES",
    "ROUNDED",
    "Circuit",
    "CircuitCount",
    "CircuitSample",
    "CircuitSet",
    "CircuitSettings",
    "Circuits",
    "Coincidence",
    "Core",
    "DetailedCircuitTracker",
    "EpochCircuits",
    "Groundings",
    "Layout",
    "NeuronGate",
    "OutputCircuits",
    "OutputRule",
    "ReadNetwork",
    "SetComparison",
    "Sparsity",
    "ablate",
    "ablate_ensemble",
    "ablation_summary",
    "above",
    "appearance_epochs",
    "appearances_at_jumps",
    "check_record",
    "circuits_of",
    "coincidence_table",
    "compare_within",
    "core",
    "core_of_count",
    "count_candidates",
    "count_circuits",
    "count_in_all",
    "enumerate_circuits",
    "estimate_cost",
    "evaluate_formula",
    "find_minimal_circuits",
    "from_torch",
    "gate_name",
    "ground",
    "inclusions",
    "interchange_accuracies",
    "life_table",
    "lineages",
    "map_formula",
    "minimal_circuits",
    "neuron_activations",
    "overlaps",
    "random_subnetworks",
    "read_history",
    "record_stem",
    "records_from_weights",
    "sample_circuits",
    "schedule",
    "trace_ensemble",
    "turnover",
    "two_level_formulas",
    "within",
    "write_convergence",
    "write_record",
]
