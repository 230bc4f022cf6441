// Charts that answer questions: how many an hour, how soon seen and solved, who sends the alerts.
import { h, s } from "./dom.js";
import { HOUR, ceiling, durations, perHour, sourcesOf } from "./figures.js";
import { MEANS, SEVERITIES } from "./incident.js";
import { alertsOf } from "./queries.js";
import { count, many, rough } from "./words.js";

const SPAN = 24; // hours
const EVERY = 15_000; // milliseconds between two counts of alerts
const WIDE = 360, HIGH = 124, LEFT = 30, BELOW = 16;

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const short = new Intl.NumberFormat("en", { notation: "compact" }); // there is room for 10K, not for 10,000
const FEW = 6; // hours between two times below the columns

const text = (x, y, word, more = {}) => s("text", { x, y, ...more }, word);

function figure(title, sub, ...inside) {
  return h("figure", {}, h("figcaption", {}, h("b", {}, title), h("span", {}, sub)), inside);
}

// Stacked columns, one for each hour.
function hours(columns) {
  const top = ceiling(Math.max(1, ...columns.map((each) => each.total)));
  const scale = (HIGH - BELOW - 10) / top, step = (WIDE - LEFT) / columns.length;
  const total = columns.reduce((sum, each) => sum + each.total, 0);
  const bars = columns.flatMap((column, i) => {
    let y = HIGH - BELOW;
    const parts = SEVERITIES.toReversed().filter((each) => column[each]).map((severity) => {
      const height = column[severity] * scale;
      y -= height;
      return s("rect", { class: `fill ${severity}`, x: LEFT + i * step + 1, y, width: step - 2, height });
    });
    const told = SEVERITIES.filter((each) => column[each]).map((each) => `${each}: ${column[each]}`).join(", ");
    const hour = clock.format(new Date(column.from));
    return s("g", {}, s("title", {}, `${hour}: ${column.total ? told : "none"}`),
      s("rect", { class: "hit", x: LEFT + i * step, y: 0, width: step, height: HIGH - BELOW }), parts,
      i % FEW === 0 ? text(LEFT + i * step + 1, HIGH - 2, hour) : []);
  });
  const lines = [0, top].map((value) => {
    const y = HIGH - BELOW - value * scale;
    return s("g", {}, s("line", { class: "grid", x1: LEFT, x2: WIDE, y1: y, y2: y }),
      text(LEFT - 5, y + 3, short.format(value), { "text-anchor": "end" }));
  });
  return figure("Incidents per hour", `${count(total)} in ${SPAN} h`,
    s("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": `Incidents per hour: ${total} in the last ${SPAN} hours` }, lines, bars),
    h("p", { class: "key" }, SEVERITIES.map((each) => h("span", { class: each }, each, " ", MEANS[each]))));
}

// Horizontal bars: {name, value, told, mark (a second value), class}
function bars(rows, label) {
  const most = Math.max(1, ...rows.map((each) => Math.max(each.value ?? 0, each.mark ?? 0)));
  const step = 20, left = 92, right = 118, height = rows.length * step;
  const scale = (WIDE - left - right) / most;
  return s("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": label }, rows.map((row, i) => {
    const y = i * step;
    const end = row.mark === undefined ? row.value : Math.max(row.value ?? 0, row.mark ?? 0);
    return s("g", {}, s("title", {}, `${row.name}: ${row.told}`), 
      s("svg", { y, width: left - 6, height: step }, text(0, 13, row.name, { class: "strong" })), // cut off there
      row.value === null ? [] : s("rect", { class: `fill ${row.class}`, x: left, y: y + 4, height: 11, rx: 2, width: Math.max(2, row.value * scale) }),
      row.mark ? [
        s("line", { class: "mark", x1: left + (row.value ?? 0) * scale, x2: left + row.mark * scale, y1: y + 9.5, y2: y + 9.5 }),
        s("line", { class: "mark", x1: left + row.mark * scale, x2: left + row.mark * scale, y1: y + 5, y2: y + 14 }),
      ] : [],
      text(left + (end ?? 0) * scale + 6, y + 13, row.told));
  }));
}

const SHARES = "bar: half of them; mark: nine of ten";

function spans(title, found) {
  const rows = found.filter((each) => each.count).map(({ severity, median, p90 }) => ({
    name: severity, value: median, mark: p90, class: severity, told: `${rough(median)} / ${rough(p90)}`,
  }));
  const total = found.reduce((sum, each) => sum + each.count, 0);
  return figure(title, total ? SHARES : "", rows.length
    ? bars(rows, `${title}: ${rows.map((each) => `${each.name} ${each.told}`).join(", ")}`)
    : h("p", { class: "nothing" }, `None in ${SPAN} h.`));
}

function senders(given) {
  if (!given) return figure("Alerts per source", "", h("p", { class: "nothing" }, "Loading …"));
  const total = given.reduce((sum, each) => sum + each.value, 0);
  return figure("Alerts per source", `${count(total)} in ${SPAN} h`, given.length
    ? bars(given.map((each) => ({ ...each, class: "plain", told: count(each.value) })),
      `Alerts per source: ${given.map((each) => `${each.name} ${each.value}`).join(", ")}`)
    : h("p", { class: "nothing" }, `No alerts in ${SPAN} h.`));
}

export class Charts extends HTMLElement {
  #last = 0;
  #alerts = null; // until they have been counted

  connectedCallback() {
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", "Charts");
    this.tabIndex = 0; // where there is little room it scrolls
  }

  // Read what is needed: `feed` for incidents that are done, `link` for counts of alerts.
  async load(feed, link, store) {
    if (Date.now() - this.#last < EVERY) return;
    this.#last = Date.now();
    const since = Date.now() + feed.skew - SPAN * HOUR;
    const hour = new Date(Math.floor(since / HOUR) * HOUR).toISOString();
    this.whole = await feed.since(hour, 50);
    const sources = sourcesOf(store.all(), since);
    this.#alerts = await this.#count(link, sources, hour);
  }

  async #count(link, sources, after) {
    const { query, variables } = alertsOf(sources);
    const found = await link.request(query, { ...variables, after });
    const some = sources.map((name, i) => ({ name, value: found[`s${i}`].pageInfo.totalCount }))
      .sort((a, b) => b.value - a.value);
    const left = found.all.pageInfo.totalCount - some.reduce((sum, each) => sum + each.value, 0);
    return left > 0 ? [...some, { name: "(others)", value: left }] : some;
  }

  show(incidents, now) {
    const since = now - SPAN * HOUR;
    this.replaceChildren(
      hours(perHour(incidents, now, SPAN)),
      spans("Time to acknowledge", durations(incidents, "acknowledgedAt", since)),
      spans("Time to resolve", durations(incidents, "resolvedAt", since)),
      senders(this.#alerts));
    if (this.whole === false) this.append(h("p", { class: "fine" }, `Of the newest ${many(5000, "incident")} that are done.`));
  }
}
customElements.define("im-charts", Charts);
