"""What surrounds the planning of a call: the configuration that it takes, its command line, its errors and its end."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from ontogeny.config.yaml_files import parse_yaml
from ontogeny.errors import OntogenyError, unknown

WORTH_KNOWING = "worth_knowing"
"""Attribute of messages that the live view shows, too."""


def default_config(basedir: str) -> str:
    """The configuration used when none is named: `config.yaml` of the working folder, or the project's own.

    Ends the planning with file and line if it is not YAML.
    """
    file = "config.yaml" if os.path.exists("config.yaml") else os.path.join(basedir, "config.yaml")
    try:
        parse_yaml(file)
    except OntogenyError as error:
        fail(error)
    return file


def fail(error: Exception, kind: str = "Configuration error") -> NoReturn:
    """End the planning with one sentence, if the error is one that its reader can mend; pass others on."""
    if isinstance(error, OntogenyError):
        raise SystemExit(f"{kind}: {error}")
    raise error


def check_allowed(arguments: list[str], rules: Iterable[Any]) -> None:
    """End the planning with the nearest name if the command line's `arguments` allow a rule that is not in `rules`."""
    if "--allowed-rules" in arguments:
        names = [rule.name for rule in rules]
        given = arguments[arguments.index("--allowed-rules") + 1 :]
        for name in takewhile(lambda word: not word.startswith("-"), given):
            if name not in names:
                fail(unknown("rule", name, names), "Error")


def name_targets(workflow: Any) -> None:
    """Let Snakemake say the nearest of the targets of `workflow` where nothing makes what it is asked for."""
    import snakemake.dag

    class Error(snakemake.dag.MissingRuleException):
        def __init__(self, file: Any, lineno: int | None = None, snakefile: str | None = None) -> None:
            super().__init__(file, lineno, snakefile)
            self.asked = str(file)

        def __str__(self) -> str:
            names = [rule.name for rule in workflow.rules if not rule.output]
            if "/" not in self.asked:
                return str(unknown("target", self.asked, names))
            known = ", ".join(sorted(names))
            return f"nothing makes {self.asked}: name a file of a run or a study that is configured, or one of {known}"

    snakemake.dag.MissingRuleException = Error


def use_package(basedir: str) -> None:
    """Let the jobs use the package beside the Snakefile in `basedir`, also where another copy of it is installed."""
    here = os.path.join(basedir, "workflow_scripts")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))


def as_reported(raw: Any, arguments: list[str]) -> Any:
    """The configuration `raw`, for a report (by the command line's `arguments`) without what would end a script in it.

    Snakemake writes the parameters of rules into a script of the report as they are, labels among them.
    """
    reports = any(word.split("=")[0] == "--report" for word in arguments)
    return _without_tags(raw) if reports else raw


def _without_tags(raw: Any) -> Any:
    if isinstance(raw, dict):
        return {key: _without_tags(value) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_without_tags(value) for value in raw]
    ends = isinstance(raw, str) and ("</" in raw or "<!--" in raw)
    return raw.replace("<", "\uff1c") if ends else raw


def check_writable(folder: str | os.PathLike = "results") -> None:
    """End the run with one sentence if `folder`, or one right inside it, is there and cannot be written to."""
    folder = Path(folder)
    inside = filter(Path.is_dir, folder.iterdir()) if folder.is_dir() else ()
    for place in (folder, *sorted(inside)):
        if place.exists() and not (place.is_dir() and os.access(place, os.W_OK | os.X_OK)):
            what = "cannot be written to" if place.is_dir() else "is not a folder"
            fail(
                OntogenyError(f"{place} {what}: make it a writable folder, or work elsewhere with --directory"), "Error"
            )


def tell_summary(file: str | os.PathLike, since: float = time.time()) -> None:
    """Say what was found, if `file` was made since this module was loaded, that is by the run that ends.

    Goes through Snakemake's logger, so that it comes after what that shows.
    """
    from snakemake.logging import logger

    from ontogeny.pipeline.summary import summary_text

    if os.path.exists(file) and os.stat(file).st_mtime >= since:
        logger.info(f"\n{summary_text(file)}\n", extra={WORTH_KNOWING: True})
