"""The messages of protocol 1 as bytes and as values: JSON lines, arrays in base64, and the schema that checks both."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

PROTOCOL = 1
SCHEMA = Path(__file__).with_name(f"protocol-{PROTOCOL}.schema.json")


def encode(message: Mapping[str, Any]) -> bytes:
    """One message as one line. Raises ValueError for NaN and infinity, which JSON has no words for."""
    return json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises ValueError with what is there instead."""
    try:
        message = json.loads(line.decode(), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise ValueError(f"bytes that are not UTF-8 (at offset {error.start})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"a line that is not JSON ({error.msg} at column {error.colno})") from None
    except RecursionError:
        raise ValueError("JSON that is nested too deep") from None
    if not isinstance(message, dict):
        raise ValueError(f"JSON that is no object but {type(message).__name__}")
    return message


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is not JSON (write null, or leave the number out)")


def array_to_wire(values: np.ndarray) -> dict[str, Any]:
    """A float32 array `[T, C]` as {"shape", "data"}."""
    values = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode("ascii")}


def array_from_wire(record: Mapping[str, Any]) -> np.ndarray:
    """The float32 array in a checked {"shape", "data"}. Raises ValueError if the bytes don't fill the shape."""
    return _filled(record, np.dtype("<f4")).astype(np.float32)


def _filled(record: Mapping[str, Any], dtype: np.dtype) -> np.ndarray:
    rows, columns = record["shape"]
    try:
        data = base64.b64decode(record["data"], validate=True)
    except binascii.Error as error:
        raise ValueError(f"data that is not base64 ({error})") from None
    due = dtype.itemsize * rows * columns
    if len(data) != due:
        raise ValueError(f"{len(data)} bytes of data for shape [{rows}, {columns}], which takes {due}")
    return np.frombuffer(data, dtype=dtype).reshape(rows, columns)


def integers_from_wire(record: Mapping[str, Any]) -> np.ndarray:
    """The uint64 array `[rows, columns]` in a checked {"shape", "data"}. Raises as `array_from_wire` does."""
    return _filled(record, np.dtype("<u8")).astype(np.uint64)


def fault(message: Mapping[str, Any], definition: str) -> str | None:
    """What is wrong with a message by the schema's `$defs/<definition>`, and where; None if nothing is."""
    error = next(_validator(definition).iter_errors(message), None)
    if error is None:
        return None
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    return f"{error.message[:300]} (at ${path})"


@cache
def _schema() -> dict[str, Any]:
    return json.loads(SCHEMA.read_text(encoding="utf-8"))


@cache
def _validator(definition: str) -> Any:
    from jsonschema_rs import Draft202012Validator

    definitions = _schema()["$defs"]
    if definition not in definitions:
        raise ValueError(f"protocol {PROTOCOL} has no {definition.replace('-', ' ')}")
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": definitions})
