import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Lines, readOrder, writeOrder, type Order } from "./order.ts";

const orders: fc.Arbitrary<Order> = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 10 ** 12 }), fc.nat())
    .map(([micros, term]) => ({ kind: "arm" as const, deadlineMs: micros / 1_000, term })),
  fc.constant({ kind: "disarm" as const }),
  fc.constant({ kind: "leave" as const }),
);

test("orders arrive as they were sent, however the pipe cuts them", () => {
  fc.assert(
    fc.property(fc.array(orders), fc.integer({ min: 1, max: 20 }), (sent, length) => {
      const text = sent.map(writeOrder).join("");
      const pieces = text.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [];
      const lines = new Lines();
      assert.deepEqual(pieces.flatMap((piece) => lines.add(piece)).map(readOrder), sent);
    }),
  );
});

test("what is no order is none", () => {
  for (const line of ["", "arm", "arm 1", "arm x 1", "arm 1 x", "arm -1 1", "disarm 1", "kill"])
    assert.equal(readOrder(line), null, JSON.stringify(line));
});

test("half a line is no order yet: a deadline must not be read cut off", () => {
  assert.deepEqual(new Lines().add("arm 1234"), []);
});
