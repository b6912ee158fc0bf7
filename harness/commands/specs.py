"""`rtconform specs`: the five reference models as their one data file has them, and what was published wrongly."""

from __future__ import annotations

from typing import Any

import typer

from .. import five_models
from . import single

GATES = {"lstm": 4, "gru": 3}


def specs() -> None:
    """Prints sizes, parameters per layer, bytes in float32, the sum, and the published totals that are errata."""
    document = five_models.document()
    for name, model in document["models"].items():
        count = model["parameters_torch"]
        typer.echo(f"{name}: {model['input_size']} → {model['output_size']}, {count:,} parameters, {count * 4:,} bytes")
        for layer in model["layers"]:
            shape = f"{layer['input']} → {layer['output']}"
            kind = f"{layer['type']} {layer['activation']}"
            typer.echo(f"    {kind:<14} {shape:<11} {layer_parameters(layer):>9,}")
        low, high = model["output_range"]
        typer.echo(f"    outputs in [{low:g}, {high:g}]: {model['outputs']}")
    totals = document["totals"]
    total = totals["parameters_torch"]
    typer.echo(f"Sum: {total:,} parameters in PyTorch, {total * 4:,} bytes ({total * 4 / 2**20:.2f} MiB) in float32;")
    typer.echo(f"     {totals['parameters_rtneural']:,} in RTNeural, whose LSTM has one bias instead of two.")
    typer.echo("Errata, published totals that are wrong:")
    for entry in document["errata"]:
        typer.echo(f"    {entry['published']:,} {entry['as']}: {entry['truth']}")


def layer_parameters(layer: dict[str, Any]) -> int:
    """The number of parameters that PyTorch counts in a layer: an LSTM or GRU has two bias vectors."""
    inputs, outputs = layer["input"], layer["output"]
    gates = GATES.get(layer["type"])
    return inputs * outputs + outputs if gates is None else gates * outputs * (inputs + outputs + 2)


def command(name: str, text: str) -> Any:
    return single(specs, name, text)
