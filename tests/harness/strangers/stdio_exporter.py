"""The same exporter as a program, connected as cmd:python3 stdio_exporter.py."""

import importlib
import sys

from stdio_loop import Refusal, serve
from tiny_exporter import TinyExporter, UnsupportedModule


def export(request):
    sys.path[:0] = request.get("sys_path", [])
    module_name, _, name = request["factory"].partition(":")
    module = getattr(importlib.import_module(module_name), name)(**request.get("kwargs", {}))
    if "state_dict" in request:
        from safetensors.torch import load_file

        module.load_state_dict(load_file(request["state_dict"]))
    try:
        TinyExporter().export(module.eval(), request["path"])
    except UnsupportedModule as error:
        raise Refusal("unsupported", str(error), name="UnsupportedModule") from error


if __name__ == "__main__":
    serve(TinyExporter.declares | {"role": "exporter", "name": "stdio-exporter"}, {"export": export})
