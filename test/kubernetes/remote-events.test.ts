// The events of members that are elsewhere: of those that answer, with a word on those that do not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { postToAgent } from "../../src/agent/peer.ts";
import { readEvents } from "../../src/cli/kubernetes/remote-events.ts";
import { newRecord } from "../../src/core/record.ts";
import { Secret } from "../../src/core/secret.ts";
import type { LocalCluster, Reach } from "../../src/local/cluster.ts";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { answer, ScriptedServer, type Script } from "./scripted-server.ts";

/** Each member answers by its script; one without has gone away. */
async function read(scripts: readonly (Script | null)[]) {
  await using servers = new AsyncDisposableStack();
  const members: Record<string, { host: string; port: number; apiPort: number; tags: {} }> = {};
  for (const [at, script] of scripts.entries()) {
    const server = await ScriptedServer.start(script ?? answer(200, {}));
    members[`izdb-${at + 1}`] = { host: "127.0.0.1", port: 1, apiPort: server.port, tags: {} };
    if (script === null) await server[Symbol.asyncDispose]();
    else servers.use(server);
  }
  const store = new MemoryStore();
  const record = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members });
  await store.write({ record, expected: null, durable: true });
  const known = { token: new Secret("t"), trust: null };
  const post: Reach["post"] = (member, options) => postToAgent(member, { ...options, ...known });
  const reach = { openStore: () => store };
  const cluster = { reach, place: { name: "izdb", dir: "" } } as unknown as LocalCluster;
  const notes: string[] = [];
  const note = (text: string) => notes.push(text);
  const events = await readEvents(cluster, { reach: { post }, note });
  return { messages: events.map(({ message }) => message), notes };
}

function event(at: string, message: string): Script {
  return answer(200, { events: [{ at, member: "izdb-2", event: "promoted", message }] });
}

test("members that do not answer are told of beside the events of the others", async () => {
  const { messages, notes } = await read([
    null,
    event("2026-11-23T06:00:02.000Z", "later"),
    event("2026-11-23T06:00:01.000Z", "sooner"),
  ]);
  assert.deepEqual(messages, ["sooner", "later"]);
  assert.equal(notes.length, 1);
  assert.match(notes[0] ?? "", /^the events of izdb-1 are missing: .*ECONNREFUSED/);
});

test("where nobody answers that is an error", async () => {
  await assert.rejects(read([null, null]), { code: "MEMBER_UNREACHABLE" });
});
