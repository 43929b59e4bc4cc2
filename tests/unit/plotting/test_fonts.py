import pytest
from matplotlib.backends import _backend_pdf_ps

from ontogeny.plotting import fonts
from ontogeny.plotting.style import figure


def embedded(monkeypatch, path, words, small):
    """The PDF file of a figure, with fonts cut from a small copy or from the whole font."""
    if not small:
        monkeypatch.setattr(fonts, "_subset", fonts._subset_of_file)
    fig, axes = figure()
    axes.set(title=words, xlabel="layer")
    with fonts.lean_fonts():
        fig.savefig(path, metadata={"CreationDate": None})
    return path.read_bytes()


@pytest.mark.parametrize("words", ["R² = −0.56, p < 10⁻⁵ (α)", "loss", "Größe ≥ 3 ✓"])
def test_files_are_those_with_fonts_that_were_read_whole(monkeypatch, tmp_path, words):
    small = embedded(monkeypatch, tmp_path / "a.pdf", words, True)
    assert small == embedded(monkeypatch, tmp_path / "b.pdf", words, False)


def test_a_font_is_read_once(monkeypatch, tmp_path):
    fonts._small.cache_clear()
    read = []
    whole = fonts._subset_of_file
    monkeypatch.setattr(fonts, "_subset_of_file", lambda path, glyphs: (read.append(str(path)), whole(path, glyphs))[1])
    for name in ("a", "b", "c"):
        embedded(monkeypatch, tmp_path / f"{name}.pdf", name, True)
    assert len({path for path in read if path.endswith(".ttf")}) == sum(path.endswith(".ttf") for path in read)
    assert len(read) > 6


def test_nothing_is_left_changed():
    before = _backend_pdf_ps.get_glyphs_subset
    with pytest.raises(OSError), fonts.lean_fonts():
        raise OSError
    assert _backend_pdf_ps.get_glyphs_subset is before
