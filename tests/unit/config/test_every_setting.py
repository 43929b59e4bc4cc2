"""Every setting of `config.yaml` is declared once and shown to act.

Each subject's `test_settings.py` declares `WALKS`; here they are put together, and every field of every model that
`Config` reaches must be walked, or said to be unable to change a result.
"""

import ast
import importlib.util
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from ontogeny.config.models import Config

ROOT = Path(__file__).parents[3]
LIBRARY = ROOT / "workflow_scripts" / "ontogeny"


def reachable(annotation: typing.Any, found: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """Every model that values of the annotation may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in found:
            found.append(annotation)
            for field in annotation.model_fields.values():
                reachable(field.annotation, found)
        return found
    for part in typing.get_args(annotation):
        reachable(part, found)
    return found


MODELS = reachable(Config, [])


def walks() -> list[typing.Any]:
    found = []
    for path in sorted((ROOT / "tests" / "unit").glob("*/test_settings.py")):
        spec = importlib.util.spec_from_file_location(f"settings_of_{path.parent.name}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += module.WALKS
    return found


@pytest.fixture(scope="module")
def shown() -> dict[type[BaseModel], dict[str, str]]:
    """By model: its fields that are walked, and those that cannot change a result."""
    found: dict[type[BaseModel], dict[str, str]] = {}
    for walk in walks():
        fields = found.setdefault(walk.model, {})
        fields |= dict.fromkeys(walk.changes, "") | dict(walk.cannot)
    return found


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_field_acts_or_has_a_reason(model, shown):
    missing = set(model.model_fields) - set(shown.get(model, {}))
    assert not missing, f"{model.__module__}.{model.__name__}: nothing shows that {sorted(missing)} act"


def test_walks_know_only_fields_that_exist(shown):
    for model, fields in shown.items():
        assert set(fields) <= set(model.model_fields), model


def test_reasons_are_sentences(shown):
    for model, fields in shown.items():
        for name, reason in fields.items():
            assert not reason or len(reason.split()) > 2, f"{model.__name__}.{name}: {reason}"


def settings_of(package: Path) -> dict[str, tuple[str, str]]:
    """Names of the settings that the package declares, with their models and the text of their defaults."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.parse((package / "settings.py").read_text()).body:
        for line in node.body if isinstance(node, ast.ClassDef) and node.name.endswith("Settings") else ():
            if isinstance(line, ast.AnnAssign) and line.value is not None:
                found[line.target.id] = node.name, ast.unparse(line.value)
    return found


def literal_defaults(path: Path):
    """Every parameter of a function of the file with a literal default: (function, parameter, line)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.FunctionDef) or (node.name.startswith("_") and node.name != "__init__"):
            continue
        positional = [*node.args.posonlyargs, *node.args.args]
        pairs = [*zip(positional[len(positional) - len(node.args.defaults) :], node.args.defaults, strict=True)]
        pairs += [(arg, value) for arg, value in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if value]
        for arg, value in pairs:
            refers = any(isinstance(part, ast.Name | ast.Attribute) for part in ast.walk(value))
            conventional = ast.unparse(value) == "None" or (arg.arg == "seed" and ast.unparse(value) == "0")
            if not refers and not conventional:
                yield node.name, arg.arg, node.lineno


PACKAGES = sorted(path.parent for path in LIBRARY.glob("*/settings.py"))

OTHERS = {
    "circuits/tracker.py candidates": "the published tracker counts as published",
    "jumps/events.py detector": "a label of what was run; empty where nothing was",
    "jumps/detectors.py window": "a detector's own, in points; the setting is that of captures, in steps",
    "jumps/detectors.py threshold": "a detector's own; the setting overrides it for all",
    "models/trace.py depth": "how deep an output is nested, not how deep a network is",
    "geometry/maps.py components": "axes that a map starts from; the setting counts those that are kept",
}
"""Parameters that share a setting's name and mean something else."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_no_default_is_written_twice(package):
    """A parameter with the name of a setting of its package takes its default from the setting; seeds are 0."""
    settings = settings_of(package)
    twice = [
        f"{path.relative_to(LIBRARY)}:{line} {function}({name}=...), a setting of {settings[name][0]}"
        for path in sorted(package.rglob("*.py"))
        for function, name, line in literal_defaults(path)
        if name in settings and f"{path.relative_to(LIBRARY)} {name}" not in OTHERS
    ]
    assert not twice, "\n".join(twice)


def choices(annotation: typing.Any) -> set[str]:
    if typing.get_origin(annotation) is typing.Literal:
        return set(typing.get_args(annotation))
    return set().union(*(choices(part) for part in typing.get_args(annotation)))


REGISTRIES = {
    "TaskSettings.name": "tasks.images.IMAGE_SETS tasks.known.SIZES",
    "JudgeTaskSettings.format": "tasks.prompt_files.FORMATS",
    "ModelSettings.name": "models.build.MODELS",
    "JudgeModelSettings.dtype": "models.pretrained.DTYPES",
    "TrackingSettings.metrics": "tracking.estimators.METRICS",
    "TrackingSettings.rows": "tracking.estimators.LAYOUTS",
    "JumpSettings.detector": "jumps.detectors.DETECTORS",
    "FeatureSettings.methods": "features.attribution.METHODS",
    "SearchSettings.policy": "connectome.search.policy.POLICIES",
    "SearchSettings.compare": "connectome.search.policy.POLICIES",
    "CircuitSettings.candidates": "circuits.settings.CANDIDATES",
}


@pytest.mark.parametrize(("setting", "registry"), REGISTRIES.items())
def test_choices_are_what_the_registry_holds(setting, registry):
    model, field = setting.split(".")
    annotation = next(each for each in MODELS if each.__name__ == model).model_fields[field].annotation
    known = set()
    for place in registry.split():
        module, name = place.rsplit(".", 1)
        known |= set(getattr(importlib.import_module(f"ontogeny.{module}"), name))
    assert choices(annotation) == known


def test_every_intervention_can_be_asked_for():
    from ontogeny.interventions.run import INTERVENTIONS

    kinds = {kind for model in MODELS if model.__module__.endswith("interventions.settings")
             for kind in choices(model.model_fields["kind"].annotation)}  # fmt: skip
    assert kinds == set(INTERVENTIONS)
