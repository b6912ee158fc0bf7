"""The record stream of a run: JSON lines, a header first and a footer last. Every report is a reading of it.

The form is published in harness/records-1.schema.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from .catalogue import CHAIN
from .verdicts import Outcome, Verdict

SCHEMA_VERSION = 1
SCHEMA_FILE = Path(__file__).with_name("records-1.schema.json")
STREAM_NAME = "records.jsonl"


class InvalidStream(ValueError):
    """A record stream that can't be read as a whole run."""


@dataclass(frozen=True)
class Run:
    """A record stream, read back."""

    header: Mapping[str, Any]
    implementations: tuple[Mapping[str, Any], ...]
    results: tuple[Mapping[str, Any], ...]
    measurements: tuple[Mapping[str, Any], ...]
    footer: Mapping[str, Any]
    path: Path

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome_of(result) for result in self.results]


@dataclass
class Writer:
    """Appends records to a stream, one line each, flushed so that a crash loses nothing."""

    path: Path
    _stream: TextIO | None = field(default=None, repr=False)

    def header(self, **fields: Any) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.path.open("w", encoding="utf-8", errors="backslashreplace")
        self._write("header", schema=SCHEMA_VERSION, started=_now(), machine=machine(), **fields)

    def implementation(self, **fields: Any) -> None:
        self._write("implementation", **fields)

    def result(self, **fields: Any) -> None:
        self._write("result", **fields)

    def measurement(self, **fields: Any) -> None:
        self._write("measurement", **fields)

    def footer(self, **fields: Any) -> None:
        self._write("footer", finished=_now(), **fields)
        self._stream.close()

    def _write(self, record: str, /, **fields: Any) -> None:
        self._stream.write(json.dumps({"record": record, **fields}, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()


def read(path: Path) -> Run:
    """Reads a whole run from a stream or from the folder that holds it.

    Raises InvalidStream when there is none, a line is no record, or header or footer is missing.
    """
    path = path / STREAM_NAME if path.is_dir() else path
    try:
        records = list(_lines(path))
    except OSError as error:
        raise InvalidStream(
            f"Expected a record stream at {path}, found none ({error.strerror}). "
            "Run `rtconform run` first, or name the folder that it wrote with --out."
        ) from None
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        by_kind.setdefault(record["record"], []).append(record)
    for kind in ("header", "footer"):
        if len(by_kind.get(kind, [])) != 1:
            raise InvalidStream(
                f"{path}: expected one {kind}, found {len(by_kind.get(kind, []))}: the run did not end."
            )
    if by_kind["header"][0].get("schema") != SCHEMA_VERSION:
        raise InvalidStream(
            f"{path}: expected record schema {SCHEMA_VERSION}, found {by_kind['header'][0].get('schema')!r}. "
            "Read it with the version of rtconform that wrote it."
        )
    return Run(
        header=by_kind["header"][0],
        implementations=tuple(by_kind.get("implementation", ())),
        results=tuple(by_kind.get("result", ())),
        measurements=tuple(by_kind.get("measurement", ())),
        footer=by_kind["footer"][0],
        path=path,
    )


def outcome_of(result: Mapping[str, Any]) -> Outcome:
    return Outcome(
        Verdict(result["verdict"]), result["level"], result["class"], result["implementation"], result["role"] == CHAIN
    )


def machine() -> dict[str, Any]:
    """What the run ran on: processor, number of cores, system, Python."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": sys.version.split()[0],
    }


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if not isinstance(record, dict) or "record" not in record:
                raise InvalidStream(f"{path}, line {number}: expected a JSON object with the key 'record'")
            yield record


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")
