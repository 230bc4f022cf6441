// The list of incidents: of ten thousand rows it draws those that are seen.
import { h, say, badge, stateOf } from "./dom.js";
import { MEANS, isActive, modelOf, otherLabels, providerOf } from "./incident.js";
import { age, count, plain } from "./words.js";
import { reveal, seen } from "./window.js";

const LABELS = 3; // labels of a row, beside its model

class Row {
  constructor(pick) {
    this.badge = badge("");
    this.title = h("span", { class: "title" });
    this.about = h("span", { class: "about" });
    this.state = stateOf("", "");
    this.who = h("span", { class: "who" });
    this.alerts = h("span", { class: "alerts" });
    this.age = h("span", { class: "age" });
    this.root = h("div", { role: "option", class: "row", onclick: () => pick(this.incident.id) },
      this.badge, h("span", { class: "what" }, this.title, this.about), this.state, this.who,
      this.alerts, this.age);
  }

  show(incident, index, size, { selected, current, fresh }, now) {
    const { root } = this;
    root.id = `row-${incident.id}`;
    root.className = `row ${incident.severity}${isActive(incident) ? "" : " done"}`
      + `${fresh.has(incident.id) ? " fresh" : ""}${incident.pending ? " pending" : ""}`
      + `${incident.id === current ? " current" : ""}`;
    root.setAttribute("aria-selected", String(incident.id === selected));
    root.setAttribute("aria-posinset", index + 1);
    root.setAttribute("aria-setsize", size);
    root.style.transform = `translateY(calc(${index} * var(--row)))`;
    if (this.incident !== incident) this.#fill(incident);
    this.incident = incident;
    this.tick(now);
  }

  #fill(incident) {
    say(this.badge, incident.severity);
    this.badge.className = `badge ${incident.severity}`;
    this.badge.title = MEANS[incident.severity];
    say(this.title, incident.title);
    this.title.title = incident.title;
    say(this.state, plain(incident.state));
    this.state.className = `state ${incident.state}`;
    say(this.who, incident.assignees.join(", ") || "nobody");
    this.who.classList.toggle("nobody", !incident.assignees.length);
    say(this.alerts, incident.alertCount > 1 ? `×${count(incident.alertCount)}` : "");
    this.alerts.title = `${count(incident.alertCount)} alerts`;
    const model = modelOf(incident), provider = providerOf(incident);
    this.about.replaceChildren(
      h("span", { class: "source" }, incident.source),
      model || provider
        ? h("span", { class: "label model", title: "model" }, [provider, model].filter(Boolean).join(" / ")) : "",
      ...otherLabels(incident).slice(0, LABELS).map(([name, value]) =>
        h("span", { class: "label", title: `${name}=${value}` }, `${name}=${value}`)),
    );
  }

  // What is done has the age that it had then.
  tick(now) {
    const { createdAt, resolvedAt } = this.incident;
    const until = isActive(this.incident) || !resolvedAt ? now : Date.parse(resolvedAt);
    say(this.age, age(until - Date.parse(createdAt)));
  }
}

export class Board extends HTMLElement {
  #rows = new Map(); // id: Row
  #items = [];
  #look = { selected: null, current: null, fresh: new Set() };
  #now = () => Date.now();

  connectedCallback() {
    this.space = h("div", { class: "space", role: "presentation" });
    this.list = h("div", {
      class: "list", role: "listbox", tabindex: 0, "aria-label": "Incidents, worst and newest first",
      onscroll: () => this.#draw(),
    }, this.space);
    this.empty = h("p", { class: "empty", hidden: true });
    this.foot = h("p", { class: "foot" });
    const head = h("div", { class: "head", "aria-hidden": "true" }, h("span"), h("span", {}, "Incident"),
      h("span", {}, "State"), h("span", { class: "who" }, "Assigned to"), h("span", { class: "alerts" }, "Alerts"),
      h("span", { class: "age" }, "Age"));
    this.append(head, this.list, this.empty, this.foot);
    new ResizeObserver(() => this.#draw()).observe(this.list);
    setInterval(() => this.#rows.forEach((row) => row.tick(this.#now())), 1000);
  }

  // `items` in their order; `empty`: what to say where there is none; `foot`: what to say below.
  show(items, look, { empty, foot }, now) {
    const anchor = this.list.scrollTop > 0 ? this.#items[Math.floor(this.list.scrollTop / this.#row())] : null;
    const within = this.list.scrollTop % this.#row();
    Object.assign(this.#look, look);
    this.#items = items;
    this.#now = now;
    this.space.style.height = `calc(${items.length} * var(--row))`;
    if (anchor) { // what comes in above must not push away what is being read
      const at = items.findIndex((each) => each.id === anchor.id);
      if (at >= 0) this.list.scrollTop = at * this.#row() + within;
    }
    this.list.hidden = items.length === 0;
    this.empty.hidden = items.length > 0;
    this.empty.replaceChildren(...empty);
    say(this.foot, foot);
    this.#draw();
  }

  // Bring an incident into view.
  reveal(id) {
    const at = this.#items.findIndex((each) => each.id === id);
    if (at < 0) return;
    this.list.scrollTop = reveal(at, this.#row(), this.list.scrollTop, this.list.clientHeight);
    this.#draw();
  }

  #row() {
    return parseFloat(getComputedStyle(this).getPropertyValue("--row")) || 56;
  }

  #draw() {
    const items = this.#items, { scrollTop, clientHeight } = this.list;
    const { from, to } = seen(items.length, this.#row(), scrollTop, clientHeight);
    const wanted = new Set(items.slice(from, to).map((each) => each.id));
    const spare = [];
    for (const [id, row] of this.#rows) {
      if (wanted.has(id)) continue;
      this.#rows.delete(id);
      spare.push(row);
    }
    const now = this.#now();
    let place = this.space.firstChild; // the rows are read out in the order that they have here
    for (let index = from; index < to; index += 1) {
      const incident = items[index];
      let row = this.#rows.get(incident.id);
      if (!row) {
        row = spare.pop() ?? new Row((id) => this.dispatchEvent(new CustomEvent("pick", { detail: id })));
        this.#rows.set(incident.id, row);
      }
      row.show(incident, index, items.length, this.#look, now);
      if (row.root === place) place = place.nextSibling;
      else this.space.insertBefore(row.root, place);
    }
    spare.forEach((row) => row.root.remove());
    const { current } = this.#look;
    if (this.#rows.has(current)) this.list.setAttribute("aria-activedescendant", `row-${current}`);
    else this.list.removeAttribute("aria-activedescendant");
    if (to >= items.length) this.dispatchEvent(new CustomEvent("edge"));
  }
}
customElements.define("im-board", Board);
