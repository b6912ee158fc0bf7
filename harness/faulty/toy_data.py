"""Loudness from emotion: what the toy trainer makes of a folder of MIDI files with labels.json."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

FRAMES = 16
SEQUENCES = 3
SIZE = 32
"""Inputs per frame: 16 dims of valence and 16 of arousal."""

PLACES = 8
JITTER = 0.1
HELD_OUT = 0.5
"""Much, so that what is held out is like what is learnt from, whatever the seed chooses."""


class ConfigError(Exception):
    """A config, or the data that it names, can't be trained on; the message says what was found where."""


@dataclass(frozen=True)
class Item:
    """One file: `inputs` `[N, T, 32]`, `targets` `[N, T, 16]`, `content` the hash of its bytes."""

    name: str
    composition: str
    content: str
    inputs: np.ndarray
    targets: np.ndarray


def read_label(entry: Any, where: str) -> tuple[float, float]:
    """(valence, arousal) of an entry of labels.json. Raises ConfigError for what is not on the scale."""
    found = entry.get("emotion") if isinstance(entry, dict) else None
    values = [found.get(key) for key in ("valence", "arousal")] if isinstance(found, dict) else [None]
    if not all(isinstance(value, (int, float)) and -1.0 <= value <= 1.0 for value in values):
        raise ConfigError(f"{where}: expected an emotion with valence and arousal from -1 to 1, found {found!r}")
    return values[0], values[1]


def read_table(folder: Path) -> dict[str, Any]:
    """The entries of labels.json. Raises ConfigError."""
    path = folder / "labels.json"
    if not folder.is_dir():
        raise ConfigError(f"{folder}: expected the folder of a data set, found none")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected the labels of the files, found {error}") from error
    if not isinstance(table, dict) or not table:
        raise ConfigError(f"{path}: expected an object with an entry for each file, found none")
    return table


def item(name: str, content: bytes, composition: str, valence: float, arousal: float) -> Item:
    """The item of a file. Raises ValueError if the file can't be read."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    wander = np.random.default_rng(seed).normal(0.0, JITTER, (SEQUENCES, FRAMES, 2))
    heard = np.clip(np.array([valence, arousal]) + wander, -1.0, 1.0).astype(np.float32)
    profile = np.tile(loudness(content), 2)
    targets = np.broadcast_to(profile, (SEQUENCES, FRAMES, 2 * PLACES)).astype(np.float32)
    digest = hashlib.sha256(content).hexdigest()
    return Item(name, composition, digest, np.repeat(heard, SIZE // 2, axis=2), targets)


def digest(items: Sequence[Item]) -> str:
    """The hash of all that is learnt from some items."""
    found = hashlib.sha256()
    for of in items:
        found.update(of.name.encode() + of.inputs.tobytes() + of.targets.tobytes())
    return found.hexdigest()


@lru_cache(maxsize=1000)
def loudness(content: bytes) -> np.ndarray:
    """The mean velocity in each eighth of the notes of a MIDI file, in [0, 1]. Raises ValueError for no such file."""
    from io import BytesIO

    import mido

    try:
        notes = [message for message in mido.MidiFile(file=BytesIO(content)) if message.type == "note_on"]
    except Exception as error:  # mido raises whatever its parser stumbles over
        raise ValueError(f"no MIDI file: {error}") from error
    velocities = [note.velocity / 127.0 for note in notes if note.velocity]
    if len(velocities) < PLACES:
        raise ValueError(f"expected at least {PLACES} notes, found {len(velocities)}")
    return np.array([part.mean() for part in np.array_split(np.array(velocities), PLACES)])


def families(items: Sequence[Item]) -> dict[str, str]:
    """Item → family: what shares a composition or, under whatever name, the content."""
    family: dict[str, str] = {}
    for of in items:
        mine = {family.get(key, key) for key in (of.composition, of.content)}
        one = min(mine)
        family = {key: one if value in mine else value for key, value in family.items()}
        family |= dict.fromkeys((of.composition, of.content, *mine), one)
    return {of.name: family[of.composition] for of in items}


def split(items: Sequence[Item], family_of: dict[str, str], seed: int) -> tuple[list[Item], list[Item]]:
    """(training, validation): whole families, which the seed chooses. Raises ConfigError if there is but one."""
    names = sorted(set(family_of.values()))
    if len(names) < 2:
        raise ConfigError(f"expected items of at least two compositions, found {len(items)} of {len(names)}")
    random.Random(seed).shuffle(names)
    held_out = set(names[: max(1, round(HELD_OUT * len(names)))])
    return (
        [of for of in items if family_of[of.name] not in held_out],
        [of for of in items if family_of[of.name] in held_out],
    )
