"""MIDI files as notes in seconds and in beats, with their tempo changes and bars honoured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError

DRUM_CHANNEL = 9
DEFAULT_TEMPO = 500_000  # µs per quarter note, where a file says none
SIXTEENTH = 0.25  # quarter notes
LONGEST_SECONDS, LONGEST_BEATS = 24 * 3600.0, 1_000_000


@dataclass(frozen=True)
class Song:
    """The notes of a MIDI file in order of onset, one entry per note in each array.

    `start` and `end` are in seconds, `beat` and `beats` (onset and length) in quarter notes; `velocity` is 1-127.
    `bars` are the beats at which bars begin, the end of the last one included, and `bar_times` the same in seconds;
    each note's nearest sixteenth lies within them.
    """

    start: np.ndarray
    end: np.ndarray
    beat: np.ndarray
    beats: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    channel: np.ndarray
    bars: np.ndarray
    bar_times: np.ndarray

    @property
    def seconds(self) -> float:
        """The end of the last note."""
        return float(self.end.max())


def read_midi(path: str | Path) -> Song:
    """The song in a MIDI file of type 0 or 1; `DataError`, naming the file, if it is damaged or has no notes."""
    import mido

    try:
        file = mido.MidiFile(path)
    except Exception as error:  # on damaged files mido raises whatever its parser stumbles over
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: expected a MIDI file, found {reason}; repair it or leave it out") from error
    if file.type == 2 or file.ticks_per_beat <= 0:
        time = "SMPTE time, which has no beats" if file.ticks_per_beat else "a division of 0 ticks"
        found = "independent sequences (type 2)" if file.type == 2 else time
        raise DataError(
            f"{path}: expected MIDI of type 0 or 1 in ticks per beat, found {found}; convert or leave it out"
        )

    tempos, metres, notes = [(0, DEFAULT_TEMPO)], [(0, 4.0)], []
    for track in file.tracks:
        tick, sounding = 0, defaultdict(list)
        for message in track:
            tick += message.time
            if message.type == "set_tempo":
                tempos.append((tick, message.tempo))
            elif message.type == "time_signature" and message.numerator:
                metres.append((tick, 4.0 * message.numerator / message.denominator))
            elif message.type == "note_on" and message.velocity:
                sounding[message.channel, message.note].append((tick, message.velocity))
            elif message.type in ("note_on", "note_off") and sounding[message.channel, message.note]:
                begin, velocity = sounding[message.channel, message.note].pop(0)
                notes.append((begin, tick, message.note, velocity, message.channel))
        for (channel, pitch), unfinished in sounding.items():
            notes += [(begin, tick, pitch, velocity, channel) for begin, velocity in unfinished]
    if not notes:
        raise DataError(f"{path}: expected notes, found none; leave it out")
    return _song(path, np.array(sorted(notes)), sorted(tempos, key=lambda t: t[0]), metres, file.ticks_per_beat)


def _song(path: str | Path, notes: np.ndarray, tempos: list, metres: list, ticks_per_beat: int) -> Song:
    seconds = _clock(tempos, ticks_per_beat)
    begin, end = notes[:, 0], notes[:, 1]
    last_beat = end.max() / ticks_per_beat
    if seconds(np.array([end.max()]))[0] > LONGEST_SECONDS or last_beat > LONGEST_BEATS:
        raise DataError(
            f"{path}: expected less than a day and {LONGEST_BEATS} beats of music, found a note at beat {last_beat:g}; "
            "leave it out"
        )
    # A note played just before a bar line belongs to the bar that begins there, so that bar must exist.
    last_sixteenth = np.rint(begin.max() / ticks_per_beat / SIXTEENTH) * SIXTEENTH
    bars = _bars(metres, max(last_beat, last_sixteenth + SIXTEENTH), ticks_per_beat)
    return Song(
        start=seconds(begin),
        end=seconds(end),
        beat=begin / ticks_per_beat,
        beats=(end - begin) / ticks_per_beat,
        pitch=notes[:, 2],
        velocity=notes[:, 3],
        channel=notes[:, 4],
        bars=bars,
        bar_times=seconds(bars * ticks_per_beat),
    )


def _clock(tempos: list[tuple[int, int]], ticks_per_beat: int) -> Callable[[np.ndarray], np.ndarray]:
    """A function from ticks to seconds, piecewise linear between the tempo changes."""
    ticks = np.array([tick for tick, _ in tempos], np.float64)
    slopes = np.array([tempo for _, tempo in tempos]) / 1e6 / ticks_per_beat
    times = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * slopes[:-1])])

    def seconds(tick: np.ndarray) -> np.ndarray:
        last = np.searchsorted(ticks, tick, side="right") - 1
        return times[last] + (tick - ticks[last]) * slopes[last]

    return seconds


def _bars(metres: list[tuple[int, float]], last_beat: float, ticks_per_beat: int) -> np.ndarray:
    """The beats at which bars begin, up to the first that begins at or after `last_beat`; a new metre begins a bar."""
    changes = sorted({tick / ticks_per_beat: length for tick, length in metres}.items())
    bars: list[np.ndarray] = []
    for (begin, length), (end, _) in zip(changes, [*changes[1:], (np.inf, 0.0)], strict=True):
        if begin < last_beat:
            bars.append(np.arange(begin, min(end, last_beat) - 1e-9, length))
            last_length = length
    return np.append(np.concatenate(bars), bars[-1][-1] + last_length)
