import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { contentDigest, covers } from "./covers.ts";

test("an object covers itself, and whatever the server adds to it", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: true }), (wanted) => {
      assert.ok(covers(wanted, wanted));
      assert.ok(covers({ wanted, more: 1 }, { wanted }));
    }),
  );
});

test("amounts are the same as numbers and as texts, and nothing is as an empty list", () => {
  assert.ok(covers({ cpu: "2" }, { cpu: 2 }));
  assert.ok(covers({}, { secrets: [], text: "", on: false, selector: {} }));
});

test("another text, an item more or less, and a field that is gone are differences", () => {
  const wanted = { ports: [{ port: 5432 }], type: "NodePort" };
  assert.ok(!covers({ ports: [{ port: 5433 }], type: "NodePort" }, wanted));
  assert.ok(!covers({ ports: [{ port: 5432 }, { port: 1 }], type: "NodePort" }, wanted));
  assert.ok(!covers({ ports: [], type: "NodePort" }, wanted));
  assert.ok(!covers({ ports: [{ port: 5432 }] }, wanted));
  assert.ok(!covers({ a: "x" }, { a: "" }));
  assert.ok(!covers({ a: true }, { a: false }));
});

function object(version: string, more: object = {}) {
  const metadata = { name: "a", resourceVersion: version };
  return { apiVersion: "v1", kind: "Service", metadata, ...more };
}

test("an object's content is the same whatever its version and status are", () => {
  assert.equal(contentDigest(object("1")), contentDigest(object("2", { status: { ready: 1 } })));
  assert.notEqual(contentDigest(object("1")), contentDigest(object("1", { spec: {} })));
});
