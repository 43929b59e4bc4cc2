"""Attribution against captum called directly; lens, probes and neurons on planted and on random material."""

import numpy as np
import pandas as pd
import pytest
import torch
from small_judges import VOCABULARY, make_judge

from ontogeny.errors import OntogenyError
from ontogeny.judge.attribution import (
    TOLERANCE,
    attribute_tokens,
    deletion_curve,
    mean_embedding,
    occlude_tokens,
    reference_prompts,
)
from ontogeny.judge.layers import layer_activations, layer_probes, performance
from ontogeny.judge.network import difference, untrained_like
from ontogeny.judge.neurons import (
    ablate_neurons,
    estimated_effects,
    mean_activations,
    neuron_map,
    single_effects,
)
from ontogeny.judge.readings import last_residuals, neuron_activations
from ontogeny.statistics import auroc


def many_prompts(count, seed=0, length=8):
    rng = np.random.default_rng(seed)
    tokens = torch.from_numpy(rng.integers(3, VOCABULARY, (count, length)))
    tokens[:, -1] = 1
    return tokens


def test_attribution_is_captums(any_judge, pairs):
    from captum.attr import LayerIntegratedGradients

    tokens = pairs.unsafe
    found = attribute_tokens(any_judge, tokens, 7, steps=24)
    method = LayerIntegratedGradients(lambda rows: difference(any_judge(rows)), any_judge.embedding)
    for row in range(len(tokens)):
        size = int((tokens[row] >= 0).sum())
        alone = tokens[row : row + 1, :size]
        expected, delta = method.attribute(
            alone, torch.full_like(alone, 7), n_steps=24, method="gausslegendre", return_convergence_delta=True
        )
        assert found.values[row, :size] == pytest.approx(expected.sum(-1)[0].detach().double().numpy(), abs=2e-4)
        assert found.delta[row] == pytest.approx(float(delta), abs=2e-4)
    assert (found.values[(tokens < 0).numpy()] == 0).all()


def test_occlusion_is_captums(any_judge, pairs):
    from captum.attr import FeatureAblation

    tokens = pairs.unsafe[:3]
    found = occlude_tokens(any_judge, tokens, 7)
    method = FeatureAblation(lambda rows: difference(any_judge(rows)))
    for row in range(len(tokens)):
        alone = tokens[row : row + 1, : int((tokens[row] >= 0).sum())]
        with torch.no_grad():
            expected = method.attribute(alone, baselines=7)[0]
        assert found[row, : alone.shape[1]] == pytest.approx(expected.double().numpy(), abs=1e-5)


def test_kept_tokens_have_no_attribution_and_the_sum_is_right(pairs):
    judge = make_judge()
    keep = torch.zeros_like(pairs.unsafe, dtype=torch.bool)
    keep[:, 0] = True
    baseline = mean_embedding(judge, pairs.unsafe)
    found = attribute_tokens(judge, pairs.unsafe, baseline, keep=keep, steps=200)
    assert np.abs(found.values[:, 0]).max() < 1e-9
    assert np.abs(found.delta).max() < 0.02 * np.abs(found.score - found.baseline_score).max()


def test_attribution_from_several_prompts_is_their_average_and_adds_up(any_judge, pairs):
    """As many safe as unsafe prompts stand at the start; pieces are halved until the sum is right, or it is said."""
    tokens = torch.cat([pairs.unsafe, pairs.safe])
    labels = np.repeat([1, 0], len(pairs))
    starts = reference_prompts(any_judge, tokens, labels, 2)
    assert starts.shape == (2, tokens.shape[1], 16)
    both = attribute_tokens(any_judge, pairs.unsafe, starts, steps=24)
    each = [attribute_tokens(any_judge, pairs.unsafe, start[None], steps=24) for start in starts]
    assert both.values == pytest.approx((each[0].values + each[1].values) / 2, abs=1e-6)
    assert both.baseline_score == pytest.approx((each[0].baseline_score + each[1].baseline_score) / 2)
    sure = attribute_tokens(any_judge, pairs.unsafe, starts, steps=2, tolerance=TOLERANCE)
    change = np.abs(sure.score - sure.baseline_score)
    assert sure.converged.any()
    assert (np.abs(sure.delta) <= np.maximum(TOLERANCE, TOLERANCE * change))[sure.converged].all()
    rough = attribute_tokens(any_judge, pairs.unsafe, starts, steps=1)
    assert np.abs(sure.delta).mean() < np.abs(rough.delta).mean()
    usual = attribute_tokens(any_judge, pairs.unsafe, starts, steps=8, tolerance=TOLERANCE)
    many = attribute_tokens(any_judge, pairs.unsafe, starts, steps=400)
    assert usual.values[usual.converged] == pytest.approx(many.values[usual.converged], abs=5 * TOLERANCE)


def test_single_ablations_are_those_by_hand(any_judge, pairs):
    neurons = pd.DataFrame({"layer": [1, 2, 2], "neuron": [3, 0, 5]})
    means = mean_activations(any_judge, pairs.unsafe)
    found = single_effects(any_judge, pairs.unsafe, neurons, means)
    labels = np.ones(len(pairs))
    for place, (_, row) in enumerate(neurons.iterrows()):
        one = ablate_neurons(any_judge, pairs.unsafe, labels, row.to_frame().T, repeats=2)
        assert found[place].mean() == pytest.approx(one["margin"] - one["ablated"], abs=1e-4)
    estimate = estimated_effects(any_judge, pairs.unsafe, means)
    assert estimate.shape[0] == len(pairs)


def test_occlusion_is_that_of_one_token_at_a_time(any_judge, pairs):
    tokens = pairs.unsafe
    found = occlude_tokens(any_judge, tokens, 7, chunk=10)
    with torch.no_grad():
        for row in (0, 3):
            size = int((tokens[row] >= 0).sum())
            alone = tokens[row : row + 1, :size]
            for place in range(size):
                other = alone.clone()
                other[0, place] = 7
                expected = float(difference(any_judge(alone)) - difference(any_judge(other)))
                assert found[row, place] == pytest.approx(expected, abs=2e-5)


def test_deletion_takes_tokens_out(pairs):
    judge = make_judge()
    values = occlude_tokens(judge, pairs.unsafe, 7)
    curves = deletion_curve(judge, pairs.unsafe, values, orders=3, points=50)
    tokens = pairs.unsafe[2][pairs.unsafe[2] >= 0]
    with torch.no_grad():
        sign = float(difference(judge(tokens[None])).sign())
        ranked = np.argsort(-sign * values[2, : len(tokens) - 1], kind="stable")
        for count, score in zip(curves[2].removed, curves[2].by_attribution):
            left = np.setdiff1d(np.arange(len(tokens)), ranked[:count])
            assert sign * float(difference(judge(tokens[left][None]))) == pytest.approx(score, abs=2e-5)
    assert curves[2].removed[-1] == len(tokens) - 1
    assert np.mean([curve.gap for curve in curves]) > 0


def test_the_lens_ends_in_the_judge(any_judge, pairs):
    norms, lens = layer_activations(any_judge, pairs.unsafe)
    last = (pairs.unsafe >= 0).sum(1).numpy() - 1
    with torch.no_grad():
        expected = difference(any_judge(pairs.unsafe)).numpy()
    assert lens[np.arange(len(last)), -1, last] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(norms).sum() == (pairs.unsafe < 0).sum() * (len(any_judge.blocks) + 1)


def test_padding_changes_no_measure(any_judge, pairs):
    wider = torch.cat([pairs.unsafe, torch.full((len(pairs), 5), -1)], 1)
    assert np.allclose(last_residuals(any_judge, pairs.unsafe), last_residuals(any_judge, wider), atol=1e-5)
    assert np.allclose(neuron_activations(any_judge, pairs.unsafe), neuron_activations(any_judge, wider), atol=1e-5)
    width = pairs.unsafe.shape[1]
    one, two = (attribute_tokens(any_judge, tokens, 7, steps=8).values for tokens in (pairs.unsafe, wider))
    assert np.allclose(one, two[:, :width], atol=1e-4)


def test_a_probe_finds_what_is_there_and_nothing_else():
    judge = make_judge(width=32, heads=4)
    tokens = many_prompts(240)
    values = last_residuals(judge, tokens)
    told = (tokens[:, -2] % 2).numpy()
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    probes = layer_probes(values[:, :120], told[:120], values[:, 120:], told[120:], groups)
    assert probes[0]["auc"] == 0.5
    assert probes[0]["layer"] == 0
    assert len(probes) == 4
    assert all(row["auc_low"] <= row["auc"] <= row["auc_high"] for row in probes)
    guessed = rng.integers(0, 2, 240)
    null = layer_probes(values[:, :120], guessed[:120], values[:, 120:], guessed[120:], groups)
    assert all(abs(row["shuffled_mean"] - 0.5) < 0.06 for row in null[1:])
    planted = values.copy()
    planted[2, :, 0] += 3 * values[2].std() * told
    strong = layer_probes(planted[:, :120], told[:120], planted[:, 120:], told[120:], groups)
    assert strong[2]["auc"] > 0.8
    assert strong[2]["auc_low"] > strong[2]["shuffled_high"]


def test_performance_has_intervals_that_hold_the_value():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 200)
    logits = np.stack([np.zeros(200), 2.0 * labels - 1 + rng.standard_normal(200)], 1)
    found = performance(logits, labels, np.arange(200))
    for name in ("loss", "accuracy", "f1", "auc"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]
    from sklearn.metrics import f1_score, log_loss, roc_auc_score

    score = logits[:, 1]
    assert found["auc"] == pytest.approx(roc_auc_score(labels, score))
    assert found["f1"] == pytest.approx(f1_score(labels, score > 0))
    assert found["loss"] == pytest.approx(log_loss(labels, 1 / (1 + np.exp(-score))))


def test_auroc_is_scikit_learns_with_ties():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    values, labels = rng.integers(0, 5, (60, 3)).astype(float), rng.integers(0, 2, 60)
    assert auroc(values, labels) == pytest.approx([roc_auc_score(labels, column) for column in values.T])


def test_a_planted_neuron_is_found_and_matters():
    judge = make_judge(width=32, heads=4)
    tokens = many_prompts(300)
    activations = neuron_activations(judge, tokens)
    with torch.no_grad():
        scores = difference(judge(tokens)).numpy()
    labels = (scores > np.median(scores)).astype(int)
    weight = judge.blocks[1].mlp.down_proj.weight
    direction = judge.final_norm.weight * (judge.head.weight[1] - judge.head.weight[0])
    with torch.no_grad():
        weight[:, 5] = 40 * direction / direction.norm()
        scores = difference(judge(tokens)).numpy()
    labels = (scores > np.median(scores)).astype(int)
    activations = neuron_activations(judge, tokens)
    half = slice(None, 150), slice(150, None)
    table = neuron_map(activations[half[0]], labels[half[0]], activations[half[1]], labels[half[1]])
    top = table.loc[(table["auroc"] - 0.5).abs().idxmax()]
    assert (top["layer"], top["neuron"]) == (2, 5)
    assert top["found"]
    result = ablate_neurons(judge, tokens[half[1]], labels[half[1]], table[(table.layer == 2) & (table.neuron == 5)])
    assert result["ablated"] < np.median(result["random"])
    assert len(result["random"]) == 99
    assert result["p_value"] == (1 + sum(value <= result["ablated"] for value in result["random"])) / 100
    assert len(set(result["random"])) > 10
    nothing = ablate_neurons(judge, tokens[half[1]], labels[half[1]], table.iloc[:0], repeats=2)
    assert nothing["ablated"] == nothing["margin"] == nothing["random"][0]


def test_the_map_of_an_untrained_judge_with_random_labels_is_empty():
    for seed in range(10):
        judge, tokens = make_judge(seed=seed, width=32, heads=4), many_prompts(200, seed)
        labels = np.random.default_rng(seed).permutation(np.arange(200) % 2)
        activations = neuron_activations(judge, tokens)
        table = neuron_map(activations[:100], labels[:100], activations[100:], labels[100:])
        assert not table["found"].any()


def test_p_values_of_the_map_are_uniform_under_random_labels():
    rng = np.random.default_rng(0)
    table = neuron_map(
        rng.standard_normal((100, 2, 500)).astype(np.float32), np.arange(100) % 2,
        rng.standard_normal((100, 2, 500)).astype(np.float32), np.arange(100) % 2,
    )  # fmt: skip
    assert (table["p_value"] <= 0.05).mean() == pytest.approx(0.05, abs=0.02)
    assert (table["p_value"] <= 0.5).mean() == pytest.approx(0.5, abs=0.05)
    assert not table["found"].any()


def test_a_control_raises_the_bar():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    values = rng.standard_normal((200, 1, 50)).astype(np.float32)
    values[:, 0, :10] += 1.5 * labels[:, None]
    without = neuron_map(values[:100], labels[:100], values[100:], labels[100:])
    control = values[100:]
    with_control = neuron_map(values[:100], labels[:100], values[100:], labels[100:], control=control)
    assert without["found"].sum() == 10
    assert with_control["found"].sum() == 0


def test_an_untrained_twin_has_other_weights_and_leaves_the_random_state():
    judge = make_judge()
    state = torch.get_rng_state()
    one, two = untrained_like(judge, 1), untrained_like(judge, 1)
    assert torch.equal(state, torch.get_rng_state())
    tokens = many_prompts(4)
    with torch.no_grad():
        assert torch.equal(one(tokens), two(tokens))
        assert not torch.equal(one(tokens), judge(tokens))


def test_one_class_alone_is_a_sentence():
    values = np.zeros((10, 1, 3), dtype=np.float32)
    with pytest.raises(OntogenyError, match="both 0"):
        neuron_map(values, np.zeros(10, int), values, np.zeros(10, int))
    with pytest.raises(OntogenyError, match="padded"):
        attribute_tokens(make_judge(), torch.tensor([[-1, 3, 4]]), 7)


def test_ablating_by_hand_gives_the_same(any_judge, pairs):
    tokens, labels = pairs.unsafe, np.arange(len(pairs)) % 2
    chosen = pd.DataFrame({"layer": [1, 1], "neuron": [0, 3]})
    found = ablate_neurons(any_judge, tokens, labels, chosen, repeats=1)
    from ontogeny.judge.network import neuron_outputs

    place = neuron_outputs(any_judge)[0]
    kept = []
    with torch.no_grad():
        handle = place.register_forward_pre_hook(lambda _, args: kept.append(args[0]))
        any_judge(tokens)
        handle.remove()
        mean = kept[0][tokens >= 0].mean(0)

        def put(_, args):
            changed = args[0].clone()
            changed[..., 0], changed[..., 3] = mean[0], mean[3]
            return (changed,)

        handle = place.register_forward_pre_hook(put)
        scores = difference(any_judge(tokens)).numpy()
        handle.remove()
    assert found["ablated"] == pytest.approx(float((np.where(labels == 1, 1, -1) * scores).mean()), abs=1e-5)
