"""What outcomes come to: exit codes and the standing of an implementation in a class."""

import pytest

from rtconform.harness.verdicts import ExitCode, Outcome, Verdict, exit_code, standing


def outcomes(*verdicts, level="MUST", conformance_class="numerics", implementation="mine"):
    return [Outcome(verdict, level, conformance_class, implementation) for verdict in verdicts]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASS, Verdict.SKIP, Verdict.XFAIL], ExitCode.OK),
        ([Verdict.PASS, Verdict.FAIL], ExitCode.UNEXPECTED),
        ([Verdict.PASS, Verdict.CRASH], ExitCode.UNEXPECTED),
        ([Verdict.PASS, Verdict.TIMEOUT], ExitCode.UNEXPECTED),
        ([Verdict.PASS, Verdict.XPASS], ExitCode.UNEXPECTED),
        ([Verdict.PASS, Verdict.SUITE_ERROR], ExitCode.UNEXPECTED),
        ([Verdict.PASS, Verdict.NOT_AVAILABLE, Verdict.INCONCLUSIVE], ExitCode.NOT_AVAILABLE),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], ExitCode.INCONCLUSIVE),
        ([Verdict.FAIL, Verdict.NOT_AVAILABLE], ExitCode.UNEXPECTED),
        ([Verdict.SKIP, Verdict.SKIP], ExitCode.UNEXPECTED),
    ],
)
def test_worst_outcome_decides_the_exit_code(verdicts, code):
    """A failure outweighs what is missing, and that outweighs what is open; nothing but skips is no success."""
    assert exit_code(outcomes(*verdicts)) is code


def test_a_chain_may_have_nothing_in_common():
    """What its parts don't declare together is no fault of any of them; a run of nothing else judges nothing."""
    chain = [Outcome(Verdict.SKIP, "MUST", "chain", "mine+yours", is_chain=True)]
    assert exit_code([*outcomes(Verdict.PASS), *chain]) is ExitCode.OK
    assert exit_code(chain) is ExitCode.UNEXPECTED


@pytest.mark.parametrize("timed", ["latency", "memory"])
def test_who_can_not_be_timed_is_passed_over_beside_others(timed):
    """As by `pytest -m latency` with a pipeline in Python; alone, named, or in other classes, it is no success."""
    unmeasured = outcomes(Verdict.SKIP, conformance_class=timed, implementation="python")
    others = outcomes(Verdict.PASS, conformance_class=timed)
    silent = outcomes(Verdict.SKIP, implementation="python")
    assert exit_code([*others, *unmeasured], from_settings=True) is ExitCode.OK
    assert exit_code(unmeasured, from_settings=True) is ExitCode.UNEXPECTED
    assert exit_code([*others, *unmeasured, *silent], from_settings=True) is ExitCode.UNEXPECTED
    assert exit_code([*others, *unmeasured]) is ExitCode.UNEXPECTED


def test_a_should_that_fails_does_not_turn_the_run_red():
    """It is reported and gates nothing."""
    assert exit_code([*outcomes(Verdict.PASS), *outcomes(Verdict.FAIL, level="SHOULD")]) is ExitCode.OK


def test_only_gating_classes_decide():
    """A failure outside of them is reported and gates nothing; a fault of the suite always does, inside of them."""
    mixed = [*outcomes(Verdict.PASS), *outcomes(Verdict.FAIL, conformance_class="memory")]
    assert exit_code(mixed, ["numerics"]) is ExitCode.OK
    assert exit_code(mixed, ["memory"]) is ExitCode.UNEXPECTED


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([Verdict.PASS, Verdict.SKIP], "CONFORMANT"),
        ([Verdict.PASS, Verdict.XFAIL, Verdict.XFAIL], "AS EXPECTED (2 known failures)"),
        ([Verdict.PASS, Verdict.XFAIL], "AS EXPECTED (1 known failure)"),
        ([Verdict.PASS, Verdict.FAIL, Verdict.NOT_AVAILABLE], "NOT CONFORMANT"),
        ([Verdict.PASS, Verdict.NOT_AVAILABLE], "NOT AVAILABLE"),
        ([Verdict.PASS, Verdict.INCONCLUSIVE], "INCONCLUSIVE"),
        ([Verdict.SKIP, Verdict.XPASS], "CONFORMANT"),
        ([Verdict.SKIP], "NOT JUDGED"),
    ],
)
def test_standing_says_what_may_be_claimed(verdicts, expected):
    """CONFORMANT only without failures, known ones included, and never for one who declares nothing."""
    assert standing(outcomes(*verdicts)) == expected
