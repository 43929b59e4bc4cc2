"""The generated schema and reference page say what the models say."""

from pathlib import Path

from ontogeny.config.reference import reference_page, schema_json

DOCS = Path(__file__).parents[3] / "docs" / "reference"


def test_schema_has_not_drifted():
    assert (DOCS / "config.schema.json").read_text() == schema_json(), "run `ontogeny config schema`"


def test_reference_page_has_not_drifted():
    assert (DOCS / "config.md").read_text() == reference_page(), "run `ontogeny config reference`"
