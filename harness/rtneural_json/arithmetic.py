"""Two arithmetics for the oracle: exact (float64), and Monte Carlo float32, which perturbs every operation at random.

Values are float64 arrays [runs, frames, channels]. Run 0 is never perturbed. An operation of float32 arithmetic returns
z(1 + δ), |δ| ≤ u; Monte Carlo arithmetic (Parker 1997) draws δ evenly from ±u. A dot product of n terms holds 2n such
operations, and drawing each would cost more than the judgement is worth. Their sum is drawn at once instead: to first
order it is normal with variance u²/3 · (Σ tᵢ² + Σ sₖ²), over the products tᵢ and the partial sums sₖ. The magnitudes
are those of run 0, which makes them a few matrix products for all frames together.
"""

from collections.abc import Callable

import numpy as np

# Root mean square relative error, in units of u, of one correctly rounded operation drawn evenly from ±u ...
OPERATION = 1 / np.sqrt(3)
# ... and of the elementary functions as float32 libraries have them: the largest that C's, xsimd's and Eigen's were
# measured at over any part of their range.
TANH, SIGMOID, EXP = 1.8, 0.9, 0.7

# Partial sums are looked at in so many places; in between they are taken for the next one that is looked at.
_CHECKPOINTS = 16

# As many spreads as a single output may be off by: the other side of a corner that is so near counts.
CORNER_REACH = 10.0

# Below this, float32 flushes to zero or loses digits.
_SMALLEST = 2.0**-126


class Exact:
    """float64, no perturbation: `runs` are so many signals, each by itself."""

    def __init__(self, runs: int = 1) -> None:
        self.runs = self.unperturbed = runs

    def begin_chunk(self) -> None:
        """To be called in front of each chunk of frames."""

    def dot_spread(self, x: np.ndarray, kernel: np.ndarray, start: np.ndarray | float = 0.0) -> float:
        """The standard deviation of the error of x @ kernel: none."""
        return 0.0

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """What a kernel is multiplied with instead of x [runs, frames, n]: x itself."""
        return x

    def rounding(self, x: np.ndarray) -> None:
        """What rounding adds to a kernel's inputs [frames, n]: nothing."""

    def sum_spread(self, total: np.ndarray) -> float:
        """The standard deviation of the rounding of a sum: none."""
        return 0.0

    def factor(self, shape: tuple[int, int], strength: float | np.ndarray) -> float:
        """What float32 multiplies a result by: one."""
        return 1.0

    def function(self, shape: tuple[int, int], strength: float | np.ndarray) -> float:
        """What a float32 library multiplies the value of an elementary function by: one."""
        return 1.0

    def draw(self, spread: np.ndarray | float) -> float:
        """A perturbation of this standard deviation: none."""
        return 0.0

    def bent(self, function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
        """A function with a corner, of x [runs, frames, channels]."""
        return function(x)


class MonteCarlo:
    """float32 by Monte Carlo: run 0 unperturbed, then `runs - 1` perturbed ones; all draws come from one seed."""

    unperturbed = 1

    def __init__(self, runs: int, unit_roundoff: float, seed: int, input_step: float = 0.0) -> None:
        self.runs = runs + self.unperturbed
        self._u = unit_roundoff
        self._input_step = input_step
        self._seed = seed
        self._random = np.random.Generator(np.random.SFC64([seed, 0]))
        self.begin_chunk()

    def begin_chunk(self) -> None:
        """To be called in front of each chunk: what a run's frames have in common, they have in all chunks."""
        self._common = np.random.Generator(np.random.SFC64([self._seed, 1]))

    def dot_spread(self, x: np.ndarray, kernel: np.ndarray, start: np.ndarray | float = 0.0) -> np.ndarray:
        """The standard deviation [frames, out] of the error of x @ kernel: x [frames, n] of run 0, kernel [n, out].

        The sum may begin at `start` (the bias, [out] or [frames, out]) or have it added at the end: the larger counts.
        """
        n, out = kernel.shape
        block = -(-n // _CHECKPOINTS)
        blocks = -(-n // block)
        padding = blocks * block - n
        if padding:
            x, kernel = np.pad(x, ((0, 0), (0, padding))), np.pad(kernel, ((0, padding), (0, 0)))
        parts = np.matmul(x.reshape(-1, blocks, block).transpose(1, 0, 2), kernel.reshape(blocks, block, out))
        sums = np.cumsum(parts, axis=0)
        sums = np.maximum(np.abs(sums), np.abs(sums + start))
        variance = block * np.einsum("bto,bto->to", sums, sums) + np.square(x) @ np.square(kernel)
        return np.sqrt(variance) * (self._u * OPERATION) + _SMALLEST

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """What a kernel is multiplied with instead of x [runs, frames, n], where its inputs may be rounded first."""
        added = self.rounding(x[0])
        return x if added is None else x + added

    def rounding(self, x: np.ndarray) -> np.ndarray | None:
        """What that adds [runs, frames, n] to inputs that are x [frames, n] in run 0: up to half a step, evenly drawn.

        It is drawn for each input and not for each product, since all outputs have the same inputs: what they add up to
        in the layers behind depends on that.
        """
        if not self._input_step:
            return None
        steps = np.abs(x).max(axis=1, keepdims=True) * self._input_step
        return self._noise(x.shape) * (steps / np.sqrt(12))

    def sum_spread(self, total: np.ndarray) -> np.ndarray:
        """The standard deviation of the rounding of one sum, from its magnitude in run 0."""
        return np.abs(total) * (self._u * OPERATION)

    def draw(self, spread: np.ndarray) -> np.ndarray:
        """Normal perturbations of a given standard deviation [frames, channels], for each run."""
        return self._noise(spread.shape) * spread

    def bent(self, function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
        """A function with a corner, of x [runs, frames, channels], which spreads by what it does on both sides of it.

        If all runs came to the flat side of a relu they would say that nothing can be off, where a correct
        implementation that is off by a few spreads is on the other side. So a run is off by what it is itself, or by
        its share of what it would be if its input were CORNER_REACH times as far off, whichever is more.
        """
        y = function(x)
        off = y - y[0]
        far_off = (function(x[0] + CORNER_REACH * (x - x[0])) - y[0]) / CORNER_REACH
        return y[0] + np.where(np.abs(far_off) > np.abs(off), far_off, off)

    def factor(self, shape: tuple[int, int], strength: float | np.ndarray) -> np.ndarray:
        """Factors 1 + δ [runs, frames, channels], where δ has a root mean square of `strength` units of u."""
        # The type is named since NumPy 1 would multiply in float32, where 1 + δ is 1.
        return 1.0 + np.multiply(self._noise(shape), np.multiply(strength, self._u), dtype=np.float64)

    def function(self, shape: tuple[int, int], strength: float | np.ndarray) -> np.ndarray:
        """Factors 1 + δ as of `factor` for an elementary function, half of δ's variance one draw for all channels.

        An approximation errs to one side over long stretches of its range, for many units at once.
        """
        noise = self._noise(shape)
        noise += self._constant((1, 1))
        return 1.0 + np.multiply(noise, np.multiply(strength, np.sqrt(0.5) * self._u), dtype=np.float64)

    def _noise(self, shape: tuple[int, int]) -> np.ndarray:
        """Standard normal draws [runs, frames, channels], float32, half of their variance common to all frames.

        A signal that stands still is rounded the same way at each frame, and in a cell state that adds up.
        """
        noise = self._random.standard_normal((self.runs, *shape), dtype=np.float32)
        noise += self._constant((1, shape[1]))
        noise *= np.float32(np.sqrt(0.5))
        noise[0] = 0.0
        return noise

    def _constant(self, shape: tuple[int, int]) -> np.ndarray:
        draws = self._common.standard_normal((self.runs, *shape), dtype=np.float32)
        draws[0] = 0.0
        return draws


Arithmetic = Exact | MonteCarlo
