"""A layer before it is known to be one: its JSON object, and its fields read one by one with every fault noted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import grammar
from .faults import Findings, child, describe
from .hints import activation_hint, batchnorm_hint
from .numbers import Shape, float32_array


def size_of(shape: object, path: str, findings: Findings) -> int | None:
    """Floats per frame that an `in_shape` or `shape` stands for: its last entry, or with four entries e[2] · e[3]."""
    if type(shape) is not list or not shape:
        findings.fault(path, "an array that ends in the size, such as [null, null, 3]", describe(shape))
        return None
    counted = (2, 3) if len(shape) == 4 else (len(shape) - 1,)
    size: int | None = 1
    for index, entry in enumerate(shape):
        if index not in counted:
            if entry is not None and type(entry) is not int:
                findings.fault(f"{path}[{index}]", "null or a whole number", describe(entry))
        elif type(entry) is not int or not 1 <= entry <= grammar.MAX_SIZE:
            findings.fault(f"{path}[{index}]", f"a whole number from 1 to {grammar.MAX_SIZE}", describe(entry))
            size = None
        elif size is not None:
            size *= entry
    if size is not None and size > grammar.MAX_SIZE:
        findings.fault(
            path,
            f"a size of at most {grammar.MAX_SIZE}",
            f"{size} (four entries: the size is the third times the fourth)",
        )
        size = None
    return size


@dataclass
class RawLayer:
    """A layer's JSON object together with where it stands and what is known of its sizes (None after a fault)."""

    members: dict
    path: str
    input_size: int | None
    output_size: int | None
    findings: Findings
    read_keys: set[str]

    def fault(self, key: str, expected: str, found: str, hint: str = "") -> None:
        self.findings.fault(child(self.path, key), expected, found, hint)

    def integer(self, key: str, *, default: int | None = None, lists: bool = True) -> int | None:
        """A whole number of at least 1, alone or, as Keras writes it, as the last entry of a list."""
        self.read_keys.add(key)
        value = self.members.get(key, default)
        if lists and type(value) is list and value:
            value = value[-1]
        if type(value) is int and 1 <= value <= grammar.MAX_SIZE:
            return value
        found = describe(self.members[key]) if key in self.members else "no such key"
        self.fault(key, f"a whole number from 1 to {grammar.MAX_SIZE}", found)
        return None

    def epsilon(self) -> np.float32 | None:
        self.read_keys.add("epsilon")
        value = self.members.get("epsilon")
        if type(value) in (int, float) or isinstance(value, float):
            with np.errstate(over="ignore"):
                rounded = np.float32(value)
            if np.isfinite(rounded) and rounded >= 0:
                return rounded
        found = describe(value) if "epsilon" in self.members else "no such key"
        self.fault(
            "epsilon",
            "a number of at least 0, such as 1e-05",
            found,
            "it is the eps of the torch module, not part of its state_dict",
        )
        return None

    def activation(self) -> str:
        """The fused activation, "" for none."""
        self.read_keys.add("activation")
        value = self.members.get("activation", "")
        if value == "" or (type(value) is str and value in grammar.ACTIVATIONS):
            return value
        self.fault(
            "activation", f'one of {", ".join(grammar.ACTIVATIONS)}, or ""', describe(value), activation_hint(value)
        )
        return ""

    def no_activation(self) -> None:
        """Layers that RTNeural gives no activation: one that stands there would be lost in silence."""
        self.read_keys.add("activation")
        value = self.members.get("activation", "")
        kind = self.members["type"]
        if value == "tanh" and kind in ("lstm", "gru"):
            note = '"tanh" is taken for the cell\'s own, as Keras means it; one behind it needs an activation layer'
            self.findings.note(child(self.path, "activation"), note)
        elif value != "":
            hint = f'RTNeural ignores it on {kind}: put {{"type": "activation", …}} behind this layer'
            self.fault("activation", f'"" or nothing on this layer, {kind}', describe(value), hint)

    def weights(self, *counts: int, meaning: str) -> list | None:
        """The `weights` array, of one of the given lengths."""
        value = self.members.get("weights")
        expected = " or ".join(map(str, counts))
        if type(value) is not list:
            found = describe(value) if "weights" in self.members else "no such key"
            self.fault("weights", f"an array of {expected}: {meaning}", found)
            return None
        if len(value) not in counts:
            self.fault("weights", f"{expected} arrays: {meaning}", f"{len(value)}", self._count_hint(len(value)))
            return None
        return value

    def _count_hint(self, found: int) -> str:
        kind = self.members["type"]
        if kind.startswith("batchnorm"):
            return batchnorm_hint(found)
        if kind in ("dense", "time-distributed-dense", "conv1d", "conv2d") and found == 1:
            return "the bias is missing: write zeros for a layer without one"
        if kind == "lstm" and found == 4:
            return "bias_ih and bias_hh are two arrays in torch: write their sum as one"
        return ""

    def array(
        self, weights: list, index: int, shape: Shape, axes: str, explain: Callable[[Shape], str]
    ) -> np.ndarray | None:
        return float32_array(
            weights[index], shape, f"{self.path}.weights[{index}]", self.findings, axes=axes, explain=explain
        )
