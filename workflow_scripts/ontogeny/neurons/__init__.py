"""What single units do, measured after their nonlinearity, and how that changes in training."""

from ontogeny.neurons.statistics import (
    NONLINEARITIES,
    apply_nonlinearity,
    compare_neurons,
    neuron_statistics,
)

__all__ = ["NONLINEARITIES", "apply_nonlinearity", "compare_neurons", "neuron_statistics"]
