import assert from "node:assert/strict";
import { test } from "node:test";
import { sampleMember } from "../../test/support/sample-status.ts";
import type { ClusterMember } from "./cluster-status.ts";
import { serviceEndpoints } from "./service-endpoints.ts";

const PRIMARY = sampleMember("izdb-1", { role: "primary", state: "running", replayLagBytes: null });

/** Who is read from, of a primary and one standby. */
function readers(change: Partial<ClusterMember>, maxLagBytes: number | null = null) {
  const members = [PRIMARY, sampleMember("izdb-2", change)];
  return serviceEndpoints({ primary: "izdb-1", members }, { maxLagBytes }).read;
}

test("writes go to the primary, reads to every standby that streams", () => {
  const members = [PRIMARY, sampleMember("izdb-2"), sampleMember("izdb-3")];
  assert.deepEqual(serviceEndpoints({ primary: "izdb-1", members }, { maxLagBytes: null }), {
    write: "izdb-1",
    read: ["izdb-2", "izdb-3"],
  });
});

test("the primary is read from only where no standby is left", () => {
  for (const change of [
    { state: "catching-up" },
    { state: "unreachable" },
    { takesReads: false },
    { fenced: true },
  ] as const)
    assert.deepEqual(readers(change), ["izdb-1"], JSON.stringify(change));
  assert.deepEqual(readers({}), ["izdb-2"]);
});

test("a standby that lags, or of which nobody knows how far, is left out where there is a limit", () => {
  assert.deepEqual(readers({ replayLagBytes: 1_000 }, 1_000), ["izdb-2"]);
  assert.deepEqual(readers({ replayLagBytes: 1_001 }, 1_000), ["izdb-1"]);
  assert.deepEqual(readers({ replayLagBytes: null }, 1_000), ["izdb-1"]);
  assert.deepEqual(readers({ replayLagBytes: null }), ["izdb-2"]);
});

test("while nobody takes writes nobody is named for them, and standbys are read from", () => {
  const members = [sampleMember("izdb-1", { state: "stopped" }), sampleMember("izdb-2")];
  const endpoints = serviceEndpoints({ primary: null, members }, { maxLagBytes: null });
  assert.deepEqual(endpoints, { write: null, read: ["izdb-2"] });
  assert.deepEqual(serviceEndpoints({ primary: null, members: [] }, { maxLagBytes: null }), {
    write: null,
    read: [],
  });
});
