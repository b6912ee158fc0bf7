"""Where the suite's own files lie: the same in a checkout, an editable install and a wheel."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFORMANCE = PACKAGE / "conformance"
FIXTURES = PACKAGE / "fixtures"


def cache_folder() -> Path:
    """The one folder for everything that may be deleted: RTCONFORM_CACHE, else rtconform in the user's cache folder."""
    if chosen := os.environ.get("RTCONFORM_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "rtconform"
