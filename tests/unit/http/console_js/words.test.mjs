import assert from "node:assert/strict";
import { test } from "node:test";
import { wait } from "../../../../http/console/assets/backoff.js";
import { explain, hoped } from "../../../../http/console/assets/changes.js";
import { raises } from "../../../../http/console/assets/alarm.js";
import { isNewer, modelOf, otherLabels, possible, providerOf, severer } from "../../../../http/console/assets/incident.js";
import { age, many, plain, rough } from "../../../../http/console/assets/words.js";
import { reveal, seen } from "../../../../http/console/assets/window.js";
import { alertsOf } from "../../../../http/console/assets/queries.js";
import { incident } from "./incidents.mjs";

const MINUTE = 60_000;

test("ages read well, and never go below nothing", () => {
  const spans = [-5, 0, 59_999, MINUTE, 59 * MINUTE + 7000, 60 * MINUTE, 1440 * MINUTE, 3000 * MINUTE];
  assert.deepEqual(spans.map(age), ["0 s", "0 s", "59 s", "1:00", "59:07", "1 h 00 m", "1 d 0 h", "2 d 2 h"]);
  assert.deepEqual([4000, 90_000, 700_000, 90 * MINUTE, 3000 * MINUTE].map(rough), ["4 s", "1.5 min", "12 min", "1.5 h", "2.1 d"]);
  assert.deepEqual([many(1, "entry", "entries"), many(1200, "alert"), plain("AUTO_ASSISTED_MANUAL")],
    ["1 entry", "1,200 alerts", "Auto assisted manual"]);
});

test("waits grow to a bound, and half of each is left to chance", () => {
  assert.deepEqual([wait(0, 0), wait(0, 1), wait(3, 1), wait(99, 1), wait(99, 0)], [250, 500, 4000, 30_000, 15_000]);
});

test("rows that are drawn hold all that is seen", () => {
  for (const [count, top, height] of [[0, 0, 500], [10_000, 0, 500], [10_000, 519_500, 500], [5, 0, 500], [100, 1e9, 500]]) {
    const { from, to } = seen(count, 52, top, height);
    assert.ok(0 <= from && from <= to && to <= count && to - from < 30);
    const last = Math.min(count, Math.ceil((top + height) / 52));
    assert.ok(to >= last || from === to);
    assert.ok(from <= top / 52);
  }
  assert.deepEqual([reveal(0, 50, 120, 500), reveal(3, 50, 120, 500), reveal(20, 50, 120, 500)], [0, 120, 550]);
});

test("labels of models are told from the others", () => {
  const one = incident({ labels: { team: "x", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai", a: "b" } });
  assert.deepEqual([modelOf(one), providerOf(one)], ["gpt-4o", "openai"]);
  assert.deepEqual(otherLabels(one), [["a", "b"], ["team", "x"]]);
  assert.equal(modelOf(incident()), null);
});

test("only what can be done is offered", () => {
  assert.deepEqual(possible(incident({ severity: "P0", acknowledgedAt: "x" })),
    { acknowledge: false, assign: true, comment: true, escalate: false, resolve: true, close: false, reopen: false });
  assert.deepEqual(possible(incident({ state: "RESOLVED" })),
    { acknowledge: false, assign: true, comment: true, escalate: false, resolve: false, close: true, reopen: true });
  assert.deepEqual(severer("P2"), ["P0", "P1"]);
});

test("what is hoped for is what the server does", () => {
  const me = { name: "ann" };
  const ask = (name, given = {}, state = "NEW") => hoped(name, incident({ state }), given, me, "now");
  assert.deepEqual(ask("acknowledge"), { acknowledgedAt: "now", acknowledgedBy: "ann", state: "INVESTIGATING" });
  assert.deepEqual(ask("acknowledge", {}, "MONITORING"), { acknowledgedAt: "now", acknowledgedBy: "ann" });
  assert.deepEqual(ask("assign", { assignees: ["bo"] }), { assignees: ["bo"] });
  assert.deepEqual([ask("escalate", { severity: "P0" }), ask("resolve").state, ask("close").state, ask("reopen").state, ask("comment")],
    [{ severity: "P0" }, "RESOLVED", "CLOSED", "INVESTIGATING", {}]);
});

test("a failure says what is known and no more", () => {
  const told = explain("resolve", { code: "CONFLICT", message: "" }, incident({ version: 7, state: "MONITORING" }));
  assert.match(told, /Resolve was not done: somebody changed.*Monitoring \(version 7\)/);
  const lost = explain("comment", { code: "LOST", message: "It may have been done, or not." }, incident());
  assert.match(lost, /may have been done/);
  assert.doesNotMatch(lost, /was not done/);
  assert.match(explain("close", { code: "FORBIDDEN", message: "No." }, null), /Close was not done: No\./);
});

test("an alarm is for what becomes critical, once", () => {
  const created = (severity) => ({ updateType: "CREATED", incident: incident({ severity }) });
  const changed = (severity, state = "NEW") => ({ updateType: "UPDATED", incident: incident({ severity, state }) });
  assert.ok(raises(created("P0"), null) && raises(created("P1"), null) && raises(changed("P1"), incident()));
  assert.ok(!raises(created("P2"), null) && !raises(changed("P0"), incident({ severity: "P1" })));
  assert.ok(!raises(changed("P0"), null) && !raises(changed("P0", "RESOLVED"), incident()));
});

test("newness is of the version, then of the alerts", () => {
  const held = incident({ version: 3, alertCount: 5 });
  assert.ok(isNewer(held, undefined) && isNewer({ ...held, version: 4 }, held) && isNewer({ ...held, alertCount: 6 }, held));
  assert.ok(!isNewer(held, held) && !isNewer({ ...held, version: 2, alertCount: 9 }, held));
});

test("counts of alerts are asked for with a variable for each source", () => {
  const { query, variables } = alertsOf(["a", 'b"}']);
  assert.deepEqual(variables, { s0: ["a"], s1: ['b"}'] });
  assert.ok(query.includes("s1: alerts(filter: {sources: $s1") && !query.includes('b"'));
});
