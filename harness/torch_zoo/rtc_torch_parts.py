"""What the torch modules of the zoo are built of, beside torch's own: containers, and movements that are functions.

It imports torch and nothing else, as rtc_torch_zoo.py does, which is found in the same folder.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Chain(nn.Sequential):
    """Layers one after the other; recurrent ones give their outputs and keep their states to themselves."""

    def forward(self, x):
        for layer in self:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        return x


def chain(*layers):
    """A plain nn.Sequential where that will do, a Chain where a layer is recurrent."""
    recurrent = any(isinstance(layer, nn.RNNBase) for layer in layers)
    return Chain(*layers) if recurrent else nn.Sequential(*layers)


class OverTime(nn.Sequential):
    """Parts that have the frames on their last axis."""

    def forward(self, x):
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class Causal(nn.Module):
    """A convolution over [B, C, T] with zeros in front of the first frame."""

    def __init__(self, inputs, outputs, size, dilation=1, **options):
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, size, dilation=dilation, **options)
        self.history = (size - 1) * dilation

    def forward(self, x):
        return self.conv(F.pad(x, (self.history, 0)))


class Planes(nn.Module):
    """Convolutions over time and features: frames [B, T, F] are one plane, and come back as [B, T, F' · filters]."""

    def __init__(self, features, *parts):
        super().__init__()
        self.input_size = features
        self.inner = nn.Sequential(*parts)

    def forward(self, x):
        return self.inner(x.unsqueeze(1)).permute(0, 2, 3, 1).flatten(2)


class Moving(nn.Module):
    """A layer between movements of its frames [B, T, in], which are functions."""

    def __init__(self, inner, before=None, behind=None):
        super().__init__()
        self.inner = inner
        self.before, self.behind = before, behind

    def forward(self, x):
        x = self.inner(self.before(x) if self.before else x)
        x = x[0] if isinstance(x, tuple) else x
        return self.behind(x) if self.behind else x


def there_and_back(x):
    """Every movement of torch that leaves all frames [1, T, C] as they were."""
    count, width = x.shape[1:]
    x = x.transpose(1, 2).permute(0, 2, 1).movedim(1, 2).moveaxis(2, 1).swapaxes(0, 2).swapdims(2, 0).mT.contiguous().mT
    x = x.squeeze(0).t().T.unsqueeze(0).clone().detach()
    x = x.flatten(1).unflatten(1, (count, width)).reshape(count, width).view(1, count, width)
    x = torch.cat((x[:, :1], x.narrow(1, 1, count - 1)), dim=1)
    return torch.concatenate((torch.concat((x[:, :2], x[:, 2:4]), dim=1), x[:, 4:]), dim=1)


def history_in_front(frames):
    """A movement of [B, C, T] that puts zeros in front."""
    return lambda x: torch.cat((x.new_zeros(x.shape[0], x.shape[1], frames), x), dim=-1)


def of_two_axes(x):
    """For a module that takes no batches."""
    if x.ndim != 2:
        raise ValueError("expected frames without a batch")
    return x


def a_one_and_zeros(*shape, dtype):
    return F.pad(torch.ones(*shape[:-1], 1, dtype=dtype), (0, shape[-1] - 1))


def some_in_front(x):
    """Two frames in front, of which the first is not zero."""
    front = torch.zeros_like(x[:, :, :2])
    front[:, :, 0] = 1.0
    return torch.cat((front, x), dim=-1)


def in_groups(x):
    """Every second channel of [B, T, C] a feature: [B, C / 2, T, 2]."""
    return x.unflatten(2, (-1, 2)).permute(0, 2, 1, 3)


def out_of_groups(x):
    return x.permute(0, 2, 1, 3).flatten(2)


def cut(frames):
    """A movement of [B, C, T] that cuts the last frames off."""
    return lambda x: x[:, :, :-frames]


class WithState(nn.Module):
    """A recurrent layer that is given its first state."""

    def __init__(self, inner, make):
        super().__init__()
        self.inner, self.make = inner, make

    def forward(self, x):
        return self.inner(x, hx=self.make(1, x.shape[0], self.inner.hidden_size, dtype=x.dtype))[0]


class Twice(nn.Module):
    """The same layer two times."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(self.inner(x))


class Doubled(nn.Linear):
    """A Linear by its class that computes something else."""

    def forward(self, x):
        return F.linear(x, 2 * self.weight, self.bias)


def hooked(layer):
    """A layer whose outputs somebody has changed by a hook."""
    layer.register_forward_hook(lambda module, args, made: made * 1.25)
    return layer


class Reordered(nn.Module):
    """Parts that are called in another order than they stand in."""

    order = ("first", "second", "third")

    def __init__(self):
        super().__init__()
        self.third = nn.Linear(5, 5)
        self.second = nn.Tanh()
        self.first = nn.Linear(5, 5)

    def forward(self, x):
        return self.third(self.second(self.first(x)))


class Residual(nn.Module):
    """A path around a layer."""

    def __init__(self, size):
        super().__init__()
        self.inner = nn.Linear(size, size)

    def forward(self, x):
        return x + self.inner(x)


class FunctionalTanh(nn.Module):
    """An activation that is no module."""

    def __init__(self, size):
        super().__init__()
        self.inner = nn.Linear(size, size)

    def forward(self, x):
        return F.tanh(self.inner(x))
