"""Where a set-up puts things: .tox in the checkout, and the one cache folder."""

import os
import sys
from pathlib import Path

import stamps

ROOT = Path(__file__).resolve().parents[1]
TOX = ROOT / ".tox"
LOGS = TOX / "logs"
REQUIREMENTS = ROOT / "requirements"


def cache_folder() -> Path:
    """The documented cache folder: RTCONFORM_CACHE, else rtconform in XDG_CACHE_HOME or ~/.cache."""
    if chosen := os.environ.get("RTCONFORM_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "rtconform"


def unpacked_packages() -> Path:
    """Where Debian packages are unpacked that could not be installed; their files lie below usr/ there."""
    return cache_folder() / "debian"


def core_wheels() -> Path:
    """Where the wheels of requirements/core.txt lie, for this Python: a test installs the package from just these."""
    return cache_folder() / "wheels" / stamps.digest_of(REQUIREMENTS, ["core.txt"], sys.version)[:16]
