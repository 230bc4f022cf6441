import assert from "node:assert/strict";
import { test } from "node:test";
import { NOTHING, isEmpty, matcher, pair, read, statesOf, toggled, write } from "../../../../http/console/assets/filter.js";
import { incident } from "./incidents.mjs";

const filter = (changes) => ({ ...NOTHING, ...changes });

test("what is written into the address reads as it was", () => {
  for (const each of [
    NOTHING,
    filter({ severities: ["P0", "P3"], states: ["NEW", "CLOSED"], source: "a&b=c", text: "50 % of ü" }),
    filter({ labels: [["team", "search"], ["url", "a=b&c"], ["empty", ""]] }),
  ]) {
    const text = write(each, new URLSearchParams()).toString();
    assert.deepEqual(read(new URLSearchParams(text)), { ...each });
  }
});

test("what the address has beside stays, and what is not known is left out", () => {
  const parameters = new URLSearchParams("incident=7&label=old%3D1&q=x");
  assert.equal(write(NOTHING, parameters).toString(), "incident=7");
  assert.deepEqual(read(new URLSearchParams("severity=P9,P1,p0&state=NEW,ODD&label=none&label=%3Dx")),
    { ...filter({ severities: ["P1"], states: ["NEW"] }) });
});

test("without states the active ones are shown", () => {
  assert.deepEqual(statesOf(NOTHING), ["NEW", "INVESTIGATING", "IDENTIFIED", "MONITORING"]);
  const shows = matcher(NOTHING);
  assert.ok(shows(incident()));
  assert.ok(!shows(incident({ state: "RESOLVED" })));
  assert.ok(isEmpty(NOTHING) && isEmpty(filter({ text: "  " })) && !isEmpty(filter({ source: "x" })));
});

test("all conditions must hold", () => {
  const one = incident({ severity: "P0", labels: { team: "search", model: "gpt" }, assignees: ["Ann"] });
  const all = { severities: ["P0"], source: "grafana", labels: [["team", "search"]], text: "SLOW ann" };
  assert.ok(matcher(filter(all))(one));
  for (const wrong of [{ severities: ["P1"] }, { source: "x" }, { labels: [["team", "x"]] }, { text: "slow bo" }, { states: ["CLOSED"] }]) {
    assert.ok(!matcher(filter({ ...all, ...wrong }))(one));
  }
});

test("what the server found by the text is shown though the row does not say it", () => {
  const text = filter({ text: "in the description" });
  assert.ok(!matcher(text)(incident()));
  assert.ok(matcher(text, new Set(["a"]))(incident()));
});

test("a label is written as name=value", () => {
  assert.deepEqual(pair(" team = search "), ["team", "search"]);
  assert.deepEqual(pair("a=b=c"), ["a", "b=c"]);
  assert.deepEqual([pair("team"), pair("=x")], [null, null]);
});

test("toggling twice changes nothing", () => {
  assert.deepEqual(toggled(toggled(["P0"], "P1"), "P1"), ["P0"]);
});
