"""Every public function and class has a docstring, and what raises OntogenyError says so there."""

import ast
from pathlib import Path

import pytest

import ontogeny

LIBRARY = Path(ontogeny.__file__).parent
RAISED = ("OntogenyError", "unknown(")


def public(tree):
    """The public functions and classes of a module or class."""
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def raises(function):
    """Whether the body of `function` itself raises OntogenyError."""
    raised = (node.exc for node in ast.walk(function) if isinstance(node, ast.Raise) and node.exc is not None)
    return any(ast.unparse(error).startswith(RAISED) for error in raised)


@pytest.mark.parametrize("package", sorted({file.relative_to(LIBRARY).parts[0] for file in LIBRARY.rglob("*.py")}))
def test_what_is_public_says_what_it_is_and_when_it_raises(package):
    place = LIBRARY / package
    bare, silent = [], []
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        found = public(ast.parse(file.read_text(encoding="utf-8")))
        methods = [method for node in found if isinstance(node, ast.ClassDef) for method in public(node)]
        if not file.name.startswith("_"):
            bare += [f"{file.relative_to(LIBRARY)}: {node.name}" for node in found if not ast.get_docstring(node)]
        for node in found + methods:
            says = "rror" in (ast.get_docstring(node) or "")
            if isinstance(node, ast.FunctionDef) and raises(node) and not says:
                silent.append(f"{file.relative_to(LIBRARY)}: {node.name}")
    assert not bare, "without a docstring"
    assert not silent, "raises OntogenyError, and its docstring does not say when"


def test_a_function_that_raises_is_seen():
    seen = [ast.parse(text).body[0] for text in (
        "def f(x):\n    if x:\n        raise OntogenyError('x')",
        "def f(x):\n    raise unknown('gate', x, GATES) from None",
        "def f(x):\n    raise ValueError(x)",
    )]  # fmt: skip
    assert [raises(function) for function in seen] == [True, True, False]
