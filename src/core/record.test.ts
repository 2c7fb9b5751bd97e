import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { formatRecord, newRecord, parseRecord, RECORD_VERSION, withHistory } from "./record.ts";

const member = { host: "127.0.0.1", port: 6431, apiPort: 6441, tags: {} };
const fresh = newRecord({
  cluster: "demo",
  founder: "demo-1",
  ttlMs: 2000,
  members: { "demo-1": member },
});

describe("a new record", () => {
  it("has nobody in charge and names who makes the data", () => {
    assert.equal(fresh.term, 0);
    assert.equal(fresh.leader, null);
    assert.equal(fresh.heir, "demo-1");
    assert.equal(fresh.systemId, null);
    assert.deepEqual(fresh.history, []);
  });
});

describe("a stored record", () => {
  it("is the same after it was written and read", () => {
    assert.deepEqual(parseRecord(formatRecord(fresh)), fresh);
    const led = {
      ...fresh,
      term: 3,
      leader: { member: "demo-1", renewals: 9, lsn: "0/3000060", timeline: 2 },
      heir: null,
      systemId: "7710982235828473568",
      switchover: { from: "demo-1", to: "demo-2" },
    };
    assert.deepEqual(parseRecord(formatRecord(led)), led);
  });

  it("is a few kilobytes even with all members and a full history", () => {
    const members = Object.fromEntries(
      Array.from({ length: 17 }, (_, index) => [`${"m".repeat(45)}-${index}`, member]),
    );
    const entry = {
      term: 1,
      member: "m".repeat(50),
      timeline: 1,
      lsn: "FFFFFFFF/FFFFFFFF",
      at: "2026-11-22T12:00:00.000Z",
      reason: "r".repeat(80),
    };
    const full = { ...fresh, members, history: Array.from({ length: 50 }, () => entry) };
    assert.ok(formatRecord(full).length < 20_000);
  });

  it("that was damaged is refused with the place, and never half understood", () => {
    const cases = {
      "no JSON": "{",
      '"its root"': "[]",
      '"cluster"': JSON.stringify({ ...fresh, cluster: 7 }),
      '"members.demo-1.port"': JSON.stringify({
        ...fresh,
        members: { "demo-1": { ...member, port: "x" } },
      }),
      '"sync.mode"': JSON.stringify({
        ...fresh,
        sync: { ...fresh.sync, mode: "maybe" },
      }),
    };
    for (const [place, text] of Object.entries(cases))
      assert.throws(
        () => parseRecord(text),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, "RECORD_CORRUPT");
          if (place !== '"its root"') assert.ok(error.message.includes(place), error.message);
          return true;
        },
      );
  });

  it("loses no field without being noticed", () => {
    // Of records that an older Understudy wrote.
    const added = new Set(["ended", "fenced", "lastKnown", "policy", "scheduled"]);
    for (const field of Object.keys(fresh).filter((each) => !added.has(each))) {
      const { [field]: _, ...rest } = fresh as Record<string, unknown>;
      assert.throws(() => parseRecord(JSON.stringify(rest)), { code: "RECORD_CORRUPT" }, field);
    }
  });

  it("that was written before synchronous mode promises nothing", () => {
    const older = { ...fresh, sync: { mode: "off", required: 0, members: [] } };
    assert.deepEqual(parseRecord(JSON.stringify(older)).sync, {
      mode: "off",
      required: 0,
      whenUnavailable: "block",
      guarantee: null,
      copies: 0,
    });
  });

  it("cut at any byte is refused", () => {
    const text = formatRecord(fresh);
    fc.assert(
      fc.property(fc.nat(text.length - 1), (length) => {
        assert.throws(() => parseRecord(text.slice(0, length)), { code: "RECORD_CORRUPT" });
      }),
    );
  });

  it("of a newer Understudy is left alone", () => {
    const newer = { ...fresh, version: RECORD_VERSION + 1, somethingNew: true };
    assert.throws(() => parseRecord(JSON.stringify(newer)), { code: "RECORD_TOO_NEW" });
  });
});

describe("the history", () => {
  it("keeps the newest fifty, oldest first", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), (count) => {
        let history: ReturnType<typeof withHistory> = [];
        for (let term = 1; term <= count; term += 1)
          history = withHistory(history, {
            term,
            member: "demo-1",
            timeline: 1,
            lsn: null,
            at: "",
            reason: "",
          });
        assert.equal(history.length, Math.min(count, 50));
        assert.equal(history.at(-1)?.term, count);
        assert.deepEqual(
          history.map(({ term }) => term),
          history.map((_, index) => count - history.length + 1 + index),
        );
      }),
    );
  });
});
