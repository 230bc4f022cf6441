// The GraphQL documents of the console, in one place.

const ROW = `id title severity state incidentType source createdAt updatedAt acknowledgedAt
  acknowledgedBy resolvedAt closedAt assignees labels alertCount version`;

export const ME = "{ me { name roles selectors expiresAt } cursor }";

export const PAGE = `query ($filter: IncidentFilterInput, $sort: IncidentSortInput, $after: String) {
  incidents(filter: $filter, sort: $sort, pagination: {first: 100, after: $after}) {
    cursor incidents { ${ROW} } pageInfo { endCursor hasNextPage totalCount }
  }
}`;

export const SEARCH = `query ($query: String!) {
  searchIncidents(query: $query, pagination: {first: 100}) { incidents { ${ROW} } }
}`;

export const UPDATES = `subscription {
  incidentUpdates(heartbeatSeconds: 10) {
    updateType incidentId timestamp changedFields actor incident { ${ROW} }
  }
}`;

export const DETAIL = `query ($id: UUID!, $after: String) {
  incident(id: $id) {
    ${ROW} description affectedResources metadata fingerprint
    resolution { resolvedAt resolvedBy resolutionMethod rootCause notes }
    relatedIncidents { id title severity state }
    alerts { id externalId source title severity status timestamp runbookUrl labels }
    comments(first: 100) { comments { id author content createdAt } totalCount }
    timeline(first: 100, after: $after) {
      events { cursor timestamp eventType actor description }
      totalCount endCursor hasNextPage
    }
  }
}`;

// How many alerts there are, and how many each source has sent: one alias for each.
export function alertsOf(sources) {
  const given = ["$after: DateTime", ...sources.map((_, i) => `$s${i}: [String!]`)].join(", ");
  const asked = sources.map((_, i) => `s${i}: alerts(filter: {sources: $s${i}, receivedAfter: $after},
    pagination: {first: 1}) { pageInfo { totalCount } }`);
  const variables = Object.fromEntries(sources.map((each, i) => [`s${i}`, [each]]));
  const all = "all: alerts(filter: {receivedAfter: $after}, pagination: {first: 1}) { pageInfo { totalCount } }";
  return { query: `query (${given}) { ${[all, ...asked].join("\n")} }`, variables };
}

const change = (name, parameters, passed) =>
  `mutation (${parameters}) { done: ${name}(${passed}) { ${ROW} } }`;

export const CHANGES = {
  acknowledge: change("acknowledgeIncident", "$id: UUID!, $version: Int",
    "id: $id, expectedVersion: $version"),
  assign: change("assignIncident", "$id: UUID!, $version: Int, $assignees: [String!]!",
    "incidentId: $id, assignees: $assignees, expectedVersion: $version"),
  comment: change("addComment", "$id: UUID!, $comment: String!",
    "incidentId: $id, comment: $comment"),
  escalate: change("escalateIncident",
    "$id: UUID!, $version: Int, $severity: Severity!, $reason: String!",
    "incidentId: $id, newSeverity: $severity, reason: $reason, expectedVersion: $version"),
  resolve: change("resolveIncident", "$id: UUID!, $version: Int, $input: ResolveIncidentInput!",
    "id: $id, input: $input, expectedVersion: $version"),
  close: change("closeIncident", "$id: UUID!, $version: Int", "id: $id, expectedVersion: $version"),
  reopen: change("reopenIncident", "$id: UUID!, $version: Int, $reason: String",
    "id: $id, reason: $reason, expectedVersion: $version"),
};
