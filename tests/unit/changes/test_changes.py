"""What changed between two networks, against matched controls: planted truths, and silence where nothing changed."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import kstest

from ontogeny.changes import Change, against_controls, changes_of_study, flipped_predictions, network_changes
from ontogeny.changes.compare import ratios_of_run
from ontogeny.changes.settings import ChangeSettings
from ontogeny.errors import OntogenyError
from ontogeny.jumps.plan import Moment
from ontogeny.models import build_model


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(60, 1, 8, 8, generator=generator), torch.arange(60) % 4


def network(name="mlp", **settings):
    return build_model(name, (1, 8, 8), 4, 0, **settings).eval()


def of(changes, quantity, layer=None):
    return {c.layer: c.value for c in changes if c.quantity == quantity and layer in (None, c.layer)}


def jump(step, **more):
    return Moment("jump", step, step - 5, step + 5, "early", "planted", **more)


def control(step, of):
    return Moment("control", step, step - 5, step + 5, "early", "quiet", control_for=of)


def test_the_same_network_has_not_changed(data):
    for name, settings in (("mlp", {"hidden": [12, 8]}), ("vit_tiny", {"width": 8, "depth": 1, "heads": 2})):
        model = network(name, **settings)
        found = network_changes(model, copy.deepcopy(model), *data, ChangeSettings(explained=8))
        assert {c.family for c in found} >= {"weights", "activations", "neurons", "features", "predictions"}
        assert ("attention" in {c.family for c in found}) == (name == "vit_tiny")
        for change in found:
            loose = 1e-6 if change.quantity in ("CKA distance", "shape distance") else 0
            assert abs(change.value) <= loose, change


def test_only_the_layer_that_was_changed_shows_it(data):
    before = network(hidden=[12, 8])
    after = copy.deepcopy(before)
    with torch.no_grad():
        after.get_submodule("network.2").weight *= -2
    found = network_changes(before, after, *data, ChangeSettings(explained=8))
    moved = of(found, "relative change")
    assert moved["Linear_0"] == moved["Linear_2"] == 0
    weight, bias = (p.detach().double() for p in before.get_submodule("network.2").parameters())
    share = float(weight.norm() / torch.cat([weight.flatten(), bias]).norm())
    assert moved["Linear_1"] == pytest.approx(3 * share)
    assert of(found, "spectral norm", "Linear_1")["Linear_1"] == pytest.approx(float(torch.linalg.svdvals(weight)[0]))
    assert of(found, "stable rank", "Linear_1")["Linear_1"] == pytest.approx(0, abs=1e-6)
    assert of(found, "displacement")["Linear_0"] == 0 < of(found, "displacement")["Linear_1"]
    assert of(found, "changed")["Linear_0"] == 0 < of(found, "changed")["Linear_1"]


def test_rotation_is_no_change_of_shape_but_a_displacement():
    from ontogeny.changes.measure import activation_changes

    rng = np.random.default_rng(0)
    values = rng.standard_normal((80, 6))
    turn = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    found = {c.quantity: c.value for c in activation_changes("a", values, values @ turn)}
    assert found["CKA distance"] == pytest.approx(0, abs=1e-9)
    assert found["shape distance"] == pytest.approx(0, abs=1e-5)
    assert found["displacement"] > 0.5
    shifted = {c.quantity: c.value for c in activation_changes("a", values, values + 1)}
    spread = np.sqrt(values.var(axis=0, ddof=1).sum())
    assert shifted["mean shift"] == pytest.approx(math.sqrt(6) / spread)
    assert shifted["displacement"] == pytest.approx(math.sqrt(6) / spread)


class Told(torch.nn.Module):
    """Scores that are told."""

    def __init__(self, classes):
        super().__init__()
        self.scores = torch.nn.functional.one_hot(torch.tensor(classes), 3).float()

    def forward(self, inputs):
        return self.scores[inputs[:, 0].long()]


def test_flipped_examples_are_those_that_flipped():
    inputs, labels = torch.arange(6.0)[:, None], torch.tensor([0, 0, 1, 1, 2, 2])
    table = flipped_predictions(Told([0, 1, 1, 0, 0, 2]), Told([0, 0, 2, 0, 1, 2]), inputs, labels)
    assert list(table["flip"]) == ["", "to right", "to wrong", "", "other", ""]
    assert list(table["margin_after"] - table["margin_before"]) == [0, 2, -2, 0, 0, 0]


def test_a_control_like_the_jump_gives_no_effect():
    values = np.random.default_rng(0).random(40)
    same = [Change.of_samples("features", "", "saliency moved", values)]
    table = against_controls({jump(20): same, control(50, 20): same})
    row = table[table["kind"] == "jump"].iloc[0]
    assert (row["difference"], row["effect_size"], row["p_value"], row["p_controls"]) == (0, 0, 1, 1)
    assert (row["difference_low"], row["difference_high"]) == (0, 0)


def test_a_transition_is_compared_with_stretches_as_long_only():
    def moved(size):
        return [Change.of_samples("features", "", "saliency moved", np.full(40, float(size)))]

    transition = Moment("transition", 200, 50, 400, "early", "planted")
    long = [Moment("control", step, step - 150, step + 200, "late", "quiet", control_for=200) for step in (600, 1000)]
    table = against_controls({jump(20): moved(9), control(1300, 20): moved(1), transition: moved(9)}
                             | {each: moved(5) for each in long})  # fmt: skip
    rows = table.set_index("moment")[["controls", "control", "other_controls", "jump"]]
    assert rows.loc["transition at 200"].tolist() == [2, 5, 2, 200]
    assert rows.loc["jump at 20"].tolist() == [1, 1, 1, 20]
    assert rows.loc["control at 600", "other_controls"] == 1
    assert list(ratios_of_run(table)["ratio"]) == [9, 9 / 5]


def test_a_larger_change_shows_with_its_interval_and_corrected():
    rng = np.random.default_rng(1)
    quiet = rng.random((5, 100))
    large, alike = quiet[0] + 1 + rng.random(100), rng.permutation(quiet[0])
    names = {"margin": large, "loss": alike}
    moments = {jump(20): [Change.of_samples("predictions", "", name, values) for name, values in names.items()]}
    for place, values in enumerate(quiet):
        moments[control(50 + place, 20 if place == 0 else 99)] = [
            Change.of_samples("predictions", "", name, values) for name in names
        ]
    table = against_controls(moments).query("kind == 'jump'").set_index("quantity")
    assert table.loc["margin", "p_adjusted"] == pytest.approx(2 / 5000)
    assert table.loc["margin", "difference_low"] < (large - quiet[0]).mean() < table.loc["margin", "difference_high"]
    assert table.loc["margin", "p_controls"] == pytest.approx(1 / 6)
    assert table.loc["margin", "controls_effect"] > 3
    assert table.loc["loss", "p_value"] > 0.05
    assert list(table.loc["margin", ["controls", "other_controls"]]) == [1, 5]


def test_p_values_are_uniform_where_there_is_nothing():
    rng = np.random.default_rng(2)
    p_values = []
    for _ in range(120):
        draws = {
            moment: [Change.of_samples("predictions", "", "loss", rng.standard_normal(30))]
            for moment in (jump(20), control(50, 20))
        }
        p_values.append(against_controls(draws, n_resamples=100)["p_value"].iloc[0])
    assert kstest(p_values, "uniform").pvalue > 0.01


def test_without_a_quiet_moment_there_is_no_comparison():
    table = against_controls({jump(20): [Change("weights", "Linear_0", "norm", 1.0)]})
    assert table["controls"].iloc[0] == 0
    assert table[["control", "difference", "p_value", "p_controls", "p_adjusted"]].isna().all(axis=None)
    assert list(against_controls({}).columns) == list(table.columns)


def test_other_samples_are_refused():
    one, two = (Change.of_samples("predictions", "", "loss", np.ones(n)) for n in (3, 4))
    with pytest.raises(OntogenyError, match="other samples"):
        against_controls({jump(20): [one], control(50, 20): [two]})


def rows(at_jump, at_control, quantity="norm"):
    return pd.DataFrame(
        {"kind": "jump", "step": step, "controls": 1, "family": "weights", "quantity": quantity, "layer": layer,
         "change": change, "control": quiet}
        for step, (change, quiet) in enumerate(zip(at_jump, at_control)) for layer in ("a", "b")
    )  # fmt: skip


def test_a_study_tells_which_architecture_changes_how():
    rng = np.random.default_rng(3)
    tables, architectures = {}, {}
    for seed in range(4):
        for name, factor in (("mlp", 8.0), ("vit", 1.0)):
            quiet = rng.uniform(1, 1.2, 3)
            strong, none = rows(factor * quiet * rng.uniform(0.9, 1.1, 3), quiet), rows(quiet, quiet, "direction")
            tables[f"{name}{seed}"] = pd.concat([strong, none], ignore_index=True)
            architectures[f"{name}{seed}"] = name
    table, pairs = changes_of_study(tables, architectures)
    assert len(pairs) == 2 * 8 * 3
    found = table.set_index(["quantity", "architecture"])
    assert found.loc[("norm", "mlp"), "p_adjusted"] < 0.01 < found.loc[("norm", "vit"), "p_value"]
    assert found.loc[("norm", "mlp"), "low"] > 6
    assert found.loc[("norm", "mlp"), "ratio"] == pytest.approx(8, rel=0.1)
    assert (found.loc[("norm", "mlp"), "runs"], found.loc[("norm", "mlp"), "jumps"]) == (4, 12)
    assert found.loc[("norm", "all"), "between_p_adjusted"] < 0.1
    assert found.loc[("direction", "all"), "p_value"] == 1


def test_a_study_without_a_jump_has_an_empty_table():
    table, pairs = changes_of_study({"a": against_controls({})}, {"a": "mlp"})
    assert table.empty
    assert pairs.empty
