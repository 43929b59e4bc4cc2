"""Packages load their names on first use, and all of them."""

import importlib

import pytest

from ontogeny.lazy import lazy_names

PACKAGES = ["", ".activations", ".changes", ".connectome", ".dashboard", ".judge", ".jumps", ".neurons", ".tracking"]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_a_package_offers_is_there(name):
    package = importlib.import_module(f"ontogeny{name}")
    for public in package.__all__:
        assert getattr(package, public) is not None


def test_an_unknown_name_is_an_attribute_error():
    load = lazy_names("ontogeny.jumps", {"find_jumps": "report"})
    assert load("find_jumps").__module__ == "ontogeny.jumps.report"
    with pytest.raises(AttributeError, match=r"'ontogeny\.jumps' has no attribute 'find_jump'"):
        load("find_jump")
