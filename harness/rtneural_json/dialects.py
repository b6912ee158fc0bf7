"""JSON files that share the extension with RTNeural JSON and are something else."""

from .faults import Findings, describe

_EXPECTED = 'an RTNeural JSON model: {"in_shape": […], "layers": […]}'
_AIDA_X_KEYS = {"in_skip", "input_batch", "output_batch", "metadata"}


def reject_foreign(tree: object, findings: Findings) -> bool:
    """Report a file that is no RTNeural JSON at all by what it is, and say whether it was one."""
    kind = _kind(tree)
    if kind is None:
        return False
    found, hint = kind
    findings.fault("$", _EXPECTED, found, hint)
    return True


def _kind(tree: object) -> tuple[str, str] | None:
    if not isinstance(tree, dict):
        return describe(tree), "the whole file is one object"
    if "layers" in tree or "in_shape" in tree:
        return None
    keys = set(tree)
    if {"model_data", "state_dict"} <= keys:
        return (
            "a GuitarML file (model_data and state_dict)",
            "rebuild the torch module from model_data, load the state_dict, export that",
        )
    if {"architecture", "config", "weights"} <= keys:
        return (
            "a Neural Amp Modeler file (architecture, config, weights)",
            "it can't be converted: WaveNet and its kin have no layer types here",
        )
    if "class_name" in keys or {"config", "keras_version"} <= keys:
        return "a Keras model description", "it holds no weights: export the model with its weights"
    tensors = [key for key, value in tree.items() if _is_tensor_name(key) and isinstance(value, (list, int, float))]
    if 2 * len(tensors) > len(tree):
        return (
            f"a raw PyTorch state_dict ({tensors[0][:40]!a}, …)",
            "load it into its torch module and export that module",
        )
    return None


def _is_tensor_name(key: str) -> bool:
    last = key.rpartition(".")[2]
    return last.startswith(("weight", "bias", "running_", "num_batches")) or "." in key


def note_extras(tree: dict, findings: Findings) -> None:
    """Say which keys of the file nobody reads, and what they mean where we know it."""
    extras = [key for key in tree if key not in ("in_shape", "layers")]
    if _AIDA_X_KEYS & set(extras):
        findings.note(
            "$", f"an AIDA-X file: RTNeural ignores its {', '.join(key for key in extras if key in _AIDA_X_KEYS)}"
        )
        if tree.get("in_skip"):
            findings.note("$.in_skip", "AIDA-X adds the input to the output; the model that is judged here doesn't")
        extras = [key for key in extras if key not in _AIDA_X_KEYS]
    if extras:
        listed = ", ".join(ascii(key[:40]) for key in extras[:8])
        findings.note(
            "$", f"keys that nobody reads: {listed}" + (f" and {len(extras) - 8} more" if len(extras) > 8 else "")
        )
