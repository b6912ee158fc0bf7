"""Driving a pipeline: frames in, results out, and what the documented data flow makes of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from .. import five_models
from ..five_models import AUDIO
from ..judging import RequirementFailed, check
from .step import gather

PATIENCE_SECONDS = 3.0
"""How long to wait for the next result before the rest counts as lost."""

PACE = 8
"""How many frames a test lets wait at once: the least that pipeline.h allows as capacity."""


class BeyondSmoke(str):
    """What a test is parametrised with and the smoke profile does without."""

    __slots__ = ()
    beyond_smoke = True


def each_model() -> list[str]:
    """The five, to parametrise a test with. The smoke profile is content with one recurrent and one other."""
    return [name if name in five_models.SMOKE else BeyondSmoke(name) for name in five_models.specs()]


def model_folder(folder: Path) -> Path:
    """A copy of the five stored models that a test may damage."""
    for model in five_models.specs().values():
        shutil.copy(five_models.FOLDER / model["file"], folder)
    return folder


def altered(name: str, folder: Path) -> Path:
    """A file of a model that is another valid one, made in a folder: the last layer's bias is moved."""
    path = folder / f"altered-{five_models.specs()[name]['file']}"
    path.write_bytes(_altered(name))
    return path


@cache
def _altered(name: str) -> bytes:
    document = orjson.loads((five_models.FOLDER / five_models.specs()[name]["file"]).read_bytes())
    bias = document["layers"][-1]["weights"][1]
    document["layers"][-1]["weights"][1] = [0.5 - value for value in bias]
    return orjson.dumps(document)


def drive(session: Any, audio: np.ndarray, first_id: int = 0) -> list[Mapping[str, Any]]:
    """Submits the frames `[T, 128]` one by one and returns their results, polled after each.

    No more are pending at a time than any pipeline has room for. Where results don't come any more, it ends early.
    """
    __tracebackhide__ = True
    results: list[Mapping[str, Any]] = []
    pace = min(PACE, session.capacity or PACE)
    for offset, frame in enumerate(audio):
        if (surplus := offset - len(results) - pace + 1) > 0:
            results += _polled(session, surplus)
        if offset - len(results) >= pace:
            return results
        submit(session, first_id + offset, frame, pending=offset - len(results))
        results += session.poll()
    return results + drain(session, len(audio) - len(results))


def submit(session: Any, frame_id: int, frame: np.ndarray, pending: int) -> None:
    """Hands over a frame `[128]` for which there has to be room."""
    __tracebackhide__ = True
    taken = session.submit(frame_id, frame)
    what = f"frame {frame_id} was refused although {pending} were pending"
    check(taken, what, capacity=session.capacity)


def drain(session: Any, count: int) -> list[Mapping[str, Any]]:
    """Polls until `count` more results have come or none comes any more; a moment longer, to see what is too many."""
    results = _polled(session, count)
    time.sleep(0.01)
    return results + list(session.poll())


def _polled(session: Any, count: int) -> list[Mapping[str, Any]]:
    results: list[Mapping[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(results) < count and time.monotonic() < deadline:
        if new := session.poll():
            results += new
            deadline = time.monotonic() + PATIENCE_SECONDS
        else:
            time.sleep(0.0002)
    return results


def outputs_of(results: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """The outputs `[T, out]` of one model over a run of results."""
    __tracebackhide__ = True
    size = five_models.specs()[name]["output_size"]
    rows = [np.asarray(result["outputs"].get(name, ()), np.float32) for result in results]
    wrong = next((n for n, row in enumerate(rows) if row.shape != (size,)), None)
    if wrong is not None:
        raise RequirementFailed(
            f"result {wrong} has outputs of shape {list(rows[wrong].shape)} for {name}, not [{size}]",
            models=list(results[wrong]["outputs"]),
        )
    return np.stack(rows)


def inputs_of(results: Sequence[Mapping[str, Any]], audio: np.ndarray, name: str) -> np.ndarray:
    """What the data flow feeds one model `[T, in]`, given what the pipeline's own earlier stages put out."""
    stage = next(stage for stage in five_models.flow() if stage["model"] == name)
    sources = {source["from"] for source in stage["inputs"]} - {AUDIO}
    return gather(stage["inputs"], {AUDIO: audio, **{source: outputs_of(results, source) for source in sources}})


def fallback_of(name: str) -> np.ndarray:
    """The documented outputs `[out]` of a model that is missing, broken or switched off."""
    model = five_models.specs()[name]
    values = np.full(model["output_size"], model["fallback"]["fill"], np.float32)
    if "one_hot" in model["fallback"]:
        values[model["fallback"]["one_hot"]] = 1.0
    return values


def check_ids(results: Sequence[Mapping[str, Any]], expected: Sequence[int]) -> None:
    """Raises RequirementFailed at the first id that is lost, doubled or out of order."""
    __tracebackhide__ = True
    got = [result["id"] for result in results]
    if got == list(expected):
        return
    place = next(n for n, pair in enumerate(zip_longest(got, expected)) if pair[0] != pair[1])
    raise RequirementFailed(
        f"{len(expected)} frames gave {len(got)} results; the first difference is at result {place}",
        expected=list(expected[place : place + 5]),
        got=got[place : place + 5],
    )
