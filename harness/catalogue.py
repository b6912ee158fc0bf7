"""The requirements: data in conformance/requirements, one TOML file per conformance class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from . import toml
from .paths import CONFORMANCE

LEVELS = ("MUST", "SHOULD")
ROLES = ("trainer", "exporter", "loader", "pipeline")
CHAIN = "chain"
"""The role of what several implementations do together, one after the other in the order of ROLES."""

TIMED_CLASSES = ("latency", "memory")
"""Classes whose verdicts depend on the machine at the moment: one at a time, never in an ordinary pytest run."""

KEYS = {"id", "level", "role", "capability", "text", "why", "since"}


class InvalidCatalogue(ValueError):
    """A requirements file says something that the suite can't use."""


@dataclass(frozen=True)
class Requirement:
    """One normative sentence, and what makes it applicable.

    `capability` is a layer type or feature; the requirement then concerns only those who declare it.
    """

    id: str
    level: str
    role: str
    conformance_class: str
    text: str
    why: str
    since: str
    capability: str | None = None

    @property
    def is_timed(self) -> bool:
        return self.conformance_class in TIMED_CLASSES


@cache
def load(folder: Path = CONFORMANCE / "requirements") -> Mapping[str, Requirement]:
    """All requirements by id, classes in the order of their file names.

    Raises InvalidCatalogue with the file and the entry at fault.
    """
    requirements: dict[str, Requirement] = {}
    for path in sorted(folder.glob("*.toml")):
        for entry in toml.loads(path.read_text(encoding="utf-8")).get("requirement", []):
            requirement = _parse(entry, path)
            if requirement.id in requirements:
                raise InvalidCatalogue(f"{path}: {requirement.id} is defined twice; ids are unique over all classes")
            requirements[requirement.id] = requirement
    return requirements


def _parse(entry: Mapping[str, str], path: Path) -> Requirement:
    name = entry.get("id", "a requirement without id")
    missing = KEYS - {"capability"} - entry.keys()
    unknown = entry.keys() - KEYS
    if missing or unknown:
        raise InvalidCatalogue(f"{path}: {name}: missing keys {sorted(missing)}, unknown keys {sorted(unknown)}")
    if entry["level"] not in LEVELS or entry["role"] not in (*ROLES, CHAIN):
        raise InvalidCatalogue(f"{path}: {name}: level is one of {LEVELS} and role one of {(*ROLES, CHAIN)}")
    return Requirement(conformance_class=path.stem, **entry)


def classes(requirements: Mapping[str, Requirement]) -> list[str]:
    """The conformance classes in the order of the catalogue."""
    return list(dict.fromkeys(requirement.conformance_class for requirement in requirements.values()))
