// The live actor tree. It has no data of its own: it fetches with the token of whoever looks.
import { Chart, bar } from "./bars.js";
import { Rates, between, histogram } from "./rates.js";
import { renew } from "./renew.js";

const PAGE = 50; // connections on one page
const EVERY = 2000; // milliseconds between two looks at the figures
const CALM = 1000; // and at least between two for what has changed meanwhile
const TOKEN = "incident-manager.token"; // the same that the console keeps
const KEY = "lim_"; // how an API key begins

const at = (id) => document.getElementById(id);
const view = { offset: 0, peer: "", principal: "", timer: 0, due: 0, looked: 0, wanted: false, busy: false, reader: null, metrics: null };
const rates = new Rates();
const chart = new Chart(at("chart"));

function make(tag, name, ...inside) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  made.append(...inside.filter((each) => each !== null));
  return made;
}

async function ask(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  const token = sessionStorage.getItem(TOKEN) ?? "";
  if (token.startsWith(KEY)) headers["X-API-Key"] = token;
  else if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { ...options, headers, cache: "no-store" });
  if (answer.ok) return answer;
  const problem = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(problem.detail ?? answer.statusText), { status: answer.status, code: problem.code });
}

function say(text, how = "") {
  at("link").textContent = text;
  at("link").className = `link ${how}`;
}

function warn(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

// --- words ---

const whole = new Intl.NumberFormat("en");
const UNITS = [[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]];

function age(seconds) {
  if (seconds === null) return "–";
  const [unit, name] = UNITS.find(([each]) => seconds >= each) ?? [1, "s"];
  return `${Math.floor(seconds / unit)} ${name}`;
}

function bytes(number) {
  const names = ["B", "KiB", "MiB", "GiB", "TiB"];
  let size = number, name = 0;
  while (size >= 1024 && name < names.length - 1) [size, name] = [size / 1024, name + 1];
  return `${name ? size.toFixed(1) : size} ${names[name]}`;
}

function figure(name, value) {
  if (typeof value === "number") {
    return name.includes("bytes") ? bytes(value) : whole.format(Math.round(value * 1000) / 1000);
  }
  return String(value);
}

// --- the table ---

const SHOWN = new Set([
  "mailbox_depth", "mailbox_capacity", "oldest_message_seconds", "messages_handled",
]);

function figures(node) {
  const cell = make("div", "figures");
  for (const [name, value] of Object.entries(node.stats)) {
    if (SHOWN.has(name) || value === null) continue;
    cell.append(make("span", "", `${name.replaceAll("_", " ")} `, make("b", "", figure(name, value))));
  }
  const last = node.last_failure;
  if (last) {
    const when = new Date(last.when).toLocaleString();
    const whose = last.actor === node.id ? "" : `${last.actor}: `;
    cell.append(make("span", "failure", `${whose}${last.type}: ${last.message} (${when})`));
    if (last.traceback) cell.append(traceback(node.id, last));
  }
  return cell;
}

// One that is open stays so when the table is drawn anew.
const opened = new Set();

function traceback(id, last) {
  const key = `${id} ${last.when}`;
  const made = make("details", "trace", make("summary", "", "traceback"), make("pre", "", last.traceback));
  made.open = opened.has(key);
  made.addEventListener("toggle", () => (made.open ? opened.add(key) : opened.delete(key)));
  return made;
}

const LONG = 1; // seconds that a message may wait before its bar is full

function mailbox(node) {
  if (!node.mailbox) return "–";
  const { depth, capacity, oldest_seconds: oldest } = node.mailbox;
  const fill = capacity ? depth / capacity : 0;
  const how = fill > 0.8 ? "bad" : fill > 0.4 ? "busy" : "good";
  const cell = make("div", "measures", bar(depth, capacity, how, `${whole.format(depth)} / ${whole.format(capacity)}`));
  if (depth && oldest) {
    cell.append(bar(oldest, LONG, oldest > LONG ? "bad" : oldest > LONG / 4 ? "busy" : "good", `oldest ${figure("", oldest)} s`));
  }
  return cell;
}

function restarts(node) {
  const { restarts: done, restarts_left: left } = node;
  if (left === null) return whole.format(done);
  const how = left === 0 ? "bad" : left < 4 ? "busy" : "good";
  return bar(left, Math.max(10, left), how, `${whole.format(done)}, ${left} left`);
}

function handled(node) {
  const rate = rates.of(node.id, node.messages_handled);
  if (node.messages_handled === null) return "–";
  const told = whole.format(node.messages_handled);
  return rate ? `${told} (${rate < 10 ? rate.toFixed(1) : whole.format(Math.round(rate))}/s)` : told;
}

function restartable(node) {
  return node.kind === "connection" || (node.parent === "root" && node.kind !== "listener");
}

function button(node) {
  if (!restartable(node)) return "";
  const made = make("button", "", node.kind === "connection" ? "Close" : "Restart");
  made.type = "button";
  made.title = node.kind === "connection" ? "Close it (1012): its client comes back" : `Restart ${node.id}`;
  made.addEventListener("click", () => restart(node, made));
  return made;
}

const underWay = new Set(); // ids of what is being restarted

async function restart(node, pressed) {
  if (underWay.has(node.id) || !confirm(`${pressed.textContent} ${node.id}?`)) return;
  underWay.add(node.id);
  try {
    await ask(`/debug/actors/${encodeURIComponent(node.id)}/restart`, { method: "POST" });
    warn("");
  } catch (error) {
    warn(error.message);
  } finally {
    underWay.delete(node.id);
  }
  refresh();
}

function row(node, twig) {
  const state = make("span", `state ${node.state}`, node.overrun ? `${node.state}, overrun` : node.state);
  const name = make("td", "name", make("span", "twig", twig), node.name, make("span", "kind", node.kind));
  if (node.strategy) name.append(make("span", "kind", node.strategy));
  const made = make("tr", "",
    name,
    make("td", "", state),
    make("td", "number", age(node.age_seconds)),
    make("td", "number", restarts(node)),
    make("td", "narrow", mailbox(node)),
    make("td", "number", handled(node)),
    make("td", "", figures(node)),
    make("td", "", button(node)),
  );
  made.dataset.id = node.id;
  return made;
}

// A line of words in the table.
function words(id, text) {
  const cell = make("td", "more", text);
  cell.colSpan = 8;
  const made = make("tr", "", cell);
  made.dataset.id = id;
  return made;
}

function* rows(node, twig = "", under = "") {
  yield row(node, twig);
  const last = node.children.length - 1;
  for (const [index, child] of node.children.entries()) {
    const ends = index === last;
    yield* rows(child, `${under}${ends ? "└─ " : "├─ "}`, `${under}${ends ? "   " : "│  "}`);
  }
  if (node.omitted && node.kind !== "connections") {
    yield words(`more of ${node.id}`, `${under}… ${whole.format(node.omitted)} more`);
  }
}

function sums(of) {
  const shown = [
    ["Connections", of.count], ["Subscriptions", of.subscriptions], ["Live", of.live],
    ["Reading", of.reading], ["Most behind (events)", of.max_lag_events],
    ["Waiting", bytes(of.backlog_bytes)], ["Sent", bytes(of.bytes_out)],
  ];
  at("sums").replaceChildren(...shown.map(([name, value]) => make("div", "",
    make("dt", "", name),
    make("dd", "", typeof value === "number" ? whole.format(value) : value),
  )));
  at("sums").hidden = false;
}

function pages(total) {
  const last = Math.min(view.offset + PAGE, total);
  at("pages").hidden = total <= PAGE;
  at("where").textContent = `connections ${whole.format(view.offset + 1)} to ${whole.format(last)} of ${whole.format(total)}`;
  at("newer").disabled = view.offset === 0;
  at("older").disabled = last >= total;
}

// --- what is shown ---

async function load() {
  const limits = `limit=${PAGE}&offset=${view.offset}`;
  if (view.peer || view.principal) {
    const found = new URLSearchParams();
    if (view.peer) found.set("peer", view.peer);
    if (view.principal) found.set("principal", view.principal);
    const given = await (await ask(`/debug/actors?${limits}&${found}`)).json();
    return { connections: given.connections, nodes: given.actors, total: given.found };
  }
  const given = await (await ask(`/debug/actors?limit=${PAGE}`)).json();
  const connections = given.root.children.findIndex((each) => each.kind === "connections");
  const total = given.connections.count;
  if (view.offset && connections >= 0) {
    const page = await (await ask(`/debug/actors/root.connections?${limits}`)).json();
    given.root.children[connections] = page.actor;
  }
  return { connections: given.connections, nodes: [given.root], total };
}

async function refresh() {
  view.wanted = true;
  if (view.busy) return;
  view.busy = true;
  view.looked = performance.now();
  clearTimeout(view.timer);
  clearTimeout(view.due);
  view.due = 0;
  try {
    while (view.wanted) {
      view.wanted = false;
      show(await load());
    }
    await deliveries();
  } catch (error) {
    if (view.wanted) setTimeout(refresh); // somebody asked again meanwhile, maybe with another token
    else failed(error);
  } finally {
    view.busy = false;
    if (at("sign-in").hidden) view.timer = setTimeout(refresh, document.hidden ? 10 * EVERY : EVERY);
  }
}

// Look again because something has changed: at once, unless that has just been done, or nobody looks.
function soon() {
  if (document.hidden) return;
  view.due ||= setTimeout(() => {
    view.due = 0;
    refresh();
  }, Math.max(0, CALM - (performance.now() - view.looked)));
}

function show({ connections, nodes, total }) {
  if (view.offset && view.offset >= total) {
    view.offset = 0;
    view.wanted = true;
  }
  at("sign-in").hidden = true;
  at("find").hidden = false;
  at("scroll").hidden = false;
  sums(connections);
  pages(total);
  rates.look(performance.now());
  const made = nodes.flatMap((node) => [...rows(node)]);
  renew(at("rows"), made.length ? made : [words("none", "No connection is like that.")]);
  if (!view.reader) watch();
}

function failed(error) {
  if (error.status === 401 || error.status === 403) {
    if (error.code !== "FORBIDDEN") sessionStorage.removeItem(TOKEN); // it is good, though not for this
    for (const id of ["find", "scroll", "sums", "pages", "chart"]) at(id).hidden = true;
    if (error.status === 403) at("why").textContent = error.message;
    if (at("sign-in").hidden) {
      at("sign-in").hidden = false;
      at("sign-in").elements.token.focus();
    }
    say("not signed in");
    view.reader?.abort();
  } else {
    say(error.status ? error.message : "the server does not answer", "lost");
  }
}

// --- deliveries: one scrape of /metrics for each look ---

async function deliveries() {
  const text = await (await ask("/metrics", { headers: { Accept: "text/plain" } })).text();
  const now = { at: performance.now(), buckets: histogram(text) };
  const { metrics } = view;
  view.metrics = now;
  if (metrics) chart.add(between(metrics.buckets, now.buckets, (now.at - metrics.at) / 1000));
}

// --- changes ---

async function watch() {
  const reader = new AbortController();
  view.reader = reader;
  try {
    const answer = await ask("/debug/actors?watch&limit=0", {
      headers: { Accept: "text/event-stream" }, signal: reader.signal,
    });
    say("live", "live");
    const text = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await text.read();
      if (done) break;
      if (value.includes("event: ")) soon();
    }
    say("the stream has ended", "lost");
  } catch (error) {
    if (!reader.signal.aborted) failed(error);
  } finally {
    view.reader = null; // the next look begins it again
  }
}

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = event.target.elements.token;
  sessionStorage.setItem(TOKEN, field.value.trim().replace(/^Bearer /i, ""));
  field.value = "";
  refresh();
});
at("find").addEventListener("submit", (event) => {
  event.preventDefault();
  const { peer, principal } = event.target.elements;
  Object.assign(view, { peer: peer.value.trim(), principal: principal.value.trim(), offset: 0 });
  refresh();
});
at("find").addEventListener("reset", () => {
  Object.assign(view, { peer: "", principal: "", offset: 0 });
  refresh();
});
at("newer").addEventListener("click", () => { view.offset = Math.max(0, view.offset - PAGE); refresh(); });
at("older").addEventListener("click", () => { view.offset += PAGE; refresh(); });
refresh();
