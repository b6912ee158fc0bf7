"""The oracle: what a model's outputs are, evaluated in float64, frame by frame with the state carried along.

It reads the grammar and knows neither PyTorch nor RTNeural. Formulas are those of docs/RTNEURAL_JSON.md. The same code
runs with exact and with Monte Carlo arithmetic (arithmetic.py), so that the error budget follows the very computation.
"""

import numpy as np

from . import cells
from .arithmetic import Arithmetic, Exact
from .grammar import Model

# Bounds the memory of one chunk of frames: about this many float64 per intermediate array.
_CHUNK_NUMBERS = 2**21


def evaluate(model: Model, frames: np.ndarray, *, reset_each_frame: bool = False) -> np.ndarray:
    """The outputs [T, out] (float64) for frames [T, in], from zero state, the state carried from frame to frame.

    N ≥ 1 signals [N, T, in] give [N, T, out], each from zero state. With reset_each_frame the state is zero at every
    frame, which is what a loader computes that forgets it. Raises ValueError for frames of another shape.
    """
    frames = np.asarray(frames)
    if frames.ndim == 3:
        return run(model, frames, Exact(len(frames)), reset_each_frame=reset_each_frame)
    return run(model, frames, Exact(), reset_each_frame=reset_each_frame)[0]


def run(model: Model, frames: np.ndarray, arithmetic: Arithmetic, *, reset_each_frame: bool = False) -> np.ndarray:
    """The outputs [runs, T, out] of every run of an arithmetic for frames [T, in], or for those of each run."""
    if frames.ndim not in (2, 3) or frames.shape[-1] != model.input_size:
        raise ValueError(f"frames must have shape [T, {model.input_size}], not {list(frames.shape)}")
    layers = [cells.EVALUATORS[type(layer)](layer, arithmetic, reset_each_frame) for layer in model.layers]
    widest = max(model.input_size, *(max(layer.width for layer in layers), 1))
    chunk = max(1, _CHUNK_NUMBERS // (arithmetic.runs * widest))
    parts = []
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for start in range(0, frames.shape[-2], chunk):
            arithmetic.begin_chunk()
            x = frames[..., start : start + chunk, :].astype(np.float64)
            x = np.broadcast_to(x, (arithmetic.runs, *x.shape[-2:]))
            for layer in layers:
                x = layer(x)
            parts.append(x)
    return np.concatenate(parts, axis=1) if parts else np.empty((arithmetic.runs, 0, model.output_size))
