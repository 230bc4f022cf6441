// Carries out a change: shown at once, asked of the server, and taken back honestly if refused.
import { CHANGES } from "./queries.js";
import { plain } from "./words.js";

// What the incident will look like if the server agrees. Pure.
export function hoped(name, incident, given, me, now) {
  switch (name) {
    case "acknowledge":
      return {
        acknowledgedAt: now, acknowledgedBy: me.name,
        ...(incident.state === "NEW" ? { state: "INVESTIGATING" } : {}),
      };
    case "assign":
      return { assignees: given.assignees };
    case "escalate":
      return { severity: given.severity };
    case "resolve":
      return { state: "RESOLVED", resolvedAt: now };
    case "close":
      return { state: "CLOSED", closedAt: now };
    case "reopen":
      return { state: "INVESTIGATING", resolvedAt: null, closedAt: null };
    default:
      return {};
  }
}

// Why it was not done, for whoever asked for it; `now` is the incident as it is held. Pure.
export function explain(name, error, now) {
  const what = `${plain(name.toUpperCase())} was not done`;
  switch (error.code) {
    case "CONFLICT":
      return `${what}: somebody changed the incident meanwhile. It is ${plain(now?.state ?? "gone")}`
        + ` (version ${now?.version}) now; look again before you repeat it.`;
    case "LOST":
    case "SERVICE_UNAVAILABLE":
    case "TIMEOUT":
      return `${plain(name.toUpperCase())}: ${error.message} What you see is what is known.`;
    default:
      return `${what}: ${error.message}`;
  }
}

export class Changes {
  #left = new Map(); // id: a promise of the version that our last change of it leaves

  // `changed()` is told when the store shows something else.
  constructor(link, store, changed) {
    Object.assign(this, { link, store, changed });
  }

  // One change of an incident after the other: the next expects the version that ours before it has
  // left, or that was seen if ours failed. Raises Error, with words for whoever asked.
  async make(name, id, given, me) {
    const held = this.store.held(id);
    if (!held) throw new Error("It is not held here any more: open it again.");
    const patch = hoped(name, held, given, me, new Date().toISOString());
    const key = this.store.hope(id, patch);
    this.changed();
    const seen = Promise.resolve(this.#left.get(id) ?? held.version).catch(() => held.version);
    const asked = seen.then((version) => this.link.request(CHANGES[name], { id, version, ...given }));
    const left = asked.then(({ done }) => done.version);
    left.catch(() => {}); // it is told of below
    this.#left.set(id, left);
    try {
      this.store.put((await asked).done);
    } catch (error) {
      throw new Error(explain(name, error, this.store.held(id)), { cause: error });
    } finally {
      if (this.#left.get(id) === left) this.#left.delete(id);
      this.store.settle(id, key);
      this.changed();
    }
  }
}
