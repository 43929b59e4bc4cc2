"""The page on adding models and data sets runs as it stands."""

import re
from pathlib import Path

from ontogeny.models import MODELS
from ontogeny.tasks import IMAGE_SETS

PAGE = Path(__file__).parents[3] / "docs" / "extending" / "models-and-data.md"


def test_the_page_runs(monkeypatch, capsys):
    monkeypatch.setattr("ontogeny.models.MODELS", models := dict(MODELS))
    monkeypatch.setattr("ontogeny.models.build.MODELS", models)
    monkeypatch.setattr("ontogeny.tasks.IMAGE_SETS", sets := dict(IMAGE_SETS))
    monkeypatch.setattr("ontogeny.tasks.images.IMAGE_SETS", sets)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) == 3
    names = {}
    for block in blocks:
        exec(block, names)
    assert "Linear_0 1 linear" in capsys.readouterr().out
    assert names["x"].shape == (280, 1, 8, 8)
    assert set(models) - set(MODELS) == {"bottleneck"}
    assert set(sets) - set(IMAGE_SETS) == {"bars"}
