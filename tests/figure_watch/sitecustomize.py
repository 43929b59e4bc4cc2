"""Put on PYTHONPATH, it checks every figure that any job saves, and appends what is wrong to the file FIGURE_PROBLEMS.

Python imports this module at its start. Nothing else is imported before a job draws.
"""

import importlib.abc
import importlib.util
import json
import os
import sys

STYLE = "ontogeny.plotting.style"


class _Watch(importlib.abc.MetaPathFinder):
    """Wraps `save_figure` when the module that defines it is imported."""

    def find_spec(self, name, path, target=None):
        if name != STYLE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            module.save_figure = watched(module.save_figure)

        spec.loader.exec_module = exec_module
        return spec


def watched(save_figure):
    """`save_figure`, and then a check: drawing a figure once more moves what is laid out, so it is saved first."""

    def save(fig, path, *arguments, **settings):
        from figure_checks import problems

        written = save_figure(fig, path, *arguments, **settings)
        entry = {"figure": os.fspath(path), "problems": problems(fig)}
        with open(os.environ["FIGURE_PROBLEMS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        return written

    return save


if "FIGURE_PROBLEMS" in os.environ:
    sys.meta_path.insert(0, _Watch())

import file_notes  # noqa: E402, F401
