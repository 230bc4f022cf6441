import assert from "node:assert/strict";
import { test } from "node:test";
import { Changes, explain, hoped } from "../../../../http/console/assets/changes.js";
import { Store } from "../../../../http/console/assets/store.js";
import { incident } from "./incidents.mjs";

const ME = { name: "ann" };

// A server of one incident, which answers when it is told to, in the order of the questions.
function server(store) {
  const waiting = [];
  return {
    asked: [],
    request(_, variables) {
      this.asked.push(variables.version);
      return new Promise((done, failed) => waiting.push({ done, failed, variables }));
    },
    async answer() {
      await new Promise(setImmediate);
      const { done, failed, variables } = waiting.shift();
      const now = store.held(variables.id);
      if (variables.version !== now.version) failed(Object.assign(new Error("conflict"), { code: "CONFLICT" }));
      else done({ done: { ...now, version: now.version + 1 } });
      await new Promise(setImmediate);
    },
  };
}

function desk() {
  const store = new Store();
  store.put(incident({ id: "i", version: 1 }));
  const link = server(store);
  return { store, link, changes: new Changes(link, store, () => {}) };
}

test("two quick changes are made one after the other", async () => {
  const { store, link, changes } = desk();
  const both = [changes.make("acknowledge", "i", {}, ME), changes.make("assign", "i", { assignees: ["bo"] }, ME)];
  assert.deepEqual(store.get("i").assignees, ["bo"]);
  assert.ok(store.get("i").pending);
  await link.answer();
  assert.deepEqual(link.asked, [1, 2]);
  await link.answer();
  await Promise.all(both);
  assert.equal(store.get("i").version, 3);
  assert.ok(!store.get("i").pending);
});

test("after one that was refused the next expects what was seen", async () => {
  const { store, link, changes } = desk();
  const first = changes.make("acknowledge", "i", {}, ME);
  const second = changes.make("assign", "i", { assignees: ["bo"] }, ME);
  store.put({ ...store.held("i"), version: 5 }); // somebody else was quicker
  const refused = assert.rejects(first, /somebody changed the incident meanwhile.*version 5/);
  await link.answer();
  await refused;
  assert.deepEqual(link.asked, [1, 1]);
  const also = assert.rejects(second, /somebody changed/);
  await link.answer();
  await also;
  assert.ok(!store.get("i").pending);
});

test("a change of another incident waits for nothing", async () => {
  const { store, link, changes } = desk();
  store.put(incident({ id: "j", version: 7 }));
  const both = [changes.make("acknowledge", "i", {}, ME), changes.make("acknowledge", "j", {}, ME)];
  await new Promise(setImmediate);
  assert.deepEqual(link.asked, [1, 7]);
  await link.answer();
  await link.answer();
  await Promise.all(both);
});

test("what is hoped for is what the server would do", () => {
  const seen = incident({ state: "NEW" });
  assert.equal(hoped("acknowledge", seen, {}, ME, "now").state, "INVESTIGATING");
  assert.equal(hoped("acknowledge", { ...seen, state: "MONITORING" }, {}, ME, "now").state, undefined);
  assert.deepEqual(hoped("comment", seen, {}, ME, "now"), {});
});

test("an unknown outcome is not called a failure", () => {
  assert.doesNotMatch(explain("resolve", { code: "LOST", message: "It may have been done." }, null), /was not done/);
  assert.match(explain("resolve", { code: "FORBIDDEN", message: "No." }, null), /was not done: No\./);
});
