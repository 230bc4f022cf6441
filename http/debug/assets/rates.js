// Figures between two looks: messages of an actor, deliveries of the whole server. Pure.

const LATENCY = "lim_stream_delivery_latency_seconds";
const LINE = new RegExp(`^${LATENCY}_bucket\\{(?:.*,)?le="([^"]+)"\\} (\\S+)`);

// The histogram of deliveries in Prometheus' text: Map of upper bound (seconds) to cumulated count.
export function histogram(text) {
  const buckets = new Map();
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const bound = found[1] === "+Inf" ? Infinity : Number(found[1]);
    buckets.set(bound, (buckets.get(bound) ?? 0) + Number(found[2]));
  }
  return buckets;
}

// What happened between two histograms: {perSecond, p99}. `p99` is the bound (seconds) that 99 of
// 100 deliveries kept; null if there was none. A server that began anew counts from nothing.
export function between(before, now, seconds) {
  const anew = (now.get(Infinity) ?? 0) < (before.get(Infinity) ?? 0);
  const grown = [...now].sort(([a], [b]) => a - b)
    .map(([bound, count]) => [bound, count - (anew ? 0 : before.get(bound) ?? 0)]);
  const total = grown.at(-1)?.[1] ?? 0;
  const p99 = total ? grown.find(([, count]) => count >= 0.99 * total)[0] : null;
  return { perSecond: total / seconds, p99 };
}

// Messages a second of each actor since the look before: a function of (id, handled).
export class Rates {
  #before = new Map();
  #now = new Map();
  #at = 0;
  #span = 0;

  // A new look begins, at this time (milliseconds).
  look(at) {
    this.#span = (at - this.#at) / 1000;
    this.#at = at;
    this.#before = this.#now;
    this.#now = new Map();
  }

  // null where there is nothing to compare with, or the actor counts from nothing again.
  of(id, handled) {
    if (handled === null) return null;
    this.#now.set(id, handled);
    const before = this.#before.get(id);
    return before === undefined || handled < before || this.#span <= 0 ? null : (handled - before) / this.#span;
  }
}
