"""Note which files the jobs of the pipeline open to read them: a line each in $ONTOGENY_AUDIT/{rule}.

With a C compiler, `watch` has all opens noted, those of HDF5, safetensors and Arrow among them (file_notes.c);
without, those of Python. Jobs are told apart by their command lines, so none is a
fork that has loaded what others need.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path


def watch(folder):
    """The environment in which jobs leave their notes in `folder`, which is made."""
    folder.mkdir(exist_ok=True)
    library = folder.with_suffix(".so")
    if shutil.which("cc") and sys.platform == "linux":
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    preloaded = {"LD_PRELOAD": str(library)} if library.exists() else {}
    return {"ONTOGENY_AUDIT": str(folder), "ONTOGENY_ALONE": "yes", **preloaded}


def _note_opens_of_python():
    rule = re.search(r"\.(\w+)\.py$", next((word for word in sys.orig_argv if "snakemake/scripts" in word), ""))
    if rule is None or "ONTOGENY_AUDIT" not in os.environ:
        return
    place = os.path.join(os.environ["ONTOGENY_AUDIT"], rule[1])
    if "LD_PRELOAD" in os.environ:
        import ctypes

        ctypes.CDLL(os.environ["LD_PRELOAD"]).note_into(os.fsencode(place))
        return
    notes = os.open(place, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def note(event, arguments):
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, mode = os.fsdecode(arguments[0]), arguments[1] or ""
            if not (isinstance(mode, str) and set(mode) & set("wax")):
                os.write(notes, f"{os.path.abspath(path)}\n".encode())

    sys.addaudithook(note)


_note_opens_of_python()
