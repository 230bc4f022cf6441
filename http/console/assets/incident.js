// What the console knows of one incident: order, newness, and what its labels say. Pure.

export const SEVERITIES = ["P0", "P1", "P2", "P3", "P4"];
export const ACTIVE = ["NEW", "INVESTIGATING", "IDENTIFIED", "MONITORING"];
export const DONE = ["RESOLVED", "CLOSED"];
export const STATES = [...ACTIVE, ...DONE];

export const MEANS = {
  P0: "critical", P1: "high", P2: "medium", P3: "low", P4: "informational",
};

export const isActive = (incident) => ACTIVE.includes(incident.state);
export const isCritical = (incident) => incident.severity === "P0" || incident.severity === "P1";

const MODEL = ["gen_ai.request.model", "gen_ai.response.model"];
const PROVIDER = ["gen_ai.provider.name", "gen_ai.system"];
const first = (labels, names) => names.map((name) => labels[name]).find(Boolean) ?? null;

export const modelOf = (incident) => first(incident.labels, MODEL);
export const providerOf = (incident) => first(incident.labels, PROVIDER);

// The labels that a row shows beside its model: the others, in the order of their names.
export function otherLabels(incident) {
  const known = new Set([...MODEL, ...PROVIDER]);
  return Object.entries(incident.labels).filter(([name]) => !known.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

// Whether `given` tells more than `held`. An alert that joins leaves the version as it is, but
// raises the count of alerts.
export function isNewer(given, held) {
  if (!held || given.version !== held.version) return !held || given.version > held.version;
  return given.alertCount > held.alertCount;
}

// Worst and newest first; what is done comes after all that is not.
export function worseFirst(a, b) {
  const active = isActive(b) - isActive(a);
  if (active) return active;
  if (a.severity !== b.severity) return a.severity < b.severity ? -1 : 1;
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1;
  return a.id < b.id ? 1 : -1;
}

// What each change may start from, for who may change anything.
export function possible(incident) {
  const active = isActive(incident);
  return {
    acknowledge: active && !incident.acknowledgedAt,
    assign: true,
    comment: true,
    escalate: active && incident.severity !== "P0",
    resolve: active,
    close: incident.state === "RESOLVED",
    reopen: !active,
  };
}

export const severer = (severity) => SEVERITIES.slice(0, SEVERITIES.indexOf(severity));
