import assert from "node:assert/strict";
import { test } from "node:test";
import { credentials, keep, token } from "../../../../http/playground/web/token.js";

const kept = new Map();
globalThis.sessionStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, text) => kept.set(key, text),
  removeItem: (key) => kept.delete(key),
};

test("a token is kept bare, and forgotten when nothing is given", () => {
  assert.deepEqual(credentials(), {});
  keep("  Bearer  abc.def.ghi ");
  assert.equal(token(), "abc.def.ghi");
  assert.deepEqual(credentials(), { Authorization: "Bearer abc.def.ghi" });
  keep(" ");
  assert.equal(token(), "");
  assert.equal(kept.size, 0);
});

test("an API key says so by how it begins", () => {
  assert.deepEqual(credentials("lim_abc"), { "X-API-Key": "lim_abc" });
});
