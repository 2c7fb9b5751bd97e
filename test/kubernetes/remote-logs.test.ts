// What containers have written, read through a scripted API server: the calls, and the order of
// what several members have.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readLogs } from "../../src/cli/kubernetes/remote-logs.ts";
import { newRecord } from "../../src/core/record.ts";
import { UnderstudyError } from "../../src/core/errors.ts";
import { KubernetesApi } from "../../src/kubernetes-api/api.ts";
import type { LocalCluster } from "../../src/local/cluster.ts";
import { MemoryStore } from "../../src/store/memory-store.ts";
import { eventually } from "../support/eventually.ts";
import { refusal, ScriptedServer, type Script } from "./scripted-server.ts";

const ADDRESS = { host: "10.0.0.1", port: 5432, apiPort: 8008, tags: {} };

function line(at: string, member: string): string {
  return `{"at":"2026-11-23T06:00:0${at}.000Z","member":"${member}"}\n`;
}

function pathOf(member: string): string {
  return `/api/v1/namespaces/shop/pods/${member}-0/log`;
}

/** In two pieces, as a stream comes. */
function log(text: string): Script {
  return (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write(text.slice(0, 5));
    setImmediate(() => response.end(text.slice(5)));
  };
}

interface Reading {
  readonly member: string | null;
  readonly follow: boolean;
  readonly stop?: AbortController;
  /** With each line. */
  readonly onLine?: () => void;
}

async function read(server: ScriptedServer, how: Reading): Promise<string[]> {
  return (await readWithNotes(server, how)).texts;
}

async function readWithNotes(server: ScriptedServer, how: Reading) {
  using api = new KubernetesApi({ access: server.access() });
  const members = { "izdb-1": ADDRESS, "izdb-2": { ...ADDRESS, host: "10.0.0.2" } };
  const store = new MemoryStore();
  const record = newRecord({ cluster: "izdb", founder: "izdb-1", ttlMs: 10_000, members });
  await store.write({ record, expected: null, durable: true });
  const reach = { openStore: () => store };
  const cluster = { reach, place: { name: "izdb", dir: "" } } as unknown as LocalCluster;
  const place = { api, namespace: "shop", cluster: "izdb" };
  const { signal } = how.stop ?? new AbortController();
  const texts: string[] = [];
  const notes: string[] = [];
  const source = { place, cluster, note: (text: string) => notes.push(text) };
  for await (const each of readLogs(source, { ...how, lines: 7, signal })) {
    texts.push(`${each.member} ${each.text.slice(7, 26)}`);
    how.onLine?.();
  }
  return { texts, notes };
}

/** Which of them asks first is not agreed on. */
function byMember(scripts: Readonly<Record<string, Script>>): Script {
  return (response, received) => {
    const member = Object.keys(scripts).find((name) => received.path === pathOf(name));
    return scripts[member ?? ""]?.(response, received);
  };
}

/** Written, and then nothing more for as long as the reader stays. */
function openLog(text: string): Script {
  return (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write(text);
  };
}

/** The connection ends in the middle of it. */
function cutLog(text: string): Script {
  return (response) => {
    response.writeHead(200, { "content-type": "text/plain" });
    response.write(text, () => setImmediate(() => response.destroy()));
  };
}

test("the newest lines of all members come in the order of their time", async () => {
  await using server = await ScriptedServer.start(
    log(line("1", "a") + line("3", "a")),
    log(line("2", "b")),
  );
  const times = (await read(server, { member: null, follow: false })).map((each) => each.slice(-2));
  assert.deepEqual(times, ["01", "02", "03"]);
  const paths = server.received.map(({ path }) => path).toSorted();
  assert.deepEqual(paths, [pathOf("izdb-1"), pathOf("izdb-2")]);
  const query = { container: "postgres", tailLines: "7", follow: "false" };
  assert.deepEqual(server.received[0]?.query, query);
});

test("followed they come as they are written, until all have ended", async () => {
  await using server = await ScriptedServer.start(
    log(line("1", "a") + line("3", "a")),
    log(line("2", "b")),
  );
  const texts = await read(server, { member: null, follow: true });
  assert.equal(texts.length, 3);
  assert.equal(server.received[0]?.query["follow"], "true");
});

test("a pod that is not there, and a member, are said so", async () => {
  const absent = { reason: "NotFound", details: { name: "izdb-1-0", kind: "pods" } };
  await using server = await ScriptedServer.start(refusal(404, absent));
  const codeOf = (member: string) =>
    read(server, { member, follow: false }).then(
      () => "none",
      (thrown: unknown) => (thrown instanceof UnderstudyError ? thrown.code : String(thrown)),
    );
  assert.equal(await codeOf("izdb-1"), "KUBERNETES_REFUSED");
  assert.equal(await codeOf("izdb-9"), "MEMBER_NOT_FOUND");
});

const GONE = refusal(404, { reason: "NotFound", details: { name: "izdb-1-0", kind: "pods" } });

for (const follow of [false, true])
  test(`a log that cannot be had keeps nobody from the others', ${follow ? "followed" : "once"}`, async () => {
    const logs = { "izdb-1": GONE, "izdb-2": log(line("2", "b")) };
    await using server = await ScriptedServer.start(byMember(logs));
    const { texts, notes } = await readWithNotes(server, { member: null, follow });
    assert.deepEqual(texts, ["izdb-2 2026-11-23T06:00:02"]);
    assert.equal(notes.length, 1);
    assert.match(notes[0] ?? "", /^the log of izdb-1 cannot be read: cannot read .*izdb-1-0/);
  });

test("where there is no log at all that is an error", async () => {
  await using server = await ScriptedServer.start(GONE);
  const reading = read(server, { member: null, follow: false });
  await assert.rejects(reading, { code: "KUBERNETES_REFUSED" });
});

for (const follow of [false, true])
  test(`whoever stops reading is let go at once, ${follow ? "followed" : "once"}`, async () => {
    const stop = new AbortController();
    const logs = { "izdb-1": openLog(line("1", "a")), "izdb-2": openLog(line("2", "b")) };
    await using server = await ScriptedServer.start(byMember(logs));
    const onLine = () => stop.abort();
    const reading = readWithNotes(server, { member: null, follow, stop, onLine });
    // Once nothing is shown before all have ended.
    if (!follow) await eventually("both are asked", () => server.received.length === 2);
    if (!follow) stop.abort();
    const { texts, notes } = await reading;
    assert.deepEqual(notes, []);
    assert.ok(texts.length <= 2, texts.join());
  });

for (const follow of [false, true])
  test(`a log that is cut is told of and ends, ${follow ? "followed" : "once"}`, async () => {
    const logs = { "izdb-1": cutLog(`${line("1", "a")}{"at":`), "izdb-2": log(line("2", "b")) };
    await using server = await ScriptedServer.start(byMember(logs));
    const { texts, notes } = await readWithNotes(server, { member: null, follow });
    assert.deepEqual(texts.toSorted(), [
      "izdb-1 2026-11-23T06:00:01",
      "izdb-2 2026-11-23T06:00:02",
    ]);
    assert.match(notes.join(), /^the log of izdb-1 ends in the middle: \S+/);
  });
