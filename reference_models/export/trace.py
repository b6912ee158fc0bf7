"""Finds out what forward() really does: the chain of leaf modules that it calls, or why it isn't a chain.

Nothing is read from source code or class names. Hooks watch one forward pass: each leaf must be given the very tensor
that the leaf before it returned, untouched, and each container must return the last one. A functional activation, a
residual path, a slice or a reshape breaks that identity and is refused by the name of the module whose forward() does
it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ..errors import UnsupportedModule
from .mapping import Call, rule_for

NO_LAYER = "RTNeural JSON has no layer for it, as far as this exporter knows"


def describe(name: str, module: nn.Module) -> str:
    """The qualified name and class of a module, as messages show it."""
    return f"{name or 'the outermost module'} ({type(module).__name__})"


def _watched(module: nn.Module, name: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module, bool]]:
    """(name, module, is leaf) of all modules, shared ones once; what a leaf has inside is its own affair."""
    if module in seen:
        return
    seen.add(module)
    children = list(module.named_children())
    is_sequential = type(module).forward is nn.Sequential.forward
    leaf = rule_for(module) is not None or not (children or is_sequential)
    yield name, module, leaf
    if not leaf:
        for child_name, child in children:
            yield from _watched(child, f"{name}.{child_name}" if name else child_name, seen)


def _first_tensor(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


class _Chain:
    """The tensor that the next leaf has to be given, and the calls so far."""

    def __init__(self, probe: torch.Tensor, time_major: bool) -> None:
        self.calls: list[Call] = []
        self._time_major = time_major
        self._open: list[tuple[str, nn.Module]] = []
        self._hold(probe)

    def _hold(self, tensor: torch.Tensor) -> None:
        # The version counter shows what identity doesn't: an operation in place between two modules.
        self._tensor, self._version = tensor, tensor._version  # noqa: SLF001

    def _is_held(self, value: object) -> bool:
        return value is self._tensor and self._tensor._version == self._version  # noqa: SLF001

    def _last(self) -> str:
        return f"the output of {describe(self.calls[-1].name, self.calls[-1].module)}" if self.calls else "the input"

    def enter(self, name: str, module: nn.Module, leaf: bool, given: object, state: object) -> None:
        owner = describe(*self._open[-1]) if self._open else "the caller"
        self._open.append((name, module))
        if not leaf:
            return
        if rule_for(module) is None:
            raise UnsupportedModule(f"{describe(name, module)}: {NO_LAYER}")
        if not self._is_held(given):
            raise UnsupportedModule(
                f"{describe(name, module)}: expected to be given {self._last()}, found another tensor: the forward() "
                f"of {owner} does something in between that is no module (a functional call, a residual path, a slice "
                "or a reshape). Write it as modules in a chain; the format has nothing else"
            )
        if any(bool(torch.any(part != 0)) for part in _tensors(state)):
            raise UnsupportedModule(
                f"{describe(name, module)}: starts from a state other than zero, but the format has no place for one"
            )

    def leave(self, name: str, module: nn.Module, leaf: bool, given: torch.Tensor, result: object) -> None:
        self._open.pop()
        output = _first_tensor(result)
        if leaf:
            self.calls.append(Call(name, module, tuple(given.shape), self._time_major))
            self._hold(output)
        elif not self._is_held(output):
            raise UnsupportedModule(
                f"{describe(name, module)}: expected its forward() to return {self._last()}, found something else: it "
                "computes with it outside of any module (a functional call, a residual path, a slice or a reshape)"
            )


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def trace(module: nn.Module, probe: torch.Tensor, *, time_major: bool) -> tuple[list[Call], torch.Tensor]:
    """The calls of leaf modules in their real order, and the module's output for `probe`.

    The module has to be in eval mode. `time_major` says that axis 0 of a three-dimensional probe is time. Raises
    UnsupportedModule, naming the module, if forward() isn't a chain of known leaves; whatever forward() itself raises
    passes through.
    """
    chain, handles = _Chain(probe, time_major), []

    def watch(name: str, watched: nn.Module, leaf: bool) -> None:
        given: list[object] = []

        def before(_: nn.Module, args: tuple, kwargs: dict) -> None:
            inputs = [*args, *kwargs.values()]
            given.append(inputs[0] if inputs else None)
            chain.enter(name, watched, leaf, given[-1], inputs[1:])

        def after(_: nn.Module, args: tuple, kwargs: dict, result: object) -> None:
            chain.leave(name, watched, leaf, given.pop(), result)

        handles.append(watched.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(watched.register_forward_hook(after, with_kwargs=True))

    try:
        for name, watched, leaf in _watched(module, "", set()):
            watch(name, watched, leaf)
        with torch.no_grad():
            output = _first_tensor(module(probe))
    finally:
        for handle in handles:
            handle.remove()
    return chain.calls, output
