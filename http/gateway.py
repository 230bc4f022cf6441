"""What every door of the server shares: the system behind it, and whether it is open."""

from collections.abc import Sequence
from enum import Enum
from uuid import uuid4

import trio
from attrs import Factory, define, field, frozen

from incident_manager import __version__
from incident_manager.actors.answers import Caller, IdempotencyKey
from incident_manager.actors.commands import Command, SubmitAlert
from incident_manager.actors.confined import view_of
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused, Unavailable
from incident_manager.actors.journal.base import JournalError, View
from incident_manager.actors.model import Ack, Micros
from incident_manager.actors.registry import Answered
from incident_manager.actors.roles import Role
from incident_manager.actors.selectors import selectors_of
from incident_manager.actors.system import System
from incident_manager.actors.vocabulary import AckStatus
from incident_manager.http.active import ActiveIncidents
from incident_manager.http.addresses import Addresses
from incident_manager.http.auth import Authenticator, AuthError, Principal
from incident_manager.http.cors import Cors
from incident_manager.http.counters import Counters
from incident_manager.http.held import Held
from incident_manager.http.ingest.privacy import Privacy
from incident_manager.http.logs import Redactor
from incident_manager.http.quotas import Allowance, Quotas
from incident_manager.http.rates import RateLimited
from incident_manager.http.settings import Settings
from incident_manager.http.transport import Guard
from incident_manager.schema.documents import DocumentLimits
from incident_manager.schema.operation import Preparer
from incident_manager.schema.services import ComponentHealth, Health, HealthState, Me

__all__ = ["Counters", "Gateway", "Phase", "Session"]


class Phase(Enum):
    """How far the server is."""

    RECOVERING = "recovering"
    """The journal is being opened; probes are answered."""
    READY = "ready"
    DRAINING = "draining"
    FAILED = "failed"
    """The supervisors have given up."""


def _preparer(gateway: "Gateway") -> Preparer:
    limits = gateway.settings.limits
    return Preparer(
        limits=DocumentLimits(
            query_depth=limits.query_depth,
            query_complexity=limits.query_complexity,
            subscription_depth=limits.subscription_depth,
            subscription_complexity=limits.subscription_complexity,
            introspection=gateway.settings.graphql.introspection,
        )
    )


def _addresses(gateway: "Gateway") -> Addresses:
    return Addresses(gateway.settings.limits.connections_per_address, gateway.guard.trusted)


def _quotas(gateway: "Gateway") -> Quotas:
    return Quotas(gateway.settings.limits.requests_per_minute, gateway.guard.trusted)


def _redactor(gateway: "Gateway") -> Redactor:
    return Redactor(gateway.settings.secrets())


def _cors(gateway: "Gateway") -> Cors:
    return Cors.of(gateway.settings.server.cors_origins)


def _privacy(gateway: "Gateway") -> Privacy:
    processing = gateway.settings.processing
    return Privacy(processing.drop_labels, processing.mask_labels)


@define(eq=False)
class Gateway:
    """The server's shared state: made with the application, filled when the system runs."""

    settings: Settings
    authenticator: Authenticator
    preparer: Preparer = field(default=Factory(_preparer, takes_self=True))
    redactor: Redactor = field(default=Factory(_redactor, takes_self=True))
    """Takes credentials out of what failures say."""
    privacy: Privacy = field(default=Factory(_privacy, takes_self=True))
    """What of commands is not let in."""
    phase: Phase = Phase.RECOVERING
    system: System | None = None
    failure: str | None = None
    """Why the phase is FAILED."""
    settled: trio.Event = field(factory=trio.Event)
    """Set when the phase has left RECOVERING."""
    ended: trio.Event = field(factory=trio.Event)
    """Set when the system has failed for good."""
    draining: trio.Event = field(factory=trio.Event)
    """Set when the server begins to stop."""
    stop: trio.Event = field(factory=trio.Event)
    """Set when the system must stop."""
    mistake: JournalError | None = None
    """Why the journal cannot be used, where somebody else must mend it."""
    connections: set[Held] = field(factory=set)
    """The open WebSocket connections and streams of events."""
    counters: Counters = field(factory=Counters)
    active: ActiveIncidents = field(factory=ActiveIncidents)
    cors: Cors = field(default=Factory(_cors, takes_self=True))
    """Which other origins' pages may ask."""
    guard: Guard = field(factory=Guard)
    """What holds its connections under Hypercorn."""
    addresses: Addresses = field(default=Factory(_addresses, takes_self=True))
    """The same by the address of their client."""
    quotas: Quotas = field(default=Factory(_quotas, takes_self=True))
    """How much everyone has asked."""
    started_at: float = field(factory=trio.current_time)
    keys_changed: trio.Event = field(factory=trio.Event)
    """Set, and another one put in its place, when API keys were changed."""
    serial: int = 0

    def running(self) -> System:
        """The system; raises :class:`Unavailable` while there is none."""
        if self.system is None or self.phase is Phase.FAILED:
            raise Unavailable(f"The server is {self.phase.value}.", known=True)
        return self.system

    def drain(self) -> None:
        """Begin to stop: ready turns 503, and no new connection is taken."""
        if self.phase is not Phase.FAILED:
            self.phase = Phase.DRAINING
        self.draining.set()

    def fail(self, cause: BaseException) -> None:
        """The system has ended for good; why is in ``failure`` and, for people, ``mistake``."""
        self.phase = Phase.FAILED
        self.failure = str(cause) if isinstance(cause, JournalError) else "the system has failed"
        self.mistake = cause if isinstance(cause, JournalError) else None
        self.settled.set()
        self.ended.set()

    def sign_in_refused(self, address: str | None, refusal: AuthError) -> None:
        """Count it for the audit. Reasons are few, and hold nothing of what was sent."""
        if self.system is not None:
            reason = f"{refusal.code.value}: {refusal.message}"
            self.system.journal.refusals.add(address or "unknown", reason, self.system.clock())

    def figures(self) -> dict[str, object]:
        """What the listeners' node shows in the actor tree."""
        counters = self.counters
        return {
            "phase": self.phase.value,
            "connections": len(self.connections),
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "connections_total": counters.connections,
            "connections_refused": counters.refused.total(),
            "addresses": len(self.addresses),
            "messages_received": counters.messages_in,
            "messages_sent": counters.messages_out,
            "bytes_out": counters.bytes_out,
        }

    @property
    def ready(self) -> bool:
        """Whether changes are taken and streamed right now."""
        return self.phase is Phase.READY and all(
            part.status is not HealthState.UNHEALTHY for part in self._components()
        )

    def health(self) -> Health:
        """How the server and its parts do."""
        parts = self._components()
        worst = HealthState.HEALTHY
        if any(part.status is not HealthState.HEALTHY for part in parts):
            worst = HealthState.DEGRADED
        if any(part.status is HealthState.UNHEALTHY for part in parts):
            worst = HealthState.UNHEALTHY
        uptime = int(trio.current_time() - self.started_at)
        return Health(worst, __version__, uptime, parts)

    def _components(self) -> tuple[ComponentHealth, ...]:
        server = HealthState.HEALTHY if self.phase is Phase.READY else HealthState.UNHEALTHY
        message = None if self.phase is Phase.READY else self.failure or self.phase.value
        parts = [ComponentHealth("server", server, message)]
        if self.authenticator.failure is not None:
            # Keys that are known go on: no reason to send clients elsewhere.
            trouble = self.authenticator.failure
            parts.append(ComponentHealth("keys", HealthState.DEGRADED, trouble))
        if self.system is not None:
            journal, hub = self.system.journal, self.system.hub
            parts.append(_part("journal", journal.failure))
            parts.append(_part("registry", None if self.system.registry.running else "restarting"))
            parts.append(_part("hub", None if hub.running else "restarting"))
        return tuple(parts)

    def session(
        self, principal: Principal, trace: str | None = None, host: str | None = None
    ) -> "Session":
        """What one caller may do with the system, in one operation. ``host`` is whence it came."""
        return Session(self, principal, trace, Allowance(self.quotas, principal, host))


def _part(name: str, failure: str | None) -> ComponentHealth:
    state = HealthState.HEALTHY if failure is None else HealthState.UNHEALTHY
    return ComponentHealth(name, state, failure)


@frozen
class Session:
    """One caller's way to the system: the ``Services`` of its GraphQL operations, and REST's."""

    gateway: Gateway
    principal: Principal
    trace: str | None
    allowance: Allowance

    @property
    def journal(self) -> View:
        """What the caller may see of the journal."""
        system = self.gateway.running()
        own = selectors_of(self.principal.selectors)
        return view_of(system.journal, own, system.hub.veils)

    @property
    def principal_role(self) -> Role:
        """What the caller may do."""
        return self.principal.role

    def now(self) -> Micros:
        """The time."""
        return self.gateway.running().clock()

    def health(self) -> Health:
        """How the server does."""
        return self.gateway.health()

    def me(self) -> Me:
        """Who the caller is."""
        who = self.principal
        roles = tuple(role for role in Role if role <= who.role)
        until = None if who.expires_at is None else round(who.expires_at * 1_000_000)
        return Me(who.name, roles, who.selectors, until)

    @property
    def caller(self) -> Caller:
        """On whose behalf commands are carried out."""
        name = self.principal.name
        return Caller(name, name, self.principal.selectors, self.trace)

    async def ask(self, commands: Sequence[Command]) -> Sequence[Outcome | Refused]:
        """Have commands decided and written: one answer each, in order.

        Each counts as a request does, but the first of an operation. Alerts beyond what the
        caller may send are RATE_LIMITED; of other commands then none is carried out, and
        :class:`RateLimited` is raised.
        """
        fit, late = self.let_in(len(commands))
        if late is None:
            return (await self.request(commands)).results
        if not all(isinstance(each, SubmitAlert) for each in commands):
            raise late
        answers = (await self.request(commands[:fit])).results if fit else ()
        return [*answers, *(self._limited(late) for _ in commands[fit:])]

    def _limited(self, late: RateLimited) -> Ack:
        return Ack(str(uuid4()), None, AckStatus.RATE_LIMITED, late.message, self.now())

    def let_in(self, commands: int) -> tuple[int, RateLimited | None]:
        """How many of the next commands the caller may send in, and why not all."""
        return self.allowance.take(commands, trio.current_time())

    async def request(
        self, commands: Sequence[Command], key: IdempotencyKey | None = None
    ) -> Answered:
        """Have commands decided and written: see :meth:`Registry.ask`."""
        allowed = [self.gateway.privacy.apply(each) for each in commands]
        return await self.gateway.running().ask(allowed, self.caller, key=key)
