"""A trainer as a stranger writes it: one PyTorch script, connected as cmd:python3 plain_trainer.py.

It trains two of the five models, one of them recurrent, on a folder of MIDI files with labels.json, and needs torch,
safetensors and mido. Nothing of rtconform is imported. torch is, where it is needed: it takes its time, and a refusal
comes without.
"""

import hashlib
import json
import os
import random

import mido
import numpy as np
from safetensors.numpy import save
from stdio_loop import Refusal, say, serve

RATE, HOP, FRAMES = 22050, 512, 16
MODELS = {
    "DynamicsEngine": {
        "layers": [("dense", 32, 128, "relu"), ("dense", 128, 64, "relu"), ("dense", 64, 16, "sigmoid")],
        "loss": "mse_loss",
    },
    "MelodyTransformer": {
        "layers": [
            ("dense", 64, 256, "relu"),
            ("lstm", 256, 256, ""),
            ("dense", 256, 256, "relu"),
            ("dense", 256, 128, "sigmoid"),
        ],
        "loss": "binary_cross_entropy",
    },
}
DEFAULTS = {
    "training": {
        "epochs": 20,
        "learning_rate": 0.001,
        "batch_size": 16,
        "early_stopping": {"enabled": True, "patience": 5, "min_delta": 0.0},
    },
    "models": {name: {"dataset": "midi"} for name in MODELS},
    "datasets": {},
    "seed": 0,
    "device": "cpu",
    "resume": False,
}


def refuse(where, expected, found):
    raise Refusal("config", f"{where}: expected {expected}, found {found!r}", name="ConfigError")


# ---- the config


def merged(default, given, where):
    if not isinstance(given, dict):
        refuse(where, "an object", given)
    result = dict(default)
    for key, value in given.items():
        if key not in default:
            refuse(f"{where}.{key}", f"one of {', '.join(default)}", key)
        result[key] = merged(default[key], value, f"{where}.{key}") if isinstance(default[key], dict) else value
    return result


def checked(config):
    given = {key: value for key, value in config.items() if key not in ("models", "datasets")}
    result = merged(DEFAULTS, given, "$")
    training = result["training"]
    for key in ("epochs", "batch_size"):
        if type(training[key]) is not int or training[key] < 1:
            refuse(f"$.training.{key}", "a whole number above 0", training[key])
    if not (isinstance(training["learning_rate"], float) and 0 < training["learning_rate"] < 1):
        refuse("$.training.learning_rate", "a number between 0 and 1", training["learning_rate"])
    if type(result["seed"]) is not int or result["seed"] < 0:
        refuse("$.seed", "a whole number", result["seed"])
    if result["device"] not in ("cpu", "auto"):
        refuse("$.device", "cpu", result["device"])
    result["models"], result["datasets"] = config.get("models", DEFAULTS["models"]), config.get("datasets", {})
    for name, entry in result["models"].items():
        if name not in MODELS:
            refuse(f"$.models.{name}", f"one of {', '.join(MODELS)}", name)
        merged({"dataset": ""}, entry, f"$.models.{name}")
        dataset = result["datasets"].get(entry.get("dataset"))
        if dataset is None:
            refuse(f"$.models.{name}.dataset", f"one of {', '.join(result['datasets'])}", entry.get("dataset"))
        if dataset["kind"] != "midi-folder":
            refuse(f"$.datasets.{entry['dataset']}.kind", "midi-folder", dataset["kind"])
    for name, entry in result["datasets"].items():
        merged({"kind": "", "path": ""}, entry, f"$.datasets.{name}")
    return result


# ---- the data


def read_folder(folder):
    """[{name, composition, content, emotion, notes}], [(name, why it was left out)]"""
    table = os.path.join(folder, "labels.json")
    try:
        with open(table, encoding="utf-8") as file:
            labels = json.load(file)
    except (OSError, ValueError) as error:
        refuse(table, "labels of the files", str(error))
    items, left_out = [], []
    for name, entry in sorted(labels.items()):
        emotion = [entry["emotion"][key] for key in ("valence", "arousal")]
        if not all(-1 <= value <= 1 for value in emotion):
            left_out.append((name, f"a label outside [-1, 1]: {emotion}"))
            continue
        try:
            with open(os.path.join(folder, name), "rb") as file:
                content = hashlib.sha256(file.read()).hexdigest()
            notes = read_notes(os.path.join(folder, name))
        except Exception as error:
            left_out.append((name, str(error)))
            continue
        composition = entry.get("composition", name)
        items.append({"name": name, "composition": composition, "content": content, "emotion": emotion, "notes": notes})
    if not items:
        refuse(folder, "MIDI files to train on", left_out[:2])
    return items, left_out


def read_notes(path):
    """[(begin, end, pitch, velocity)] in seconds"""
    now, sounding, notes = 0.0, {}, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on" and message.velocity:
            sounding[message.note] = (now, message.velocity)
        elif message.type in ("note_on", "note_off") and message.note in sounding:
            begin, velocity = sounding.pop(message.note)
            notes.append((begin, now, message.note, velocity))
    if not notes:
        raise ValueError("no notes")
    return notes


def heard(item, width):
    """The emotion as a recogniser might hear it, frame by frame, each of its two dims as often as is wanted."""
    count = int(max(note[1] for note in item["notes"]) * RATE / HOP) // FRAMES * FRAMES
    generator = np.random.default_rng(int(hashlib.sha256(item["name"].encode()).hexdigest()[:8], 16))
    wander = generator.normal(0, 0.35, (count, 2))
    return np.repeat(np.clip(np.array(item["emotion"]) + wander, -1, 1), width, axis=1)


def melody(item):
    inputs = heard(item, 32)
    roll = np.zeros((len(inputs), 128))
    for begin, end, pitch, _ in item["notes"]:
        roll[max(int(begin * RATE / HOP) - 1, 0) : int(end * RATE / HOP), pitch] = 1
    return inputs, roll


def dynamics(item):
    inputs = heard(item, 16)
    loudness = np.mean([note[3] / 127 for note in item["notes"]])
    length = np.mean([min(note[1] - note[0], 1.0) for note in item["notes"]])
    return inputs, np.tile(np.repeat([loudness, length], 8), (len(inputs), 1))


def sequences(name, items):
    make = {"MelodyTransformer": melody, "DynamicsEngine": dynamics}[name]
    inputs, targets = (np.concatenate(arrays) for arrays in zip(*map(make, items), strict=True))
    return [array.astype("f4").reshape(-1, FRAMES, array.shape[1]) for array in (inputs, targets)]


def split(items, seed):
    """Whole families, joined by a composition or by the content of a file."""
    family = {}
    for item in items:
        keys = {item["composition"], item["content"]}
        joined = set().union(keys, *(family[key] for key in keys if key in family))
        family.update(dict.fromkeys(joined, joined))
    groups = sorted({min(family[item["composition"]]) for item in items})
    random.Random(seed).shuffle(groups)
    held_out = set(groups[: max(len(groups) // 5, 1)])
    sides = {"training": [], "validation": []}
    for item in items:
        sides["validation" if min(family[item["composition"]]) in held_out else "training"].append(item)
    if not all(sides.values()):
        refuse("the data set", "files of two compositions at least", len(groups))
    return sides


# ---- the training


def build(layers):
    """The parts of a model, and a function that runs frames [N, T, in] through them."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    kinds = {"dense": nn.Linear, "lstm": lambda i, o: nn.LSTM(i, o, batch_first=True)}
    activations = {"relu": torch.relu, "sigmoid": torch.sigmoid, "": lambda x: x}
    parts = nn.ModuleList([kinds[kind](inputs, outputs) for kind, inputs, outputs, _ in layers])

    def forward(x):
        for (kind, _, _, activation), part in zip(layers, parts, strict=True):
            x = activations[activation](part(x)[0] if kind == "lstm" else part(x))
        return x

    return parts, forward


def write(path, data):
    with open(path + ".tmp", "wb") as file:
        file.write(data)
    os.replace(path + ".tmp", path)


def train_model(name, config, sides, folder, progress):
    import torch

    training, stopping = config["training"], config["training"]["early_stopping"]
    inputs, targets = map(torch.from_numpy, sequences(name, sides["training"]))
    held_out = sequences(name, sides["validation"])
    held_inputs, held_targets = map(torch.from_numpy, held_out)
    torch.manual_seed(config["seed"])
    net, forward = build(MODELS[name]["layers"])
    loss_of = getattr(torch.nn.functional, MODELS[name]["loss"])
    optimizer = torch.optim.Adam(net.parameters(), lr=training["learning_rate"])
    done = {"epoch": 0, "history": [], "best_loss": float("inf"), "waited": 0}
    best = {key: value.clone() for key, value in net.state_dict().items()}
    checkpoint = os.path.join(folder, f"{name.lower()}.pt")
    data = hashlib.sha256(json.dumps(sides).encode()).hexdigest()
    made_by = json.dumps([training["learning_rate"], training["batch_size"], stopping, config["seed"], data])
    if config["resume"] and os.path.exists(checkpoint):
        saved = torch.load(checkpoint)
        if saved["made_by"] != made_by:
            refuse("$.resume", f"the config of {checkpoint}", made_by)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        done, best = saved["done"], saved["best"]
    while done["epoch"] < training["epochs"] and not (stopping["enabled"] and done["waited"] >= stopping["patience"]):
        done["epoch"] += 1
        generator = torch.Generator().manual_seed(1000 * config["seed"] + done["epoch"])
        for batch in torch.randperm(len(inputs), generator=generator).split(training["batch_size"]):
            optimizer.zero_grad()
            loss = loss_of(forward(inputs[batch]), targets[batch])
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            validation = float(loss_of(forward(held_inputs), held_targets))
        done["waited"] = 0 if validation < done["best_loss"] * (1 - stopping["min_delta"]) else done["waited"] + 1
        if validation < done["best_loss"]:
            done["best_loss"] = validation
            best = {key: value.clone() for key, value in net.state_dict().items()}
        line = {"epoch": done["epoch"], "loss": float(loss.detach()), "validation_loss": validation}
        done["history"].append(line)
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
        torch.save({**state, "done": done, "made_by": made_by}, checkpoint + ".tmp")
        os.replace(checkpoint + ".tmp", checkpoint)
        progress({"model": name, **line})
    net.load_state_dict(best)
    write(os.path.join(folder, f"{name.lower()}.json"), json.dumps(exported(MODELS[name]["layers"], net)).encode())
    arrays = dict(zip(("inputs", "targets"), held_out, strict=True))
    write(os.path.join(folder, f"{name.lower()}.validation.safetensors"), save(arrays))
    return {
        "validation_loss": done["best_loss"],
        "history": done["history"],
        "items": {side: [item["name"] for item in members] for side, members in sides.items()},
    }


def exported(layers, net):
    described = []
    for (kind, _, outputs, activation), part in zip(layers, net, strict=True):
        if kind == "lstm":
            weights = [part.weight_ih_l0.T, part.weight_hh_l0.T, part.bias_ih_l0 + part.bias_hh_l0]
        else:
            weights = [part.weight.T, part.bias]
        arrays = [array.detach().tolist() for array in weights]
        described.append({"type": kind, "activation": activation, "shape": [None, None, outputs], "weights": arrays})
    return {"in_shape": [None, None, layers[0][1]], "layers": described}


# ---- the protocol


def train(request):
    config, folder, seq = checked(request["config"]), request["out_dir"], {"seq": request["seq"]}
    data = {name: read_folder(config["datasets"][e["dataset"]]["path"]) for name, e in config["models"].items()}
    sides = {name: split(items, config["seed"]) for name, (items, _) in data.items()}
    os.makedirs(folder, exist_ok=True)
    metrics = {}
    for name, (_, left_out) in data.items():
        metrics[name] = train_model(name, config, sides[name], folder, lambda line: say({**seq, "progress": line}))
        metrics[name]["left_out"] = left_out
    write(os.path.join(folder, "metrics.json"), json.dumps({"models": metrics}).encode())
    return {"metrics": {"models": metrics}}


if __name__ == "__main__":
    serve(
        {
            "name": "plain-trainer",
            "version": "1.0",
            "role": "trainer",
            "features": [*MODELS, "best_weights", "early_stopping", "resume"],
        },
        {"train": train},
    )
