"""The reference page docs/REQUIREMENTS.md, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from . import catalogue
from .catalogue import Requirement

COMMAND = "rtconform requirements --markdown"

INTRODUCTION = f"""\
<!-- Made by `{COMMAND}` from conformance/requirements/*.toml. Change those, not this. -->

# The requirements

Each requirement is one sentence that an implementation either keeps or doesn't. MUST decides whether a class is
conformant; SHOULD is reported and decides nothing. A requirement with a capability concerns only the implementations
that declare it. An id keeps its meaning for ever; “since” is the version of the set in which it came.

A conformance class is judged by itself, and a user gates on the classes that matter to them."""


def requirements_markdown() -> str:
    """The whole page: an overview, then per class a table and each requirement with the failure behind it."""
    requirements = catalogue.load()
    by_class = {
        name: [requirement for requirement in requirements.values() if requirement.conformance_class == name]
        for name in catalogue.classes(requirements)
    }
    blocks = [INTRODUCTION, _overview(by_class.items())]
    for name, members in by_class.items():
        blocks += _class(name, members)
    return "\n\n".join(blocks) + "\n"


def _overview(classes: Iterable[tuple[str, list[Requirement]]]) -> str:
    rows = []
    for name, members in classes:
        musts = sum(requirement.level == "MUST" for requirement in members)
        roles = ", ".join(dict.fromkeys(requirement.role for requirement in members))
        rows.append((f"[{name}](#{name})", roles, str(musts), str(len(members) - musts)))
    return _table(("class", "role", "MUST", "SHOULD"), rows)


def _class(name: str, members: list[Requirement]) -> Iterator[str]:
    yield f"## {name}"
    rows = [
        (f"[{member.id}](#{member.id.lower()})", member.level, member.role, member.capability or "", member.since)
        for member in members
    ]
    yield _table(("requirement", "level", "role", "capability", "since"), rows)
    for member in members:
        yield f"### {member.id}"
        yield member.text
        yield f"Why: {member.why}"
        capability = f" that declares `{member.capability}`" if member.capability else ""
        yield f"{member.level} for {_article(member.role)} {member.role}{capability}, since {member.since}."


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
