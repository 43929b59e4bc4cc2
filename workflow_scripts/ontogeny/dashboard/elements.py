"""What the pages of the dashboard are put together from: sentences, figures, tables, and the choice of a run."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from markupsafe import Markup

from ontogeny.dashboard import data
from ontogeny.dashboard.data import RunFolder
from ontogeny.errors import OntogenyError
from ontogeny.words import counted

REFRESH = "2s"


def markdown(text: Any) -> str:
    """Text from data as Markdown shows it: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~$:&])", r"\\\1", " ".join(str(text).split()))


def say(text: str) -> None:
    """A sentence that may hold text from data, as a note on the page."""
    st.info(markdown(text))


def warn(problems: Sequence[data.Problem]) -> None:
    """Say what is wrong with the first of some files, and how many more there are."""
    if problems:
        more = f" (and {counted(len(problems) - 1, 'more file')})" if len(problems) > 1 else ""
        st.warning(markdown(problems[0].sentence + more))


def guarded(page: Callable[..., None]) -> Callable[..., None]:
    """A page on which trouble with its files becomes a sentence."""

    @functools.wraps(page)
    def wrapped(*arguments: Any) -> None:
        try:
            page(*arguments)
        except OntogenyError as error:
            st.error(markdown(error))
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, ArithmeticError, OSError) as error:
            what = f"{type(error).__name__}: {error}"
            st.error(
                markdown(
                    f"This cannot be shown: a file is not as this version writes it ({what}). Remove the files of "
                    "that analysis and run it again."
                )
            )

    return wrapped


def plot(fig: go.Figure | None, key: str) -> None:
    """Draw a figure, if there is one; `key` tells it from the others on the page."""
    if fig is not None:
        st.plotly_chart(fig, theme=None, key=f"figure {key}", config={"displaylogo": False})


def html(text: Markup) -> None:
    """HTML in which all text from data is escaped already; Streamlit removes scripts besides."""
    if text:
        st.html(Markup('<div class="said">{}</div>').format(text))


@st.cache_data(ttl=3, show_spinner=False, max_entries=8)
def runs_in_folder(results: str) -> list[RunFolder]:
    """The runs in a folder of results, looked for at most every three seconds."""
    return data.find_runs(results)


def runs_of_kind(results: Path, *kinds: str) -> list[RunFolder]:
    """Those of `runs_in_folder` that are of one of these kinds."""
    return [run for run in runs_in_folder(str(results)) if run.kind in kinds]


def choose_run(
    runs: Sequence[RunFolder], key: str, label: str = "run", index: int = 0, follow: bool = True
) -> RunFolder:
    """A run chosen by name; at first the one in the address (`follow`), or else the one at `index`."""
    names = [run.name for run in runs]
    asked = st.query_params.get("run")
    place = names.index(asked) if follow and asked in names else index
    return runs[names.index(st.selectbox(label, names, index=place, key=key))]


def show_table(table: pd.DataFrame, height: int) -> None:
    """A table of at most `height` pixels, its numbers to four digits: `1e-12` and not twelve zeros."""
    rounded = {str(name): st.column_config.NumberColumn(format="%.4g") for name in table.select_dtypes("floating")}
    st.dataframe(table, hide_index=True, height=min(height, 38 + 35 * max(1, len(table))), column_config=rounded)


def table_below(path: Path, title: str) -> None:
    """A table below a title, in an expander, if the file is there."""
    if not path.is_file():
        return
    with st.expander(markdown(title)):
        try:
            table = data.table_of(path)
        except OntogenyError as error:
            st.warning(markdown(error))
            return
        show_table(table, 400)
