"""The errors that reference models raise on purpose: each says what was expected, what was found, where, what to do."""

from __future__ import annotations


class ConfigError(ValueError):
    """A training config that can't be honoured; the message holds the JSON path of the fault."""


class DataError(ConfigError):
    """A data set that the config names and that can't be read as its kind promises; the message holds the file."""


class WriteFailed(OSError):
    """A result that couldn't be written; the message says which file, why, and what to do."""


class NotAvailable(RuntimeError):
    """Something that is needed is missing on this machine; the message says what to install or set."""


class UnsupportedModule(ValueError):
    """A torch module that RTNeural JSON can't express; the message holds the module's qualified name."""
