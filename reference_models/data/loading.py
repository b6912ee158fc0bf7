"""One entry of a config's `datasets` to the training and validation sequences of one model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ..errors import ConfigError, DataError
from .augmentation import PLAIN, Augmentation, Variation, augmentation, draw
from .items import Recording, Splits, cut
from .kinds import READERS, VARIED
from .listing import BEYOND, HELD_BACK, UNREADABLE, Candidate, LeftOut, Listing, read
from .splits import split_recordings

BUNDLED = "bundled:"
BUNDLED_FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "datasets"
KEYS = ("kind", "path", "max_items", "max_seconds", "augment")

__all__ = ["BUNDLED_FOLDER", "READERS", "folder_of", "listed", "load_dataset", "usable"]


@dataclass(frozen=True)
class _Request:
    """A checked entry of `datasets`."""

    reader: Callable[..., Listing]
    folder: Path
    max_items: int | None
    max_seconds: float | None
    augment: Augmentation | None


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
    optionally the limits `max_items` (the first recordings in order of name) and `max_seconds` (of each recording), and
    `augment`, by which varied copies follow the training items, `#1` and so on behind their names.
    The result depends on the arguments and the folder's content alone. Raises `ConfigError` for a bad argument and
    `DataError` for a folder that doesn't hold what its kind promises; what is left out for less is in
    `Splits.left_out`.
    """
    request = _checked(dataset_config, model_name)
    if not 0.0 < validation_fraction < 1.0:
        raise ConfigError(f"validation_fraction must lie between 0 and 1, found {validation_fraction!r}")
    if isinstance(sequence_length, bool) or not isinstance(sequence_length, int) or sequence_length < 1:
        raise ConfigError(f"sequence_length must be a whole number of frames, at least 1, found {sequence_length!r}")
    listing = listed(request.reader, request.folder, max_seconds=request.max_seconds)
    left_out = list(listing.left_out)
    kept: list[Recording] = []
    for candidate in sorted(listing.candidates, key=lambda candidate: candidate.id):
        if candidate.split == "test":
            found = LeftOut(candidate.id, "held back by the data set's own split: test", HELD_BACK)
        elif request.max_items is not None and len(kept) >= request.max_items:
            found = LeftOut(candidate.id, f"beyond max_items, {request.max_items}", BEYOND)
        else:
            found = usable(candidate, sequence_length)
        (kept if isinstance(found, Recording) else left_out).append(found)
    if not kept:
        first = "; ".join(f"{entry.item}: {entry.reason}" for entry in left_out[:3]) or "the folder holds none"
        raise DataError(f"{request.folder}: expected recordings to train on, found none that can be used ({first})")
    try:
        training, validation = split_recordings(kept, seed=seed, validation_fraction=validation_fraction)
    except DataError as error:
        raise DataError(f"{request.folder}: {error}") from error
    if request.augment:
        held_out = {recording.content_hash for recording in validation}
        candidates = {candidate.id: candidate for candidate in listing.candidates}
        for recording in list(training):
            for found in _copies(candidates[recording.id], request.augment, seed, sequence_length):
                if isinstance(found, Recording) and found.content_hash in held_out:
                    # One progression in two keys is two items, and transposed it is the other one.
                    left_out.append(LeftOut(found.id, "varied like this it is an item that validates", HELD_BACK))
                else:
                    (training if isinstance(found, Recording) else left_out).append(found)
    return Splits(
        cut(training, sequence_length),
        cut(validation, sequence_length),
        tuple((entry.item, entry.reason) for entry in left_out),
    )


def listed(reader: Callable[..., Listing], folder: Path, **limits: float | None) -> Listing:
    """What a reader finds in a folder; raises `DataError` if it isn't what its kind promises, or may not be read."""
    try:
        return reader(folder, **limits)
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: expected what can be read, found: {error.strerror}; see to its permissions"
        ) from error


def usable(candidate: Candidate, sequence_length: int, variation: Variation = PLAIN) -> Recording | LeftOut:
    """The candidate's recording, or why there is none that holds a sequence of so many frames."""
    found = read(candidate, variation)
    if isinstance(found, Recording) and len(found.inputs) < sequence_length:
        reason = f"{len(found.inputs)} frames, less than one sequence of {sequence_length}"
        return LeftOut(found.id, reason, UNREADABLE)
    return found


def _copies(
    candidate: Candidate, settings: Augmentation, seed: int, sequence_length: int
) -> Iterator[Recording | LeftOut]:
    """The varied copies of one item; one that can't be made, as a tune that is too short when quicker, is left out."""
    for copy in range(1, settings.copies + 1):
        yield usable(candidate, sequence_length, draw(settings, seed=seed, item=candidate.id, copy=copy))


def _checked(config: Mapping[str, object], model_name: str) -> _Request:
    """What a config asks for; `ConfigError` says what is wrong with it."""
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
    augment = augmentation(config.get("augment"), VARIED[kind])
    folder = folder_of(path, f"a data set of kind {kind!r}", "correct the config's path")
    return _Request(READERS[kind][model_name], folder, max_items, max_seconds, augment)


def folder_of(path: str, what: str, hint: str) -> Path:
    """The folder that a path names, or `bundled:NAME`; raises `ConfigError` with `what` and `hint` if there is none."""
    bundled = path.startswith(BUNDLED)
    try:
        folder = BUNDLED_FOLDER / path.removeprefix(BUNDLED) if bundled else Path(path).expanduser()
        there = folder.is_dir()
    except (OSError, RuntimeError) as error:  # too long a name, a folder that may not be entered, a user without a home
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        raise ConfigError(f"{path[:80]}: expected the folder of {what}, found: {reason}; {hint}") from None
    if not there:
        if bundled:
            names = sorted(entry.name for entry in BUNDLED_FOLDER.iterdir() if entry.is_dir())
            hint = f"the bundled ones are {', '.join(names)}"
        raise ConfigError(f"{path}: expected the folder of {what}, found none there; {hint}")
    return folder


def _nearest(name: str, known: object) -> str:
    """'did you mean X?' where something is near, else the whole list."""
    names = list(known)  # type: ignore[call-overload]
    close = get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(names)}"
