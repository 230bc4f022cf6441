"""The schema keeps the contract: names, nullability and arguments."""

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    print_schema,
)

from incident_manager.actors.roles import Role
from incident_manager.actors.streams import StreamField
from incident_manager.schema.build import schema, sdl
from incident_manager.schema.operation import LEAST_ROLE
from incident_manager.schema.resolvers.types import RELATIONS

# The contract's own lines, as far as they are served.
TYPES = {
    "Query": "health: Health!  cursor: Cursor!  incident(id: UUID!): Incident"
    "  incidents(filter: IncidentFilterInput, pagination: PaginationInput,"
    " sort: IncidentSortInput): IncidentConnection!",
    "Mutation": "submitAlert(input: SubmitAlertInput!): AlertAck!"
    "  resolveIncident(id: UUID!, input: ResolveIncidentInput!, expectedVersion: Int): Incident!",
    "Subscription": "criticalIncidents(filter: StreamFilterInput): Incident!"
    "  incidentUpdates(incidentIds: [UUID!], severities: [Severity!],"
    " activeOnly: Boolean = false, heartbeatSeconds: Int, filter: StreamFilterInput):"
    " IncidentUpdate!"
    "  newIncidents(severities: [Severity!], filter: StreamFilterInput): Incident!"
    "  incidentStateChanges(incidentId: UUID, filter: StreamFilterInput): IncidentStateChange!"
    "  alerts(sources: [String!], severities: [Severity!], filter: StreamFilterInput): Alert!",
    "Incident": "id: UUID!  title: String!  description: String!  severity: Severity!"
    "  state: IncidentState!  incidentType: IncidentType!  source: String!  createdAt: DateTime!"
    "  updatedAt: DateTime!  acknowledgedAt: DateTime  acknowledgedBy: String"
    "  resolvedAt: DateTime  closedAt: DateTime  assignedTo: String  assignees: [String!]!"
    "  affectedResources: [String!]!  labels: Map!  metadata: Map!  fingerprint: String!"
    "  resolution: Resolution  isActive: Boolean!  isCritical: Boolean!  alertCount: Int!"
    "  version: Int!",
    "Resolution": "resolvedAt: DateTime!  resolvedBy: String!"
    "  resolutionMethod: ResolutionMethod!  rootCause: String  notes: String!",
    "Alert": "id: UUID!  externalId: String!  source: String!  title: String!"
    "  description: String!  severity: Severity!  alertType: AlertType!"
    "  incidentType: IncidentType!  labels: Map!  affectedServices: [String!]!"
    "  runbookUrl: String  annotations: Map!  timestamp: DateTime!  receivedAt: DateTime!"
    "  status: AlertStatus!  incidentId: UUID  incident: Incident  deduplicated: Boolean!"
    "  fingerprint: String!",
    "AlertAck": "alertId: UUID!  incidentId: UUID  status: AckStatus!  message: String!"
    "  receivedAt: DateTime!",
    "IncidentUpdate": "updateType: IncidentUpdateType!  incidentId: UUID  timestamp: DateTime!"
    "  incident: Incident  changedFields: [String!]!  actor: String",
    "IncidentStateChange": "incidentId: UUID!  oldState: IncidentState!"
    "  newState: IncidentState!  changedBy: String!  timestamp: DateTime!  incident: Incident!",
    "IncidentConnection": "incidents: [Incident!]!  edges: [IncidentEdge!]!  pageInfo: PageInfo!"
    "  cursor: Cursor!",
    "IncidentEdge": "node: Incident!  cursor: String!",
    "PageInfo": "page: Int  pageSize: Int!  totalCount: Int!  totalPages: Int!"
    "  hasNextPage: Boolean!  hasPreviousPage: Boolean!  endCursor: String",
    "Health": "status: HealthState!  version: String!  uptimeSeconds: Int!"
    "  components: [ComponentHealth!]!",
    "ComponentHealth": "name: String!  status: HealthState!  message: String",
}
INPUTS = {
    "PaginationInput": "page: Int = 0  pageSize: Int = 20  first: Int  after: String",
    "IncidentSortInput": "field: IncidentSortField!  order: SortOrder = DESC",
    "IncidentFilterInput": "states: [IncidentState!]  severities: [Severity!]"
    "  sources: [String!]  types: [IncidentType!]  activeOnly: Boolean  assignedTo: String"
    "  labels: Map  createdAfter: DateTime  createdBefore: DateTime",
    "StreamFilterInput": "incidentIds: [UUID!]  severities: [Severity!]  states: [IncidentState!]"
    "  sources: [String!]  types: [IncidentType!]  labels: Map  assignedTo: String",
    "SubmitAlertInput": "externalId: String  source: String!  title: String!"
    "  description: String!  severity: Severity!  alertType: String  incidentType: IncidentType"
    "  labels: Map  affectedServices: [String!]  runbookUrl: String  annotations: Map"
    "  timestamp: DateTime",
    "ResolveIncidentInput": "method: ResolutionMethod!  notes: String!  rootCause: String",
}
ENUMS = {
    "Severity": "P0 P1 P2 P3 P4",
    "IncidentState": "NEW INVESTIGATING IDENTIFIED MONITORING RESOLVED CLOSED",
    "IncidentType": "AVAILABILITY PERFORMANCE SECURITY DATA_INTEGRITY CAPACITY CONFIGURATION"
    " DEPENDENCY INFRASTRUCTURE APPLICATION DATA COMPLIANCE COST QUALITY OTHER UNKNOWN",
    "AlertType": "METRIC LOG TRACE EVENT SYNTHETIC",
    "AlertStatus": "PENDING PROCESSING DEDUPLICATED CREATED_INCIDENT MERGED IGNORED RESOLVED",
    "AckStatus": "ACCEPTED DUPLICATE RATE_LIMITED REJECTED",
    "IncidentUpdateType": "CREATED UPDATED STATE_CHANGED RESOLVED ASSIGNED COMMENT_ADDED HEARTBEAT",
    "ResolutionMethod": "AUTOMATED MANUAL AUTO_ASSISTED_MANUAL",
    "IncidentSortField": "CREATED_AT UPDATED_AT SEVERITY STATE",
    "SortOrder": "ASC DESC",
    "HealthState": "HEALTHY DEGRADED UNHEALTHY",
}
SCALARS = {"UUID", "DateTime", "Map", "JSON", "Cursor"}

OWN = {
    name: kind
    for name, kind in schema.type_map.items()
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
}


def test_the_fields_are_the_contracts() -> None:
    text = [f"scalar {name}" for name in SCALARS]
    text += [f"enum {name} {{ {values} }}" for name, values in ENUMS.items()]
    text += [f"type {name} {{ {fields} }}" for name, fields in TYPES.items()]
    text += [f"input {name} {{ {fields} }}" for name, fields in INPUTS.items()]
    contract = build_schema("\n".join(text))
    assert set(OWN) == {*TYPES, *INPUTS, *ENUMS, *SCALARS}
    bare = build_schema(sdl())
    for kind in bare.type_map.values():
        kind.description = None
        if not isinstance(kind, GraphQLScalarType):
            for member in (
                kind.values if isinstance(kind, GraphQLEnumType) else kind.fields
            ).values():  # type: ignore[union-attr]
                member.description = None
                for argument in getattr(member, "args", {}).values():
                    argument.description = None
    ours = sorted(print_schema(bare).split("\n\n"))
    assert ours == sorted(print_schema(contract).split("\n\n"))


@pytest.mark.parametrize("name", sorted(OWN))
def test_everything_is_described_or_speaks_for_itself(name: str) -> None:
    obvious = {"SortOrder", "Query", "Mutation", "SubmitAlertInput", "ResolveIncidentInput"}
    obvious |= {"IncidentEdge", "PageInfo", "ComponentHealth", "IncidentSortInput"}
    assert OWN[name].description or name in obvious


@pytest.mark.parametrize("name", sorted(ENUMS))
def test_every_value_of_an_enum_is_its_own_text(name: str) -> None:
    kind = OWN[name]
    assert isinstance(kind, GraphQLEnumType)
    for text, value in kind.values.items():
        assert kind.serialize(value.value) == text
        assert value.value == text


def test_names_are_snake_case_inside() -> None:
    field = OWN["Subscription"].fields["incidentUpdates"]  # type: ignore[union-attr]
    assert field.args["heartbeatSeconds"].out_name == "heartbeat_seconds"
    inputs = OWN["SubmitAlertInput"]
    assert isinstance(inputs, GraphQLInputObjectType)
    assert inputs.fields["affectedServices"].out_name == "affected_services"


def test_the_streams_are_the_fields_of_subscription() -> None:
    assert schema.subscription_type is not None
    assert set(schema.subscription_type.fields) == {stream.value for stream in StreamField}


def test_every_root_type_needs_a_role() -> None:
    roots = {"Query": Role.VIEWER, "Mutation": Role.RESPONDER, "Subscription": Role.VIEWER}
    assert roots.items() <= LEAST_ROLE.items()
    for entry in LEAST_ROLE.keys() - roots.keys():
        name, _, field = entry.partition(".")
        assert field in OWN[name].fields  # type: ignore[union-attr]


def test_relations_are_fields() -> None:
    for name, field in RELATIONS:
        kind = OWN[name]
        assert isinstance(kind, GraphQLObjectType)
        assert kind.fields[field].resolve is not None


def test_a_selection_decides_alone_what_is_collected() -> None:
    """Shapes rely on it: no type of the schema is abstract."""
    concrete = GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType | GraphQLScalarType
    assert all(isinstance(kind, concrete) for kind in OWN.values())


def test_the_sdl_builds_the_same_schema() -> None:
    assert print_schema(build_schema(sdl())) == sdl()
