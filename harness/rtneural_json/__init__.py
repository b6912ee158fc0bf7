"""RTNeural JSON: its grammar, a strict validator, and a float64 oracle with an error budget."""

from .budget import Budget, Judgement, budget, first_passing_class
from .faults import Fault, InvalidModel, Note, Report
from .grammar import Model, identical
from .message import format_report
from .numeric_classes import numeric_class, numeric_classes
from .oracle import evaluate
from .specs import check_spec
from .validate import read, validate_bytes, validate_file
from .write import dumps

__all__ = [
    "Budget",
    "Fault",
    "InvalidModel",
    "Judgement",
    "Model",
    "Note",
    "Report",
    "budget",
    "check_spec",
    "dumps",
    "evaluate",
    "first_passing_class",
    "format_report",
    "identical",
    "numeric_class",
    "numeric_classes",
    "read",
    "validate_bytes",
    "validate_file",
]
