"""`rtconform data inspect`: what is in the folder of a data set, and what a training would leave out of it.

The readers are those of the entry-point group `rtconform.datasets`: a module or object with `inspect(folder, kind)`,
which gives a JSON value, and `picture(report)`, which gives an SVG.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from ..paths import why_unwritable
from . import fail, group

GROUP, READER = "rtconform.datasets", "reference-data"
SHOWN = 20


def inspect(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="Its folder, or bundled:NAME.", show_default=False)],
    kind: Annotated[str | None, typer.Option(help="Its kind; recognised from its files without it.")] = None,
    picture: Annotated[str | None, typer.Option(help="File for an SVG of labels and durations.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything as one JSON value on standard output.")] = False,
) -> None:
    """Counts items, durations, labels and splits of a data set, and says what is left out and why.

    Exit code 1 if a training with it would stop.
    """
    if picture is not None and (why := why_unwritable(Path(picture).absolute().parent)):
        fail(f"--picture {picture}: {why}")
    reader = _reader()
    try:
        report = reader.inspect(folder, kind)
        drawing = None if picture is None else reader.picture(report)
    except ModuleNotFoundError as error:
        fail(f"NOT AVAILABLE: this needs the module {error.name}; install rtconform[train]", code=3)
    except ValueError as error:
        fail(str(error))
    if picture is not None:
        try:
            Path(picture).absolute().parent.mkdir(parents=True, exist_ok=True)
            Path(picture).write_text(drawing, encoding="utf-8")
        except OSError as error:
            fail(f"--picture {picture}: expected a file that can be written, found: {error.strerror}")
    typer.echo(json.dumps(report, ensure_ascii=False) if as_json else _text(report))
    if report["stops"]:
        fail(f"a training with this data stops: {report['stops']}", code=1)


def _reader() -> Any:
    points = {point.name: point for point in entry_points(group=GROUP)}
    if READER not in points:
        fail(f"expected the entry point {READER} of the group {GROUP}, found none; install rtconform again", code=3)
    return points[READER].load()


def _text(report: Mapping[str, Any]) -> str:
    lines = [f"{report['folder']}: {report['kind']}, trains {', '.join(report['trains'])}"]
    if report["items"]:
        seconds = report["seconds"]
        lines += [
            f"items      {report['items']} usable, {seconds['sum'] / 60:.1f} min in all",
            f"seconds    {seconds['least']:.1f} to {seconds['greatest']:.1f}, median {seconds['median']:.1f}",
        ]
        lines += [
            f"{name:<10} {_short(label['least'])} to {_short(label['greatest'])}, mean {_short(label['mean'])}"
            for name, label in report["labels"].items()
        ]
        own = report["splits"]
        shown = ", ".join(f"{side} {count}" for side, count in own.items() if count) if own else "none of its own"
        lines.append(f"split      {shown}")
    else:
        lines.append("items      none usable")
    lines.append(f"left out   {len(report['left_out'])}")
    lines += [f"    {count:>6}  {cause}" for cause, count in report["causes"].items()]
    lines += [f"  {item}: {reason}" for item, reason in report["left_out"][:SHOWN]]
    if (more := len(report["left_out"]) - SHOWN) > 0:
        lines.append(f"  … and {more} more, all of them with --json")
    return "\n".join(lines)


def _short(value: float) -> str:
    """Two decimals, and no minus before a zero."""
    return f"{round(value, 2) + 0.0:.2f}"


def command(name: str, text: str) -> Any:
    return group({"inspect": inspect}, name, text)
