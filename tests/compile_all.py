"""Call what is compiled, once, so that it is compiled before tests that run in several processes need it.

python tests/compile_all.py            # all parts, side by side
python tests/compile_all.py circuits   # one
"""

import subprocess
import sys

import numpy as np


def circuits():
    """List the circuits of a network, and count them box by box, by ranks, and row by row."""
    from ontogeny.circuits import count_circuits, enumerate_circuits

    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in ((5, 2), (5, 5), (1, 5))]
    biases = [rng.normal(size=n) for n in (5, 5, 1)]
    x, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
    small = [weights[0][:3], weights[1][:3, :3], weights[2][:, :3]], [biases[0][:3], biases[1][:3], biases[2]]
    enumerate_circuits(*small, x, y, engine="compiled")
    count_circuits(*small, x, y, engine="compiled", accuracy_threshold=0.5)
    count_circuits(weights, biases, x, y, engine="compiled", threads=1)
    count_circuits(weights, biases, x, y, engine="compiled", threads=1, candidates="published")


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
