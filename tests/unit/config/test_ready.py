"""Every configuration that ships is valid."""

from pathlib import Path

import pytest

from ontogeny.config import read_config, runs_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", ["config.yaml", *sorted(f"configs/{path.name}" for path in (ROOT / "configs").glob("*.yaml"))]
)
def test_configurations_that_ship_are_valid(path):
    assert runs_of(read_config(ROOT / path))
