// What the board shows: kept in the address, so that a view can be shared. Pure.
import { ACTIVE, SEVERITIES, STATES } from "./incident.js";

export const NOTHING = Object.freeze({
  severities: [], states: [], source: "", labels: [], text: "",
});

const known = (text, among) => among.filter((each) => (text ?? "").split(",").includes(each));

// Of a URL's search parameters; what is not known there is left out.
export function read(parameters) {
  return {
    severities: known(parameters.get("severity"), SEVERITIES),
    states: known(parameters.get("state"), STATES),
    source: parameters.get("source") ?? "",
    labels: parameters.getAll("label").map(pair).filter(Boolean),
    text: parameters.get("q") ?? "",
  };
}

// Into them; other parameters stay as they are.
export function write(filter, parameters) {
  const set = (name, value) => (value ? parameters.set(name, value) : parameters.delete(name));
  set("severity", filter.severities.join(","));
  set("state", filter.states.join(","));
  set("source", filter.source);
  set("q", filter.text);
  parameters.delete("label");
  for (const [name, value] of filter.labels) parameters.append("label", `${name}=${value}`);
  return parameters;
}

// `name=value`; null where there is no name or no "=".
export function pair(text) {
  const at = text.indexOf("=");
  return at > 0 ? [text.slice(0, at).trim(), text.slice(at + 1).trim()] : null;
}

export const isEmpty = (filter) =>
  !filter.severities.length && !filter.states.length && !filter.source
  && !filter.labels.length && !filter.text.trim();

// States that are looked for: those named, else the active ones.
export const statesOf = (filter) => (filter.states.length ? filter.states : ACTIVE);

// A predicate of incidents. Of the text every word must be somewhere in the incident, unless the
// server has found it by that text (`found`, ids): it reads descriptions too.
export function matcher(filter, found = new Set()) {
  const states = new Set(statesOf(filter));
  const severities = new Set(filter.severities);
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (incident) =>
    states.has(incident.state)
    && (!severities.size || severities.has(incident.severity))
    && (!filter.source || incident.source === filter.source)
    && filter.labels.every(([name, value]) => incident.labels[name] === value)
    && (found.has(incident.id) || words.every((word) => says(incident, word)));
}

function says(incident, word) {
  return incident.title.toLowerCase().includes(word)
    || incident.source.toLowerCase().includes(word)
    || incident.id.startsWith(word)
    || incident.assignees.some((each) => each.toLowerCase().includes(word))
    || Object.values(incident.labels).some((each) => each.toLowerCase().includes(word));
}

// With one thing more, or without it if it is there.
export const toggled = (list, item) =>
  (list.includes(item) ? list.filter((each) => each !== item) : [...list, item]);
