"""Loaders that are wrong in one way each: a thin shell around a good one, found by its registered name.

Most wrong loaders are those of native/; these are wrong about the file alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..implementations import LoadedModel, connect
from .naming import factories

GOOD = "numpy-runtime"
USUAL = {"kernel_size": 1, "dilation": 1, "groups": 1, "strides": 1, "padding": "valid", "epsilon": 1e-3}


class LdrSizesRepaired:
    """Puts the usual value in the place of one that can't be, as a lenient reader does."""

    name = "good-loader"

    def __init__(self) -> None:
        self._good = connect(GOOD, "loader")

    @property
    def declares(self) -> dict[str, Any]:
        return self._good.declaration.to_dict() | {"name": self.name}

    def load(self, path: str) -> LoadedModel:
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
            for layer in document["layers"]:
                layer.update({key: value for key, value in USUAL.items() if key in layer and not _can_be(layer[key])})
            text = json.dumps(document)
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            return self._good.open().load(path)
        with tempfile.TemporaryDirectory() as folder:
            repaired = Path(folder) / "model.json"
            repaired.write_text(text, encoding="utf-8")
            return self._good.open().load(repaired)


def _can_be(value: Any) -> bool:
    last = value[-1] if isinstance(value, list) and value else value
    return last in ("same", "valid") or (isinstance(last, (int, float)) and last > 0)


__getattr__: Callable[[str], Callable[[], Any]] = factories(globals(), "ldr")
