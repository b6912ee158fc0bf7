"""Finds out what forward() really does: the chain of leaf modules that it calls, or why it isn't a chain.

Nothing is read from source code or class names. Hooks watch one forward pass: each leaf must be given the very numbers
that the leaf before it returned, moved at most, and each container must return those of the last one. A functional
activation, a residual path or a sum is refused by the name of the module whose forward() does it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import UnsupportedModule
from .mapping import Call, rule_for
from .movement import Movement
from .placing import Refusal, Signal

NO_LAYER = "RTNeural JSON has no layer for it, as far as this exporter knows"
_MOVERS = (nn.Flatten, nn.Unflatten, nn.ConstantPad1d, nn.ConstantPad2d)
_OUTSIDE = "a functional call, a residual path, or numbers put in another order"


@dataclass(frozen=True)
class Run:
    """One forward pass: the calls of leaves in their order, the output, and where each of its elements belongs."""

    calls: tuple[Call, ...]
    output: torch.Tensor
    signal: Signal


def describe(name: str, module: nn.Module) -> str:
    """The qualified name and class of a module, as messages show it."""
    return f"{name or 'the outermost module'} ({type(module).__name__})"


def is_leaf(module: nn.Module) -> bool:
    """Modules with a rule, and those that compute something of which nothing inside can be seen."""
    if rule_for(module) is not None:
        return True
    if isinstance(module, _MOVERS) or next(module.children(), None) is not None:
        return False
    is_torchs = type(module).__module__.startswith("torch.nn.")
    has_weights = next(module.parameters(), None) is not None
    return type(module).forward is not nn.Sequential.forward and (is_torchs or has_weights)


def _watched(module: nn.Module, name: str, seen: set[nn.Module]) -> Iterator[tuple[str, nn.Module, bool]]:
    """(name, module, is leaf) of all modules, shared ones once; what a leaf has inside is its own affair."""
    if module in seen:
        return
    seen.add(module)
    leaf = is_leaf(module)
    yield name, module, leaf
    if not leaf:
        for child_name, child in module.named_children():
            yield from _watched(child, f"{name}.{child_name}" if name else child_name, seen)


def _first_tensor(value: object) -> object:
    return value[0] if isinstance(value, tuple) and value else value


class _Chain:
    """The signal that the next leaf has to be given, and the calls so far."""

    def __init__(self, movement: Movement, probe: torch.Tensor, signal: Signal) -> None:
        self.calls: list[Call] = []
        self.signal = signal
        self._movement = movement
        self._open: list[tuple[str, nn.Module]] = []
        self._peeking = ""
        self.losing = ""
        movement.hold(probe, signal.index)

    def _last(self) -> str:
        return f"the output of {describe(self.calls[-1].name, self.calls[-1].module)}" if self.calls else "the input"

    def enter(self, name: str, module: nn.Module, leaf: bool, given: object, state: object) -> None:
        owner = describe(*self._open[-1]) if self._open else "the caller"
        self._open.append((name, module))
        if not leaf:
            return
        if rule_for(module) is None:
            raise UnsupportedModule(f"{describe(name, module)}: {NO_LAYER}")
        index = self._movement.index_of(given)
        if index is None:
            raise UnsupportedModule(
                f"{describe(name, module)}: expected to be given {self._last()}, found another tensor: the forward() "
                f"of {owner} does something in between that is no module ({_OUTSIDE}). Write it as modules in a chain; "
                "the format has nothing else"
            )
        if any(bool(torch.any(part != 0)) for part in _tensors(state)):
            raise UnsupportedModule(
                f"{describe(name, module)}: starts from a state other than zero, but the format has no place for one"
            )
        self.signal = replace(self.signal, index=index)
        if isinstance(module, (nn.RNNBase, nn.Conv1d, nn.Conv2d)):
            self.refuse_looking_ahead()
        self._movement.inside_leaf = True

    def leave(self, name: str, module: nn.Module, leaf: bool, result: object) -> None:
        self._open.pop()
        output = _first_tensor(result)
        if leaf:
            self._movement.inside_leaf = False
            given = self.signal
            try:
                self.signal = rule_for(module).place(module, given)
            except Refusal as refusal:
                raise UnsupportedModule(f"{describe(name, module)}: {refusal}") from None
            self.calls.append(Call(name, module, given.channels, self.signal.channels, self.signal.padding))
            self._movement.hold(output, self.signal.index)
            if self.signal.looks_ahead and not given.looks_ahead:
                self._peeking = describe(name, module)
        elif (index := self._movement.index_of(output)) is None:
            raise UnsupportedModule(
                f"{describe(name, module)}: expected its forward() to return {self._last()}, found something else: it "
                f"computes with it outside of any module ({_OUTSIDE})"
            )
        else:
            self.signal = replace(self.signal, index=index)
            if not self.losing and not _is_complete(self.signal, self.signal.index[self.signal.index >= 0]):
                self.losing = describe(name, module)

    def refuse_looking_ahead(self) -> None:
        if self.signal.looks_ahead:
            raise UnsupportedModule(
                f"{self._peeking}: is padded behind the last frame too, so that outputs depend on later frames, but "
                "RTNeural is causal; pad in front of it, or cut the last frames off again"
            )


def _tensors(value: object) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from _tensors(part)


def trace(module: nn.Module, probe: torch.Tensor, signal: Signal) -> Run:
    """One forward pass of a module in eval mode for a probe, whose elements are where the signal's index says.

    Raises UnsupportedModule, naming the module, if forward() isn't a chain of known leaves over frames; whatever
    forward() itself raises passes through.
    """
    movement = Movement()
    chain, handles = _Chain(movement, probe, signal), []

    def watch(name: str, watched: nn.Module, leaf: bool) -> None:
        def before(_: nn.Module, args: tuple, kwargs: dict) -> None:
            inputs = [*args, *kwargs.values()]
            chain.enter(name, watched, leaf, inputs[0] if inputs else None, inputs[1:])

        def after(_: nn.Module, args: tuple, kwargs: dict, result: object) -> None:
            chain.leave(name, watched, leaf, result)

        handles.append(watched.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(watched.register_forward_hook(after, with_kwargs=True))

    try:
        for name, watched, leaf in _watched(module, "", set()):
            watch(name, watched, leaf)
        with torch.no_grad(), movement:
            output = _first_tensor(module(probe))
    finally:
        for handle in handles:
            handle.remove()
    chain.refuse_looking_ahead()
    if not _is_complete(chain.signal, chain.signal.index):
        raise UnsupportedModule(
            f"{chain.losing or describe('', module)}: expected outputs for every channel of every frame, found that "
            "its forward() returns only some of them, or padded ones"
        )
    return Run(tuple(chain.calls), output, chain.signal)


def _is_complete(signal: Signal, index: torch.Tensor) -> bool:
    """Whether an index holds every channel of every frame once, in whatever layout, frames behind the end aside."""
    count = signal.frames * signal.channels
    found = index[index < count].sort().values
    return torch.equal(found, torch.arange(signal.start * signal.channels, count))
