"""Packages load their names on first use, and all of them."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import ontogeny
from ontogeny.renamed import NAMES

PACKAGES = sorted(
    ".".join(["ontogeny", *stub.parent.relative_to(Path(ontogeny.__file__).parent).parts])
    for stub in Path(ontogeny.__file__).parent.rglob("__init__.pyi")
)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_name_a_package_offers_is_there(name):
    package = importlib.import_module(name)
    assert package.__all__
    for public in package.__all__:
        assert getattr(package, public) is not None


def test_an_unknown_name_is_an_attribute_error():
    package = importlib.import_module("ontogeny.jumps")
    assert package.find_jumps.__module__ == "ontogeny.jumps.report"
    with pytest.raises(AttributeError, match=r"No ontogeny\.jumps attribute find_jump"):
        package.find_jump  # noqa: B018


def test_a_former_name_is_an_import_error_that_states_the_new_one():
    with pytest.raises(ImportError, match="births_at_jumps is now called appearances_at_jumps"):
        from ontogeny.circuits import births_at_jumps  # noqa: F401
    for old, new in NAMES.items():
        assert new in importlib.import_module(old.rpartition(".")[0]).__all__


def test_reading_a_configuration_loads_no_heavy_library():
    code = "import sys, ontogeny.config; print({'torch', 'pandas', 'matplotlib', 'numba'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
