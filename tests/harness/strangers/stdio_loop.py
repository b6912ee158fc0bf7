"""The receiving end of protocol 1 with nothing but the standard library: what a cmd: partner has to do."""

import json
import sys


class Refusal(Exception):
    def __init__(self, phase, message, path="", name=""):
        super().__init__(message)
        self.record = {"phase": phase, "path": path, "message": message, "class": name}


def serve(declares, operations):
    """Answer each request line with one reply line. `operations` maps an op to a function of the request."""
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"seq": request["seq"], "ok": True}
        try:
            if request["op"] == "hello":
                reply.update(protocol=1, implementation=declares)
            elif request["op"] != "quit":
                reply.update(operations[request["op"]](request) or {})
        except Refusal as refusal:
            reply.update(ok=False, error=refusal.record)
        say(reply)
        if request["op"] == "quit":
            return


def say(message):
    print(json.dumps(message), flush=True)
