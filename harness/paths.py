"""Where the package's own files and the user's cache lie."""

import os
from pathlib import Path

# In a checkout, an editable install and a wheel alike, fixtures/ is the neighbour of harness/ (pyproject.toml maps both into the package).
_PACKAGE = Path(__file__).resolve().parents[1]
FIXTURES = _PACKAGE / "fixtures"


def cache_dir(*parts: str) -> Path:
    """The cache folder, or a place below it; nothing is created.

    $RTCONFORM_CACHE if set, else $XDG_CACHE_HOME/rtconform, else ~/.cache/rtconform.
    """
    if chosen := os.environ.get("RTCONFORM_CACHE"):
        root = Path(chosen)
    elif xdg := os.environ.get("XDG_CACHE_HOME"):
        root = Path(xdg) / "rtconform"
    else:
        root = Path.home() / ".cache" / "rtconform"
    return root.joinpath(*parts)
