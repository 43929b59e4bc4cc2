"""Results packed for publication as an RO-Crate 1.1, and unpacked to a state in which nothing needs to rerun."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from ontogeny.errors import OntogenyError, first_line, unknown
from ontogeny.files import atomic, check_archive, disk_errors, json_text
from ontogeny.pipeline.metadata import records_of_files
from ontogeny.pipeline.overview import README, results_folder, runs_in
from ontogeny.pipeline.record import records_in
from ontogeny.provenance import revision, versions
from ontogeny.words import counted

CRATE = "ro-crate-metadata.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_MEDIA = {
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".h5": "application/x-hdf5",
    ".html": "text/html",
    ".json": "application/json",
    ".log": "text/plain",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
_WITHIN = ("results/", ".snakemake/metadata/")
_BESIDE = {CRATE, "config.yaml", "environment.txt"}
_BROKEN = (zipfile.BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError, zlib.error)
_WHEN = ("starttime", "endtime")


def pack(
    out: str | os.PathLike,
    folder: str | os.PathLike = ".",
    runs: Sequence[str] = (),
    config: str | os.PathLike | None = None,
    name: str | None = None,
    license: str | None = None,
) -> int:
    """Pack the results in `folder` into the zip file `out`; return the number of files in it.

    All results, or of the named `runs` their own files and figures. With them go what Snakemake knows of how each was
    made (without times), the configuration, the environment and an RO-Crate description with checksums. The same
    results give the same bytes. `license` is a URL. Raises OntogenyError if a run is unknown or nothing is there.
    """
    folder, results = Path(folder), results_folder(folder)
    known = runs_in(results)
    for run in runs:
        if run not in known and not any(name.startswith(f"{run}/s") for name in known):
            raise unknown("run", run, known, str(results))
    chosen = [path for path in _files(results) if not runs or _belongs(path.relative_to(results), runs)]
    if not chosen:
        raise OntogenyError(f"{results} holds no finished files yet; make some with snakemake --cores 2")
    entries: dict[str, Path | bytes] = {f"results/{path.relative_to(results).as_posix()}": path for path in chosen}
    about = _made_by_snakemake(results.parent, entries)
    entries |= about
    if config is not None:
        entries["config.yaml"] = Path(config)
        if not Path(config).is_file():
            raise OntogenyError(f"{config} does not exist; name the configuration of these results with --config")
    entries["environment.txt"] = _environment().encode()
    sums = {entry: _digest(source) for entry, source in sorted(entries.items())}
    newest = max(path.stat().st_mtime for path in chosen)
    title = name or ("Results: " + ", ".join(runs) if runs else "Results")
    known_jobs = ((f"results/{path.relative_to(results).as_posix()}", record) for path, record in records_in(results))
    made = {name: record for name, record in known_jobs if name in sums}
    date = time.strftime("%Y-%m-%d", time.gmtime(newest))
    crate = _crate(sums, title, license, date, runs or known, made)
    with atomic(out) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _add(archive, CRATE, json_text(crate).encode())
        for entry in sorted(entries):
            _add(archive, entry, entries[entry])
    return len(entries) + 1


def unpack(file: str | os.PathLike, folder: str | os.PathLike) -> int:
    """Unpack an archive of `pack` into `folder`, new or empty; return the number of files.

    Every file is checked against its checksum, and all get one time stamp, so that Snakemake finds nothing newer
    than what was made of it. Links in the archive become files, which hold what they point to as text. Raises
    OntogenyError, and leaves nothing behind, if the file is no such archive, is damaged, would unpack to far more than
    its size allows, or names a file twice, outside of the folder, or elsewhere than results have files.
    """
    file, folder = Path(file), Path(folder)
    if not file.is_file():
        raise OntogenyError(f"{file} is not a file" if file.exists() else f"{file} does not exist")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OntogenyError(f"{folder} is not {'empty' if folder.is_dir() else 'a folder'}; unpack into a new folder")
    written = []
    try:
        with zipfile.ZipFile(file) as archive:
            check_archive(file)
            sums = _sums(archive, file)
            for name, digest in sums.items():
                written.append(folder.joinpath(*PurePosixPath(name).parts))
                _write(archive, name, digest, written[-1], file)
    except BaseException as error:
        for path in folder.iterdir() if folder.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if isinstance(error, _BROKEN):
            raise OntogenyError(
                f"{file} is damaged or not an archive of results ({first_line(error)}); get a complete copy"
            ) from None
        raise
    now = time.time()
    for path in [*written, *folder.rglob("*")]:
        os.utime(path, (now, now))
    return len(written)


def _files(results: Path) -> Iterator[Path]:
    """The result files with Snakemake's time stamps, without links, partial files and state of unfinished training."""
    for path in sorted(results.rglob("*")):
        parts = path.relative_to(results).parts
        hidden = [part for part in parts if part.startswith(".") and part != ".snakemake_timestamp"]
        if path.is_file() and not path.is_symlink() and not hidden and path != results / README:
            yield path


def _belongs(path: Path, runs: Sequence[str]) -> bool:
    """Whether a file is one of these runs': its path holds the name of the run, whole."""
    text = path.as_posix()
    return any(re.search(rf"(?:^|/){re.escape(run)}(?:/|\.[a-z0-9]+$)", text) for run in runs)


def _made_by_snakemake(folder: Path, entries: dict[str, Any]) -> dict[str, bytes]:
    """Snakemake's records of how each packed file was made, with the times in them set to 0."""
    found: dict[str, bytes] = {}
    for path, made in records_of_files(folder):
        try:
            content = json.loads(path.read_bytes())
        except ValueError:
            continue
        if made in entries or any(entry.startswith(f"{made}/") for entry in entries):
            content |= {key: 0 for key in _WHEN if key in content}
            found[path.relative_to(folder).as_posix()] = json.dumps(content, sort_keys=True).encode()
    return found


def _environment() -> str:
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions() if dist.metadata["Name"]}
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found, key=str.lower))


def _read(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with open(source, "rb") as handle:
        while chunk := handle.read(1 << 20):
            yield chunk


def _digest(source: Path | bytes) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in _read(source):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _add(archive: zipfile.ZipFile, name: str, source: Path | bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as target:
        for chunk in _read(source):
            target.write(chunk)


def _crate(
    sums: dict[str, tuple[str, int]],
    title: str,
    license: str | None,
    date: str,
    runs: Sequence[str],
    records: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """The description (RO-Crate 1.1, https://w3id.org/ro/crate/1.1): the files, the software, and every job."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.model.data_entity import DataEntity
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
    crate.name, crate.root_dataset["datePublished"] = title, date
    crate.description = f"Trajectories, analyses, tables and figures of {counted(len(runs), 'run')}: {', '.join(runs)}."
    files = {}
    for name, (digest, size) in sums.items():
        about = {
            "@type": "File",
            "name": name,
            "contentSize": str(size),
            "sha256": digest,
            "encodingFormat": _MEDIA.get(PurePosixPath(name).suffix, "application/octet-stream"),
        }
        files[name] = crate.add(DataEntity(crate, _uri(name), properties=about))
    said = versions()
    software = {"@type": "SoftwareApplication", "name": "Ontogeny", "softwareVersion": said["ontogeny"]}
    software |= {"version": revision() or "unknown"}
    program = crate.add(ContextEntity(crate, "#ontogeny", properties=software))
    program["softwareRequirements"] = files["environment.txt"]
    if license:
        crate.license = crate.add(ContextEntity(crate, license, properties={"@type": "CreativeWork", "name": license}))
    made = {"@type": "CreateAction", "name": "Run of the pipeline", "description": _words(said)}
    making = crate.add(ContextEntity(crate, "#making", properties=made))
    making["instrument"] = program
    making["result"] = [files[name] for name in files if name.startswith("results/")]
    if "config.yaml" in files:
        making["object"] = files["config.yaml"]
    actions = [making, *(_action(crate, name, record, files, program) for name, record in records.items())]
    crate.root_dataset["mentions"] = actions
    return crate.metadata.generate()


def _action(crate: Any, name: str, record: dict[str, Any], files: dict[str, Any], program: Any) -> Any:
    """A job as an action: what it read and wrote, with what, and its record `name`, which holds its settings.

    Files of the user that it read are not packed: of them the name and the checksum are stated.
    """
    from rocrate.model.contextentity import ContextEntity

    def packed(names: Iterable[str]) -> list[Any]:
        return [files[file] for name in names for file in files if file == name or file.startswith(f"{name}/")]

    job = "/".join([record["rule"], *record["wildcards"].values()])
    about = {
        "@type": "CreateAction",
        "name": job,
        "description": f"code {record['code']}, threads {record['threads']}, {_words(record['versions'])}",
    }
    action = crate.add(ContextEntity(crate, f"#job/{_uri(job)}", properties=about))
    action["instrument"], action["result"] = program, packed(record["outputs"])
    action["object"] = packed(record["inputs"]) + [
        _not_packed(crate, file, digest) for file, digest in record["inputs"].items() if not packed([file])
    ]
    action["subjectOf"] = files[name]
    return action


def _not_packed(crate: Any, name: str, digest: str) -> Any:
    from rocrate.model.contextentity import ContextEntity

    about = {"@type": "CreativeWork", "name": name, "sha256": digest}
    return crate.add(ContextEntity(crate, f"#input/{_uri(name)}", properties=about))


def _words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _uri(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/@=+,.-_~")


def _sums(archive: zipfile.ZipFile, file: Path) -> dict[str, str]:
    """Names and checksums of the files of an archive, from its description."""
    try:
        graph = json.loads(archive.read(CRATE))["@graph"]
        files = [(entry["name"], entry["sha256"]) for entry in graph if entry.get("@type") == "File"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        raise OntogenyError(f"{file} is not an archive of results: {CRATE} is not in it, or says nothing") from None
    names = archive.namelist()
    for name in [*names, *(name for name, _ in files)]:
        _check_name(name, file)
    sums = dict(files)
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    extra, missing = sorted(set(names) - set(sums) - {CRATE}), sorted(set(sums) - set(names))
    for found, what in (
        (twice, "holds {} twice"),
        (extra, "holds {}, which its description does not name"),
        (missing, "lacks {}"),
    ):
        if found:
            raise OntogenyError(f"{file} {what.format(found[0])}; get a complete copy")
    return {**sums, CRATE: ""}


def _check_name(name: Any, file: Path) -> None:
    """Raise OntogenyError unless `name` is one that `pack` may give to a file."""
    if not isinstance(name, str) or not name.isprintable():
        raise OntogenyError(f"{file} names {ascii(name)[:200]}, which is not a valid file name; do not trust it")
    parts = PurePosixPath(name).parts
    if PurePosixPath(name).is_absolute() or ".." in parts or "\\" in name or ":" in name.partition("/")[0]:
        raise OntogenyError(f"{file} names {name}, which is outside the folder; do not trust it")
    if name not in _BESIDE and (not name.startswith(_WITHIN) or "/".join(parts) != name):
        raise OntogenyError(f"{file} names {name}, where results have no files; do not trust it")


def _write(archive: zipfile.ZipFile, name: str, digest: str, path: Path, file: Path) -> None:
    found = hashlib.sha256()
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(name) as source, open(path, "xb") as target:
            while chunk := source.read(1 << 20):
                found.update(chunk)
                target.write(chunk)
    if name != CRATE and found.hexdigest() != digest:
        raise OntogenyError(f"{file} is damaged: {name} is not what its checksum says; get a complete copy")
