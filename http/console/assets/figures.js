// Figures for the charts, from the incidents that are held. Pure.
import { SEVERITIES } from "./incident.js";

export const HOUR = 3_600_000;

// Incidents created in each of the last `hours` hours: [{from, P0, ..., P4, total}], oldest first.
export function perHour(incidents, now, hours = 24) {
  const start = (Math.floor(now / HOUR) - hours + 1) * HOUR;
  const columns = Array.from({ length: hours }, (_, i) => ({
    from: start + i * HOUR, total: 0, ...Object.fromEntries(SEVERITIES.map((each) => [each, 0])),
  }));
  for (const { createdAt, severity } of incidents) {
    const column = columns[Math.floor((Date.parse(createdAt) - start) / HOUR)];
    if (!column) continue;
    column[severity] += 1;
    column.total += 1;
  }
  return columns;
}

// The value below which `share` of the sorted numbers lie (nearest rank); null of none.
export function quantile(sorted, share) {
  return sorted.length ? sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] : null;
}

// How long it took from the creation to `end` (a field), by severity: [{severity, count, median, p90}]
// in milliseconds, of what was created after `since`.
export function durations(incidents, end, since) {
  const spans = Object.fromEntries(SEVERITIES.map((each) => [each, []]));
  for (const each of incidents) {
    const created = Date.parse(each.createdAt);
    if (created >= since && each[end]) spans[each.severity].push(Date.parse(each[end]) - created);
  }
  return SEVERITIES.map((severity) => {
    const sorted = spans[severity].sort((a, b) => a - b);
    return {
      severity, count: sorted.length, median: quantile(sorted, 0.5), p90: quantile(sorted, 0.9),
    };
  });
}

// A round number at or above `most`, for the top of an axis.
export function ceiling(most) {
  if (most <= 5) return Math.max(1, Math.ceil(most));
  const step = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 5, 10].map((each) => each * step).find((each) => each >= most);
}

// The sources of what was created after `since`, those with most alerts first.
export function sourcesOf(incidents, since, most = 8) {
  const counts = new Map();
  for (const { source, createdAt, alertCount } of incidents) {
    if (Date.parse(createdAt) >= since) counts.set(source, (counts.get(source) ?? 0) + alertCount);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).slice(0, most).map(([source]) => source);
}
