"""How the judge reaches what it judges: four roles, three ways to connect, and one kind of value for each failure."""

from .connection import connect
from .errors import (
    BadConnection,
    Crashed,
    Exited,
    ImplementationError,
    NotAvailable,
    ProtocolViolation,
    Raised,
    Refused,
    TimedOut,
    WrongSize,
)
from .host import Environment, Latency, MeasuringSession, Memory, Offence, Watched
from .module_ref import ModuleRef
from .protocols import Declaration, chained
from .python import adopt
from .roles import (
    ExporterImplementation,
    Implementation,
    LoadedModel,
    LoaderImplementation,
    LoaderSession,
    PipelineImplementation,
    PipelineSession,
    TrainerImplementation,
)

__all__ = [
    "BadConnection",
    "Crashed",
    "Declaration",
    "Environment",
    "Exited",
    "ExporterImplementation",
    "Implementation",
    "ImplementationError",
    "Latency",
    "LoadedModel",
    "LoaderImplementation",
    "LoaderSession",
    "MeasuringSession",
    "Memory",
    "ModuleRef",
    "NotAvailable",
    "Offence",
    "PipelineImplementation",
    "PipelineSession",
    "ProtocolViolation",
    "Raised",
    "Refused",
    "TimedOut",
    "TrainerImplementation",
    "Watched",
    "WrongSize",
    "adopt",
    "chained",
    "connect",
]
