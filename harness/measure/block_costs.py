"""What a frame costs in blocks of different sizes, against what it costs by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import signals
from ..judging import check_same_bits

BLOCKS = (1, 2, 3, 16, 32, 64, 128, 256, 334, 512, 1024, 2048, 4096)
"""Those that hosts use, and some that none does."""

DRAWN, LARGEST_DRAWN = 3, 1024
"""As many others, by a seed: nobody knows beforehand which."""

LEAST_FRAMES = 128
ROUNDS = 3
DEAREST = 2.0
"""How much more a frame in a block may cost than a frame by itself before it is measured again."""


@dataclass(frozen=True)
class BlockCost:
    """CPU time and wall time in ns per frame, and `ratio`, its cost by that of a block of one frame.

    The cost is CPU time, so that it is the loader's alone; of a block that waited, it is wall time.
    """

    block: int
    cpu_ns: float
    wall_ns: float
    ratio: float


def sizes(seed: int) -> list[int]:
    """The block sizes that are tried, the smallest first, the small ones drawn as often as the large."""
    drawn = np.exp(np.random.default_rng(seed).uniform(np.log(4), np.log(LARGEST_DRAWN), DRAWN))
    return sorted({*BLOCKS, *map(int, drawn)})


def block_costs(session: Any, model: Any, seed: int) -> list[BlockCost]:
    """One entry per block size, each the cheapest of up to three rounds: a block that is dear may have been disturbed.

    Each round has frames of its own. Blocks are judged by their mean, or what every fourth costs would be lost; single
    frames by their median, or one that is slow would make up for others. Raises RequirementFailed where timed blocks of
    one size give other outputs than those of another.
    """
    __tracebackhide__ = True
    costs: dict[int, BlockCost] = {}
    for number in range(ROUNDS):
        left = [block for block in sizes(seed) if block not in costs or costs[block].ratio > DEAREST]
        if not left:
            break
        frames = signals.noise(max(*left, LEAST_FRAMES), model.input_size, seed=(seed + 1) * 1_000_003 + number)
        alone, outputs = None, np.empty((0, model.output_size), np.float32)
        for block in dict.fromkeys((1, *left)):
            model.reset()
            timed = session.measure_blocks(model, frames[: max(block, LEAST_FRAMES)], block)
            shared = min(len(outputs), len(timed.outputs))
            what = f"blocks of {block} gave other outputs in the timed run than shorter ones"
            check_same_bits(timed.outputs[:shared], outputs[:shared], what)
            outputs = max(outputs, timed.outputs, key=len)
            own = np.where(timed.waits > 0, timed.wall_ns, timed.cpu_ns)
            alone = float(np.median(own)) if alone is None else alone
            cpu, wall, cost = (float(times.sum()) / len(timed.outputs) for times in (timed.cpu_ns, timed.wall_ns, own))
            found = BlockCost(block, cpu, wall, 1.0 if block == 1 else cost / alone)
            costs[block] = min(found, costs.get(block, found), key=lambda each: each.ratio)
    return list(costs.values())
