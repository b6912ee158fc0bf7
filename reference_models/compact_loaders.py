"""The compact loaders, which come with the package: native/loaders/compact, one per precision of the weights.

Each function returns the connection string of one loader: `abi:<path of the library>#<name>`.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .errors import NotAvailable

NAMES = ("compact-f32", "compact-f16", "compact-i8")


def compact_f32() -> str:
    """Weights as stored; raises NotAvailable with one sentence if the library isn't there."""
    return _connection("compact-f32")


def compact_f16() -> str:
    """Weights in binary16; raises NotAvailable as above."""
    return _connection("compact-f16")


def compact_i8() -> str:
    """Kernels and what they are multiplied with in int8; raises NotAvailable as above."""
    return _connection("compact-i8")


def _connection(name: str) -> str:
    return f"abi:{library()}#{name}"


def library() -> Path:
    """The library, which is installed beside the module _plugin_core; raises NotAvailable."""
    spec = importlib.util.find_spec(f"{__package__}._plugin_core")
    library = Path(spec.origin).with_name("librtconform_compact.so") if spec and spec.origin else None
    if library is None or not library.is_file():
        raise NotAvailable(
            "the compact loaders of rtconform are not built; install rtconform on a system with a C++ compiler"
        )
    return library
