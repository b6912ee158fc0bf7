"""One entry of a config's `datasets` to the training and validation sequences of one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path

from ..errors import ConfigError, DataError
from .audio_folder import read_audio_folder
from .chord_json import read_progressions
from .groove_midi import read_grooves
from .items import Reading, Recording, Splits, cut
from .midi_folder import read_dynamics, read_melodies
from .splits import split_recordings

BUNDLED = "bundled:"
BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "datasets"

# kind → model → reader. A reader takes the folder and the limit in seconds.
READERS: dict[str, dict[str, Callable[..., Reading]]] = {
    "audio-folder": {"EmotionRecognizer": read_audio_folder},
    "midi-folder": {"MelodyTransformer": read_melodies, "DynamicsEngine": read_dynamics},
    "groove-midi": {"GroovePredictor": read_grooves},
    "chord-json": {"HarmonyPredictor": read_progressions},
}
KEYS = ("kind", "path", "max_items", "max_seconds")


def load_dataset(
    dataset_config: Mapping[str, object],
    model_name: str,
    *,
    seed: int,
    validation_fraction: float,
    sequence_length: int,
) -> Splits:
    """The sequences that `model_name` is trained and validated on.

    `dataset_config` holds `kind`, `path` (a folder; `bundled:NAME` is one that comes with the package) and
    optionally the limits `max_items` (the first recordings in order of name) and `max_seconds` (of each recording).
    The result depends on the arguments and the folder's content alone. Raises `ConfigError` for a bad argument and
    `DataError` for a folder that doesn't hold what its kind promises; what is left out for less is in
    `Splits.left_out`.
    """
    reader, folder, max_items, max_seconds = _checked(dataset_config, model_name)
    if not 0.0 < validation_fraction < 1.0:
        raise ConfigError(f"validation_fraction must lie between 0 and 1, found {validation_fraction!r}")
    if isinstance(sequence_length, bool) or not isinstance(sequence_length, int) or sequence_length < 1:
        raise ConfigError(f"sequence_length must be a whole number of frames, at least 1, found {sequence_length!r}")
    reading = reader(folder, max_seconds=max_seconds)
    left_out = list(reading.left_out)
    kept: list[Recording] = []
    for recording in sorted(reading.recordings, key=lambda recording: recording.id):
        if kept and kept[-1].id == recording.id:
            left_out.append((recording.id, "it is listed more than once; its first entry is used"))
        elif len(recording.inputs) < sequence_length:
            left_out.append(
                (recording.id, f"{len(recording.inputs)} frames, less than one sequence of {sequence_length}")
            )
        elif max_items is not None and len(kept) >= max_items:
            left_out.append((recording.id, f"beyond max_items, {max_items}"))
        elif recording.split == "test":
            left_out.append((recording.id, "held back by the data set's own split: test"))
        else:
            kept.append(recording)
    if not kept:
        first = "; ".join(f"{item}: {reason}" for item, reason in left_out[:3]) or "the folder holds none"
        raise DataError(f"{folder}: expected recordings to train on, found none that can be used ({first})")
    try:
        training, validation = split_recordings(kept, seed=seed, validation_fraction=validation_fraction)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error
    return Splits(cut(training, sequence_length), cut(validation, sequence_length), tuple(left_out))


def _checked(
    config: Mapping[str, object], model_name: str
) -> tuple[Callable[..., Reading], Path, int | None, float | None]:
    """The reader, folder and limits that a config names; `ConfigError` says what is wrong with it."""
    for key in config:
        if key not in KEYS:
            raise ConfigError(f"unknown key {key!r} in a data set; {_nearest(key, KEYS)}")
    for key in ("kind", "path"):
        if not isinstance(config.get(key), str) or not config[key]:
            raise ConfigError(f"a data set needs {key!r} as a text, found {config.get(key)!r}")
    kind, path = str(config["kind"]), str(config["path"])
    if kind not in READERS:
        raise ConfigError(f"unknown kind of data set {kind!r}; {_nearest(kind, READERS)}")
    if model_name not in READERS[kind]:
        fitting = [name for name, models in READERS.items() if model_name in models]
        raise ConfigError(
            f"a data set of kind {kind!r} can't train {model_name}; it trains {', '.join(READERS[kind])}"
            + (f", and {model_name} needs {' or '.join(fitting)}" if fitting else "")
        )
    max_items, max_seconds = config.get("max_items"), config.get("max_seconds")
    if max_items is not None and (isinstance(max_items, bool) or not isinstance(max_items, int) or max_items < 2):
        raise ConfigError(f"max_items must be a whole number of recordings, at least 2, or null, found {max_items!r}")
    if max_seconds is not None and (
        isinstance(max_seconds, bool) or not isinstance(max_seconds, (int, float)) or not max_seconds > 0
    ):
        raise ConfigError(f"max_seconds must be a positive number of seconds or null, found {max_seconds!r}")
    bundled = path.startswith(BUNDLED)
    folder = BUNDLED_FOLDER / path.removeprefix(BUNDLED) if bundled else Path(path).expanduser()
    if not folder.is_dir():
        names = sorted(entry.name for entry in BUNDLED_FOLDER.iterdir() if entry.is_dir()) if bundled else ()
        hint = f"the bundled ones are {', '.join(names)}" if bundled else "correct the config's path"
        raise ConfigError(f"{path}: expected the folder of a data set of kind {kind!r}, found none there; {hint}")
    return READERS[kind][model_name], folder, max_items, max_seconds


def _nearest(name: str, known: object) -> str:
    """'did you mean X?' where something is near, else the whole list."""
    names = list(known)  # type: ignore[call-overload]
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
