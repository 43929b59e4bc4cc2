"""The decision boundary, against classifiers whose boundary is known."""

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.geometry.boundary import (
    boundary_of_moments,
    distance_linearised,
    distance_on_lines,
    logits_of,
    margins,
    plane_of_components,
    plane_of_three,
    planes_of_triples,
    regions,
    share_changed,
)
from ontogeny.geometry.settings import BoundarySettings


def linear(weight, bias):
    model = nn.Sequential(nn.Flatten(), nn.Linear(len(weight[0]), len(weight))).double()
    with torch.no_grad():
        model[1].weight[:] = torch.tensor(weight, dtype=torch.float64)
        model[1].bias[:] = torch.tensor(bias, dtype=torch.float64)
    return model


# class 1 where x0 > 1: the boundary is the plane x0 = 1
HALVES = linear([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0]], [0.0, -2.0])


def test_margins_are_the_logit_of_the_label_less_the_best_other():
    logits = [[1.0, 3.0, 2.0], [5.0, 0.0, 4.0]]
    assert margins(logits, [1, 2]).tolist() == [1.0, -1.0]


def test_distances_to_a_linear_boundary_are_exact():
    generator = np.random.default_rng(0)
    weight, bias = generator.normal(size=(4, 5)), generator.normal(size=4)
    model, x = linear(weight, bias), generator.normal(size=(40, 5))
    f = x @ weight.T + bias
    own = f.argmax(1)
    truth = np.array(
        [min((f[i, own[i]] - f[i, k]) / np.linalg.norm(weight[own[i]] - weight[k]) for k in range(4) if k != own[i])
         for i in range(40)]
    )  # fmt: skip
    found = distance_linearised(model, x)
    assert np.allclose(found, truth, rtol=1e-9)
    lines, target = distance_on_lines(model, x)
    assert (lines >= found - 1e-7).all()
    assert (own[target] != own).all()


def test_the_distance_along_a_line_is_where_it_crosses():
    x = np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 3.0]])
    distance, target = distance_on_lines(HALVES, x)
    assert target.tolist() == [1, 0]
    assert np.allclose(distance, [1.25, 3.75], atol=1e-6)  # a quarter of the way along a line of length 5
    alone, none = distance_on_lines(HALVES, x[:1])
    assert np.isinf(alone[0])
    assert none[0] == -1


def test_the_plane_of_three_inputs_passes_through_them():
    images = np.random.default_rng(1).normal(size=(3, 1, 4, 4))
    plane = plane_of_three(images)
    assert np.allclose(plane.points(plane.marks), images)
    assert np.allclose(plane.axes @ plane.axes.T, np.eye(2))
    assert (plane.low < plane.marks.min(0)).all()
    assert (plane.high > plane.marks.max(0)).all()
    with pytest.raises(OntogenyError, match="one line"):
        plane_of_three(np.outer([1.0, 2.0, 3.0], np.ones(4)))
    with pytest.raises(OntogenyError, match="2 inputs"):
        plane_of_three(images[:2])


def test_the_plane_of_components_is_that_of_the_largest_variance():
    generator = np.random.default_rng(2)
    x = generator.normal(size=(200, 5)) * [1, 9, 1, 5, 1]
    plane = plane_of_components(x)
    assert abs(plane.axes[0, 1]) > 0.97
    assert abs(plane.axes[1, 3]) > 0.97
    with pytest.raises(OntogenyError, match="span no plane"):
        plane_of_components(np.outer(np.arange(5.0), np.ones(4)))


def test_regions_of_a_linear_classifier_have_its_areas_and_its_boundary():
    plane = plane_of_three(np.array([[0.0, 0, 0], [4.0, 0, 0], [0, 2.0, 0]]), margin=0.0)
    found = regions(HALVES, plane, 81)
    assert found.length == pytest.approx(2.0, abs=1e-9)
    assert found.shares[0] == pytest.approx(0.25, abs=0.02)
    assert found.shares.sum() == pytest.approx(1.0)
    across, _up = plane.grid(81)
    gap = np.abs(2 * across - 2)[None].repeat(81, axis=0)
    assert np.allclose(found.gap, gap)
    slanted = linear([[0.0, 0, 0], [1.0, 1.0, 0]], [0.0, -2.0])  # from (2, 0) to (0, 2)
    assert regions(slanted, plane, 80).length == pytest.approx(8**0.5, rel=1e-6)
    assert share_changed(found, found) == 0.0
    moved = regions(linear([[0.0, 0, 0], [2.0, 0, 0]], [0.0, -4.0]), plane, 81)  # the boundary moves from 1 to 2
    assert share_changed(found, moved) == pytest.approx(0.25, abs=0.01)
    never = regions(linear([[0.0, 0, 0], [0.0, 0, 0]], [1.0, 0.0]), plane, 5)
    assert never.length == 0.0
    assert never.shares.tolist() == [1.0, 0.0]
    with pytest.raises(OntogenyError, match="different resolutions"):
        share_changed(found, never)


def test_three_classes_meet_and_every_piece_of_boundary_counts_once():
    thirds = linear([[np.cos(a), np.sin(a), 0.0] for a in (0.0, 2 * np.pi / 3, 4 * np.pi / 3)], [0.0] * 3)
    plane = plane_of_three(np.array([[-1.0, -1, 0], [1, -1, 0], [-1, 1, 0]]), margin=0.0)
    # from the centre: one ray along -x (length 1), two at 60 degrees up and down (length 1 / sin 60)
    assert regions(thirds, plane, 101).length == pytest.approx(1 + 2 / np.sin(np.pi / 3), rel=0.02)


def test_a_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Dropout(0.5))
    model.train()
    x = np.random.default_rng(0).normal(size=(6, 1, 2, 2)).astype(np.float32)
    assert np.array_equal(logits_of(model, x), logits_of(model, x, chunk=2))
    distance_linearised(model, x)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(OntogenyError, match="two or more logits"):
        logits_of(nn.Sequential(nn.Flatten(), nn.Linear(4, 1)), x)
    with pytest.raises(OntogenyError, match="not finite"):
        logits_of(lambda batch: batch.flatten(1) / 0, x)


def test_moments_are_compared_on_the_same_planes():
    generator = np.random.default_rng(3)
    x, labels = generator.normal(size=(30, 3)), np.arange(30) % 3
    other = linear([[0.0, 0.0, 0.0], [-2.0, 0.0, 0.0]], [0.0, 2.0])  # the same boundary, the classes swapped
    pairs = [
        {"kind": "control", "step": 1, "before": 0, "after": 1},
        {"kind": "jump", "step": 2, "before": 1, "after": 2},
    ]
    networks = [(0, HALVES), (1, HALVES), (2, other)]
    made = [
        boundary_of_moments(networks, pairs, x, np.minimum(labels, 1), BoundarySettings(planes=3, resolution=20))
        for _ in range(2)
    ]
    by_step, by_plane, changes, arrays = made[0]
    assert changes["changed"].tolist() == [0.0, 1.0]
    assert changes["changed_components"].tolist() == [0.0, 1.0]
    assert arrays["pca_classes"].shape == (3, 20, 20)
    assert len(arrays["pca_labels"]) == 30
    assert set(by_plane["plane"]) == {"triple 1", "triple 2", "triple 3", "components"}
    assert (by_step["margin_low"] <= by_step["margin"]).all()
    assert (by_step["margin"] <= by_step["margin_high"]).all()
    assert all(np.array_equal(arrays[key], made[1][3][key]) for key in arrays)
    assert by_step.equals(made[1][0])
    assert by_plane.equals(made[1][1])
    assert changes.equals(made[1][2])


def test_triples_are_of_three_classes_and_fixed_by_the_seed():
    x, labels = np.random.default_rng(0).normal(size=(40, 6)), np.arange(40) % 4
    planes, chosen = planes_of_triples(x, labels, 5, seed=7)
    assert all(len(set(labels[triple])) == 3 for triple in chosen)
    assert np.array_equal(chosen, planes_of_triples(x, labels, 5, seed=7)[1])
    assert np.allclose(planes[0].points(planes[0].marks), x[chosen[0]])
    with pytest.raises(OntogenyError, match="too few inputs"):
        planes_of_triples(x[:2], [0, 1], 1)


def test_inputs_of_half_precision_are_measured_as_their_values():
    model = linear([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 1.5, 0.0]], [0.0, -2.0, -1.0])
    x = torch.tensor(np.random.default_rng(3).normal(size=(30, 3))).bfloat16()
    for measure in (distance_on_lines, distance_linearised):
        assert np.array_equal(measure(model, x), measure(model, x.float()))
    assert np.array_equal(logits_of(model, x), logits_of(model, x.float()))
    for plane in (plane_of_components, lambda inputs: plane_of_three(inputs[:3])):
        assert np.array_equal(plane(x).axes, plane(x.float()).axes)
    classes = logits_of(model, x).argmax(1)
    assert np.array_equal(
        planes_of_triples(x, torch.tensor(classes), 4)[1], planes_of_triples(x.float(), classes, 4)[1]
    )
