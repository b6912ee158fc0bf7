"""The gates of pull requests: every script in our files for GitHub Actions is run here, green and red."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from rtconform.harness.faulty.matrix import resolved
from rtconform.harness.paths import FIXTURES
from rtconform.reference_models.errors import NotAvailable
from rtconform.reference_models.loaders import rtneural_checked

from .docs.fences import blocks
from .github_actions import Done, Runner, bare_environment

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tools"
WORKFLOW = ROOT / ".github" / "workflows" / "conformance.yml"
ACTION = ROOT / "action.yml"
GUIDE = ROOT / "docs" / "PERFORMANCE.md"
STRANGERS = ROOT / "tests" / "harness" / "strangers"
HEADER = ROOT / "harness" / "native" / "include" / "rtconform" / "loader.h"
MODEL = FIXTURES / "models" / "small" / "dense-activations.json"
RIGHT = "tanhf(y[i])"
WRONG = "atanf(y[i])"
NOT_COPIED = (".*", "__pycache__", "build", "rtconform-report*", "rtconform-selftest", "*.egg-info")
PROGRAMS = Path(sys.executable).parent
COMPACT = Path("reference_models", "native", "loaders", "compact")


def load(text):
    return YAML(typ="safe").load(text)


def example() -> str:
    """The workflow that the guide shows to other repositories."""
    (block,) = [block for block in blocks(GUIDE) if block.language == "yaml"]
    return block.text


def conclusions(done: list[Done]) -> dict[str, str]:
    """{name: conclusion} of the steps that run something."""
    return {each.name: each.conclusion for each in done if "run" in each.step}


def said(done: list[Done]) -> str:
    return "\n".join(f"--- {each.name}: {each.conclusion} {each.exit_code}\n{each.said}" for each in done)


@pytest.fixture
def slower(tmp_path):
    """An environment in which each `rtconform compare` proves B slower, without any time being taken."""
    folder = tmp_path / "in-front"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        """import os, pathlib, sys
words = sys.orig_argv
if words[1:4] == ["-m", "rtconform", "compare"]:
    out = pathlib.Path(words[words.index("--out") + 1])
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.md").write_text("## rtconform compare: REGRESSION\\n\\nB is slower than A\\n")
    os._exit(1)
"""
    )
    return {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """{GitHub's schema: the files that have to be as it says}."""
    shown = tmp_path_factory.mktemp("guide") / "loader.yml"
    shown.write_text(example())
    return {"github-workflows": [WORKFLOW, shown], "github-actions": [ACTION]}


def complaints(schema: str, *paths: Path) -> str:
    """What a published schema of GitHub's files has against some of them."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


def test_the_files_are_as_github_wants_them(files, tmp_path):
    """By the schemas that come with check-jsonschema; a file with a slip in it is refused."""
    for schema, paths in files.items():
        assert complaints(schema, *paths) == ""
    slip = tmp_path / "slip.yml"
    slip.write_text(WORKFLOW.read_text().replace("runs-on:", "run-on:"))
    assert "runs-on" in complaints("github-workflows", slip)


def test_the_files_ask_for_no_rights(files):
    """They may read the repository, hold no secret, and use GitHub's own actions by their major version."""
    texts = [path.read_text() for paths in files.values() for path in paths]
    assert {use for text in texts for use in re.findall(r"uses: (\S+)", text)} == {
        *("actions/cache@v4", "actions/checkout@v4", "actions/setup-python@v5", "actions/upload-artifact@v4"),
        "OWNER/rtconform@main",
    }
    assert not any("secrets" in text for text in texts)
    for path in files["github-workflows"]:
        document = load(path)
        assert document["permissions"] == {"contents": "read"}
        assert not any("permissions" in job for job in document["jobs"].values())
        assert document["on"] in ("pull_request", {"pull_request": None})


@dataclass
class Gated:
    """What came of a job of another repository that uses action.yml."""

    job: list[Done]
    steps: list[Done]
    outputs: dict[str, str]
    summary: str
    uploaded: list[str] = field(default_factory=list)


class TestAction:
    """Another repository gates its own loader, with the workflow that the guide shows."""

    @pytest.fixture
    def repository(self, tmp_path):
        """One with a loader in C99, and the base of its pull request."""
        top = tmp_path / "repository"
        for folder in (top, top / "base"):
            (folder / "src").mkdir(parents=True)
            shutil.copy(STRANGERS / "c99_loader.c", folder / "src" / "loader.c")
            shutil.copy(STRANGERS / "c99_json.h", folder / "src")
            (folder / "include" / "rtconform").mkdir(parents=True)
            shutil.copy(HEADER, folder / "include" / "rtconform")
        (top / "known-failures.toml").touch()
        return top

    @pytest.fixture
    def gate(self, repository, tmp_path):
        """Runs the job with further inputs for the action; of the stored models, a small one."""

        def gate(environment=None, **further) -> Gated:
            environment = {
                **bare_environment(PROGRAMS),
                "RUNNER_TEMP": str(tmp_path / "temp"),
                "GITHUB_ACTION_PATH": str(ROOT),
                **(environment or {}),
            }
            action = load(ACTION)
            defaults = {name: each.get("default", "") for name, each in action["inputs"].items()}
            found = Gated([], [], {}, "")

            def own(name, given):
                if name.startswith("actions/upload-artifact@"):
                    found.uploaded += sorted(path.name for path in (repository / given["path"]).glob("*"))
                return {}

            def use(name, given):
                if name != "OWNER/rtconform@main":
                    return {}
                assert given.keys() <= defaults.keys()
                inside = Runner(repository, tmp_path / "inside", environment, own)
                inputs = {**defaults, **given, "models": str(MODEL), **further}
                found.steps = inside.run(action["runs"]["steps"], inputs=inputs)
                found.outputs = {name: inside.evaluate(each["value"]) for name, each in action["outputs"].items()}
                found.summary = inside.summary
                return None if any(done.conclusion == "failure" for done in found.steps) else found.outputs

            (job,) = load(example())["jobs"].values()
            found.job = Runner(repository, tmp_path / "outside", environment, use).run(job["steps"])
            return found

        return gate

    @pytest.mark.xdist_group("wheel")
    def test_a_good_loader_is_green(self, gate, repository, wheel, core_wheels):
        """The judge is installed, judges, and compares with the base; the report is uploaded and the page has it."""
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(core_wheels)} if core_wheels else {}
        # Neither the latency class nor the comparison is asked for a verdict on a machine where other tests run.
        classes, options = "robustness numerics realtime memory", "--most-rounds 8 --no-instructions"
        further = {"inconclusive": "warn", "compare-options": options}
        gated = gate(offline, package=str(wheel), classes=classes, **further)
        assert [done.conclusion for done in gated.job] == ["success"] * 4, said(gated.job + gated.steps)
        assert conclusions(gated.steps) == {"Install the judge": "success", "Judge": "success", "Compare": "success"}
        assert gated.outputs["code"] == "0"
        assert gated.outputs["verdict"] == "passed"
        assert Path(gated.outputs["report"]) == repository / "rtconform-report"
        assert gated.outputs["compare-code"] in ("0", "75")
        assert {"report.html", "summary.md", "records.jsonl", "compare"} <= set(gated.uploaded)
        assert "## rtconform: PASSED" in gated.summary
        assert (repository / "rtconform-report" / "compare" / "compare.md").read_text() in gated.summary

    def test_a_comparison_needs_a_loader_that_is_named(self, gate):
        """Beside what a settings file may name, of which nobody knows which is meant."""
        gated = gate(python=sys.executable, loader="")
        assert conclusions(gated.steps)["Compare"] == "failure"
        assert "compare-with: expected the input loader beside it, found none" in said(gated.steps)

    def test_a_wrong_loader_is_red(self, gate, repository):
        """The check fails with the run's own exit code, the page names the requirement, the report is uploaded."""
        source = repository / "src" / "loader.c"
        source.write_text(source.read_text().replace(RIGHT, WRONG))
        gated = gate(python=sys.executable, classes="numerics", **{"compare-with": ""})
        assert gated.job[-1].conclusion == "failure"
        assert conclusions(gated.steps) == {"Install the judge": "skipped", "Judge": "failure", "Compare": "skipped"}
        (judged,) = [done for done in gated.steps if done.name == "Judge"]
        assert judged.exit_code == 1, judged.said
        assert (gated.outputs["code"], gated.outputs["verdict"]) == ("1", "failed")
        assert "## rtconform: FAILED" in gated.summary
        assert "NUM-ORACLE[mine-dense-activations]" in gated.summary
        assert "report.html" in gated.uploaded

    def test_a_slower_loader_is_red(self, gate, slower):
        """Right, and slower than the base: what is told is the comparison."""
        gated = gate(slower, python=sys.executable, classes="numerics")
        assert conclusions(gated.steps) == {"Install the judge": "skipped", "Judge": "success", "Compare": "failure"}
        assert (gated.outputs["code"], gated.outputs["compare-code"]) == ("0", "1"), said(gated.steps)
        assert "B is slower than A" in gated.summary
        assert gated.job[-1].conclusion == "failure"

    @pytest.mark.parametrize("given", [True, False])
    def test_a_wrong_pipeline_is_red(self, gate, repository, given):
        """A pipeline alone, named to the action or in the repository's own settings."""
        wrong = resolved("native-pipeline:pip-keeps-8mb")
        (repository / "rtconform.toml").write_text("" if given else f'pipelines = ["{wrong}"]\n')
        further = {"loader": "", "pipeline": wrong if given else "", "compare-with": "", "models": ""}
        gated = gate(python=sys.executable, classes="memory", profile="smoke", **further)
        assert conclusions(gated.steps) == {"Install the judge": "skipped", "Judge": "failure", "Compare": "skipped"}
        assert (gated.outputs["code"], gated.outputs["verdict"]) == ("1", "failed"), said(gated.steps)
        assert "PIP-MEMORY[pip-keeps-8mb" in gated.summary

    def test_what_can_not_be_installed_is_red(self, gate):
        """Nothing is judged then, and nothing is said to have passed."""
        gated = gate({"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}, package="rtconform==99")
        assert conclusions(gated.steps) == {"Install the judge": "failure", "Judge": "skipped", "Compare": "skipped"}
        assert gated.outputs["code"] == ""

    @pytest.fixture
    def noisy(self, tmp_path):
        """A Python for which every run of rtconform is inconclusive; it writes down with what it was asked for one."""
        program = tmp_path / "noisy-python"
        program.write_text(
            f'#!/bin/sh\n[ "$1" = -m ] || exec {sys.executable} "$@"\n'
            f'{{ printf "[%s]" "$@"; echo; }} >> {tmp_path}/asked; exit 75\n'
        )
        program.chmod(0o755)
        return program, lambda: (tmp_path / "asked").read_text().splitlines()

    def test_what_stays_undecided_is_red_and_says_so(self, gate, noisy):
        """After a second try."""
        python, asked = noisy
        gated = gate(python=str(python), **{"compare-with": ""})
        assert len(asked()) == 2
        assert conclusions(gated.steps)["Judge"] == "failure"
        assert (gated.outputs["code"], gated.outputs["verdict"]) == ("75", "inconclusive")
        assert "INCONCLUSIVE in 2 of 2 tries: nothing is proven, so this check fails." in gated.summary
        assert "::error::INCONCLUSIVE" in said(gated.steps)

    def test_what_stays_undecided_may_be_a_warning(self, gate, noisy):
        """If that is asked for; after as many tries as are asked for."""
        python, asked = noisy
        gated = gate(python=str(python), inconclusive="warn", tries="1")
        assert [line.split("][")[2] for line in asked()] == ["run", "compare"]
        assert conclusions(gated.steps) == {"Install the judge": "skipped", "Judge": "success", "Compare": "success"}
        assert (gated.outputs["code"], gated.outputs["compare-code"]) == ("75", "75")
        assert gated.summary.count("passes all the same") == 2
        assert "::warning::INCONCLUSIVE" in said(gated.steps)

    def test_inputs_are_words_and_no_commands(self, gate, noisy, repository):
        """Whatever another repository, or a branch's name in it, puts into an input."""
        python, asked = noisy
        evil = 'cmd:x"; touch pwned; "$(touch pwned) `touch pwned` *'
        further = {"loader": evil, "pipeline": evil, "compare-with": evil}
        gate(python=str(python), classes="realtime  *\nlatency", tries="1", **further)
        run, compare = asked()
        assert run.startswith("[-m][rtconform][run][--profile][ci][--out][rtconform-report]")
        assert f"[--loader][{evil}][--pipeline][{evil}]" in run
        assert "[--class][realtime][--class][*][--class][latency]" in run
        assert compare.startswith(f"[-m][rtconform][compare][{evil}][{evil}][--out][rtconform-report/compare]")
        assert not (repository / "pwned").exists()


def compiled(folder: Path, name: str, tanh: str = RIGHT) -> str:
    """The connection string of the loader in C99, with that for its tanh."""
    source = folder / name / "loader.c"
    source.parent.mkdir()
    source.write_text((STRANGERS / "c99_loader.c").read_text().replace(RIGHT, tanh))
    library = folder / name / "libmine.so"
    options = ["-std=c99", "-O2", "-shared", "-fPIC", "-I", HEADER.parents[1], "-I", STRANGERS]
    subprocess.run(["cc", *options, source, "-o", library, "-lm"], check=True)
    return f"abi:{library}#c99-stranger"


def builds(checkout: Path, connection: str) -> None:
    """From now on, this is what the loaders of a checkout are said to be."""
    (checkout / "reference_models" / "loaders.py").write_text(f"print({connection!r})\n")


class TestWorkflow:
    """Pull requests to this repository are gated by its own workflow."""

    @pytest.fixture
    def checkout(self, tmp_path):
        """A copy of this checkout, and in it as the base what its loaders are built from."""
        top = Path(shutil.copytree(ROOT, tmp_path / "head", ignore=shutil.ignore_patterns(*NOT_COPIED)))
        ignored = shutil.ignore_patterns("__pycache__", "data", "training")
        shutil.copytree(ROOT / "reference_models", top / "base" / "reference_models", ignore=ignored)
        (top / "base" / HEADER.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(HEADER, top / "base" / HEADER.relative_to(ROOT))
        return top

    @pytest.fixture
    def pull_request(self, checkout, tmp_path):
        """Runs the job on a machine with an environment that is set up already; returns (steps, summary, uploads)."""

        def run(arguments: str = "", compare: str = "", further=None):
            environment = {**bare_environment(PROGRAMS), "RTCONFORM_PYTHON": sys.executable, **(further or {})}
            uploaded = []

            def use(name, given):
                if name.startswith("actions/upload-artifact@"):
                    uploaded.extend(sorted(path.name for path in (checkout / given["path"]).glob("*")))
                return {}

            (job,) = load(WORKFLOW)["jobs"].values()
            knobs = {"ARGS": arguments, "COMPARE": compare}
            steps = [
                {**step, "env": {name: knobs[name] for name in step["env"]}} if "env" in step else step
                for step in job["steps"]
            ]
            runner = Runner(checkout, tmp_path / "scratch", environment, use)
            done = runner.run(steps, env={name: runner.evaluate(value) for name, value in job["env"].items()})
            return done, runner.summary, uploaded

        return run

    def test_a_change_that_keeps_everything_is_green(self, pull_request):
        """`make conformance` judges; loaders from the same sources are the same files, and need no comparison."""
        try:
            rtneural_checked()
        except NotAvailable as error:
            pytest.skip(str(error))
        done, summary, uploaded = pull_request(f"--loader numpy-runtime --models {MODEL} --class numerics")
        assert [each.conclusion for each in done] == ["success"] * len(done), said(done)
        assert "rtconform run --jobs 2 --loader numpy-runtime" in said(done)
        assert "## rtconform: PASSED" in summary
        for loader in ("rtneural-checked", "compact-i8"):
            assert f"`{loader}` is the same library as before" in summary
        assert {"report.html", "summary.md"} <= set(uploaded)

    def test_a_change_that_breaks_something_is_red(self, pull_request, checkout, tmp_path, slower):
        """Judgement and comparison are both told, and the report is uploaded."""
        now = compiled(tmp_path, "now", WRONG)
        builds(checkout, now)
        builds(checkout / "base", compiled(tmp_path, "before"))
        with (checkout / COMPACT / "product.cpp").open("a") as source:
            source.write("// A change.\n")
        arguments = f"--loader {now} --models {MODEL} --class numerics"
        done, summary, uploaded = pull_request(arguments, f"--models {MODEL}", slower)
        assert [each.exit_code for each in done if "run" in each.step] == [1, 1], said(done)
        assert "NUM-ORACLE[c99-stranger-dense-activations]" in summary
        for loader in ("c99-stranger", "compact-i8"):
            assert (checkout / "rtconform-report" / "compare" / loader / "compare.md").read_text() in summary
        assert {"report.html", "compare"} <= set(uploaded)


def test_every_script_is_run_by_a_test():
    """A new step needs a test of its own above: each is asked by name what it came to, or by its place."""
    (job,) = load(WORKFLOW)["jobs"].values()
    assert [step["name"] for step in job["steps"] if "run" in step] == [
        "Judge the reference implementations",
        "Compare with the base branch",
    ]
    steps = load(ACTION)["runs"]["steps"]
    assert [step["name"] for step in steps if "run" in step] == ["Install the judge", "Judge", "Compare"]
