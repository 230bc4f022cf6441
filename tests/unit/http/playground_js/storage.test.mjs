import assert from "node:assert/strict";
import { test } from "node:test";
import { storageOver } from "../../../../http/playground/web/storage.js";

function memory() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem(key, text) {
      kept.set(key, text);
      this[key] = text;
    },
    removeItem(key) {
      kept.delete(key);
      delete this[key];
    },
  };
}

const SECRET = "Bearer abc.def.ghi";

test("tabs and history are kept, their headers are not", () => {
  const kept = memory();
  const storage = storageOver(kept);
  const item = { query: "{ cursor }", variables: '{"headers": "of an input"}', headers: `{"Authorization": "${SECRET}"}` };
  storage.setItem("graphiql:queries", JSON.stringify({ queries: [item] }));
  storage.setItem("graphiql:favorites", JSON.stringify({ favorites: [item] }));
  storage.setItem("graphiql:tabState", JSON.stringify({ tabs: [item], activeTabIndex: 0 }));
  storage.setItem("graphiql:headers", item.headers);
  storage.setItem("graphiql:theme", "dark");
  const [{ headers, ...rest }] = JSON.parse(storage.getItem("graphiql:queries")).queries;
  assert.equal(headers, null);
  assert.deepEqual(rest, { query: item.query, variables: item.variables });
  const [tab] = JSON.parse(storage.getItem("graphiql:tabState")).tabs;
  assert.equal(tab.query, item.query);
  assert.equal(tab.headers, null); // without the field GraphiQL would take no tab back
  assert.equal(storage.getItem("graphiql:headers"), null);
  assert.equal(storage.getItem("graphiql:theme"), "dark");
  assert.ok(!JSON.stringify(kept).includes(SECRET));
});

test("it clears and counts its own only", () => {
  const kept = memory();
  kept.setItem("incident-manager.keys", "off");
  const storage = storageOver(kept);
  storage.setItem("graphiql:theme", "dark");
  assert.equal(storage.length, 1);
  storage.clear();
  assert.equal(storage.length, 0);
  assert.equal(kept.getItem("incident-manager.keys"), "off");
});
