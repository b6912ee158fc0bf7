"""Calling a user's own code in process: every exception a value of `errors`, every array a copy."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .errors import Exited, ImplementationError, ProtocolViolation, Raised, Refused


def member(found: Any, name: str) -> Any:
    """An attribute of an object, or an item of a mapping; None if there is none."""
    return found.get(name) if isinstance(found, Mapping) else getattr(found, name, None)


@contextmanager
def as_values(who: str, op: str, refusal: Callable[[Exception], Refused | None] = lambda error: None) -> Iterator[None]:
    """Turn any exception from a user's code into a Refused, if `refusal` makes one, or a Raised; exit into Exited.

    The exception itself is the `__cause__`.
    """
    try:
        yield
    except ImplementationError:
        raise
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        raise Exited(who=who, op=op, returncode=code) from error
    except Exception as error:
        where = "".join(
            traceback.format_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
        )
        raised = Raised(who=who, op=op, class_name=type(error).__name__, message=str(error), traceback=where)
        raise (refusal(error) or raised) from error


def is_named(error: BaseException, name: str) -> bool:
    """True if the exception's class, or one that it derives from, has this name."""
    return any(cls.__name__ == name for cls in type(error).__mro__)


def refused(who: str, op: str, phase: str, error: Exception) -> Refused:
    path = getattr(error, "json_path", "")
    return Refused(
        who=who,
        op=op,
        phase=phase,
        message=str(error),
        json_path=path if isinstance(path, str) else "",
        class_name=type(error).__name__,
    )


def as_array(who: str, op: str, values: Any) -> np.ndarray:
    try:
        return np.array(values)
    except (ValueError, TypeError) as error:
        raise ProtocolViolation(
            who=who, op=op, expected="a float32 array", found=f"{type(values).__name__}: {error}"
        ) from None
