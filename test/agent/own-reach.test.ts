// How far a member has come, by the files of a real server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseLsn } from "../../src/core/lsn.ts";
import { MemberMemory } from "../../src/agent/memory.ts";
import { memberPaths } from "../../src/agent/member-paths.ts";
import { reachAt } from "../../src/agent/own-reach.ts";
import { BareServer } from "../support/bare-server.ts";
import { installationFor, testMajors } from "../support/installations.ts";

for (const major of testMajors())
  test(`PostgreSQL ${major}: who has lost its memory finds the timeline in its own WAL`, async () => {
    await using server = await BareServer.make({ installation: await installationFor(major) });
    await server.start();
    const lsn = await server.value("SELECT pg_current_wal_flush_lsn()::text");
    const memory = new MemberMemory({ save: async () => assert.fail("nothing is written") });
    const paths = { ...memberPaths("/nowhere", "t-1"), data: server.dataDir };
    const position = { flushLsn: String(lsn), replayLsn: null, timeline: null };
    const reach = await reachAt({ memory, paths }, position);
    assert.deepEqual(reach, { lsn: parseLsn(String(lsn)), timeline: 1 });
  });
