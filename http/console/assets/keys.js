// The keyboard: one table, from which the help is made too.
import { h } from "./dom.js";

const WANTED = "incident-manager.keys";

// [keys, what it does, the word for it, whether it changes an incident]
export const KEYS = [
  [["j", "ArrowDown"], "next", "the next incident"],
  [["k", "ArrowUp"], "previous", "the one before"],
  [["PageDown"], "page-down", "a page further"],
  [["PageUp"], "page-up", "a page back"],
  [["Home"], "first", "the first"],
  [["End"], "last", "the last"],
  [["Enter", "o"], "open", "open it"],
  [["Escape"], "leave", "close it"],
  [["a"], "acknowledge", "acknowledge", true],
  [["r"], "resolve", "resolve, or reopen", true],
  [["s"], "assign", "assign", true],
  [["c"], "comment", "comment", true],
  [["e"], "escalate", "escalate", true],
  [["/"], "search", "search"],
  [["g"], "charts", "charts"],
  [["?"], "help", "this help"],
];

const NAMES = { ArrowDown: "↓", ArrowUp: "↑", Escape: "Esc" };
const IN_LIST = new Set(["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End", "Enter"]);
const BY_KEY = new Map(KEYS.flatMap(([keys, does]) => keys.map((key) => [key, does])));

export const wanted = () => localStorage.getItem(WANTED) !== "off";

// What a key press asks for; null if it is for the field or the button that has the focus.
export function meaning(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null;
  const { target, key } = event;
  const writes = target.matches("input, textarea, select, [contenteditable]");
  if (key === "Escape") return writes ? "blur" : "leave";
  if (writes || target.closest("dialog")) return null;
  if (IN_LIST.has(key)) return target.closest("im-board") || target === document.body ? BY_KEY.get(key) : null;
  return wanted() ? BY_KEY.get(key) ?? null : null;
}

export class Help extends HTMLElement {
  connectedCallback() {
    this.list = h("dl");
    this.wanted = h("input", { type: "checkbox", onchange: () => localStorage.setItem(WANTED, this.wanted.checked ? "on" : "off") });
    this.dialog = h("dialog", { "aria-labelledby": "help-title" }, h("h2", { id: "help-title" }, "Keyboard"), this.list,
      h("label", { class: "line" }, this.wanted, "Single letters are commands"),
      h("p", { class: "line" }, h("a", { href: "/debug/actors" }, "Actors of the server"), h("a", { href: "/graphql/playground" }, "GraphQL playground")),
      h("button", { type: "button", onclick: () => this.dialog.close() }, "Close"));
    this.append(this.dialog);
  }

  show(can) {
    this.wanted.checked = wanted();
    this.list.replaceChildren(...KEYS.filter(([, , , changes]) => can || !changes).flatMap(([keys, , word]) => [
      h("dt", {}, keys.map((key) => h("kbd", {}, NAMES[key] ?? key))), h("dd", {}, word)]));
    this.dialog.showModal();
  }
}
customElements.define("im-help", Help);
