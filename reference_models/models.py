"""The five reference models in torch, built from their specs, streaming: LSTM state goes in and comes out."""

from __future__ import annotations

import torch
from torch import nn

from .specs import LayerSpec, ModelSpec, model_spec

State = tuple[tuple[torch.Tensor, torch.Tensor], ...]

_ACTIVATIONS = {
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "softmax": lambda: nn.Softmax(dim=-1),
}


class StreamingSequential(nn.Sequential):
    """A chain of modules whose LSTMs carry their state from call to call, in the caller's hands.

    `forward(x [B, T, in], state=None) -> (y [B, T, out], state)`: the state is one (h, c) pair per LSTM, each
    `[layers, B, hidden]`; None is the state after a reset (zeros). Two calls on consecutive pieces of a signal give
    what one call on the whole gives.
    """

    def forward(self, x: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        before = iter(state) if state is not None else None
        after = []
        for module in self:
            if isinstance(module, nn.LSTM):
                x, carried = module(x, next(before) if before is not None else None)
                after.append(carried)
            else:
                x = module(x)
        return x, tuple(after)


def _modules(layer: LayerSpec) -> list[nn.Module]:
    if layer.type == "lstm":
        return [nn.LSTM(layer.input, layer.output, batch_first=True)]
    modules: list[nn.Module] = [nn.Linear(layer.input, layer.output)]
    if layer.activation:
        modules.append(_ACTIVATIONS[layer.activation]())
    return modules


def build_from_spec(spec: ModelSpec) -> StreamingSequential:
    """A freshly initialised module of that structure; torch's global generator decides the weights."""
    return StreamingSequential(*(module for layer in spec.layers for module in _modules(layer)))


def build(name: str) -> StreamingSequential:
    """One of the five reference models, freshly initialised; raises KeyError for a name that isn't one of them."""
    return build_from_spec(model_spec(name))
