"""Torch modules for the exporters, made by name."""

from torch import nn


def two_layers(hidden=4):
    return nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 2))


def with_gelu():
    return nn.Sequential(nn.Linear(3, 2), nn.GELU())
