"""A trainer of one weight by gradient descent, connected as py:toy_trainer:ToyTrainer."""

import json
import os


class ConfigError(Exception):
    pass


class ToyTrainer:
    declares = {"name": "toy-trainer", "version": "0.1"}

    def train(self, config, out_dir, progress=None):
        unknown = set(config) - {"epochs", "learning_rate"}
        if unknown:
            raise ConfigError(f"unknown key {min(unknown)!r}; known: epochs, learning_rate")
        weight, loss = 0.0, 4.0
        for epoch in range(config["epochs"]):
            weight -= config["learning_rate"] * 2 * (weight - 2.0)
            loss = (weight - 2.0) ** 2
            if progress:
                progress({"model": "toy", "epoch": epoch, "loss": loss})
        os.makedirs(out_dir, exist_ok=True)
        with open(os.path.join(out_dir, "toy.json"), "w") as file:
            json.dump({"weight": weight}, file)
        return {"loss": loss}
