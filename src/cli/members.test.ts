import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ClusterMember, ClusterStatus } from "../core/cluster-status.ts";
import { memberNamed, primaryOf, readerOf } from "./members.ts";

function statusOf(members: Partial<ClusterMember>[], primary: string | null): ClusterStatus {
  const blank = {
    role: "standby",
    state: "streaming",
    replayLagBytes: 0,
    takesReads: true,
    host: "127.0.0.1",
    port: 1,
  };
  const full = members.map((member) => ({ ...blank, ...member }));
  return { cluster: "demo", primary, members: full } as unknown as ClusterStatus;
}

const PRIMARY = { name: "demo-1", role: "primary", state: "running" } as const;

describe("choosing a member", () => {
  it("finds it by name and otherwise names those that there are", () => {
    const status = statusOf([PRIMARY, { name: "demo-2" }], "demo-1");
    assert.equal(memberNamed(status, "demo-2").name, "demo-2");
    assert.throws(() => memberNamed(status, "demo-9"), {
      code: "MEMBER_NOT_FOUND",
      hint: "Its members: demo-1, demo-2.",
    });
  });

  it("tells a cluster that is down from one without a primary", () => {
    const down = statusOf([{ name: "demo-1", state: "unreachable" }], null);
    assert.throws(() => primaryOf(down), { code: "CLUSTER_NOT_RUNNING" });
    assert.throws(() => primaryOf(statusOf([{ name: "demo-2" }], null)), { code: "NO_PRIMARY" });
  });

  it("reads from the streaming standby that has replayed most, else from the primary", () => {
    const far = { name: "demo-2", replayLagBytes: 500 };
    const near = { name: "demo-3", replayLagBytes: 5 };
    const cloning = { name: "demo-4", replayLagBytes: 0, state: "cloning" } as const;
    assert.equal(readerOf(statusOf([PRIMARY, far, near, cloning], "demo-1")).member.name, "demo-3");
    const apart = { ...near, takesReads: false };
    assert.equal(readerOf(statusOf([PRIMARY, far, apart], "demo-1")).member.name, "demo-2");
    const alone = readerOf(statusOf([PRIMARY, cloning], "demo-1"));
    assert.deepEqual([alone.member.name, alone.fallback], ["demo-1", true]);
  });
});
