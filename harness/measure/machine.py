"""What the machine is: the size of its caches, and how fast it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_BYTES = 32 * 2**20
MOST_BYTES = 64 * 2**20
"""Reading more than this between any two steps takes minutes, and changes little."""

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def largest_cache_bytes(caches: Path = CACHES) -> int:
    """The size of the largest cache of a processor, MOST_BYTES at most; USUAL_BYTES where Linux doesn't say."""
    sizes = list(_sizes(caches))
    return min(max(sizes), MOST_BYTES) if sizes else USUAL_BYTES


def reading_ns(size: int, times: int) -> list[int]:
    """How long each of so many readings of the same `size` bytes takes, in ns, on one core and one after the other.

    Empty where the native part of rtconform isn't built.
    """
    try:
        from .. import _native
    except ImportError:
        return []
    return _native.reading_ns(size, times)


def _sizes(caches: Path) -> Iterable[int]:
    for file in caches.glob("index*/size"):
        if size := re.fullmatch(r"(\d+)([KMG]?)", file.read_text(encoding="ascii").strip()):
            yield int(size[1]) * UNITS[size[2]]
