// One incident in full: what can be done, and what is known of it.
import { h, badge, stateOf } from "./dom.js";
import { FORMS, form } from "./forms.js";
import { MEANS, isActive, possible } from "./incident.js";
import { facts, sections } from "./sections.js";
import { age, plain } from "./words.js";

const BUTTONS = [
  ["acknowledge", "Acknowledge", "a"], ["resolve", "Resolve", "r"], ["reopen", "Reopen", "r"],
  ["close", "Close", null], ["assign", "Assign", "s"], ["comment", "Comment", "c"],
  ["escalate", "Escalate", "e"],
];

export class Detail extends HTMLElement {
  #shown = ""; // what the body shows, as text, so that it is drawn anew only if that changes
  #id = null;

  connectedCallback() {
    this.top = h("div", { class: "summary" });
    this.actions = h("div", { class: "actions", role: "group", "aria-label": "What you can do" });
    this.asks = h("div");
    this.problem = h("p", { class: "notice", role: "alert", hidden: true });
    this.body = h("div", { class: "body" });
    this.setAttribute("role", "region");
    this.setAttribute("aria-label", "The incident");
    this.tabIndex = -1;
    this.append(this.top, this.actions, this.problem, this.asks, this.body);
    setInterval(() => this.#tick(), 1000);
  }

  // `full`: all that is asked for of it; null while it is on its way.
  show(incident, full, me, now) {
    if (incident.id !== this.#id) this.#begin(incident.id);
    Object.assign(this, { incident, me, now, can: me.roles.includes("RESPONDER") });
    const text = JSON.stringify([incident, full, this.can]);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#head();
    this.#buttons();
    this.body.replaceChildren(facts(incident, full), ...sections(full, (id) => this.#tell("pick", id)));
  }

  // There is nothing to show, or not yet.
  none(text) {
    this.#id = this.incident = null;
    this.#shown = "";
    this.top.replaceChildren(h("p", {}, text, " ", h("button", { type: "button", class: "quiet", onclick: () => this.#tell("leave") }, "Close")));
    for (const each of [this.actions, this.asks, this.body]) each.replaceChildren();
    this.actions.hidden = this.problem.hidden = true;
  }

  // What went wrong with a change.
  fail(text) {
    this.problem.textContent = text;
    this.problem.hidden = !text;
  }

  // Have a change made; one that needs more than a click asks first.
  ask(name) {
    if (!this.can || !this.incident || !possible(this.incident)[name]) return;
    if (!FORMS[name]) {
      this.#make(name, {});
      return;
    }
    const made = form(name, this.incident, this.me, (given) => this.#make(name, given), () => this.#leave());
    this.asks.replaceChildren(made);
    made.querySelector("input, select, textarea").focus();
  }

  #begin(id) {
    this.#id = id;
    this.asks.replaceChildren();
    this.fail("");
    this.scrollTop = 0;
  }

  #make(name, given) {
    this.fail("");
    this.#leave();
    this.#tell("act", { name, id: this.incident.id, given });
  }

  #leave() {
    if (!this.asks.firstChild) return;
    this.asks.replaceChildren();
    this.focus({ preventScroll: true });
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  #head() {
    const { incident } = this;
    this.age = h("span", { class: "age" });
    this.top.replaceChildren(
      h("div", { class: "line" }, badge(incident.severity), h("span", { class: "means" }, MEANS[incident.severity]),
        stateOf(incident.state, plain(incident.state)), this.age,
        h("button", { type: "button", class: "quiet close", title: "Close (Esc)", "aria-label": "Close the incident's pane",
          onclick: () => this.#tell("leave") }, "✕")),
      h("h2", {}, incident.title));
    this.#tick();
  }

  #buttons() {
    const focused = this.actions.contains(document.activeElement) ? document.activeElement.dataset.does : null;
    const allowed = possible(this.incident);
    const shown = this.can ? BUTTONS.filter(([name]) => allowed[name]) : [];
    this.actions.replaceChildren(...shown.map(([name, word, key], i) => h("button", {
      type: "button", class: i === 0 ? "primary" : "", "data-does": name, "aria-keyshortcuts": key,
      onclick: () => this.ask(name),
    }, word)));
    this.actions.hidden = !shown.length;
    if (focused) (this.actions.querySelector(`[data-does=${focused}]`) ?? this).focus({ preventScroll: true });
  }

  #tick() {
    if (!this.incident || this.hidden) return;
    const { incident } = this;
    const end = isActive(incident) || !incident.resolvedAt ? this.now() : Date.parse(incident.resolvedAt);
    const text = age(end - Date.parse(incident.createdAt));
    this.age.textContent = isActive(incident) ? `open for ${text}` : `was open for ${text}`;
  }
}
customElements.define("im-detail", Detail);
