"""What a capture keeps is the output of the layer."""

import copy
import gc
import io

import pytest
import torch
from torch import nn

from ontogeny.errors import OntogenyError
from ontogeny.tracking import ActivationCapture, first_tensor


def mlp(inplace=False):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=inplace), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))


def count_hooks(model):
    return sum(len(module._forward_hooks) for module in model.modules())


X = torch.randn(7, 6, generator=torch.Generator().manual_seed(1))


def test_the_published_way_of_use():
    model = mlp()
    capture = ActivationCapture()
    capture.register_hooks(model, [model[0], model[2]])
    model(X)
    assert list(capture.activations) == list(capture.get_all_activations()) == ["Linear_0", "Linear_1"]
    assert torch.equal(capture.get_activation("Linear_0"), model[0](X))
    assert not capture.get_activation("Linear_0").requires_grad
    capture.clear_activations()
    assert capture.get_activation("Linear_0") is None
    assert capture.get_all_activations() == {}
    capture.remove_hooks()
    assert count_hooks(model) == 0


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("rows", [None, 4])
def test_an_in_place_relu_does_not_corrupt(passes, rows):
    model = mlp(inplace=True)
    with ActivationCapture(model, ["0", "2"], ["first", "second"], max_rows=rows) as capture:
        for index in range(passes):
            x = X + index
            model(x)
            kept = capture.get_activation("first")
            expected = nn.functional.linear(x, model[0].weight, model[0].bias)[:rows]
            assert torch.allclose(kept, expected, atol=1e-6)
            assert (kept < 0).any()
            assert torch.equal(capture.get_activation("first"), kept)


def test_an_in_place_addition_and_inference_mode_do_not_corrupt():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)

        def forward(self, x):
            out = self.inner(x)
            out += x
            return out

    model = Residual()
    with ActivationCapture(model, ["inner"]) as capture:
        for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad, torch.inference_mode):
            with mode():
                model(X)
                expected = nn.functional.linear(X, model.inner.weight, model.inner.bias)
                assert torch.allclose(capture.get_activation("Linear_0"), expected, atol=1e-6)


def test_outputs_that_are_not_overwritten_are_not_copied():
    model = mlp()
    with ActivationCapture(model, [model[0]]) as capture:
        model(X)
        capture.get_activation("Linear_0")
        model(X)
        assert capture._kept["Linear_0"][2] is None


def test_an_overwrite_that_begins_later_is_not_passed_off_as_the_output():
    class Changing(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(6, 6)
            self.overwrite = False

        def forward(self, x):
            out = self.inner(x)
            return out.mul_(2) if self.overwrite else out

    model = Changing()
    with ActivationCapture(model, [model.inner]) as capture, torch.no_grad():
        model(X)
        assert capture.get_activation("Linear_0") is not None
        model.overwrite = True
        model(X)
        assert capture.get_activation("Linear_0") is None
        model(X)
        assert torch.equal(capture.get_activation("Linear_0"), nn.functional.linear(X, *model.inner.parameters()))


def test_training_only_ignores_evaluation():
    model = mlp()
    with ActivationCapture(model, [model[0]], when="training") as capture:
        model(X)
        kept = capture.get_activation("Linear_0").clone()
        model.eval()
        model(X + 1)
        model.train()
        with torch.no_grad():
            model(X + 2)
        assert torch.equal(capture.get_activation("Linear_0"), kept)


def test_a_frozen_submodule_still_counts_as_training():
    model = mlp()
    model[0].eval()
    with ActivationCapture(model, [model[0]], when="training") as capture:
        model(X)
        assert capture.get_activation("Linear_0") is not None


def test_hooks_go_when_the_block_fails():
    model = mlp()
    with pytest.raises(ZeroDivisionError), ActivationCapture(model, [model[0]]):
        raise ZeroDivisionError
    assert count_hooks(model) == 0


def test_hooks_go_with_the_object():
    model = mlp()
    capture = ActivationCapture(model, [model[0]])
    assert count_hooks(model) == 1
    del capture
    gc.collect()
    assert count_hooks(model) == 0


def test_registering_again_replaces_and_nesting_is_safe():
    model = mlp()
    with ActivationCapture(model, [model[0]]) as capture:
        capture.register_hooks(model, [model[0], model[2]])
        capture.register_hooks(model, [model[0], model[2]])
        assert count_hooks(model) == 2
        with capture:
            model(X)
        assert count_hooks(model) == 2
        with ActivationCapture(model, [model[0]], ["other"]) as inner:
            model(X)
            assert torch.equal(inner.get_activation("other"), capture.get_activation("Linear_0"))
        assert count_hooks(model) == 2
    assert count_hooks(model) == 0
    with capture:
        assert count_hooks(model) == 2


def test_copies_of_the_model_are_not_watched():
    model = mlp()
    with ActivationCapture(model, [model[0]]) as capture:
        model(X)
        kept = capture.get_activation("Linear_0").clone()
        average = copy.deepcopy(model)
        average(X + 1)
        assert torch.equal(capture.get_activation("Linear_0"), kept)
        stored = io.BytesIO()
        torch.save(model, stored)
        stored.seek(0)
        torch.load(stored, weights_only=False)(X + 1)
        assert torch.equal(capture.get_activation("Linear_0"), kept)
        model(X + 1)
        assert not torch.equal(capture.get_activation("Linear_0"), kept)


def test_tuple_and_mapping_outputs():
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    tokens = torch.randn(3, 5, 8)
    with ActivationCapture(nn.ModuleList([attention]), [attention], ["attention"]) as capture:
        expected, _ = attention(tokens, tokens, tokens)
        assert torch.equal(capture.get_activation("attention"), expected)
    lstm = nn.LSTM(8, 4, batch_first=True)
    assert first_tensor(lstm(tokens)).shape == (3, 5, 4)
    assert first_tensor({"loss": torch.tensor(1.0), "logits": tokens}) is tokens
    assert first_tensor((None, [torch.tensor(1.0), tokens])) is tokens
    assert first_tensor((None, 3)) is None


def test_a_hugging_face_output():
    outputs = pytest.importorskip("transformers.modeling_outputs")
    hidden = torch.randn(2, 3, 4)
    assert first_tensor(outputs.BaseModelOutput(last_hidden_state=hidden)) is hidden


def test_transform_is_kept_in_place_of_the_tensor():
    model = mlp(inplace=True)
    with ActivationCapture(model, [model[0]], transform=lambda name, output: (name, float(output.min()))) as capture:
        model(X)
        assert capture.get_activation("Linear_0") == ("Linear_0", float(model[0](X).detach().min()))


def test_mistakes_are_named():
    model = mlp()
    with pytest.raises(OntogenyError, match="unknown layer 'network"):
        ActivationCapture(model, ["network.0"])
    with pytest.raises(OntogenyError, match="not part of this Sequential"):
        ActivationCapture(model, [nn.Linear(2, 2)])
    with pytest.raises(OntogenyError, match="1 layer name for 2 layers"):
        ActivationCapture(model, [model[0], model[2]], ["a"])
    with pytest.raises(OntogenyError, match="given twice"):
        ActivationCapture(model, [model[0], model[2]], ["a", "a"])
    with pytest.raises(OntogenyError, match="same module"):
        ActivationCapture(model, [model[0], model[0]])
    with pytest.raises(OntogenyError, match="list of layers"):
        ActivationCapture(model, model[0])
    with pytest.raises(OntogenyError, match="at least one"):
        ActivationCapture(model, [])
    with pytest.raises(OntogenyError, match="did you mean 'Linear_0'"):
        ActivationCapture(model, [model[0]]).get_activation("linear0")
    with pytest.raises(OntogenyError, match="max_rows is 0"):
        ActivationCapture(model, [model[0]], max_rows=0)
    with pytest.raises(OntogenyError, match="without their model"):
        ActivationCapture(layers=[model[0]])
    assert count_hooks(model) == 0
