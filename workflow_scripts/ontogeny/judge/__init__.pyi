from .attribution import (
    DeletionCurve,
    TokenAttribution,
    attribute_tokens,
    deletion_curve,
    mean_embedding,
    occlude_tokens,
    reference_prompts,
)
from .circuits import Faithfulness, Graph, circuit_graph, edge_scores, faithfulness, random_subgraph, run_subgraphs
from .layers import layer_activations, layer_probes, performance
from .mechanism import MechanismBench
from .network import untrained_like
from .neurons import NeuronEffects, ablate_neurons, causal_neurons, neuron_map
from .pages import visualise_epoch
from .pairs import Pairs, minimal_pairs
from .patching import Patching, patch_pairs, share_restored
from .readings import Readings, last_residuals, neuron_activations, read_prompts
from .record import evolution, read_record, read_records
from .trace import follow_training, trace_checkpoints, trace_mechanism

__all__ = [
    "DeletionCurve",
    "Faithfulness",
    "Graph",
    "MechanismBench",
    "NeuronEffects",
    "Pairs",
    "Patching",
    "Readings",
    "TokenAttribution",
    "ablate_neurons",
    "attribute_tokens",
    "causal_neurons",
    "circuit_graph",
    "deletion_curve",
    "edge_scores",
    "evolution",
    "faithfulness",
    "follow_training",
    "last_residuals",
    "layer_activations",
    "layer_probes",
    "mean_embedding",
    "minimal_pairs",
    "neuron_activations",
    "neuron_map",
    "occlude_tokens",
    "patch_pairs",
    "performance",
    "random_subgraph",
    "read_prompts",
    "read_record",
    "read_records",
    "reference_prompts",
    "run_subgraphs",
    "share_restored",
    "trace_checkpoints",
    "trace_mechanism",
    "untrained_like",
    "visualise_epoch",
]
