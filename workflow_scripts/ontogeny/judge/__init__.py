"""How a judge judges, measured: tokens, layers, matched pairs, neurons and circuits, each beside its control."""

from ontogeny.lazy import lazy_names

_HOMES = {
    "DeletionCurve": "attribution",
    "TokenAttribution": "attribution",
    "attribute_tokens": "attribution",
    "deletion_curve": "attribution",
    "mean_embedding": "attribution",
    "occlude_tokens": "attribution",
    "Faithfulness": "circuits",
    "Graph": "circuits",
    "circuit_graph": "circuits",
    "edge_scores": "circuits",
    "faithfulness": "circuits",
    "random_subgraph": "circuits",
    "run_subgraphs": "circuits",
    "last_residuals": "layers",
    "layer_activations": "layers",
    "layer_probes": "layers",
    "performance": "layers",
    "MechanismBench": "mechanism",
    "trace_mechanism": "mechanism",
    "untrained_like": "network",
    "ablate_neurons": "neurons",
    "neuron_activations": "neurons",
    "neuron_map": "neurons",
    "Pairs": "pairs",
    "minimal_pairs": "pairs",
    "Patching": "patching",
    "patch_pairs": "patching",
    "share_restored": "patching",
    "evolution": "record",
    "read_record": "record",
    "read_records": "record",
}

__getattr__ = lazy_names(__name__, _HOMES)


__all__ = list(_HOMES)
