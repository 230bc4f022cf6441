import assert from "node:assert/strict";
import { test } from "node:test";
import { MOST, Store } from "../../../../http/console/assets/store.js";
import { worseFirst } from "../../../../http/console/assets/incident.js";
import { dice, incident } from "./incidents.mjs";

test("what comes in any order, and twice, ends as the newest of each", () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const roll = dice(seed);
    const history = [];
    for (const id of ["a", "b", "c"]) {
      let now = incident({ id });
      for (let step = roll(6); step >= 0; step -= 1) {
        history.push(now);
        now = roll(2)
          ? { ...now, version: now.version + 1, severity: `P${roll(5)}` }
          : { ...now, alertCount: now.alertCount + 1 };
      }
    }
    const [straight, mixed] = [new Store(), new Store()];
    history.forEach((each) => straight.put(each));
    const shuffled = [...history, ...history].map((each) => [roll(1000), each])
      .sort(([a], [b]) => a - b).map(([, each]) => each);
    shuffled.forEach((each) => mixed.put(each));
    assert.deepEqual(mixed.all(), straight.all());
  }
});

test("an update that tells nothing new says so", () => {
  const store = new Store();
  assert.equal(store.put(incident({ version: 2 })), true);
  assert.equal(store.put(incident({ version: 2 })), false);
  assert.equal(store.put(incident({ version: 1, alertCount: 9 })), false);
  assert.equal(store.put(incident({ version: 2, alertCount: 2 })), true);
});

test("the order is kept while things change, whatever was in order before", () => {
  const store = new Store();
  const roll = dice(3);
  for (let step = 1; step <= 500; step += 1) {
    const id = `i${roll(60)}`;
    const held = store.held(id);
    store.put(incident({ ...held, id, version: (held?.version ?? 0) + 1, severity: `P${roll(5)}`,
      state: ["NEW", "RESOLVED", "MONITORING"][roll(3)] }));
    const shown = store.all();
    assert.equal(shown.length, store.size);
    for (let i = 1; i < shown.length; i += 1) assert.ok(worseFirst(shown[i - 1], shown[i]) < 0);
  }
});

test("a hope is shown, counted, and gone when it is settled; others stay", () => {
  const store = new Store();
  store.put(incident());
  const first = store.hope("a", { state: "RESOLVED" });
  const second = store.hope("a", { severity: "P0" });
  assert.deepEqual([store.get("a").state, store.get("a").severity, store.get("a").pending], ["RESOLVED", "P0", true]);
  assert.equal(store.counts().P2, 0);
  store.settle("a", first);
  assert.deepEqual([store.get("a").state, store.get("a").severity], ["NEW", "P0"]);
  store.settle("a", second);
  assert.deepEqual(store.get("a"), incident());
  assert.equal(store.counts().P2, 1);
});

test("what the server says goes under a hope, not over it", () => {
  const store = new Store();
  store.put(incident());
  const key = store.hope("a", { severity: "P0" });
  store.put(incident({ version: 2, title: "Renamed" }));
  assert.deepEqual([store.get("a").severity, store.get("a").title], ["P0", "Renamed"]);
  store.settle("a", key);
  assert.equal(store.get("a").severity, "P2");
});

test("it holds no more than it may, and lets go what was done longest ago", () => {
  const store = new Store();
  store.put(incident({ id: "active" }));
  for (let i = 0; i < MOST; i += 1) {
    store.put(incident({ id: `d${i}`, state: "CLOSED", updatedAt: new Date(i * 1000).toISOString() }));
  }
  assert.ok(store.size <= MOST);
  assert.ok(store.held("active"));
  assert.equal(store.held("d0"), null);
  assert.ok(store.held(`d${MOST - 1}`));
});

test("nothing is left after clear", () => {
  const store = new Store();
  store.put(incident());
  store.hope("a", { severity: "P0" });
  store.clear();
  assert.deepEqual([store.all(), store.get("a"), store.size], [[], null, 0]);
});
