"""How the frames and channels lie in the tensors that torch modules take and give; what can't be so is refused.

Each function gets a Signal, the index tensor of what the module was given (movement.py), and makes that of its output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from .movement import PAD


class Refusal(Exception):
    """Why a module can't be expressed; whoever knows the module's name turns it into UnsupportedModule."""


@dataclass(frozen=True)
class Signal:
    """A followed tensor: `index` holds t · channels + c, for frames t from `start` on.

    `start` is above 0 behind convolutions without padding, which have no output for the first frames. The signal that
    came in has `frames` frames; a later one depends on padding behind the end, and must be cut off again.
    """

    index: torch.Tensor
    channels: int
    frames: int
    start: int = 0
    padding: str = "valid"
    """Along the features of the conv2d that made it."""

    @property
    def looks_ahead(self) -> bool:
        return bool((self.index >= self.frames * self.channels).any())

    def rows(self, index: torch.Tensor) -> tuple[int, int]:
        """(padded frames in front, behind) of an index arranged as `[T, channels]`, which must be whole frames."""
        kept = index[(index != PAD).any(dim=1)]
        expected = (self.start + torch.arange(len(kept)))[:, None] * self.channels + torch.arange(self.channels)
        if index.shape[1] != self.channels or not torch.equal(kept, expected):
            raise Refusal(
                f"expected whole frames of {self.channels} channels in the order of time, found other elements or "
                "another order: check the transposes and reshapes in front of it"
            )
        first = int((index[:, 0] != PAD).nonzero()[0]) if len(kept) else len(index)
        return first, len(index) - len(kept) - first

    def unpadded(self, index: torch.Tensor) -> None:
        """Raises Refusal unless an index `[T, channels]` holds whole frames without padding."""
        if any(self.rows(index)):
            raise Refusal("expected frames without padding, which only a convolution can have in front of it")


def _numbered(frames: torch.Tensor, channels: int) -> torch.Tensor:
    """The index of frames of these numbers: `[T]` to `[T, channels]`."""
    return frames[:, None] * channels + torch.arange(channels)


def dense(module: nn.Module, signal: Signal) -> Signal:
    """Channels on the last axis, frames on those in front of it."""
    *leading, width = signal.index.shape
    index = signal.index.reshape(-1, width)
    signal.unpadded(index)
    outputs = module.out_features
    return replace(signal, index=_numbered(index[:, 0] // width, outputs).reshape(*leading, outputs), channels=outputs)


def recurrent(module: nn.RNNBase, signal: Signal) -> Signal:
    """[B, T, C] with batch_first, else [T, B, C], B = 1; or [T, C]."""
    index = signal.index
    if index.ndim == 3:
        batch = 0 if module.batch_first else 1
        if index.shape[batch] != 1:
            raise Refusal(f"batch_first={module.batch_first}: it runs over an axis that isn't time")
        index = index.select(batch, 0)
    signal.unpadded(index)
    if signal.start:
        raise Refusal(
            f"its state would start {signal.start} frames late, because a convolution in front of it has no padding; "
            "put (kernel_size - 1) · dilation zeros in front of each convolution"
        )
    outputs = module.hidden_size
    made = _numbered(torch.arange(len(index)), outputs).reshape(*signal.index.shape[:-1], outputs)
    return replace(signal, index=made, channels=outputs)


def pointwise(module: nn.Module, signal: Signal) -> Signal:
    """Any layout."""
    if (signal.index == PAD).any():
        raise Refusal("expected frames without padding, which only a convolution can have in front of it")
    return signal


def along_channels(module: nn.Module, signal: Signal) -> Signal:
    """softmax: its axis must hold all channels of one frame."""
    axis = module.dim
    if axis is None:
        raise Refusal("dim=None leaves the axis to torch; write the channel axis")
    index = pointwise(module, signal).index.movedim(axis, -1)
    whole = index.shape[-1] == signal.channels and (index - index[..., :1] == torch.arange(signal.channels)).all()
    if not whole or (index[..., 0] % signal.channels).any():
        raise Refusal(f"dim={axis} isn't the channel axis, but RTNeural's softmax runs over the channels of a frame")
    return signal


def on_axis_one(module: nn.Module, signal: Signal) -> Signal:
    """Batch norms and PReLU with an alpha per channel: torch has the channels, or the filters, on axis 1."""
    count = getattr(module, "num_features", None) or module.num_parameters
    if isinstance(module, nn.PReLU) and count == 1:
        return pointwise(module, signal)
    index = pointwise(module, signal).index
    channel = index.movedim(1, -1) % signal.channels % count if index.ndim > 1 else index
    if channel.shape[-1] != count or signal.channels % count or not (channel == torch.arange(count)).all():
        raise Refusal(
            f"expected its {count} channels on axis 1 of the tensor, where torch has them, found another axis"
        )
    return signal


def conv1d(module: nn.Conv1d, signal: Signal) -> Signal:
    """[B, C, T], B = 1, or [C, T]; zeros in front of it make it causal."""
    index = _without_batch(signal.index, 2)
    frames = _causal(module, signal, index.T)
    made = _numbered(frames, module.out_channels).T
    return _convolved(signal, made, frames, module.out_channels)


def conv2d(module: nn.Conv2d, signal: Signal) -> Signal:
    """[B, filters, T, features], B = 1; a frame of the file is laid out [features][filters]."""
    index = _without_batch(signal.index, 3)
    columns = (index != PAD).any(dim=0).any(dim=0).nonzero().flatten().tolist() or [0]
    zeros = (columns[0], index.shape[2] - 1 - columns[-1])
    index = index[:, :, columns[0] : columns[-1] + 1]
    frames = _causal(module, signal, index.permute(1, 2, 0).flatten(1))
    features, padding = _over_features(module, index.shape[2], zeros)
    made = _numbered(frames, features * module.out_channels).unflatten(1, (features, -1)).permute(2, 0, 1)
    return replace(_convolved(signal, made, frames, features * module.out_channels), padding=padding)


def _over_features(module: nn.Conv2d, features: int, zeros: tuple[int, int]) -> tuple[int, str]:
    """(features behind it, the format's word for its padding along them); raises Refusal if there is no such word."""
    kernel, stride, dilation = module.kernel_size[1], module.stride[1], module.dilation[1]
    if dilation != 1:
        raise Refusal(f"dilation={dilation} along the features, where RTNeural has none")
    before, behind = (given + own for given, own in zip(zeros, _padding(module, 1), strict=True))
    made = (features + before + behind - kernel) // stride + 1
    if not (before or behind):
        return made, "valid"
    same = -(-features // stride)
    if (made, before) != (same, max((same - 1) * stride + kernel - features, 0) // 2):
        raise Refusal(
            f"{before} zeros in front of the features and {behind} behind, where RTNeural knows none, or as many as "
            'TensorFlow\'s "same" takes'
        )
    return made, "same"


def _without_batch(index: torch.Tensor, axes: int) -> torch.Tensor:
    if index.ndim == axes + 1 and len(index) == 1:
        return index[0]
    if index.ndim != axes:
        raise Refusal(f"expected [batch, channels, time{', features' if axes == 3 else ''}], found another layout")
    return index


def _padding(module: nn.Conv1d | nn.Conv2d, axis: int) -> tuple[int, int]:
    """Zeros before and behind along an axis."""
    if module.padding == "same":
        total = module.dilation[axis] * (module.kernel_size[axis] - 1)
        return total // 2, total - total // 2
    return (0, 0) if module.padding == "valid" else (module.padding[axis],) * 2


def _causal(module: nn.Conv1d | nn.Conv2d, signal: Signal, index: torch.Tensor) -> torch.Tensor:
    """The numbers of the frames that come out, for an index `[T, channels]`: what RTNeural computes at these frames."""
    if module.stride[0] != 1:
        raise Refusal(f"stride={module.stride[0]} along time, but RTNeural gives a frame for each frame")
    before, behind = _padding(module, 0)
    if module.padding_mode != "zeros" and (before or behind):
        raise Refusal(f"padding_mode={module.padding_mode!r}, but RTNeural starts from zeros")
    in_front, _ = signal.rows(index)
    reach, zeros = (module.kernel_size[0] - 1) * module.dilation[0], in_front + before
    if zeros > reach:
        raise Refusal(f"{zeros} zeros in front of it, where its kernel reaches back {reach} frames: it would be late")
    if zeros and signal.start:
        raise Refusal(
            f"{zeros} zeros in front of it, where RTNeural has frames, because a convolution before it has no padding"
        )
    return signal.start + reach - zeros + torch.arange(len(index) + before + behind - reach)


def _convolved(signal: Signal, made: torch.Tensor, frames: torch.Tensor, channels: int) -> Signal:
    batched = made if signal.index.ndim == made.ndim else made[None]
    return replace(signal, index=batched, channels=channels, start=int(frames[0]) if len(frames) else 0)
