"""What a crash leaves: requests that crash again, with the files that they name, also after the run has cleaned up."""

import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rtconform.harness import crash_files

CRASHES = "import sys, json, os\nfor line in sys.stdin:\n    os.path.getsize(json.loads(line)['path'])\nos.abort()"
COMMAND = shlex.join([sys.executable, "-c", CRASHES])


def kept(folder, *requests, command=COMMAND):
    lines = tuple(json.dumps(request) for request in requests)
    return crash_files.keep(folder, "LDR-LOAD-VALID[mine-some/lstm]", {"command": command, "requests": lines})


def test_the_requests_crash_again_after_their_files_are_gone(tmp_path):
    """A temporary file is copied and named by its copy; the order of the requests stays."""
    model = tmp_path / "model.json"
    model.write_text("{}")
    evidence = kept(tmp_path / "out", {"op": "load", "path": str(model)}, {"op": "measure_memory", "path": "/"})
    model.unlink()

    assert evidence["requests"] == str(tmp_path / "out/crashes/LDR-LOAD-VALID-mine-some-lstm/requests.jsonl")
    with Path(evidence["requests"]).open(encoding="utf-8") as requests:
        again = subprocess.run(shlex.split(COMMAND), stdin=requests, check=False)
    assert again.returncode == -6


def test_the_line_for_gdb_feeds_the_requests(tmp_path):
    """As one argument of gdb's `-ex`, whatever the folder is called."""
    words = shlex.split(kept(tmp_path / "my out", {"op": "quit"})["gdb"])
    assert words[:2] == ["gdb", "-ex"]
    assert shlex.split(words[2]) == ["run", "<", str(next((tmp_path / "my out/crashes").glob("*/requests.jsonl")))]
    assert words[3] == "--args"
    assert shlex.join(words[4:]) == COMMAND


def test_lists_of_files_are_copied_and_files_that_stay_are_not(tmp_path, monkeypatch):
    """Only temporary files end with the run; what is missing keeps its name."""
    temporary = tmp_path / "temporary"
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    first, other, missing, stays = (temporary / name for name in ("a.json", "other/a.json", "b.json", "../kept.json"))
    other.parent.mkdir(parents=True)
    stays.write_text("c")
    first.write_text("a")
    other.write_text("b")
    given = [str(first), str(other), str(missing), str(stays)]
    evidence = kept(tmp_path / "out", {"op": "measure_memory", "paths": given, "others": [[str(first)], []]})
    request = json.loads(Path(evidence["requests"]).read_text(encoding="utf-8"))
    paths = request["paths"]
    assert request["others"] == [paths[:1], []]
    assert [Path(path).read_text(encoding="utf-8") for path in paths[:2]] == ["a", "b"]
    assert {Path(path).parent for path in paths[:2]} == {Path(evidence["requests"]).parent}
    assert paths[2:] == given[2:]


def test_a_failure_without_a_process_leaves_nothing(tmp_path):
    """Its evidence comes back as it is; without requests there is still a line for gdb."""
    assert crash_files.keep(tmp_path, "item", {"got": 1}) == {"got": 1}
    assert crash_files.keep(tmp_path, "item", {"command": "host --x"})["gdb"] == "gdb --args host --x"
    assert not list(tmp_path.iterdir())
