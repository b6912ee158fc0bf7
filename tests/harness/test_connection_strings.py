"""From a connection string to an implementation, or to a sentence that says what to write instead."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rtconform.harness.implementations import (
    BadConnection,
    Crashed,
    Declaration,
    NotAvailable,
    Raised,
    adopt,
    connect,
)
from rtconform.harness.implementations.roles import cut

STRANGERS = Path(__file__).with_name("strangers")


@pytest.fixture(autouse=True)
def _strangers_can_be_imported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(STRANGERS))


class TestConnecting:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nothing-like-this", "expected: py:package.module:factory, abi:path/lib.so, cmd:program"),
            ("mine/build/libmine.so", "did you mean abi:mine/build/libmine.so?"),
            ("numpy_loader:NumpyLoader", "did you mean py:numpy_loader:NumpyLoader?"),
            ("cat --flag", "did you mean cmd:cat --flag?"),
            ("py:numpy_loader", "no factory behind a second colon"),
            ("py:numpy_loader:NumpyLoadr", "did you mean NumpyLoader?"),
            ("py:no_such_module:factory", "no module named no_such_module"),
            ("py:json:dumps.nothing", "dumps.nothing in the module json"),
            ("py:toy_trainer:ToyTrainer", "an object with a method load"),
            ("abi:no/such/lib.so", "no file at"),
            ("abi:.", "a folder at"),
            ("cmd:", "a program after cmd:"),
            ("cmd:python3 'unfinished", "No closing quotation"),
        ],
    )
    def test_texts_that_lead_nowhere_say_what_to_do(self, text: str, message: str):
        """A connection string that can't be followed is answered with what was expected, and the nearest that works."""
        with pytest.raises(BadConnection) as caught:
            connect(text, "loader")
        assert message in str(caught.value)

    def test_an_unknown_role_is_our_own_mistake(self):
        """Roles are a closed list."""
        with pytest.raises(ValueError, match="role must be one of loader, exporter"):
            connect("py:numpy_loader:NumpyLoader", "singer")

    @pytest.fixture
    def registered(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """Write an installed package with entry points and a module stranger_names behind them."""

        def register(source: str, **names: str) -> None:
            info = tmp_path / "stranger-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
            lines = [f"{name.replace('_', '-')} = {target}" for name, target in names.items()]
            (info / "entry_points.txt").write_text("\n".join(["[rtconform.implementations]", *lines]))
            (tmp_path / "stranger_names.py").write_text(source)
            monkeypatch.delitem(sys.modules, "stranger_names", raising=False)
            monkeypatch.syspath_prepend(str(tmp_path))

        yield register
        sys.modules.pop("stranger_names", None)

    def test_a_name_stands_for_a_text(self, registered):
        """An entry point may return a connection string; the name stays what the user gave."""
        registered("def mine(): return 'py:numpy_loader:NumpyLoader'", numpy_mine="stranger_names:mine")
        loader = connect("numpy-mine", "loader")
        assert (loader.connection, loader.declaration.name) == ("numpy-mine", "numpy-stranger")

    def test_a_name_stands_for_an_object(self, registered):
        """An entry point may return the implementation itself."""
        registered("from numpy_loader import NumpyLoader as mine", numpy_mine="stranger_names:mine")
        assert connect("numpy-mine", "loader").declaration.identity == "numpy-stranger 0.3 (loader; f32)"

    def test_a_name_that_is_nearly_right_is_told(self, registered):
        """A misspelt name is answered with the one that was meant."""
        registered("", numpy_mine="stranger_names:mine")
        with pytest.raises(BadConnection, match="did you mean numpy-mine"):
            connect("numpy-mein", "loader")

    def test_what_is_not_available_says_why(self, registered):
        """A factory that raises NotAvailable, of whatever module, is not available and no failure."""
        source = "class NotAvailable(Exception): pass\ndef mine(): raise NotAvailable('needs an Atari')"
        registered(source, atari="stranger_names:mine")
        with pytest.raises(NotAvailable, match="atari is not available here: needs an Atari"):
            connect("atari", "loader")

    def test_a_missing_dependency_makes_it_not_available(self, registered):
        """A module that imports what is not installed is told by the name of what is missing."""
        registered("import no_such_dependency", mine="stranger_names:mine")
        with pytest.raises(NotAvailable, match="needs the module no_such_dependency"):
            connect("mine", "loader")

    def test_a_factory_that_fails_is_reported_as_a_failure(self, registered):
        """Any other exception of a factory keeps its own words."""
        registered("def mine(): return 1 / 0", mine="stranger_names:mine")
        with pytest.raises(Raised, match="raised ZeroDivisionError in connect"):
            connect("mine", "loader")

    def test_a_name_cannot_stand_for_another_name(self, registered):
        """Names don't chain, so they can't go in circles."""
        registered("def mine(): return 'mine'", mine="stranger_names:mine")
        with pytest.raises(BadConnection, match="from the entry point mine"):
            connect("mine", "loader")


class TestDeclarations:
    GOOD: Mapping[str, Any] = {"name": "mine", "version": "1", "role": "loader", "layer_types": ["dense"]}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"name": ""}, "name must be a text that is not empty, not ''"),
            ({"version": 3}, "version must be a text that is not empty, not 3"),
            ({"role": "singer"}, "role must be one of loader, exporter, trainer, pipeline, not 'singer'"),
            ({"layer_types": "dense"}, "layer_types must be a list of texts, not 'dense'"),
            ({"features": [1]}, "features must be a list of texts, not [1]"),
            ({"build": {"flags": None}}, "build must map texts to texts"),
            ({"layer_type": []}, "unknown key 'layer_type'; did you mean 'layer_types'?"),
        ],
    )
    def test_mistakes_are_told_with_what_was_expected(self, change: dict[str, Any], message: str):
        """Each key that makes no sense is named with what it should be."""
        with pytest.raises(ValueError, match=re.escape(message)):
            Declaration.from_dict({**self.GOOD, **change})

    def test_a_declaration_survives_the_wire(self):
        """Written and read again it is the same."""
        declaration = Declaration.from_dict({**self.GOOD, "build": {"compiler": "g++ 12", "source_hash": "abc"}})
        assert Declaration.from_dict(declaration.to_dict()) == declaration

    def test_the_identity_tells_builds_apart(self):
        """Compiler, flags and source hash are part of who it is."""
        build = {"compiler": "g++ 12.2", "flags": "-O3", "source_hash": "0123456789abcdef"}
        identity = Declaration.from_dict({**self.GOOD, "build": build}).identity
        assert identity == "mine 1 (loader; f32; g++ 12.2; -O3; source 0123456789ab)"

    def test_declaring_nothing_shows(self):
        """A loader without layer types is allowed, and visible as one."""
        declaration = Declaration.from_dict({"name": "shy", "version": "1"}, role="loader")
        assert declaration.declares_nothing and "declares no layer types" in declaration.identity

    def test_an_object_without_a_declaration_is_told_what_one_looks_like(self):
        """The message shows a declaration."""
        with pytest.raises(BadConnection, match="'layer_types': \\['dense'\\]"):
            adopt({"load": print}, "loader", "py:here:mine")


class TestCutting:
    def test_lengths_are_used_in_turn(self):
        """A schedule repeats until the signal is used up, and its last block is shortened."""
        assert list(cut(8, (3, 0, 2), 4096)) == [(0, 3), (3, 3), (3, 5), (5, 8)]

    @pytest.mark.parametrize("block", [0, -1, 65, (), (0, 0)])
    def test_impossible_lengths_are_refused(self, block: Any):
        """Lengths that never end, or that no model was prepared for, are refused with the limit."""
        with pytest.raises(ValueError, match="lengths from 0 to 64"):
            list(cut(8, block, 64))


def test_failures_survive_pickling():
    """A failure can be sent from a worker to its controller."""
    error = Crashed(who="mine", op="load", signal="SIGSEGV", returncode=-11, requests=("{}",))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), copy.evidence) == (Crashed, str(error), error.evidence)
