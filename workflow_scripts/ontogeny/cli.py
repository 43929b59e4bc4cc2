"""The command line, for what is handier outside the pipeline. The pipeline is the main entry point."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ontogeny import __version__
from ontogeny.errors import OntogenyError
from ontogeny.files import write_text
from ontogeny.words import counted


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status. A user's mistake is one sentence on standard error, and so is a
    disk without space; what is interrupted ends without a word of Python, with the status that shells give it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = _parser(words).parse_args(words)
    try:
        status = given.command(given) or 0
        sys.stdout.flush()
        return status
    except OntogenyError as error:
        print(f"ontogeny: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nontogeny: interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        if not isinstance(error, BrokenPipeError):
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            print(f"ontogeny: nothing can be written: {os.strerror(error.errno)}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of `words`: the settings that a command offers are imported only where that command is named."""
    about = "How mechanisms form inside a neural network while it trains."
    parser = argparse.ArgumentParser(prog="ontogeny", description=about)
    parser.add_argument("--version", action="version", version=f"ontogeny {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    _add_configuration(commands)
    _add_records(commands, words)
    _add_circuits(commands)
    _add_results(commands)
    _add_judges(commands, words)
    return parser


def _add_configuration(commands: Any) -> None:
    check = commands.add_parser("check", help="check a configuration and list its runs and imported records")
    check.add_argument("file", nargs="?", default="config.yaml", help="the configuration (config.yaml)")
    check.set_defaults(command=_check)

    cost = commands.add_parser("cost", help="count the jobs that a configuration needs and estimate their time")
    cost.add_argument("file", nargs="?", default="config.yaml", help="the configuration (config.yaml)")
    cost.add_argument("targets", nargs="*", help="targets of the pipeline (everything)")
    cost.add_argument(
        "--measured",
        help="results of a smaller run, from whose times these are estimated (what lies in DIRECTORY/results)",
    )
    cost.add_argument("--directory", default=".", help="the folder whose results will be made or completed (.)")
    cost.set_defaults(command=_cost)

    config = commands.add_parser("config", help="write the schema or the reference page of config.yaml")
    config.add_argument("what", choices=["schema", "reference"], help="JSON Schema, or a page in Markdown")
    config.add_argument("--out", help="file to write (standard output)")
    config.set_defaults(command=_config)


def _add_records(commands: Any, words: Sequence[str]) -> None:
    summary = commands.add_parser("phase1", help="read Phase 1 records and report their content and problems")
    summary.add_argument("paths", nargs="+", help="files, folders or glob patterns")
    summary.add_argument("--out", help="write all of them to one .json, .csv, .h5 or .parquet file")
    summary.set_defaults(command=_phase1)

    when = commands.add_parser(
        "transitions", help="find the step at which each run of a record changed, and how sure that is"
    )
    when.add_argument("paths", nargs="+", help="files, folders or glob patterns: Phase 1 records or training logs")
    when.add_argument("--run", help="the run to ask (all)")
    when.add_argument("--metric", help="the measure to ask first (accuracy on held-out data, if it is recorded)")
    when.add_argument("--out", help="also write the answers to this .csv or .json file, an entry per run")
    when.set_defaults(command=_transitions)

    validity = commands.add_parser("validity", help="measure a detector's false alarms and recall")
    if "validity" in words:
        _add_detector(validity)
    validity.add_argument("--out", default="validity", help="folder for the table and the figure (validity)")
    validity.add_argument("--repeats", type=int, default=100, help="number of series of each kind (100)")
    validity.add_argument("--seed", type=int, default=0, help="seed of the random series (0)")
    validity.add_argument(
        "--lengths", type=int, nargs="+", default=[200, 1000], help="lengths of the series (200 1000)"
    )
    validity.add_argument("--further", action="store_true", help="also test the additional families of null series")
    validity.add_argument(
        "--connectome",
        action="store_true",
        help="test the verdicts on recovered wiring instead, --repeats seeds per case",
    )
    validity.set_defaults(command=_validity)


def _add_results(commands: Any) -> None:
    show = commands.add_parser("show", help="describe one run, or what one file of results was made from")
    show.add_argument("what", help="the name of a run, or the path of a result")
    show.add_argument("--directory", default=".", help="the folder that contains results (.)")
    show.set_defaults(command=_show)

    verify = commands.add_parser("verify", help="check that results are undamaged and trajectories can be replayed")
    verify.add_argument("directory", nargs="?", default=".", help="results, or the folder that contains them (.)")
    verify.add_argument(
        "--seed", type=int, default=0, help="seed that chooses the steps to replay, one per trajectory (0)"
    )
    verify.add_argument("--no-replay", action="store_true", help="compare checksums only, replay nothing")
    verify.set_defaults(command=_verify)

    status = commands.add_parser("status", help="list what is done, running, waiting, or failed and why")
    status.add_argument("--config", help="the configuration whose runs to list (config.yaml, if it exists)")
    status.add_argument("--directory", default=".", help="the folder that contains results (.)")
    status.set_defaults(command=_status)

    compare = commands.add_parser("compare", help="compare two configurations or two folders of results")
    compare.add_argument("a", help="a configuration or a folder of results")
    compare.add_argument("b", help="the one to compare with it")
    compare.add_argument("--out", help="write an HTML page with the figures side by side")
    compare.add_argument("--same", action="store_true", help="exit with status 1 if anything differs")
    compare.set_defaults(command=_compare)

    dashboard = commands.add_parser("dashboard", help="show results in a browser, live during training")
    dashboard.add_argument("results", nargs="?", default="results", help="the folder of results (results)")
    dashboard.add_argument("--port", type=int, help="port on this machine (the first free one from 8501)")
    dashboard.set_defaults(command=_dashboard)

    archive = commands.add_parser("archive", help="pack results for publication as an RO-Crate")
    archive.add_argument("runs", nargs="*", help="runs to pack (everything)")
    archive.add_argument("--out", required=True, help="the zip file to write")
    archive.add_argument("--config", help="the configuration to pack with them (config.yaml, if it exists)")
    archive.add_argument("--directory", default=".", help="the folder that contains results (.)")
    archive.add_argument("--name", help="title of the archive")
    archive.add_argument("--license", help="URL of the licence")
    archive.set_defaults(command=_archive)

    unpack = commands.add_parser("unpack", help="verify and unpack an archive, so that nothing needs to rerun")
    unpack.add_argument("file", help="the zip file that `ontogeny archive` wrote")
    unpack.add_argument("folder", help="the folder to create")
    unpack.set_defaults(command=_unpack)


def _add_judges(commands: Any, words: Sequence[str]) -> None:
    follow = commands.add_parser("follow", help="measure a judge while it trains, one epoch behind")
    follow.add_argument("run", help="the folder of the run, such as results/runs/small/s0; it may not exist yet")
    follow.add_argument("--config", help="the configuration, for analyses.judge (config.yaml, if it exists)")
    follow.add_argument("--patience", type=float, default=3600.0, help="seconds to wait for a checkpoint (3600)")
    follow.add_argument("--while", type=int, dest="process", metavar="PID", help="stop when this process has ended")
    follow.set_defaults(command=_follow)

    trace = commands.add_parser("trace", help="measure a judge at the checkpoints that a Hugging Face Trainer saved")
    trace.add_argument("checkpoints", help="the folder that contains checkpoint-{step} folders")
    trace.add_argument("--prompts", required=True, nargs="+", help="files of labelled prompts, or the name of a set")
    trace.add_argument("--out", required=True, help="folder for the pages and their records")
    trace.add_argument("--before", help="the checkpoint from which fine-tuning started (the first of the folder)")
    if "trace" in words:
        _add_judge(trace)
    trace.add_argument("--unsafe-labels", nargs="+", help="labels that mean unsafe (recognised by name)")
    trace.set_defaults(command=_trace)


def _add_detector(validity: argparse.ArgumentParser) -> None:
    from ontogeny.jumps.settings import JumpSettings

    default = JumpSettings().detector
    validity.add_argument("--detector", default=default, help=f"its name, or module:function for your own ({default})")


def _add_judge(trace: argparse.ArgumentParser) -> None:
    from ontogeny.models.settings import JudgeModelSettings
    from ontogeny.settings import choices
    from ontogeny.tasks.settings import JudgeTaskSettings

    length, head = JudgeTaskSettings().max_length, JudgeModelSettings().head
    trace.add_argument("--max-length", type=int, default=length, help=f"most tokens per prompt ({length})")
    trace.add_argument(
        "--head",
        choices=list(map(str, choices(JudgeModelSettings, "head"))),
        default=head,
        help=f"head that gives the verdict ({head})",
    )


def _add_circuits(commands: Any) -> None:
    circuits = commands.add_parser(
        "circuits", help="count circuits, animate a record, score methods of circuit discovery"
    )
    kinds = circuits.add_subparsers(title="commands", required=True, metavar="COMMAND")
    count = kinds.add_parser("count", help="count the perfect circuits of a network in a file")
    count.add_argument(
        "network",
        help="layers in order as arrays or a checkpoint, a model (TorchScript, .pt2), or an ensemble",
    )
    count.add_argument(
        "--gate",
        action="append",
        required=True,
        help="gate that an output computes, such as XOR; once per output",
    )
    count.add_argument("--activation", help="activation of hidden neurons (the ensemble's, or leaky_relu)")
    count.add_argument(
        "--rule",
        default="rounded",
        help="how an output is judged: rounded, sign, probability or argmax (rounded)",
    )
    count.add_argument("--candidates", default="all", help="candidate subnetworks: all or published (all)")
    count.add_argument("--seed", type=int, help="seed of the network in an ensemble (the first)")
    count.add_argument("--epoch", type=int, help="epoch of the network in an ensemble (the last)")
    count.set_defaults(command=_count_circuits)
    animate = kinds.add_parser("animate", help="make an animation or a page from a record of circuits")
    animate.add_argument("record", help="record of circuits by epoch: detailed_circuits_....json or .json.gz")
    animate.add_argument("--out", required=True, help="file to write: .mp4, .gif or .html")
    animate.add_argument("--frames", type=int, default=240, help="frames of the animation (240)")
    animate.set_defaults(command=_animate_circuits)
    discovery = kinds.add_parser("discovery", help="score methods of circuit discovery against all circuits")
    discovery.add_argument("ensemble", help="ensemble.safetensors of networks with one output")
    discovery.add_argument("--out", default="discovery", help="folder for the tables and the figure (discovery)")
    discovery.add_argument("--every", type=int, default=1, help="score every n-th epoch (1)")
    discovery.set_defaults(command=_score_discovery)


def _count_circuits(given: argparse.Namespace) -> None:
    import json

    from ontogeny.circuits import CANDIDATES, CircuitSettings
    from ontogeny.circuits.command import describe_network
    from ontogeny.errors import unknown

    if given.candidates not in CANDIDATES:
        raise unknown("set of candidates", given.candidates, CANDIDATES)
    described = describe_network(
        given.network,
        given.gate,
        activation=given.activation,
        rule=given.rule,
        seed=given.seed,
        epoch=given.epoch,
        settings=CircuitSettings(candidates=given.candidates),
    )
    print(json.dumps(described, indent=2))


def _score_discovery(given: argparse.Namespace) -> None:
    from ontogeny.circuits import CircuitSettings
    from ontogeny.circuits.command import score_methods

    if given.every < 1:
        raise OntogenyError(f"--every is {given.every}: give a number of epochs, 1 or more")
    print(score_methods(given.ensemble, given.out, CircuitSettings(convergence_frequency=given.every)))


def _animate_circuits(given: argparse.Namespace) -> None:
    from ontogeny.circuits.command import animate_record

    print(animate_record(given.record, given.out, given.frames))


def _show(given: argparse.Namespace) -> None:
    from ontogeny.pipeline.overview import describe_run, run_at
    from ontogeny.pipeline.record import describe_file

    found = [path for path in (Path(given.what), Path(given.directory) / given.what) if path.exists()]
    run = run_at(found[0], given.directory) if found else given.what
    print(describe_file(given.what, given.directory) if run is None else describe_run(run, given.directory), end="")


def _verify(given: argparse.Namespace) -> int:
    from ontogeny.pipeline.record import verify

    doubts = 0
    for sentence in verify(given.directory, given.seed, not given.no_replay):
        doubts += 1
        print(sentence)
    said = "everything follows from what lies beside it" if not doubts else f"{doubts} doubt{'s' * (doubts > 1)}"
    print(said, file=sys.stderr)
    return int(doubts > 0)


def _status(given: argparse.Namespace) -> None:
    from ontogeny.config import read_config, runs_of
    from ontogeny.pipeline.overview import describe_state

    config = given.config or _default_config()
    expected = list(runs_of(read_config(config)).values()) if config else None
    print(describe_state(given.directory, expected), end="")


def _default_config() -> str | None:
    return "config.yaml" if Path("config.yaml").is_file() else None


def _compare(given: argparse.Namespace) -> int:
    from ontogeny.pipeline.compare import compare, comparison_page, comparison_text

    found = compare(given.a, given.b)
    print(comparison_text(found), end="")
    if given.out:
        write_text(Path(given.out), comparison_page(found))
    return int(given.same and not found.equal)


def _dashboard(given: argparse.Namespace) -> None:
    from ontogeny.dashboard import serve

    serve(given.results, given.port)


def _follow(given: argparse.Namespace) -> None:
    from ontogeny.config import read_config, runs_of
    from ontogeny.dashboard.control import answers
    from ontogeny.judge.trace import follow_training

    file = given.config or _default_config()
    settings, cache = None, "cache"
    if file is not None:
        config = read_config(file)
        folder = f"/{Path(given.run).as_posix()}"
        studies = [run.study for name, run in runs_of(config).items() if folder.endswith(f"/{name}")]
        settings = (config.analyses_of(studies[0]) if studies else config.analyses).judge
        cache = config.cache
    if not Path(given.run).is_dir():
        print(
            f"waiting {given.patience:.0f} s at most for {given.run}, which is not there yet",
            file=sys.stderr,
            flush=True,
        )
    records = follow_training(
        given.run,
        settings,
        cache,
        patience=given.patience,
        go_on=lambda: given.process is None or answers(given.process),
    )
    print(f"{given.run}: {counted(len(records), 'epoch')} measured")


def _trace(given: argparse.Namespace) -> None:
    from ontogeny.judge.trace import trace_checkpoints
    from ontogeny.models.settings import JudgeModelSettings
    from ontogeny.settings import checked
    from ontogeny.tasks.settings import JudgeTaskSettings

    prompts = given.prompts if len(given.prompts) > 1 else given.prompts[0]
    records = trace_checkpoints(
        given.checkpoints,
        given.out,
        checked(JudgeTaskSettings, {"prompts": prompts, "count": None, "max_length": given.max_length}, "trace"),
        model=JudgeModelSettings(frozen_layers=0, head=given.head, unsafe_labels=given.unsafe_labels),
        before=given.before,
    )
    print(f"{given.out}/training_progress.html: {counted(len(records), 'checkpoint')} measured")


def _archive(given: argparse.Namespace) -> None:
    from ontogeny.pipeline.archive import pack

    config = given.config or _default_config()
    count = pack(given.out, given.directory, given.runs, config, given.name, given.license)
    print(f"{given.out}: {counted(count, 'file')}")


def _unpack(given: argparse.Namespace) -> None:
    from ontogeny.pipeline.archive import unpack

    print(f"{given.folder}: {unpack(given.file, given.folder)} files")


def _check(given: argparse.Namespace) -> None:
    from ontogeny.config import read_config, runs_of
    from ontogeny.config.measured import refuse_metrics_not_imported
    from ontogeny.pipeline.inputs import files_of_search, files_read, imported_records, refuse_unreadable_prompts

    config = read_config(given.file)
    runs, files, project = runs_of(config), [Path(given.file)], Path(__file__).parents[2]
    for run in runs.values():
        files_read(run, config, files)
        refuse_unreadable_prompts(run, config, files)
    for study in config.groups:
        files_of_search(study, config, files)
    records = {study: imported_records(config, study, project, files) for study in config.phase1_imports}
    for study, found in records.items():
        refuse_metrics_not_imported(config, study, found, files)
    for run in runs.values():
        print(f"{run.study}\t{run.name}\t{run.kind}")
    for study, found in records.items():
        for file in found:
            print(f"{study}\t{file}\trecord")
    said = f"{len(runs)} {'run' if len(runs) == 1 else 'runs'}"
    count = sum(map(len, records.values()))
    said += f", {count} {'file' if count == 1 else 'files'} of records" if count else ""
    print(f"{given.file} is valid: {said}", file=sys.stderr)


def _cost(given: argparse.Namespace) -> None:
    from ontogeny.pipeline.cost import cost_text, estimate_cost

    here = Path(given.directory) / "results"
    measured = given.measured or (here if (here / "benchmarks").is_dir() else None)
    print(cost_text(estimate_cost(given.file, given.targets, given.directory, measured)), end="")


def _config(given: argparse.Namespace) -> None:
    from ontogeny.config.reference import reference_page, schema_json

    text = schema_json() if given.what == "schema" else reference_page()
    if given.out:
        write_text(Path(given.out), text)
    else:
        sys.stdout.write(text)


def _phase1(given: argparse.Namespace) -> None:
    from ontogeny.phase1 import find_records, read_many, write_phase1
    from ontogeny.words import counted

    record = read_many(find_records(given.paths))
    for name, frame in record.frame.groupby("run", sort=False):
        steps, layers = frame["step"], len(record.layers_of(name))
        print(f"{name}\t{counted(layers, 'layer')}\tsteps {steps.min()} to {steps.max()}\t{len(frame)} values")
    for note in record.notes:
        print(note, file=sys.stderr)
    if given.out:
        write_phase1(given.out, record)


def _transitions(given: argparse.Namespace) -> None:
    import textwrap

    import pandas as pd

    from ontogeny.files import write_csv, write_json
    from ontogeny.jumps import locate_transition, locate_transitions
    from ontogeny.jumps.answer import changes_text
    from ontogeny.phase1 import find_records, read_many

    if given.out and Path(given.out).suffix not in (".csv", ".json"):
        raise OntogenyError(f"--out {given.out} is neither a .csv nor a .json file")
    record = read_many(find_records(given.paths))
    for note in record.notes:
        if note.kind != "layers":  # it points to this command
            print(note, file=sys.stderr)
    if given.run:
        answers = [locate_transition(record, given.run, given.metric)]
    else:
        answers = locate_transitions(record, metric=given.metric)
    said = [(textwrap.fill(str(answer), 110), changes_text(answer)) for answer in answers]
    print("\n\n".join(part for parts in said for part in parts if part))
    rows = [answer.as_dict() for answer in answers]
    if given.out and given.out.endswith(".json"):
        write_json(given.out, rows)
    elif given.out:
        write_csv(given.out, pd.DataFrame(rows).drop(columns="changes"))


def _validity(given: argparse.Namespace) -> None:
    if given.connectome:
        return _validity_of_connectomes(given)
    from ontogeny.jumps.validity import load_detector, run_battery, verdict
    from ontogeny.jumps.validity_figures import write_battery

    detector = load_detector(given.detector)
    table = run_battery(detector, given.lengths, given.repeats, given.seed, further=given.further)
    for line in verdict(table):
        print(line)
    for path in write_battery(table, given.out):
        print(path)


def _validity_of_connectomes(given: argparse.Namespace) -> None:
    import pandas as pd

    from ontogeny.connectome.battery import run_cases, summary
    from ontogeny.connectome.battery_figures import write_battery

    rows = []
    for row in run_cases(given.repeats, given.seed):
        rows.append(row)
        print(f"{row['case']}, seed {row['seed']}: {row['verdict']} (R2 {row['connectivity_R2']:.3f})")
    table = pd.DataFrame(rows)
    for line in summary(table).itertuples():
        print(f"{line.case}: trusted {line.trusted} of {line.seeds} [{line.low:.0%}, {line.high:.0%}]")
    for path in write_battery(table, given.out):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
