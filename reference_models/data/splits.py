"""Training and validation sides: whole compositions, chosen by the seed and their names, never by their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ..errors import DataError
from .items import Recording

OWN_SPLITS = ("training", "validation", "test")


def split_recordings(
    recordings: Sequence[Recording], *, seed: int, validation_fraction: float
) -> tuple[list[Recording], list[Recording]]:
    """The recordings as (training, validation), each in the order given.

    A data set's own split wins where every recording has one (its test items are on neither side). Otherwise
    whole families of recordings go to validation, in an order drawn from `seed`, as long as that brings the share of
    recordings nearer to `validation_fraction`. A family is what shares a composition or, whatever its names, the
    content itself. Neither labels nor the order of the files matter. Raises `DataError` if a side would be empty.
    """
    if recordings and all(recording.split for recording in recordings):
        sides = {name: [r for r in recordings if r.split == name] for name in OWN_SPLITS}
        training, validation = sides["training"], sides["validation"]
        if not training or not validation:
            raise DataError(
                "the data set's own split must hold training and validation items, found "
                + ", ".join(f"{len(side)} {name}" for name, side in sides.items())
                + "; complete its split column or remove it"
            )
        return training, validation
    family_of = _families(recordings)
    families = sorted(set(family_of.values()), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    if len(families) < 2:
        raise DataError(
            f"a split needs recordings of at least two compositions, found {len(recordings)} recordings of "
            f"{len(families)}; add recordings or name their compositions"
        )
    size = {family: sum(name == family for name in family_of.values()) for family in families}
    wanted = validation_fraction * len(recordings)
    chosen, count = {families[0]}, size[families[0]]
    for family in families[1:-1]:
        if abs(count + size[family] - wanted) < abs(count - wanted):
            chosen.add(family)
            count += size[family]
    return (
        [r for r in recordings if family_of[r.id] not in chosen],
        [r for r in recordings if family_of[r.id] in chosen],
    )


def _families(recordings: Sequence[Recording]) -> dict[str, str]:
    """Recording id → family: groups, joined where two of them hold identical content."""
    parent = {recording.group: recording.group for recording in recordings}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    first_with: dict[str, str] = {}
    for recording in recordings:
        group, other = root(recording.group), root(first_with.setdefault(recording.content_hash, recording.group))
        parent[max(group, other)] = min(group, other)
    return {recording.id: root(recording.group) for recording in recordings}
