"""The five reference models as fixtures/models/specs.json states them: the judge's reading of that file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from .paths import FIXTURES

FOLDER = FIXTURES / "models"
AUDIO = "audio"
"""What the data flow calls the features that it begins with."""

AUDIO_SIZE = 128
SMOKE = ("EmotionRecognizer", "DynamicsEngine")
"""The smoke profile's: one that is recurrent and one that is not."""


@cache
def document() -> Mapping[str, Any]:
    """The whole file."""
    return json.loads((FOLDER / "specs.json").read_text(encoding="utf-8"))


def specs() -> Mapping[str, Mapping[str, Any]]:
    """Each model's specification, by name."""
    return document()["models"]


def flow() -> Sequence[Mapping[str, Any]]:
    """The stages of one step in order: a model, and the slices that its input consists of."""
    return document()["flow"]
