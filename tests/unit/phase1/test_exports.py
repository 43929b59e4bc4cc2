"""Tables as people export them: comments, separators, encodings, names and fractions of steps."""

import pytest

from ontogeny.phase1 import read_phase1


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("# run of Tuesday\n# seed 3\nstep,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("# step loss\n1.000000000000000000e+00 5.0e-01\n2.000000000000000000e+00 2.5e-01\n", "utf-8"),
        ("step loss\n1 0.5\n2 0.25\n", "utf-8"),
        ("  step     loss\n     1    0.5\n     2   0.25\n", "utf-8"),
        ("step,loss\n1,0.5\n2,0.25\n", "utf-16"),
        ("step;loss\r\n1;0,5\r\n2;0,25\r\n", "utf-16-le"),
        ("step;loss\n1;0,5\n2;0,25\n", "utf-8"),
        ("batch,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("it,loss\n1,0.5\n2,0.25\n", "utf-8"),
        ("step,loss\n1,0.5\n# resumed\n2,0.25\n", "utf-8"),
    ],
)
def test_a_table_as_people_export_it(tmp_path, text, encoding):
    path = tmp_path / "log.csv"
    path.write_bytes((b"\xff\xfe" if encoding == "utf-16-le" else b"") + text.encode(encoding))
    steps, loss = read_phase1(path).series("(run)", "loss")
    assert (steps.tolist(), loss.tolist()) == ([1, 2], [0.5, 0.25])


@pytest.mark.parametrize(
    ("epochs", "parts"), [([0.5, 1.0, 1.5, 2.0], 2), ([0.33, 0.67, 1.0, 1.33], 3), ([0.02, 0.04, 0.06, 0.08], 50)]
)
def test_fractional_epochs_are_counted_in_parts(tmp_path, epochs, parts):
    (tmp_path / "log.csv").write_text("epoch,loss\n" + "".join(f"{epoch},{1 / (1 + epoch)}\n" for epoch in epochs))
    record = read_phase1(tmp_path / "log.csv")
    assert record.series("(run)", "loss")[0].tolist() == [1, 2, 3, 4]
    assert any(f"counted in 1/{parts}" in note.text for note in record.notes)


def test_batches_that_begin_anew_are_counted_through_the_epochs(tmp_path):
    rows = [(epoch, batch, 1 / (1 + 3 * epoch + batch)) for epoch in range(3) for batch in range(3)]
    text = "epoch,batch,loss\n" + "".join(f"{epoch},{batch},{loss}\n" for epoch, batch, loss in rows)
    (tmp_path / "log.csv").write_text(text)
    record = read_phase1(tmp_path / "log.csv")
    assert record.series("(run)", "loss")[0].tolist() == list(range(9))
    assert any("through epochs of 3" in note.text for note in record.notes)
