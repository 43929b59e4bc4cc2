"""Note which files the jobs of the pipeline open to read them: a line each in $ONTOGENY_AUDIT/{rule}."""

import os
import re
import sys

_found = re.search(r"\.(\w+)\.py$", next((word for word in sys.orig_argv if "snakemake/scripts" in word), ""))
if _found and os.environ.get("ONTOGENY_AUDIT"):
    _notes = os.open(os.path.join(os.environ["ONTOGENY_AUDIT"], _found[1]), os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def _note(event, arguments):
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, mode = os.fsdecode(arguments[0]), arguments[1] or ""
            if not (isinstance(mode, str) and set(mode) & set("wax")):
                os.write(_notes, f"{os.path.abspath(path)}\n".encode())

    sys.addaudithook(_note)
