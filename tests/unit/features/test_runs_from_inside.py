"""Features, importance and interventions of whole runs of every architecture, and what their settings refuse."""

import h5py
import numpy as np
import pytest
import torch

from ontogeny.activations.networks import places, spread_over_classes
from ontogeny.config import load_config
from ontogeny.config.load import runs_of
from ontogeny.errors import OntogenyError
from ontogeny.features.figures import draw_features
from ontogeny.features.run import features_of_run, rollout_picture
from ontogeny.features.settings import FeatureSettings
from ontogeny.interventions.figures import draw_interventions
from ontogeny.interventions.moments import interventions_of_run, named_places
from ontogeny.interventions.settings import default_interventions
from ontogeny.jumps.plan import Moment
from ontogeny.neurons.figures import plot_importance_of_run, plot_selectivity_of_run
from ontogeny.neurons.importance_run import importance_of_run
from ontogeny.neurons.settings import ImportanceSettings
from ontogeny.training.loop import train
from ontogeny.trajectory import Trajectory

MODELS = {
    "mlp": {"name": "mlp", "hidden": [10, 6]},
    "cnn": {"name": "cnn_shallow", "channels": [3, 4]},
    "transformer": {"name": "transformer_shallow", "width": 8, "depth": 1, "heads": 2, "feedforward": 8},
    "vit": {"name": "vit_tiny", "width": 8, "depth": 1, "heads": 2, "feedforward": 8},
}
MOMENTS = [
    Moment("start", 0, 0, 4, "early", ""),
    Moment("jump", 10, 6, 14, "early", "", layer="Linear_0"),
    Moment("control", 22, 18, 26, "late", "", control_for=10),
    Moment("end", 30, 26, 30, "late", ""),
]
QUICK = ImportanceSettings(samples=48, untrained=1, repeats=1, conductance_steps=4, permutations=19)


@pytest.fixture(scope="module", params=MODELS)
def trajectory(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / request.param
    run = {
        "task": {"name": "digits", "n_train": 300, "n_probe": 64, "n_validation": 64},
        "model": MODELS[request.param],
    }
    run["training"] = {"steps": 30, "batch_size": 32, "learning_rate": 0.01, "checkpoint_every": 15}
    config = load_config({"studies": {"a": {"runs": {request.param: run}}}})
    train(runs_of(config)[f"{request.param}/s0"].identity(), folder, request.param)
    return Trajectory(folder)


def test_features_of_every_architecture(trajectory, tmp_path):
    path = tmp_path / "features.h5"
    tables = features_of_run(trajectory, MOMENTS, path, FeatureSettings(samples=6, integrated_steps=8, ascent_steps=3))
    attention = trajectory.run in ("transformer", "vit")
    assert (len(tables["heads"]) > 0) == attention
    assert ("grad_cam" in set(tables["attributions"]["method"])) == (trajectory.run == "cnn")
    integrated = tables["attributions"].query("method == 'integrated_gradients'")
    assert integrated["delta"].abs().max() < 1
    assert (integrated["baseline"] == "zero").all()
    last = tables["attribution_control"].groupby("method").tail(1)
    assert (last["layer"] == "all").all()
    assert last["spearman"].abs().max() < 0.9
    assert set(tables["top_inputs_control"]["control"]) == {"none", "untrained", "shuffled labels"}
    with h5py.File(path) as file:
        assert file["jump at 10/attribution/saliency"].shape == (6, 1, 8, 8)
        assert ("rollout_picture" in file["end at 30"]) == attention
    draw_features(path, tables, tmp_path / "figures", "a run")
    assert len(list((tmp_path / "figures").glob("*.png"))) == (5 if attention else 4)


def test_units_of_every_architecture(trajectory):
    tables = importance_of_run(trajectory, MOMENTS, QUICK)
    importance = tables["importance"]
    assert set(importance["control"]) == {"none", "untrained", "shuffled labels"}
    assert set(importance["measure"]) >= {"ablation zero", "ablation mean", "gradient", "conductance"}
    assert set(importance["step"].dropna()) == {0, 6, 10, 14, 18, 26, 30}
    keys = ["moment", "control", "network", "measure", "layer", "unit"]
    assert not importance.duplicated(keys).any()
    assert (tables["importance_change"]["pairs"] == 1).all()
    assert (tables["importance_change"]["p_value"] >= 0.5).all()
    shuffled = tables["selectivity"].query("control == 'shuffled labels'")
    assert shuffled["replicated"].mean() < 0.1
    if trajectory.run != "vit":
        return
    worth = plot_importance_of_run(importance, tables["importance_agreement"], tables["importance_change"], "a run")
    plot_selectivity_of_run(tables["selectivity"], tables["health"], "a run")
    assert worth.axes


def test_interventions_of_every_architecture(trajectory, tmp_path):
    few = {"n_resamples": 100, "repeats": 2, "amounts": [0.0, 0.5], "levels": [0.0, 1.0], "positions": [0.0, 0.5, 1.0]}
    specs = [spec.model_dump(mode="json") for spec in default_interventions()]
    specs = [spec | {key: value for key, value in few.items() if key in spec} for spec in specs]
    table = interventions_of_run(trajectory, MOMENTS, specs)
    assert set(table["entry"]) == set(range(len(specs)))
    assert set(table["control"]) == {"none", "random", "matched", "other inputs", "shuffled labels"}
    nothing = table[table["intervention"].isin(["prune", "noise_weights", "noise_activations"]) & (table["level"] == 0)]
    assert (nothing["change"] == 0).all()
    scores = table[(table["intervention"] == "patch") & (table["control"] == "none") & table["carried"].notna()]
    readout = scores[scores["layer"] == scores["layer"].iloc[-1]]
    assert np.allclose(readout["carried"], 1, atol=1e-5)
    if trajectory.run != "cnn":
        return
    draw_interventions(table, tmp_path / "figures", "a run")
    names = {path.stem for path in (tmp_path / "figures").glob("*.png")}
    assert {"pruning", "interpolation", "patching_activations_jump_10", "ablation_0"} <= names


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "small"
    run = {"task": {"n_train": 100, "n_probe": 40, "n_validation": 40}, "model": MODELS["mlp"]}
    run["training"] = {"steps": 6, "batch_size": 32, "checkpoint_every": 3}
    config = load_config({"studies": {"a": {"runs": {"small": run}}}})
    train(runs_of(config)["small/s0"].identity(), folder, "small")
    return Trajectory(folder)


def test_a_run_without_a_jump_does_what_needs_none(small, tmp_path):
    moments = [Moment("start", 0, 0, 2, "early", ""), Moment("end", 6, 4, 6, "late", "")]
    specs = [{"kind": "patch", "source": "before", "target": "after"}, {"kind": "ablate", "moments": [2, "end"]}]
    table = interventions_of_run(small, moments, specs)
    assert set(table["entry"]) == {1}
    assert set(table["step"]) == {2, 6}
    assert interventions_of_run(small, moments, specs[:1]).empty
    tables = importance_of_run(small, moments, QUICK)
    assert tables["importance_change"].empty
    assert "controls_mean" in tables["importance_change"]
    fig = plot_importance_of_run(tables["importance"], tables["importance_agreement"], tables["importance_change"], "x")
    assert any("no jump" in axes.get_title("left") for axes in fig.axes)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"kind": "ablate", "layers": ["Linear_9"]}, r"interventions\[0\] on run small: .*Linear_9.*Linear_"),
        ({"kind": "ablate", "moments": [60]}, "no step 60: it goes from 0 to 6"),
    ],
)
def test_what_a_run_does_not_have_is_one_sentence(small, spec, said):
    moments = [Moment("start", 0, 0, 2, "early", ""), Moment("end", 6, 4, 6, "late", "")]
    with pytest.raises(OntogenyError, match=said):
        interventions_of_run(small, moments, [spec])


def test_a_method_that_was_named_and_cannot_be_is_refused(small, tmp_path, monkeypatch):
    moments = [Moment("end", 6, 4, 6, "late", "")]
    with pytest.raises(OntogenyError, match=r"features.methods names grad_cam: .*no layer that keeps an image's plane"):
        features_of_run(small, moments, tmp_path / "f.h5", FeatureSettings(methods=["grad_cam"]))
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("ontogeny.features.run.find_spec", lambda name: None)
    with pytest.raises(OntogenyError, match=r"needs captum.*pip install 'ontogeny\[explain\]'"):
        features_of_run(small, moments, tmp_path / "f.h5")


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"kind": "ablat"}, r"interventions\[0\].kind is \"ablat\": did you mean 'ablate'"),
        ({"kind": "prune", "amount": [1]}, r"unknown key 'analyses.interventions\[0\].amount': did you mean 'amounts'"),
        ({"kind": "patch", "source": "bevor", "target": "after"}, "'bevor' is not a moment: did you mean 'before'"),
        ({"kind": "ablate", "units": "some"}, "'some' does not name units"),
        ({"mode": "zero"}, "kind is"),
    ],
)
def test_mistakes_in_the_list_are_told_with_their_key(item, said):
    with pytest.raises(OntogenyError, match=said):
        load_config({"analyses": {"interventions": [item]}})


def test_a_transition_is_intervened_on_like_a_jump():
    moments = [*MOMENTS, Moment("transition", 30, 20, 44, "middle", "", layer="Linear_0")]
    assert [place.name for place in named_places("jump", moments)] == ["jump at 10", "transition at 30"]
    assert [(place.step, place.jump) for place in named_places("after", moments)] == [(14, 10), (44, 30)]


def test_places_and_samples_in_order():
    shown = places(MOMENTS, around=("jump", "control"))
    assert [place.step for place in shown] == [0, 6, 10, 14, 18, 26, 30]
    assert shown[4].name == "before control at 22"
    assert shown[4].jump == 10
    labels = torch.tensor([2, 2, 0, 2, 1, 0])
    assert spread_over_classes(labels, 4).tolist() == [2, 4, 0, 5]


def test_rollout_lands_on_its_pieces_of_the_image():
    from ontogeny.models import build_model

    vit = build_model("vit_tiny", (1, 8, 8), 10, 0, width=8, depth=1, heads=2, feedforward=8, patch=4)
    rolled = np.zeros((1, 5, 5))
    rolled[0, 0, 3] = 1.0
    picture = rollout_picture(vit, rolled, (1, 8, 8))
    assert picture[0, 0, 4:, :4].min() == 1
    assert picture.sum() == 16
    rows = build_model("transformer_shallow", (1, 8, 8), 10, 0, width=8, depth=1, heads=2, feedforward=8)
    rolled = np.zeros((1, 8, 8))
    rolled[0, :, 2] = 1.0
    assert rollout_picture(rows, rolled, (1, 8, 8))[0, 0, 2].tolist() == [1.0] * 8
