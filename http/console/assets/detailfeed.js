// All that is known of the one incident whose pane is open: read again whenever it has changed.
import { DETAIL } from "./queries.js";

const PAGES = 10; // of a hundred entries of the timeline

export class DetailFeed {
  #id = null;
  #full = null;
  #busy = false;
  #stale = true;
  problem = null;

  // What is read goes into `store` too: it can be changed from here, though the board may not have it.
  // `changed()` is told when there is something else to show.
  constructor(link, store, changed) {
    Object.assign(this, { link, store, changed });
  }

  // What is known of it; null if that is on its way.
  full(id) {
    return this.#full?.id === id ? this.#full : null;
  }

  stale() {
    this.#stale = true;
  }

  // Somebody else looks now: what was read for another is not for them.
  forget() {
    this.#full = this.#id = null;
  }

  want(id) {
    if (id !== this.#id) Object.assign(this, { problem: null });
    this.#stale ||= id !== this.#id;
    this.#id = id;
    if (this.#stale && !this.#busy && this.link.state === "open") this.#read(id);
  }

  async #read(id) {
    this.#busy = true;
    this.#stale = false;
    try {
      const { incident } = await this.link.request(DETAIL, { id });
      if (incident) await this.#rest(incident);
      if (id === this.#id) {
        if (incident) this.store.put(incident);
        this.#full = incident;
        this.problem = incident ? null : "There is no such incident, or you may not see it.";
      }
    } catch (error) {
      this.problem = error.message;
    } finally {
      this.#busy = false;
    }
    this.changed();
  }

  // The newest entries are the last: read on to them, within reason.
  async #rest(incident) {
    const { timeline } = incident;
    for (let page = 1; page < PAGES && timeline.hasNextPage; page += 1) {
      const more = await this.link.request(DETAIL, { id: incident.id, after: timeline.endCursor });
      const { events, ...place } = more.incident.timeline;
      Object.assign(timeline, place, { events: [...timeline.events, ...events] });
    }
  }
}
