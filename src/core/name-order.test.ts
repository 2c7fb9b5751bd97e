import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { compareNames, namesInOrder } from "./name-order.ts";

const names = fc.stringMatching(/^[ab]([ab019-]{0,8}[ab019])?$/);
const byDictionary = (one: string, other: string) =>
  one.localeCompare(other, "en", { numeric: true });

describe("the order of names", () => {
  it("counts numbers as such", () => {
    const given = ["demo-10", "demo-2", "demo", "demo-1-a", "demo-1", "a-1", "demo1"];
    const inOrder = ["a-1", "demo", "demo-1", "demo-1-a", "demo-2", "demo-10", "demo1"];
    assert.deepEqual(namesInOrder(given), inOrder);
  });

  it("is a dictionary's with numbers, wherever that one tells two names apart", () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        const expected = Math.sign(byDictionary(one, other));
        if (expected !== 0) assert.equal(Math.sign(compareNames(one, other)), expected);
      }),
    );
  });

  it("tells any two names apart, the same way from both sides", () => {
    fc.assert(
      fc.property(names, names, (one, other) => {
        assert.equal(compareNames(one, other) === 0, one === other);
        assert.ok(
          Math.sign(compareNames(one, other)) + Math.sign(compareNames(other, one)) === 0,
          `${one} and ${other}`,
        );
      }),
    );
    assert.ok(compareNames("demo-01", "demo-1") !== 0);
  });
});
