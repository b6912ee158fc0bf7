"""Known failures: a file of the user's that says which requirements an implementation is known to fail, and why.

An entry ends when the implementation changes: it is valid for one stated version or source hash. Cases that are not
listed still fail, and a listed case that passes is an unexpected pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from . import catalogue, toml
from .verdicts import Verdict

KEYS = ("id", "implementation", "cases", "valid_for", "reason", "link")


class InvalidKnownFailures(ValueError):
    """The file can't be used as it is: says which entry, what is wrong, and what to do."""


@dataclass(frozen=True)
class KnownFailure:
    """One requirement that one implementation is known to fail.

    `cases` are the names between the brackets of the failing items, without the implementation's; `valid_for` is
    `version:…`, `source:…` or `until:YYYY-MM-DD`.
    """

    id: str
    implementation: str
    cases: tuple[str, ...]
    valid_for: str
    reason: str
    link: str = ""

    def covers(self, requirement: str, implementation: str, case: str) -> bool:
        return (self.id, self.implementation) == (requirement, implementation) and case in self.cases

    def lapsed(self, identity: Mapping[str, Any]) -> str | None:
        """Why the entry no longer holds for this implementation; None when it does."""
        kind, _, value = self.valid_for.partition(":")
        if kind == "until":
            return f"it was valid until {value}" if date.today() > date.fromisoformat(value) else None
        found = stamp(identity, kind)
        return None if found == value else f"it is valid for {kind} {value}, and this is {kind} {found}"


def stamp(identity: Mapping[str, Any], kind: str) -> str:
    """What an entry is tied to: the implementation's `version` or the `source` hash of its build."""
    if kind == "version":
        return str(identity.get("version", ""))
    return str((identity.get("build") or {}).get("source_hash") or "")


def load(path: Path | None, *, reasons_required: bool = True) -> tuple[KnownFailure, ...]:
    """The entries of a file; none when there is to be no file (None).

    Raises InvalidKnownFailures on a missing file, unknown keys or requirement ids, a missing reason, or a malformed
    `valid_for`.
    """
    if path is None:
        return ()
    if not path.exists():
        raise InvalidKnownFailures(
            f"{path}: expected a known-failures file, found none; `rtconform known-failures add --file …` makes one"
        )
    try:
        document = toml.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise InvalidKnownFailures(f"{path}: expected TOML, found: {error}") from None
    if unknown := sorted(document.keys() - {"known_failure"}):
        raise InvalidKnownFailures(
            f"{path}: expected tables [[known_failure]] and nothing else, found {', '.join(unknown)}"
        )
    entries = enumerate(document.get("known_failure", []), 1)
    return tuple(_parse(entry, f"{path}, entry {number}", reasons_required) for number, entry in entries)


def save(path: Path, entries: Iterable[KnownFailure]) -> None:
    """Writes the entries, sorted, in place of the whole file."""
    import tomli_w

    ordered = sorted(entries, key=lambda entry: (entry.implementation, entry.id, entry.valid_for))
    document = {"known_failure": [{**asdict(entry), "cases": list(entry.cases)} for entry in ordered]}
    text = tomli_w.dumps(document, multiline_strings=False)
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def from_results(
    results: Iterable[Mapping[str, Any]],
    identities: Mapping[str, Mapping[str, Any]],
    reasons: Mapping[tuple[str, str], tuple[str, str]],
) -> list[KnownFailure]:
    """One entry per requirement and implementation that failed, known failures included.

    `reasons` keeps the (reason, link) of entries that stand already; others get an empty reason for the user to fill.
    """
    failed: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if Verdict(result["verdict"]).is_failure or result["verdict"] == Verdict.XFAIL.value:
            failed.setdefault((result["requirement"], result["implementation"]), []).append(result["case"])
    entries = []
    for (requirement, implementation), cases in failed.items():
        identity = identities.get(implementation, {})
        kind = "source" if stamp(identity, "source") else "version"
        reason, link = reasons.get((requirement, implementation), ("", ""))
        valid_for = f"{kind}:{stamp(identity, kind)}"
        entries.append(KnownFailure(requirement, implementation, tuple(sorted(cases)), valid_for, reason, link))
    return entries


def _parse(entry: Mapping[str, Any], where: str, reasons_required: bool) -> KnownFailure:
    name = f"{where} ({entry.get('id', 'no id')}, {entry.get('implementation', 'no implementation')})"
    unknown = sorted(entry.keys() - set(KEYS))
    missing = sorted(set(KEYS) - {"link"} - entry.keys())
    for what, keys in (("unknown", unknown), ("missing", missing)):
        if keys:
            raise InvalidKnownFailures(f"{name}: {what} {', '.join(keys)}; the keys are {', '.join(KEYS)}")
    if entry["id"] not in catalogue.load():
        raise InvalidKnownFailures(f"{name}: no requirement has this id; docs/REQUIREMENTS.md lists them")
    if reasons_required and not str(entry["reason"]).strip():
        raise InvalidKnownFailures(f"{name}: the reason is empty; say why this failure is accepted, then run again")
    kind, _, value = str(entry["valid_for"]).partition(":")
    try:
        valid = (kind in ("version", "source") and bool(value)) or (kind == "until" and bool(date.fromisoformat(value)))
    except ValueError:
        valid = False
    if not valid:
        raise InvalidKnownFailures(
            f"{name}: valid_for: expected version:…, source:… or until:YYYY-MM-DD, found {entry['valid_for']!r}"
        )
    return KnownFailure(**{**entry, "cases": tuple(entry["cases"])})
