import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { JsonLines } from "./json-lines.ts";

test("documents come out whole, wherever the chunks end", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 8 }),
      fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 20 }),
      (documents, sizes) => {
        const bytes = Buffer.from(documents.map((each) => `${JSON.stringify(each)}\n`).join(""));
        const lines = new JsonLines();
        const seen: unknown[] = [];
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = 1 + (sizes[turn % sizes.length] ?? 0);
          seen.push(...lines.push(bytes.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(JSON.stringify(seen), JSON.stringify(documents));
      },
    ),
  );
});

test("a line that is not ended yet gives nothing, and empty lines are passed over", () => {
  const lines = new JsonLines();
  assert.deepEqual(lines.push(Buffer.from('{"a":')), []);
  assert.deepEqual(lines.push(Buffer.from("1}\n\r\n\n[2")), [{ a: 1 }]);
  assert.deepEqual(lines.push(Buffer.from("]\n")), [[2]]);
});

test("what is no JSON, and what never ends, is an error", () => {
  assert.throws(() => new JsonLines().push(Buffer.from("no\n")), SyntaxError);
  const lines = new JsonLines({ limitBytes: 10 });
  lines.push(Buffer.from("12345"));
  assert.throws(() => lines.push(Buffer.from("678901")), RangeError);
});
