"""What docs/PLUG_IN.md shows besides commands: code that compiles, and messages that are the protocol."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rtconform.harness.implementations import connect, wire

from . import raw_host

ROOT = Path(__file__).resolve().parents[2]
ENGINE = """
#include <rtconform/loader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct engine { uint32_t inputs, outputs; } engine;
static engine *engine_open(const char *path) {
    engine *made = fopen(path, "r") ? calloc(1, sizeof *made) : NULL;
    if (made) made->inputs = made->outputs = 1;
    return made;
}
static const char *engine_complaint(void) { return "no such file"; }
static void engine_close(engine *e) { free(e); }
static void engine_reset(engine *e) { (void)e; }
static void engine_run(engine *e, const float *in, float *out, uint32_t frames) {
    memcpy(out, in, sizeof(float) * frames * e->inputs);
}
"""


def blocks(language: str) -> list[str]:
    guide = (ROOT / "docs" / "PLUG_IN.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)


def test_the_ten_lines_of_c_are_a_loader(tmp_path: Path):
    """The lines that wrap an engine compile as C99 against the header alone, and plug in."""
    compiler = shutil.which("cc") or pytest.skip("no C compiler here")
    source, _ = blocks("c")
    (tmp_path / "mine.c").write_text(ENGINE + source)
    include = ROOT / "harness" / "native" / "include"
    flags = ["-std=c99", "-Wall", "-Werror", "-shared", "-fPIC", "-I", str(include)]
    subprocess.run([compiler, *flags, str(tmp_path / "mine.c"), "-o", str(tmp_path / "libmine.so")], check=True)
    with connect(f"abi:{tmp_path / 'libmine.so'}", "loader").open() as session:
        assert session.load(tmp_path / "mine.c").process([[4.0]]) == [[4.0]]


def test_the_struct_of_a_pipeline_is_one(tmp_path: Path):
    """With the functions that it names, the lines compile as C99 and plug in."""
    functions = Path(__file__).with_name("null_pipeline.c").read_text(encoding="utf-8")
    _, source = blocks("c")
    path = tmp_path / "mine.c"
    path.write_text(functions.partition("static const rtc_pipeline_api")[0] + source, encoding="utf-8")
    assert connect(f"abi:{raw_host.compiled(path, tmp_path)}", "pipeline").declaration.name == "mine"


def test_the_conversation_is_the_protocol():
    """Every message of the example is valid under the schema, and each reply answers its request."""
    lines = [line for block in blocks("text") for line in block.splitlines() if line[:2] in ("> ", "< ")]
    messages = [json.loads(line[2:]) for line in lines]
    for request, reply in zip(messages[::2], messages[1::2], strict=True):
        assert wire.fault(request, f"request-{request['op']}") is None
        assert wire.fault(reply, f"reply-{request['op']}" if reply["ok"] else "failure") is None
        assert reply["seq"] == request["seq"]
    assert [message["op"] for message in messages[::2]][:3] == ["hello", "load", "load"]
