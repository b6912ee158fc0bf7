"""A torch module's own outputs over frames, in float64, whatever layout of its tensors it takes. Needs torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def frames_for(module: Any, width: int, wanted: int) -> int:
    """`wanted` frames, and as many more as convolutions without padding use up.

    Never as many as a frame has values, since forward() can't tell time from channels then.
    """
    from torch import nn

    convolutions = [part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.Conv2d))]
    count = wanted + sum((part.kernel_size[0] - 1) * part.dilation[0] for part in convolutions)
    return count + (count == width)


def outputs(module: Any, frames: np.ndarray) -> np.ndarray:
    """The outputs `[T', out]` of a module over frames `[T, in]` in float64, weights as in float32.

    T' is smaller than T where convolutions without padding have no output for the first frames. Tried are [B, T, in]
    ([T, B, in] if the module's recurrent parts aren't batch_first), [B, in, T], the same without B, and for 2D
    convolutions [B, filters, T, features], of which a frame is [features][filters]. Raises what forward()
    raises for the first.
    """
    import torch

    double = copy.deepcopy(module).double().eval()
    first_error: Exception | None = None
    for lay_out, read_back in _layouts(module, frames.shape[1]):
        tensor = torch.from_numpy(np.ascontiguousarray(lay_out(frames.astype(np.float64))))
        try:
            with torch.no_grad():
                made = double(tensor)
        except Exception as error:  # from the forward of a module that we know nothing of
            first_error = first_error or error
            continue
        # Of a tuple, as recurrent modules return it, the second part is the state.
        return read_back((made[0] if isinstance(made, tuple) else made).numpy())
    raise first_error or ValueError("no layout to try")


Layout = tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]


def _layouts(module: Any, width: int) -> Iterator[Layout]:
    """(from frames `[T, in]` to a tensor, from a tensor to frames)."""
    from torch import nn

    planes = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    if planes and width % planes[0].in_channels == 0:
        filters = planes[0].in_channels
        yield (
            lambda frames: frames.reshape(len(frames), -1, filters).transpose(2, 0, 1)[None],
            lambda made: made[0].transpose(1, 2, 0).reshape(made.shape[2], -1) if made.ndim == 4 else made[0],
        )
    recurrent = [part.batch_first for part in module.modules() if isinstance(part, nn.RNNBase)]
    if recurrent and not any(recurrent):
        yield lambda frames: frames[:, None], lambda made: made[:, 0]
    yield lambda frames: frames[None], lambda made: made[0]
    yield lambda frames: frames.T[None], lambda made: made[0].T
    yield lambda frames: frames, lambda made: made
    yield lambda frames: frames.T, lambda made: made.T
