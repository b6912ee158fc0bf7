"""The importer: an RTNeural JSON file becomes a torch module that computes the same and can be trained further."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from ..numpy_runtime import BadModelFile, NumpyModel, read_model
from .parts import Imported, part_of

__all__ = ["BadModelFile", "Imported", "import_model"]


def import_model(path: str | os.PathLike[str]) -> Imported:
    """The module of a file, in eval mode: frames `[B, T, in]` to `[B, T, out]`, its weights the file's float32 bits.

    Raises BadModelFile with the JSON path of what is wrong in the file, and OSError if it can't be read. Exporting the
    module gives the bytes that exporting made; `docs/ML_TRAINING_GUIDE.md` shows how to train it further.
    """
    return imported(read_model(Path(path).read_bytes()))


def imported(model: NumpyModel) -> Imported:
    """The module of a model that has been read."""
    with torch.random.fork_rng(devices=[]):  # whose weights are drawn before the file's replace them
        parts = [part for layer in model.layers for part in part_of(layer)]
    return Imported(parts, model.input_size, model.output_size).eval()
