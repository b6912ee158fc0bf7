"""Modules to export, and what their files hold."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from rtconform.reference_models.errors import UnsupportedModule
from rtconform.reference_models.export import render


class Net(nn.Module):
    """A module made of two parts and a forward() given as a function."""

    def __init__(self, forward, first=None, second=None):
        super().__init__()
        self.first = first or nn.Linear(3, 3)
        self.second = second or nn.Linear(3, 3)
        self._function = forward

    def forward(self, x):
        return self._function(self, x)


def lively(module):
    """The module with weights large enough, and biases different enough, for a mistake to show."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator) * 2 - 1)
    return module


def layers_of(module):
    """The layers of the module's file."""
    return json.loads(render(module))["layers"]


def float32(value):
    """A nested list of the file as float32 array."""
    return np.array(value, np.float32)


def refusal(module):
    """The message with which the module is refused."""
    with pytest.raises(UnsupportedModule) as caught:
        render(module)
    return str(caught.value)
