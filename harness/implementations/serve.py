"""Any Python implementation as a program that speaks protocol 1.

    rtconform run --exporter \
        "cmd:python -m rtconform.harness.implementations.serve py:package.module:factory --role exporter"

It puts a process between the suite and a Python object that may crash, hang or exit.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from . import wire
from .connection import connect
from .errors import ImplementationError, Raised, Refused
from .module_ref import ModuleRef
from .protocols import ROLES
from .roles import Implementation, LoadedModel, LoaderSession
from .serve_pipeline import PipelineOperations

Send = Callable[[dict[str, Any]], None]


class Server(PipelineOperations):
    """An implementation behind the operations of protocol 1: each takes a request and returns the fields of a reply."""

    def __init__(self, implementation: Implementation, send_progress: Send) -> None:
        super().__init__()
        self._implementation = implementation
        self._send_progress = send_progress
        self._models: dict[int, LoadedModel] = {}
        self._session: LoaderSession | None = None

    def hello(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"protocol": wire.PROTOCOL, "implementation": self._implementation.declaration.to_dict()}

    def load(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._session = self._session or self._implementation.open()  # type: ignore[attr-defined]
        model = self._session.load(request["path"])
        number = len(self._models) + 1
        self._models[number] = model
        return {"model": number, "input_size": model.input_size, "output_size": model.output_size}

    def prepare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def reset(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._models[request["model"]].reset()
        return {}

    def process(self, request: Mapping[str, Any]) -> dict[str, Any]:
        outputs = self._models[request["model"]].process(wire.array_from_wire(request["frames"]))
        return {"outputs": wire.array_to_wire(outputs)}

    def unload(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._models[request["model"]].close()
        return {}

    def export(self, request: Mapping[str, Any]) -> dict[str, Any]:
        names = ("factory", "kwargs", "state_dict", "sys_path")
        module = ModuleRef(**{name: request[name] for name in names if name in request})
        self._implementation.export(module, request["path"])  # type: ignore[attr-defined]
        return {}

    def train(self, request: Mapping[str, Any]) -> dict[str, Any]:
        train = self._implementation.train  # type: ignore[attr-defined]
        return {"metrics": train(request["config"], request["out_dir"], self._send_progress)}

    def quit(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to a request, without its seq."""
        try:
            if fault := wire.fault(request, f"request-{request.get('op')}"):
                raise ValueError(fault)
            return {"ok": True, **getattr(self, request["op"])(request)}
        except Refused as error:
            record = {
                "phase": error.phase,
                "path": error.json_path,
                "message": error.message,
                "class": error.class_name,
            }
            return {"ok": False, "error": record}
        except Raised as error:
            sys.stderr.write(error.traceback)
            return {"ok": False, "error": {"phase": "internal", "message": error.message, "class": error.class_name}}
        except Exception as error:
            return {"ok": False, "error": {"phase": "internal", "message": str(error), "class": type(error).__name__}}


def serve(implementation: Implementation, lines: BinaryIO, out: BinaryIO) -> None:
    """Answer requests, a JSON object in each line, until quit or the end of the input."""

    def send(message: Mapping[str, Any]) -> None:
        out.write(wire.encode(message))
        out.flush()

    seq = 0
    server = Server(implementation, lambda progress: send({"seq": seq, "progress": dict(progress)}))
    for line in lines:
        request = wire.decode(line)
        seq = request.get("seq", 0)
        send({"seq": seq, **server.answer(request)})
        if request.get("op") == "quit":
            return


def main() -> None:
    """Take standard output for the protocol, so that what the implementation prints goes to standard error."""
    parser = argparse.ArgumentParser(description="serve a Python implementation over protocol 1")
    parser.add_argument("connection", help="py:package.module:factory, or a registered name")
    parser.add_argument("--role", choices=ROLES, required=True)
    options = parser.parse_args()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        implementation = connect(options.connection, options.role)
    except ImplementationError as error:
        sys.exit(str(error))
    serve(implementation, sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
