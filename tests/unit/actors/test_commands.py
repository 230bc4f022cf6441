from typing import get_args

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError

from incident_manager.actors import commands
from incident_manager.actors.commands import AssignIncident, Command
from incident_manager.actors.vocabulary import AlertType, IncidentType
from unit.actors.support import make_create, make_submit


def test_every_command_is_one_of_the_union_and_says_what_it_is() -> None:
    named = {getattr(commands, name) for name in commands.__all__ if name != "Command"}
    assert named == set(get_args(Command))
    assert all(kind.__doc__ for kind in named)


def test_a_command_is_a_value() -> None:
    assert make_submit() == make_submit()
    assert make_submit() != make_create()
    with pytest.raises(FrozenInstanceError):
        make_submit().title = "another"  # type: ignore[misc]


def test_an_alert_says_no_more_than_it_must() -> None:
    alert = make_submit()
    assert (alert.alert_type, alert.incident_type) == (AlertType.EVENT, IncidentType.UNKNOWN)
    assert (alert.resolved, alert.source_key, alert.external_id) == (False, None, None)
    assert (alert.labels, alert.annotations, alert.affected_services) == ({}, {}, ())


def test_two_values_share_no_default() -> None:
    assert make_submit().labels is not make_submit().labels


def test_what_changes_an_incident_may_expect_a_version_unless_it_only_adds() -> None:
    adds = {"SubmitAlert", "CreateIncident", "AddComment", "LinkIncidents"}
    for kind in get_args(Command):
        names = {each.name for each in fields(kind)}
        assert ("expected_version" in names) is (kind.__name__ not in adds)
    assert AssignIncident("1", ()).expected_version is None
