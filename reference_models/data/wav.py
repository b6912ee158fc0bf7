"""Whether a WAV file is whole: libsndfile reads one that was cut off as if it ended there."""

from __future__ import annotations

import struct
from pathlib import Path

from ..errors import DataError

# What is written to a pipe can't know its length: such headers say 0, or about as much as their 31 or 32 bits hold.
UNKNOWN = 0x7FFF0000


def check_whole(path: Path) -> None:
    """Raises `DataError` for a WAV file that holds less than its header says; other files pass.

    Passed too: a length that is a placeholder, as in streamed files, and a header that libsndfile will refuse.
    """
    with path.open("rb") as stream:
        riff, _, wave = struct.unpack("<4sI4s", stream.read(12).ljust(12, b"\0"))
        if riff not in (b"RIFF", b"RIFX") or wave != b"WAVE":
            return
        header = struct.Struct("<4sI" if riff == b"RIFF" else ">4sI")
        while len(chunk := stream.read(header.size)) == header.size:
            name, length = header.unpack(chunk)
            if name == b"data":
                break
            stream.seek(length + length % 2, 1)
        else:
            return
        there = path.stat().st_size - stream.tell()
    if there < length < UNKNOWN:
        raise DataError(
            f"{path}: expected {length} bytes of sound, as its header says, found {there}: it was cut off; get the "
            "whole file or leave it out"
        )
