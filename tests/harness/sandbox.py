"""A kernel that lacks something, as some sandboxes are: a seccomp filter on the processes that are started under it."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import NamedTuple

PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_SET_SECCOMP, PR_SET_SYSCALL_USER_DISPATCH = 38, 21, 22, 59
SECCOMP_MODE_FILTER = 2
EINVAL = 22


class Missing(NamedTuple):
    """A system call by its number on x86-64, its first argument or None for any, and the error that it gives."""

    number: int
    first: int | None
    error: int


DISPATCH = Missing(157, PR_SET_SYSCALL_USER_DISPATCH, EINVAL)
SECCOMP = Missing(157, PR_SET_SECCOMP, EINVAL)
USAGE = Missing(98, None, 0)
"""getrusage, which succeeds and writes nothing."""


class _Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


_libc = ctypes.CDLL(None)


def kernel_has(way: str) -> bool:
    """Whether this kernel knows a way to trap system calls, `dispatch` or `seccomp`; nothing is trapped by asking."""
    if way == "dispatch":
        return _libc.prctl(PR_SET_SYSCALL_USER_DISPATCH, 0, 0, 0, 0) == 0
    return _libc.prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def entering(*missing: Missing) -> Callable[[], None]:
    """What a process that is about to become another program calls, so that these system calls are missing there."""
    instructions = b"".join(map(_instructions, missing)) + _instruction(0x06, 0x7FFF0000)  # else allow
    filtered = _Filter(len(instructions) // 8, instructions)

    def enter() -> None:
        _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        if _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0) != 0:
            raise OSError("the kernel takes no seccomp filter")

    return enter


def _instructions(missing: Missing) -> bytes:
    """Classic BPF: if it is that call with that argument, return the error."""
    error = _instruction(0x06, 0x00050000 | missing.error)
    first = b"" if missing.first is None else _instruction(0x20, 16) + _instruction(0x15, missing.first, no=1)
    return _instruction(0x20, 0) + _instruction(0x15, missing.number, no=len(first + error) // 8) + first + error


def _instruction(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    """`struct sock_filter`: load a word of seccomp_data (0x20), jump if equal (0x15), return (0x06)."""
    return struct.pack("HBBI", code, yes, no, value)
