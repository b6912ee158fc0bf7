"""Driving a pipeline: frames in, results out, and what the documented data flow makes of them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from .. import five_models
from ..five_models import AUDIO
from ..judging import RequirementFailed
from .step import gather

PATIENCE_SECONDS = 3.0
"""How long to wait for the next result before the rest counts as lost."""


class ModelName(str):
    """The name of one of the five models. The smoke profile is content with one recurrent and one other."""

    __slots__ = ()

    @property
    def beyond_smoke(self) -> bool:
        return self not in five_models.SMOKE


def each_model() -> list[ModelName]:
    """The five, to parametrise a test with."""
    return [ModelName(name) for name in five_models.specs()]


def model_folder(folder: Path) -> Path:
    """A copy of the five stored models that a test may damage."""
    for model in five_models.specs().values():
        shutil.copy(five_models.FOLDER / model["file"], folder)
    return folder


def drive(session: Any, audio: np.ndarray, first_id: int = 0) -> list[Mapping[str, Any]]:
    """Submits the frames `[T, 128]` one by one and returns their results, polled after each."""
    results = []
    for offset, frame in enumerate(audio):
        session.submit(first_id + offset, frame)
        results += session.poll()
    return results + drain(session, len(audio) - len(results))


def drain(session: Any, count: int) -> list[Mapping[str, Any]]:
    """Polls until `count` more results have come or none comes any more; a moment longer, to see what is too many."""
    results: list[Mapping[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(results) < count and time.monotonic() < deadline:
        if new := session.poll():
            results += new
            deadline = time.monotonic() + PATIENCE_SECONDS
        time.sleep(0.001)
    time.sleep(0.01)
    return results + list(session.poll())


def outputs_of(results: Sequence[Mapping[str, Any]], name: str) -> np.ndarray:
    """The outputs `[T, out]` of one model over a run of results."""
    return np.stack([np.asarray(result["outputs"][name], np.float32) for result in results])


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
