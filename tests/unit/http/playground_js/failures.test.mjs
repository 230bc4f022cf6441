import assert from "node:assert/strict";
import { test } from "node:test";
import { failed, isLoss, isRefusal } from "../../../../http/playground/web/failures.js";

const close = (code, reason = "") => ({ code, reason });

test("errors of the protocol are shown as they are", () => {
  const errors = [{ message: "no such field", extensions: { code: "GRAPHQL_VALIDATION_FAILED" } }];
  assert.deepEqual(failed(errors), { errors });
});

test("a close is told in words, with its code and what the server says", () => {
  const [{ message, extensions }] = failed(close(4403, "The token has expired")).errors;
  assert.match(message, /refuses these credentials.*The token has expired/);
  assert.deepEqual(extensions, { closeCode: 4403 });
  assert.match(failed(close(1006)).errors[0].message, /could not be made/);
  assert.match(failed(close(4999)).errors[0].message, /has closed the connection/);
});

test("what a client throws is told by its message", () => {
  assert.deepEqual(failed(new Error("broken")), { errors: [{ message: "broken" }] });
  assert.deepEqual(failed("broken"), { errors: [{ message: "broken" }] });
});

test("a lost connection is tried again, a refused one is not", () => {
  for (const code of [1001, 1006, 1012, 1013]) assert.ok(isLoss(close(code)));
  assert.ok(!isLoss(close(4403)));
  assert.ok(isRefusal(close(4403)));
  assert.ok(!isLoss(new Error("broken")));
});
