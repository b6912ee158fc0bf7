"""What is in the folder of a data set: how many items, how long, with which labels, and what is wrong with the others.

This module is the entry point `reference-data` of the group `rtconform.datasets`, by which `rtconform data` finds it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from ..errors import ConfigError, DataError
from .features import HOP, N_FFT, RATE
from .items import Recording
from .kinds import READERS, recognise
from .listing import LeftOut, Listing, WrongTable
from .loading import folder_of, listed, usable
from .splits import OWN_SPLITS, split_recordings

SHORTEST = 16  # frames, the shortest sequence that a model is trained on
VALIDATION = 0.2
BARS = 24
_NOTHING = np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Seen:
    """What is kept of one usable item: its length and its recording, without the arrays."""

    seconds: float
    recording: Recording


def inspect(folder: str | Path, kind: str | None = None) -> dict[str, object]:
    """The statistics of a data set, in a folder or `bundled:NAME`, as one JSON value.

    `folder`, `kind` and `trains`; `items`, the number of usable ones; `seconds` and `labels` with their least, mean,
    median and greatest values; `splits`, the number of items by the data set's own split, or None; `left_out`, [item,
    reason] of each; `causes`, how many were left out for which of a few causes; `stops`, None or why a training with
    this data would stop; `points`, [seconds, valence, arousal] of each usable item. Items are read one after another,
    and none of their arrays is kept. Raises ConfigError for a missing folder or an unknown kind, and for a folder that
    is not recognised if no kind is given.
    """
    given, folder = str(folder), folder_of(str(folder), "a data set", "correct the path")
    if kind is not None and kind not in READERS:
        raise ConfigError(f"unknown kind of data set {kind!r}; known are {', '.join(READERS)}")
    kind = kind or recognise(folder)
    seen: list[Seen] = []
    left_out: list[LeftOut] = []
    stops = None
    try:
        listing = listed(next(iter(READERS[kind].values())), folder)
        left_out += listing.left_out
        for found in _read(listing):
            (seen if isinstance(found, Seen) else left_out).append(found)
        _check_that_it_trains(folder, [item.recording for item in seen])
    except WrongTable as error:
        left_out, stops = list(error.left_out), str(error)
    except DataError as error:
        stops = str(error)
    return {
        "folder": given,
        "kind": kind,
        "trains": list(READERS[kind]),
        **_statistics(seen),
        **_account(left_out),
        "stops": stops,
    }


def _read(listing: Listing) -> Iterator[Seen | LeftOut]:
    for candidate in sorted(listing.candidates, key=lambda candidate: candidate.id):
        found = usable(candidate, SHORTEST)
        if isinstance(found, Recording):
            seconds = ((len(found.inputs) - 1) * HOP + N_FFT) / RATE
            yield Seen(seconds, replace(found, inputs=_NOTHING, targets=_NOTHING))
        else:
            yield found


def _check_that_it_trains(folder: Path, recordings: Sequence[Recording]) -> None:
    """Raises DataError where a training would, for want of items on one side of the split."""
    kept = [recording for recording in recordings if recording.split != "test"]
    if not kept:
        raise DataError(f"{folder}: expected recordings to train on, found none that can be used")
    try:
        split_recordings(kept, seed=0, validation_fraction=VALIDATION)
    except DataError as error:
        raise DataError(f"{folder}: {error}") from error


def _statistics(seen: Sequence[Seen]) -> dict[str, object]:
    seconds = [item.seconds for item in seen]
    valence, arousal = ([item.recording.emotion[half] for item in seen] for half in (0, 1))
    splits = Counter(item.recording.split or "none" for item in seen)
    return {
        "items": len(seen),
        "seconds": {**_spread(seconds), "sum": round(math.fsum(seconds), 3)},
        "labels": {"valence": _spread(valence), "arousal": _spread(arousal)},
        "splits": {side: splits[side] for side in (*OWN_SPLITS, "none")} if set(splits) - {"none"} else None,
        "points": [[round(x, 3) for x in point] for point in zip(seconds, valence, arousal, strict=True)],
    }


def _account(left_out: Sequence[LeftOut]) -> dict[str, object]:
    causes = Counter(entry.cause for entry in left_out)
    return {"left_out": [[entry.item, entry.reason] for entry in left_out], "causes": dict(causes.most_common())}


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return dict.fromkeys(("least", "mean", "median", "greatest"))
    mean = math.fsum(values) / len(values)
    found = {"least": min(values), "mean": mean, "median": median(values), "greatest": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def picture(report: Mapping[str, object]) -> str:
    """An SVG of what `inspect` found: where the labels lie in the plane of emotion, and how long the items are."""
    import jinja2

    points = report["points"]
    lengths = [seconds for seconds, _, _ in points]
    counts, edges = np.histogram(lengths, bins=BARS, range=(0.0, max(lengths, default=1.0)))
    template = Path(__file__).with_name("inspection.svg.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(template).render(
        report=report, points=points, counts=counts.tolist(), longest=float(edges[-1]), most=max(1, int(counts.max()))
    )
