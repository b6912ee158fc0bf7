"""A trainer as a stranger writes it: one PyTorch script, connected as cmd:python3 plain_trainer.py.

It trains two of the five models, one of them recurrent, on a folder of MIDI files with labels.json, and needs torch,
safetensors and mido. Nothing of rtconform is imported.
"""

import hashlib
import json
import os
import random

import mido
import torch
from safetensors.torch import save
from stdio_loop import Refusal, say, serve
from torch import nn

RATE, HOP, FRAMES = 22050, 512, 16
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "": lambda x: x}
MODELS = {
    "DynamicsEngine": {
        "layers": [("dense", 32, 128, "relu"), ("dense", 128, 64, "relu"), ("dense", 64, 16, "sigmoid")],
        "loss": nn.functional.mse_loss,
    },
    "MelodyTransformer": {
        "layers": [
            ("dense", 64, 256, "relu"),
            ("lstm", 256, 256, ""),
            ("dense", 256, 256, "relu"),
            ("dense", 256, 128, "sigmoid"),
        ],
        "loss": nn.functional.binary_cross_entropy,
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
        dataset = result["datasets"].get(entry.get("dataset"))
        if dataset is None:
            refuse(f"$.models.{name}.dataset", f"one of {', '.join(result['datasets'])}", entry.get("dataset"))
        if dataset["kind"] != "midi-folder":
            refuse(f"$.datasets.{entry['dataset']}.kind", "midi-folder", dataset["kind"])
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


def frames_of(item):
    count = int(max(note[1] for note in item["notes"]) * RATE / HOP) // FRAMES * FRAMES
    generator = torch.Generator().manual_seed(int(hashlib.sha256(item["name"].encode()).hexdigest()[:8], 16))
    wander = 0.35 * torch.randn(count, 2, generator=generator)
    return (torch.tensor(item["emotion"]) + wander).clamp(-1, 1)


def melody(item):
    heard = frames_of(item)
    roll = torch.zeros(len(heard), 128)
    for begin, end, pitch, _ in item["notes"]:
        roll[max(int(begin * RATE / HOP) - 1, 0) : int(end * RATE / HOP), pitch] = 1.0
    return heard.repeat_interleave(32, dim=1), roll


def dynamics(item):
    heard = frames_of(item)
    velocities = torch.tensor([note[3] / 127 for note in item["notes"]])
    lengths = torch.tensor([min(note[1] - note[0], 1.0) for note in item["notes"]])
    profile = torch.cat([velocities.mean().repeat(8), lengths.mean().repeat(8)])
    return heard.repeat_interleave(16, dim=1), profile.repeat(len(heard), 1)


def sequences(name, items):
    make = {"MelodyTransformer": melody, "DynamicsEngine": dynamics}[name]
    pairs = [make(item) for item in items]
    return [torch.cat(parts).unflatten(0, (-1, FRAMES)) for parts in zip(*pairs, strict=True)]


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


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.kinds = layers
        kinds = {"dense": nn.Linear, "lstm": lambda i, o: nn.LSTM(i, o, batch_first=True)}
        self.parts = nn.ModuleList([kinds[kind](inputs, outputs) for kind, inputs, outputs, _ in layers])

    def forward(self, x):
        for (kind, _, _, activation), part in zip(self.kinds, self.parts, strict=True):
            x = part(x)[0] if kind == "lstm" else part(x)
            x = ACTIVATIONS[activation](x)
        return x


def write(path, data):
    with open(path + ".tmp", "wb") as file:
        file.write(data)
    os.replace(path + ".tmp", path)


def train_model(name, config, items, folder, progress):
    training, stopping = config["training"], config["training"]["early_stopping"]
    sides = split(items, config["seed"])
    inputs, targets = sequences(name, sides["training"])
    held_inputs, held_targets = sequences(name, sides["validation"])
    torch.manual_seed(config["seed"])
    net, loss_of = Net(MODELS[name]["layers"]), MODELS[name]["loss"]
    optimizer = torch.optim.Adam(net.parameters(), lr=training["learning_rate"])
    done = {"epoch": 0, "history": [], "best_loss": float("inf"), "waited": 0}
    best = {key: value.clone() for key, value in net.state_dict().items()}
    checkpoint = os.path.join(folder, f"{name.lower()}.pt")
    made_by = json.dumps([training["learning_rate"], training["batch_size"], stopping, config["seed"]])
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
        net.train()
        for batch in torch.randperm(len(inputs), generator=generator).split(training["batch_size"]):
            optimizer.zero_grad()
            loss = loss_of(net(inputs[batch]), targets[batch])
            loss.backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            validation = float(loss_of(net(held_inputs), held_targets))
        done["waited"] = 0 if validation < done["best_loss"] * (1 - stopping["min_delta"]) else done["waited"] + 1
        if validation < done["best_loss"]:
            done["best_loss"] = validation
            best = {key: value.clone() for key, value in net.state_dict().items()}
        line = {"epoch": done["epoch"], "loss": float(loss), "validation_loss": validation}
        done["history"].append(line)
        state = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
        torch.save({**state, "done": done, "made_by": made_by}, checkpoint + ".tmp")
        os.replace(checkpoint + ".tmp", checkpoint)
        progress({"model": name, **line})
    net.load_state_dict(best)
    write(os.path.join(folder, f"{name.lower()}.json"), json.dumps(exported(net)).encode())
    held_out = {"inputs": held_inputs.contiguous(), "targets": held_targets.contiguous()}
    write(os.path.join(folder, f"{name.lower()}.validation.safetensors"), save(held_out))
    return {
        "validation_loss": done["best_loss"],
        "history": done["history"],
        "items": {side: [item["name"] for item in members] for side, members in sides.items()},
    }


def exported(net):
    layers = []
    for (kind, _, outputs, activation), part in zip(net.kinds, net.parts, strict=True):
        if kind == "lstm":
            weights = [part.weight_ih_l0.T, part.weight_hh_l0.T, part.bias_ih_l0 + part.bias_hh_l0]
        else:
            weights = [part.weight.T, part.bias]
        arrays = [array.detach().tolist() for array in weights]
        layers.append({"type": kind, "activation": activation, "shape": [None, None, outputs], "weights": arrays})
    return {"in_shape": [None, None, net.kinds[0][1]], "layers": layers}


# ---- the protocol


def train(request):
    config, folder = checked(request["config"]), request["out_dir"]
    data = {name: read_folder(config["datasets"][e["dataset"]]["path"]) for name, e in config["models"].items()}
    os.makedirs(folder, exist_ok=True)
    metrics = {}
    for name, (items, left_out) in data.items():
        metrics[name] = train_model(
            name, config, items, folder, lambda line: say({"seq": request["seq"], "progress": line})
        )
        metrics[name]["left_out"] = left_out
    write(os.path.join(folder, "metrics.json"), json.dumps({"models": metrics}).encode())
    return {"metrics": {"models": metrics}}


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    serve(
        {
            "name": "plain-trainer",
            "version": "1.0",
            "role": "trainer",
            "features": [*MODELS, "best_weights", "early_stopping", "resume"],
        },
        {"train": train},
    )
