"""`rtconform train`: runs a trainer by name on a JSON config; the command line wins over the file."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from .. import golden
from ..implementations import connect
from ..implementations.errors import ImplementationError, Raised, Refused
from ..paths import why_unwritable
from ..rtneural_json import InvalidModel
from . import fail, single

PROGRESS_SECONDS = 10.0
BUNDLED = re.compile(r"\w+:(?![\\/])")
"""A data set that comes with a trainer, as `bundled:audio`, and is no path."""


class Progress(str, Enum):
    """Whom progress is for."""

    text = "text"
    json = "json"


def train(
    out: Annotated[str, typer.Option(help="Folder for weights, exported models and metrics.")],
    config: Annotated[str | None, typer.Option(help="JSON config; the trainer's own defaults without it.")] = None,
    model: Annotated[list[str], typer.Option(help="Train only this model; may be repeated.")] = [],  # noqa: B006
    epochs: Annotated[int | None, typer.Option(help="training.epochs")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="training.learning_rate")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**63 - 1, help="seed")] = None,
    device: Annotated[str | None, typer.Option(help="device: auto, cpu, cuda or mps.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoints in --out, if there are any.")
    ] = False,
    trainer: Annotated[str, typer.Option(help="The trainer: name, cmd:… or py:….")] = "reference-trainer",
    progress: Annotated[
        Progress, typer.Option(help="json: a JSON object per line on standard output for each epoch, for programs.")
    ] = Progress.text,
) -> None:
    """Trains the models that the config names, all five by default, and prints what came of each."""
    for_people = progress is Progress.text
    values = _read(config)
    training = {"epochs": epochs, "learning_rate": learning_rate}
    chosen = {key: value for key, value in training.items() if value is not None}
    if chosen:
        values["training"] = {**_section(values, "training"), **chosen}
    values |= {key: value for key, value in {"seed": seed, "device": device}.items() if value is not None}
    if resume:
        values["resume"] = True
    if model:
        values["models"] = {name: _section(values, "models").get(name, {}) for name in model}
    folder = Path(out)
    if why := why_unwritable(folder):
        fail(f"--out {folder}: {why}")
    try:
        metrics = connect(trainer, "trainer").train(values, folder, _printer() if for_people else _json_line)
    except Refused as error:
        fail(str(error))
    except Raised as error:
        # A full disk is no fault of the trainer's code, to which a traceback would lead.
        fail(f"{error.who}: {error.message}" if isinstance(error.__cause__, OSError) else str(error), code=1)
    except ImplementationError as error:
        fail(str(error), code=1)
    except KeyboardInterrupt:
        fail(f"interrupted; a trainer that left checkpoints in {folder} goes on from them with --resume", code=130)
    if os.environ.get("TORCHELASTIC_RUN_ID") and os.environ.get("RANK") != "0":
        return  # one of the processes that torchrun started, the first of which speaks for all
    models = metrics.get("models", {})
    exports = _section(values, "export").get("enabled", True)
    files = {name: folder / f"{name.lower()}.json" for name in models}
    exported = files if exports else {}
    if missing := [str(path) for path in exported.values() if not path.is_file()]:
        fail(f"the trainer says that it is done, but left no {', '.join(missing)}", code=1)
    for name, result in models.items():
        typer.echo(f"{name}: {_summary(result)}", err=not for_people)
    for path in files.values():
        try:
            if exports:
                golden.add(path, replace=True)
            elif not path.is_file():  # what an earlier training exported is gone, so its golden goes too
                golden.forget(path)
        except (golden.GoldenError, InvalidModel, OSError) as error:
            what = "was written, but has no golden" if exports else "is gone, but its golden isn't"
            fail(f"{path} {what}: {error}", code=1)
    beside = ", with a golden beside each exported model" if exported else ""
    typer.echo(f"Written to {folder.resolve()}{beside}", err=not for_people)


def _section(values: dict[str, Any], key: str) -> dict[str, Any]:
    """A section of the config, empty if it has none."""
    section = values.get(key, {})
    if not isinstance(section, dict):
        fail(f"--config: $.{key}: expected an object, found {section!r}")
    return section


def _summary(result: Mapping[str, Any]) -> str:
    """What a trainer says of one model's training; it need not say all of it."""
    words = {
        "validation_loss": "validation loss {:.5g}",
        "constant_loss": "best constant {:.5g}",
        "best_epoch": "best epoch {}",
        "epochs": "{} epochs",
    }
    return ", ".join(text.format(result[key]) for key, text in words.items() if key in result) or "trained"


def _read(config: str | None) -> dict[str, Any]:
    """The config file with the paths of its data sets made relative to the file."""
    if config is None:
        return {}
    path = Path(config)
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        fail(f"--config {path}: expected a JSON file that can be read, found: {error.strerror}; correct the path")
    except RecursionError:
        fail(f"{path}: expected a JSON config, found one that is nested too deeply; correct it")
    except ValueError as error:
        fail(f"{path}: expected a JSON config, found: {error}")
    if not isinstance(values, dict):
        fail(f"{path}: expected a JSON object, found {type(values).__name__}")
    datasets = values.get("datasets")
    for name, entry in datasets.items() if isinstance(datasets, dict) else ():
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and not BUNDLED.match(entry["path"]):
            try:
                entry["path"] = str((path.parent / Path(entry["path"]).expanduser()).resolve())
            except (OSError, RuntimeError, ValueError) as error:
                fail(f"{path}: $.datasets.{name}.path: expected a path, found {entry['path'][:80]!r}: {error}")
    return values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ValueError for a key that stands in it twice, of which json would keep the last."""
    if twice := [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]:
        raise ValueError(f"the key {twice[0]!r} stands twice in one object; keep one")
    return dict(pairs)


def _printer() -> Callable[[Mapping[str, Any]], None]:
    """Shows progress: one line that is rewritten on a terminal, a line per ten seconds elsewhere."""
    shown = 0.0

    def show(progress: Mapping[str, Any]) -> None:
        nonlocal shown
        text = ", ".join(
            f"{key} {value:.5g}" if isinstance(value, float) else f"{key} {value}" for key, value in progress.items()
        )
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - shown >= PROGRESS_SECONDS:
            shown = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    return show


def _json_line(progress: Mapping[str, Any]) -> None:
    """Writes a line as harness/train-progress-1.schema.json says, at once: whoever reads it waits for it.

    A loss that isn't finite becomes null, for which JSON has no number.
    """
    print(orjson.dumps(dict(progress), default=str, option=orjson.OPT_SERIALIZE_NUMPY).decode(), flush=True)


def command(name: str, text: str) -> Any:
    return single(train, name, text)
