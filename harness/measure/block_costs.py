"""What a frame costs in blocks of different sizes, against what it costs by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import signals
from ..judging import check_same_bits

BLOCKS = (1, 2, 3, 16, 64, 334, 1024, 4096)
LEAST_FRAMES = 128
ROUNDS = 3
DEAREST = 2.0
"""How much more a frame in a block may cost than a frame by itself before it is measured again."""


@dataclass(frozen=True)
class BlockCost:
    """CPU time and wall time in ns per frame, and `ratio`, the CPU time by that of a block of one frame."""

    block: int
    cpu_ns: float
    wall_ns: float
    ratio: float


def block_costs(session: Any, model: Any, seed: int) -> list[BlockCost]:
    """One entry per block size, each the cheapest of up to three rounds: a block that is dear may have been disturbed.

    Raises RequirementFailed where timed blocks of one size give other outputs than those of another.
    """
    __tracebackhide__ = True
    frames = signals.noise(max(BLOCKS), model.input_size, seed=seed)
    costs: dict[int, BlockCost] = {}
    for _ in range(ROUNDS):
        left = [block for block in BLOCKS if block not in costs or costs[block].ratio > DEAREST]
        if not left:
            break
        alone, outputs = None, np.empty((0, model.output_size), np.float32)
        for block in dict.fromkeys((1, *left)):
            model.reset()
            timed = session.measure_blocks(model, frames[: max(block, LEAST_FRAMES)], block)
            full = slice(LEAST_FRAMES // block or 1)
            cpu, wall = (float(np.median(times[full])) / block for times in (timed.cpu_ns, timed.wall_ns))
            alone = cpu if alone is None else alone
            shared = min(len(outputs), len(timed.outputs))
            what = f"blocks of {block} gave other outputs in the timed run than shorter ones"
            check_same_bits(timed.outputs[:shared], outputs[:shared], what)
            outputs = max(outputs, timed.outputs, key=len)
            cost = BlockCost(block, cpu, wall, cpu / alone)
            costs[block] = min(cost, costs.get(block, cost), key=lambda each: each.ratio)
    return list(costs.values())
