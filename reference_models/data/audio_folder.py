"""A plain folder of recordings with labels.csv: `file,valence,arousal`, optionally `composition`.

Labels lie in [-1, 1], one pair per recording. Rows with the same composition are renderings of one piece; without
that column each recording is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from .listing import Listing, check_named
from .sound import course, is_sound, sound_candidate
from .tables import label, read_csv

LABELS = "labels.csv"


def read_audio_folder(folder: Path, *, max_seconds: float | None = None) -> Listing:
    """Features `[F, 128]` and, at every frame, the recording's embedding `[F, 64]`.

    The label holds for the whole recording, so what is asked at each frame is the estimate after all that has been
    heard since the reset. Rows whose label is outside [-1, 1] or whose file is missing or can't be heard, and sound
    files without a label, are left out with the reason. Raises `DataError` for a table that isn't one.
    """
    table, listing = folder / LABELS, Listing()
    rows = read_csv(table, required=("file", "valence", "arousal"))
    for line, row in rows:
        where, name = f"{table}, line {line}", row["file"]
        with listing.row(name or f"line {line}"):
            valence, arousal = (label(row[key], key, where) for key in ("valence", "arousal"))
            check_named(folder, name, where)
            group = row.get("composition") or name
            listing.add(
                sound_candidate(folder, name, group=group, labels=course(valence, arousal), max_seconds=max_seconds)
            )
    listing.leave_out_unlisted(folder, _sounds(folder), {row["file"] for _, row in rows}, table)
    return listing.checked()


def _sounds(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if is_sound(path))
