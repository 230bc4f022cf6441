import assert from "node:assert/strict";
import { test } from "node:test";
import { Rates, between, histogram } from "../../../../http/debug/assets/rates.js";

const NAME = "lim_stream_delivery_latency_seconds";
const text = (...counts) => ["# TYPE x histogram", ...["0.001", "0.01", "+Inf"].map((le, i) =>
  `${NAME}_bucket{le="${le}"} ${counts[i]}.0`), `${NAME}_count ${counts[2]}.0`, "other 1"].join("\n");

test("a histogram is read from Prometheus' text, whatever labels it has", () => {
  assert.deepEqual([...histogram(text(1, 5, 6))], [[0.001, 1], [0.01, 5], [Infinity, 6]]);
  const split = `${NAME}_bucket{kind="a",le="0.001"} 2\n${NAME}_bucket{kind="b",le="0.001"} 3`;
  assert.deepEqual([...histogram(split)], [[0.001, 5]]);
  assert.equal(histogram("nothing 1").size, 0);
});

test("what happened between two looks is the difference", () => {
  const before = histogram(text(100, 100, 100));
  assert.deepEqual(between(before, histogram(text(199, 200, 200)), 2), { perSecond: 50, p99: 0.001 });
  assert.deepEqual(between(before, histogram(text(190, 200, 200)), 2), { perSecond: 50, p99: 0.01 });
  assert.deepEqual(between(before, histogram(text(100, 100, 110)), 2), { perSecond: 5, p99: Infinity });
  assert.deepEqual(between(before, before, 2), { perSecond: 0, p99: null });
});

test("a server that began anew counts from nothing", () => {
  const before = histogram(text(100, 100, 100));
  assert.deepEqual(between(before, histogram(text(4, 4, 4)), 2), { perSecond: 2, p99: 0.001 });
});

test("messages a second are of the span between two looks", () => {
  const rates = new Rates();
  rates.look(1000);
  assert.equal(rates.of("a", 10), null);
  rates.look(3000);
  assert.deepEqual([rates.of("a", 30), rates.of("new", 5), rates.of("none", null)], [10, null, null]);
  rates.look(4000);
  assert.deepEqual([rates.of("a", 2), rates.of("new", 5)], [null, 0]);
});
