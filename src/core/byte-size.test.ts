import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatByteSize, parseByteSize } from "./byte-size.ts";

test("a size is read with PostgreSQL's units, and with those that people write", () => {
  const sizes = {
    "0": 0,
    "512": 512,
    "16MB": 16_777_216,
    "1 GiB": 2 ** 30,
    "1.5k": 1536,
    "1tb": 2 ** 40,
  };
  for (const [text, bytes] of Object.entries(sizes)) assert.equal(parseByteSize(text), bytes, text);
});

test("what is no size is not read as one", () => {
  for (const text of ["", "MB", "-1", "1XB", "1e3", "16 M B", "999999999999999TB"])
    assert.equal(parseByteSize(text), null, text);
});

test("every size is read back as it was written", () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      // Fifteen digits are read; more would not fit on a disk.
      const size = bytes % 10 ** 15;
      assert.equal(parseByteSize(formatByteSize(size)), size);
    }),
  );
});
