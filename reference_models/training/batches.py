"""Batches of sequences: which are drawn together, in what order, on which process, and who fetches them.

What is in a batch depends on the plan's seed alone. How many data workers fetch it changes nothing.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

Fetched = tuple["Batch", torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Sequences:
    """Inputs `[N, T, in]`, targets `[N, T, out]`, and the recording that each was cut from, int64 `[N]`.

    The sequences of a recording follow each other, in order of time.
    """

    inputs: torch.Tensor
    targets: torch.Tensor
    item_of: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """The rows of one step, the lane whose state each goes on with, both int64 `[B]`, and which don't: bool `[B]`.

    `weight` is what this process's mean loss counts for, once the batch is shared out among several.
    """

    rows: torch.Tensor
    lanes: torch.Tensor
    begins: torch.Tensor
    weight: float = 1.0


def shuffled(count: int, size: int, generator: torch.Generator) -> list[Batch]:
    """All sequences in random order, `size` at a time, each from zero state."""
    return [
        Batch(rows, torch.arange(len(rows)), torch.ones(len(rows), dtype=torch.bool))
        for rows in torch.randperm(count, generator=generator).split(size)
    ]


def in_order(item_of: torch.Tensor, size: int, generator: torch.Generator | None = None) -> list[Batch]:
    """Recordings in random order (theirs without a generator), dealt out to at most `size` lanes; a step is one
    sequence of each lane that has any left.

    A lane takes its recordings one after the other and the sequences of each in order of time. Each recording goes to
    the lane that is shortest so far.
    """
    items, counts = torch.unique(item_of, return_counts=True)
    order = range(len(items)) if generator is None else torch.randperm(len(items), generator=generator).tolist()
    lanes: list[list[tuple[int, bool]]] = [[] for _ in range(min(size, len(items)))]
    firsts = (counts.cumsum(0) - counts).tolist()
    for item in order:
        rows = range(firsts[item], firsts[item] + int(counts[item]))
        min(lanes, key=len).extend((row, row == rows.start) for row in rows)
    steps = []
    for step in range(max(map(len, lanes))):
        taken = [(lane, *content[step]) for lane, content in enumerate(lanes) if step < len(content)]
        lane, rows, begins = (torch.tensor(column) for column in zip(*taken, strict=True))
        steps.append(Batch(rows, lane, begins))
    return steps


def share(batch: Batch, rank: int, processes: int) -> Batch:
    """The part of a batch that falls to one of several processes: every so many lanes.

    The mean of the parts' losses over the processes, each times its `weight`, is the mean loss of the whole batch. A
    process that nothing falls to takes the first sequence with a weight of 0, since all have to take the step.
    """
    mine = batch.lanes % processes == rank
    weight = float(mine.sum()) * processes / len(batch.rows)
    if not weight:
        mine = torch.arange(len(batch.rows)) == 0
    return Batch(batch.rows[mine], batch.lanes[mine], batch.begins[mine], weight)


class _Rows(Dataset):
    def __init__(self, sequences: Sequences) -> None:
        self.sequences = sequences

    def __getitem__(self, batch: Batch) -> Fetched:
        return batch, self.sequences.inputs[batch.rows], self.sequences.targets[batch.rows]


class Feed:
    """Fetches batches from sequences in memory, with `workers` processes that live as long as the feed (0: none)."""

    def __init__(self, sequences: Sequences, workers: int) -> None:
        self._batches: list[Batch] = []
        options: dict[str, object] = {}
        if workers:
            # Models are trained in threads, and a forked copy of a process with threads may hang on a lock of one.
            method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
            options = {"multiprocessing_context": method, "persistent_workers": True}
        self._loader = DataLoader(
            _Rows(sequences),
            sampler=self._batches,
            batch_size=None,
            num_workers=workers,
            generator=torch.Generator(),  # the loader draws a seed for its workers, which need none
            **options,
        )

    def fetch(self, batches: Sequence[Batch]) -> Iterator[Fetched]:
        """The batches in that order, with their inputs `[B, T, in]` and targets `[B, T, out]`."""
        self._batches[:] = batches
        return iter(self._loader)
