"""Behaviour of other libraries that misleads (docs/explanation/others.md) does not reach our results."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from ontogeny.errors import OntogenyError


@pytest.fixture(scope="module")
def judge():
    from ontogeny.models.judge import build_judge
    from ontogeny.models.settings import JudgeModelSettings

    prompts = ["how do I go there", "how do I ask for it", "tell me a story"] * 8
    settings = JudgeModelSettings(
        vocabulary=300, width=8, layers=3, heads=2, feedforward=8, pretrain_steps=1, frozen_layers=0
    )
    model, tokenizer = build_judge(prompts, settings)
    return model.eval(), tokenizer.encode(prompts[:3], 12)


def raised(_module, _args, output):
    return (output[0] + 1.0, *output[1:]) if isinstance(output, tuple) else output + 1.0


def test_a_users_hook_shows_in_the_residual_stream_whichever_came_first(judge):
    """transformers records hidden states by hooks of its own, so that there the order decides."""
    from ontogeny.judge.network import run

    model, tokens = judge
    with torch.no_grad():
        untouched = run(model, tokens)
        handle = model.blocks[1].register_forward_hook(raised)
        after_a_recording = run(model, tokens)
        handle.remove()
        fresh = copy.deepcopy(model)
        fresh.blocks[1].register_forward_hook(raised)
        before_any = run(fresh, tokens)
    torch.testing.assert_close(after_a_recording.logits, before_any.logits)
    for one, two in zip(after_a_recording.residuals, before_any.residuals, strict=True):
        torch.testing.assert_close(one, two)
    torch.testing.assert_close(after_a_recording.residuals[2], untouched.residuals[2] + 1.0)


def test_a_judge_that_was_read_can_still_be_copied_and_pickled(judge):
    from ontogeny.judge.network import run

    model, tokens = judge
    with torch.no_grad():
        logits = run(model, tokens).logits
        torch.testing.assert_close(copy.deepcopy(model)(tokens), logits)
        torch.testing.assert_close(pickle.loads(pickle.dumps(model))(tokens), logits)


def test_attention_is_read_from_a_model_whose_implementation_gives_none():
    from transformers import ViTConfig, ViTForImageClassification

    from ontogeny.features.attention import attention_maps

    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=8, patch_size=4,
        num_channels=1, attn_implementation="sdpa",
    )  # fmt: skip
    model = ViTForImageClassification(config).eval()
    maps = attention_maps(model, torch.randn(3, 1, 8, 8))
    assert maps["attention.0"].shape == (3, 2, 5, 5)
    np.testing.assert_allclose(maps["attention.0"].sum(-1), 1, atol=1e-5)
    assert model.config._attn_implementation == "sdpa"


def test_the_second_compiled_network_of_one_shape_is_watched():
    """torch.compile keeps code by class, and may leave out a hook on the second."""
    from ontogeny.tracking import ActivationCapture

    inputs = torch.randn(4, 5)
    networks = [nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2)) for _ in range(2)]
    compiled = [torch.compile(network, backend="eager") for network in networks]
    with torch.no_grad():
        compiled[0](inputs)
        capture = ActivationCapture(networks[1], ["0"], ["first"])
        compiled[1](inputs)
        torch.testing.assert_close(torch.as_tensor(capture.get_activation("first")), networks[1][0](inputs))
    capture.remove_hooks()


def test_a_prompt_of_nothing_but_padding_is_refused_in_training_and_evaluation(judge):
    model, tokens = judge
    padded = tokens.clone()
    padded[1] = -1
    for training in (False, True):
        with pytest.raises(OntogenyError, match="row 1 of the tokens is empty"):
            model.train(training)(padded)
    model.eval()


def test_a_last_batch_of_one_sample_changes_no_importance():
    from ontogeny.neurons.importance import ablation_importance

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval()
    inputs, labels = torch.randn(41, 4), torch.randint(0, 3, (41,))
    for mode in ("zero", "mean", "resample"):
        whole, parts = (ablation_importance(model, inputs, labels, "Linear_0", mode, chunk=n) for n in (41, 20))
        np.testing.assert_allclose(whole["loss_change"], parts["loss_change"], atol=1e-6)
        assert (whole["loss_change"] != 0).any()


def test_whole_numbers_as_inputs_get_a_sentence():
    from ontogeny.features.attribution import saliency

    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval()
    with pytest.raises(OntogenyError, match="needs the gradient at real-valued inputs"):
        saliency(model, torch.randint(0, 5, (6, 1, 2, 2)), torch.zeros(6, dtype=torch.long))


def test_pelt_finds_nothing_in_a_converged_network_and_a_step_once():
    from ontogeny.jumps import detect_jumps

    assert len(detect_jumps(np.ones(100), detector="pelt")) == 0
    settled = np.r_[np.linspace(0, 1, 50), np.ones(150)] + np.random.default_rng(0).normal(0, 1e-3, 200)
    assert all(jump.index < 60 for jump in detect_jumps(settled, detector="pelt"))
    values = np.random.default_rng(0).normal(0, 0.01, 60)
    values[7:] += 1.0
    assert [jump.index for jump in detect_jumps(values, detector="pelt")] == [7]


def test_compiled_sums_of_single_precision_agree_with_numpy():
    """numba adds float32 one by one; ten million values lose several per cent."""
    from ontogeny.tracking.estimators import measure

    rng = np.random.default_rng(0)
    values = (rng.normal(size=(200_000, 5)) + 3.0).astype(np.float32)
    single, double = measure(values), measure(values.astype(np.float64))
    for name, value in double.items():
        assert single[name] == pytest.approx(value, rel=1e-4), name


def test_constants_as_arguments_compile_nothing_anew():
    """numba compiles a function again for each constant that another compiled function calls it with."""
    numba = pytest.importorskip("numba")
    from ontogeny.circuits._records import piece

    def plus(a, b):
        return a + b

    for kind, number in ((numba.njit, 4), (piece(), 1)):
        inner = kind(plus)

        @numba.njit
        def outer(n, inner=inner):
            total = 0
            while inner(total, 0) < n:
                total = inner(total, 1)
            return total

        assert outer(3) == 3
        assert len(inner.nopython_signatures) == number


def test_a_transposed_array_is_stored_as_it_is(tmp_path):
    """safetensors' NumPy face writes the memory of a transposed array under its shape."""
    from ontogeny.connectome.store import read_arrays, write_arrays

    array = np.arange(6.0).reshape(2, 3)
    for name, given in (("t", array.T), ("s", array[:, ::2]), ("f", np.asfortranarray(array))):
        write_arrays(tmp_path / name, {"a": given}, {"format": "one"})
        np.testing.assert_array_equal(read_arrays(tmp_path / name, "one")[0]["a"], given)


def test_values_of_the_command_line_are_those_of_a_file():
    """Snakemake leaves numbers in lists, true and null as text; `int | float` makes 1 of the text 1.0."""
    from ontogeny.config import load_config

    run = {
        "task": {"standardise": True, "n_train": 100}, "model": {"hidden": [8, 4], "activation": None},
        "training": {"learning_rate": 0.001, "gradient_clip": None, "steps": 20, "weight_decay": 1.0}, "seeds": [1, 2],
    }  # fmt: skip
    text = {
        "task": {"standardise": "true", "n_train": "100"}, "model": {"hidden": ["8", "4"], "activation": "null"},
        "training": {"learning_rate": "1e-3", "gradient_clip": "null", "steps": "20", "weight_decay": "1.0"},
        "seeds": ["1", "2"],
    }  # fmt: skip
    file, line = (load_config({"studies": {"a": {"runs": {"r": each}}}}).model_dump() for each in (run, text))
    assert file == line
    assert repr(file) == repr(line)


def test_a_share_of_nothing_and_equal_values_have_intervals():
    """statsmodels gives NaN for no trials, and SciPy's bootstrap NaN for a constant."""
    from ontogeny.statistics import bootstrap_interval, proportion_interval

    assert proportion_interval(0, 0) == (0, 1)
    assert bootstrap_interval(np.ones(10)) == (1, 1)


def test_a_step_in_several_rows_is_read_whole(tmp_path):
    """Lightning and Weights & Biases write a step's training and validation metrics in rows of their own."""
    from ontogeny import read_phase1

    lines = ["epoch,step,train_loss,val_loss"]
    for step in range(40):
        lines.append(f"{step // 5},{step},{1 / (step + 1)},")
        if step % 5 == 4:
            lines.append(f"{step // 5},{step},,{2 / (step + 1)}")
    (tmp_path / "metrics.csv").write_text("\n".join(lines))
    record = read_phase1(tmp_path / "metrics.csv")
    loss = record.frame[record.frame["metric"] == "val_loss"]
    assert loss["step"].tolist() == [4, 9, 14, 19, 24, 29, 34, 39]
    np.testing.assert_allclose(loss["value"], 2 / (loss["step"] + 1))
    (tmp_path / "twice.csv").write_text("step,train_loss\n0,1\n1,2\n1,3\n")
    twice = read_phase1(tmp_path / "twice.csv")
    assert any("repeats a step" in note.text for note in twice.notes)


def test_a_damaged_event_file_is_refused_and_one_still_being_written_is_read(tmp_path):
    """tensorboard reads up to the damage, and says nothing."""
    from torch.utils.tensorboard import SummaryWriter

    from ontogeny.phase1.loggers import event_table

    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(100):
            writer.add_scalar("loss", 1 / (step + 1), step)
    file = next(tmp_path.iterdir())
    content = file.read_bytes()
    assert len(event_table(file)) == 100
    file.write_bytes(content[:-5])
    assert len(event_table(file)) == 99
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 255
    file.write_bytes(damaged)
    with pytest.raises(OntogenyError, match="is damaged: only"):
        event_table(file)
