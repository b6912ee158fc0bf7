"""Frames of noise in the layout that a module takes, and what its forward() makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from ..errors import UnsupportedModule
from .mapping import rule_for
from .placing import Signal
from .trace import NO_LAYER, Run, describe, is_leaf, trace

_MOST_FEATURES = 512
_FRAMES_AND_LOUDNESS = ((13, 0.3), (8, 3.0))
"""Two probes of different length and loudness, so that a forward() that looks at either shows."""


@dataclass(frozen=True)
class Probe:
    """Noise as frames `[T, in]` and as the tensor that the module was given, and the run on it."""

    frames: np.ndarray
    tensor: torch.Tensor
    run: Run


def probe(module: nn.Module) -> list[Probe]:
    """The runs on each probe, in the first layout that forward() takes.

    Raises UnsupportedModule if it takes none, if it isn't a chain of known leaves, or if two runs call other modules.
    """
    widths = _widths(module)
    probes = [_probed(module, widths, frames, loudness) for frames, loudness in _FRAMES_AND_LOUDNESS]
    names = [[call.name for call in each.run.calls] for each in probes]
    if any(other != names[0] for other in names):
        raise UnsupportedModule(f"{describe('', module)}: its forward() calls other modules for another input")
    return probes


def _probed(module: nn.Module, widths: list[int], frames: int, loudness: float) -> Probe:
    noise = np.random.default_rng(0)
    first_error: Exception | None = None
    for width in widths:
        for shape, axes in _layouts(module, width):
            reach, called = -1, sum(_reach(part) for part in _convolutions(module))
            while called > reach:  # as long as one is called more often than was thought
                reach = called
                values = loudness * noise.standard_normal((_length(module, frames + reach), *shape))
                numbers = np.arange(values.size).reshape(values.shape)
                tensor, index = (_laid_out(array, axes) for array in (values, numbers))
                error, called = _tried(module, tensor)
            if error is not None:
                first_error = first_error or error
                continue
            signal = Signal(index, int(np.prod(shape)), len(values))
            return Probe(values.reshape(len(values), -1), tensor, trace(module, tensor, signal))
    raise UnsupportedModule(
        _unexpressed(module)
        or f"{describe('', module)}: expected forward() to take frames of {' or '.join(map(str, widths))} channels, "
        f"found that it raises {type(first_error).__name__}: {first_error}"
    )


def _laid_out(array: np.ndarray, axes: tuple[int | None, ...]) -> torch.Tensor:
    """The axes in this order, None for a batch of one."""
    moved = np.ascontiguousarray(array.transpose([axis for axis in axes if axis is not None]))
    return torch.from_numpy(np.expand_dims(moved, axes.index(None)) if None in axes else moved)


def _layouts(module: nn.Module, width: int) -> Iterator[tuple[tuple[int, ...], tuple[int | None, ...]]]:
    """(shape of a frame, axes of the tensor by those of `[T, *shape]`) for a number of channels or features."""
    if _is_2d(module):
        yield from _layouts_2d(module, width)
        return
    recurrent = [part.batch_first for part in module.modules() if isinstance(part, nn.RNNBase)]
    time_major = bool(recurrent) and not any(recurrent)
    yield (width,), ((0, None, 1) if time_major else (None, 0, 1))
    yield (width,), (0, 1)
    yield (width,), (None, 1, 0)
    yield (width,), (1, 0)


def _is_2d(module: nn.Module) -> bool:
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def _layouts_2d(module: nn.Module, features: int) -> Iterator[tuple[tuple[int, ...], tuple[int | None, ...]]]:
    """[1, filters, T, features], and [1, T, features] for a module that adds the axis of its one filter."""
    for filters in dict.fromkeys(part.in_channels for part in module.modules() if isinstance(part, nn.Conv2d)):
        yield (features, filters), (None, 2, 0, 1)
    yield (features,), (None, 0, 1)


def _convolutions(module: nn.Module) -> list[nn.Conv1d | nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, (nn.Conv1d, nn.Conv2d))]


def _reach(convolution: nn.Conv1d | nn.Conv2d) -> int:
    """How many frames it reaches back."""
    return (convolution.kernel_size[0] - 1) * convolution.dilation[0]


def _tried(module: nn.Module, tensor: torch.Tensor) -> tuple[Exception | None, int]:
    """(what forward() raises for a tensor, how many frames all calls of convolutions in it reach back)."""
    reached: list[int] = []
    parts = _convolutions(module)
    handles = [part.register_forward_pre_hook(lambda part, _: reached.append(_reach(part))) for part in parts]
    try:
        with torch.no_grad():
            module(tensor)
    except Exception as error:
        return error, sum(reached)
    finally:
        for handle in handles:
            handle.remove()
    return None, sum(reached)


def _length(module: nn.Module, frames: int) -> int:
    """At least so many frames, and a number that no axis of a weight has."""
    sizes = {size for parameter in module.parameters() for size in parameter.shape}
    while frames in sizes:
        frames += 1
    return frames


def _widths(module: nn.Module) -> list[int]:
    """How many channels, or features behind a Conv2d, the module may take."""
    if _is_2d(module):
        return [_features(module)]
    rules = [(part, rule_for(part)) for part in module.modules()]
    widths = [getattr(part, rule.width) for part, rule in rules if rule is not None and rule.width]
    if not widths:
        raise UnsupportedModule(
            _unexpressed(module) or f"{describe('', module)}: none of its parts has weights to export"
        )
    return list(dict.fromkeys(widths))


def _features(module: nn.Module) -> int:
    """What `example_input_array` says, else the only number that fits the layers behind the convolutions."""
    example = getattr(module, "example_input_array", None)
    if isinstance(example, torch.Tensor) and example.ndim >= 2:
        return example.shape[-1]
    behind = [part for part in module.modules() if isinstance(part, (nn.Linear, nn.RNNBase)) and rule_for(part)]
    handles = [part.register_forward_pre_hook(_refuse_width) for part in behind]
    frames = _length(module, 8 + sum(_reach(part) for part in _convolutions(module)))
    taken = [features for features in range(1, _MOST_FEATURES + 1) if _takes(module, features, frames)]
    for handle in handles:
        handle.remove()
    if len(taken) != 1:
        some = " or ".join(map(str, taken[:3])) or "none"
        raise UnsupportedModule(
            f"{describe('', module)}: its weights don't tell how many features a frame has: forward() takes {some}"
            f"{' or more' if len(taken) > 3 else ''} of them; set its attribute example_input_array to a tensor "
            "[batch, filters, time, features]"
        )
    return taken[0]


def _refuse_width(module: nn.Module, args: tuple) -> None:
    """Raises before torch does, which takes far longer to."""
    if args[0].shape[-1] != getattr(module, rule_for(module).width):
        raise ValueError("another width")


def _takes(module: nn.Module, features: int, frames: int) -> bool:
    for shape, axes in _layouts_2d(module, features):
        with suppress(Exception), torch.no_grad():
            module(_laid_out(np.zeros((frames, *shape)), axes))
            return True
    return False


def _unexpressed(module: nn.Module) -> str:
    """A message that names the parts that the table doesn't know, empty if it knows all."""
    unknown = [describe(n, m) for n, m in module.named_modules() if rule_for(m) is None and is_leaf(m)]
    return f"{', '.join(unknown)}: {NO_LAYER}" if unknown else ""
