"""What it takes to see a process fail again: the requests that it was sent and the files that they name."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = "crashes"
FILES_READ = {"load": ("path",), "measure_memory": ("paths", "others"), "export": ("state_dict",)}
"""The fields of requests that name files which the implementation reads, by operation."""


def clear(out: Path) -> None:
    """Removes what an earlier run left there."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def keep(out: Path, item: str, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence of a failed process with a file of requests instead of the requests, and the line for gdb.

    The requests go to `out/crashes/ITEM/requests.jsonl`. Temporary files that they name are copied there, since they
    end with the run. Evidence without a process comes back as it is.
    """
    if "command" not in evidence:
        return dict(evidence)
    debugger = f"gdb --args {evidence['command']}"
    if not evidence.get("requests"):
        return {**evidence, "gdb": debugger}
    folder = out / FOLDER / re.sub(r"[^\w.-]+", "-", item).strip("-")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [_with_copies(json.loads(line), folder) for line in evidence["requests"]]
    requests = folder / "requests.jsonl"
    requests.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    start = shlex.quote(f"run < {shlex.quote(str(requests))}")
    return {**evidence, "requests": str(requests), "gdb": f"gdb -ex {start} --args {evidence['command']}"}


def _with_copies(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    for field in FILES_READ.get(request["op"], ()):
        if field in request:
            request[field] = _copied(request[field], folder)
    return request


def _copied(named: Any, folder: Path) -> Any:
    """The path of a copy, for a temporary file; else the path itself. Of a list, the same for each in it."""
    if isinstance(named, list):
        return [_copied(each, folder) for each in named]
    file = Path(named)
    if Path(tempfile.gettempdir()).resolve() not in file.resolve().parents or not file.is_file():
        return named
    target = folder / file.name
    if target.exists() and target.read_bytes() != file.read_bytes():
        target = folder / f"{len(list(folder.iterdir()))}-{file.name}"
    return str(shutil.copy(file, target))
