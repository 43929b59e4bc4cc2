"""A declared list of interventions on a whole run: moments by name become networks, and all results one table."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from pydantic import TypeAdapter
from torch import Tensor

from ontogeny.activations.networks import Place, networks_at, place_of, probe_of
from ontogeny.errors import OntogenyError
from ontogeny.interventions._common import COLUMNS
from ontogeny.interventions.run import run_intervention
from ontogeny.interventions.settings import Ablate, Interpolate, Intervention, InterventionSettings, Patch
from ontogeny.jumps.plan import EVENTS, Moment
from ontogeny.neurons.importance import shuffled_labels
from ontogeny.progress import Progress
from ontogeny.trajectory import Trajectory

logger = logging.getLogger("ontogeny")

PLACE = ["entry", "intervention", "moment", "kind", "role", "step", "jump", "control", "source", "source_step"]
Task = tuple[InterventionSettings, list[Place], str]
LARGEST = 2**28
"""Weights of all networks of a series that are held at once; of larger ones, those of one intervention."""
WORK = 2**35
"""Weights times tokens of one evaluation of a language model; of a larger one fewer sequences are used, at least 8."""


def interventions_of_run(
    trajectory: Trajectory,
    moments: Iterable[Moment],
    specs: Sequence[InterventionSettings | Mapping[str, Any]],
    seed: int = 0,
) -> pd.DataFrame:
    """Do every intervention of `specs` at the moments that it names, on the run's probe, and join the tables.

    A spec is one of `run_intervention`, with moments as `start`, `end`, `jump` (every jump), `control` (every matched
    control), `before` and `after` (of every jump), or a step. A pair of `before` and `after` is done at every jump, and
    at the controls matched to it; a spec for jumps does nothing in a run without one. Whole-layer ablations are
    repeated at the last moment under shuffled labels, as a control.

    Columns: entry (position in `specs`, from 0), intervention, moment, kind, role, step (of the network that was
    changed), jump (step of the jump concerned, or to which a control is matched), control (`none`, `matched`,
    `other inputs`, `random`, `shuffled labels`), source and source_step (of pairs), and those of `run_intervention`.
    Every network is replayed once, in one walk. A series of language models is judged by the next token.

    Raises OntogenyError for a step or layer that the run does not have.
    """
    moments = list(moments)
    tasks = _declared(specs, moments)
    steps = steps_of_interventions(specs, moments)
    small = trajectory.series is None or len(steps) * trajectory.series.parameters <= LARGEST
    networks = networks_at(trajectory, steps) if steps and small else {}
    inputs, labels = _probe(trajectory)
    progress = Progress(len(tasks), f"interventions on {trajectory.run}")
    tables = []
    for done, (entry, (spec, chosen, control)) in enumerate(tasks, start=1):
        held = networks or networks_at(trajectory, {place.step for place in chosen})
        models = {place.name: held[place.step] for place in chosen}
        used = shuffled_labels(labels, seed) if control == "shuffled labels" else labels
        try:
            table = run_intervention(spec, models, inputs, used, seed)
        except OntogenyError as error:
            raise OntogenyError(f"analyses.interventions[{entry}] on run {trajectory.run}: {error}") from None
        tables.append(_placed(table, entry, {place.name: place for place in chosen}, control))
        progress.update(done, spec.kind)
    if not tables:
        return pd.DataFrame(columns=[*PLACE, *(name for name in COLUMNS if name not in PLACE)])
    joined = pd.concat([table.dropna(axis=1, how="all") for table in tables], ignore_index=True)
    first = [*PLACE, *(name for name in COLUMNS if name not in PLACE)]
    return joined.reindex(columns=[*first, *(name for name in joined.columns if name not in first)])


def steps_of_interventions(
    specs: Sequence[InterventionSettings | Mapping[str, Any]], moments: Iterable[Moment]
) -> set[int]:
    """The steps whose networks the interventions of `specs` change."""
    return {place.step for _, (_, chosen, _) in _declared(specs, list(moments)) for place in chosen}


def _declared(
    specs: Sequence[InterventionSettings | Mapping[str, Any]], moments: Sequence[Moment]
) -> list[tuple[int, Task]]:
    declared = TypeAdapter(list[Intervention]).validate_python(list(specs))
    return [(entry, task) for entry, spec in enumerate(declared) for task in _tasks(spec, moments)]


def _probe(trajectory: Trajectory) -> tuple[Tensor, Tensor]:
    """The run's probe; of a language model as many sequences as `WORK` allows, as each is evaluated very often."""
    inputs, labels = probe_of(trajectory, tokens=True)
    if labels.ndim == 1 or trajectory.series is None:
        return inputs, labels
    used = min(len(inputs), max(8, WORK // (trajectory.series.parameters * inputs.shape[1])))
    if used < len(inputs):
        logger.info("interventions on %s use %d of %d sequences", trajectory.run, used, len(inputs))
    return inputs[:used], labels[:used]


def named_places(name: str | int, moments: Sequence[Moment]) -> list[Place]:
    """The places that a moment of a spec stands for: none, one, or several."""
    if isinstance(name, int):
        return [Place(f"step {name}", "user", "at", name, None)]
    if name in ("before", "after"):
        return [place_of(moment, name) for moment in moments if moment.is_event]
    kinds = EVENTS if name == "jump" else (name,)
    return [place_of(moment) for moment in moments if moment.kind in kinds]


def _tasks(spec: Intervention, moments: Sequence[Moment]) -> list[Task]:
    """What is to be run for one spec: the spec with names of places, these places, and which control it is."""
    if isinstance(spec, Patch | Interpolate):
        return _pairs(spec, moments)
    names = spec.moments or ["start", "jump", "end"]
    chosen = [place for name in names for place in named_places(name, moments)]
    chosen = sorted({place.name: place for place in chosen}.values(), key=lambda place: place.step)
    if not chosen:
        return []
    tasks: list[Task] = [(_at(spec, moments=[place.name for place in chosen]), chosen, "none")]
    if isinstance(spec, Ablate) and spec.units == "all":
        last = chosen[-1]
        tasks.append((_at(spec, moments=[last.name]), [last], "shuffled labels"))
    return tasks


def _at(spec: Intervention, **places: Any) -> Intervention:
    """The settings with names of networks in place of kinds of moments."""
    return spec.model_copy(update=places)


def _pairs(spec: Patch | Interpolate, moments: Sequence[Moment]) -> list[Task]:
    ends = (spec.source, spec.target)
    by_jump = any(end in ("before", "after", "jump", "control") for end in ends)
    given = spec.control if isinstance(spec, Patch) else None
    tasks: list[Task] = []
    if not by_jump:
        pairs = [(tuple(_one(end, moments, None) for end in ends), "none")]
    else:
        pairs = []
        for moment in moments:
            if moment.is_event:
                pairs.append((tuple(_one(end, moments, moment) for end in ends), "none"))
            elif moment.kind == "control" and given is None and set(ends) <= {"before", "after"}:
                pairs.append((tuple(_one(end, moments, moment) for end in ends), "matched"))
    if given is not None and pairs:
        pairs.append((tuple(_one(end, moments, None) for end in given), "matched"))
    for (source, target), control in pairs:
        if source is not None and target is not None:
            none: dict[str, Any] = {"control": None} if isinstance(spec, Patch) else {}
            pair = _at(spec, source=source.name, target=target.name, **none)
            tasks.append((pair, [source, target], control))
    return tasks


def _one(name: str | int, moments: Sequence[Moment], around: Moment | None) -> Place | None:
    """The place of `name`; those of a jump are of the moment `around`, or of the first there is."""
    if name in ("before", "after", "jump") and around is not None:
        return place_of(around, "at" if name == "jump" else name)
    if name == "control" and around is not None:
        matched = [moment for moment in moments if moment.control_for == around.step]
        return place_of(matched[0]) if matched else None
    found = named_places(name, moments)
    return found[0] if found else None


def _placed(table: pd.DataFrame, entry: int, chosen: Mapping[str, Place], control: str) -> pd.DataFrame:
    columns = pd.DataFrame([chosen[name].columns() for name in table["moment"]], index=table.index)
    labelled = table.assign(**{name: columns[name] for name in columns}, entry=entry, control=control)
    random = labelled["setting"].astype(str).str.startswith("random") & (labelled["intervention"] == "prune")
    labelled.loc[random, "control"] = "random"
    labelled.loc[labelled["setting"] == "shuffled", "control"] = "other inputs"
    if "source" in labelled:
        labelled["source_step"] = [chosen[name].step for name in labelled["source"]]
    return labelled
