import assert from "node:assert/strict";
import { test } from "node:test";
import { HOUR, ceiling, durations, perHour, quantile, sourcesOf } from "../../../../http/console/assets/figures.js";
import { dice, incident } from "./incidents.mjs";

const NOW = Date.parse("2026-01-31T12:34:56Z");
const at = (before) => new Date(NOW - before).toISOString();

test("each incident of the last hours is in one column, and no other is", () => {
  const columns = perHour([
    incident({ createdAt: at(0), severity: "P0" }), incident({ createdAt: at(35 * 60_000) }),
    incident({ createdAt: at(30 * HOUR) }), incident({ createdAt: at(-2 * HOUR) }),
  ], NOW);
  assert.equal(columns.length, 24);
  assert.equal(columns.at(-1).P0, 1);
  assert.equal(columns.at(-2).P2, 1);
  assert.equal(columns.reduce((sum, each) => sum + each.total, 0), 2);
  columns.slice(1).forEach((each, i) => assert.equal(each.from - columns[i].from, HOUR));
});

test("a quantile is one of the numbers, with that share at or below it", () => {
  const roll = dice(5);
  for (let round = 0; round < 100; round += 1) {
    const numbers = Array.from({ length: 1 + roll(30) }, () => roll(100)).sort((a, b) => a - b);
    for (const share of [0.5, 0.9, 1]) {
      const found = quantile(numbers, share);
      assert.ok(numbers.filter((each) => each <= found).length >= share * numbers.length);
      assert.ok(numbers.filter((each) => each < found).length < share * numbers.length);
    }
  }
  assert.equal(quantile([], 0.5), null);
});

test("durations are of what has ended, by severity", () => {
  const took = (severity, minutes) => incident({
    severity, createdAt: at(HOUR), resolvedAt: at(HOUR - minutes * 60_000),
  });
  const found = durations([took("P0", 1), took("P0", 3), took("P0", 9), took("P3", 5),
    incident({ severity: "P4", createdAt: at(HOUR) }), { ...took("P1", 1), createdAt: at(9 * HOUR) }], "resolvedAt", NOW - 2 * HOUR);
  assert.deepEqual(found.map((each) => each.count), [3, 0, 0, 1, 0]);
  assert.deepEqual([found[0].median, found[0].p90, found[1].median], [180_000, 540_000, null]);
});

test("the top of an axis is round and not below", () => {
  assert.deepEqual([0, 1, 4.2, 6, 11, 21, 99, 100, 101].map(ceiling), [1, 1, 5, 10, 20, 50, 100, 100, 200]);
});

test("sources come by their alerts", () => {
  const given = [incident({ source: "a" }), incident({ source: "b", alertCount: 5 }), incident({ source: "a", alertCount: 2 }),
    incident({ source: "old", alertCount: 99, createdAt: at(99 * HOUR) })];
  assert.deepEqual(sourcesOf(given, NOW - HOUR), ["b", "a"]);
  assert.deepEqual(sourcesOf(given, NOW - HOUR, 1), ["b"]);
});
