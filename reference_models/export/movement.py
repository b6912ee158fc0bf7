"""Follows what only moves numbers: which frame and channel each element of a tensor is, through views, pads and slices.

Every followed tensor has an index tensor of its shape: t · channels + c for channel c of frame t, and PAD for a zero
that was padded in. A function that only moves elements is applied to both, so that no rule about axes is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

PAD = -1


def _same(name: str) -> Callable[..., torch.Tensor]:
    return lambda index, *args, **kwargs: getattr(index, name)(*args, **kwargs)


def _pad(index: torch.Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> torch.Tensor | None:
    """Only with zeros: what else is padded in are numbers that the format has no place for."""
    return functional.pad(index, pad, value=PAD) if mode == "constant" and not value else None


_KEEPING_NAME = (
    *("transpose", "permute", "movedim", "moveaxis", "swapaxes", "swapdims", "t", "flatten", "unflatten", "reshape"),
    *("squeeze", "unsqueeze", "narrow", "contiguous", "clone", "detach", "__getitem__"),
)
_MOVES: Mapping[str, Callable[..., torch.Tensor | None]] = {
    **{name: _same(name) for name in _KEEPING_NAME},
    "view": _same("reshape"),
    "pad": _pad,
    "T": lambda index: index.T,
    "mT": lambda index: index.mT,
}
_JOINS = ("cat", "concat", "concatenate")


class Movement(TorchFunctionMode):
    """While active, knows the index tensors of the tensor that is held and of all that was made of it by moving."""

    def __init__(self) -> None:
        super().__init__()
        self.inside_leaf = False
        self._known: dict[int, tuple[torch.Tensor, int, torch.Tensor]] = {}

    def hold(self, tensor: torch.Tensor, index: torch.Tensor) -> None:
        """Follow this tensor from now on, and no other."""
        self._known = {}
        self._add(tensor, index)

    def index_of(self, value: object) -> torch.Tensor | None:
        """The index tensor of a followed tensor that nobody has changed in place."""
        tensor, version, index = self._known.get(id(value), (None, 0, None))
        return index if tensor is not None and tensor._version == version else None  # noqa: SLF001

    def _add(self, tensor: torch.Tensor, index: torch.Tensor) -> None:
        self._known[id(tensor)] = (tensor, tensor._version, index)  # noqa: SLF001 - shows changes in place

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not self.inside_leaf and isinstance(result, torch.Tensor) and args and id(result) not in self._known:
            index = self._moved(func, args, kwargs or {})
            if index is not None and index.shape == result.shape:
                self._add(result, index)
        return result

    def _moved(self, func: Any, args: Any, kwargs: Mapping[str, Any]) -> torch.Tensor | None:
        name = getattr(func, "__name__", "")
        if name == "__get__":  # a property, such as Tensor.mT
            name = func.__self__.__name__
        if name in _JOINS:
            parts = [self._index_or_pads(part) for part in args[0]]
            return None if any(part is None for part in parts) else torch.cat(parts, *args[1:], **kwargs)
        index = self.index_of(args[0]) if name in _MOVES else None
        if index is None:
            return None
        try:
            return _MOVES[name](index, *args[1:], **kwargs)
        except (TypeError, RuntimeError):  # such as a view of the bits as another type
            return None

    def _index_or_pads(self, part: torch.Tensor) -> torch.Tensor | None:
        index = self.index_of(part)
        if index is None and not part.any():
            return torch.full(part.shape, PAD)
        return index
