"""rtc-host started otherwise than usual: with the memory of a library lying elsewhere, or under another program."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..implementations import LoaderImplementation
from ..implementations.host import CommandLoader, find_host
from ..implementations.remote import RemoteSession

LINE, PAGE = 16, 4096
"""Bytes: what malloc aligns to, and what the system's own random addresses are multiples of."""


def is_library(loader: LoaderImplementation) -> bool:
    """Whether rtc-host runs it, as for abi: connections."""
    return isinstance(loader, CommandLoader) and loader.command[0] == str(find_host())


class HostedLoader(CommandLoader):
    """A library's loader in an rtc-host behind other words of a command line. Raises as `connect` does."""

    def __init__(self, loader: CommandLoader, before: Sequence[str] = (), *, timeout: float | None = None) -> None:
        seconds = loader.timeout if timeout is None else timeout
        super().__init__([*before, *loader.command], loader.connection, timeout=seconds)


class ShiftedLoader(HostedLoader):
    """A loader whose heap begins elsewhere in its page in each process, at random.

    Where a library's weights lie, down to the cache line, else follows from such accidents as the length of its path,
    and makes one of two equal builds faster by a percent or two in every process. Source: T. Mytkowicz et al.,
    "Producing Wrong Data Without Doing Anything Obviously Wrong!", ASPLOS 2009.
    """

    def __init__(self, loader: CommandLoader, seed: str) -> None:
        super().__init__(loader)
        self._usual = self.command
        self._random = random.Random(seed)

    def open(self) -> RemoteSession:
        self.command = [*self._usual, "--padding", str(LINE * self._random.randrange(PAGE // LINE))]
        return super().open()
