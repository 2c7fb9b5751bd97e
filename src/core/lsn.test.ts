import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  formatLsn,
  formatLsnOrNull,
  greatestLsn,
  lsnDistance,
  lsnFromBigInt,
  parseLsn,
  parseLsnOrNull,
  ZERO_LSN,
} from "./lsn.ts";

const lsns = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(lsnFromBigInt);

describe("an LSN", () => {
  it("is printed as PostgreSQL prints it", () => {
    assert.equal(formatLsn(ZERO_LSN), "0/0");
    assert.equal(formatLsn(lsnFromBigInt(0x3000060n)), "0/3000060");
    assert.equal(formatLsn(lsnFromBigInt(0xa_0000_00ffn)), "A/FF");
    assert.equal(formatLsn(lsnFromBigInt((1n << 64n) - 1n)), "FFFFFFFF/FFFFFFFF");
  });

  it("is the same after it was printed and read, in either case of letters", () => {
    fc.assert(
      fc.property(lsns, (lsn) => {
        assert.equal(parseLsn(formatLsn(lsn)), lsn);
        assert.equal(parseLsn(formatLsn(lsn).toLowerCase()), lsn);
      }),
    );
  });

  it("is not read from anything else", () => {
    for (const text of ["", "0", "/", "0/", "/0", "0/1/2", "g/0", "0x0/1", " 0/1", "0/1 ", "-1/0"])
      assert.throws(() => parseLsn(text), { code: "INTERNAL" }, JSON.stringify(text));
    assert.throws(() => parseLsn("100000000/0"), { code: "INTERNAL" });
  });

  it("has 64 bits", () => {
    assert.throws(() => lsnFromBigInt(-1n), { code: "INTERNAL" });
    assert.throws(() => lsnFromBigInt(1n << 64n), { code: "INTERNAL" });
  });

  it("may be unknown, and stays so", () => {
    for (const nothing of [null, undefined, ""]) assert.equal(parseLsnOrNull(nothing), null);
    assert.equal(formatLsnOrNull(null), null);
    assert.equal(formatLsnOrNull(parseLsnOrNull("1/2")), "1/2");
  });
});

describe("the distance of two LSNs", () => {
  it("is their difference in bytes, and never less than nothing", () => {
    fc.assert(
      fc.property(lsns, fc.nat(), (from, bytes) => {
        const far = BigInt(from) + BigInt(bytes);
        const to = lsnFromBigInt(far < 1n << 64n ? far : BigInt(from));
        assert.equal(lsnDistance({ from, to }), Number(to - from));
        assert.equal(lsnDistance({ from: to, to: from }), 0);
      }),
    );
  });
});

describe("the greatest LSN", () => {
  it("is one of the known ones and no other is greater", () => {
    fc.assert(
      fc.property(fc.array(fc.option(lsns)), (candidates) => {
        const greatest = greatestLsn(...candidates);
        if (greatest === null) assert.ok(candidates.every((lsn) => lsn === null));
        else {
          assert.ok(candidates.includes(greatest));
          assert.ok(candidates.every((lsn) => lsn === null || lsn <= greatest));
        }
      }),
    );
  });
});
