// Which incidents are shown: the line above the board, and the counts that filter by severity.
import { h } from "./dom.js";
import { NOTHING, isEmpty, pair, statesOf, toggled } from "./filter.js";
import { DONE, MEANS, SEVERITIES, STATES } from "./incident.js";
import { count, plain } from "./words.js";

const tell = (element, filter) => element.dispatchEvent(new CustomEvent("filter", { detail: filter, bubbles: true }));

export class Counts extends HTMLElement {
  connectedCallback() {
    this.buttons = SEVERITIES.map((severity) => h("button", {
      type: "button", class: `count ${severity}`, title: `Show ${severity} (${MEANS[severity]}) only`,
      onclick: () => tell(this, { ...this.filter, severities: toggled(this.filter.severities, severity) }),
    }, h("span", { class: "name" }, severity), h("b"), h("span", { class: "unseen" }, "active")));
    this.append(...this.buttons);
  }

  show(filter, counts) {
    this.filter = filter;
    this.buttons.forEach((button, i) => {
      const severity = SEVERITIES[i];
      button.querySelector("b").textContent = count(counts[severity]);
      button.setAttribute("aria-pressed", String(filter.severities.includes(severity)));
      button.classList.toggle("none", counts[severity] === 0);
    });
  }
}

export class Filters extends HTMLElement {
  #timer = 0;

  connectedCallback() {
    this.text = h("input", {
      type: "search", name: "text", placeholder: "Search  ( / )", "aria-label": "Search incidents",
      autocomplete: "off", spellcheck: "false", oninput: () => this.#later(), onblur: () => this.#written(),
    });
    this.states = STATES.map((state) => h("button", {
      type: "button", class: "chip", onclick: () => this.#change({ states: this.#states(state) }),
    }, plain(state)));
    this.source = h("input", {
      name: "source", placeholder: "any source", "aria-label": "Source", list: "sources",
      autocomplete: "off", spellcheck: "false", onchange: () => this.#change({ source: this.source.value.trim() }),
    });
    this.sources = h("datalist", { id: "sources" });
    this.label = h("input", {
      name: "label", placeholder: "label=value", "aria-label": "Label, as name=value", autocomplete: "off",
      spellcheck: "false", onchange: () => this.#add(),
    });
    this.labels = h("span", { class: "chosen" });
    this.clear = h("button", { type: "button", class: "quiet", onclick: () => tell(this, NOTHING) }, "Clear");
    this.append(h("form", { role: "search", onsubmit: (event) => event.preventDefault() }, this.text,
      h("span", { class: "chips", role: "group", "aria-label": "States" }, this.states),
      this.source, this.sources, this.label, this.labels, this.clear));
  }

  show(filter, sources) {
    this.filter = filter;
    const states = statesOf(filter);
    STATES.forEach((state, i) => this.states[i].setAttribute("aria-pressed", String(states.includes(state))));
    for (const [input, value] of [[this.text, filter.text], [this.source, filter.source]]) {
      if (document.activeElement !== input) input.value = value;
    }
    this.labels.replaceChildren(...filter.labels.map(([name, value]) => h("button", {
      type: "button", class: "chip remove", title: "Remove", "aria-label": `${name}=${value}: remove`,
      onclick: () => this.#change({ labels: filter.labels.filter(([each, of]) => each !== name || of !== value) }),
    }, `${name}=${value}`)));
    this.clear.hidden = isEmpty(filter);
    if (this.known !== sources.join("\n")) {
      this.known = sources.join("\n");
      this.sources.replaceChildren(...sources.map((each) => h("option", { value: each })));
    }
  }

  #states(state) {
    const states = toggled(statesOf(this.filter), state);
    const isDefault = states.length === STATES.length - DONE.length && !DONE.some((each) => states.includes(each));
    return isDefault ? [] : STATES.filter((each) => states.includes(each));
  }

  #change(part) {
    tell(this, { ...this.filter, ...part });
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#written(), 120);
  }

  // Who leaves the field is done.
  #written() {
    clearTimeout(this.#timer);
    if (this.text.value !== this.filter.text) this.#change({ text: this.text.value });
  }

  #add() {
    const given = pair(this.label.value);
    this.label.setCustomValidity(given || !this.label.value.trim() ? "" : "Write it as name=value.");
    if (!this.label.reportValidity() || !given) return;
    this.label.value = "";
    this.#change({ labels: [...this.filter.labels, given] });
  }
}
customElements.define("im-counts", Counts);
customElements.define("im-filters", Filters);
