"""The model card that lies beside each export: all of it read from metrics.json, so that it says what was measured.

The headings follow Mitchell et al., Model Cards for Model Reporting (2019), as far as they mean something here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson

from ..specs import model_spec

Json = Mapping[str, object]


def render(metrics: Json, name: str) -> str:
    """The card of one model of a run, in Markdown; `metrics` is what metrics.json holds."""
    found = metrics["models"][name]
    parts = {
        "Training data": _data(metrics, name),
        "Quality": _quality(found),
        "Limits": _limits(found),
        "Provenance": _provenance(metrics, name),
    }
    return f"# {name}\n\n{_what_it_is(name)}\n" + "".join(f"\n## {head}\n\n{text}\n" for head, text in parts.items())


def _what_it_is(name: str) -> str:
    spec = model_spec(name)
    layers = " · ".join(f"{each.type} {each.input}→{each.output} {each.activation}".strip() for each in spec.layers)
    streaming = (
        "It is streaming: its state carries from frame to frame and is cleared where a piece begins."
        if any(layer.type == "lstm" for layer in spec.layers)
        else "It has no state: each frame stands for itself."
    )
    return (
        f"Outputs: {spec.outputs}. Input {spec.input_size} and output {spec.output_size} values per frame of 23.2 ms, "
        f"{spec.parameters_torch:,} parameters: {layers}. {streaming}"
    )


def _data(metrics: Json, name: str) -> str:
    found, config = metrics["models"][name], metrics["config"]
    dataset = config["datasets"][config["models"][name]["dataset"]]
    training, held_out = (found["items"][side] for side in ("training", "validation"))
    copies = _copies(training)
    varied = f", {copies} varied copies of them" if copies else ""
    return (
        f"`{dataset['path']}`, of kind `{dataset['kind']}`: {len(training) - copies} recordings to train on{varied} "
        f"and {len(held_out)} held out, no composition on both sides; {len(found['left_out'])} items were left out. "
        "Their names and the sha256 of each are in metrics.json."
    )


def _copies(ids: Sequence[str]) -> int:
    """How many of the items are varied copies of others: `#1` and so on stand behind the same name."""
    plain = set(ids)
    parts = (item.rpartition("#") for item in ids)
    return sum(number.isdecimal() and original in plain for original, _, number in parts)


def _quality(found: Json) -> str:
    losses = (
        f"Validation loss ({found['loss']}) {found['validation_loss']:.5g}, that of the best constant "
        f"{found['constant_loss']:.5g}; epoch {found['best_epoch']} of {found['epochs']}."
    )
    evaluation = found.get("evaluation")
    if not evaluation:
        return losses + " No further evaluation was made."
    rows = [
        f"| {_label(name, entry)} | "
        + " | ".join(_interval(entry[who]) for who in ("model", "constant", "linear", "gain_over_constant"))
        + " |"
        for name, entry in evaluation["metrics"].items()
    ]
    head = "| | model | best constant | linear baseline | gain over the constant |\n|---|---|---|---|---|"
    return (
        f"{losses}\n\n" + "\n".join([head, *rows]) + f"\n\nOn {evaluation['recordings']} held-out recordings, "
        f"{evaluation['frames']} frames, heard from their beginning. In brackets "
        f"{100 * evaluation['confidence']:g} % bootstrap intervals over recordings "
        f"({evaluation['resamples']} resamples). Constant and baseline ({evaluation['linear_baseline']}) were fitted "
        "to the training recordings."
    )


def _label(name: str, entry: Json) -> str:
    return f"{name} ({entry['unit']})" if entry["unit"] else name


def _interval(entry: Mapping[str, float | None]) -> str:
    """Value and interval, a dash where there is no number."""
    value, low, high = ("–" if entry[key] is None else f"{entry[key]:.3g}" for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _limits(found: Json) -> str:
    limits = [
        "It is as good as stated on music like that of its data set. Nothing is known of other music.",
        "The held-out recordings chose the best epoch as well, so the numbers lean to the good side a little.",
    ]
    for name, entry in found.get("evaluation", {}).get("metrics", {}).items():
        for other in ("constant", "linear"):
            if not (entry[f"gain_over_{other}"]["low"] or 0) > 0:
                whom = "the best constant" if other == "constant" else "the linear baseline"
                limits.append(f"In {name} it isn't clearly better than {whom}.")
    return "\n".join(f"* {limit}" for limit in limits)


def _provenance(metrics: Json, name: str) -> str:
    found, git = metrics["models"][name], metrics["git"]
    commit = "none" if git is None else git["commit"] + (", with changes" if git["changed"] else "")
    rows = {
        "weights, sha256": f"`{found['weights_sha256']}`",
        "exported file, sha256": f"`{found['export_sha256']}`",
        "config, sha256": f"`{metrics['config_sha256']}`",
        "seed": metrics["seed"],
        "device": f"{metrics['device']}, {metrics['processes']} process(es)",
        "git commit": commit,
        "versions": ", ".join(f"{package} {number}" for package, number in metrics["versions"].items()),
    }
    table = "\n".join(["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])
    config = {key: value for key, value in metrics["config"].items() if key not in ("models", "datasets")}
    model = metrics["config"]["models"][name]
    config["models"] = {name: model}
    config["datasets"] = {model["dataset"]: metrics["config"]["datasets"][model["dataset"]]}
    shown = orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()
    return f"{table}\n\nConfig:\n\n```json\n{shown}\n```"
