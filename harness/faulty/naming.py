"""From the name of a known-bad to the class that it is: `exp-linear-no-bias` is ExpLinearNoBias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def factories(namespace: Mapping[str, Any], prefix: str) -> Callable[[str], Callable[[], Any]]:
    """A module's `__getattr__` that gives a factory for each of its known-bads.

    With it, `py:rtconform.harness.faulty.exporters:exp_linear_no_bias` is a connection string.
    """

    def find(attribute: str) -> Callable[[], Any]:
        words = attribute.split("_")
        kind = namespace.get("".join(word.capitalize() for word in words))
        if words[0] != prefix or kind is None:
            raise AttributeError(f"no known-bad {attribute!r} here")

        def make() -> Any:
            implementation = kind()
            implementation.name = "-".join(words)
            return implementation

        return make

    return find
