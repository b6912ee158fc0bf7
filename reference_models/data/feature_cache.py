"""Features on disk, named by their content: written once, shared by every run and by parallel workers."""

from __future__ import annotations

import hashlib
import io
import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np

from ..atomic import write_atomic
from ..cache import cache_folder

# A file that was changed less than this ago may change again within one tick of its file system's clock.
SETTLED_NS = 2_000_000_000


def file_sha256(path: str | Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal.

    It is remembered in the cache by the file's place, size, times and inode, so that a file that nobody touched is not
    opened a second time. Raises OSError if the file can't be read.
    """
    stat = Path(path).stat()
    identity = [str(Path(path).resolve()), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
    remembered = _place("hashes", hashlib.sha256(json.dumps(identity).encode()).hexdigest(), "sha256")
    with suppress(OSError, ValueError):
        known = remembered.read_text(encoding="ascii")
        if len(bytes.fromhex(known)) == hashlib.sha256().digest_size:
            return known
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    if time.time_ns() - stat.st_mtime_ns > SETTLED_NS:
        _store(remembered, digest.hexdigest().encode())
    return digest.hexdigest()


def cached_array(content_hash: str, parameters: Mapping[str, object], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """`compute()`'s array, from the cache if it was stored for the same content and parameters.

    What comes from the cache is mapped, read-only, and takes memory only where it is looked at. The key is the sha256
    of both, so a changed file or parameter is a new entry and none is ever out of date. Workers that race each put the
    same bytes in place in one step; a damaged entry is computed anew; a cache that can't be written costs time and
    nothing else.
    """
    key = hashlib.sha256(json.dumps([content_hash, dict(parameters)], sort_keys=True).encode()).hexdigest()
    path = _place("features", key, "npy")
    with suppress(OSError, ValueError, EOFError):  # absent, unreadable or damaged: the same remedy
        return _mapped(path)
    array = compute()
    stored = io.BytesIO()
    np.save(stored, array)
    _store(path, stored.getvalue())
    with suppress(OSError, ValueError, EOFError):
        return _mapped(path)
    return array


def _mapped(path: Path) -> np.ndarray:
    return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))


def _place(folder: str, key: str, suffix: str) -> Path:
    return cache_folder() / folder / key[:2] / f"{key}.{suffix}"


def _store(path: Path, data: bytes) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
