import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Crc32c, crc32c } from "./crc32c.ts";

test("the check value of CRC-32C and the vectors of RFC 3720 B.4 come out", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i))), 0x46dd794e);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
});

test("pieces of any length give the checksum of the whole, which the bitwise definition gives too", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }), (pieces) => {
      const checksum = new Crc32c();
      for (const piece of pieces) checksum.update(piece);
      assert.equal(checksum.digest(), bitwise(Buffer.concat(pieces)));
      assert.equal(crc32c(Buffer.concat(pieces)), checksum.digest());
    }),
  );
});

function bitwise(bytes: Uint8Array): number {
  let state = 0xffffffff;
  for (const byte of bytes) {
    state ^= byte;
    for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (0x82f63b78 & -(state & 1));
  }
  return ~state >>> 0;
}
