"""The course of a run for people: a table of all epochs, and a plot of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from html import escape

from .loop import Epoch

COLUMNS = ("model", "epoch", "loss", "validation_loss", "learning_rate", "seconds")
_WIDTH, _HEIGHT, _MARGIN, _TITLE = 320, 200, 44, 26
_COLOURS = {"training": "#0072b2", "validation": "#d55e00", "best constant": "#666666"}
_DASHES = {"training": "none", "validation": "6 3", "best constant": "2 3"}


def table(histories: Mapping[str, Sequence[Epoch]]) -> str:
    """All epochs of all models as CSV, with a header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for model, epochs in histories.items():
        writer.writerows([model, *(getattr(epoch, column) for column in COLUMNS[1:])] for epoch in epochs)
    return stream.getvalue()


def plot(histories: Mapping[str, Sequence[Epoch]], constants: Mapping[str, float]) -> str:
    """An SVG with a panel per model: both losses by epoch, and that of the best constant."""
    width, height = _WIDTH * len(histories), _HEIGHT + _TITLE
    panels = [
        f'<g transform="translate({number * _WIDTH} {_TITLE})">{_panel(model, epochs, constants[model])}</g>'
        for number, (model, epochs) in enumerate(histories.items())
    ]
    keys = [
        f'<line x1="{12 + 120 * n}" x2="{40 + 120 * n}" y1="14" y2="14" {_stroke(name)}/>'
        f'<text x="{46 + 120 * n}" y="18">{name}</text>'
        for n, name in enumerate(_COLOURS)
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" role="img"><title>Losses by epoch</title>'
        f'<rect width="{width}" height="{height}" fill="white"/>{"".join([*keys, *panels])}</svg>\n'
    )


def _panel(model: str, epochs: Sequence[Epoch], constant: float) -> str:
    top = 1.05 * max([constant, *(epoch.loss for epoch in epochs), *(epoch.validation_loss for epoch in epochs)])
    inner, tall = _WIDTH - _MARGIN - 12, _HEIGHT - _MARGIN - 16

    def point(epoch: float, loss: float) -> str:
        x = _MARGIN + inner * (epoch - 1) / max(len(epochs) - 1, 1)
        return f"{x:.1f},{16 + tall * (1 - loss / top):.1f}"

    lines = {
        "training": [point(epoch.epoch, epoch.loss) for epoch in epochs],
        "validation": [point(epoch.epoch, epoch.validation_loss) for epoch in epochs],
        "best constant": [point(1, constant), point(max(len(epochs), 2), constant)],
    }
    drawn = [f'<polyline fill="none" {_stroke(name)} points="{" ".join(points)}"/>' for name, points in lines.items()]
    left, bottom = _MARGIN, 16 + tall
    frame = (
        f'<text x="{left}" y="10" font-weight="bold">{escape(model)}</text>'
        f'<path d="M{left} 16V{bottom}H{left + inner}" fill="none" stroke="black"/>'
        f'<text x="{left - 4}" y="{bottom}" text-anchor="end">0</text>'
        f'<text x="{left - 4}" y="24" text-anchor="end">{top:.2g}</text>'
        f'<text x="{left}" y="{bottom + 14}">1</text>'
        f'<text x="{left + inner}" y="{bottom + 14}" text-anchor="end">epoch {len(epochs)}</text>'
    )
    return frame + "".join(drawn)


def _stroke(name: str) -> str:
    return f'stroke="{_COLOURS[name]}" stroke-width="1.5" stroke-dasharray="{_DASHES[name]}"'
