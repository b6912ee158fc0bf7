"""The fenced code blocks of the documents, and what their info strings ask for.

An info string is a language and any of these words:

    sh exit=1         the block's command ends with exit code 1
    sh needs=rtneural the block is left out where RTNeural's loaders can't be had
    c file=mine.c     the block is a file of that name, for the commands after it
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

COMMANDS = ("sh", "console")
WORDS = ("exit", "needs", "file")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One fenced block; `line` is that of its fence, `language` is "" where none is named."""

    document: Path
    line: int
    language: str
    text: str
    exit_code: int = 0
    needs: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.document.name}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, one per entry, continued lines joined."""
        lines = self.text.replace("\\\n", " ").splitlines()
        bare = (line.removeprefix("$ ").strip() for line in lines)
        return [line for line in bare if line and not line.startswith("#")]


def blocks(document: Path) -> Iterator[Block]:
    """The fenced blocks of a Markdown file. Raises ValueError for a word in an info string that means nothing."""
    text = document.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        language, *words = match["info"].split() or [""]
        options = dict(word.partition("=")[::2] for word in words)
        if unknown := sorted(options.keys() - set(WORDS)):
            raise ValueError(f"{document}:{line}: expected words of {', '.join(WORDS)}, found {', '.join(unknown)}")
        yield Block(
            document,
            line,
            language,
            dedent(match["text"]),
            exit_code=int(options.get("exit", 0)),
            needs=options.get("needs", ""),
            file=options.get("file", ""),
        )
