"""A pipeline that gives each frame back at the next poll, connected as py:echo_pipeline:EchoPipeline."""

import os


class EchoPipeline:
    declares = {"name": "echo-pipeline", "version": "1"}

    def open(self, models_dir):
        return Live(sorted(os.listdir(models_dir)))


class Live:
    def __init__(self, names):
        self.names = names
        self.waiting = []
        self.closed = False

    def submit(self, frame_id, audio):
        outputs = dict.fromkeys(self.names, audio[:4])
        self.waiting.append({"id": frame_id, "outputs": outputs, "fallback": dict.fromkeys(self.names, False)})

    def poll(self):
        ready, self.waiting = self.waiting, []
        return ready

    def reload(self, name=None):
        if name is not None and name not in self.names:
            raise KeyError(name)

    def status(self):
        return {name: {"state": "loaded", "reason": ""} for name in self.names}

    def close(self):
        self.closed = True
