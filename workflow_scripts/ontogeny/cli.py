"""`ontogeny ...`: what is handier than a pipeline target. The pipeline is the main door."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ontogeny import __version__
from ontogeny.errors import OntogenyError
from ontogeny.files import write_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status. A user's mistake is one sentence on standard error."""
    parser = _parser()
    given, rest = parser.parse_known_args(arguments)
    if rest and given.command is not _validity:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    given.rest = rest
    try:
        return given.command(given) or 0
    except OntogenyError as error:
        print(f"ontogeny: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    about = "How mechanisms form inside a neural network while it trains."
    parser = argparse.ArgumentParser(prog="ontogeny", description=about)
    parser.add_argument("--version", action="version", version=f"ontogeny {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="check a configuration, and list its runs")
    check.add_argument("file", nargs="?", default="config.yaml", help="the configuration (config.yaml)")
    check.set_defaults(command=_check)

    config = commands.add_parser("config", help="make the schema and the reference page of config.yaml")
    config.add_argument("what", choices=["schema", "reference"])
    config.add_argument("--out", help="file to write; standard output, if not given")
    config.set_defaults(command=_config)

    summary = commands.add_parser("phase1", help="read Phase 1 records, and tell what is in them and wrong with them")
    summary.add_argument("paths", nargs="+", help="files, folders or patterns")
    summary.add_argument("--out", help="write all of them as one .json, .csv, .h5 or .parquet")
    summary.set_defaults(command=_phase1)

    validity = commands.add_parser("validity", help="measure a detector's false alarms and recall", add_help=False)
    validity.set_defaults(command=_validity)
    return parser


def _check(given: argparse.Namespace) -> None:
    from ontogeny.config import read_config, runs_of

    runs = runs_of(read_config(given.file))
    for run in runs.values():
        print(f"{run.study}\t{run.name}\t{run.kind}")
    print(f"{given.file} is valid: {len(runs)} {'run' if len(runs) == 1 else 'runs'}", file=sys.stderr)


def _config(given: argparse.Namespace) -> None:
    from ontogeny.config.reference import reference_page, schema_json

    text = schema_json() if given.what == "schema" else reference_page()
    if given.out:
        write_text(Path(given.out), text)
    else:
        sys.stdout.write(text)


def _phase1(given: argparse.Namespace) -> None:
    from ontogeny.phase1 import find_records, read_many, write_phase1

    record = read_many(find_records(given.paths))
    for name, frame in record.frame.groupby("run", sort=False):
        steps = frame["step"]
        print(f"{name}\t{frame['layer'].nunique()} layers\tsteps {steps.min()} to {steps.max()}\t{len(frame)} values")
    for note in record.notes:
        print(note, file=sys.stderr)
    if given.out:
        write_phase1(given.out, record)


def _validity(given: argparse.Namespace) -> None:
    from ontogeny.jumps.validity import validity_command

    validity_command(given.rest)


if __name__ == "__main__":
    sys.exit(main())
