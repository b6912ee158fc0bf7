"""`rtconform bench`: how fast and how large loaders are, side by side in one run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bench import benchmark
from ..bench.benchmark import Benchmark
from ..bench.rows import five_rows, layer_rows
from ..bench.runners import why_not_timed
from ..implementations import BadConnection, ImplementationError, LoaderImplementation, NotAvailable, connect
from ..paths import why_unwritable
from ..report import benched
from ..selection import short_names
from ..verdicts import ExitCode
from . import fail, progress_line, single
from .terminable import terminable

DEFAULT_OUT = "rtconform-bench"
FIELD = (
    "rtneural-eigen",
    "rtneural-xsimd",
    "rtneural-stl",
    "compact-f32",
    "compact-f16",
    "compact-i8",
    "onnx-runtime",
    "torch-runtime",
)
"""The registered loaders that take part when they can be had. Ratios are to the first that has a time."""

LEAST_ROUNDS = 4
"""Fewer give no interval."""


@terminable()
def bench(
    loaders: Annotated[list[str] | None, typer.Argument(help="More loaders: abi:LIB.so[#NAME], or a name.")] = None,
    only: Annotated[bool, typer.Option("--only", help="No loaders but those named.")] = False,
    base: Annotated[str | None, typer.Option(help="The loader that ratios are to, by its short name.")] = None,
    layers: Annotated[bool, typer.Option(help="Single layers of each type by size, too.")] = True,
    rounds: Annotated[int, typer.Option(min=LEAST_ROUNDS, help="Each has new processes.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all randomness.")] = 0,
    out: Annotated[str, typer.Option(help="Folder for bench.json, bench.md and bench.svg.")] = DEFAULT_OUT,
) -> None:
    """Times loaders interleaved on one core: the five-model step warm and cold, each model, layers, loading, memory."""
    if reason := why_unwritable(Path(out)):
        fail(f"--out {out}: {reason}")
    if only and not loaders:
        fail("--only: expected loaders to time, found none; name some, as in `rtconform bench --only abi:LIB.so`")
    # A plugin runs a model on one thread, so torch may have one only. It reads this when it is imported.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    named = tuple(loaders or ())
    connections = short_names({"loader": list(dict.fromkeys((*(() if only else FIELD), *named)))})["loader"]
    found, left_out = _connected(connections, named)
    if not found:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        fail(f"expected at least one loader that can be timed, found none. {reasons}", code=ExitCode.NOT_AVAILABLE)
    if base not in (None, *found):
        fail(f"--base {base}: expected one of {', '.join(found)}")
    with tempfile.TemporaryDirectory(prefix="rtconform-bench-") as folder, progress_line() as progress:
        rows = [*five_rows(), *(layer_rows(Path(folder), seed) if layers else ())]
        measured = Benchmark(found, rows, base or next(iter(found)), seed, left_out)
        try:
            benchmark.run(measured, rounds, progress)
        except ImplementationError as error:
            fail(str(error), code=ExitCode.UNEXPECTED)
    unfit = measured.without_time()
    if base is None:
        measured.base = next((name for name in found if name not in unfit), measured.base)
    typer.echo(benched.render_terminal(measured))
    try:
        benched.write(measured, Path(out))
    except OSError as error:
        fail(f"--out {out}: expected a folder to write {', '.join(benched.FILES)} to, found: {error}")
    typer.echo(f"\nAll rows, data and picture: {', '.join(str(Path(out) / name) for name in benched.FILES)}")
    if missing := [name for name in unfit if name == base or connections[name] in named]:
        what = "expected a time of the five-model step for each loader that was named"
        fail(f"{what}, found none for {', '.join(missing)}; why is said above", code=ExitCode.UNEXPECTED)


def _connected(
    connections: Mapping[str, str], named: Sequence[str]
) -> tuple[dict[str, LoaderImplementation], dict[str, str]]:
    """By short name, the loaders that can be timed, and why others can't. Who was `named` has to be there."""
    found, left_out = {}, {}
    for name, connection in connections.items():
        code = ExitCode.NOT_AVAILABLE
        try:
            loader = connect(connection, "loader")
            reason = why_not_timed(loader)
        except BadConnection as error:
            fail(str(error))
        except ImplementationError as error:
            reason = str(error)
            code = ExitCode.NOT_AVAILABLE if isinstance(error, NotAvailable) else ExitCode.UNEXPECTED
        if not reason:
            found[name] = loader
        elif connection in named:
            fail(f"{name}: {reason}", code=code)
        else:
            left_out[name] = reason
    return found, left_out


def command(name: str, text: str) -> Any:
    return single(bench, name, text)
