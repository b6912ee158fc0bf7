"""One step of an imported module as an ONNX graph: a frame and the state before it, to an output and the state behind.

torch.onnx.export's tracing exporter makes it, in 0.01 to 0.1 s a model. The exporter on torch.export, which is to
replace it one day, takes 1 s for the smallest model and needs onnxscript.

Layers become ONNX's own operators, all but Sigmoid, LSTM and GRU. ONNX Runtime's sigmoid is off by up to 1.4e-7 even
where it is small, by more than all of its value at -16, and its LSTM and GRU have it inside: 14 of 250 random LSTMs
were outside the error budget of float32, and a GRU behind a batchnorm at 0.97 of it. Here the three are made of Exp,
which is exact to 1.3 u, of Tanh and of MatMul.
"""

from __future__ import annotations

import io
import warnings
from threading import Lock

import onnxruntime
import torch
from torch import nn
from torch.nn.functional import linear

from .torch_import import Imported

OPSET = 17
_HC = tuple[torch.Tensor, torch.Tensor]
_exporting = Lock()  # the exporter keeps its options in globals, and refuses a second thread


def _sigmoid(x: torch.Tensor) -> torch.Tensor:
    return 1 / (1 + torch.exp(-x))


class _Sigmoid(nn.Module):
    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return _sigmoid(frames)


class _Lstm(nn.LSTM):
    """One layer, for one frame `[1, 1, in]`: c' = f·c + i·g, h' = o·tanh(c')."""

    def forward(self, frame: torch.Tensor, before: _HC) -> tuple[torch.Tensor, _HC]:
        h, c = before
        driven = linear(frame, self.weight_ih_l0, self.bias_ih_l0)
        i, f, g, o = (driven + linear(h, self.weight_hh_l0, self.bias_hh_l0)).chunk(4, dim=-1)
        c = _sigmoid(f) * c + _sigmoid(i) * torch.tanh(g)
        h = _sigmoid(o) * torch.tanh(c)
        return h, (h, c)


class _Gru(nn.GRU):
    """One layer, for one frame `[1, 1, in]`: h' = (1 - z)·n + z·h, where r acts on what n is fed back."""

    def forward(self, frame: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        driven = linear(frame, self.weight_ih_l0, self.bias_ih_l0).chunk(3, dim=-1)
        fed_back = linear(h, self.weight_hh_l0, self.bias_hh_l0).chunk(3, dim=-1)
        r, z = (_sigmoid(x + y) for x, y in zip(driven[:2], fed_back[:2], strict=True))
        n = torch.tanh(driven[2] + r * fed_back[2])
        h = (1 - z) * n + z * h
        return h, h


def _part(part: nn.Module) -> nn.Module:
    if isinstance(part, nn.RNNBase):
        kind = _Lstm if isinstance(part, nn.LSTM) else _Gru
        cell = kind(part.input_size, part.hidden_size, device="meta")
        cell.load_state_dict(part.state_dict(), assign=True)
        return cell
    return _Sigmoid() if isinstance(part, nn.Sigmoid) else part


class _Step(nn.Module):
    """`Imported.step` with each part's state as an argument and as an output of its own."""

    def __init__(self, module: Imported) -> None:
        super().__init__()
        self.module = Imported(map(_part, module.parts), module.input_size, module.output_size)

    def forward(self, frame: torch.Tensor, *state: object) -> tuple[object, ...]:
        outputs, carried = self.module.step(frame, state)
        return (outputs, *carried)


def onnx_of(module: Imported) -> bytes:
    """The step of a module as an ONNX file: first the frame `[1, 1, channels]`, then the state, both in and out."""
    frame = torch.zeros(1, 1, module.input_size)
    file = io.BytesIO()
    with _exporting, warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that there is a newer exporter, and that a batch holds one sequence
        _, state = module.step(frame)
        torch.onnx.export(_Step(module).eval(), (frame, *state), file, opset_version=OPSET, dynamo=False)
    return file.getvalue()


def session_of(module: Imported) -> onnxruntime.InferenceSession:
    """ONNX Runtime on the step of a module, with no thread but the caller's."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; a warning about this machine belongs to no model
    return onnxruntime.InferenceSession(onnx_of(module), options, providers=["CPUExecutionProvider"])
