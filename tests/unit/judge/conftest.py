"""Judges of every kind for the tests here, and the helpers that make them on the path."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from small_judges import make_judge, make_pairs


@pytest.fixture(params=["llama", "gpt2", "distilbert"])
def any_judge(request):
    return make_judge(request.param)


@pytest.fixture(params=["llama", "gpt2"])
def decoder(request):
    return make_judge(request.param)


@pytest.fixture
def pairs():
    return make_pairs()
