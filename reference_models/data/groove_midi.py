"""The layout of the Groove MIDI data set: info.csv and drum performances in MIDI.

Columns used: `id, style, bpm, beat_type, time_signature, midi_filename, split`. The style before the slash ("funk" of
"funk/groove1") and the tempo stand in for emotion labels, which this data set hasn't got: style_emotions.json.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError
from .features import frame_ends
from .listing import UNFIT, Listing, Unusable, check_named
from .midi import Song
from .midi_item import Task, is_midi, midi_candidate
from .performance import bar_at, bar_profile, played
from .tables import official_split, read_csv, read_json

INFO = "info.csv"
COLUMNS = ("id", "style", "bpm", "beat_type", "time_signature", "midi_filename", "split")
STYLE_EMOTIONS = Path(__file__).with_name("style_emotions.json")
STEPS = 16
MEDIUM_BPM = 110.0


def groove_targets(song: Song, frames: int) -> np.ndarray:
    """The groove of the bar around each frame, float32 `[frames, 32]` in [-1, 1].

    0-15 timing of the hits on each sixteenth, 0 on the grid and -1 or 1 half a sixteenth early or late; 16-31 their
    mean velocity, from -1 (no hit) to 1 (127).
    """
    where, bars = played(song), len(song.bars) - 1
    timing = np.nan_to_num(bar_profile(2.0 * where.deviation, where, bars, STEPS), nan=0.0)
    velocity = np.nan_to_num(bar_profile(2.0 * song.velocity / 127.0 - 1.0, where, bars, STEPS), nan=-1.0)
    return np.hstack([timing, velocity])[bar_at(song, frame_ends(frames))].astype(np.float32)


GROOVE = Task(inputs=lambda heard: heard, targets=groove_targets)


def groove_emotion(style: tuple[float, float], bpm: float) -> tuple[float, float]:
    """Valence of the style; arousal midway between the style's and the tempo's (110 bpm is 0, an octave more is 1)."""
    tempo = float(np.clip(np.log2(bpm / MEDIUM_BPM), -1.0, 1.0))
    return style[0], (style[1] + tempo) / 2


def read_grooves(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """The beats in 4/4 of a folder, with the data set's own split; the rest is left out with the reason.

    A fill has no groove to learn, and other metres have no sixteen sixteenths; a tempo that isn't one, an unknown split
    and a missing or damaged file are left out as well. Raises `DataError` for a table that isn't one.
    """
    styles = read_json(STYLE_EMOTIONS)["styles"]
    table, listing, listed = folder / INFO, Listing(), set()
    for line, row in read_csv(table, required=COLUMNS):
        where, name = f"{table}, line {line}", row["midi_filename"]
        listed.add(name)
        with listing.row(name or f"line {line}"):
            bpm, split = _tempo(row["bpm"], where), official_split(row["split"], where)
            style = row["style"].split("/")[0]
            if reason := _unfit(row, style, styles):
                raise Unusable(f"{where}: {reason}", UNFIT)
            check_named(folder, name, where)
            emotion = groove_emotion(styles[style], bpm)
            found = {"group": row["id"], "emotion": emotion, "split": split}
            listing.add(midi_candidate(folder, name, GROOVE, **found, max_seconds=max_seconds))
    listing.leave_out_unlisted(folder, filter(is_midi, folder.rglob("*")), listed, table)
    return listing.checked()


def _unfit(row: dict[str, str], style: str, styles: dict) -> str | None:
    if row["beat_type"] != "beat":
        return f"a {row['beat_type'] or 'row without beat_type'}, not a beat"
    if row["time_signature"] != "4-4":
        return f"its time signature is {row['time_signature']!r}, not 4-4"
    if style not in styles:
        return f"no emotion is known for the style {style!r}; add it to {STYLE_EMOTIONS.name}"
    return None


def _tempo(text: str, where: str) -> float:
    try:
        bpm = float(text)
    except ValueError:
        bpm = 0.0
    if not 10.0 <= bpm <= 1000.0:
        raise DataError(f"{where}: expected bpm from 10 to 1000, found {text!r}; correct the row")
    return bpm
