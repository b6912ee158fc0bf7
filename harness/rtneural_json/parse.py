"""Bytes to a JSON tree, strictly: RFC 8259 in UTF-8, no duplicate names, no NaN, nothing behind the end."""

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from .faults import PARSE, READ, Fault, Findings, child, quote

MAX_BYTES = 2**30
_MOST_BLEMISHES = 50

# A prefix of a literal or a number, which is what a cut inside one leaves behind.
_CUT_TOKEN = re.compile(
    r"(?:t(?:r(?:u)?)?|f(?:a(?:l(?:s)?)?)?|n(?:u(?:l)?)?|-?[0-9]*\.?[0-9]*(?:[eE][-+]?[0-9]*)?)\s*\Z"
)

_BINARY = (
    (b"PK\x03\x04", "a zip archive, such as torch.save writes (.pt, .pth)"),
    (b"\x89HDF", "an HDF5 file, such as Keras writes (.h5)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\xef\xbb\xbf", "UTF-8 text behind a byte order mark"),
)
_EXPORT_HINT = "export the model to RTNeural JSON first"


class _Literal(float):
    """A number that remembers its text."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> "_Literal":  # noqa: PYI034 (typing.Self comes with 3.11)
        number = super().__new__(cls, text)
        number.text = text
        return number


class DecimalFloat(_Literal):
    """A decimal number, kept only when the rounding to float32 hangs on its text."""

    __slots__ = ()


class NonFiniteLiteral(_Literal):
    """NaN, Infinity or -Infinity, which Python's parser takes and JSON doesn't have."""

    __slots__ = ()


class ObjectWithDuplicates(dict):
    """An object in which some names came twice; the last value is kept."""

    duplicates: tuple[str, ...] = ()


def read_bytes(path: str | os.PathLike, findings: Findings) -> bytes | None:
    """The content of a regular file, or None and a fault of phase read."""
    expected = "a readable RTNeural JSON file"
    try:
        mode = Path(path).stat()
        if stat.S_ISDIR(mode.st_mode):
            findings.fault("$", expected, "a directory", "name a file inside it", READ)
        elif not stat.S_ISREG(mode.st_mode):
            findings.fault("$", expected, "something that is not a regular file (a pipe or a device)", phase=READ)
        elif mode.st_size > MAX_BYTES:
            findings.fault("$", f"at most {MAX_BYTES:,} bytes", f"{mode.st_size:,} bytes", phase=READ)
        else:
            return Path(path).read_bytes()
    except FileNotFoundError:
        findings.fault("$", expected, "no such file", "check the path", READ)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        findings.fault("$", expected, reason, "check the file's permissions and path", READ)
    return None


def decode(data: bytes, findings: Findings) -> str | None:
    """UTF-8 bytes to text, or None and a fault of phase parse."""
    if not data.strip(b" \t\r\n"):
        found = "an empty file" if not data else "nothing but white space"
        findings.fault("$", "a JSON object", found, "was writing it interrupted?", PARSE)
        return None
    if kind := _binary_kind(data):
        findings.fault(
            "$", "JSON text in UTF-8", kind, _EXPORT_HINT if "text" not in kind else "save it as plain UTF-8", PARSE
        )
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"byte 0x{data[error.start]:02x} at offset {error.start} (line {line}), which is not UTF-8"
        findings.fault("$", "JSON text in UTF-8", found, "is this a binary file, or another encoding?", PARSE)
        return None


def _binary_kind(data: bytes) -> str | None:
    for magic, kind in _BINARY:
        if data.startswith(magic):
            return kind
    if data[0] == 0x80 and data[1:2] <= b"\x05":
        return "a Python pickle, such as older torch.save wrote (.pt, .pth)"
    if len(data) > 9 and data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return "a safetensors file"
    return None


def parse(text: str, findings: Findings, *, keep_decimals: bool = False) -> object:
    """JSON text to Python values, or None and a fault of phase parse.

    Duplicate names and NaN/Infinity literals are reported with their JSON paths and don't hide later faults. With
    keep_decimals the floats are DecimalFloat.
    """
    blemishes: list[None] = []

    def unique(pairs: list[tuple[str, object]]) -> dict:
        members = dict(pairs)
        if len(members) == len(pairs):
            return members
        blemishes.append(None)
        marked = ObjectWithDuplicates(members)
        counts = Counter(name for name, _ in pairs)
        marked.duplicates = tuple(name for name in members if counts[name] > 1)
        return marked

    def non_finite(literal: str) -> float:
        blemishes.append(None)
        return NonFiniteLiteral(literal)

    decoder = json.JSONDecoder(
        object_pairs_hook=unique,
        parse_constant=non_finite,
        parse_int=_integer,
        parse_float=DecimalFloat if keep_decimals else None,
    )
    try:
        tree = decoder.decode(text)
    except json.JSONDecodeError as error:
        _report_syntax(text, error, findings)
        return None
    except RecursionError:
        findings.fault(
            "$",
            "a model file, nested some 6 levels deep",
            "arrays or objects nested hundreds of levels deep",
            phase=PARSE,
        )
        return None
    if blemishes:
        _report_blemishes(tree, findings)
    return tree


def _integer(digits: str) -> int | float:
    # Python converts no text of thousands of digits to an integer, and no integer of 309 digits to a float.
    return int(digits) if len(digits) < 300 else float(digits)


def _report_syntax(text: str, error: json.JSONDecodeError, findings: Findings) -> None:
    place = f"line {error.lineno}, column {error.colno}"
    rest = text[error.pos : error.pos + 400]
    if error.msg.startswith("Extra data"):
        found = f"more text at {place}: {quote(rest, 40)}"
        findings.fault(
            "$",
            "nothing behind the closing brace",
            found,
            "was the file written over a longer one, or two files joined?",
            PARSE,
        )
    elif error.msg.startswith("Unterminated string") or _is_cut(text, error.pos):
        end = text.rstrip()
        line, column = end.count("\n") + 1, len(end) - end.rfind("\n")
        found = f"the end of the text at line {line}, column {column}"
        findings.fault("$", "a whole JSON object", found, "the file is truncated: was writing it interrupted?", PARSE)
    else:
        reason = error.msg[0].lower() + error.msg[1:]
        findings.fault("$", "JSON", f"at {place} {quote(rest, 30)}: {reason}", _syntax_hint(rest), PARSE)


def _is_cut(text: str, position: int) -> bool:
    # What a cut leaves of a token is short, and the pattern takes quadratic time.
    return len(text) - position < 400 and _CUT_TOKEN.match(text, position) is not None


def _syntax_hint(rest: str) -> str:
    if re.match(r"[-+]?(nan|inf)", rest, re.IGNORECASE):
        return "JSON has no NaN and no infinity: the weights are broken"
    if rest.startswith("'"):
        return "JSON wants double quotes: this looks like a printed Python dict"
    return ""


def _report_blemishes(tree: object, findings: Findings) -> None:
    found = list(islice(_blemishes(tree), _MOST_BLEMISHES + 1))
    findings.faults.extend(found[:_MOST_BLEMISHES])
    if len(found) > _MOST_BLEMISHES:
        findings.fault("$", "finite numbers, and each name once", "more of the same in this file", phase=PARSE)


def _blemishes(tree: object) -> Iterator[Fault]:
    for path, value in _walk(tree):
        if isinstance(value, ObjectWithDuplicates):
            for name in value.duplicates:
                found, hint = "the name twice or more in one object", "readers disagree on which one counts: keep one"
                yield Fault(child(path, name), "each name once", found, hint, PARSE)
        elif isinstance(value, NonFiniteLiteral):
            hint = "JSON has no NaN and no infinity: the weights are broken"
            yield Fault(path, "a finite number", value.text, hint, PARSE)


def _walk(tree: object) -> Iterator[tuple[str, object]]:
    """Every value with its JSON path, in the order of the file; iterative, since files may be nested deeply."""
    pending = [("$", tree)]
    while pending:
        path, value = pending.pop()
        yield path, value
        if isinstance(value, dict):
            pending.extend((child(path, name), member) for name, member in reversed(value.items()))
        elif isinstance(value, list):
            pending.extend((f"{path}[{i}]", value[i]) for i in reversed(range(len(value))))
