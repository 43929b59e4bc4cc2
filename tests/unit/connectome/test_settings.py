"""Every setting of a connectome study reaches a result that it says it governs."""

import hashlib

import numpy as np
import pytest
from settings_walk import Walk, cases

from ontogeny.config import load_config
from ontogeny.config.load import runs_of
from ontogeny.connectome.fit import fit_connectome
from ontogeny.connectome.recorded import read_activity
from ontogeny.connectome.search.declaration import search_from
from ontogeny.connectome.search.run import explore
from ontogeny.connectome.settings import (
    ActivitySettings,
    ConnectomeRunSettings,
    ConnectomeStudy,
    DataSettings,
    FitSettings,
    SearchSettings,
    SimulationSettings,
)
from ontogeny.connectome.simulate import simulate_activity


def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.fixture(scope="module", autouse=True)
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    rng = np.random.Generator(np.random.PCG64(0))
    waves = np.cumsum(rng.standard_normal((2, 40, 3)), axis=1)
    np.savez(folder / "one.npz", u=waves)
    np.savez(folder / "two.npz", u=waves[:, ::-1])
    np.save(folder / "du.npy", waves**2)
    np.save(folder / "W.npy", rng.standard_normal((6, 6)))
    np.save(folder / "V.npy", rng.standard_normal((6, 6)))
    np.save(folder / "small.npy", rng.standard_normal((3, 3)))
    (folder / "types.txt").write_text("a\nb\na\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


def simulated(settings):
    made = simulate_activity(settings, seed=0)
    return digest(made.u, made.du, made.types)


def read(settings):
    made = read_activity(settings)
    return digest(
        made.u, made.du, *(part for part in (made.W, made.types, made.mask) if part is not None)
    ), made.delta_t


TINY = simulate_activity(
    {"n_neurons": 6, "n_trajectories": 3, "n_frames": 30, "connectivity_filling_factor": 0.5}, seed=1
)


def fitted(settings):
    states = []
    found = fit_connectome(TINY, settings=settings, seed=0, checkpoint=states.append)
    return digest(found.W, found.embedding, found.phi(np.linspace(-2, 2, 5)), found.snapshots["step"]), (
        found.history["step"],
        [int(state["step"]) for state in states],
        sorted(found.validation),
    )


def scores(settings, level, seed):
    gain = 0.1 if settings["learning_rate_start"] > 2e-3 else -0.1 * (settings["learning_rate_start"] < 2e-3)
    return {"connectivity_R2": 0.5 + 0.1 * level + gain, "cluster_accuracy": 0.1 * seed, "test_R2": None}


def searched(settings, folder=[0]):  # noqa: B006
    folder[0] += 1
    records = explore(scores, f"search-{folder[0]}", search_from(settings, "walk"))
    return [(r.block, r.filling_factor, dict(r.settings), r.parent, r.metrics["cluster_accuracy"]) for r in records]


def planned(settings):
    study = settings.model_dump(mode="json", exclude_unset=True)
    config = load_config({"studies": {"s": study if "runs" in study else {"kind": "connectome", "runs": {"r": study}}}})
    runs = [(name, run.settings.label, run.identity()) for name, run in runs_of(config).items()]
    settings = config.studies["s"]
    search = None if settings.search is None else settings.search.model_dump(mode="json")
    return runs, settings.title, search, config.analyses_of("s").model_dump(mode="json")


SIMULATION = {
    "n_neurons": 5,
    "n_trajectories": 2,
    "warm_up_frames": 2,
    "n_frames": 1001,
    "delta_t": 0.02,
    "initial_scale": 1.0,
    "params": [[5.0, 1.0, 1.0], [5.0, 2.0, 1.0]],
    "shuffle_types": False,
    "connectivity_type": "gaussian",
    "dale_law": True,
    "connectivity_rank": {"connectivity_rank": 2, "connectivity_type": "low_rank"},
    "noise_level": 0.1,
    "measurement_noise": 0.1,
    "input_amplitude": 1.0,
    "input_frequency": {"input_frequency": 2.0, "input_amplitude": 1.0},
}
FILE = {"connectivity_type": "file", "connectivity_file": "W.npy"}
SMALL = {"n_neurons": 6, "n_trajectories": 1, "n_frames": 20, "connectivity_rank": 1}
FIT = {
    "n_steps": 12,
    "batch_size": 8,
    "data_augmentation_loop": 200,
    "learning_rate_W_start": 0.02,
    "learning_rate_start": 0.02,
    "learning_rate_embedding_start": 0.02,
    "schedule": "linear",
    "final_rate": 0.5,
    "optimizer": "sgd",
    "gradient_clip": 0.01,
    "coeff_W_L1": 1.0,
    "l1_mode": {"l1_mode": "annealed", "coeff_W_L1": 1.0},
    "W_init": "normal",
    "W_init_scale": {"W_init_scale": 0.5, "W_init": "scaled"},
    "alternating_steps": 2,
    "masked_share": 0.5,
    "n_trajectories": 1,
    "edges": "true",
    "hidden_dim": 8,
    "n_layers": 2,
    "activation": "tanh",
    "embedding_dim": 1,
    "coeff_phi_zero": 0.0,
    "grid_psi": 64,
    "grid_phi": 16,
    "refine": True,
    "n_snapshots": 3,
    "log_every": 5,
    "checkpoint_every": 4,
}
SEARCH = {
    "levels": [0.5, 1.0],
    "n_iter_block": 3,
    "policy": "random",
    "ucb_c": {"ucb_c": 0.0, "n_iter_block": 8},
    "sequential": {"sequential": True, "n_iter_block": 5},
    "space": "published",
    "seed": 1,
    "fit": {"optimizer": "sgd"},
}
RUN = {
    "simulation": {"n_neurons": 12},
    "data": {"file": "one.npz", "delta_t": 1.0},
    "fit": {"n_steps": 3},
    "levels": [0.5],
    "seeds": [1],
    "label": "other",
    "sweep": {"grid": {"fit.n_steps": [1, 2]}},
}
STUDY = {
    "title": "another",
    "defaults": {"fit": {"n_steps": 3}},
    "analyses": {"jumps": {"detector": "z_score"}},
    "sweep": {"grid": {"fit.n_steps": [1, 2]}},
    "runs": {"other": {}},
    "search": {"n_iter_block": 3},
}
FILES = {
    "file": "two.npz",
    "delta_t": 2.0,
    "difference": "forward",
    "indicator_time_constant": 3.0,
    "derivative_file": "du.npy",
    "connectivity_file": "small.npy",
    "types_file": "types.txt",
    "mask_file": "small.npy",
}
WALKS = [
    Walk(SimulationSettings, simulated, SIMULATION, base=SMALL),
    Walk(
        ActivitySettings,
        simulated,
        {**SIMULATION, "connectivity_filling_factor": 0.3, "precision": "float64"},
        base=SMALL,
    ),
    *(
        Walk(kind, simulated, {"connectivity_file": "V.npy"}, base=SMALL | FILE)
        for kind in (SimulationSettings, ActivitySettings)
    ),
    Walk(
        DataSettings,
        read,
        FILES,
        cannot={"series": "names a part of an NWB file, which pynwb reads; test_recorded shows it where that is there"},
        base={"file": "one.npz", "delta_t": 1.0},
    ),
    Walk(
        FitSettings,
        fitted,
        FIT,
        cannot={
            "hidden_inputs": "acts on what a refinement leaves; test_verdict shows it on a recording with such inputs"
        },
        base={"n_steps": 10, "n_snapshots": 2, "refine": False, "batch_size": 64, "edges": "all"},
    ),
    Walk(
        SearchSettings,
        searched,
        SEARCH,
        cannot={
            "simulation": "decides which activity the pipeline simulates, as the walk of SimulationSettings shows",
            "compare": "decides which searches the pipeline runs, not what one of them finds",
            "compare_seeds": "decides which searches the pipeline runs, not what one of them finds",
        },
        base={"levels": [1.0, 0.1], "n_iter_block": 2},
    ),
    Walk(ConnectomeRunSettings, planned, RUN, base={}),
    Walk(
        ConnectomeStudy,
        planned,
        STUDY,
        cannot={"kind": "has one value"},
        base={"kind": "connectome", "runs": {"r": {}}},
    ),
]


@pytest.mark.parametrize(("walk", "name"), cases(WALKS))
def test_a_setting_changes_what_it_governs(walk, name):
    walk.check(name)
