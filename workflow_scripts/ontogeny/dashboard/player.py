"""A judge's pictures by epoch as files that are made once, moved through in the browser: one figure, updated in place.

A slider that asks the server at every step waits for it; this one asks for nothing after the files are there.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import streamlit.components.v1 as components
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ontogeny.errors import OntogenyError
from ontogeny.files import json_text, write_text
from ontogeny.judge.pages import Picture
from ontogeny.plotting.templates import template

FRAMES = "frames"

Frames = list[dict[str, Any]]
"""For every epoch, its number and the file of its frame, as the browser asks for it."""


@cache
def folder() -> Path:
    """The folder that the browser reads, of this process alone and gone with it."""
    place = Path(tempfile.mkdtemp(prefix="ontogeny-player-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / FRAMES).mkdir()
    write_text(place / "plotly.min.js", get_plotlyjs())
    page = template("ontogeny.dashboard", "player.html").render(style=Markup(STYLE))
    write_text(place / "index.html", page)
    return place


STYLE = """
.words span { padding: .15em .1em; border-radius: 3px; line-height: 2; white-space: pre-wrap }
.control { border-left: 4px solid #8A8A8A; background: #F4F4F4; padding: .5em .9em; margin: .4em 0; font-size: .92em }
.said p { margin: 0 0 .5em 0 }
.said table { border-collapse: collapse; font-size: .88em }
.said td, .said th { padding: .2em .8em; text-align: right; border-bottom: 1px solid #E6E6E6 }
.said td:first-child, .said th:first-child { text-align: left }
"""
"""How text on pictures looks, here and on the other pages of the dashboard."""


@cache
def _component() -> Any:
    return components.declare_component("ontogeny_player", path=str(folder()))


def frame_text(picture: Picture, layout: dict[str, Any] | None = None) -> str:
    """A picture as the file of a frame. layout: what of it changes in a figure that all frames share."""
    figure = None if layout is not None or picture.figure is None else json.loads(picture.figure.to_json())
    text = {"text": picture.text + picture.control, "table": picture.table, "figure": figure, "layout": layout}
    return json_text(text, indent=None)


def frame_file(*what: Any) -> str:
    """The file of a frame, named by all that decides it."""
    return f"{FRAMES}/{hashlib.sha256(repr(what).encode()).hexdigest()[:24]}.json"


def write_frames(frames: Sequence[tuple[str, Callable[[], str]]]) -> None:
    """Make the files of frames that are not there: the last at once, the others behind it, from the newest on.

    frames: file, and what gives its text, oldest first.
    """
    todo = [(folder() / file, make) for file, make in reversed(frames) if not (folder() / file).exists()]
    _write(todo[:1])
    if todo[1:]:
        threading.Thread(target=_write_ahead, args=(todo[1:],), daemon=True).start()


def _write_ahead(todo: Sequence[tuple[Path, Callable[[], str]]]) -> None:
    """Make what nobody has asked for yet; where it cannot be kept, it is made when it is asked for."""
    with suppress(OSError, OntogenyError):
        _write(todo)


def _write(todo: Sequence[tuple[Path, Callable[[], str]]]) -> None:
    for path, make in todo:
        if not path.exists():
            try:
                text = make()
            except OntogenyError as error:
                text = frame_text(Picture(Markup("<p><b>{}</b></p>").format(str(error)), Markup(), None))
            write_text(path, text)


def play(frames: Frames, key: str, base: str | None = None) -> None:
    """Show frames with a slider over their epochs. base: the file of the figure that all of them share, if they do."""
    _component()(frames=frames, base=base, key=key, default=None)
