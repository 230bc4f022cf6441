// Fills the store: an exact snapshot, then the stream from the snapshot's cursor on. What the stream
// tells of an incident that is held in that version, or a later one, tells nothing new.
import { DONE } from "./incident.js";
import { ME, PAGE, SEARCH, UPDATES } from "./queries.js";

const WORST = { field: "SEVERITY", order: "DESC" };
const NEWEST = { field: "CREATED_AT", order: "DESC" };

export class Feed {
  #cursor = null; // the last event that was told
  #after = null; // the page of active incidents to be read next; null when all are read
  #more = new Map(); // JSON of a filter: {after, ended, busy}
  #stop = () => {};
  #round = 0; // grows with each connection: what an older one has begun is given up

  // `tell`: changed(), completed(), event(update, before, late), caughtUp(loadedAnew),
  // signedIn(me, whether that is somebody else)
  constructor(link, store, tell) {
    Object.assign(this, { link, store, tell, me: null, skew: 0, complete: false, total: 0 });
  }

  // The connection is there (again).
  async opened() {
    const round = ++this.#round;
    try {
      const { me, cursor } = await this.link.request(ME);
      if (round !== this.#round) return;
      const same = JSON.stringify([me.name, me.selectors]) === JSON.stringify([this.me?.name, this.me?.selectors]);
      if (!same) this.#forget();
      this.me = me;
      this.tell.signedIn(me, !same);
      if (this.#cursor === null) await this.#load(round);
      else this.#follow(round, cursor);
      await this.#rest(round);
    } catch (error) {
      this.#failed(round, error);
    }
  }

  // Without the snapshot or the stream nothing that is shown would be true for long: begin again.
  #failed(round, error) {
    if (round === this.#round) this.link.again(error.message);
  }

  lost() {
    this.#round += 1;
  }

  #forget() {
    this.#cursor = this.#after = null;
    this.#more.clear();
    this.complete = false;
    this.store.clear();
  }

  async #load(round) {
    const page = await this.#page({ activeOnly: true }, WORST, null);
    if (round !== this.#round) return;
    this.store.clear();
    this.#more.clear();
    this.#cursor = page.cursor;
    this.total = page.pageInfo.totalCount;
    this.#take(page);
    this.#follow(round, null);
  }

  // The other pages of active incidents: a change meanwhile comes by the stream.
  async #rest(round) {
    while (this.#after !== null && round === this.#round) {
      const page = await this.#page({ activeOnly: true }, WORST, this.#after);
      if (round === this.#round) this.#take(page);
    }
  }

  #take({ incidents, pageInfo }) {
    incidents.forEach((each) => this.store.put(each));
    this.#after = pageInfo.hasNextPage ? pageInfo.endCursor : null;
    this.complete = this.#after === null;
    this.tell.changed();
    if (this.complete) this.tell.completed();
  }

  async #page(filter, sort, after) {
    return (await this.link.request(PAGE, { filter, sort, after })).incidents;
  }

  // `head` is where the journal was when the connection came back: what comes up to there has
  // happened meanwhile.
  #follow(round, head) {
    let late = head !== null && head !== this.#cursor;
    if (head !== null && !late) this.tell.caughtUp(false);
    const anew = () => {
      if (round !== this.#round) return;
      this.#stop();
      this.#cursor = this.#after = null;
      this.#load(round).then(() => this.tell.caughtUp(true)).then(() => this.#rest(round))
        .catch((error) => this.#failed(round, error));
    };
    this.#stop = this.link.subscribe(UPDATES, this.#cursor, {
      gap: anew,
      error: ([first]) => this.#failed(round, first),
      next: ({ data, extensions }) => {
        if (extensions.recovered === false) return anew();
        const update = data.incidentUpdates;
        const beat = update.updateType === "HEARTBEAT";
        this.#cursor = extensions.cursor;
        if (beat) this.skew = Date.parse(update.timestamp) - Date.now();
        else this.#event(update, late);
        if (late && (beat || extensions.cursor === head)) {
          late = false;
          this.tell.caughtUp(false);
        }
      },
    });
  }

  #event(update, late) {
    if (!update.incident) return;
    const before = this.store.held(update.incidentId);
    if (!this.store.put(update.incident)) return;
    this.tell.event(update, before, late);
    this.tell.changed();
  }

  // One more page of incidents that are done, by a filter of the board; nothing where all are here.
  async more(filter) {
    const states = DONE.filter((each) => filter.states.includes(each));
    if (!states.length || filter.text) return;
    await this.#older({
      states,
      severities: filter.severities,
      sources: filter.source ? [filter.source] : [],
      labels: Object.fromEntries(filter.labels),
    });
  }

  // All that was created since, for the figures: at most `pages` of a hundred. Whether that is all.
  async since(createdAfter, pages) {
    const asked = { states: DONE, createdAfter };
    for (let read = 0; read < pages; read += 1) {
      if (!(await this.#older(asked))) return true;
    }
    return this.#more.get(JSON.stringify(asked)).ended;
  }

  async #older(asked) {
    const key = JSON.stringify(asked);
    const place = this.#more.get(key) ?? { after: null, ended: false, busy: false };
    if (place.ended || place.busy || this.link.state !== "open") return false;
    this.#more.set(key, place);
    place.busy = true;
    try {
      const { incidents, pageInfo } = await this.#page(asked, NEWEST, place.after);
      incidents.forEach((each) => this.store.put(each));
      place.after = pageInfo.endCursor;
      place.ended = !pageInfo.hasNextPage;
      this.tell.changed();
      return true;
    } finally {
      place.busy = false;
    }
  }

  // The ids of the hundred that fit a text best, wherever in them it is.
  async search(text) {
    const { searchIncidents } = await this.link.request(SEARCH, { query: text });
    searchIncidents.incidents.forEach((each) => this.store.put(each));
    this.tell.changed();
    return new Set(searchIncidents.incidents.map((each) => each.id));
  }
}

