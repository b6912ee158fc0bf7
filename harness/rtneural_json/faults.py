"""What the validator says: faults, notes, and the report that holds them."""

import json
from dataclasses import dataclass, field

from .grammar import Model

READ, PARSE, VALIDATE = "read", "parse", "validate"


@dataclass(frozen=True)
class Fault:
    """One place where a file breaks the format. `phase` is read, parse or validate."""

    json_path: str
    expected: str
    found: str
    hint: str = ""
    phase: str = VALIDATE

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.json_path}: expected {self.expected}, found {self.found}{hint}"


@dataclass(frozen=True)
class Note:
    """Something worth knowing about a file that is no fault."""

    json_path: str
    message: str


@dataclass(frozen=True, eq=False)
class Report:
    """The outcome of a validation. `model` is None exactly if there are faults."""

    faults: tuple[Fault, ...]
    notes: tuple[Note, ...] = ()
    model: Model | None = None

    @property
    def ok(self) -> bool:
        return not self.faults


class InvalidModel(ValueError):
    """A file that is not a valid RTNeural JSON model; `faults` says where and why."""

    def __init__(self, faults: tuple[Fault, ...], path: str = "") -> None:
        self.faults = faults
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{path}: {faults[0]}{more}" if path else f"{faults[0]}{more}")


@dataclass
class Findings:
    """Collects faults and notes while a file is being read."""

    faults: list[Fault] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def fault(self, json_path: str, expected: str, found: str, hint: str = "", phase: str = VALIDATE) -> None:
        self.faults.append(Fault(json_path, expected, found, hint, phase))

    def note(self, json_path: str, message: str) -> None:
        self.notes.append(Note(json_path, message))


def quote(text: str, limit: int = 60) -> str:
    """A string of the file as printable ASCII, cut to `limit` characters."""
    return json.dumps(text if len(text) <= limit else text[: limit - 3] + "...", ensure_ascii=True)


def describe(value: object) -> str:
    """A JSON value in a few words, for "found …"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {quote(value)}"
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "an empty array"
    if isinstance(value, dict):
        return f"an object with {len(value)} keys" if value else "an empty object"
    return f"{value:.9g}" if isinstance(value, float) else f"{value}"[:40]


def child(json_path: str, key: str) -> str:
    """The JSON path of a member of an object."""
    return f"{json_path}.{key}" if key.isidentifier() and key.isascii() else f"{json_path}[{quote(key)}]"
