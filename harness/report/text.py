"""Text from anywhere made fit for a terminal, a page or an XML file, and numbers as people read them."""

from __future__ import annotations

import json
import math
import unicodedata
from typing import Any

LONGEST_EVIDENCE = 4000
"""Characters of one piece of evidence that a page shows; the record stream holds it whole."""


def visible(text: Any) -> str:
    r"""The text with every character that controls instead of showing written as its escape: `\x1b`, `\u202e`.

    Newlines and tabs stay. An implementation's message can so neither colour a terminal, nor reorder a line, nor make
    an XML file invalid.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(character if _shows(character) else _escape(character) for character in text)


def one_line(text: Any) -> str:
    """The first line that says something, with an ellipsis where there is more."""
    lines = [line.strip() for line in visible(text).splitlines() if line.strip()]
    return "" if not lines else lines[0] + (" …" if len(lines) > 1 else "")


def shown(value: Any) -> str:
    """A piece of evidence as text: strings as they are, anything else as JSON; cut when it is longer than a page."""
    text = visible(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    if len(text) <= LONGEST_EVIDENCE:
        return text
    return f"{text[:LONGEST_EVIDENCE]}… ({len(text) - LONGEST_EVIDENCE} characters more in the record stream)"


def number(value: Any) -> float:
    """A number of the record stream, where NaN and infinity are the texts "nan", "inf" and "-inf"."""
    return float(value)


def digits(value: Any, count: int = 3) -> str:
    """A number with `count` significant digits, written out where that is short; other values as text."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return visible(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    if 10 ** (count - 1) <= abs(value) < 10**7:
        return f"{value:.0f}"
    return f"{value:.{count}g}"


def milliseconds(value: float) -> str:
    return f"{digits(value)} ms"


def times(value: float | None) -> str:
    """How often something fits, as in: 36x; a dash where that isn't known."""
    return "-" if value is None else f"{digits(value, 2)}x"


def memory(value: Any) -> str:
    """Bytes as people compare them: MiB from a tenth of one on, KiB and bytes below."""
    size = number(value)
    for unit, name in ((2**20, "MiB"), (2**10, "KiB")):
        if abs(size) >= unit / 10 and abs(size) >= 1000:
            return f"{size / unit:.2f} {name}"
    return f"{digits(size)} B"


def counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _shows(character: str) -> bool:
    return character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
