// Incidents for the tests, and dice that fall the same way each time.

export function incident(changes = {}) {
  return {
    id: "a", title: "Checkout is slow", severity: "P2", state: "NEW", incidentType: "UNKNOWN",
    source: "grafana", createdAt: "2026-01-31T12:00:00.000000Z", updatedAt: "2026-01-31T12:00:00.000000Z",
    acknowledgedAt: null, acknowledgedBy: null, resolvedAt: null, closedAt: null, assignees: [],
    labels: {}, alertCount: 1, version: 1, ...changes,
  };
}

export function dice(seed) {
  let state = seed;
  return (below) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}
