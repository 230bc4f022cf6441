// The parts of an incident's pane: facts, description, timeline, comments, alerts, related, labels.
import { h, badge, stateOf } from "./dom.js";
import { modelOf, providerOf } from "./incident.js";
import { count, many, plain, rough, when } from "./words.js";

const line = (name, value) => (value ? [h("dt", {}, name), h("dd", {}, value)] : []);
const time = (text) => (text ? h("time", { datetime: text, title: text }, when(text)) : null);
const apart = (text) => h("bdi", {}, text); // whatever is written in it, what follows is not turned round
const took = (from, to) => rough(Date.parse(to) - Date.parse(from));

function seenBy({ createdAt, acknowledgedAt, acknowledgedBy }) {
  if (!acknowledgedAt) return null;
  return [time(acknowledgedAt), " by ", apart(acknowledgedBy), `, after ${took(createdAt, acknowledgedAt)}`];
}

export function facts(incident, full) {
  const resources = full?.affectedResources.join(", ");
  return h("dl", { class: "facts" },
    line("Assigned to", incident.assignees.join(", ") || h("span", { class: "nobody" }, "nobody")),
    line("Source", incident.source),
    line("Model", modelOf(incident)),
    line("Provider", providerOf(incident)),
    line("Type", plain(incident.incidentType)),
    line("Affected", resources),
    line("Created", time(incident.createdAt)),
    line("Acknowledged", seenBy(incident)),
    line("Resolved", incident.resolvedAt
      && [time(incident.resolvedAt), `, after ${took(incident.createdAt, incident.resolvedAt)}`]),
    line("Alerts", count(incident.alertCount)));
}

function section(title, total, ...inside) {
  const name = total === null ? title : `${title} `;
  return h("section", {}, h("h3", {}, name, total === null ? null : h("span", { class: "many" }, count(total))), inside);
}

const nothing = (text) => h("p", { class: "nothing" }, text);

// Alerts that follow each other are one line.
function grouped(events) {
  const groups = [];
  for (const event of events) {
    const last = groups.at(-1);
    const joins = event.eventType === "ALERT_RECEIVED" && last?.event.eventType === "ALERT_RECEIVED";
    if (joins) Object.assign(last, { many: last.many + 1, until: event.timestamp });
    else groups.push({ event, many: 1, until: null });
  }
  return groups;
}

function timeline({ events, totalCount }) {
  const entries = grouped(events).reverse().map(({ event, many: some, until }) => h("li", {
    class: event.eventType,
  }, h("span", { class: "at" }, time(until ?? event.timestamp)), h("span", { class: "told" },
    some > 1 ? `${many(some, "alert")} received` : event.description || plain(event.eventType),
    h("span", { class: "by" }, some > 1 ? `since ${when(event.timestamp)}` : event.actor))));
  const left = totalCount - events.length;
  return section("Timeline", totalCount, h("ol", { class: "timeline" }, entries),
    left > 0 ? nothing(`${many(left, "later entry", "later entries")} not shown.`) : null);
}

function comments({ comments: given, totalCount }) {
  if (!given.length) return null;
  return section("Comments", totalCount, h("ul", { class: "comments" }, given.map((each) => h("li", {},
    h("p", { class: "by" }, h("b", {}, apart(each.author)), " ", time(each.createdAt)), h("p", { class: "text" }, each.content)))));
}

// A link only where it leads to a page: an alert may say anything.
function runbook(url) {
  const isPage = url && /^https?:\/\//i.test(url);
  return isPage ? h("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, "runbook") : null;
}

function alerts(given, total) {
  return section("Alerts", total, given.length ? h("ul", { class: "plain" }, given.map((each) => h("li", {},
    badge(each.severity), h("span", { class: "told" }, each.title,
      h("span", { class: "by" }, apart(each.source), " · ", plain(each.status), " · ", time(each.timestamp), " ", runbook(each.runbookUrl)))))) : nothing("It was opened by hand."));
}

function related(given, pick) {
  if (!given.length) return null;
  return section("Related incidents", given.length, h("ul", { class: "plain" }, given.map((each) => h("li", {},
    badge(each.severity), h("button", { type: "button", class: "link", onclick: () => pick(each.id) }, each.title),
    stateOf(each.state, plain(each.state))))));
}

function table(title, map) {
  const entries = Object.entries(map).sort();
  if (!entries.length) return null;
  return section(title, entries.length, h("dl", { class: "raw" },
    entries.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}

function solved(resolution) {
  if (!resolution) return null;
  const { resolvedBy, resolutionMethod, notes, rootCause } = resolution;
  return section("Resolution", null, h("p", { class: "text" }, notes),
    rootCause ? h("p", { class: "text" }, h("b", {}, "Root cause: "), rootCause) : null,
    h("p", { class: "by" }, `${plain(resolutionMethod)}, by `, apart(resolvedBy)));
}

export function sections(full, pick) {
  if (!full) return [nothing("Loading …")];
  return [
    full.description ? section("Description", null, h("p", { class: "text" }, full.description)) : null,
    solved(full.resolution),
    comments(full.comments),
    timeline(full.timeline),
    alerts(full.alerts, full.alertCount),
    related(full.relatedIncidents, pick),
    table("Labels", full.labels),
    table("Metadata", full.metadata),
    h("p", { class: "fine" }, `Incident ${full.id}, version ${full.version}`, h("br"), `Fingerprint ${full.fingerprint}`),
  ].filter(Boolean);
}
