"""A validation report as one screen of text."""

import os
import textwrap

from .faults import Fault, Report
from .grammar import Model

_WIDTH = 110
_LINES = 25


def format_report(report: Report, path: str | os.PathLike, *, lines: int = _LINES) -> str:
    """What `rtconform validate` prints for one file: at most `lines` lines, with the number of faults left out."""
    name = os.fspath(path)
    if report.ok:
        text = (
            [f"{name}: valid RTNeural JSON: {_summary(report.model)}"]
            if report.model
            else [f"{name}: valid RTNeural JSON"]
        )
    else:
        count = len(report.faults)
        text = [f"{name}: INVALID: {count} fault{'s' if count > 1 else ''}"]
    room = lines - 1  # the last line is kept for what is left out
    shown = 0
    for fault in report.faults:
        block = _block(fault)
        if shown and len(text) + len(block) > room:
            break
        text += block
        shown += 1
    if hidden := len(report.faults) - shown:
        text.append(f"  … and {hidden} more fault{'s' if hidden > 1 else ''}")
    for note in report.notes:
        wrapped = textwrap.wrap(
            f"note {note.json_path}: {note.message}", _WIDTH, initial_indent="  ", subsequent_indent="       "
        )
        if len(text) + len(wrapped) <= lines:
            text += wrapped
    return "\n".join(text)


def _block(fault: Fault) -> list[str]:
    head = f"  {fault.json_path} ({fault.phase})"
    parts = (("expected", fault.expected), ("found", fault.found), ("hint", fault.hint))
    block = [head]
    for name, value in parts:
        if value:
            block += textwrap.wrap(value, _WIDTH, initial_indent=f"      {name:<9}", subsequent_indent=" " * 15)
    return block


def _summary(model: Model) -> str:
    layers = " → ".join(f"{layer.type} {layer.output_size}" + _activation(layer) for layer in model.layers)
    if len(layers) > 200:
        layers = f"{len(model.layers)} layers ({', '.join(model.layer_types)})"
    return f"{model.input_size} → {layers}, {model.parameters:,} parameters"


def _activation(layer: object) -> str:
    name = getattr(layer, "activation", "")
    return f" {name}" if name else ""
