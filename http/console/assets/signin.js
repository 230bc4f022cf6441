// The token of whoever looks. It is kept for this tab alone and goes with it.
import { h } from "./dom.js";

const TOKEN = "incident-manager.token";

export const token = () => sessionStorage.getItem(TOKEN) ?? "";
export const forget = () => sessionStorage.removeItem(TOKEN);
const keep = (given) => sessionStorage.setItem(TOKEN, given.trim().replace(/^Bearer /i, ""));

// Says beforehand that a token runs out, once for each.
export class Expiry {
  #timer = 0;
  #said = null;

  // `at`: when it does, null if never; `now()` and `ahead` in milliseconds; `say(left)`
  watch(at, now, ahead, say) {
    clearTimeout(this.#timer);
    if (!at || at === this.#said) return;
    const left = () => Math.max(0, Date.parse(at) - now());
    if (left() - ahead >= 2 ** 31) return; // longer than a timer can wait
    this.#timer = setTimeout(() => {
      this.#said = at;
      say(left());
    }, Math.max(0, left() - ahead));
  }
}

export class SignIn extends HTMLElement {
  connectedCallback() {
    this.why = h("p", { class: "why" });
    this.field = h("input", {
      name: "token", type: "password", autocomplete: "off", spellcheck: "false", required: true,
    });
    this.append(h("form", {
      class: "card",
      onsubmit: (event) => {
        event.preventDefault();
        keep(this.field.value);
        this.field.value = "";
        this.dispatchEvent(new CustomEvent("signed"));
      },
    }, h("h2", {}, "Sign in"), this.why, h("label", {}, "Token or API key", this.field),
    h("button", { class: "primary" }, "Show the incidents"),
    h("p", { class: "fine" }, "It stays in this tab, and goes when you close it. An operator makes one with ",
      h("code", {}, "incident-manager token"), ".")));
  }

  show(why) {
    this.why.textContent = why;
    if (!this.hidden) return;
    this.hidden = false;
    this.field.focus();
  }
}
customElements.define("im-signin", SignIn);
