"""The plugin core's library finds the loader that lies beside it, and is judged under that loader's name."""

import pytest

from rtconform.harness.implementations import connect
from rtconform.reference_models import loaders, plugin_library
from rtconform.reference_models.errors import NotAvailable


@pytest.mark.parametrize(
    ("name", "loader", "numeric_class"),
    [
        ("plugin-core", "rtneural-checked", "f32"),
        ("plugin-core-stl", "rtneural-stl", "f32"),
        ("plugin-core-eigen", "rtneural-eigen", "f32"),
        ("plugin-core-xsimd", "rtneural-xsimd", "f32"),
        ("plugin-core-compact-f32", "compact-f32", "f32"),
        ("plugin-core-compact-f16", "compact-f16", "f16"),
        ("plugin-core-compact-i8", "compact-i8", "i8-dynamic"),
    ],
)
def test_a_pipeline_for_each_loader(name, loader, numeric_class):
    """Named after its loader, whose class is its own; its identity changes with the loader's build."""
    declared = connect(name, "pipeline").declaration
    assert declared.name == f"plugin-core-{loader}"
    assert declared.numeric_class == numeric_class
    others = {connect(each, "pipeline").declaration.build["source_hash"] for each in ("plugin-core", "plugin-core-stl")}
    assert len(others) == 2
    assert len(declared.build["source_hash"]) == 64


def test_a_bundle_is_made_once():
    """The second time it is there."""
    first = plugin_library.bundle(loaders.library("stl"))
    made = first.stat().st_mtime_ns
    assert plugin_library.bundle(loaders.library("stl")) == first
    assert first.stat().st_mtime_ns == made
    assert [path.name for path in (first.parent / "loaders").iterdir()] == ["librtneural_stl.so"]


def test_without_the_native_half_it_says_what_to_do(monkeypatch):
    """One sentence, and no traceback further down."""
    monkeypatch.setattr(plugin_library.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotAvailable, match="is not built; install rtconform"):
        plugin_library.bundle(loaders.library("stl"))
