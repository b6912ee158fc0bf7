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
from .host import Environment, Latency, MeasuringSession, Memory, Offence, Section, Watched
from .live_run import Action, LivePlan, LiveRun, PipelineMemory, Put, Reload
from .module_ref import ModuleRef
from .protocols import Declaration, chained
from .python import adopt
from .remote_pipeline import MeasuringPipelineSession, RemotePipeline, RemotePipelineSession
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
    "Action",
    "BadConnection",
    "Crashed",
    "Declaration",
    "Environment",
    "Exited",
    "ExporterImplementation",
    "Implementation",
    "ImplementationError",
    "Latency",
    "LivePlan",
    "LiveRun",
    "LoadedModel",
    "LoaderImplementation",
    "LoaderSession",
    "MeasuringPipelineSession",
    "MeasuringSession",
    "Memory",
    "ModuleRef",
    "NotAvailable",
    "Offence",
    "PipelineImplementation",
    "PipelineMemory",
    "PipelineSession",
    "ProtocolViolation",
    "Put",
    "Raised",
    "Refused",
    "Reload",
    "RemotePipeline",
    "RemotePipelineSession",
    "Section",
    "TimedOut",
    "TrainerImplementation",
    "Watched",
    "WrongSize",
    "adopt",
    "chained",
    "connect",
]
