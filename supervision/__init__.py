"""OTP-style supervision on Trio. Knows nothing of what it supervises; usable by itself."""

from .adoption import Adoption
from .brood import DynamicStatistics
from .child import CANCEL_GRACE, Body, Child
from .child_spec import Backoff, ChildSpec, Restart, Strategy
from .dynamic import DynamicSupervisor
from .errors import (
    ChildEnded,
    DuplicateChild,
    StartFailed,
    SupervisionError,
    SupervisorGaveUp,
    SupervisorStopped,
)
from .intensity import Intensity, Window
from .node import Failure, Node, NodeState, Stats
from .opening import open_dynamic, open_supervisor
from .snapshot import NodeSnapshot, TreeSnapshot
from .supervisor import Supervisor
from .tree import Tree
from .watch import Change, ChangeKind, Watch

__all__ = [
    "CANCEL_GRACE",
    "Adoption",
    "Backoff",
    "Body",
    "Change",
    "ChangeKind",
    "Child",
    "ChildEnded",
    "ChildSpec",
    "DuplicateChild",
    "DynamicStatistics",
    "DynamicSupervisor",
    "Failure",
    "Intensity",
    "Node",
    "NodeSnapshot",
    "NodeState",
    "Restart",
    "StartFailed",
    "Stats",
    "Strategy",
    "SupervisionError",
    "Supervisor",
    "SupervisorGaveUp",
    "SupervisorStopped",
    "Tree",
    "TreeSnapshot",
    "Watch",
    "Window",
    "open_dynamic",
    "open_supervisor",
]
