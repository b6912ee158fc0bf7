"""Chord symbols and the vocabulary of 64 chords that HarmonyPredictor speaks.

| index | chord |
|---|---|
| 0-11 | major, roots C C# D … B |
| 12-23 | minor |
| 24-35 | dominant seventh |
| 36-47 | major seventh |
| 48-59 | minor seventh |
| 60-62 | diminished seventh on C, C#, D: there are only three, since each is the same notes from four roots |
| 63 | N, no chord |

Every other quality becomes the family in chord_qualities.json that keeps its third and seventh (a ninth is a seventh
chord, a sixth a triad); the bass after a slash is dropped.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from ..errors import DataError

QUALITIES_FILE = Path(__file__).with_name("chord_qualities.json")
ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FAMILIES = ("", "m", "7", "maj7", "m7")
DIMINISHED = 60
NO_CHORD = 63
SIZE = 64
INTERVALS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 4, 7, 11), (0, 3, 7, 10))
VOCABULARY = (
    *(root + family for family in FAMILIES for root in ROOTS),
    *(root + "dim7" for root in ROOTS[:3]),
    "N",
)
_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SYMBOL = re.compile(r"([A-G])([#♯b♭]*):?(.*?)(?:/[A-G][#♯b♭]*)?")


def parse_chord(symbol: str) -> int:
    """The vocabulary index of a chord symbol such as `Am7`, `Bb`, `F#dim`, `C/E` or Harte's `A:min7`.

    Raises `DataError` for a symbol with no root from A to G or a quality that chord_qualities.json doesn't list.
    """
    text = "".join(symbol.split()) if isinstance(symbol, str) else ""
    families = _families()
    if text in ("N", "N.C.", "NC", "N.C"):
        return NO_CHORD
    match = _SYMBOL.fullmatch(text)
    quality = re.sub(r"[(),]", "", match[3]) if match else ""
    if not match or quality not in families:
        raise DataError(
            f"expected a chord such as C, F#m, Bb7, Gmaj7, Dm7, Edim or N, found {symbol!r}; "
            f"correct it or add its quality to {QUALITIES_FILE.name}"
        )
    accidentals = sum({"#": 1, "♯": 1, "b": -1, "♭": -1}[sign] for sign in match[2])
    root = (_NATURAL[match[1]] + accidentals) % 12
    family = families[quality]
    return DIMINISHED + root % 3 if family == "dim7" else 12 * FAMILIES.index(family) + root


def chord_pitch_classes(index: int) -> tuple[int, ...]:
    """The pitch classes (0 is C) of a chord of the vocabulary, its root first; none for N."""
    if index == NO_CHORD:
        return ()
    if index >= DIMINISHED:
        return tuple(index - DIMINISHED + 3 * step for step in range(4))
    return tuple((index % 12 + interval) % 12 for interval in INTERVALS[index // 12])


@cache
def _families() -> dict[str, str]:
    """Quality as written → family."""
    table = json.loads(QUALITIES_FILE.read_text(encoding="utf-8"))["families"]
    return {quality: family for family, qualities in table.items() for quality in qualities}
