// The incidents that this page holds, and what has been done to them here but not yet confirmed.
// Pure: it knows neither the DOM nor the network.
import { isActive, isNewer, worseFirst } from "./incident.js";

export const MOST = 25_000; // incidents held; beyond, those done longest ago are let go

export class Store {
  #held = new Map();
  #hopes = new Map(); // id: [{key, patch}]
  #ordered = [];
  #stale = false;

  get size() {
    return this.#held.size;
  }

  clear() {
    this.#held.clear();
    this.#hopes.clear();
    this.#stale = true;
  }

  // Take an incident in, from wherever: true if it told anything new.
  put(incident) {
    if (!isNewer(incident, this.#held.get(incident.id))) return false;
    this.#held.set(incident.id, incident);
    this.#stale = true;
    if (this.#held.size > MOST) this.#forget();
    return true;
  }

  // What is known for certain.
  held(id) {
    return this.#held.get(id) ?? null;
  }

  // What is shown: what is known, with the hopes over it.
  get(id) {
    const held = this.#held.get(id);
    if (!held) return null;
    const hopes = this.#hopes.get(id);
    if (!hopes) return held;
    return Object.assign({}, held, ...hopes.map((each) => each.patch), { pending: true });
  }

  // Show `patch` as if it were done, until `settle` is called with the key that this answers.
  hope(id, patch) {
    const key = Symbol(id);
    this.#hopes.set(id, [...(this.#hopes.get(id) ?? []), { key, patch }]);
    this.#stale = true;
    return key;
  }

  settle(id, key) {
    const left = (this.#hopes.get(id) ?? []).filter((each) => each.key !== key);
    if (left.length) this.#hopes.set(id, left);
    else this.#hopes.delete(id);
    this.#stale = true;
  }

  // All of them, worst and newest first.
  all() {
    if (this.#stale) {
      // What was in order stays so: sorting costs little where little has changed.
      const seen = new Set();
      const kept = [];
      for (const { id } of this.#ordered) {
        const now = this.get(id);
        if (now) kept.push(now);
        seen.add(id);
      }
      for (const id of this.#held.keys()) if (!seen.has(id)) kept.push(this.get(id));
      this.#ordered = kept.sort(worseFirst);
      this.#stale = false;
    }
    return this.#ordered;
  }

  // How many are active, by severity.
  counts() {
    const counts = { P0: 0, P1: 0, P2: 0, P3: 0, P4: 0 };
    for (const each of this.all()) if (isActive(each)) counts[each.severity] += 1;
    return counts;
  }

  #forget() {
    const done = [...this.#held.values()].filter((each) => !isActive(each))
      .sort((a, b) => (a.updatedAt < b.updatedAt ? -1 : 1));
    for (const each of done.slice(0, MOST / 10)) this.#held.delete(each.id);
  }
}
