"""Recovered functions as sums of named ones, and fits over their steps."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import OrthogonalMatchingPursuit

from ontogeny.connectome import fit_connectome, learning_table, simulate_activity, symbolic_form, symbolic_functions
from ontogeny.connectome.symbolic import DICTIONARY, equation

U = np.linspace(-3, 3, 61)


@pytest.fixture(scope="module", params=[1.0, 0.1])
def fitted(request):
    size = {"n_neurons": 60, "n_trajectories": 60, "n_frames": 150, "connectivity_filling_factor": request.param}
    truth = simulate_activity(size, seed=1)
    return fit_connectome(truth, settings={"n_steps": 60, "n_snapshots": 5}, seed=1), truth


def test_the_functions_of_the_simulation_are_found(fitted):
    found, truth = fitted
    table, text = symbolic_functions(found, truth)
    terms = {(f, kind): part.set_index("term") for (f, kind), part in table.groupby(["function", "type"])}
    psi = terms.pop(("psi", ""))
    assert set(psi.index) == {"tanh(u)", "1"}
    assert psi.loc["tanh(u)", "coefficient"] == pytest.approx(1, abs=1e-3)
    assert len(terms) == 4
    for (_, kind), part in terms.items():
        _, s, c = truth.params[kind]
        assert set(part.index) == {"u", "tanh(u)", "1"}
        assert part.loc["u", "coefficient"] == pytest.approx(-c, abs=2e-3)
        assert part.loc["tanh(u)", "coefficient"] == pytest.approx(s, abs=2e-3)
        assert (part["low"] <= part["coefficient"]).all()
    assert text.startswith("psi = 1.000 tanh(u) (R2 1.0000); phi0 = -1.000 u + 1.000 tanh(u)")


def test_a_formula_that_does_not_describe_its_function_is_said_not_to():
    table = pd.DataFrame({"term": ["u", "1"], "coefficient": [-1.0, 0.0]})
    assert equation(table, 0.99) == "= -1.000 u (R2 0.9900)"
    assert equation(table, 0.5).startswith("is poorly described by -1.000 u")
    assert "is worse than a constant (R2 -0.5630)" in equation(table, -0.563)


def test_noise_does_not_add_terms_and_intervals_cover():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(20):
        level, noise = rng.normal(0, 0.05, 12), rng.normal(0, 0.02, (len(U), 12))
        values = (-1.5 + level) * U[:, None] + 2 * np.tanh(U)[:, None] + noise
        table, _ = symbolic_form(U, values)
        table = table.set_index("term")
        assert set(table.index) == {"u", "tanh(u)", "1"}
        covered += table.loc["u", "low"] <= -1.5 <= table.loc["u", "high"]
    assert covered >= 15


def test_terms_are_found_that_greedy_selection_misses():
    values = -U + np.tanh(U)
    terms = np.stack([term(U) for term in DICTIONARY.values()], axis=1)
    scaled = (terms - terms.mean(0)) / terms.std(0)
    pursuit = OrthogonalMatchingPursuit(n_nonzero_coefs=2).fit(scaled, values)
    assert {name for name, weight in zip(DICTIONARY, pursuit.coef_) if weight} == {"u^3", "sin(u)"}
    assert pursuit.score(scaled, values) == pytest.approx(0.991, abs=1e-3)
    table, r2 = symbolic_form(U, values)
    assert set(table["term"]) == {"u", "tanh(u)", "1"}
    assert r2 > 0.9999


def test_a_fit_is_a_trajectory(fitted):
    table = learning_table(*fitted)
    assert table["step"].tolist() == [0, 12, 24, 36, 48, 60]
    assert table["connectivity_R2"].iloc[-1] > table["connectivity_R2"].iloc[1]
    assert table["embedding_PC1"].iloc[-1] > table["embedding_PC1"].iloc[0]
    assert table["type_ARI"].iloc[1:].between(-1, 1).all()
    assert (table["type_p_adjusted"].dropna() >= table["type_p"].dropna()).all()
