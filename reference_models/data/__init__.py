"""Data sets, read from their folders into the sequences that a model is trained on."""

from __future__ import annotations

from .items import Items, Splits
from .loading import load_dataset

__all__ = ["Items", "Splits", "load_dataset"]
