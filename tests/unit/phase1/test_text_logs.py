"""What training programs print is read as the series that it holds, or refused in a sentence."""

import pytest

from ontogeny.errors import OntogenyError
from ontogeny.phase1 import read_phase1

STEPS = (0, 250, 500, 750)


def series(path, text):
    """Run-level series of a log: steps and values by name."""
    path.write_text(text)
    record = read_phase1(path)
    found = {metric: (steps.tolist(), values.tolist()) for _, _, metric, steps, values in record.each_series()}
    return found, " ".join(note.text for note in record.notes)


def printed(line, places=STEPS):
    return "".join(line.format(s=s, i=i, e=i + 1, a=4 / (i + 1), c=10.0 * i) for i, s in enumerate(places))


ROUND = [4.0, 2.0, 1.33, 1.0]
RISE = [0.0, 10.0, 20.0, 30.0]
FORMS = {
    "nanogpt": (
        "number of parameters: 10.65M\n",
        "step {s}: train loss {a:.2f}, val loss {a:.2f}\niter {s}: loss {a:.2f}, time 20.10ms, mfu 12.30%\n",
        STEPS,
        {"train/loss": ROUND, "val/loss": ROUND, "loss": ROUND, "mfu": [12.3] * 4},
    ),
    "step first": ("", "{s} train {a:.2f}\n{s} val {a:.2f}\n", STEPS, {"train": ROUND, "val": ROUND}),
    "equals": (
        "",
        "2024-01-02 10:00:00,123 INFO step={s} loss={a:.2f} lr=1.0e-03\n",
        STEPS,
        {"loss": ROUND, "learning_rate": [0.001] * 4},
    ),
    "dictionaries": ("", "{{'loss': {a:.2f}, 'epoch': {e}.0}}\n", (1, 2, 3, 4), {"loss": ROUND}),
    "arrays": ("", "step {s} loss tensor({a:.2f}, device='cuda:0')\n", STEPS, {"loss": ROUND}),
    "at": ("", "Loss at step {s}: {a:.2f}\n", STEPS, {"Loss": ROUND}),
    "megatron": (
        "",
        " iteration {s:8d}/   10000 | elapsed time per iteration (ms): 300.1 | lm loss: {a:.2E} | number of nan "
        "iterations:   0 |\n validation loss at iteration {s} | lm loss value: {a:.2E} | \n",
        STEPS,
        {
            "elapsed_time_per_iteration": [300.1] * 4,
            "lm_loss": ROUND,
            "number_of_nan_iterations": [0.0] * 4,
            "validation/lm_loss_value": ROUND,
        },
    ),
    "progress bar": ("", "{s}%|##| {s}/1000 [00:01<00:10, 9.8it/s, loss={a:.2f}]\r", STEPS, {"loss": ROUND}),
    "decimal comma": ("loss 0,123\n", "step {s}: acc {c:.3f}\n", STEPS, {"acc": RISE}),
    "epochs": (
        "",
        "Epoch {e}\n-----\ntrain Loss: {a:.2f} Acc: {c}\nval Loss: {a:.2f} Acc: {c}\n",
        (1, 2, 3, 4),
        {"train/Loss": ROUND, "train/Acc": RISE, "val/Loss": ROUND, "val/Acc": RISE},
    ),
    "steps above": ("", "- step: {s}\n  loss: {a:.2f}\n", STEPS, {"loss": ROUND}),
    "nothing said of a part": (
        "",
        "step {s} | loss train: {a:.2f}, val: n/a | iter time: 3.5 ms\n",
        STEPS,
        {"loss_train": ROUND, "iter_time": [3.5] * 4},
    ),
    "epoch by part": ("", "Train: {e} [ 5/9 (55%)]  Loss: {a:.2f}\n", (5, 14, 23, 32), {"train/Loss": ROUND}),
    "keras": (
        "",
        "Epoch {e}/4\n469/469 [=====] - 2s 4ms/step - loss: {a:.2f} - val_loss: {a:.2f}\n",
        (1, 2, 3, 4),
        {"loss": ROUND, "val_loss": ROUND},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_numbers_stand_at_the_steps_that_are_printed_with_them(tmp_path, form):
    head, line, steps, expected = FORMS[form]
    text = head + printed(line)
    if form == "decimal comma":
        text = text.replace(".", ",")
    found, _ = series(tmp_path / "train.log", text)
    assert found == {name: (list(steps), values) for name, values in expected.items()}


def test_counts_and_batches_are_counted_through_the_epochs(tmp_path):
    lines = [
        f"Train Epoch: {e} [{b}/600 ({b // 6}%)]\tLoss: {e}.{b // 100}\n"
        + ("\nTest set: Average loss: 0.05, Accuracy: 980/1000 (98%)\n" if b == 500 else "")
        for e in (1, 2, 3)
        for b in (0, 250, 500)
    ]
    found, said = series(tmp_path / "mnist.log", "".join(lines))
    assert found["train/Loss"] == (
        [0, 250, 500, 600, 850, 1100, 1200, 1450, 1700],
        [1, 1.2, 1.5, 2, 2.2, 2.5, 3, 3.2, 3.5],
    )
    assert found["test/Accuracy"] == ([500, 1100, 1700], [0.98] * 3)
    assert "counted through epochs of 600" in said
    assert "taken for those of the step before: 'test/Average_loss', 'test/Accuracy'" in said
    batches = "".join(f"[{e}, {b:5d}] loss: {b / 1000}\n" for e in (1, 2) for b in (2000, 4000))
    assert series(tmp_path / "cifar.log", batches)[0] == {"loss": ([2000, 4000, 6000, 8000], [2, 4, 2, 4])}


def test_what_validation_sums_up_is_of_validation(tmp_path):
    lines = [
        f"Epoch: [{e}][{b}/20]\tLoss 2.0 (2.1)\tAcc@1 {b:.1f} (1.0)\n"
        + ("Test: [0/5]\tAcc@1 7.0 (7.0)\n * Acc@1 9.0 Acc@5 90.0\n" if b else "")
        for e in range(3)
        for b in (0, 10)
    ]
    found, said = series(tmp_path / "imagenet.log", "".join(lines))
    assert found["Acc@1"] == ([0, 10, 20, 30, 40, 50], [0, 10, 0, 10, 0, 10])
    assert found["test/Acc@1"] == ([10, 30, 50], [9, 9, 9])
    assert "3 numbers were printed again at their step; the last of each counts" in said


def test_layers_of_a_log_are_layers(tmp_path):
    path = tmp_path / "run.out"
    path.write_text(printed("step {s} | layer 0 | stable_rank: {a:.2f}\nstep {s} | layer 1 | stable_rank: {c}\n"))
    record = read_phase1(path)
    assert record.layers == ["layer_0", "layer_1"]
    assert record.series("layer_1", "stable_rank")[1].tolist() == RISE


def test_a_table_with_a_header_is_a_table_whatever_its_ending(tmp_path):
    found, _ = series(tmp_path / "fit.log", "epoch  train_loss  valid_loss\n" + printed("{i}  {a:.2f}  {a:.2f}\n"))
    assert found == {"loss": ([0, 1, 2, 3], ROUND), "valid_loss": ([0, 1, 2, 3], ROUND)}


@pytest.mark.parametrize(
    "text",
    [
        "This is about 3 experiments.\nWe ran 5 seeds for 100 steps.\nAccuracy was 98.3 in 2 of them.\n",
        'Traceback (most recent call last):\n  File "a.py", line 3, in f\n  File "b.py", line 5, in g\n',
        "step 0: loss 4.0\nstep 10: loss 3.0\n",
        "loss 4.0\n" * 20,
        "step " * 5000 + "1\n",
        "step 1/0 right 1/0\n" * 9,
        (" " * 4000 + "\n" + "12:34" * 800 + "\n") * 30,
    ],
)
def test_a_text_that_is_no_log_is_refused_with_what_would_be_one(tmp_path, text):
    (tmp_path / "notes.txt").write_text(text)
    with pytest.raises(OntogenyError, match=r"text log.*'step 250: loss 1.9'.*CSV with the columns step"):
        read_phase1(tmp_path / "notes.txt")
