import assert from "node:assert/strict";
import { test } from "node:test";
import { newRecord, type ClusterRecord, type RecordMember } from "../record.ts";
import { chooseSuccessor, type Standby } from "./successor.ts";

function recordOf(tags: Readonly<Record<string, RecordMember["tags"]>>): ClusterRecord {
  const members = Object.fromEntries(
    ["demo-1", "demo-2", "demo-3", "demo-10"].map((name) => [
      name,
      { host: "127.0.0.1", port: 6431, apiPort: 7431, tags: tags[name] ?? {} },
    ]),
  );
  return newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 5000, members });
}

function standby(name: string, replayLagBytes: number | null = 0, isStreaming = true): Standby {
  return { name, isStreaming, replayLagBytes };
}

test("the one with the least lag is handed to, and of equals the first by name", () => {
  const standbys = [standby("demo-10"), standby("demo-3"), standby("demo-2", 500)];
  assert.equal(chooseSuccessor(recordOf({}), standbys).name, "demo-3");
});

test("a priority goes before a lag that passes, but not before one that would keep writers waiting", () => {
  const record = recordOf({ "demo-2": { priority: 5 }, "demo-3": { priority: -1 } });
  const near = [standby("demo-2", 4096), standby("demo-3"), standby("demo-10", 10)];
  assert.equal(chooseSuccessor(record, near).name, "demo-2");
  const far = [standby("demo-2", 2 ** 30), standby("demo-3"), standby("demo-10", 10)];
  assert.equal(chooseSuccessor(record, far).name, "demo-10");
});

test("where nobody may take over each one's reason is told", () => {
  const record = recordOf({ "demo-2": { nofailover: true } });
  const standbys = [standby("demo-2"), standby("demo-3", 0, false), standby("demo-10", null)];
  const choice = chooseSuccessor(record, standbys);
  assert.deepEqual(choice, {
    name: null,
    why: "demo-2 is set nofailover, demo-3 does not stream, demo-10 is behind by an unknown amount",
  });
  assert.deepEqual(chooseSuccessor(record, []), { name: null, why: "there is no standby" });
});
