// What the kernel says of unwritten data, read.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unwrittenBytes } from "./first-start.ts";

describe("unwrittenBytes", () => {
  it("adds what waits to be written and what is being written", () => {
    const text =
      "MemFree:  22078132 kB\nDirty:      1028 kB\nWriteback:     4 kB\nWritebackTmp: 9 kB\n";
    assert.equal(unwrittenBytes(text), 1032 * 1024);
  });

  it("knows nothing where the kernel does not say both", () => {
    assert.equal(unwrittenBytes(""), null);
    assert.equal(unwrittenBytes("Dirty:      1028 kB\n"), null);
  });
});
