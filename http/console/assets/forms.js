// What is asked before a change is made: one form for each change that needs more than a click.
import { h } from "./dom.js";
import { severer } from "./incident.js";

const METHODS = [["MANUAL", "by hand"], ["AUTO_ASSISTED_MANUAL", "by hand, with help"], ["AUTOMATED", "by itself"]];

const field = (label, input) => h("label", {}, label, input);
const area = (name, required) => h("textarea", { name, rows: 3, required });
const options = (list) => list.map(([value, text]) => h("option", { value }, text));
const names = (text) => [...new Set(text.split(",").map((each) => each.trim()).filter(Boolean))];

// name: {word, fields(incident, me), read(values)}
export const FORMS = {
  assign: {
    word: "Assign",
    fields: (incident, me) => [field("Who works on it (with commas; nobody: leave it empty)",
      h("input", { name: "assignees", autocomplete: "off", spellcheck: "false",
        value: incident.assignees.join(", ") || me.name }))],
    read: ({ assignees }) => ({ assignees: names(assignees) }),
  },
  comment: {
    word: "Comment",
    fields: () => [field("Comment", area("comment", true))],
    read: ({ comment }) => ({ comment }),
  },
  escalate: {
    word: "Escalate",
    fields: (incident) => [
      field("To", h("select", { name: "severity" }, options(severer(incident.severity).reverse().map((each) => [each, each])))),
      field("Why", h("input", { name: "reason", required: true, autocomplete: "off" })),
    ],
    read: ({ severity, reason }) => ({ severity, reason }),
  },
  resolve: {
    word: "Resolve",
    fields: () => [
      field("How it was solved", h("select", { name: "method" }, options(METHODS))),
      field("What was done", area("notes", true)),
      field("Root cause (if known)", h("input", { name: "rootCause", autocomplete: "off" })),
    ],
    read: ({ method, notes, rootCause }) => ({ input: { method, notes, rootCause: rootCause || null } }),
  },
  reopen: {
    word: "Reopen",
    fields: () => [field("Why (if you like)", h("input", { name: "reason", autocomplete: "off" }))],
    read: ({ reason }) => ({ reason: reason || null }),
  },
};

// The form as an element; `done(given)` is told what was asked for, `left()` that it was given up.
export function form(name, incident, me, done, left) {
  const { word, fields, read } = FORMS[name];
  const made = h("form", {
    class: "asks", "aria-label": word,
    onsubmit: (event) => {
      event.preventDefault();
      done(read(Object.fromEntries(new FormData(made))));
    },
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) made.requestSubmit();
      if (event.key !== "Escape") return;
      event.stopPropagation();
      left();
    },
  }, fields(incident, me), h("span", { class: "buttons" },
    h("button", { class: "primary" }, word),
    h("button", { type: "button", class: "quiet", onclick: left }, "Cancel")));
  return made;
}
