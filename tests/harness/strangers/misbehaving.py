"""A loader program that goes wrong in one way at one operation: misbehaving.py FAULT OP."""

import json
import os
import signal
import subprocess
import sys
import time

FAULT, OP = sys.argv[1:]
ONE_OUTPUT = {"shape": [1, 1], "data": "AACAPw=="}
REPLIES = {
    "hello": {"protocol": 1, "implementation": {"name": "misbehaving", "version": "1", "role": "loader"}},
    "load": {"model": 1, "input_size": 1, "output_size": 1},
    "process": {"outputs": ONE_OUTPUT},
}


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def go_wrong(reply):
    text = json.dumps(reply)
    if FAULT == "abort":
        print("assertion failed: weights != NULL", file=sys.stderr, flush=True)
        os.abort()
    elif FAULT == "shell-crash":
        os._exit(128 + signal.SIGSEGV)
    elif FAULT == "exit":
        sys.exit(3)
    elif FAULT == "quiet-exit":
        sys.exit(0)
    elif FAULT == "hang":
        time.sleep(600)
    elif FAULT == "abort-with-children":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print(f"child {child.pid}", file=sys.stderr, flush=True)
        os.abort()
    elif FAULT == "exit-after-reply":
        say(text + "\n")
        os._exit(3)
    elif FAULT == "farewell":
        say(text + "\ngood\nbye\n")
    elif FAULT == "deaf":
        say(text + "\n")
        time.sleep(600)
    elif FAULT == "noise":
        say("loading weights…\n" + text + "\n")
    elif FAULT == "not-utf8":
        sys.stdout.buffer.write(b"\xff\xfe\n")
        sys.stdout.flush()
    elif FAULT == "nan":
        say(text[:-1] + ', "loss": NaN}\n')
    elif FAULT == "array-not-object":
        say("[1, 2]\n")
    elif FAULT == "half-a-line":
        say(text[: len(text) // 2])
        sys.exit(0)
    elif FAULT == "no-newline":
        say(text)
        time.sleep(600)
    elif FAULT == "closed-output":
        os.close(1)
        time.sleep(600)
    elif FAULT == "flood":
        while True:
            say("noise\n" * 1000)
    else:
        say(json.dumps(spoilt(reply)) + "\n")


def spoilt(reply):
    if FAULT == "wrong-seq":
        return reply | {"seq": reply["seq"] + 1}
    if FAULT == "other-version":
        return reply | {"protocol": 2}
    if FAULT == "other-role":
        return reply | {"implementation": reply["implementation"] | {"role": "trainer"}}
    if FAULT == "missing-field":
        return {"seq": reply["seq"], "ok": True}
    if FAULT == "too-few-outputs":
        return reply | {"outputs": {"shape": [0, 1], "data": ""}}
    if FAULT == "short-data":
        return reply | {"outputs": {"shape": [1, 1], "data": "AACA"}}
    if FAULT == "not-base64":
        return reply | {"outputs": {"shape": [1, 1], "data": "!!!!!!!!"}}
    if FAULT == "host-noise":
        return reply | {"noise": "printed by the library"}
    if FAULT == "internal":
        return {
            "seq": reply["seq"],
            "ok": False,
            "error": {"phase": "internal", "message": "disk on fire", "class": "OSError"},
        }
    raise SystemExit(f"no fault called {FAULT}")


for line in sys.stdin:
    request = json.loads(line)
    reply = {"seq": request["seq"], "ok": True, **REPLIES.get(request["op"], {})}
    if request["op"] == OP:
        go_wrong(reply)
    else:
        say(json.dumps(reply) + "\n")
    if request["op"] == "quit":
        break
