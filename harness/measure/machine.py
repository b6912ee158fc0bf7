"""What the machine is: the size of its caches, and how fast it reads."""

from __future__ import annotations

import re
from pathlib import Path

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_BYTES = 32 * 2**20
USUAL_CORE_BYTES = 4 * 2**20
MOST_BYTES = 64 * 2**20
"""Reading more than this between any two steps takes minutes, and changes little."""

SIZE = re.compile(r"(\d+)([KMG]?)")
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def largest_cache_bytes(caches: Path = CACHES) -> int:
    """The size of the largest cache of a processor, MOST_BYTES at most; USUAL_BYTES where Linux doesn't say."""
    sizes = _sizes(caches)
    return min(sizes[-1], MOST_BYTES) if sizes else USUAL_BYTES


def core_cache_bytes(caches: Path = CACHES) -> int:
    """Twice the size of the largest cache but one, which belongs to one core, so that nothing older is left in it.

    Never more than `largest_cache_bytes`; USUAL_CORE_BYTES where Linux doesn't say.
    """
    sizes = _sizes(caches)
    core = 2 * sizes[-2] if len(sizes) > 1 else USUAL_CORE_BYTES
    return min(core, largest_cache_bytes(caches))


def reading_ns(size: int, times: int) -> list[int]:
    """How long each of so many readings of the same `size` bytes takes, in ns, on one core and one after the other.

    Empty where the native part of rtconform isn't built.
    """
    try:
        from .. import _native
    except ImportError:
        return []
    return _native.reading_ns(size, times)


def _sizes(caches: Path) -> list[int]:
    """The different sizes of caches, the largest at the end."""
    found = (SIZE.fullmatch(file.read_text(encoding="ascii").strip()) for file in caches.glob("index*/size"))
    return sorted({int(size[1]) * UNITS[size[2]] for size in found if size})
