"""Features on disk, named by their content: written once, shared by every run and by parallel workers."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..atomic import write_atomic
from ..cache import cache_folder


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def cached_array(content_hash: str, parameters: Mapping[str, object], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """`compute()`'s array, from the cache if it was stored for the same content and parameters.

    The key is the sha256 of both, so a changed file or parameter is a new entry and none is ever out of date. Workers
    that race each put the same bytes in place in one step; a damaged entry is computed anew; a cache that can't be
    written costs time and nothing else.
    """
    key = hashlib.sha256(json.dumps([content_hash, dict(parameters)], sort_keys=True).encode()).hexdigest()
    path = cache_folder() / "features" / key[:2] / f"{key}.npy"
    with suppress(OSError, ValueError, EOFError):  # absent, unreadable or damaged: the same remedy
        return np.load(path, allow_pickle=False)
    array = compute()
    stored = io.BytesIO()
    np.save(stored, array)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, stored.getvalue())
    return array
