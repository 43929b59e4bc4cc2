"""Arguments that are none: each is told by its name, with what would be right."""

from __future__ import annotations

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from ontogeny import complexity, features, geometry, interventions, judge, models, neurons, plotting, trajectory
from ontogeny.arguments import Reals, checks_arguments
from ontogeny.errors import OntogenyError

torch.manual_seed(0)
MLP = nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))
X, Y = torch.randn(24, 8), torch.arange(24) % 3
A = np.random.default_rng(0).normal(size=(24, 6))
ON = (MLP, X, Y)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: neurons.ablation_importance(*ON, "Linear_0", chunk=-1), "chunk is -1: give a whole number of at"),
        (lambda: neurons.ablation_importance(*ON, "Linear_0", seed=None), "seed is None: give"),
        (lambda: neurons.ablation_importance(*ON, 0), "layer is 0: give text"),
        (lambda: neurons.ablation_importance(MLP, X, None, "Linear_0"), "labels is None: give the class of every"),
        (lambda: neurons.gradient_importance(MLP, "x.npy", Y, "Linear_0"), "inputs is 'x.npy': give real numbers"),
        (lambda: neurons.gradient_importance(nn.Linear(5, 2), X, Y, "Linear_0"), "not run on inputs of shape .2, 8."),
        (lambda: neurons.conductance_importance(*ON, "Linear_0", confidence=95), "a number between 0 and 1, as 0.95"),
        (lambda: neurons.class_selectivity(A.astype(str), Y.numpy()), "activations is of type ndarray and <U"),
        (lambda: neurons.neuron_statistics(A + 1j), "activations is of type ndarray and complex128: give real numbers"),
        (lambda: neurons.unit_health(A, threshold=float("nan")), "threshold is nan: give a number"),
        (lambda: neurons.against_control(A, A, "loss"), r"table is of type ndarray and float64: give a table"),
        (lambda: features.saliency(nn.Sequential, X), r"model is the class Sequential: give a torch\.nn\.Module"),
        (lambda: features.saliency(MLP.state_dict(), X), r"model is of type OrderedDict: give a torch\.nn\.Module"),
        (lambda: features.saliency(MLP, X.T), r"does not run on inputs of shape .8, 24. and float32: mat1"),
        (lambda: features.saliency(MLP, X, absolute="yes"), "absolute is 'yes': give True or False"),
        (lambda: features.smoothgrad(MLP, X, noisy_copies="ten"), "noisy_copies is 'ten': give a whole number"),
        (lambda: features.attention_maps("model.pt", X), r"model is 'model.pt': give a torch\.nn\.Module"),
        (lambda: features.top_inputs(MLP, X, "Linear_0", k=0), "k is 0: give a whole number of at least 1"),
        (lambda: interventions.run_intervention({"kind": "ablate"}, MLP, X, Y), "models is of type Sequential: give"),
        (lambda: geometry.cka(A, None), "second is None: give real numbers, as an array or a tensor"),
        (lambda: geometry.two_nn(A, confidence=-1), "confidence is -1: give a number between 0 and 1"),
        (lambda: geometry.procrustes(A + 1j, A), "first is of type ndarray and complex128: give real numbers"),
        (lambda: geometry.subspace_overlap(A, A, k=2.5), "k is 2.5: give a whole number of at least 1"),
        (lambda: geometry.linear_probe(A, Y.numpy(), folds=1), "folds is 1: give a whole number of at least 2"),
        (lambda: geometry.fit_maps("matrices.npy"), "matrices is 'matrices.npy': give several, as a list"),
        (lambda: geometry.label_agreement(A[:, :2], Y.numpy()[:3]), "one label per sample, and fewer neighbours"),
        (lambda: geometry.margins(A, Y.numpy() - 5), "labels are class numbers from 0 to 5, as whole numbers"),
        (lambda: geometry.margins(A, Y.numpy()[:1]), "labels of shape .1,.: one label per sample expected"),
        (lambda: complexity.deep_linear_coefficient([3, 3], rank=-1), "rank is -1: give a whole number of at least 0"),
        (lambda: complexity.find_stages(pd.DataFrame({"step": [0]})), "lacks the columns llc, standard_error"),
        (lambda: judge.performance(A[:, 0], Y.numpy(), Y.numpy()), r"logits of shape .24,., 24 labels and"),
        (lambda: judge.read_record(3), "path is 3: give text or a path"),
        (lambda: models.count_parameters("model.pt"), r"model is 'model.pt': give a torch\.nn\.Module"),
        (lambda: plotting.figure(rows="two"), "rows is 'two': give a whole number"),
        (lambda: trajectory.checkpoint_path("run", "last"), "step is 'last': give a whole number of at least 0"),
    ],
)  # fmt: skip
def test_a_mistaken_argument_is_told_by_its_name(call, said):
    with pytest.raises(OntogenyError, match=said):
        call()


def test_what_fits_goes_through_as_it_was_given():
    @checks_arguments
    def f(values: Reals, seed: int | np.random.Generator = 0, *, at: Reals | None = None, name: str = "a", **others):
        return values, seed, at, name, others

    generator = np.random.default_rng(0)
    given = [[1, 2], [3, 4]]
    assert f(given, generator, at=None, name="b", more=3) == (given, generator, None, "b", {"more": 3})
    assert f(pd.DataFrame(given), np.int64(3))[1] == 3
    weights = torch.ones(3, requires_grad=True)
    assert not f(weights)[0].requires_grad
    assert weights.requires_grad
    for wrong in ([[1, 2], [3]], ["a"], None, 3.0, "abc", np.array([None, 1])):
        with pytest.raises(OntogenyError, match=r"values is .*: give real numbers"):
            f(wrong)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        f()


def test_a_held_function_is_the_same_to_everybody_else():
    assert list(inspect.signature(geometry.cka).parameters) == ["first", "second", "debiased"]
    assert pickle.loads(pickle.dumps(geometry.cka)) is geometry.cka
    assert geometry.cka.__doc__.startswith("Linear") or geometry.cka.__doc__
