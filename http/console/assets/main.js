// The console: wires the feed to the store, and the store to what is seen.
import { Alarm, raises } from "./alarm.js";
import "./board.js";
import { Changes } from "./changes.js";
import "./charts.js";
import { DetailFeed } from "./detailfeed.js";
import "./detail.js";
import { Feed } from "./feed.js";
import { h } from "./dom.js";
import { isEmpty, matcher, read, write, NOTHING } from "./filter.js";
import "./filters.js";
import { isActive } from "./incident.js";
import { meaning } from "./keys.js";
import { Link } from "./link.js";
import { Expiry, forget, token } from "./signin.js";
import * as status from "./status.js";
import { Store } from "./store.js";
import { count, many, rough } from "./words.js";

const CALM = 100; // milliseconds between two drawings while events come in
const RENEW = 120_000; // milliseconds before the end of a token to ask for another

const at = (name) => document.querySelector(name);
const parts = Object.fromEntries(["board", "detail", "filters", "counts", "charts", "status", "news", "tools",
  "signin", "help"].map((each) => [each, at(`im-${each}`)]));

const view = {
  filter: NOTHING, selected: null, current: null, charts: false, found: new Set(), fresh: new Set(),
  link: { state: "stopped", reason: "", again: 0 }, since: null, items: [],
};
const store = new Store();
const alarm = new Alarm();
const expiry = new Expiry();
const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql/ws`;
const link = new Link(address, token, linked);
const feed = new Feed(link, store, { changed: soon, completed: () => view.charts && refreshCharts(), event: happened, caughtUp, signedIn });
const changes = new Changes(link, store, draw);
const detail = new DetailFeed(link, store, draw);
const now = () => Date.now() + feed.skew;
const toast = (text) => status.toast(at("#toasts"), text);

// --- what comes in ---

function linked(state) {
  view.link = state;
  if (state.state === "open") feed.opened();
  else feed.lost();
  if (feed.me && ["waiting", "refused"].includes(state.state)) view.since ??= { created: 0, changed: 0, resolved: 0, ids: new Set() };
  if (state.state === "refused") {
    at("#main").hidden = true;
    const had = token() !== "";
    forget();
    parts.signin.show(had ? `The server says: ${state.reason || "the token is not good"}.` : "This server asks who you are.");
  }
  draw();
}

function signedIn(me, anew) {
  parts.signin.hidden = true;
  at("#main").hidden = false;
  expiry.watch(me.expiresAt, now, RENEW, (left) =>
    toast(`Your token runs out in ${rough(left)}. You will be asked for another, and miss nothing.`));
  if (anew) {
    view.since = null;
    view.fresh.clear();
    detail.forget();
  }
  detail.stale();
  search();
  draw();
}

function happened(update, before, late) {
  const { incident } = update;
  if (late) {
    const { since } = view;
    if (since && !since.ids.has(incident.id)) {
      since.ids.add(incident.id);
      since[before ? (isActive(incident) ? "changed" : "resolved") : "created"] += 1;
    }
    view.fresh.add(incident.id);
  } else {
    mark(incident.id);
  }
  if (raises(update, before)) {
    at("#spoken").textContent = `${incident.severity}: ${incident.title}`;
    alarm.ring(incident, open);
  }
  if (incident.id === view.selected) detail.stale();
}

// A row that has just changed says so for a moment.
function mark(id) {
  view.fresh.add(id);
  setTimeout(() => {
    view.fresh.delete(id);
    soon();
  }, 4000);
}

function caughtUp(anew) {
  const { since } = view;
  view.since = null;
  detail.stale();
  if (anew) parts.news.show({ anew }, { dismiss() {} });
  else if (since) parts.news.show(since, { dismiss: () => { view.fresh.clear(); draw(); } });
}

// --- what is shown ---

let drawn = 0, waiting = 0;

function soon() {
  if (waiting) return;
  waiting = setTimeout(() => requestAnimationFrame(draw), Math.max(0, CALM - (Date.now() - drawn)));
}

function draw() {
  clearTimeout(waiting);
  waiting = 0;
  drawn = Date.now();
  const { filter } = view;
  const counts = store.counts();
  parts.status.show(view.link, feed.complete);
  const { hidden } = at("#main");
  parts.tools.show({ me: feed.me, charts: view.charts, alarm: alarm.on, token: token(), hidden });
  parts.counts.hidden = hidden;
  parts.counts.show(filter, counts);
  const critical = counts.P0 + counts.P1;
  document.title = critical ? `(${critical}) Incidents` : "Incidents";
  if (!feed.me) return;
  const all = store.all();
  parts.filters.show(filter, [...new Set(all.map((each) => each.source))].sort());
  view.items = all.filter(matcher(filter, view.found));
  if (!view.items.some((each) => each.id === view.current)) view.current = view.selected ?? view.items[0]?.id ?? null;
  parts.board.show(view.items, view, { empty: empty(), foot: foot(all.length) }, now);
  if (view.charts) parts.charts.show(all, now());
  drawDetail();
}

function drawDetail() {
  const { selected } = view;
  const shown = detail.full(selected);
  const incident = store.get(selected) ?? shown;
  parts.detail.hidden = selected === null;
  document.body.classList.toggle("reading", selected !== null);
  if (selected === null) return;
  detail.want(selected);
  if (incident) parts.detail.show(incident, shown, feed.me, now);
  else parts.detail.none(detail.problem ?? "Loading …");
}

function empty() {
  if (!feed.complete) return ["Loading …"];
  if (isEmpty(view.filter)) return [h("b", {}, "All quiet."), " No incident is active."];
  return [h("b", {}, "Nothing matches."), " ", h("button", { type: "button", onclick: () => refilter(NOTHING) }, "Clear the filter")];
}

function foot(held) {
  const shown = many(view.items.length, "incident");
  if (!feed.complete) return `${count(held)} of ${count(feed.total)} loaded`;
  return isEmpty(view.filter) ? `${shown} active` : `${shown} shown`;
}

// --- what is asked for ---

function refilter(filter) {
  view.filter = filter;
  view.found = new Set();
  keep();
  search();
  draw();
}

async function search() {
  const { text } = view.filter;
  if (!text.trim() || link.state !== "open") return;
  const found = await feed.search(text).catch(() => new Set());
  if (text !== view.filter.text) return;
  view.found = found;
  draw();
}

// Keep the view in the address; a pane that opens can be left by going back.
function keep(how = "replaceState") {
  const parameters = write(view.filter, new URLSearchParams());
  if (view.selected) parameters.set("incident", view.selected);
  if (view.charts) parameters.set("charts", "on");
  const text = parameters.toString();
  history[how](null, "", text ? `?${text}` : location.pathname);
}

function restore() {
  const parameters = new URLSearchParams(location.search);
  view.filter = read(parameters);
  view.selected = parameters.get("incident");
  view.current = view.selected ?? view.current;
  setCharts(parameters.get("charts") === "on");
  draw();
}

function open(id) {
  const how = view.selected === null ? "pushState" : "replaceState";
  view.selected = view.current = id;
  keep(how);
  draw();
  parts.board.reveal(id);
  if (!parts.board.checkVisibility()) parts.detail.focus(); // there is room for one of them
}

function leave() {
  if (view.selected === null) return;
  view.selected = null;
  keep();
  draw();
  parts.board.reveal(view.current);
  parts.board.list.focus({ preventScroll: true });
}

function setCharts(on) {
  view.charts = on;
  parts.charts.hidden = !on;
  if (on) refreshCharts();
}

async function refreshCharts() {
  if (link.state !== "open" || !feed.complete) return;
  await parts.charts.load(feed, link, store).catch((error) => toast(error.message));
  if (view.charts) draw();
}

function move(by) {
  const { items } = view;
  if (!items.length) return;
  const from = items.findIndex((each) => each.id === view.current);
  const to = Math.min(items.length - 1, Math.max(0, from + by));
  view.current = items[to].id;
  if (view.selected !== null) open(view.current);
  draw();
  parts.board.reveal(view.current);
}

async function change({ name, id, given }) {
  try {
    await changes.make(name, id, given, feed.me);
  } catch (error) {
    if (id === view.selected) parts.detail.fail(error.message);
    else toast(error.message);
  }
  if (id === view.selected) detail.stale();
  draw();
}

const DOES = {
  next: () => move(1), previous: () => move(-1), "page-down": () => move(10), "page-up": () => move(-10),
  first: () => move(-Infinity), last: () => move(Infinity), open: () => view.current && open(view.current), leave,
  blur: () => parts.board.list.focus(), search: () => parts.filters.text.focus(), charts: () => tool("charts"), help: () => tool("help"),
};

function act(name) {
  const incident = store.get(view.current);
  if (!incident || !feed.me.roles.includes("RESPONDER")) return;
  if (view.selected !== view.current) open(view.current);
  parts.detail.ask(name === "resolve" && !isActive(incident) ? "reopen" : name);
}

function tool(name) {
  if (name === "charts") {
    setCharts(!view.charts);
    keep();
  } else if (name === "alarm") alarm.toggle();
  else if (name === "help") parts.help.show(feed.me?.roles.includes("RESPONDER"));
  else if (name === "out") {
    forget();
    location.reload();
    return;
  }
  draw();
}

document.addEventListener("keydown", (event) => {
  const does = at("#main").hidden ? null : meaning(event);
  if (!does) return;
  event.preventDefault();
  (DOES[does] ?? (() => act(does)))();
});
document.addEventListener("filter", (event) => refilter(event.detail));
parts.board.addEventListener("pick", (event) => open(event.detail));
parts.board.addEventListener("edge", () => feed.more(view.filter).catch((error) => toast(error.message)));
parts.detail.addEventListener("pick", (event) => open(event.detail));
parts.detail.addEventListener("leave", leave);
parts.detail.addEventListener("act", (event) => change(event.detail));
parts.tools.addEventListener("tool", (event) => tool(event.detail));
parts.status.addEventListener("hurry", () => link.hurry());
parts.signin.addEventListener("signed", () => link.start());
addEventListener("popstate", restore);
addEventListener("online", () => link.hurry());
setInterval(() => view.charts && refreshCharts(), 15_000);
restore();
link.start();
