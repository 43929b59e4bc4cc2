"""Call what is compiled, once, so that it is compiled before tests that run in several processes need it.

python tests/compile_all.py            # all parts, side by side
python tests/compile_all.py circuits   # one
"""

import subprocess
import sys

import numpy as np


def circuits():
    """Count and list the circuits of a network."""
    from ontogeny.circuits import count_circuits, enumerate_circuits

    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((3, 2), (3, 3), (1, 3))]
    biases = [rng.normal(size=n) for n in (3, 3, 1)]
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    count_circuits(weights, biases, x, y, engine="compiled")
    enumerate_circuits(weights, biases, x, y, engine="compiled")


def others():
    """Train a network, search a series, and fit a population."""
    from ontogeny.connectome import fit_connectome, simulate_activity
    from ontogeny.jumps import detect_jumps
    from ontogeny.training.ensemble import EnsembleSettings, train_ensemble

    train_ensemble(EnsembleSettings(hidden=[3, 3], epochs=2), [0])
    detect_jumps(np.random.default_rng(0).normal(size=200))
    fit_connectome(simulate_activity({"n_neurons": 8, "n_trajectories": 6, "n_frames": 60}), settings={"n_steps": 5})


PARTS = {"circuits": circuits, "others": others}


def main(names):
    """Run one part, or all of them in processes of their own."""
    if names:
        return PARTS[names[0]]()
    started = [subprocess.Popen([sys.executable, __file__, name]) for name in PARTS]
    return max([process.wait() for process in started])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
