import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  configuredUpstream,
  isDirect,
  maySynchronize,
  takesReaders,
  upstreamObjection,
} from "./cascade.ts";
import { removeMember } from "./record-changes.ts";
import { newRecord, type ClusterRecord, type RecordMember } from "./record.ts";

const NAMES = ["demo-1", "demo-2", "demo-3", "demo-4", "demo-5"] as const;

function recordOf(
  leader: string | null,
  tags: Readonly<Record<string, RecordMember["tags"]>>,
): ClusterRecord {
  const members = Object.fromEntries(
    NAMES.map((name, at) => [
      name,
      { host: "127.0.0.1", port: 6431 + at, apiPort: 7431 + at, tags: tags[name] ?? {} },
    ]),
  );
  return {
    ...newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2000, members }),
    leader: leader === null ? null : { member: leader, renewals: 0, lsn: null, timeline: 2 },
  };
}

/** Any upstreams at all, also such that no command would let through. */
const anyRecord = fc
  .tuple(
    fc.option(fc.constantFrom(...NAMES)),
    fc.array(fc.option(fc.constantFrom(...NAMES, "demo-9")), {
      minLength: NAMES.length,
      maxLength: NAMES.length,
    }),
  )
  .map(([leader, upstreams]) =>
    recordOf(
      leader,
      Object.fromEntries(NAMES.map((name, at) => [name, { from: upstreams[at] ?? null }])),
    ),
  );

test("whatever is set, every standby's way up ends at the leader", () => {
  fc.assert(
    fc.property(anyRecord, fc.constantFrom(...NAMES), (record, start) => {
      const leader = record.leader?.member ?? null;
      let at: string | null = start;
      for (let steps = 0; at !== null && at !== leader; steps += 1) {
        assert.ok(steps < NAMES.length, `a circle from ${start}`);
        at = configuredUpstream(record, at);
      }
      assert.equal(at, leader);
    }),
  );
});

test("upstreams without objection make no circle, whoever leads", () => {
  fc.assert(
    fc.property(anyRecord, fc.constantFrom(...NAMES), (record, leader) => {
      fc.pre(upstreamObjection(record) === null);
      const led = { ...record, leader: { member: leader, renewals: 0, lsn: null, timeline: 2 } };
      for (const name of NAMES) {
        const from = record.members[name]?.tags.from ?? leader;
        if (name !== leader) assert.equal(configuredUpstream(led, name), from);
      }
    }),
  );
});

test("a member streams from the one that it was told to, and the leader from nobody", () => {
  const record = recordOf("demo-1", { "demo-3": { from: "demo-2" } });
  assert.equal(configuredUpstream(record, "demo-3"), "demo-2");
  assert.equal(configuredUpstream(record, "demo-2"), "demo-1");
  assert.equal(configuredUpstream(record, "demo-1"), null);
  assert.deepEqual(
    NAMES.filter((name) => isDirect(record, name)),
    ["demo-2", "demo-4", "demo-5"],
  );
});

test("when its upstream leads a member is direct, and nobody follows while nobody leads", () => {
  const tags = { "demo-3": { from: "demo-2" } };
  assert.equal(isDirect(recordOf("demo-2", tags), "demo-3"), true);
  assert.equal(configuredUpstream(recordOf("demo-2", tags), "demo-1"), "demo-2");
  assert.equal(configuredUpstream(recordOf(null, tags), "demo-3"), null);
});

test("circles, oneself and strangers are refused in one sentence", () => {
  const circle = { "demo-2": { from: "demo-3" }, "demo-3": { from: "demo-2" } };
  assert.equal(
    upstreamObjection(recordOf("demo-1", circle)),
    "members cannot stream in a circle: demo-2 from demo-3 from demo-2",
  );
  assert.equal(
    upstreamObjection(recordOf("demo-1", { "demo-2": { from: "demo-2" } })),
    "members cannot stream in a circle: demo-2 from demo-2",
  );
  assert.equal(
    upstreamObjection(recordOf("demo-1", { "demo-2": { from: "demo-9" } })),
    "demo-2 cannot stream from demo-9: there is no such member",
  );
  assert.equal(upstreamObjection(recordOf("demo-1", { "demo-3": { from: "demo-2" } })), null);
});

test("commits wait for neither cascaded nor delayed members, and delayed ones are not read", () => {
  const record = recordOf("demo-1", {
    "demo-3": { from: "demo-2" },
    "demo-4": { delayMs: 3_600_000 },
    "demo-5": { noreads: true, delayMs: 0 },
  });
  assert.deepEqual(
    NAMES.filter((name) => maySynchronize(record, name)),
    ["demo-2", "demo-5"],
  );
  assert.deepEqual(
    Object.entries(record.members).flatMap(([name, each]) => (takesReaders(each) ? [name] : [])),
    ["demo-1", "demo-2", "demo-3"],
  );
});

test("who streamed from a member that is removed streams from the primary", () => {
  const record = recordOf("demo-1", { "demo-3": { from: "demo-2", priority: 7 } });
  const left = removeMember(record, "demo-2");
  assert.ok(left);
  assert.deepEqual(left.members["demo-3"]?.tags, { from: null, priority: 7 });
  assert.equal(upstreamObjection(left), null);
});
