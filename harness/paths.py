"""Where the suite's own files lie: the same in a checkout, an editable install and a wheel.

pyproject.toml maps the folders beside harness/ into the package, where they are its neighbours too.
"""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
CONFORMANCE = PACKAGE / "conformance"
FIXTURES = PACKAGE / "fixtures"


def why_unwritable(folder: Path) -> str | None:
    """What keeps a folder from being written to, or made where it isn't yet; None if nothing does. Makes nothing."""
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if os.access(parent, os.F_OK))
    if not there.is_dir():
        return f"expected a folder, or a place to make one, found {there}, which is a file"
    if not os.access(there, os.W_OK | os.X_OK):
        return f"expected a folder, or a place to make one, found {there}, which can't be written to"
    return None
