import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { crc32c } from "../crc32c.ts";
import { Crc32cEngine, crcOfState } from "./crc32c-engine.ts";

test("the check value of CRC-32C comes out", () => {
  const engine = new Crc32cEngine(1024);
  assert.equal(crcOfState(engine.update(-1, Buffer.from("123456789"))), 0xe3069283);
  assert.equal(crcOfState(engine.update(-1, Buffer.alloc(32))), 0x8a9136aa);
});

test("pieces in its own memory and elsewhere give the plain implementation's checksum", () => {
  const engine = new Crc32cEngine(100_000);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), fc.boolean(), (bytes, cut, own) => {
      engine.buffer.set(bytes, 7);
      const whole = own ? engine.buffer.subarray(7, 7 + bytes.length) : bytes;
      const state = engine.update(engine.update(-1, whole.subarray(0, cut)), whole.subarray(cut));
      assert.equal(crcOfState(state), crc32c(bytes));
    }),
  );
  const long = Buffer.alloc(90_001, "understudy");
  assert.equal(crcOfState(engine.update(-1, long)), crc32c(long));
});
