// The bar above GraphiQL: the token, and what the subscription of this page does.
import { keep, token } from "./token.js";

const at = (name) => document.querySelector(name);
const WORDS = {
  connecting: "connecting …", live: "live", lost: "connection lost, trying again …",
  retrying: "trying again …", failed: "failed", ended: "ended", stopped: "stopped",
};
const REFUSALS = {
  UNAUTHENTICATED: "This server asks for a token.",
  UNAUTHORIZED: "The server refuses this token.",
  FORBIDDEN: "This token may not do that.",
};

export class Bar {
  constructor(changed) {
    this.changed = changed;
    const form = at("#token-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.take(form.elements.token.value);
      form.reset();
    });
    at("#forget").addEventListener("click", () => this.take(""));
    this.show();
  }

  take(given) {
    keep(given);
    this.show();
    this.changed();
  }

  show(why = "") {
    const held = token() !== "";
    at("#token").placeholder = held ? "one is in use" : "token or API key";
    at("#forget").hidden = !held;
    at("#why").textContent = why;
    at("#why").hidden = !why;
  }

  // The code of an answer's error, if it has one (a WebSocket that is refused: UNAUTHORIZED).
  answered(code) {
    this.show(REFUSALS[code === "UNAUTHORIZED" && !token() ? "UNAUTHENTICATED" : code]);
  }

  stream(state, events = 0) {
    const place = at("#stream");
    if (place.dataset.state !== state) {
      place.dataset.state = state;
      at("#stream .word").textContent = WORDS[state];
    }
    at("#events").textContent = events ? `${events.toLocaleString("en")} ${events === 1 ? "event" : "events"}` : "";
  }
}
