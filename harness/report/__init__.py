"""Reports: one record stream, read for a terminal, a browser, a CI system and a pull request."""

from __future__ import annotations

from pathlib import Path

from ..records import STREAM_NAME, read

PAGE = "report.html"
JUNIT = "junit.xml"
SUMMARY = "summary.md"


def write_all(folder: Path) -> None:
    """Writes the HTML page, JUnit XML and Markdown summary beside the folder's record stream.

    Raises records.InvalidStream when there is no whole run to read.
    """
    from . import html, junit, markdown

    run = read(folder / STREAM_NAME)
    for name, render in ((PAGE, html.render), (JUNIT, junit.render), (SUMMARY, markdown.render)):
        (folder / name).write_text(render(run), encoding="utf-8")


def summarise(folder: Path, colour: bool | None = None) -> str:
    """The end of the folder's run as text for a terminal, with the verdict and the place of the report last.

    `colour` None decides by the terminal, TERM and NO_COLOR. Raises records.InvalidStream.
    """
    from . import terminal

    return terminal.render(read(folder / STREAM_NAME), str(folder / PAGE), colour)
