// How the connection does, what has happened meanwhile, and the tools beside it.
import { h, say } from "./dom.js";
import { many } from "./words.js";

export class Status extends HTMLElement {
  connectedCallback() {
    this.setAttribute("role", "status");
    this.word = h("span", { class: "word" });
    this.count = h("span", { class: "count-down", "aria-hidden": "true" });
    this.now = h("button", { type: "button", class: "quiet", hidden: true,
      onclick: () => this.dispatchEvent(new CustomEvent("hurry")) }, "Try now");
    this.append(h("span", { class: "dot" }), this.word, this.count, this.now);
    setInterval(() => this.#tick(), 250);
  }

  // `link`: {state, reason, again}; `complete`: all pages are here
  show(link, complete) {
    this.link = link;
    const words = {
      connecting: "Connecting …", open: complete ? "Live" : "Loading …",
      waiting: `Not connected${link.reason ? ` (${link.reason})` : ""}. What you see may be old.`,
      refused: "Not signed in", stopped: "Stopped",
    };
    this.className = link.state === "open" && !complete ? "connecting" : link.state;
    say(this.word, words[link.state]);
    this.now.hidden = link.state !== "waiting";
    this.#tick();
  }

  #tick() {
    const waits = this.link?.state === "waiting";
    const left = waits ? Math.max(0, Math.ceil((this.link.again - Date.now()) / 1000)) : 0;
    say(this.count, waits ? `Next try in ${left} s` : "");
  }
}

// What came while there was no connection.
export class News extends HTMLElement {
  connectedCallback() {
    this.hidden = true;
  }

  show({ created, changed, resolved, anew }, actions) {
    const parts = [
      created && many(created, "new incident"), changed && many(changed, "changed incident"),
      resolved && many(resolved, "resolved incident"),
    ].filter(Boolean);
    const told = anew ? "Some events are not kept any more: everything was loaded anew."
      : `While the connection was away: ${parts.join(", ")}. They are marked.`;
    const dismiss = () => {
      this.hidden = true;
      actions.dismiss();
    };
    this.hidden = !anew && !parts.length;
    this.replaceChildren(h("span", {}, told), h("button", { type: "button", class: "quiet", onclick: dismiss }, "Dismiss"));
  }
}

// What went wrong, for a while, beside all that is shown.
export function toast(place, text) {
  const box = h("p", { class: "toast" }, text, h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: () => box.remove() }, "✕"));
  place.append(box);
  setTimeout(() => box.remove(), 15_000);
}

export class Tools extends HTMLElement {
  connectedCallback() {
    const button = (name, word, label) => h("button", {
      type: "button", class: "quiet", title: label,
      onclick: () => this.dispatchEvent(new CustomEvent("tool", { detail: name })),
    }, word);
    this.charts = button("charts", "Charts", "Charts (g)");
    this.alarm = button("alarm", "Alarm", "Sound and notification for P0 and P1");
    this.help = button("help", "?", "Keyboard and help (?)");
    this.actors = h("a", { href: "/debug/actors", title: "The actors of the server" }, "Actors");
    this.playground = h("a", { href: "/graphql/playground", title: "GraphiQL, with subscriptions" }, "GraphQL");
    this.who = h("span", { class: "me" });
    this.out = button("out", "Sign out", "Sign out");
    this.append(this.charts, this.alarm, this.actors, this.playground, this.help, this.who, this.out);
  }

  // `hidden`: whether the incidents are; then what is for them is of no use
  show({ me, charts, alarm, token, hidden }) {
    this.charts.setAttribute("aria-pressed", String(charts));
    this.alarm.setAttribute("aria-pressed", String(alarm));
    say(this.alarm, alarm ? "Alarm on" : "Alarm off");
    const role = me?.roles.at(-1) ?? "";
    const confined = Object.entries(me?.selectors ?? {}).map(([name, value]) => `${name}=${value}`).join(", ");
    say(this.who, me ? `${me.name}${me.name.toUpperCase() === role ? "" : ` · ${role.toLowerCase()}`}${confined ? ` · ${confined}` : ""}` : "");
    this.charts.hidden = this.alarm.hidden = hidden;
    this.actors.hidden = role !== "ADMIN";
    this.out.hidden = !token;
  }
}
customElements.define("im-status", Status);
customElements.define("im-news", News);
customElements.define("im-tools", Tools);
