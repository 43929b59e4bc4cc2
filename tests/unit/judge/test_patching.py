"""Activation patching and subgraphs against patching by hand, one hook at a time."""

import numpy as np
import pytest
import torch
from small_judges import make_judge, make_pairs

from ontogeny.errors import OntogenyError
from ontogeny.judge.circuits import circuit_graph, edge_scores, faithfulness, random_subgraph, run_subgraphs
from ontogeny.judge.network import difference, run, run_on
from ontogeny.judge.pairs import ROLES, Pairs
from ontogeny.judge.patching import patch_pairs, share_restored


def by_hand(judge, pairs, row, layer, places):
    """Patch the unsafe residual stream into the safe run at these positions, with forward hooks alone."""
    size = int((pairs.safe[row] >= 0).sum())
    unsafe, safe = pairs.unsafe[row : row + 1, :size], pairs.safe[row : row + 1, :size]
    kept = {}

    def get(module, args, kwargs):
        kept["hidden"] = (args[0] if args else kwargs["hidden_states"]).detach().clone()

    def put(module, args, kwargs):
        hidden = (args[0] if args else kwargs["hidden_states"]).clone()
        hidden[:, places] = kept["hidden"][:, places]
        return ((hidden, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": hidden})

    block = judge.blocks[layer]
    with torch.no_grad():
        handle = block.register_forward_pre_hook(get, with_kwargs=True)
        judge(unsafe)
        handle.remove()
        handle = block.register_forward_pre_hook(put, with_kwargs=True)
        patched = difference(judge(safe))
        handle.remove()
        return float(patched - difference(judge(safe)))


def test_patching_is_that_of_hooks_by_hand(any_judge, pairs):
    found = patch_pairs(any_judge, pairs, chunk=40)
    role = pairs.role()
    for row in range(len(pairs)):
        for layer in range(len(any_judge.blocks)):
            for index in range(len(ROLES)):
                places = torch.nonzero(role[row] == index)[:, 0]
                if len(places):
                    expected = by_hand(any_judge, pairs, row, layer, places)
                    assert found.restored[layer, index, row] == pytest.approx(expected, abs=2e-5)
                else:
                    assert np.isnan(found.restored[layer, index, row])


def test_what_patching_must_give_in_a_decoder(decoder, pairs):
    found = patch_pairs(decoder, pairs)
    before, last = ROLES.index("before"), ROLES.index("read")
    assert np.nanmax(np.abs(found.restored[:, before])) < 1e-5
    assert np.nanmax(found.distance[:, before]) < 1e-5
    assert found.restored[-1, last] == pytest.approx(found.difference, abs=2e-5)
    assert found.restored[0, ROLES.index("differing")] == pytest.approx(found.difference, abs=2e-5)
    table = share_restored(found)
    if np.isfinite(table["restored"]).any():
        assert table["restored"][-1, last] == pytest.approx(1)


def test_going_on_from_any_layer_gives_the_judge_itself(any_judge, pairs):
    with torch.no_grad():
        past = run(any_judge, pairs.unsafe)
        for layer, residual in enumerate(past.residuals):
            again = run_on(any_judge, past, layer, residual.repeat_interleave(3, 0))
            assert torch.allclose(again, past.logits.repeat_interleave(3, 0), atol=1e-5)


def test_padding_changes_nothing(any_judge, pairs):
    wider = torch.full((len(pairs), 6), -1)
    padded = Pairs(torch.cat([pairs.unsafe, wider], 1), torch.cat([pairs.safe, wider], 1), pairs.group)
    one, two = patch_pairs(any_judge, pairs), patch_pairs(any_judge, padded)
    assert np.allclose(one.restored, two.restored, atol=2e-5, equal_nan=True)
    assert np.allclose(one.distance, two.distance, atol=1e-5, equal_nan=True)


def test_all_edges_give_the_unsafe_prompt_and_none_the_safe_one(decoder, pairs):
    graph = circuit_graph(decoder)
    everything = np.arange(len(graph.edges))
    found = run_subgraphs(decoder, pairs, graph.masks([everything, []]), chunk=5)
    with torch.no_grad():
        assert found[0] == pytest.approx(difference(decoder(pairs.unsafe)).numpy(), abs=2e-5)
        assert found[1] == pytest.approx(difference(decoder(pairs.safe)).numpy(), abs=2e-5)


def test_a_cut_edge_is_the_one_cut_by_hand():
    """The edge from head 1 of layer 1 to the MLP of layer 2, by hooks on the modules themselves."""
    judge, pairs = make_judge(), make_pairs(6)
    graph = circuit_graph(judge)
    names = (graph.senders, graph.receivers)
    edge = next(index for index, (u, v) in enumerate(graph.edges) if (names[0][u], names[1][v]) == ("1.h1", "2.mlp"))
    all_but_one = np.delete(np.arange(len(graph.edges)), edge)
    found = run_subgraphs(judge, pairs, graph.masks([all_but_one]))[0]
    block, width = judge.blocks[0].self_attn, judge.backbone.config.hidden_size
    size = width // 2
    write = block.o_proj.weight[:, :size]
    kept = []
    with torch.no_grad():
        handle = block.o_proj.register_forward_pre_hook(lambda _, args: kept.append(args[0][..., :size] @ write.T))
        judge(pairs.unsafe), judge(pairs.safe)
        handle.remove()
        change = kept[1] - kept[0]
        handle = judge.blocks[1].post_attention_layernorm.register_forward_pre_hook(lambda _, args: (args[0] + change,))
        expected = difference(judge(pairs.unsafe))
        handle.remove()
    assert found == pytest.approx(expected.numpy(), abs=2e-5)


def test_scores_estimate_what_cutting_an_edge_does(any_judge):
    pairs, decoder = make_pairs(8), any_judge
    graph = circuit_graph(decoder)
    scores = edge_scores(decoder, pairs, steps=20, chunk=3)
    everything = np.arange(len(graph.edges))
    cut = graph.masks([everything, *(np.delete(everything, edge) for edge in everything)])
    found = run_subgraphs(decoder, pairs, cut)
    assert np.corrcoef(scores.ravel(), (found[0] - found[1:]).T.ravel())[0, 1] > 0.5
    into_output = graph.edges[:, 1] == graph.receivers.index("output")
    path = scores[:, into_output].sum(1)
    with torch.no_grad():
        gap = difference(decoder(pairs.unsafe)) - difference(decoder(pairs.safe))
    assert np.corrcoef(path, gap)[0, 1] > 0.5


def test_a_planted_circuit_is_found():
    judge = make_judge(layers=3, width=32, heads=4)
    with torch.no_grad():
        for layer, block in enumerate(judge.blocks):
            block.mlp.down_proj.weight.zero_()
            keep = slice(8, 16) if layer == 1 else slice(0, 0)
            weight = block.self_attn.o_proj.weight.clone()
            block.self_attn.o_proj.weight.zero_()
            block.self_attn.o_proj.weight[:, keep] = 3 * weight[:, keep]
    pairs = make_pairs(40, longest=8)
    with torch.no_grad():
        flip = difference(judge(pairs.unsafe)) < difference(judge(pairs.safe))
    swap = flip[:, None]
    pairs = Pairs(torch.where(swap, pairs.safe, pairs.unsafe), torch.where(swap, pairs.unsafe, pairs.safe), pairs.group)
    scoring, judging = pairs.halves(0)
    scores = edge_scores(judge, scoring).mean(0)
    graph = circuit_graph(judge)
    best = [(graph.senders[u], graph.receivers[v]) for u, v in graph.edges[np.argsort(-np.abs(scores))[:2]]]
    assert set(best) == {("embedding", "2.h2"), ("2.h2", "output")}
    result = faithfulness(judge, judging, scores, shares=(1 / len(scores), 2 / len(scores), 0.1))
    assert result.size == 2, result
    assert result.restored[list(result.sizes).index(result.size)] == pytest.approx(1, abs=1e-4)


def test_an_untrained_judge_with_random_labels_has_no_circuit():
    found = 0
    for seed in range(12):
        judge, pairs = make_judge(seed=seed, layers=2), make_pairs(40, seed=seed).relabelled(seed)
        scoring, judging = pairs.halves(seed)
        result = faithfulness(judge, judging, edge_scores(judge, scoring).mean(0), draws=4, shares=(0.05, 0.2, 0.5))
        found += result.size is not None
        assert result.size is not None or result.reason
    assert found == 0


def test_random_subgraphs_are_paths_of_the_wanted_size(decoder):
    graph = circuit_graph(decoder)
    for size in (1, 3, 10, len(graph.edges)):
        edges = random_subgraph(graph, size, np.random.default_rng(0))
        assert len(set(edges.tolist())) == size


def test_pairs_must_match():
    tokens = torch.tensor([[1, 2, 3, -1]])
    with pytest.raises(OntogenyError, match="length"):
        Pairs(tokens, torch.tensor([[1, 2, 3, 4]]), np.zeros(1))
    with pytest.raises(OntogenyError, match="twice"):
        Pairs(tokens, tokens, np.zeros(1))
    pair = Pairs(torch.tensor([[1, 5, 3, 4, 9, -1]]), torch.tensor([[1, 2, 3, 4, 9, -1]]), np.zeros(1))
    assert [ROLES[i] if i >= 0 else "" for i in pair.role()[0].tolist()] == [
        "before", "differing", "next", "later", "read", "",
    ]  # fmt: skip
