"""As much of GitHub Actions as our own workflow files need: expressions, steps in order, files for what steps say.

Of `run:` steps the script is run as a runner runs it, in its shell, with the environment that the file gives it. What
`uses:` another action is handed to a function of the test.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# docs.github.com, "Workflow syntax for GitHub Actions", jobs.<job_id>.steps[*].shell.
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||[=!]=|[!(),]|[A-Za-z_][\w.-]*)")


@dataclass(frozen=True)
class Done:
    """A step that had its turn: `conclusion` is success, failure or skipped."""

    step: Mapping[str, Any]
    conclusion: str
    exit_code: int | None = None
    said: str = ""

    @property
    def name(self) -> str:
        return self.step.get("name") or self.step.get("uses", "")


@dataclass
class Runner:
    """A workspace with the contexts that expressions read, and the steps that were run in it.

    `use` gets the action and its evaluated inputs for each `uses:`, and returns its outputs, or None if it fails.
    """

    workspace: Path
    scratch: Path
    environment: Mapping[str, str]
    use: Callable[[str, Mapping[str, str]], Mapping[str, str] | None] = lambda action, inputs: {}
    contexts: dict[str, Any] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """All that was written for the job's page."""
        path = self.scratch / "GITHUB_STEP_SUMMARY"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def run(self, steps: Sequence[Mapping[str, Any]], **contexts: Any) -> list[Done]:
        """The steps in their order, each if its condition holds."""
        self.contexts = {"steps": {}, "env": {}, **contexts}
        self.scratch.mkdir(parents=True, exist_ok=True)
        done: list[Done] = []
        for step in steps:
            failed = any(before.conclusion == "failure" for before in done)
            done.append(self._turn(step, failed=failed))
        return done

    def evaluate(self, text: Any, *, failed: bool = False) -> str:
        """A value of the file with its expressions replaced."""
        return EXPRESSION.sub(lambda match: _text(self._value(match[1], failed)), str(text))

    def _turn(self, step: Mapping[str, Any], *, failed: bool) -> Done:
        condition = EXPRESSION.sub(r"\1", str(step.get("if", "success()"))).strip()
        if not re.search(r"\b(?:success|failure|always|cancelled)\(\)", condition):
            condition = f"success() && ({condition})"
        if not self._value(condition, failed):
            return Done(step, "skipped")
        outputs: Mapping[str, str] | None
        if "uses" in step:
            given = {name: self.evaluate(value) for name, value in step.get("with", {}).items()}
            outputs = self.use(step["uses"], given)
            done = Done(step, "success" if outputs is not None else "failure")
        else:
            done, outputs = self._script(step)
        if "id" in step:
            self.contexts["steps"][step["id"]] = {"outputs": outputs or {}, "conclusion": done.conclusion}
        return done

    def _script(self, step: Mapping[str, Any]) -> tuple[Done, dict[str, str]]:
        assert "${{" not in step["run"], f"{step.get('name')}: an expression in a script is an injection waiting"
        script, said = self.scratch / "step.sh", self.scratch / "GITHUB_OUTPUT"
        script.write_text(step["run"], encoding="utf-8")
        said.write_text("")
        files = {name: str(self.scratch / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        given = {name: self.evaluate(value) for name, value in step.get("env", {}).items()}
        run = subprocess.run(
            [*SHELLS[step.get("shell")], str(script)],
            cwd=self.workspace,
            env={**self.environment, **files, **self.contexts["env"], **given},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        outputs = dict(line.split("=", 1) for line in said.read_text(encoding="utf-8").splitlines())
        return Done(step, "failure" if run.returncode else "success", run.returncode, run.stdout), outputs

    def _value(self, expression: str, failed: bool) -> Any:
        tokens = _tokens(expression)
        value = self._either(tokens, failed)
        assert not tokens, f"{expression}: {tokens} follow its end"
        return value

    # or, and, comparison, not: the operators by how loosely they bind. A name that is not there is "".

    def _either(self, tokens: list[str], failed: bool) -> Any:
        return self._joined("||", self._both, tokens, failed)

    def _both(self, tokens: list[str], failed: bool) -> Any:
        return self._joined("&&", self._compared, tokens, failed)

    def _joined(self, operator: str, operand: Callable[..., Any], tokens: list[str], failed: bool) -> Any:
        value = operand(tokens, failed)
        while tokens[:1] == [operator]:
            tokens.pop(0)
            other = operand(tokens, failed)
            value = (value or other) if operator == "||" else (value and other)
        return value

    def _compared(self, tokens: list[str], failed: bool) -> Any:
        value = self._one(tokens, failed)
        if tokens and tokens[0] in ("==", "!="):
            wanted = tokens.pop(0) == "=="
            return (value == self._one(tokens, failed)) is wanted
        return value

    def _one(self, tokens: list[str], failed: bool) -> Any:
        token = tokens.pop(0)
        if token == "!":
            return not self._one(tokens, failed)
        if token == "(":
            value = self._either(tokens, failed)
            assert tokens.pop(0) == ")"
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if tokens[:1] == ["("]:
            del tokens[: tokens.index(")") + 1]
            status = {"success": not failed, "failure": failed, "always": True, "cancelled": False}
            return {**status, "hashFiles": "hash"}[token]
        value = self.contexts
        for part in token.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        return value


def _tokens(expression: str) -> list[str]:
    tokens, at = [], 0
    while expression[at:].strip():
        match = TOKEN.match(expression, at)
        assert match, f"{expression[at:]!r} is no expression that is known here"
        tokens.append(match[1])
        at = match.end()
    return tokens


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def bare_environment(programs: Path, **further: str) -> dict[str, str]:
    """A runner's environment: what it is for a step, with the programs of a folder first, and none of a test run's."""
    inherited = ("HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "RTCONFORM_CACHE", "RTCONFORM_MARCH", "RTNEURAL_DIR")
    kept = {name: os.environ[name] for name in inherited if name in os.environ}
    path = os.pathsep.join((str(programs), os.environ.get("PATH", os.defpath)))
    return {**kept, "PATH": path, "CI": "true", "GITHUB_ACTIONS": "true", **further}
