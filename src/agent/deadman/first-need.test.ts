import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GROUNDS } from "../../core/protocol/situation.ts";
import { newRecord } from "../../core/record.ts";
import { needsDeadman } from "./first-need.ts";

const place = { host: "127.0.0.1", port: 6431, apiPort: 6432, tags: {} };
const record = newRecord({
  cluster: "demo",
  founder: "demo-1",
  ttlMs: 5_000,
  members: { "demo-1": place, "demo-2": { ...place, port: 6433, apiPort: 6434 } },
});

describe("a member needs its deadman", () => {
  it("on every ground but where it has no data that could be started", () => {
    const without = GROUNDS.filter((ground) => !needsDeadman({ record, ground, member: "demo-2" }));
    assert.deepEqual(without, ["nothing", "half-made"]);
  });

  it("before it has data, where the record names it to lead", () => {
    for (const ground of GROUNDS)
      assert.ok(needsDeadman({ record, ground, member: "demo-1" }), ground);
    const led = { ...record, leader: { member: "demo-2", renewals: 0, lsn: null, timeline: null } };
    assert.ok(needsDeadman({ record: led, ground: "half-made", member: "demo-2" }));
    assert.ok(!needsDeadman({ record: led, ground: "nothing", member: "demo-1" }));
  });
});
