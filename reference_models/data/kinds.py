"""The kinds of data sets: which models each trains, how its folder is recognised, and how its items can be varied."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from re import fullmatch

from ..errors import DataError
from .annotated_sound import DEAM_STATIC, PMEMO_STATIC, read_deam, read_deam_dynamic, read_pmemo
from .audio_folder import LABELS as SOUND_LABELS, read_audio_folder
from .chord_json import FILE as PROGRESSIONS, read_progressions
from .groove_midi import INFO, read_grooves
from .listing import Listing
from .midi_collections import (
    MAESTRO,
    read_lakh_dynamics,
    read_lakh_melodies,
    read_maestro_dynamics,
    read_maestro_melodies,
)
from .midi_folder import LABELS as MIDI_LABELS, read_dynamics, read_melodies
from .midi_item import is_midi

# kind → model → reader. A reader takes the folder and the limit in seconds.
READERS: dict[str, dict[str, Callable[..., Listing]]] = {
    "audio-folder": {"EmotionRecognizer": read_audio_folder},
    "deam": {"EmotionRecognizer": read_deam},
    "deam-dynamic": {"EmotionRecognizer": read_deam_dynamic},
    "pmemo": {"EmotionRecognizer": read_pmemo},
    "midi-folder": {"MelodyTransformer": read_melodies, "DynamicsEngine": read_dynamics},
    "lakh-midi": {"MelodyTransformer": read_lakh_melodies, "DynamicsEngine": read_lakh_dynamics},
    "maestro": {"MelodyTransformer": read_maestro_melodies, "DynamicsEngine": read_maestro_dynamics},
    "groove-midi": {"GroovePredictor": read_grooves},
    "chord-json": {"HarmonyPredictor": read_progressions},
}

_SOUND = ("pitch", "stretch", "noise", "band_masks", "time_masks")
_SONG = ("stretch", "transpose")
# kind → what `augment` can vary in its items.
VARIED: dict[str, tuple[str, ...]] = {
    "audio-folder": _SOUND,
    "deam": _SOUND,
    "deam-dynamic": _SOUND,
    "pmemo": _SOUND,
    "midi-folder": _SONG,
    "lakh-midi": _SONG,
    "maestro": _SONG,
    "groove-midi": ("stretch",),
    "chord-json": ("transpose",),
}

LOOKED_AT = 1000  # files; of Lakh's 176,581 the first few say enough


def _of_lakh(folder: Path) -> bool:
    names = (path.stem for path in islice(folder.rglob("*"), LOOKED_AT) if is_midi(path))
    return any(fullmatch(r"[0-9a-f]{32}", name) for name in names)


# What shows each kind, the most telling first: the labels.json of a midi-folder may lie in Lakh's folder as well.
# DEAM's two kinds share a folder; the static one is taken unless the other is asked for.
_MARKS: dict[str, tuple[str, Callable[[Path], bool]]] = {
    "maestro": (
        f"{MAESTRO}.csv or .json",
        lambda folder: any(folder.glob(f"{MAESTRO}.csv")) or any(folder.glob(f"{MAESTRO}.json")),
    ),
    "groove-midi": (INFO, lambda folder: (folder / INFO).is_file()),
    "deam": (DEAM_STATIC, lambda folder: any(folder.rglob(DEAM_STATIC))),
    "pmemo": (PMEMO_STATIC.as_posix(), lambda folder: (folder / PMEMO_STATIC).is_file()),
    "chord-json": (PROGRESSIONS, lambda folder: (folder / PROGRESSIONS).is_file()),
    "audio-folder": (SOUND_LABELS, lambda folder: (folder / SOUND_LABELS).is_file()),
    "lakh-midi": ("MIDI files named by md5", _of_lakh),
    "midi-folder": (MIDI_LABELS, lambda folder: (folder / MIDI_LABELS).is_file()),
}


def recognise(folder: Path) -> str:
    """The kind of data set that a folder holds, by the files that only it has; raises `DataError` for none."""
    for kind, (_, holds) in _MARKS.items():
        if holds(folder):
            return kind
    marks = ", ".join(f"{mark} ({kind})" for kind, (mark, _) in _MARKS.items())
    raise DataError(f"{folder}: expected a data set, known by one of {marks}, found none of them; give its --kind")
