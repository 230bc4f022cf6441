"""A day of a platform that serves models, written into a journal at the times of that day."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, frozen

from incident_manager.actors.answers import Caller
from incident_manager.actors.commands import (
    AcknowledgeIncident,
    AddComment,
    AssignIncident,
    CloseIncident,
    Command,
    EscalateIncident,
    LinkIncidents,
    ResolveIncident,
    SubmitAlert,
    UpdateIncident,
)
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import Journal
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.model import Ack, Micros
from incident_manager.actors.registry import wall_clock
from incident_manager.actors.system import System, SystemSettings, open_system
from incident_manager.actors.vocabulary import (
    AlertType,
    IncidentState,
    IncidentType,
    ResolutionMethod,
    Severity,
)
from incident_manager.schema.projector import GraphQLProjector

__all__ = ["tell"]

MINUTE: Final = 60_000_000
HOUR: Final = 60 * MINUTE

MODELS: Final = (
    ("openai", "gpt-4o"),
    ("anthropic", "claude-sonnet-4"),
    ("aws.bedrock", "llama-3.1-70b-instruct"),
    ("mistral_ai", "mistral-large-2411"),
    ("gcp.vertex_ai", "gemini-2.0-flash"),
)
SOURCES: Final = ("prometheus", "grafana", "sentry", "probe-eu", "evals")
TITLES: Final = (
    "Time to first token above 4 s",
    "Error rate of completions above 5 %",
    "Token budget of the tenant is spent",
    "Toxicity score above the threshold",
    "Embeddings queue is longer than 10,000",
    "Fallback model in use",
    "Context window exceeded",
    "GPU memory above 95 %",
    "Answers drift from the reference set",
    "Rate limited by the provider",
    "Retrieval returns nothing for every fifth question",
    "Cost per request has doubled",
)
LONG: Final = (
    "Every request of the summarisation pipeline in eu-central-1 fails with HTTP 529 since the "
    "provider moved the deployment, retries make it worse, and the fallback model answers in "
    "another language than that of the question (see the runbook for the order of the switches)"
)
PEOPLE: Final = ("ann", "bo", "chris.of.the.night.shift@example.org", "dana")
TEAMS: Final = ("inference", "payments", "search", "platform")


@define
class _Clock:
    now: Micros

    def __call__(self) -> Micros:
        self.now += 1
        return self.now


@frozen
class _Sources:
    journal: Journal


@frozen
class _Teller:
    system: System
    clock: _Clock
    dice: random.Random

    async def say(self, command: Command, who: str) -> str:
        """Have it carried out; the id of the incident."""
        answer = await self.system.registry.ask([command], Caller(who, who))
        [result] = answer.results
        assert not isinstance(result, Refused), result
        found = result.incident_id if isinstance(result, Ack) else result.id
        assert found is not None
        return found

    async def incident(self, at: Micros, severity: Severity, title: str | None = None) -> str:
        self.clock.now = max(at, self.clock.now)
        provider, model = self.dice.choice(MODELS)
        source = self.dice.choices(SOURCES, (9, 6, 4, 2, 2))[0]
        team = self.dice.choice(TEAMS)
        number = self.dice.randrange(16**4)
        alert = SubmitAlert(
            source=source,
            title=title or f"{self.dice.choice(TITLES)} ({team}-{number:04x})",
            description="The rule has been true for five minutes.\nSee the dashboard of the team.",
            severity=severity,
            alert_type=AlertType.METRIC,
            incident_type=self.dice.choice(list(IncidentType)),
            labels={
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": model,
                "team": team,
                "region": self.dice.choice(("eu-central-1", "us-east-1")),
            },
            affected_services=(f"{team}-api",),
            runbook_url="https://example.org/runbooks/inference",
        )
        found = await self.say(alert, source)
        for _ in range(self.dice.choice((0, 0, 0, 1, 4, 23))):
            self.clock.now += self.dice.randrange(MINUTE // 8)
            await self.say(alert, source)
        return found

    async def handle(self, incident: str, how_far: int, pause: Micros) -> None:
        """Somebody takes it: seen, worked on, said, solved, closed."""
        who = self.dice.choice(PEOPLE)
        steps: Sequence[Command] = (
            AcknowledgeIncident(incident),
            AssignIncident(incident, (who,)),
            UpdateIncident(incident, state=IncidentState.IDENTIFIED),
            AddComment(incident, "The provider confirms it; traffic goes to the other region."),
            UpdateIncident(incident, state=IncidentState.MONITORING),
            ResolveIncident(
                incident,
                ResolutionMethod.MANUAL,
                "Rolled the gateway back to the last release.",
                "A timeout of the new release is shorter than the model's first token.",
            ),
            CloseIncident(incident),
        )
        for step in steps[:how_far]:
            self.clock.now += int(self.dice.expovariate(1 / pause))
            await self.say(step, who)


async def tell(journal: Path, *, done: int = 40, active: int = 22, seed: int = 7) -> None:
    """Write the story: incidents that are done, and active ones, over the last day."""
    dice = random.Random(seed)
    now = wall_clock()
    clock = _Clock(now - 24 * HOUR)
    async with open_system(
        lambda: open_sqlite(journal),
        lambda keeper: GraphQLProjector(_Sources(keeper)),
        SystemSettings(),
        clock=clock,
    ) as system:
        teller = _Teller(system, clock, dice)
        pace = 20 * HOUR // max(1, done)
        for index in range(done):
            at = now - 24 * HOUR + index * pace + dice.randrange(pace)
            severity = dice.choices(list(Severity), (1, 3, 6, 8, 4))[0]
            await teller.handle(
                await teller.incident(at, severity), dice.choice((6, 6, 7)), 4 * MINUTE
            )
        left = max(now - 4 * HOUR, clock.now)
        pace = (now - left) // (active + 2)
        first = None
        for index in range(active):
            severity = dice.choices(list(Severity), (1, 2, 6, 7, 4))[0]
            at = left + index * pace
            incident = await teller.incident(at, severity, LONG if index == active - 6 else None)
            if index < active - 3:
                await teller.handle(incident, dice.choice((0, 1, 2, 3, 4, 5)), pace // 6)
            if index == active - 6:
                await teller.say(EscalateIncident(incident, Severity.P0, "all tenants"), "ann")
                if first is not None:
                    await teller.say(LinkIncidents(incident, first), "ann")
            first = first or incident
