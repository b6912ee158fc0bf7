"""A plain folder of recordings with labels.csv: `file,valence,arousal`, optionally `composition`.

Labels lie in [-1, 1], one pair per recording. Rows with the same composition are renderings of one piece; without
that column each recording is its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import DataError
from .embedding import embedding
from .feature_cache import cached_array, file_sha256
from .features import PARAMETERS, RATE, frame_count, log_mel, read_audio
from .items import Reading, Recording
from .tables import label, read_csv

LABELS = "labels.csv"
SOUNDS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif")


def read_audio_folder(folder: Path, *, max_seconds: float | None = None) -> Reading:
    """Features `[F, 128]` and, at every frame, the recording's embedding `[F, 64]`.

    The label holds for the whole recording, so what is asked at each frame is the estimate after all that has been
    heard since the reset. Rows whose file is missing or can't be heard, and sound files without a label, are left out
    with the reason. Raises `DataError` for a label outside [-1, 1] or a table that isn't one.
    """
    rows = read_csv(folder / LABELS, required=("file", "valence", "arousal"))
    recordings, left_out = [], []
    for line, row in rows:
        where = f"{folder / LABELS}, line {line}"
        valence, arousal = (label(row[name], name, where) for name in ("valence", "arousal"))
        path = folder / row["file"]
        if not path.is_file():
            left_out.append((row["file"], f"{where} names it, but the file doesn't exist"))
            continue
        try:
            inputs, digest = features_of(path, max_seconds)
        except DataError as error:
            left_out.append((row["file"], str(error)))
            continue
        targets = np.tile(embedding(valence, arousal), (len(inputs), 1))
        group = row.get("composition") or row["file"]
        recordings.append(Recording(row["file"], group, digest, inputs, targets))
    labelled = {row["file"] for _, row in rows}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in SOUNDS and name not in labelled:
            left_out.append((name, f"it has no row in {folder / LABELS}"))
    return Reading(tuple(recordings), tuple(left_out))


def features_of(path: Path, max_seconds: float | None = None) -> tuple[np.ndarray, str]:
    """The log-mel features `[F, 128]` of a sound file, read from the cache when they are there, and its sha256."""
    digest = file_sha256(path)
    features = cached_array(digest, PARAMETERS, lambda: log_mel(*read_audio(path)))
    if max_seconds is not None:
        features = features[: frame_count(round(max_seconds * RATE))]
    return features, digest
